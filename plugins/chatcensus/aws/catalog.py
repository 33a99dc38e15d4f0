"""The Glue catalog: tables generated from one list of columns, and upserts that change nothing twice."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from chatcensus.layer_sql import CHANGED_ITEMS, CURATED_COLUMNS, EXPORTED_ITEMS, item_columns
from chatcensus.mapping import TableMapping

if TYPE_CHECKING:
    from mypy_boto3_glue import GlueClient

PARTITION_KEY = "export_id"
CURATED, KEYS = "conversations_curated", "pseudonym_key"


def exported_table(mapping: TableMapping, bucket: str, prefix: str) -> dict[str, Any]:
    """
    Return the Glue TableInput over full exports of the conversation table, with one Ion path extractor per column.

    Source: https://docs.aws.amazon.com/athena/latest/ug/ion-serde-using-path-extractors.html.
    """
    columns = item_columns(mapping)
    return _table(
        EXPORTED_ITEMS,
        {name: athena_type for name, (athena_type, _) in columns.items()},
        f"s3://{bucket}/{prefix}/AWSDynamoDB/",
        {
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
        "ion",
    )


def changed_table(bucket: str, prefix: str) -> dict[str, Any]:
    """Return the Glue TableInput over incremental exports: each line as it is, one changed item in DynamoDB's JSON."""
    return _table(CHANGED_ITEMS, {"line": "string"}, f"s3://{bucket}/{prefix}/increments/", _TEXT, "json")


def key_table(bucket: str) -> dict[str, Any]:
    """Return the Glue TableInput of the keys of conversation ids: of each, one row in the partition that names it."""
    return _table(KEYS, {"subkey": "string"}, f"s3://{bucket}/key/", _TEXT, "csv", "fingerprint")


_TEXT = {
    "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
    "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
    "SerdeInfo": {"SerializationLibrary": "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe", "Parameters": {}},
}


def _table(
    name: str,
    columns: Mapping[str, str],
    location: str,
    storage: dict[str, Any],
    classification: str,
    partition_key: str = PARTITION_KEY,
) -> dict[str, Any]:
    return {
        "Name": name,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {"EXTERNAL": "TRUE", "classification": classification},
        "PartitionKeys": [{"Name": partition_key, "Type": "string"}],
        "StorageDescriptor": {
            "Columns": [{"Name": column, "Type": athena_type} for column, athena_type in columns.items()],
            "Location": location,
            **storage,
        },
    }


def curated_table(location: str) -> dict[str, Any]:
    """Return the Glue TableInput of the layers of all snapshots, as `include/sql/layers/layer.sql` writes them."""
    columns = [{"name": name, "type": kind, "description": ""} for name, kind in CURATED_COLUMNS.items()]
    return parquet_table(CURATED, "Items of every snapshot, by layer", columns, location, (PARTITION_KEY, "layer"))


def parquet_table(
    name: str,
    description: str,
    columns: Sequence[Mapping[str, str]],
    location: str,
    partition_keys: Sequence[str] = (PARTITION_KEY,),
) -> dict[str, Any]:
    """
    Return the Glue TableInput of Parquet files under *location*, partitioned by export unless *partition_keys* say.

    Shape: each of *columns* has a name, a type and a description.
    """
    return {
        "Name": name,
        "Description": description,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {"EXTERNAL": "TRUE", "classification": "parquet"},
        "PartitionKeys": [{"Name": key, "Type": "string"} for key in partition_keys],
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
    if not holds(found, table):
        client.update_table(
            DatabaseName=database,
            TableInput=table,  # type: ignore[arg-type]
            VersionId=found.get("VersionId", "0"),
        )


def upsert_partition(
    client: "GlueClient", database: str, table: dict[str, Any], values: Sequence[str], location: str
) -> None:
    """Create the partition of *table* with the *values* of its keys at *location*, or move it there."""
    descriptor = {**table["StorageDescriptor"], "Location": location}
    partition: Any = {"Values": list(values), "StorageDescriptor": descriptor}
    try:
        client.create_partition(DatabaseName=database, TableName=table["Name"], PartitionInput=partition)
    except ClientError as error:
        if error.response["Error"]["Code"] != "AlreadyExistsException":
            raise
        client.update_partition(
            DatabaseName=database, TableName=table["Name"], PartitionValueList=list(values), PartitionInput=partition
        )


def holds(found: Any, wanted: Any) -> bool:
    """Return whether *found* says everything that *wanted* says; Glue adds fields of its own."""
    if isinstance(wanted, dict):
        return isinstance(found, Mapping) and all(holds(found.get(name), value) for name, value in wanted.items())
    if isinstance(wanted, list):
        return isinstance(found, list) and len(found) == len(wanted) and all(map(holds, found, wanted))
    return bool(found == wanted)


# Bare, these are values of Ion and not names.
_ION_KEYWORDS = {"null", "true", "false", "nan"}


def _step(name: str) -> str:
    if name.isidentifier() and name.isascii() and name not in _ION_KEYWORDS:
        return name
    escaped = name.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
