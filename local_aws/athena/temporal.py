"""Dates, timestamps, intervals and zones: Trino's functions written over DuckDB's plain timestamps."""

from __future__ import annotations

import re

from sqlglot import exp

from local_aws.athena.casts import cast, coerce, quote
from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.scope import Expression
from local_aws.athena.trino_types import (
    BIGINT,
    DATE,
    DOUBLE,
    INTERVAL_DAY,
    INTERVAL_MONTH,
    TIMESTAMP,
    UTC_TIMESTAMP,
    VARCHAR,
    trino_name,
    with_zone,
)
from local_aws.athena.zones import check_zone, has_fixed_offset, to_instant, to_local, zone_of

_MILLISECONDS = {"millisecond": 1, "second": 1000, "minute": 60_000, "hour": 3_600_000, "day": 86_400_000,
                 "week": 604_800_000}  # fmt: skip
_MONTHS = {"month": 1, "quarter": 3, "year": 12}
# Trino's name of a part -> DuckDB's; all are bigint.
_PARTS = {
    "year": "year", "quarter": "quarter", "month": "month", "week": "week", "week_of_year": "week", "day": "day",
    "day_of_month": "day", "day_of_week": "isodow", "dow": "isodow", "day_of_year": "doy", "doy": "doy",
    "year_of_week": "isoyear", "yow": "isoyear", "hour": "hour", "minute": "minute",
}  # fmt: skip


def _is_zoned(value: Expression) -> bool:
    return value.type.name == "timestamp with time zone"


def _moment(value: Expression, where: str) -> str:
    """Return the wall clock of a date or timestamp as DuckDB text."""
    if value.type in (DATE, TIMESTAMP):
        return value.sql
    if _is_zoned(value):
        return to_local(value)
    if value.type.name == "unknown":
        return "CAST(NULL AS TIMESTAMP)"
    raise StatementError("TYPE_MISMATCH", f"{where} takes a date or timestamp, not {trino_name(value.type)}")


def fraction_digits(text: str) -> int:
    """Return how many digits of a second a timestamp's text has."""
    return len(text.partition(".")[2])


def timestamp_literal(text: str) -> Expression:
    """
    Return TIMESTAMP '…'.

    Raises: Unsupported for zones and for more than three digits of a second.
    """
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}( \d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?)?", text, re.ASCII):
        zoned = re.fullmatch(r"(\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}(?:\.\d{1,3})?) ([A-Za-z]\S*)", text, re.ASCII)
        if zoned is None:
            raise Unsupported(f"timestamp literal of the form {re.sub(r'[0-9]', '9', text)!r}")
        zone = check_zone(zoned[2])
        return Expression(to_instant(f"CAST({quote(zoned[1])} AS TIMESTAMP)", zone), with_zone(zone))
    return Expression(f"CAST({quote(text)} AS TIMESTAMP)", TIMESTAMP)


def interval(node: exp.Expression) -> Expression:
    """Return INTERVAL '…' unit: milliseconds or months."""
    unit = node.args.get("unit")
    text = node.this.this if isinstance(node.this, exp.Literal) and node.this.args["is_string"] else None
    name = unit.name.lower() if isinstance(unit, exp.Var) else ""
    if text is None or not re.fullmatch(r"[+-]?\d+", text, re.ASCII) or name not in (*_MILLISECONDS, "month", "year"):
        raise Unsupported("INTERVAL other than one whole number of one unit")
    if name in _MONTHS:
        return Expression(
            f"CAST({int(text) * _MONTHS[name]} AS INTEGER)", INTERVAL_MONTH, constant=int(text) * _MONTHS[name]
        )
    amount = int(text) * _MILLISECONDS[name]
    return Expression(f"CAST({amount} AS BIGINT)", INTERVAL_DAY, constant=amount)


def shift(operator: str, left: Expression, right: Expression) -> Expression:
    """Return date or timestamp ± interval, or the difference of two timestamps."""
    intervals = (INTERVAL_DAY, INTERVAL_MONTH)
    if left.type in intervals and operator == "+" and right.type not in intervals:
        left, right = right, left
    if right.type not in intervals or operator not in "+-" or left.type in intervals:
        if left.type == right.type or {left.type, right.type} & set(intervals) or _is_zoned(left) or _is_zoned(right):
            raise Unsupported(f"{trino_name(left.type)} {operator} {trino_name(right.type)}")
        raise StatementError(
            "TYPE_MISMATCH", f"Cannot apply operator: {trino_name(left.type)} {operator} {trino_name(right.type)}"
        )
    if left.type == DATE and right.type == INTERVAL_DAY:
        if right.constant is None or right.constant % _MILLISECONDS["day"]:
            raise StatementError("INVALID_FUNCTION_ARGUMENT", "Cannot add hour, minutes or seconds to a date")
        return Expression(
            f"CAST({left.sql} {operator} CAST({right.constant // _MILLISECONDS['day']} AS INTEGER) AS DATE)", DATE
        )
    amount = "to_milliseconds" if right.type == INTERVAL_DAY else "to_months"
    if _is_zoned(left) and right.type == INTERVAL_MONTH:
        moved = f"({to_local(left)} {operator} to_months({right.sql}))"
        return Expression(to_instant(moved, zone_of(left)), left.type)
    if left.type != DATE and left.type != TIMESTAMP and not _is_zoned(left):
        raise StatementError("TYPE_MISMATCH", f"Cannot add an interval to {trino_name(left.type)}")
    base = left.instant or left.sql
    if left.instant:
        raise Unsupported("interval arithmetic on a timestamp whose offset is in the data; use AT TIME ZONE first")
    return Expression(
        f"CAST({base} {operator} {amount}({right.sql}) AS {(left.type == DATE and 'DATE') or 'TIMESTAMP'})", left.type
    )


def part(name: str, value: Expression) -> Expression:
    """Return EXTRACT(name FROM value), or the function of that name."""
    moment = _moment(value, name)
    if name in ("second", "millisecond"):
        if value.type == DATE:
            raise StatementError("TYPE_MISMATCH", f"{name} of a date")
        milliseconds = f"(epoch_ms({moment}) % 60000 + 60000) % 60000"
        return Expression(f"CAST(({milliseconds}) {'// 1000' if name == 'second' else '% 1000'} AS BIGINT)", BIGINT)
    if name not in _PARTS or (name in ("hour", "minute") and value.type == DATE):
        raise Unsupported(f"{name} of {trino_name(value.type)}")
    return Expression(f"CAST(date_part('{_PARTS[name]}', {moment}) AS BIGINT)", BIGINT)


def _unit(value: Expression, where: str) -> str:
    if not isinstance(value.constant, str):
        raise Unsupported(f"{where} with a unit that is no literal")
    unit = value.constant.lower()
    if unit not in _MILLISECONDS and unit not in _MONTHS:
        raise StatementError("INVALID_FUNCTION_ARGUMENT", f"'{unit}' is not a valid field for {where}")
    return unit


def date_trunc(arguments: list[Expression]) -> Expression:
    """Return date_trunc(unit, value); weeks begin on Monday."""
    unit, value = _unit(arguments[0], "date_trunc"), arguments[1]
    moment = _moment(value, "date_trunc")
    if value.type == DATE and unit in ("millisecond", "second", "minute", "hour"):
        raise StatementError("INVALID_FUNCTION_ARGUMENT", f"'{unit}' is not a valid DATE field")
    truncated = f"CAST(date_trunc('{unit}', {moment}) AS {'DATE' if value.type == DATE else 'TIMESTAMP'})"
    if _is_zoned(value):
        return Expression(to_instant(truncated, zone_of(value)), value.type)
    return Expression(truncated, value.type)


def date_add(arguments: list[Expression]) -> Expression:
    """Return date_add(unit, number, value); months are clamped to the last day."""
    unit, number, value = _unit(arguments[0], "date_add"), coerce(arguments[1], BIGINT), arguments[2]
    moment = _moment(value, "date_add")
    if value.type == DATE and unit in ("millisecond", "second", "minute", "hour"):
        raise StatementError("INVALID_FUNCTION_ARGUMENT", f"'{unit}' is not a valid DATE field")
    if unit in _MONTHS:
        amount = f"to_months(CAST({number.sql} * {_MONTHS[unit]} AS INTEGER))"
    else:
        amount = f"to_milliseconds({number.sql} * {_MILLISECONDS[unit]})"
    moved = f"CAST({moment} + {amount} AS {'DATE' if value.type == DATE else 'TIMESTAMP'})"
    if _is_zoned(value):
        return Expression(to_instant(moved, zone_of(value)), value.type)
    return Expression(moved, value.type)


def date_diff(arguments: list[Expression]) -> Expression:
    """Return date_diff(unit, a, b): whole units from a to b, cut towards zero."""
    unit, first, second = _unit(arguments[0], "date_diff"), arguments[1], arguments[2]
    kinds = {first.type.name, second.type.name}
    if len(kinds) == 2 and "timestamp with time zone" in kinds:
        raise Unsupported("date_diff of a timestamp with time zone and one without")
    if kinds == {"date"} and unit in ("millisecond", "second", "minute", "hour"):
        raise StatementError("INVALID_FUNCTION_ARGUMENT", f"'{unit}' is not a valid DATE field")
    is_calendar = kinds == {"timestamp with time zone"} and unit not in ("millisecond", "second", "minute", "hour")
    if is_calendar and (first.type != second.type or not has_fixed_offset(zone_of(first))):
        raise Unsupported(f"date_diff('{unit}') across zones, or in a zone with summer time")
    a, b = (f"CAST({_moment(value, 'date_diff')} AS TIMESTAMP)" for value in (first, second))
    if kinds == {"timestamp with time zone"} and first.type != second.type:
        a, b = first.sql, second.sql
    if unit in _MONTHS:
        return Expression(f"(date_sub('month', {a}, {b}) // {_MONTHS[unit]})", BIGINT)
    return Expression(f"((epoch_ms({b}) - epoch_ms({a})) // {_MILLISECONDS[unit]})", BIGINT)


def at_time_zone(value: Expression, zone: Expression) -> Expression:
    """Return the same instant shown in another zone; a timestamp without one counts as UTC."""
    if not isinstance(zone.constant, str):
        raise Unsupported("AT TIME ZONE with a zone that is no literal")
    if value.type == TIMESTAMP or _is_zoned(value):
        return Expression(value.instant or value.sql, with_zone(check_zone(zone.constant)))
    raise StatementError("TYPE_MISMATCH", f"AT TIME ZONE takes a timestamp, not {trino_name(value.type)}")


def from_iso8601_timestamp(arguments: list[Expression]) -> Expression:
    """
    Return from_iso8601_timestamp(text).

    The result's zone is the offset in the data. One column has one zone here, so reading it as it is requires Z or
    +00:00; AT TIME ZONE, casts after it and comparisons work with every offset.
    """
    text = coerce(arguments[0], VARCHAR).sql
    return Expression(f"t_iso_utc({text})", UTC_TIMESTAMP, instant=f"t_iso_instant({text})")


def from_iso8601_date(arguments: list[Expression]) -> Expression:
    """Return from_iso8601_date(text)."""
    return Expression(f"t_iso_date({coerce(arguments[0], VARCHAR).sql})", DATE)


def from_unixtime(arguments: list[Expression]) -> Expression:
    """Return from_unixtime(seconds), to the millisecond."""
    seconds = coerce(arguments[0], DOUBLE).sql
    return Expression(f"epoch_ms(CAST(round({seconds} * 1000) AS BIGINT))", UTC_TIMESTAMP)


def to_unixtime(arguments: list[Expression]) -> Expression:
    """Return to_unixtime(timestamp) in seconds."""
    value = arguments[0]
    if not (_is_zoned(value) or value.type == TIMESTAMP):
        raise StatementError("TYPE_MISMATCH", f"to_unixtime takes a timestamp, not {trino_name(value.type)}")
    return Expression(f"(epoch_ms({value.instant or value.sql}) / 1000.0::DOUBLE)", DOUBLE)


def formatted(function: str, arguments: list[Expression]) -> Expression:
    """Return date_format or format_datetime of the wall clock."""
    moment = f"CAST({_moment(arguments[0], function)} AS TIMESTAMP)"
    return Expression(f"t_{function}({moment}, {coerce(arguments[1], VARCHAR).sql})", VARCHAR)


def to_iso8601(arguments: list[Expression]) -> Expression:
    """Return to_iso8601 of a date or of a timestamp in UTC."""
    value = arguments[0]
    if value.type == DATE:
        return cast(value, VARCHAR)
    if _is_zoned(value) and zone_of(value) != "UTC":
        raise Unsupported(f"to_iso8601 in {zone_of(value)}")
    if value.type != TIMESTAMP and not _is_zoned(value):
        raise StatementError("TYPE_MISMATCH", f"to_iso8601 takes a date or timestamp, not {trino_name(value.type)}")
    suffix = "Z" if _is_zoned(value) else ""
    return Expression(f"(strftime({value.sql}, '%Y-%m-%dT%H:%M:%S.%g') || '{suffix}')", VARCHAR)
