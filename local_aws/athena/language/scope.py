"""What names mean at one place of a statement, and what an expression has become."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from local_aws.athena.failures import StatementError, Unsupported

if TYPE_CHECKING:
    from sqlglot import exp

    from local_aws.athena.language.trino_types import Type


@dataclass(frozen=True)
class Origin:
    """The table column that a value is a plain copy of: a filter on it may choose partitions."""

    scan: int
    column: str


@dataclass(frozen=True)
class Expression:
    """
    A translated expression: DuckDB text and Trino type.

    *instant* reads the same moment without caring how its offset was written; *constant* is the value of a literal.
    """

    sql: str
    type: Type
    instant: str | None = None
    constant: str | int | None = None
    origin: Origin | None = None


@dataclass(frozen=True)
class Field:
    """One column that a FROM clause offers, under the name of its relation."""

    relation: str | None
    name: str | None
    value: Expression

    @property
    def key(self) -> str | None:
        """Return the name as it is looked up: without regard to case."""
        return self.name.lower() if self.name else None


@dataclass
class Block:
    """What was met while one SELECT was translated."""

    has_aggregate: bool = False
    has_window: bool = False
    windows: dict[str, exp.Window] = field(default_factory=dict)  # of the WINDOW clause


@dataclass(frozen=True)
class Scope:
    """Columns, lambda arguments and enclosing scopes; *clause* forbids aggregates when it is set."""

    fields: tuple[Field, ...] = ()
    parent: Scope | None = None
    arguments: dict[str, Expression] = field(default_factory=dict)
    clause: str | None = None
    block: Block = field(default_factory=Block)
    outer_used: list[str] = field(default_factory=list)

    def with_clause(self, clause: str | None) -> Scope:
        """Return this scope seen from a clause in which aggregates and windows are refused."""
        return replace(self, clause=clause)

    def with_arguments(self, arguments: dict[str, Expression]) -> Scope:
        """Return this scope inside a lambda."""
        return replace(self, arguments={**self.arguments, **arguments})

    def resolve(self, parts: list[str]) -> tuple[Expression, list[str]]:
        """
        Return what the dotted name *parts* stands for, and the parts left over (fields of a row).

        Raises: StatementError COLUMN_NOT_FOUND or AMBIGUOUS_NAME.
        """
        names = [part.lower() for part in parts]
        if len(names) <= 1 or names[0] in self.arguments:
            found = self.arguments.get(names[0])
            if found is not None:
                return found, names[1:]
        scope: Scope | None = self
        while scope is not None:
            found_here = scope.own(names)
            if found_here is not None:
                if scope is not self:
                    self.outer_used.append(names[-1])
                return found_here
            scope = scope.parent
        if any(name.startswith("$") for name in names):
            raise Unsupported(f"hidden column {'.'.join(names)!r}")
        raise StatementError("COLUMN_NOT_FOUND", f"Column '{'.'.join(parts)}' cannot be resolved")

    def own(self, names: list[str]) -> tuple[Expression, list[str]] | None:
        """Return what this scope alone knows under *names*, None when it knows nothing."""
        if len(names) > 2:
            # schema.table.column: the relation is known by its table's name
            matches = [entry for entry in self.fields if (entry.relation, entry.key) == (names[1], names[2])]
            if matches and names[0] not in {entry.relation for entry in self.fields}:
                return _only(matches, names), names[3:]
        if len(names) > 1:
            matches = [entry for entry in self.fields if (entry.relation, entry.key) == (names[0], names[1])]
            if matches:
                return _only(matches, names), names[2:]
        matches = [entry for entry in self.fields if entry.key == names[0]]
        return (_only(matches, names), names[1:]) if matches else None


def _only(matches: list[Field], names: list[str]) -> Expression:
    if len(matches) > 1:
        raise StatementError("AMBIGUOUS_NAME", f"Column '{'.'.join(names)}' is ambiguous")
    return matches[0].value
