"""
A table of Hive as DESCRIBE prints it: cells of name, type and comment, filled up with spaces.

Source: observed on the live service in September 2026: github.com/aoyagikouhei/athena-local,
docs/dev/measurements/query-results.md and result-files.md.
"""

from __future__ import annotations

from typing import Any

from local_aws.athena.failures import Unsupported
from local_aws.athena.language.trino_types import from_hive, hive_name
from local_aws.athena.tables.serdes import LAZY_SIMPLE

DESCRIBED = ("col_name", "data_type", "comment")
_WIDTH_OF_A_CELL = 20


def columns_of(table: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a Glue table's columns, its partition keys last."""
    return [*table["StorageDescriptor"].get("Columns", []), *(table.get("PartitionKeys") or [])]


def described(table: dict[str, Any]) -> tuple[str, ...]:
    """
    Return the lines about a Glue table; its partition keys stand there twice.

    Raises: Unsupported for SerDes and comments whose lines were not observed.
    """
    serde = (table["StorageDescriptor"].get("SerdeInfo") or {}).get("SerializationLibrary")
    if serde != LAZY_SIMPLE:
        raise Unsupported(f"DESCRIBE of a table with SerDe {serde}, whose comments Hive may not take from the catalog")
    lines = [_line(column) for column in columns_of(table)]
    keys = [_line(key) for key in table.get("PartitionKeys") or []]
    if keys:
        heads = "# " + "\t".join(map(filled, DESCRIBED))
        lines += ["\t \t ", "# Partition Information\t \t ", heads, "\t \t ", *keys]
    return tuple(lines)


def _line(column: dict[str, Any]) -> str:
    comment = column.get("Comment") or ""
    if "\n" in comment or any(ord(letter) > 0xFFFF for letter in comment):
        raise Unsupported("DESCRIBE of a comment with line breaks, or letters beyond U+FFFF")
    cells = (column["Name"], hive_name(from_hive(column["Type"])), comment)
    name, kind, comment = map(filled, cells)
    return "\t".join([name, kind, comment.partition("\t")[0]])


def filled(text: str) -> str:
    """Return *text* with spaces up to the width of a cell; what is longer stays whole."""
    return text.ljust(_WIDTH_OF_A_CELL)
