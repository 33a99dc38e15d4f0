"""The Glue catalog: columns that follow the evaluation, and upserts that change nothing twice."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from chatcensus.answer import Judgement, Reason
from chatcensus.aws.catalog import (
    curated_table,
    exported_table,
    parquet_table,
    upsert_partition,
    upsert_table,
)
from chatcensus.evaluation import PREVIOUS, Evaluation
from chatcensus.include import read_yaml
from chatcensus.layer_sql import CURATED_COLUMNS, EXPORTED_ITEMS, evaluation_types
from chatcensus.mapping import CreatedAt, TableMapping

DATABASE, BUCKET = "chatcensus", "chatcensus-snapshots-123456789012-ap-northeast-1"
INCLUDE = Path(__file__).parents[2] / "include"
MAPPING = read_yaml(INCLUDE / "table.yaml", TableMapping)
TABLE = exported_table(MAPPING, BUCKET, "exports")
EVALUATION = Evaluation(
    key="k",
    verdict=Judgement("coding", 3),
    content_hash="f" * 32,
    prompt_version="a" * 12,
    taxonomy_version="b" * 12,
    model="stand-in",
    answered_by="stand-in",
    attempts=1,
    input_tokens=700,
    output_tokens=20,
    cost_micro_usd=88,
    is_clipped=False,
    user_pseudonym="0123456789abcdef",
    run_id="manual__1",
    evaluated_at=datetime(2026, 11, 22, tzinfo=UTC),
)
STORED = EVALUATION.attribute() | replace(EVALUATION, verdict=Reason.TRUNCATED).attribute()


@pytest.fixture
def glue(local_aws):
    local_aws.create_stack()
    return local_aws.client("glue")


def _columns(table):
    return {column["Name"]: column["Type"] for column in table["StorageDescriptor"]["Columns"]}


def _extractors(table):
    parameters = table["StorageDescriptor"]["SerdeInfo"]["Parameters"]
    return {name.split(".")[1]: path for name, path in parameters.items()}


def _found(glue, name=EXPORTED_ITEMS):
    return glue.get_table(DatabaseName=DATABASE, Name=name)["Table"]


def _versions(glue, name=EXPORTED_ITEMS):
    return len(glue.get_table_versions(DatabaseName=DATABASE, TableName=name)["TableVersions"])


def _partitions(glue, name=EXPORTED_ITEMS):
    found = glue.get_partitions(DatabaseName=DATABASE, TableName=name)["Partitions"]
    return {partition["Values"][0]: partition["StorageDescriptor"] for partition in found}


# The columns


def test_there_is_one_column_for_each_attribute_of_an_evaluation_and_no_other():
    columns = {name.removeprefix("evaluation_") for name in _columns(TABLE) if name.startswith("evaluation_")}

    assert columns == set(STORED) | {f"previous_{name}" for name in PREVIOUS}
    assert set(evaluation_types()) == set(STORED)


def test_the_curated_table_has_the_layer_as_its_second_key():
    table = curated_table(f"s3://{BUCKET}/curated/")

    assert [key["Name"] for key in table["PartitionKeys"]] == ["export_id", "layer"]
    assert list(_columns(table)) == list(CURATED_COLUMNS)


def test_each_attribute_has_the_type_that_reads_it_back():
    kinds = {bool: "boolean", int: "decimal(38,0)", str: "string"}

    assert evaluation_types() == {name: kinds[type(value)] for name, value in STORED.items()}


def test_neither_the_turns_nor_the_user_can_be_queried():
    readable = " ".join([*_columns(TABLE), *_extractors(TABLE).values()])

    assert MAPPING.turns not in readable
    assert MAPPING.user not in readable


def test_every_column_has_its_path_and_a_name_that_athena_takes():
    extractors = _extractors(TABLE)

    assert list(extractors) == list(_columns(TABLE))
    assert all(re.fullmatch(r"[a-z_][a-z0-9_]*", name) for name in extractors)
    assert extractors["partition_key"] == "(Item conversation_id)"
    assert extractors["evaluation_inquiry_score"] == "(Item evaluation inquiry_score)"


@pytest.mark.parametrize(
    ("attribute", "step"),
    [
        ("PK", "PK"),
        ("_id", "_id"),
        ("created-at", "'created-at'"),
        ("created.at", "'created.at'"),
        ("created at", "'created at'"),
        ("2026", "'2026'"),
        ("作成日時", "'作成日時'"),
        ("a#b", "'a#b'"),
        pytest.param("it's", r"'it\'s'"),
        pytest.param("a\\b", r"'a\\b'"),
        pytest.param("null", "'null'"),
        pytest.param("nan", "'nan'"),
        pytest.param("true", "'true'"),
    ],
)
def test_an_odd_attribute_name_is_a_quoted_symbol(attribute, step):
    table = exported_table(MAPPING.model_copy(update={"created_at": CreatedAt(attribute=attribute)}), BUCKET, "exports")

    assert _extractors(table)["created_at"] == f"(Item {step})"


def test_a_table_without_times_or_languages_has_the_columns_all_the_same():
    table = exported_table(MAPPING.model_copy(update={"created_at": None, "language": None}), BUCKET, "exports")

    assert _columns(table) == _columns(TABLE)
    assert _extractors(table)["created_at"] == _extractors(table)["language"] == "(Item no_such_attribute)"


# Upserts


def test_a_table_is_created_as_it_is_described(glue):
    upsert_table(glue, DATABASE, TABLE)

    found = _found(glue)
    assert _columns(found) == _columns(TABLE)
    assert _extractors(found) == _extractors(TABLE)
    assert found["PartitionKeys"] == [{"Name": "export_id", "Type": "string"}]
    assert found["StorageDescriptor"]["Location"] == f"s3://{BUCKET}/exports/AWSDynamoDB/"
    assert found["TableType"] == "EXTERNAL_TABLE"


def test_the_same_table_again_makes_no_new_version(glue):
    upsert_table(glue, DATABASE, TABLE)
    first = _found(glue)

    upsert_table(glue, DATABASE, TABLE)

    assert _versions(glue) == 1
    assert _found(glue) == first


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(exported_table(MAPPING, BUCKET, "elsewhere"), id="location"),
        pytest.param(
            exported_table(
                MAPPING.model_copy(update={"created_at": CreatedAt(attribute="started")}), BUCKET, "exports"
            ),
            id="mapping",
        ),
        pytest.param(TABLE | {"Description": "new"}, id="description"),
    ],
)
def test_a_changed_table_is_updated_once(glue, changed):
    upsert_table(glue, DATABASE, TABLE)

    upsert_table(glue, DATABASE, changed)
    upsert_table(glue, DATABASE, changed)

    found = _found(glue)
    assert found["StorageDescriptor"]["Location"] == changed["StorageDescriptor"]["Location"]
    assert _extractors(found) == _extractors(changed)
    assert found.get("Description") == changed.get("Description")
    assert _versions(glue) == 2


def test_a_column_more_is_an_update(glue):
    columns = [{"name": "day", "type": "date", "description": "Day"}]
    wider = [*columns, {"name": "conversations", "type": "bigint", "description": "How many"}]
    upsert_table(glue, DATABASE, parquet_table("daily", "By day", columns, f"s3://{BUCKET}/daily/"))

    upsert_table(glue, DATABASE, parquet_table("daily", "By day", wider, f"s3://{BUCKET}/daily/"))

    assert _columns(_found(glue, "daily")) == {"day": "date", "conversations": "bigint"}


def test_a_table_that_another_changed_meanwhile_is_not_overwritten(glue):
    upsert_table(glue, DATABASE, TABLE)
    elsewhere = exported_table(MAPPING, BUCKET, "elsewhere")

    def change_first(**_):
        glue.meta.events.unregister("provide-client-params.glue.UpdateTable", change_first)
        glue.update_table(DatabaseName=DATABASE, TableInput=TABLE | {"Description": "theirs"})

    glue.meta.events.register("provide-client-params.glue.UpdateTable", change_first)
    with pytest.raises(glue.exceptions.ConcurrentModificationException):
        upsert_table(glue, DATABASE, elsewhere)

    assert _found(glue)["Description"] == "theirs"


def test_a_missing_database_is_an_error(glue):
    with pytest.raises(glue.exceptions.EntityNotFoundException):
        upsert_table(glue, "no_such_database", TABLE)


# Partitions


def test_a_partition_is_a_snapshot_at_its_own_location(glue):
    upsert_table(glue, DATABASE, TABLE)

    upsert_partition(glue, DATABASE, TABLE, ("01-a",), f"s3://{BUCKET}/exports/AWSDynamoDB/01-a/data/")
    upsert_partition(glue, DATABASE, TABLE, ("02-b",), f"s3://{BUCKET}/exports/AWSDynamoDB/02-b/data/")

    partitions = _partitions(glue)
    assert {name: found["Location"].split("/")[-3] for name, found in partitions.items()} == {
        "01-a": "01-a",
        "02-b": "02-b",
    }
    assert partitions["01-a"]["SerdeInfo"] == TABLE["StorageDescriptor"]["SerdeInfo"]
    assert TABLE["StorageDescriptor"]["Location"] == f"s3://{BUCKET}/exports/AWSDynamoDB/"


def test_a_partition_can_be_moved_and_repeated(glue):
    upsert_table(glue, DATABASE, TABLE)

    for place in ("first", "second", "second"):
        upsert_partition(glue, DATABASE, TABLE, ("01-a",), f"s3://{BUCKET}/{place}/")

    assert {name: found["Location"] for name, found in _partitions(glue).items()} == {"01-a": f"s3://{BUCKET}/second/"}


def test_a_moved_partition_gets_the_columns_of_the_table_as_it_is_now(glue):
    upsert_table(glue, DATABASE, TABLE)
    upsert_partition(glue, DATABASE, TABLE, ("01-a",), f"s3://{BUCKET}/a/")
    changed = exported_table(
        MAPPING.model_copy(update={"created_at": CreatedAt(attribute="started")}), BUCKET, "exports"
    )

    upsert_table(glue, DATABASE, changed)
    upsert_partition(glue, DATABASE, changed, ("01-a",), f"s3://{BUCKET}/a/")

    assert _partitions(glue)["01-a"]["SerdeInfo"] == changed["StorageDescriptor"]["SerdeInfo"]


def test_a_partition_of_a_missing_table_is_an_error(glue):
    with pytest.raises(glue.exceptions.EntityNotFoundException):
        upsert_partition(glue, DATABASE, TABLE, ("01-a",), f"s3://{BUCKET}/a/")


# Summary tables


def test_a_summary_table_describes_its_columns_and_is_partitioned_by_snapshot():
    columns = [{"name": "category", "type": "string", "description": "Key of the category"}]

    table = parquet_table("category_counts_snapshots", "By category", columns, f"s3://{BUCKET}/s/")

    assert table["Description"] == "By category"
    assert table["StorageDescriptor"]["Columns"] == [
        {"Name": "category", "Type": "string", "Comment": "Key of the category"}
    ]
    assert table["PartitionKeys"] == [{"Name": "export_id", "Type": "string"}]
    assert "parquet" in table["StorageDescriptor"]["SerdeInfo"]["SerializationLibrary"]
