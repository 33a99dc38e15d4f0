"""Fields that only Iceberg tables offer: columns that no statement may touch, and the numbers of a target's rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from sqlglot import exp

from local_aws.athena.failures import Unsupported
from local_aws.athena.language.scope import Expression, Field
from local_aws.athena.language.trino_types import BIGINT, Type

if TYPE_CHECKING:
    from local_aws.athena.language.relation import Column, Relation

ROW = "$row of the target"  # a hidden column, by a name that no statement has
ROW_NUMBER = "row_number"  # its name in DuckDB
_UNREAD = "unread"


class Target(exp.Table):
    """The table that a statement changes."""


def unread(reason: str) -> Type:
    """Return the type of a column that is refused, naming *reason*."""
    return Type(_UNREAD, (reason,))


def is_unread(kind: Type) -> bool:
    """Tell whether a column of that type is refused."""
    return kind.name == _UNREAD


@dataclass(frozen=True)
class UnreadField:
    """
    The place of such a column among the fields of a FROM clause; see scope.Field.

    Naming it, or `*`, refuses the statement.
    """

    relation: str | None
    name: str | None
    reason: str

    @property
    def key(self) -> str | None:
        """Return the name as it is looked up: without regard to case."""
        return self.name.lower() if self.name else None

    @property
    def value(self) -> NoReturn:
        """Refuse the statement."""
        raise Unsupported(f"column {self.name!r} of type {self.reason}")


def field_of(relation: str | None, column: Column, sql: str) -> Field | UnreadField:
    """Return the field that a FROM clause offers for a column."""
    if is_unread(column.type):
        return UnreadField(relation, column.name, column.type.args[0])
    return Field(relation, column.name, Expression(sql, column.type, origin=column.origin))


def row_fields(node: exp.Expression, alias: str) -> list[Field]:
    """Return the hidden fields that *node* has among those of a FROM clause."""
    return [Field(None, ROW, Expression(f"{alias}.{ROW_NUMBER}", BIGINT))] if isinstance(node, Target) else []


def check_read(relation: Relation) -> Relation:
    """Return a relation that is taken whole, as by TABLE name; refuse it when it has a column that is not read."""
    for column in relation.columns:
        if is_unread(column.type):
            raise Unsupported(f"column {column.name!r} of type {column.type.args[0]}")
    return relation
