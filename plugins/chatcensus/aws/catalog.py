"""The Glue catalog: tables generated from one list of columns, and upserts that change nothing twice."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from chatcensus.evaluation import ATTRIBUTE, Evaluation
from chatcensus.mapping import TableMapping

if TYPE_CHECKING:
    from mypy_boto3_glue import GlueClient

CONVERSATIONS = "conversations_ion"
PARTITION_KEY = "export_id"

# DynamoDB numbers are decimals in Ion: any other numeric type fails the query (amazon-ion/ion-hive-serde issue 110).
_NUMBER = "decimal(38,0)"
_TYPES: dict[object, str] = {int: _NUMBER, bool: "boolean"}
# What `Evaluation.attribute()` stores in the place of its verdict.
_VERDICT_TYPES = {"outcome": "string", "category": "string", "inquiry_score": _NUMBER, "reason": "string"}


def evaluation_types() -> dict[str, str]:
    """Return the Athena type of every attribute of a stored evaluation."""
    stored = {field.name: _TYPES.get(field.type, "string") for field in fields(Evaluation) if field.name != "verdict"}
    return {**stored, **_VERDICT_TYPES}


def conversation_table(mapping: TableMapping, bucket: str, prefix: str) -> dict[str, Any]:
    """
    Return the Glue TableInput over exports of the conversation table, with one Ion path extractor per column.

    Neither the turns nor the user are columns: no query can read them.
    Source: https://docs.aws.amazon.com/athena/latest/ug/ion-serde-using-path-extractors.html.
    """
    columns: dict[str, tuple[str, tuple[str, ...]]] = {"conversation_id": ("string", (mapping.partition_key,))}
    for name, attribute in (
        ("created_at", mapping.created_at and mapping.created_at.attribute),
        ("language", mapping.language),
    ):
        columns[name] = ("string", (attribute or "no_such_attribute",))
    for name, athena_type in evaluation_types().items():
        columns[f"{ATTRIBUTE}_{name}"] = (athena_type, (ATTRIBUTE, name))
    return {
        "Name": CONVERSATIONS,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {"EXTERNAL": "TRUE", "classification": "ion"},
        "PartitionKeys": [{"Name": PARTITION_KEY, "Type": "string"}],
        "StorageDescriptor": {
            "Columns": [{"Name": name, "Type": athena_type} for name, (athena_type, _) in columns.items()],
            "Location": f"s3://{bucket}/{prefix}/AWSDynamoDB/",
            "InputFormat": "com.amazon.ionhiveserde.formats.IonInputFormat",
            "OutputFormat": "com.amazon.ionhiveserde.formats.IonOutputFormat",
            "SerdeInfo": {
                "SerializationLibrary": "com.amazon.ionhiveserde.IonHiveSerDe",
                "Parameters": {
                    f"ion.{name}.path_extractor": f"(Item {' '.join(_step(step) for step in path)})"
                    for name, (_, path) in columns.items()
                },
            },
        },
    }


def parquet_table(name: str, description: str, columns: Sequence[Mapping[str, str]], location: str) -> dict[str, Any]:
    """
    Return the Glue TableInput of Parquet files under *location*, partitioned by export.

    Shape: each of *columns* has a name, a type and a description.
    """
    return {
        "Name": name,
        "Description": description,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {"EXTERNAL": "TRUE", "classification": "parquet"},
        "PartitionKeys": [{"Name": PARTITION_KEY, "Type": "string"}],
        "StorageDescriptor": {
            "Columns": [{"Name": c["name"], "Type": c["type"], "Comment": c["description"]} for c in columns],
            "Location": location,
            "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
            "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
            "SerdeInfo": {
                "SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
                "Parameters": {"serialization.format": "1"},
            },
        },
    }


def upsert_table(client: "GlueClient", database: str, table: dict[str, Any]) -> None:
    """Create *table*, or update it when it differs; an equal table is left alone, so that no version is added."""
    try:
        found = client.get_table(DatabaseName=database, Name=table["Name"])["Table"]
    except client.exceptions.EntityNotFoundException:
        client.create_table(DatabaseName=database, TableInput=table)  # type: ignore[arg-type]
        return
    if not _holds(found, table):
        client.update_table(
            DatabaseName=database,
            TableInput=table,  # type: ignore[arg-type]
            VersionId=found.get("VersionId", "0"),
        )


def upsert_partition(client: "GlueClient", database: str, table: dict[str, Any], value: str, location: str) -> None:
    """Create the partition *value* of *table* at *location*, or move it there."""
    descriptor = {**table["StorageDescriptor"], "Location": location}
    partition: Any = {"Values": [value], "StorageDescriptor": descriptor}
    try:
        client.create_partition(DatabaseName=database, TableName=table["Name"], PartitionInput=partition)
    except ClientError as error:
        if error.response["Error"]["Code"] != "AlreadyExistsException":
            raise
        client.update_partition(
            DatabaseName=database, TableName=table["Name"], PartitionValueList=[value], PartitionInput=partition
        )


def _holds(found: Any, wanted: Any) -> bool:
    """Return whether *found* says everything that *wanted* says; Glue adds fields of its own."""
    if isinstance(wanted, dict):
        return isinstance(found, Mapping) and all(_holds(found.get(name), value) for name, value in wanted.items())
    if isinstance(wanted, list):
        return isinstance(found, list) and len(found) == len(wanted) and all(map(_holds, found, wanted))
    return bool(found == wanted)


# Bare, these are values of Ion and not names.
_ION_KEYWORDS = {"null", "true", "false", "nan"}


def _step(name: str) -> str:
    if name.isidentifier() and name.isascii() and name not in _ION_KEYWORDS:
        return name
    escaped = name.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
