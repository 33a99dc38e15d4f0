"""
What a WHERE asks of partition keys, so that partitions without a row for it are not read.

Only conditions that every row must fulfil count: those joined by AND. A condition that is left out costs time and never
a row, since the query itself still filters.
"""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING

from sqlglot import exp

from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.language.scope import Origin, Scope
from local_aws.athena.language.trino_types import VARCHAR, Type, is_integer
from local_aws.athena.tables.partitions import Condition

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_COMPARISONS = {exp.EQ: "=", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">="}
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_TURNED = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


def note_conditions(
    known: dict[Origin, list[Condition]], where: exp.Expression, scope: Scope, texts: Mapping[int, str]
) -> None:
    """
    Add to *known* what the ANDed parts of *where* ask of columns of this SELECT; its types were checked before.

    Shape: *texts* are the subqueries that give one text, by the id of their node.
    """
    open_nodes = [where]
    while open_nodes:
        node = open_nodes.pop()
        if isinstance(node, exp.And):
            open_nodes += [node.this, node.expression]
        elif isinstance(node, exp.Paren):
            open_nodes.append(node.this)
        else:
            for column, comparison, literals in _comparisons(node):
                _note(known, scope, column, comparison, literals, texts)


def _comparisons(node: exp.Expression) -> Iterator[tuple[exp.Expression, str, list[exp.Expression]]]:
    if isinstance(node, exp.In) and node.expressions and not node.args.get("query"):
        yield node.this, "=", node.expressions
    elif isinstance(node, exp.Between) and not node.args.get("symmetric"):
        yield node.this, ">=", [node.args["low"]]
        yield node.this, "<=", [node.args["high"]]
    elif type(node) in _COMPARISONS:
        yield node.this, _COMPARISONS[type(node)], [node.expression]
        yield node.expression, _TURNED[_COMPARISONS[type(node)]], [node.this]


def _note(
    known: dict[Origin, list[Condition]],
    scope: Scope,
    column: exp.Expression,
    comparison: str,
    literals: list[exp.Expression],
    texts: Mapping[int, str],
) -> None:
    if not isinstance(column, exp.Column):
        return
    try:
        value, fields = Scope(fields=scope.fields).resolve([part.name for part in column.parts])
    except (StatementError, Unsupported):
        return  # a column of a SELECT around this one: its rows are not this one's to choose
    if comparison == "=" and value.origin is not None and not fields and id(literals[0]) in texts:
        if value.type == VARCHAR:
            known.setdefault(value.origin, []).append(Condition("=", (), texts[id(literals[0])]))
        return
    values = [_literal(node, value.type) for node in literals]
    if value.origin is not None and not fields and None not in values:
        known.setdefault(value.origin, []).append(Condition(comparison, tuple(values)))


def _literal(node: exp.Expression, kind: Type) -> str | int | date | None:
    """Return the value of a literal that compares with *kind* as it stands, None for any other expression."""
    if isinstance(node, exp.Paren):
        return _literal(node.this, kind)
    if isinstance(node, exp.Literal) and node.is_string and kind.name == "varchar":
        return node.this
    if isinstance(node, exp.Literal) and not node.is_string and is_integer(kind) and node.this.isdecimal():
        return int(node.this)
    if isinstance(node, exp.Neg) and isinstance(node.this, exp.Literal):
        number = _literal(node.this, kind)
        return -number if isinstance(number, int) else None
    if isinstance(node, exp.Cast) and node.to.is_type("date") and kind.name == "date":
        text = node.this.this if isinstance(node.this, exp.Literal) and node.this.is_string else ""
        try:
            return date.fromisoformat(text) if _DATE.fullmatch(text) else None
        except ValueError:
            return None
    return None
