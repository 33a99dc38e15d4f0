"""
Values for the `?` of a statement, and the EXECUTE of a prepared one.

A value is the text of one literal: a number, `'text'`, `DATE '…'`, `TIMESTAMP '…'`, TRUE, FALSE or NULL. It takes the
place of a `?` that the parser has seen as one operand inside a WHERE, so a value can never become more than an operand.
Source: Athena user guide, "Use parameterized queries".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlglot import exp
from sqlglot.tokens import TokenType

from local_aws.athena.failures import SyntaxRejection, Unsupported
from local_aws.athena.language.parsing import Unload, check_parameter_count, parse_statement, tokens_of

if TYPE_CHECKING:
    from collections.abc import Sequence

_LITERAL = re.compile(
    r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?|(?:(?:date|timestamp)\s*)?'(?:[^']|'')*'|true|false|null",
    re.IGNORECASE,
)
_EXECUTE = re.compile(r"\s*execute\s+([a-z_][\w@:]*)(?:\s+using\s+(.*?))?\s*;?\s*", re.IGNORECASE | re.DOTALL)
# Where an operand may be a parameter; anything else, such as a type or a name, is no place for a value.
_OPERATIONS = (
    exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Between, exp.In, exp.Like, exp.And, exp.Or, exp.Not,
    exp.Paren, exp.Tuple, exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod, exp.Neg, exp.Anonymous, exp.Cast, exp.TryCast,
)  # fmt: skip


def bound(text: str, values: Sequence[str]) -> str:
    """
    Return a statement with *values* in the places of its `?`, in order.

    Raises: StatementError when their numbers differ; Unsupported for a value that is no literal and for a `?` outside
    WHERE, which Athena does not support either; SyntaxRejection.
    """
    if not values:
        return text
    places = [token for token in tokens_of(text) if token.token_type == TokenType.PLACEHOLDER]
    check_parameter_count(len(places), len(values))
    literals = [_literal(value, number) for number, value in enumerate(values, 1)]
    _check_places(text, len(places))
    parts: list[str] = []
    start = 0
    for place, literal in zip(places, literals, strict=True):
        parts += [text[start : place.start], literal]
        start = place.end + 1
    return "".join([*parts, text[start:]])


def execution_of_prepared(text: str) -> tuple[str, tuple[str, ...]] | None:
    """
    Return name and values of `EXECUTE name [USING …]`, None for another statement.

    Raises: Unsupported for a value that is no literal.
    """
    called = _EXECUTE.fullmatch(text)
    if called is None:
        return None
    values: list[str] = []
    rest = (called[2] or "").strip()
    while rest:
        value = _LITERAL.match(rest)
        after = rest[value.end() :].lstrip() if value else ""
        if value is None or (after and (after[0] != "," or not after[1:].strip())):
            raise Unsupported("EXECUTE … USING a value that is no literal")
        values.append(value[0])
        rest = after[1:].lstrip()
    return called[1], tuple(values)


def _literal(value: str, number: int) -> str:
    text = value.strip()
    if not _LITERAL.fullmatch(text):
        raise Unsupported(f"execution parameter {number}, which is no literal (text needs single quotes)")
    return f"({text})" if text[0] in "+-" else f" {text} "


def _check_places(text: str, count: int) -> None:
    tree = parse_statement(text, has_parameters=True)
    query = tree.query if isinstance(tree, Unload) else tree
    is_table_as = isinstance(query, exp.Create) and query.args["kind"] == "TABLE" and query.args.get("expression")
    if not (isinstance(query, exp.Query | exp.Insert) or is_table_as):
        raise Unsupported("execution parameters in a statement other than SELECT, INSERT, CREATE TABLE AS and UNLOAD")
    found = list(query.find_all(exp.Placeholder))
    if len(found) != count or any(isinstance(place.parent, exp.Interval) for place in found):
        raise SyntaxRejection("mismatched input '?'")
    for place in found:
        if place.find_ancestor(exp.Where) is None:
            raise Unsupported("execution parameters outside WHERE")
        if not isinstance(place.parent, _OPERATIONS):
            raise Unsupported(f"an execution parameter as a part of {type(place.parent).__name__}")
