"""Scalar functions by name: what is not listed here does not run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local_aws.athena import temporal
from local_aws.athena.casts import as_bigint, as_double, cast, coerce
from local_aws.athena.coercion import compare, meet, want_text
from local_aws.athena.containers import CONTAINERS, Scalar
from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.scope import Expression
from local_aws.athena.trino_types import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    VARCHAR,
    Type,
    array,
    decimal,
    duckdb_name,
    is_integer,
    is_nested,
    is_numeric,
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
    if any(value.type.name == "array" for value in values):
        raise Unsupported("concat_ws() of an array")
    separator = want_text(values[0], "concat_ws")
    parts = ", ".join(want_text(value, "concat_ws") for value in values[1:])
    return Expression(f"(CASE WHEN {separator} IS NULL THEN NULL ELSE concat_ws({separator}, {parts}) END)", VARCHAR)


def substr(values: _Arguments) -> Expression:
    """Return substr(text, start[, length]): positions from 1, from the end when negative, empty at 0 or outside."""
    text = want_text(values[0], "substr")
    start = as_bigint(values[1])
    length = f", {as_bigint(values[2])}" if len(values) > 2 else ""
    kind = values[0].type if values[0].type.name == "varchar" else VARCHAR
    inside = f"WHEN {start} = 0 OR {start} > length({text}) OR {start} < -length({text}) THEN ''"
    if length:
        inside += f" WHEN {length[2:]} <= 0 THEN ''"
    null = " OR ".join(f"{part} IS NULL" for part in (text, start, *([length[2:]] if length else [])))
    return Expression(f"(CASE WHEN {null} THEN NULL {inside} ELSE substr({text}, {start}{length}) END)", kind)


def _text(template: str, result: Type | None = None) -> Callable[[_Arguments], Expression]:
    """Return a translation whose arguments are all texts; without *result* the type of the first is kept."""

    def translate(values: _Arguments) -> Expression:
        texts = [want_text(value, template.split("(", 1)[0]) for value in values]
        kind = result or (values[0].type if values[0].type.name == "varchar" else VARCHAR)
        return Expression(template.format(*texts), kind)

    return translate


def _length(values: _Arguments) -> Expression:
    if values[0].type.name == "varbinary":
        return Expression(f"CAST(octet_length({values[0].sql}) AS BIGINT)", BIGINT)
    return Expression(f"CAST(length({want_text(values[0], 'length')}) AS BIGINT)", BIGINT)


def _pad(name: str) -> Callable[[_Arguments], Expression]:
    def translate(values: _Arguments) -> Expression:
        size = f"CAST({as_bigint(values[1])} AS INTEGER)"
        return Expression(f"{name}({want_text(values[0], name)}, {size}, {want_text(values[2], name)})", VARCHAR)

    return translate


def _split(values: _Arguments) -> Expression:
    if not values[1].constant:
        raise Unsupported("split() by a delimiter that is no literal, or empty")
    text, separator = want_text(values[0], "split"), want_text(values[1], "split")
    return Expression(f"string_split({text}, {separator})", array(VARCHAR))


def _split_part(values: _Arguments) -> Expression:
    text, separator, index = (
        want_text(values[0], "split_part"),
        want_text(values[1], "split_part"),
        as_bigint(values[2]),
    )
    if not isinstance(values[2].constant, int) or values[2].constant < 1 or values[1].constant == "":
        raise Unsupported("split_part() with an index that is no positive literal, or an empty delimiter")
    return Expression(
        f"string_split({text}, {separator})[{index}]", values[0].type if values[0].type.name == "varchar" else VARCHAR
    )


def _chr(values: _Arguments) -> Expression:
    return Expression(f"chr(CAST({as_bigint(values[0])} AS INTEGER))", Type("varchar", (1,)))


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
        return Expression(
            f"(CASE WHEN {nulls} THEN NULL ELSE {name}({', '.join(value.sql for value in values)}) END)", kind
        )

    return translate


def _round(values: _Arguments) -> Expression:
    value = values[0]
    digits = values[1].constant if len(values) > 1 else 0
    if not isinstance(digits, int) or not 0 <= digits <= 15:
        raise Unsupported("round() to a number of digits that is no literal between 0 and 15")
    if is_integer(value.type):
        return Expression(value.sql, value.type)
    if value.type.name == "decimal":
        precision, scale = value.type.args
        kind = decimal(precision + 1, scale) if len(values) > 1 else decimal(precision - scale + min(1, scale), 0)
        wide = duckdb_name(decimal(precision + 1, scale))
        return Expression(
            f"CAST(round(CAST({value.sql} AS {wide}), {min(digits, scale)}) AS {duckdb_name(kind)})", kind
        )
    if value.type != DOUBLE:
        raise Unsupported(f"round() of {trino_name(value.type)}")
    factor = f"CAST({10**digits} AS DOUBLE)"
    return Expression(f"(round({value.sql} * {factor}) / {factor})", DOUBLE)


def _whole(name: str) -> Callable[[_Arguments], Expression]:
    def translate(values: _Arguments) -> Expression:
        value = values[0]
        if is_integer(value.type):
            return Expression(value.sql, value.type)
        if value.type.name == "decimal":
            precision, scale = value.type.args
            kind = decimal(precision - scale + min(1, scale), 0)
            return Expression(f"CAST({name}({value.sql}) AS {duckdb_name(kind)})", kind)
        return Expression(f"{name}({as_double(value)})", DOUBLE)

    return translate


def _abs(values: _Arguments) -> Expression:
    if not is_numeric(values[0].type):
        raise StatementError("FUNCTION_NOT_FOUND", f"abs of {trino_name(values[0].type)}")
    return Expression(f"abs({values[0].sql})", values[0].type)


def _double(template: str) -> Callable[[_Arguments], Expression]:
    return lambda values: Expression(template.format(*(as_double(value) for value in values)), DOUBLE)


def _mod(values: _Arguments) -> Expression:
    from local_aws.athena.arithmetic import arithmetic

    if not all(is_numeric(value.type) for value in values):
        raise StatementError("FUNCTION_NOT_FOUND", "mod takes numbers")
    return arithmetic("%", values[0], values[1])


def _typeof(values: _Arguments) -> Expression:
    name = trino_name(values[0].type)
    return Expression("'" + name.replace("'", "''") + "'", VARCHAR)


def _part(name: str) -> Scalar:
    return Scalar((1, 1), lambda values: temporal.part(name, values[0]))


def _regexp(name: str, result: Type, least: int, most: int) -> Scalar:
    def translate(values: _Arguments) -> Expression:
        texts = [want_text(value, name) for value in values[:2]]
        if name == "regexp_replace":
            texts.append(want_text(values[2], name) if len(values) > 2 else "''")
        elif name in ("regexp_extract", "regexp_extract_all"):
            texts.append(as_bigint(values[2]) if len(values) > 2 else "CAST(0 AS BIGINT)")
        return Expression(f"t_{name}({', '.join(texts)})", result)

    return Scalar((least, most), translate)


SCALARS: dict[str, Scalar] = {
    **CONTAINERS,
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
    "replace": Scalar((2, 3), lambda values: _replace(values)),
    "strpos": Scalar((2, 2), _text("strpos({0}, {1})", BIGINT)),
    "starts_with": Scalar((2, 2), _text("starts_with({0}, {1})", BOOLEAN)),
    "split": Scalar((2, 2), _split),
    "split_part": Scalar((3, 3), _split_part),
    "lpad": Scalar((3, 3), _pad("lpad")),
    "rpad": Scalar((3, 3), _pad("rpad")),
    "chr": Scalar((1, 1), _chr),
    "regexp_like": _regexp("regexp_like", BOOLEAN, 2, 2),
    "regexp_extract": _regexp("regexp_extract", VARCHAR, 2, 3),
    "regexp_extract_all": _regexp("regexp_extract_all", array(VARCHAR), 2, 3),
    "regexp_replace": _regexp("regexp_replace", VARCHAR, 2, 3),
    "regexp_split": _regexp("regexp_split", array(VARCHAR), 2, 2),
    "round": Scalar((1, 2), _round),
    "floor": Scalar((1, 1), _whole("floor")),
    "ceil": Scalar((1, 1), _whole("ceil")),
    "ceiling": Scalar((1, 1), _whole("ceil")),
    "abs": Scalar((1, 1), _abs),
    "mod": Scalar((2, 2), _mod),
    "sqrt": Scalar((1, 1), _double("t_sqrt({0})")),
    "exp": Scalar((1, 1), _double("exp({0})")),
    "ln": Scalar((1, 1), _double("t_ln({0})")),
    "power": Scalar((2, 2), _double("t_power({0}, {1})")),
    "pow": Scalar((2, 2), _double("t_power({0}, {1})")),
    "date": Scalar((1, 1), lambda values: cast(values[0], DATE)),
    "date_trunc": Scalar((2, 2), temporal.date_trunc),
    "date_add": Scalar((3, 3), temporal.date_add),
    "date_diff": Scalar((3, 3), temporal.date_diff),
    "date_format": Scalar((2, 2), lambda values: temporal.formatted("date_format", values)),
    "format_datetime": Scalar((2, 2), lambda values: temporal.formatted("format_datetime", values)),
    "from_iso8601_timestamp": Scalar((1, 1), temporal.from_iso8601_timestamp),
    "from_iso8601_date": Scalar((1, 1), temporal.from_iso8601_date),
    "from_unixtime": Scalar((1, 1), temporal.from_unixtime),
    "to_unixtime": Scalar((1, 1), temporal.to_unixtime),
    "to_iso8601": Scalar((1, 1), temporal.to_iso8601),
    "at_timezone": Scalar((2, 2), lambda values: temporal.at_time_zone(values[0], values[1])),
    **{
        name: _part(name)
        for name in (
            "year", "quarter", "month", "week", "week_of_year", "day", "day_of_month", "day_of_week", "dow",
            "day_of_year", "doy", "year_of_week", "yow", "hour", "minute", "second", "millisecond",
        )
    },
}  # fmt: skip


def _replace(values: _Arguments) -> Expression:
    texts = [want_text(value, "replace") for value in values]
    if values[1].constant == "" or values[1].constant is None:
        raise Unsupported("replace() of a text that is no literal")
    return Expression(f"replace({', '.join([*texts, chr(39) * 2][:3])})", VARCHAR)
