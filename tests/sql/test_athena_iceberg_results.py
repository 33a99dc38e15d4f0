"""What the API tells about statements of Iceberg tables: DESCRIBE, SHOW COLUMNS, counts, and what lies in S3."""

from collections.abc import Iterator
from typing import Any

import pytest
from pyiceberg.types import UUIDType

from local_aws.athena.iceberg.tables import Tables
from local_aws.athena.tables.catalog import TableName
from local_aws.aws_error import AwsError
from tests.sql.athena_harness import BUCKET, Athena, running_athena


@pytest.fixture
def athena() -> Iterator[Athena]:
    with running_athena() as running:
        yield running


@pytest.fixture
def people(athena: Athena) -> Athena:
    create(athena, "id int, name string, score bigint")
    athena.rows("insert into t values (1, 'ann', 10), (2, 'bob', 20)")
    return athena


def create(athena: Athena, columns: str, clause: str = "") -> None:
    athena.rows(
        f"create table t ({columns}) {clause} location 's3://{BUCKET}/lake/t/' tblproperties ('table_type' = 'ICEBERG')"
    )


def listed(athena: Athena, sql: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the execution of a statement that must succeed, and its results."""
    execution = athena.wait(athena.start(sql))
    assert execution["Status"]["State"] == "SUCCEEDED", execution["Status"]
    request = {"QueryExecutionId": execution["QueryExecutionId"]}
    return execution, athena.service.handle("GetQueryResults", request)


def lines(results: dict[str, Any]) -> list[str]:
    return [row["Data"][0]["VarCharValue"] for row in results["ResultSet"]["Rows"]]


def test_a_table_is_described_with_its_partitioning_and_nothing_is_filled_up(athena: Athena) -> None:
    create(
        athena,
        "n int comment 'abc', s string, ts timestamp, d decimal(10,2), a array<struct<a:int,b:string>>, "
        "m map<string,int>, f float, b binary",
        "partitioned by (s, bucket(4, n), day(ts))",
    )

    execution, results = listed(athena, "describe t")

    assert lines(results) == [
        "# Table schema:\t\t", "# col_name\tdata_type\tcomment", "n\tint\tabc", "s\tstring\t", "ts\ttimestamp\t",
        "d\tdecimal(10, 2)\t", "a\tarray<struct<a: int, b: string>>\t", "m\tmap<string, int>\t", "f\tfloat\t",
        "b\tbinary\t", "\t\t", "# Partition spec:\t\t", "# field_name\tfield_transform\tcolumn_name",
        "s\tidentity\ts", "n_bucket\tbucket[4]\tn", "ts_day\tday\tts",
    ]  # fmt: skip
    assert (execution["SubstatementType"], results["UpdateCount"]) == ("DESCRIBE_TABLE", 0)
    assert lines(listed(athena, "show columns in t")[1]) == ["n", "s", "ts", "d", "a", "m", "f", "b"]


def test_a_table_with_a_type_that_athena_does_not_describe_fails_and_leaves_nothing(people: Athena) -> None:
    with Tables(people.glue, people.s3).open(TableName("d", "t")).update_schema() as update:
        update.add_column("key", UUIDType())

    execution = people.wait(people.start("describe t"))

    assert execution["Status"]["StateChangeReason"] == "Table has unsupported column types"
    assert execution["Status"]["AthenaError"]["ErrorType"] == 1100
    assert not [key for key in people.keys("results/") if execution["QueryExecutionId"] in key]


def test_the_columns_shown_are_those_of_now(people: Athena) -> None:
    people.rows("alter table t drop column name")

    assert lines(listed(people, "show columns in t")[1]) == ["id", "score"]


def test_a_dropped_table_leaves_two_empty_rows(people: Athena) -> None:
    execution, results = listed(people, "drop table t")
    key = execution["ResultConfiguration"]["OutputLocation"].removeprefix(f"s3://{BUCKET}/")

    assert people.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == b"\n"
    assert lines(results) == ["", ""]
    assert results["ResultSet"]["ResultSetMetadata"]["ColumnInfo"] == []
    assert "UpdateCount" not in results


def test_written_rows_are_counted_and_no_manifest_is_left(people: Athena) -> None:
    execution, results = listed(people, "insert into t values (4, 'dan', 40)")
    updated = listed(people, "update t set score = 0 where false")[1]

    assert (results["UpdateCount"], updated["UpdateCount"], lines(results)) == (1, 0, [])
    assert [column["Name"] for column in results["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]] == ["rows"]
    assert "DataManifestLocation" not in execution["Statistics"]
    assert not [key for key in people.keys("results/") if "manifest" in key]


@pytest.mark.parametrize("change", ["add partition (id = 1)", "drop partition (id = 1)"])
def test_partitions_of_hive_are_refused_and_leave_nothing(people: Athena, change: str) -> None:
    execution = people.wait(people.start(f"alter table t {change}"))
    execution_id = execution["QueryExecutionId"]

    assert execution["Status"]["StateChangeReason"] == "Query type not supported by Athena Iceberg at this time"
    assert execution["Status"]["AthenaError"]["ErrorType"] == 1200
    assert execution["SubstatementType"] == f"ALTER_TABLE_{change.split()[0].upper()}_PARTITION"
    assert not [key for key in people.keys("results/") if execution_id in key]
    with pytest.raises(AwsError, match="Could not find results"):
        people.service.handle("GetQueryResults", {"QueryExecutionId": execution_id})
