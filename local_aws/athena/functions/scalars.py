"""Scalar functions by name: what is not listed here does not run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.functions import binary, bitwise, dates, maths, regular_expressions, strings, urls
from local_aws.athena.functions.binary import SHARED
from local_aws.athena.functions.containers import CONTAINERS, Scalar
from local_aws.athena.language.casts import as_bigint, coerce
from local_aws.athena.language.coercion import compare, meet, ordered, want_text
from local_aws.athena.language.natives import same
from local_aws.athena.language.scope import Expression
from local_aws.athena.language.trino_types import (
    BIGINT,
    BOOLEAN,
    VARCHAR,
    Type,
    array,
    is_nested,
    trino_name,
)

if TYPE_CHECKING:
    from collections.abc import Callable

# What Java's Character.isWhitespace knows; the ideographic space is one of them.
_SPACES = [
    *range(9, 14),
    *range(28, 33),
    0x1680,
    *range(0x2000, 0x2007),
    *range(0x2008, 0x200B),
    0x2028,
    0x2029,
    0x205F,
    0x3000,
]
WHITE_SPACE = "(" + " || ".join(f"chr({code})" for code in _SPACES) + ")"
_Arguments = list[Expression]


def concat_two(left: Expression, right: Expression) -> Expression:
    """Return left || right for texts, arrays, or an array and one element."""
    names = {left.type.name, right.type.name}
    if names <= {"varchar", "unknown"}:
        return Expression(f"({coerce(left, VARCHAR).sql} || {coerce(right, VARCHAR).sql})", VARCHAR)
    if "array" in names:
        if "unknown" in names:
            raise Unsupported("concatenation of an array and NULL")
        return _concat_arrays(left, right)
    if names == {"varbinary"}:
        return Expression(f"({left.sql} || {right.sql})", left.type)
    if "char" in names:
        raise Unsupported("concatenation of char")
    raise StatementError("TYPE_MISMATCH", f"Cannot concatenate {trino_name(left.type)} and {trino_name(right.type)}")


def _concat_arrays(left: Expression, right: Expression) -> Expression:
    sides = [
        side if side.type.name == "array" else Expression(f"[{side.sql}]", array(side.type)) for side in (left, right)
    ]
    (left, right), kind = meet(sides, "concatenation")
    is_null = f"{left.sql} IS NULL OR {right.sql} IS NULL"
    return Expression(f"(CASE WHEN {is_null} THEN NULL ELSE list_concat({left.sql}, {right.sql}) END)", kind)


def _concat(values: _Arguments) -> Expression:
    result = values[0]
    for value in values[1:]:
        result = concat_two(result, value)
    return result


def _concat_ws(values: _Arguments) -> Expression:
    separator = want_text(values[0], "concat_ws")
    if len(values) == 2 and values[1].type.name == "array":
        items = coerce(values[1], array(VARCHAR)).sql
        kept = f"list_filter({items}, lambda e: e IS NOT NULL)"
        joined = f"CASE WHEN len({kept}) = 0 THEN '' ELSE array_to_string({kept}, {separator}) END"
        return Expression(f"(CASE WHEN {separator} IS NULL OR {items} IS NULL THEN NULL ELSE {joined} END)", VARCHAR)
    parts = ", ".join(want_text(value, "concat_ws") for value in values[1:])
    return Expression(f"(CASE WHEN {separator} IS NULL THEN NULL ELSE concat_ws({separator}, {parts}) END)", VARCHAR)


def substr(values: _Arguments) -> Expression:
    """Return substr(text, start[, length]): positions from 1, from the end when negative, empty at 0 or outside."""
    if len(values) < 2:
        raise StatementError("FUNCTION_NOT_FOUND", "Unexpected parameters for function substring")
    if values[0].type.name == "varbinary":
        return SHARED["substr_bytes"].translate(values)
    text = want_text(values[0], "substr")
    start = as_bigint(values[1])
    length = as_bigint(values[2]) if len(values) > 2 else "9223372036854775807"
    return Expression(f"t_substr({text}, {start}, {length})", same(values))


def _text(template: str, result: Type | None = None) -> Callable[[_Arguments], Expression]:
    """Return a translation whose arguments are all texts; without *result* the type of the first is kept."""

    def translate(values: _Arguments) -> Expression:
        texts = [want_text(value, template.split("(", 1)[0].removeprefix("t_")) for value in values]
        kind = result or same(values)
        return Expression(template.format(*texts), kind)

    return translate


def _length(values: _Arguments) -> Expression:
    if values[0].type.name == "char":
        size = values[0].type.args[0]
        return Expression(f"(CASE WHEN {values[0].sql} IS NULL THEN NULL ELSE CAST({size} AS BIGINT) END)", BIGINT)
    if values[0].type.name == "varbinary":
        return Expression(f"CAST(octet_length({values[0].sql}) AS BIGINT)", BIGINT)
    return Expression(f"CAST(length({want_text(values[0], 'length')}) AS BIGINT)", BIGINT)


def _coalesce(values: _Arguments) -> Expression:
    values, kind = meet(values, "COALESCE")
    return Expression(f"coalesce({', '.join(value.sql for value in values)})", kind)


def _nullif(values: _Arguments) -> Expression:
    test = compare("=", values[0], values[1])
    return Expression(f"(CASE WHEN {test.sql} THEN NULL ELSE {values[0].sql} END)", values[0].type)


def _extreme(name: str) -> Callable[[_Arguments], Expression]:
    def translate(values: _Arguments) -> Expression:
        values, kind = meet(values, name)
        if is_nested(kind) or kind.name in ("json", "char"):
            raise Unsupported(f"{name}() of {trino_name(kind)}")
        nulls = " OR ".join(f"{value.sql} IS NULL" for value in values)
        values = [ordered(value) for value in values]
        return Expression(
            f"(CASE WHEN {nulls} THEN NULL ELSE {name}({', '.join(value.sql for value in values)}) END)", kind
        )

    return translate


def _typeof(values: _Arguments) -> Expression:
    name = trino_name(values[0].type)
    return Expression("'" + name.replace("'", "''") + "'", VARCHAR)


SCALARS: dict[str, Scalar] = {
    **CONTAINERS,
    **binary.FUNCTIONS,
    **bitwise.FUNCTIONS,
    **dates.FUNCTIONS,
    **maths.FUNCTIONS,
    **regular_expressions.FUNCTIONS,
    **strings.FUNCTIONS,
    **urls.FUNCTIONS,
    "coalesce": Scalar((2, 200), _coalesce),
    "nullif": Scalar((2, 2), _nullif),
    "greatest": Scalar((1, 100), _extreme("greatest")),
    "least": Scalar((1, 100), _extreme("least")),
    "typeof": Scalar((1, 1), _typeof),
    "concat": Scalar((2, 200), _concat),
    "concat_ws": Scalar((2, 200), _concat_ws),
    "substr": Scalar((2, 3), substr),
    "substring": Scalar((2, 3), substr),
    "length": Scalar((1, 1), _length),
    "upper": Scalar((1, 1), _text("t_upper({0})")),
    "lower": Scalar((1, 1), _text("t_lower({0})")),
    "trim": Scalar((1, 1), _text("trim({0}, " + WHITE_SPACE + ")")),
    "ltrim": Scalar((1, 1), _text("ltrim({0}, " + WHITE_SPACE + ")")),
    "rtrim": Scalar((1, 1), _text("rtrim({0}, " + WHITE_SPACE + ")")),
    "starts_with": Scalar((2, 2), _text("starts_with({0}, {1})", BOOLEAN)),
}
