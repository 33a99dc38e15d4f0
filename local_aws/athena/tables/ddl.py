"""CREATE EXTERNAL TABLE, and the Glue form of the tables we make."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from local_aws.athena.api.statement_kinds import words
from local_aws.athena.failures import StatementError, SyntaxRejection, Unsupported, hive_failure
from local_aws.athena.language.trino_types import Type, hive_name
from local_aws.athena.tables.hive_columns import column_type, repeated
from local_aws.athena.tables.serdes import (
    HIVE_JSON,
    HIVE_JSON_2,
    ION,
    ION_INPUT,
    LAZY_SIMPLE,
    OPEN_CSV,
    OPENX_JSON,
    PARQUET,
    PARQUET_INPUT,
    TEXT_INPUT,
)

# Format -> input format, output format, the SerDe it has when none is named.
_FORMATS = {
    "PARQUET": (
        PARQUET_INPUT,
        "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
        PARQUET,
    ),
    "ION": (ION_INPUT, "com.amazon.ionhiveserde.formats.IonOutputFormat", ION),
    "TEXTFILE": (TEXT_INPUT, "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat", LAZY_SIMPLE),
}
_SERDE_FORMATS = {
    PARQUET: "PARQUET",
    ION: "ION",
    **dict.fromkeys((LAZY_SIMPLE, OPEN_CSV, OPENX_JSON, HIVE_JSON, HIVE_JSON_2), "TEXTFILE"),
}
# Hive before 3, and so Athena, spells the second delimiter so (HIVE-16922).
_DELIMITERS = {
    "fields": ("field.delim", "serialization.format"),
    "escaped": ("escape.delim",),
    "collection_items": ("colelction.delim",),
    "map_keys": ("mapkey.delim",),
    "lines": ("line.delim",),
    "null": ("serialization.null.format",),
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
    serde: str
    serde_parameters: dict[str, str] = field(default_factory=dict)
    properties: dict[str, str] = field(default_factory=dict)
    comments: dict[str, str] = field(default_factory=dict)  # of columns and partition keys


def is_external_table(text: str) -> bool:
    """Tell whether *text* is Hive DDL that makes a table."""
    return words(text)[:3] == ["create", "external", "table"]


def parse_external_table(text: str) -> TableDefinition:
    """
    Return the table that *text* defines.

    Raises: SyntaxRejection; StatementError for a column that stands twice; Unsupported for formats other than Parquet,
    Ion and text.
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
        "serde": "",
        "partition_keys": [],
        "serde_parameters": {},
        "properties": {},
    }
    for part in tree.args["properties"].expressions:
        _property(part, definition)
    definition["file_format"] = definition["file_format"] or _SERDE_FORMATS.get(definition["serde"], "TEXTFILE")
    definition["serde"] = definition["serde"] or _FORMATS[definition["file_format"]][2]
    if _SERDE_FORMATS[definition["serde"]] != definition["file_format"]:
        raise Unsupported(f"SerDe {definition['serde']!r} with files of format {definition['file_format']}")
    if not definition["location"]:
        raise StatementError("INVALID_TABLE_PROPERTY", "CREATE EXTERNAL TABLE needs a LOCATION")
    columns = _columns(tree.this.expressions)
    if twice := repeated(label for label, _ in columns):
        raise hive_failure(f"SemanticException [Error 10036]: Duplicate column name: {twice}")
    if repeated(label for label, _ in columns + definition["partition_keys"]):
        raise hive_failure("SemanticException [Error 10035]: Column repeated in partitioning columns")
    return TableDefinition(
        parts=[part.name for part in (tree.this.this.args.get("db"), tree.this.this.this) if part is not None],
        has_if_not_exists=bool(tree.args.get("exists")),
        columns=columns,
        comments={
            node.name.lower(): comment.kind.this.name
            for node in tree.find_all(exp.ColumnDef)
            for comment in node.args.get("constraints") or []
            if isinstance(node.parent, exp.Schema) and isinstance(comment.kind, exp.CommentColumnConstraint)
        },
        **definition,
    )


def _property(part: exp.Expression, definition: dict[str, Any]) -> None:
    if isinstance(part, exp.ExternalProperty):
        return
    if isinstance(part, exp.LocationProperty):
        definition["location"] = part.name
    elif isinstance(part, exp.FileFormatProperty):
        definition["file_format"] = _file_format(part)
    elif isinstance(part, exp.PartitionedByProperty) and isinstance(part.this, exp.Schema):
        definition["partition_keys"] = _columns(part.this.expressions)
    elif isinstance(part, exp.RowFormatSerdeProperty):
        if part.name not in _SERDE_FORMATS:
            raise Unsupported(f"SerDe {part.name!r}")
        definition["serde"] = part.name
        serde_properties = part.args.get("serde_properties")
        pairs = serde_properties.expressions if serde_properties is not None else []
        definition["serde_parameters"] = {pair.name: pair.args["value"].name for pair in pairs}
    elif isinstance(part, exp.RowFormatDelimitedProperty):
        definition["serde"] = LAZY_SIMPLE
        definition["serde_parameters"] = {
            name: part.args[clause].name for clause in part.args if part.args[clause] for name in _DELIMITERS[clause]
        }
    elif type(part) is exp.Property:
        definition["properties"][part.name] = part.args["value"].name
    else:
        raise Unsupported(f"CREATE EXTERNAL TABLE with {part.sql('hive')[:60]}")


def _file_format(part: exp.FileFormatProperty) -> str:
    if isinstance(part.this, exp.InputOutputFormat):
        classes = (part.this.args["input_format"].name, part.this.args["output_format"].name)
        found = next((name for name, (*both, _) in _FORMATS.items() if tuple(both) == classes), None)
    else:
        found = part.name.upper() if part.name.upper() in _FORMATS else None
    if found is None:
        raise Unsupported(f"CREATE EXTERNAL TABLE with {part.sql('hive')[:60]}")
    return found


def _columns(nodes: list[exp.Expression]) -> list[tuple[str, str]]:
    columns: list[tuple[str, str]] = []
    for node in nodes:
        if not isinstance(node, exp.ColumnDef):
            raise SyntaxRejection("a column needs a name and a type")
        constraints = node.args.get("constraints") or []
        if any(not isinstance(part.kind, exp.CommentColumnConstraint) for part in constraints):
            raise Unsupported("a column of an external table with more than a type and a comment")
        if any(part.is_type("varchar", "char") and not part.expressions for part in node.find_all(exp.DataType)):
            raise SyntaxRejection("varchar and char need a length")
        hive_type = re.sub(r"\s", "", node.args["kind"].sql("hive")).lower()
        columns.append((node.name.lower(), hive_name(column_type(hive_type))))
    return columns


def table_input(definition: TableDefinition, name: str) -> dict[str, Any]:
    """Return the TableInput of an external table."""
    input_format, output_format, _ = _FORMATS[definition.file_format]
    classification = {} if definition.file_format == "TEXTFILE" else {"classification": definition.file_format.lower()}
    return {
        "Name": name,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {"EXTERNAL": "TRUE", **classification, **definition.properties},
        "PartitionKeys": _glue_columns(definition.partition_keys, definition.comments),
        "StorageDescriptor": {
            "Columns": _glue_columns(definition.columns, definition.comments),
            "Location": definition.location,
            "InputFormat": input_format,
            "OutputFormat": output_format,
            "SerdeInfo": {
                "SerializationLibrary": definition.serde,
                "Parameters": {"serialization.format": "1", **definition.serde_parameters},
            },
        },
    }


def _glue_columns(columns: list[tuple[str, str]], comments: dict[str, str]) -> list[dict[str, str]]:
    return [
        {"Name": label, "Type": kind, **({"Comment": comments[label]} if label in comments else {})}
        for label, kind in columns
    ]


def parquet_table(
    name: str, columns: list[tuple[str, Type]], location: str, partition_keys: list[tuple[str, Type]]
) -> dict[str, Any]:
    """Return the TableInput of a Parquet table, as CTAS makes it."""
    definition = TableDefinition(
        [name],
        has_if_not_exists=False,
        columns=[(label, hive_name(kind)) for label, kind in columns],
        partition_keys=[(label, hive_name(kind)) for label, kind in partition_keys],
        file_format="PARQUET",
        location=location,
        serde=PARQUET,
    )
    return table_input(definition, name)
