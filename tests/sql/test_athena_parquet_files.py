"""Parquet files as other writers leave them: read in the table's types, refused by name, or failed as Athena fails."""

import io
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.sql.athena_harness import BUCKET, Answer, Athena, running_athena

_MOMENT = datetime(2026, 10, 1, 1, 2, 3, 456_789)  # noqa: DTZ001 - a timestamp has no zone


@pytest.fixture(scope="module")
def athena() -> Iterator[Athena]:
    with running_athena() as running:
        yield running


def ask(athena: Athena, kind: str, cells: pa.Array, **options: Any) -> Answer:
    """Return the answer over a table whose one file holds *cells* as its one column."""
    out = io.BytesIO()
    pq.write_table(pa.table({"x": cells}), out, **options)
    athena.s3.put_object(Bucket=BUCKET, Key="p/file", Body=out.getvalue())
    athena.rows("drop table if exists p")
    athena.rows(f"create external table p (x {kind}) stored as parquet location 's3://{BUCKET}/p/'")
    return athena.ask("select x from p")


@pytest.mark.parametrize(
    ("kind", "cells", "shown"),
    [
        pytest.param("string", pa.array(["a", "b", "a"]).dictionary_encode(), ["a", "b", "a"], id="dictionary"),
        pytest.param("string", pa.array(["a"], pa.string_view()), ["a"], id="view"),
        pytest.param("array<int>", pa.array([[1]], pa.large_list(pa.int32())), ["[1]"], id="large-list"),
        pytest.param("array<int>", pa.array([[1, 2]], pa.list_(pa.int32(), 2)), ["[1, 2]"], id="fixed-size-list"),
        pytest.param("bigint", pa.array([timedelta(seconds=1)], pa.duration("ms")), ["1000"], id="duration"),
    ],
)
def test_types_that_only_arrow_knows_are_read_as_what_parquet_keeps_of_them(
    athena: Athena, kind: str, cells: pa.Array, shown: list[str]
) -> None:
    answer = ask(athena, kind, cells)

    assert [row[0] for row in answer.rows] == shown, answer.message


@pytest.mark.parametrize(
    ("kind", "cells"),
    [
        pytest.param(
            "array<timestamp>", pa.array([[_MOMENT]], pa.list_(pa.timestamp("us"))), id="microseconds-in-array"
        ),
        pytest.param("array<timestamp>", pa.array([[1]], pa.list_(pa.timestamp("ns"))), id="nanoseconds-in-array"),
        pytest.param("struct<a:timestamp>", pa.array([{"a": _MOMENT}]), id="microseconds-in-struct"),
        pytest.param("array<varchar(2)>", pa.array([["abc"]]), id="length-in-array"),
        pytest.param("tinyint", pa.array([300], pa.int32()), id="too-large"),
        pytest.param("bigint", pa.array([1], pa.uint32()), id="unsigned"),
        pytest.param("int", pa.array([1], pa.int64()), id="narrower"),
        pytest.param("double", pa.array([1], pa.int32()), id="integer-as-double"),
        pytest.param("decimal(10,3)", pa.array([Decimal("1.5")], pa.decimal128(5, 1)), id="other-scale"),
        pytest.param("bigint", pa.array([Decimal(1)], pa.decimal128(5, 0)), id="decimal-as-bigint"),
        pytest.param("string", pa.array([b"a"]), id="binary-as-text"),
        pytest.param("string", pa.array([Decimal(1)], pa.decimal128(5, 0)), id="decimal-as-text"),
        pytest.param("timestamp", pa.array([date(2026, 10, 1)]), id="date-as-timestamp"),
        pytest.param("bigint", pa.array([time(1)], pa.time64("us")), id="time-as-bigint"),
        pytest.param("string", pa.nulls(1), id="only-nulls"),
        pytest.param("struct<a:int,b:int>", pa.array([{"a": 1}], pa.struct([("a", pa.int32())])), id="missing-field"),
    ],
)
def test_what_trino_converts_by_rules_that_were_not_compared_is_refused(
    athena: Athena, kind: str, cells: pa.Array
) -> None:
    assert ask(athena, kind, cells).kind == "unsupported"


@pytest.mark.parametrize(
    ("kind", "cells"),
    [("int", pa.array(["1"])), ("string", pa.array([1])), ("int", pa.array([True])), ("string", pa.array([["a"]]))],
)
def test_a_column_of_another_kind_fails_the_query(athena: Athena, kind: str, cells: pa.Array) -> None:
    answer = ask(athena, kind, cells)

    assert (answer.kind, answer.message.partition(":")[0]) == ("user", "HIVE_BAD_DATA")


def test_a_list_of_an_old_writer_and_times_of_any_unit_are_read(athena: Athena) -> None:
    plain = datetime(2026, 10, 1, 1, 2, 3)  # noqa: DTZ001 - a timestamp has no zone
    zoned = pa.array([plain], pa.timestamp("us", "Asia/Tokyo"))

    old = ask(athena, "array<string>", pa.array([["a"]]), use_compliant_nested_type=False)

    assert old.rows == (("[a]",),)
    assert ask(athena, "timestamp", zoned).rows == (("2026-10-01 01:02:03.000",),)
    assert ask(athena, "timestamp", pa.array([plain], pa.timestamp("s"))).rows == (("2026-10-01 01:02:03.000",),)
