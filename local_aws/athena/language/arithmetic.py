"""Numbers: literals and + - * / % with Trino's result types, scales, rounding and overflow."""

from __future__ import annotations

import re

from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.language.casts import coerce
from local_aws.athena.language.scope import Expression
from local_aws.athena.language.trino_types import (
    BIGINT,
    DOUBLE,
    INTEGER,
    Type,
    as_decimal,
    common,
    decimal,
    duckdb_name,
    is_integer,
)

_DIGITS_OF_INT64 = 18


def number_literal(text: str) -> Expression:
    """
    Return a literal: digits are integer or bigint, a point makes a decimal, an exponent a double.

    Raises: StatementError for a number that no type holds.
    """
    if text.isascii() and text.isdigit():
        value = int(text)
        if value > 2**63 - 1:
            raise StatementError("INVALID_LITERAL", "integer literal is out of range")
        kind = INTEGER if value < 2**31 else BIGINT
        return Expression(f"CAST({value} AS {duckdb_name(kind)})", kind, constant=value)
    if re.fullmatch(r"(\d+\.?\d*|\.\d+)[eE][+-]?\d+", text, re.ASCII):
        return Expression(f"CAST('{text}' AS DOUBLE)", DOUBLE)
    point = re.fullmatch(r"(\d*)\.(\d*)", text, re.ASCII)
    if point is None or text == ".":
        raise Unsupported(f"number {text!r}")
    whole, fraction = point[1].lstrip("0"), point[2]
    if len(whole) + len(fraction) > 38:
        raise StatementError("INVALID_LITERAL", "decimal literal has more than 38 digits")
    kind = decimal(len(whole) + len(fraction), len(fraction))
    return Expression(f"CAST('{text}' AS {duckdb_name(kind)})", kind)


def arithmetic(operator: str, left: Expression, right: Expression) -> Expression:
    """Return left operator right for two numbers."""
    if left.type.name in ("double", "real") or right.type.name in ("double", "real"):
        return _floating(operator, left, right)
    if is_integer(left.type) and is_integer(right.type):
        kind = common(left.type, right.type)
        a, b = coerce(left, kind).sql, coerce(right, kind).sql
        return Expression(f"({a} {'//' if operator == '/' else operator} {b})", kind)
    return _decimal(operator, left, right)


def _floating(operator: str, left: Expression, right: Expression) -> Expression:
    kind = common(left.type, right.type)
    a, b = coerce(left, kind).sql, coerce(right, kind).sql
    if operator in "%/":
        name = "t_divide" if operator == "/" else "t_remainder_0"
        return Expression(f"CAST({name}({a}, {b}) AS {duckdb_name(kind)})", kind)
    return Expression(f"({a} {operator} {b})", kind)


def _decimal(operator: str, left: Expression, right: Expression) -> Expression:
    a, b = coerce(left, as_decimal(left.type)), coerce(right, as_decimal(right.type))
    (p1, s1), (p2, s2) = a.type.args, b.type.args
    if operator in "+-":
        scale = max(s1, s2)
        kind = decimal(max(p1 - s1, p2 - s2) + scale + 1, scale)
        name = duckdb_name(kind)
        return Expression(f"CAST(CAST({a.sql} AS {name}) {operator} CAST({b.sql} AS {name}) AS {name})", kind)
    if operator == "*":
        kind = decimal(p1 + p2, s1 + s2)
        # DuckDB multiplies two decimals of at most 18 digits to 18 digits, and fails beyond them.
        wide = f"CAST({a.sql} AS {duckdb_name(decimal(max(p1, _DIGITS_OF_INT64 + 1), s1))})"
        return Expression(f"CAST({wide} * {b.sql} AS {duckdb_name(kind)})", kind)
    if operator == "/":
        kind = decimal(p1 + s2 + max(0, s2 - s1), max(s1, s2))
        return Expression(decimal_division(a.sql, b.sql, kind), kind)
    scale = max(s1, s2)
    kind = decimal(min(p1 - s1, p2 - s2) + scale, scale)
    remainder = f"t_decimal_remainder_0(CAST({a.sql} AS VARCHAR), CAST({b.sql} AS VARCHAR))"
    return Expression(f"CAST({remainder} AS {duckdb_name(kind)})", kind)


def decimal_division(dividend: str, divisor: str, kind: Type) -> str:
    """Return dividend / divisor rounded half away from zero to the scale of *kind*, exact over all 38 digits."""
    quotient = f"t_decimal_divide(CAST({dividend} AS VARCHAR), CAST({divisor} AS VARCHAR), {kind.args[1]})"
    return f"CAST({quotient} AS {duckdb_name(kind)})"
