"""The columns of an INSERT: those of a query in the places and types of a table's."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.language.casts import coerce
from local_aws.athena.language.scope import Expression
from local_aws.athena.language.trino_types import Type, duckdb_name, trino_name

if TYPE_CHECKING:
    from local_aws.athena.language.relation import Relation


def insert_query(relation: Relation, listed: list[str] | None, kinds: dict[str, Type]) -> str:
    """
    Return DuckDB text whose columns are a table's (*kinds*, in that order); those that are not *listed* are NULL.

    Raises: StatementError for names, a number of columns or types that do not fit; Unsupported for text that a column
    may be too short for.
    """
    names = listed or list(kinds)
    for label in names:
        if label not in kinds:
            raise StatementError("COLUMN_NOT_FOUND", f"Insert column name does not exist in target table: {label}")
        if names.count(label) > 1:
            raise StatementError("DUPLICATE_COLUMN_NAME", f"Insert column name is specified more than once: {label}")
    if len(relation.columns) != len(names):
        raise StatementError(
            "TYPE_MISMATCH", f"Insert query has {len(relation.columns)} columns, the table takes {len(names)}"
        )
    cells = {}
    for index, (label, column) in enumerate(zip(names, relation.columns, strict=True)):
        _check_length(column.type, kinds[label])
        cells[label] = coerce(Expression(f"i.c{index}", column.type), kinds[label]).sql
    outputs = ", ".join(
        f"{cells.get(label, f'CAST(NULL AS {duckdb_name(kind)})')} AS c{index}"
        for index, (label, kind) in enumerate(kinds.items())
    )
    return f"SELECT {outputs} FROM ({relation.sql}) AS i"


def _check_length(found: Type, wanted: Type) -> None:
    """Refuse what a cast would cut: Trino fails on it (LogicalPlanner.noTruncationCast)."""
    if found in (wanted, Type("unknown")) or not re.search(r"char\(\d", trino_name(wanted)):
        return
    if not (found.name == wanted.name == "varchar" and found.args[0] and found.args[0] <= wanted.args[0]):
        raise Unsupported(f"INSERT of {trino_name(found)} into a column of type {trino_name(wanted)}")
