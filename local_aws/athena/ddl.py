"""CREATE EXTERNAL TABLE, and the Glue form of the tables we make."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from local_aws.athena.failures import StatementError, SyntaxRejection, Unsupported
from local_aws.athena.trino_types import Type, from_hive, hive_name

_PARQUET_PACKAGE = "org.apache.hadoop.hive.ql.io.parquet"
_FORMATS = {
    "PARQUET": (
        f"{_PARQUET_PACKAGE}.MapredParquetInputFormat",
        f"{_PARQUET_PACKAGE}.MapredParquetOutputFormat",
        f"{_PARQUET_PACKAGE}.serde.ParquetHiveSerDe",
    ),
    "ION": (
        "com.amazon.ionhiveserde.formats.IonInputFormat",
        "com.amazon.ionhiveserde.formats.IonOutputFormat",
        "com.amazon.ionhiveserde.IonHiveSerDe",
    ),
}


@dataclass(frozen=True)
class TableDefinition:
    """What a CREATE EXTERNAL TABLE says; *parts* is [database,] name."""

    parts: list[str]
    has_if_not_exists: bool
    columns: list[tuple[str, str]]
    partition_keys: list[tuple[str, str]]
    file_format: str
    location: str
    serde_parameters: dict[str, str] = field(default_factory=dict)
    properties: dict[str, str] = field(default_factory=dict)


def is_external_table(text: str) -> bool:
    """Tell whether *text* is Hive DDL that makes a table."""
    return re.match(r"\s*create\s+external\s+table\b", text, re.IGNORECASE) is not None


def parse_external_table(text: str) -> TableDefinition:
    """
    Return the table that *text* defines.

    Raises: SyntaxRejection, or Unsupported for formats other than Parquet and Ion.
    """
    try:
        trees = [tree for tree in sqlglot.parse(text, dialect="hive") if tree is not None]
    except (SqlglotError, RecursionError) as problem:
        raise SyntaxRejection("CREATE EXTERNAL TABLE cannot be read") from problem
    if len(trees) != 1:
        raise SyntaxRejection("Only one sql statement is allowed")
    tree = trees[0]
    if not isinstance(tree, exp.Create) or not isinstance(tree.this, exp.Schema) or tree.args.get("expression"):
        raise SyntaxRejection("CREATE EXTERNAL TABLE needs a list of columns")
    definition: dict[str, Any] = {
        "file_format": "",
        "location": "",
        "partition_keys": [],
        "serde_parameters": {},
        "properties": {},
    }
    for part in tree.args["properties"].expressions:
        _property(part, definition)
    if not definition["location"]:
        raise StatementError("INVALID_TABLE_PROPERTY", "CREATE EXTERNAL TABLE needs a LOCATION")
    return TableDefinition(
        parts=[part.name for part in (tree.this.this.args.get("db"), tree.this.this.this) if part is not None],
        has_if_not_exists=bool(tree.args.get("exists")),
        columns=_columns(tree.this.expressions),
        **definition,
    )


def _property(part: exp.Expression, definition: dict[str, Any]) -> None:
    if isinstance(part, exp.ExternalProperty):
        return
    if isinstance(part, exp.LocationProperty):
        definition["location"] = part.name
    elif isinstance(part, exp.FileFormatProperty) and part.name.upper() in _FORMATS:
        definition["file_format"] = part.name.upper()
    elif isinstance(part, exp.PartitionedByProperty) and isinstance(part.this, exp.Schema):
        definition["partition_keys"] = _columns(part.this.expressions)
    elif isinstance(part, exp.RowFormatSerdeProperty):
        known = {serde.lower(): name for name, (_, _, serde) in _FORMATS.items()}
        if part.name.lower() not in known:
            raise Unsupported(f"SerDe {part.name!r}")
        definition["file_format"] = definition["file_format"] or known[part.name.lower()]
        serde_properties = part.args.get("serde_properties")
        pairs = serde_properties.expressions if serde_properties is not None else []
        definition["serde_parameters"] = {pair.name: pair.args["value"].name for pair in pairs}
    elif type(part) is exp.Property:
        definition["properties"][part.name] = part.args["value"].name
    else:
        raise Unsupported(f"CREATE EXTERNAL TABLE with {part.sql('hive')[:60]}")


def _columns(nodes: list[exp.Expression]) -> list[tuple[str, str]]:
    columns: list[tuple[str, str]] = []
    for node in nodes:
        if not isinstance(node, exp.ColumnDef):
            raise SyntaxRejection("a column needs a name and a type")
        hive_type = re.sub(r"\s", "", node.args["kind"].sql("hive")).lower()
        columns.append((node.name.lower(), hive_name(from_hive(hive_type))))
    return columns


def table_input(definition: TableDefinition, name: str) -> dict[str, Any]:
    """Return the TableInput of an external table."""
    if definition.file_format not in _FORMATS:
        raise Unsupported("CREATE EXTERNAL TABLE without STORED AS PARQUET or ION")
    input_format, output_format, serde = _FORMATS[definition.file_format]
    parameters = {"serialization.format": "1", **definition.serde_parameters}
    return {
        "Name": name,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {"EXTERNAL": "TRUE", "classification": definition.file_format.lower(), **definition.properties},
        "PartitionKeys": [{"Name": label, "Type": kind} for label, kind in definition.partition_keys],
        "StorageDescriptor": {
            "Columns": [{"Name": label, "Type": kind} for label, kind in definition.columns],
            "Location": definition.location,
            "InputFormat": input_format,
            "OutputFormat": output_format,
            "SerdeInfo": {"SerializationLibrary": serde, "Parameters": parameters},
        },
    }


def parquet_table(name: str, columns: list[tuple[str, Type]], location: str) -> dict[str, Any]:
    """Return the TableInput of a Parquet table, as CTAS makes it."""
    hive_columns = [(label, hive_name(kind)) for label, kind in columns]
    return table_input(
        TableDefinition(
            [name],
            has_if_not_exists=False,
            columns=hive_columns,
            partition_keys=[],
            file_format="PARQUET",
            location=location,
        ),
        name,
    )
