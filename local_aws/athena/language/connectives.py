"""AND and OR from left to right: what a decided condition leaves unread cannot fail, as in Trino."""

from __future__ import annotations

from sqlglot import exp

from local_aws.athena.failures import Unsupported

# DuckDB reads every operand, so that `x <> 0 AND 1 / x > 0` would divide by zero. These nodes never fail.
_HARMLESS = (
    exp.Column, exp.Identifier, exp.Literal, exp.Boolean, exp.Null, exp.Paren, exp.Not, exp.And, exp.Or, exp.Is,
    exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.NullSafeEQ, exp.NullSafeNEQ, exp.Between, exp.In, exp.Like,
    exp.Escape, exp.Dot, exp.DataType,
)  # fmt: skip
_LARGEST_TEXT = 4_000_000


def connected(word: str, terms: list[exp.Expression], parts: list[str]) -> str:
    """
    Return *parts*, the translations of *terms*, connected by AND or OR.

    From the first that may fail, each is read only where those before it leave the answer open. The parts before it
    stand for themselves as well, so that DuckDB can still join and filter by them.

    Raises: Unsupported when that makes the text too long (each nesting of AND in OR may double it).
    """
    start = next((index for index, term in enumerate(terms) if index and not _is_harmless(term)), None)
    if start is None:
        return "(" + f" {word} ".join(parts) + ")"
    settled, answer = ("NOT ", "false") if word == "AND" else ("", "true")
    tests = " ".join(f"WHEN {settled}{part} THEN {answer}" for part in parts[:-1])
    last = f" {word} ".join(parts[start:])
    text = "(" + f" {word} ".join([*parts[:start], f"(CASE {tests} ELSE ({last}) END)"]) + ")"
    if len(text) > _LARGEST_TEXT:
        raise Unsupported("AND and OR nested this deep with terms that may fail")
    return text


def _is_harmless(term: exp.Expression) -> bool:
    # A subquery is joined before any condition is read, in Trino as well.
    return term.find(exp.Query) is not None or all(
        isinstance(node, _HARMLESS) or (isinstance(node, exp.Cast | exp.Neg) and isinstance(node.this, exp.Literal))
        for node in term.walk()
    )
