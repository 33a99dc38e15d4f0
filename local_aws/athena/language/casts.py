"""CAST and implicit conversion: Trino's rounding, ranges and accepted texts, written in DuckDB."""

from __future__ import annotations

from dataclasses import replace

from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.functions.zones import to_local
from local_aws.athena.language.scope import Expression
from local_aws.athena.language.trino_types import (
    BIGINT,
    DIGITS,
    DOUBLE,
    JSON,
    PRECISION,
    TIMESTAMP,
    UNKNOWN,
    VARCHAR,
    Type,
    common,
    duckdb_name,
    is_integer,
    is_nested,
    is_numeric,
    precision_of,
    trino_name,
)

_NUMBER_TEXT = {
    "decimal": r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)",
    "double": r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?",
    "real": r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?",
}
_TIMESTAMP_TEXT = r"[0-9]{4}-[0-9]{2}-[0-9]{2}( [0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,3})?)?)?"
_SIZED = (*DIGITS, "boolean", "decimal", "double", "real", "date")
# Texts that Java reads as numbers in ways of its own: refused, not guessed.
_ODD_NUMBER_TEXT = r"(?is)\s.*|.*\s|.*[0-9.][dfe][+-]?[0-9]*|[+-]?(nan|infinity|0x.*)|.*[^\x00-\x7F].*"
# White space around a whole number is an error in some versions; digits of other scripts count as digits in Java.
_ODD_INTEGER_TEXT = r"(?s)[\x00-\x20].*|.*[\x00-\x20]|.*[^\x00-\x7F].*"


def quote(text: str) -> str:
    """Return *text* as a DuckDB literal."""
    if "\0" in text:
        raise Unsupported("a zero byte in a text")
    return "'" + text.replace("'", "''") + "'"


def fail(code: str, message: str, kind: Type) -> str:
    """Return an expression of *kind* that fails the query when it is evaluated."""
    return f"CAST(t_fail({quote(f'{code}: {message}')}) AS {duckdb_name(kind)})"


def refuse(construct: str, kind: Type, because_of: str) -> str:
    """
    Return an expression of *kind* that ends the query as unsupported when it is evaluated.

    *because_of* is the value that was looked at: with it, a constant is never evaluated in a branch that is not taken.
    """
    return f"CAST(t_refuse({quote(construct)}, CAST({because_of} AS VARCHAR)) AS {duckdb_name(kind)})"


def coerce(value: Expression, kind: Type) -> Expression:
    """
    Return *value* converted without being asked to, as Trino does where types meet.

    Raises: StatementError TYPE_MISMATCH where Trino never converts.
    """
    if value.type == kind:
        return value
    if common(value.type, kind) != kind and not _is_same_shape(value.type, kind):
        raise StatementError("TYPE_MISMATCH", f"expected {trino_name(kind)}, found {trino_name(value.type)}")
    return cast(value, kind)


def _is_same_shape(source: Type, target: Type) -> bool:
    return source.name == target.name and (source.name == "varchar" or duckdb_name(source) == duckdb_name(target))


def cast(value: Expression, kind: Type) -> Expression:
    """
    Return CAST(value AS kind).

    Raises: StatementError where Trino has no such cast; Unsupported where only we have none.
    """
    source = value.type
    if source == kind:
        return replace(value, constant=None)
    if source == UNKNOWN:
        return Expression(f"CAST(NULL AS {duckdb_name(kind)})", kind)
    return Expression(_cast_sql(value, kind), kind)


def _cast_sql(value: Expression, kind: Type) -> str:
    source, sql, target = value.type, value.sql, duckdb_name(kind)
    if is_nested(kind) and kind.name == source.name:
        return _cast_nested(sql, source, kind)
    if kind == JSON or source == JSON or is_nested(kind) or is_nested(source):
        raise Unsupported(f"cast from {trino_name(source)} to {trino_name(kind)}")
    if is_numeric(source) and is_numeric(kind):
        return _cast_number(sql, source, kind)
    if kind.name in ("varchar", "char") and source.name != "varbinary":
        return _cast_to_text(value, kind)
    if source.name == "varchar" and kind.name != "varbinary":
        return _cast_text(sql, kind)
    pair = (source.name, kind.name)
    if source.name == "boolean" and is_numeric(kind):
        return f"CAST(CAST({sql} AS INTEGER) AS {target})"
    if kind.name == "boolean" and is_numeric(source):
        return f"({sql} <> 0)"
    if pair == ("varchar", "varbinary"):
        return f"encode({sql})"
    if pair in (("date", "timestamp"), ("timestamp", "date")):
        return f"CAST({sql} AS {target})"
    if source.name == "timestamp with time zone" and kind.name in ("date", "timestamp"):
        return f"CAST({to_local(value)} AS {target})"
    if kind.name == "timestamp with time zone" and source.name in ("date", "timestamp"):
        return f"CAST({sql} AS TIMESTAMP)"
    if source.name == kind.name and source.name.startswith("timestamp"):
        return sql
    raise StatementError("TYPE_MISMATCH", f"Cannot cast {trino_name(source)} to {trino_name(kind)}")


def _cast_number(sql: str, source: Type, kind: Type) -> str:
    target = duckdb_name(kind)
    is_floating = source.name in ("double", "real")
    if kind.name == "real" and source.name == "double":
        # Java rounds what is beyond the range of real to infinity, DuckDB refuses it.
        largest = "CAST('3.4028235677973366e38' AS DOUBLE)"
        beyond = f"CAST(CASE WHEN {sql} > 0 THEN 'infinity' ELSE '-infinity' END AS FLOAT)"
        return f"(CASE WHEN abs({sql}) >= {largest} AND NOT isnan({sql}) THEN {beyond} ELSE CAST({sql} AS FLOAT) END)"
    if kind.name in ("double", "real"):
        if source.name == "decimal" and source.args[0] > 15:
            return f"CAST(CAST({sql} AS VARCHAR) AS {target})"
        return f"CAST({sql} AS {target})"
    if is_floating and is_integer(kind):
        return f"CAST(round({sql}) AS {target})"
    if is_floating:
        if source.name == "real":
            raise Unsupported(f"cast from real to {trino_name(kind)}")
        return f"CAST(t_double_to_decimal({sql}, {kind.args[1]}) AS {target})"
    return f"CAST({sql} AS {target})"


def _cast_to_text(value: Expression, kind: Type) -> str:
    source, sql = value.type, value.sql
    limit = kind.args[0]
    if kind.name == "char":
        if source.name not in ("varchar", "char"):
            raise Unsupported(f"cast from {trino_name(source)} to char")
        return f"rtrim(left({sql}, {limit}), ' ')"
    if source.name == "char":
        padded = f"rpad({sql}, {source.args[0]}, ' ')"
        return padded if limit is None else f"left({padded}, {limit})"
    if source.name == "varchar":
        return sql if limit is None or (source.args[0] or limit + 1) <= limit else f"left({sql}, {limit})"
    text = {
        "boolean": f"CAST({sql} AS VARCHAR)",
        "decimal": _decimal_text(sql, source),
        "double": f"t_double_text_0({sql})",
        "real": f"t_real_text_0({sql})",
        "date": f"strftime({sql}, '%Y-%m-%d')",
        "timestamp": clock_text(sql, source, " "),
    }
    if is_integer(source):
        text[source.name] = f"CAST({sql} AS VARCHAR)"
    if source.name not in text:
        # The text of zoned timestamps changed between Trino versions.
        raise Unsupported(f"cast from {trino_name(source)} to varchar; use format_datetime")
    if limit is not None and source.name not in _SIZED:
        raise Unsupported(f"cast from {trino_name(source)} to {trino_name(kind)}")
    if limit is not None:
        too_long = fail("INVALID_CAST_ARGUMENT", f"value does not fit {trino_name(kind)}", VARCHAR)
        return f"(CASE WHEN length({text[source.name]}) <= {limit} THEN {text[source.name]} ELSE {too_long} END)"
    return text[source.name]


def clock_text(sql: str, kind: Type, between: str) -> str:
    """Return the text of a wall clock, with as many digits of a second as *kind* has."""
    text = f"strftime({sql}, '%Y-%m-%d{between}%H:%M:%S.%g')"
    missing = PRECISION - precision_of(kind)
    # Without any digit there is no point either.
    return f"left({text}, -{missing + (missing == PRECISION)})" if missing else text


def _decimal_text(sql: str, source: Type) -> str:
    text = f"CAST({sql} AS VARCHAR)"
    # DuckDB leaves the zero before the point out where the type has no digit for it.
    is_fraction = source.name == "decimal" and source.args[0] == source.args[1]
    return f"regexp_replace({text}, '^(-?)[.]', '\\10.')" if is_fraction else text


def _cast_text(sql: str, kind: Type) -> str:
    target = duckdb_name(kind)
    bad = fail("INVALID_CAST_ARGUMENT", f"Cannot cast a text to {trino_name(kind)}", kind)
    odd = refuse(f"the form of a text in a cast to {trino_name(kind)}", kind, sql)
    is_null = f"WHEN {sql} IS NULL THEN NULL"

    def when(pattern: str, result: str, text: str = sql) -> str:
        return f" WHEN regexp_full_match({text}, {quote(pattern)}) THEN {result}"

    if is_integer(kind):
        plain = when("[+-]?[0-9]+", f"CAST({sql} AS {target})")
        return f"(CASE {is_null}{plain}{when(_ODD_INTEGER_TEXT, odd)} ELSE {bad} END)"
    if kind.name in _NUMBER_TEXT:
        plain = when(_NUMBER_TEXT[kind.name], f"CAST({sql} AS {target})")
        return f"(CASE {is_null}{plain}{when(_ODD_NUMBER_TEXT, odd)} ELSE {bad} END)"
    if kind.name == "boolean":
        return (
            f"(CASE {is_null} WHEN lower({sql}) IN ('true', 't', '1') THEN true"
            f" WHEN lower({sql}) IN ('false', 'f', '0') THEN false ELSE {bad} END)"
        )
    if kind.name == "date":
        text = f"trim({sql})"
        plain = when("[0-9]{4}-[0-9]{2}-[0-9]{2}", f"CAST({text} AS DATE)", text)
        return f"(CASE {is_null}{plain}{when('[+-]?[0-9]+-[0-9]+-[0-9]+', odd, text)} ELSE {bad} END)"
    if kind == TIMESTAMP:
        plain = when(_TIMESTAMP_TEXT, f"CAST({sql} AS TIMESTAMP)")
        return f"(CASE {is_null}{plain}{when('[+-]?[0-9]+-[0-9]+-[0-9]+ *[0-9:. ]*', odd)} ELSE {bad} END)"
    raise Unsupported(f"cast from varchar to {trino_name(kind)}")


def _cast_nested(sql: str, source: Type, kind: Type) -> str:
    if duckdb_name(source) == duckdb_name(kind):
        return sql
    if kind.name == "array":
        element = cast(Expression("e", source.args[0]), kind.args[0])
        return f"list_transform({sql}, lambda e: {element.sql})"
    if kind.name == "row" and len(source.args) == len(kind.args):
        fields = (
            f"f{index} := {cast(Expression(f'({sql}).f{index}', old), new).sql}"
            for index, ((_, old), (_, new)) in enumerate(zip(source.args, kind.args, strict=True))
        )
        return f"(CASE WHEN {sql} IS NULL THEN NULL ELSE struct_pack({', '.join(fields)}) END)"
    raise Unsupported(f"cast from {trino_name(source)} to {trino_name(kind)}")


def as_bigint(value: Expression) -> str:
    """Return *value* as DuckDB BIGINT text."""
    return coerce(value, BIGINT).sql


def as_double(value: Expression) -> str:
    """Return *value* as DuckDB DOUBLE text."""
    return coerce(value, DOUBLE).sql
