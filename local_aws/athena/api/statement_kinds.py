"""
What a statement is, by how it begins: its type, what the API calls it, and where its result lies.

Comments and the case of words do not count, nor do spaces where words end without them.
Source: observed on the live service in September 2026: github.com/aoyagikouhei/athena-local,
docs/dev/measurements/statements.md and result-files.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

_TOKEN = re.compile(
    r"(?P<space>\s+|--[^\n]*|/\*.*?\*/)|(?P<quoted>'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`[^`]*`)|(?P<word>\w+)|(?P<mark>.)",
    re.DOTALL,
)
CREATE_TABLE_AS = "CREATE_TABLE_AS_SELECT"
_CSV, _TEXT, _BARE, _TABLES = "{}.csv", "{}.txt", "{}", "tables/{}"


@dataclass(frozen=True)
class StatementKind:
    """StatementType, SubstatementType (empty where it is not known), and the pattern of the result's name."""

    type: str
    substatement: str
    result_name: str

    @property
    def is_query(self) -> bool:
        """Tell whether it counts as DML among the active queries, as CREATE TABLE AS does (Athena's service quotas)."""
        return self.type == "DML" or self.substatement == CREATE_TABLE_AS

    def location(self, folder: str, execution_id: str) -> str:
        """Return the OutputLocation, whether an object lies there or not."""
        return folder + self.result_name.format(execution_id)


_SELECT = StatementKind("DML", "SELECT", _CSV)
_KINDS = {
    **dict.fromkeys([("select",), ("with",), ("values",), ("table",)], _SELECT),
    ("insert",): StatementKind("DML", "INSERT", _BARE),
    ("unload",): StatementKind("DML", "UNLOAD", _BARE),
    ("update",): StatementKind("DML", "UPDATE", _CSV),
    ("delete",): StatementKind("DML", "DELETE", _CSV),
    ("merge",): StatementKind("DML", "MERGE", _CSV),
    ("explain",): StatementKind("DML", "EXPLAIN", _TEXT),
    ("vacuum",): StatementKind("DML", "VACUUM_TABLE", _TEXT),
    ("show", "functions"): StatementKind("UTILITY", "SHOW_FUNCTIONS", _CSV),
    **{
        words: StatementKind("UTILITY", substatement, _TEXT)
        for words, substatement in {
            ("show", "tables"): "SHOW_TABLES",
            ("show", "databases"): "SHOW_DATABASES",
            ("show", "schemas"): "SHOW_DATABASES",
            ("show", "columns"): "SHOW_COLUMNS",
            ("show", "partitions"): "SHOW_PARTITIONS",
            ("show", "tblproperties"): "SHOW_TABLE_PROPERTIES",
            ("show", "create", "table"): "SHOW_CREATE_TABLE",
            ("show", "create", "view"): "SHOW_CREATE_VIEW",
            ("show",): "",
            ("describe",): "DESCRIBE_TABLE",
            ("desc",): "DESCRIBE_TABLE",
        }.items()
    },
    **{
        words: StatementKind("DDL", substatement, _TEXT)
        for words, substatement in {
            ("create", "database"): "CREATE_DATABASE",
            ("create", "schema"): "CREATE_DATABASE",
            ("drop", "database"): "DROP_DATABASE",
            ("drop", "schema"): "DROP_DATABASE",
            ("create", "table"): "CREATE_TABLE",
            ("create", "external", "table"): "CREATE_TABLE",
            ("drop", "table"): "DROP_TABLE",
            ("create", "view"): "CREATE_VIEW",
            ("create", "or", "replace", "view"): "CREATE_VIEW",
            ("drop", "view"): "DROP_VIEW",
            ("msck", "repair"): "MSCK_REPAIR",
            ("create",): "",
            ("drop",): "",
            ("alter",): "",
        }.items()
    },
}
# What follows the name in ALTER TABLE.
_ALTERATIONS = {
    ("add", "columns"): "ALTER_TABLE_ADD_COLUMN",
    ("replace", "columns"): "ALTER_TABLE_REPLACE_COLUMN",
    ("change",): "ALTER_TABLE_CHANGE_COLUMN",
    ("drop", "column"): "ALTER_TABLE_DROP_COLUMN",
    ("add", "partition"): "ALTER_TABLE_ADD_PARTITION",
    ("add", "if", "not", "exists", "partition"): "ALTER_TABLE_ADD_PARTITION",
    ("drop", "partition"): "ALTER_TABLE_DROP_PARTITION",
    ("drop", "if", "exists", "partition"): "ALTER_TABLE_DROP_PARTITION",
    ("rename", "to"): "ALTER_TABLE_RENAME",
    ("set", "location"): "ALTER_TABLE_SET_LOCATION",
    ("set", "tblproperties"): "ALTER_TABLE_PROPERTIES",
}


def words(text: str) -> list[str]:
    """Return the words (in lower case), marks and quoted parts of a statement."""
    return [found[0].lower() for found in _TOKEN.finditer(text) if found.lastgroup != "space"]


def kind_of(text: str) -> StatementKind:
    """Return what the statement in *text* is; what begins as none that is known counts as DML without a name."""
    parts = words(text)
    while parts and parts[0] == "(":
        parts.pop(0)
    if parts[:2] == ["create", "table"] and _has_query(parts):
        return StatementKind("DDL", CREATE_TABLE_AS, _TABLES)
    if parts[:2] == ["alter", "table"]:
        return StatementKind("DDL", _longest(_ALTERATIONS, _after_name(parts[2:])) or "", _TEXT)
    return _longest(_KINDS, parts) or StatementKind("DML", "", _CSV)


def _longest(table: dict[tuple[str, ...], Any], parts: list[str]) -> Any:
    return next((table[key] for size in range(5, 0, -1) if (key := tuple(parts[:size])) in table), None)


def _after_name(parts: list[str]) -> list[str]:
    while parts[1:2] == ["."]:
        parts = parts[2:]
    return parts[1:]


def _has_query(parts: list[str]) -> bool:
    depth = 0
    for index, part in enumerate(parts):
        depth += {"(": 1, ")": -1}.get(part, 0)
        following = next((other for other in parts[index + 1 :] if other != "("), "")
        if part == "as" and depth == 0 and following in ("select", "with", "values", "table"):
            return True
    return False


def pieces(text: str) -> list[str]:
    """Return the statements between the semicolons of *text*, without the spaces around them; a comment is one too."""
    found, start = [], 0
    for token in _TOKEN.finditer(text):
        if token[0] == ";":
            found.append(text[start : token.start()])
            start = token.end()
    return [piece.strip() for piece in [*found, text[start:]] if piece.strip()]
