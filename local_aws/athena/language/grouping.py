"""GROUP BY: expressions, ordinals, grouping sets, ROLLUP and CUBE."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.language.expressions import ExpressionCompiler, only
from local_aws.athena.language.nested_comparison import check_groupable
from local_aws.athena.language.select_parts import ordinal

if TYPE_CHECKING:
    from local_aws.athena.language.scope import Expression, Scope

_WORDS = {exp.GroupingSets: "GROUPING SETS", exp.Rollup: "ROLLUP", exp.Cube: "CUBE"}


def group_by(
    compiler: ExpressionCompiler, group: exp.Group | None, scope: Scope, items: list[tuple[str | None, Expression]]
) -> str:
    """
    Return the GROUP BY of a SELECT as DuckDB text, or nothing.

    Raises: StatementError for ordinals and sets that Trino rejects; Unsupported for DISTINCT sets and sets in sets.
    """
    if group is None:
        return ""
    only(group, "expressions", "all")
    if group.args.get("all") is False and group.find(*_WORDS):
        raise Unsupported("GROUP BY DISTINCT with grouping sets")
    if not group.expressions:
        raise Unsupported("GROUP BY ALL")
    inner = scope.with_clause("GROUP BY clause")

    def key(part: exp.Expression) -> str:
        if isinstance(part, exp.Literal) and part.is_int:
            value = items[ordinal(part, items, "GROUP BY")][1]
        else:
            value = compiler.compile(part, inner)
        check_groupable(value.type, "GROUP BY")
        return value.sql

    def several(part: exp.Expression) -> str:
        parts = part.expressions if isinstance(part, exp.Tuple) else [part.unnest()]
        return "(" + ", ".join(key(inner_part) for inner_part in parts) + ")"

    terms: list[str] = []
    for part in group.expressions:
        word = _WORDS.get(type(part))
        if word:
            for one in part.expressions:
                _check_set(one)
            terms.append(f"{word} ({', '.join(several(one) for one in part.expressions)})")
        else:
            terms.append(several(part) if isinstance(part, exp.Tuple) else key(part))
    return " GROUP BY " + ", ".join(terms)


def _check_set(part: exp.Expression) -> None:
    for column in part.expressions if isinstance(part, exp.Tuple) else [part.unnest()]:
        if type(column) in _WORDS:
            raise Unsupported("grouping sets within grouping sets")
        if not isinstance(column.unnest(), exp.Column):
            raise StatementError("INVALID_COLUMN_REFERENCE", "GROUP BY expression must be a column reference")
