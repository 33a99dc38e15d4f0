"""Where several values meet: conditions, comparisons, and the one type of CASE, COALESCE or IN."""

from __future__ import annotations

import re
from dataclasses import replace

from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.language.casts import coerce
from local_aws.athena.language.nested_comparison import compared
from local_aws.athena.language.scope import Expression
from local_aws.athena.language.trino_types import (
    BOOLEAN,
    DATE,
    UNKNOWN,
    VARCHAR,
    Type,
    common,
    duckdb_name,
    is_nested,
    trino_name,
)


def boolean(value: Expression, where: str) -> str:
    """Return the text of a condition; anything but a boolean is a user error."""
    if value.type not in (BOOLEAN, UNKNOWN):
        raise StatementError(
            "TYPE_MISMATCH", f"{where} must evaluate to a boolean: actual type {trino_name(value.type)}"
        )
    return coerce(value, BOOLEAN).sql


def meet(values: list[Expression], where: str) -> tuple[list[Expression], Type]:
    """Return *values* converted to the one type in which they meet, and that type."""
    kind = UNKNOWN
    for value in values:
        if value.type.name == kind.name == "timestamp with time zone" and value.type != kind:
            raise Unsupported(f"{where} of timestamps in different zones")
        met = common(kind, value.type)
        if met is None:
            raise StatementError(
                "TYPE_MISMATCH", f"{where}: {trino_name(kind)} and {trino_name(value.type)} do not meet"
            )
        kind = met
    return [coerce(value, kind) for value in values], kind


def compare(operator: str, left: Expression, right: Expression) -> Expression:
    """
    Return a comparison.

    Raises: StatementError TYPE_MISMATCH where Trino knows no such comparison, e.g. bigint = varchar.
    """
    names = {left.type.name, right.type.name}
    if "timestamp with time zone" in names and names <= {"timestamp with time zone", "timestamp", "date"}:
        return Expression(f"({_instant(left)} {operator} {_instant(right)})", BOOLEAN)
    if names == {"char"}:
        size = max(left.type.args[0], right.type.args[0])
        texts = [f"rpad({value.sql}, {size}, ' ')" for value in (left, right)]
        return Expression(f"({texts[0]} {operator} {texts[1]})", BOOLEAN)
    kind = common(left.type, right.type)
    if kind is None:
        raise StatementError(
            "TYPE_MISMATCH", f"Cannot apply operator: {trino_name(left.type)} {operator} {trino_name(right.type)}"
        )
    if is_nested(kind):
        return Expression(compared(operator, coerce(left, kind).sql, coerce(right, kind).sql, kind), BOOLEAN)
    if kind.name == "json":
        raise Unsupported(f"comparison of {trino_name(kind)}")
    return Expression(f"({coerce(ordered(left), kind).sql} {operator} {coerce(ordered(right), kind).sql})", BOOLEAN)


def ordered(value: Expression) -> Expression:
    """Return *value* so that NaN ends the query as unsupported: DuckDB orders and equates it in its own way."""
    is_literal = re.fullmatch(r"CAST\('[^']*' AS DOUBLE\)", value.sql)
    if value.type.name not in ("double", "real") or is_literal:
        return value
    return replace(value, sql=f"CAST(t_ordered({value.sql}) AS {duckdb_name(value.type)})")


def _instant(value: Expression) -> str:
    return value.instant or (f"CAST({value.sql} AS TIMESTAMP)" if value.type == DATE else value.sql)


def want_text(value: Expression, where: str) -> str:
    """Return *value* as text; any other type is a user error."""
    if value.type.name in ("char", "varbinary"):
        raise Unsupported(f"{where} of {trino_name(value.type)}")
    if value.type.name not in ("varchar", "unknown"):
        raise StatementError("TYPE_MISMATCH", f"{where} takes varchar, not {trino_name(value.type)}")
    return coerce(value, VARCHAR).sql
