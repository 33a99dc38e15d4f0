"""A translated query as the parts of a statement hand it to each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local_aws.athena.language.scope import Origin
    from local_aws.athena.language.trino_types import Type


@dataclass(frozen=True)
class Column:
    """A column of a relation; *origin* is set while it is a plain copy of a table's column."""

    name: str | None
    type: Type
    origin: Origin | None = None


@dataclass(frozen=True)
class Relation:
    """A translated query: DuckDB text that yields c0, c1, … and what they mean."""

    sql: str
    columns: tuple[Column, ...]
    scan: int | None = None  # set while it is a whole table
