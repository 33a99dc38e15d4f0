"""What stands around an aggregate or window function, and what its translations share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from local_aws.athena.failures import Unsupported
from local_aws.athena.language.scope import Expression
from local_aws.athena.language.trino_types import is_nested, trino_name

if TYPE_CHECKING:
    from local_aws.athena.language.helpers import Helpers


@dataclass(frozen=True)
class Clauses:
    """What stands around an aggregate: each call that its translation makes gets all of it."""

    helpers: Helpers
    is_distinct: bool = False
    order: str = ""
    condition: str | None = None
    nulls: str = ""
    over: str = ""

    def call(self, name: str, *arguments: str, condition: str | None = None) -> str:
        """Return a DuckDB aggregate call; *condition* narrows the FILTER further."""
        conditions = [part for part in (self.condition, condition) if part]
        where = f" FILTER (WHERE {' AND '.join(conditions)})" if conditions else ""
        inside = ("DISTINCT " if self.is_distinct else "") + ", ".join(arguments)
        return f"{name}({inside}{' ' + self.order if self.order else ''}{self.nulls}){where}{self.over}"

    def plain(self, function: str) -> None:
        """Refuse clauses that *function* has no checked translation for."""
        if self.is_distinct or self.order or self.nulls:
            raise Unsupported(f"{function}() with DISTINCT, ORDER BY or IGNORE NULLS")


Aggregate = Callable[[Clauses, list[Expression], bool], Expression]


def arity(name: str, arguments: list[Expression], *allowed: int) -> None:
    """Refuse a number of arguments that *name* was not checked with."""
    if len(arguments) not in allowed:
        raise Unsupported(f"{name}() with {len(arguments)} arguments")


def comparable(name: str, value: Expression) -> None:
    """Refuse values that DuckDB does not order as Trino does."""
    if is_nested(value.type) or value.type.name in ("json", "char"):
        raise Unsupported(f"{name}() of {trino_name(value.type)}")
