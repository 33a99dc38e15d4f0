"""Dates, times, timestamps and zones: Trino's functions written over DuckDB's plain timestamps."""

from __future__ import annotations

import re

from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.functions.intervals import INTERVALS, interval_part
from local_aws.athena.functions.zones import check_zone, to_instant, to_local, zone_of
from local_aws.athena.language.casts import coerce, fail, quote
from local_aws.athena.language.scope import Expression
from local_aws.athena.language.trino_types import (
    BIGINT,
    DATE,
    PRECISION,
    TIME,
    precision_of,
    timestamp,
    trino_name,
    with_zone,
)

_MILLISECONDS = {"millisecond": 1, "second": 1000, "minute": 60_000, "hour": 3_600_000, "day": 86_400_000,
                 "week": 604_800_000}  # fmt: skip
_MONTHS = {"month": 1, "quarter": 3, "year": 12}
# Trino's name of a part -> DuckDB's; all are bigint.
_PARTS = {
    "year": "year", "quarter": "quarter", "month": "month", "week": "week", "week_of_year": "week", "day": "day",
    "day_of_month": "day", "day_of_week": "isodow", "dow": "isodow", "day_of_year": "doy", "doy": "doy",
    "year_of_week": "isoyear", "yow": "isoyear", "hour": "hour", "minute": "minute",
}  # fmt: skip
_TIME_PARTS = {"hour": 3_600_000, "minute": 60_000, "second": 1000, "millisecond": 1}
_NO_FIELDS = ("millisecond", "week_of_year")  # functions only: EXTRACT does not know them


def is_zoned(value: Expression) -> bool:
    """Tell whether *value* is a timestamp with time zone."""
    return value.type.name == "timestamp with time zone"


def wall_clock_of(value: Expression, where: str) -> str:
    """Return the wall clock of a date or timestamp as DuckDB text."""
    if value.type.name in ("date", "timestamp"):
        return value.sql
    if is_zoned(value):
        return to_local(value)
    if value.type.name == "unknown":
        return "CAST(NULL AS TIMESTAMP)"
    raise StatementError("TYPE_MISMATCH", f"{where} takes a date or timestamp, not {trino_name(value.type)}")


def fraction_digits(text: str) -> int:
    """Return how many digits of a second a timestamp's text has."""
    return len(text.partition(".")[2])


def timestamp_literal(text: str) -> Expression:
    """
    Return TIMESTAMP '…', with as many digits of a second as are written.

    Raises: Unsupported for zones and for more than three digits of a second.
    """
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}( \d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?)?", text, re.ASCII):
        zoned = re.fullmatch(
            r"(\d{4}-\d{2}-\d{2} \d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?) ?([A-Za-z]\S*|[+-]\d\d:\d\d)", text, re.ASCII
        )
        if zoned is None:
            raise Unsupported(f"timestamp literal of the form {re.sub(r'[0-9]', '9', text)!r}")
        zone = check_zone(zoned[2])
        kind = with_zone(zone, fraction_digits(zoned[1]))
        return Expression(to_instant(f"CAST({quote(zoned[1])} AS TIMESTAMP)", zone), kind)
    return Expression(f"CAST({quote(text)} AS TIMESTAMP)", timestamp(fraction_digits(text)))


def time_literal(text: str) -> Expression:
    """Return TIME '…'; a text that is no time of day fails the query when it is evaluated."""
    if re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,3})?)?", text, re.ASCII):
        return Expression(f"CAST({quote(text if len(text) > 5 else text + ':00')} AS TIME)", TIME)
    if re.fullmatch(r"\d+:\d+(:\d+(\.\d+)?)? ?([+-]\d+:\d+)?", text, re.ASCII) and not re.match(r"\d\d:\d\d", text):
        raise Unsupported("a time of this form")
    if re.search(r"\.\d{4,}|[+-]", text):
        raise Unsupported("a time with a zone or with more than three digits of a second")
    return Expression(fail("INVALID_CAST_ARGUMENT", "a text is no time of day", TIME), TIME)


def cast_to_time(value: Expression) -> Expression:
    """Return the time of day of a timestamp's wall clock."""
    if value.type.name not in ("timestamp", "timestamp with time zone", "unknown"):
        raise Unsupported(f"cast from {trino_name(value.type)} to time(3)")
    return Expression(f"CAST({wall_clock_of(value, 'time')} AS TIME)", TIME)


def extract(name: str, value: Expression) -> Expression:
    """Return EXTRACT(name FROM value)."""
    if name in _NO_FIELDS or name not in (*_PARTS, *_TIME_PARTS, "timezone_hour", "timezone_minute"):
        raise StatementError("SYNTAX_ERROR", f"Invalid EXTRACT field: {name}")
    if (name in _TIME_PARTS and value.type == DATE) or (name == "day_of_month" and value.type in INTERVALS):
        raise StatementError("TYPE_MISMATCH", f"Cannot extract {name} from {trino_name(value.type)}")
    return part(name, value)


def part(name: str, value: Expression) -> Expression:
    """Return the function of that name: a field of a date, time, timestamp or interval."""
    if value.type in INTERVALS:
        return interval_part(name, value)
    if name in ("timezone_hour", "timezone_minute"):
        return _zone_part(name, value)
    if name in _TIME_PARTS and value.type != DATE:
        moment = value.sql if value.type == TIME else wall_clock_of(value, name)
        rest = {"hour": 86_400_000, "minute": 3_600_000, "second": 60_000, "millisecond": 1000}[name]
        within = f"(epoch_ms({moment}) % {rest} + {rest}) % {rest}"
        return Expression(f"CAST(({within}) // {_TIME_PARTS[name]} AS BIGINT)", BIGINT)
    moment = wall_clock_of(value, name)
    if name not in _PARTS or name in _TIME_PARTS:
        raise Unsupported(f"{name} of {trino_name(value.type)}")
    return Expression(f"CAST(date_part('{_PARTS[name]}', {moment}) AS BIGINT)", BIGINT)


def _zone_part(name: str, value: Expression) -> Expression:
    if not is_zoned(value):
        raise StatementError("TYPE_MISMATCH", f"{name} of {trino_name(value.type)}")
    minutes = f"t_offset_minutes({value.sql}, '{zone_of(value)}')"
    return Expression(f"CAST({minutes} {'// 60' if name == 'timezone_hour' else '% 60'} AS BIGINT)", BIGINT)


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
    if value.type == TIME:
        _time_unit(unit)
        floor = f"epoch_ms({value.sql}) // {_MILLISECONDS[unit]} * {_MILLISECONDS[unit]}"
        return Expression(f"CAST(epoch_ms({floor}) AS TIME)", TIME)
    moment = wall_clock_of(value, "date_trunc")
    if value.type == DATE and unit in ("millisecond", "second", "minute", "hour"):
        raise StatementError("INVALID_FUNCTION_ARGUMENT", f"'{unit}' is not a valid DATE field")
    truncated = f"CAST(date_trunc('{unit}', {moment}) AS {'DATE' if value.type == DATE else 'TIMESTAMP'})"
    if is_zoned(value) and unit in _TIME_PARTS:
        return Expression(f"({value.sql} - ({moment} - {truncated}))", value.type)
    if is_zoned(value):
        return Expression(to_instant(truncated, zone_of(value), value.sql), value.type)
    return Expression(truncated, value.type)


def _time_unit(unit: str) -> None:
    if unit not in _TIME_PARTS:
        raise StatementError("INVALID_FUNCTION_ARGUMENT", f"'{unit}' is not a valid Time field")


def date_add(arguments: list[Expression]) -> Expression:
    """Return date_add(unit, number, value); months are clamped to the last day."""
    unit, number, value = _unit(arguments[0], "date_add"), coerce(arguments[1], BIGINT), arguments[2]
    if value.type == TIME:
        _time_unit(unit)
        amount = f"to_milliseconds({number.sql} % {86_400_000 // _MILLISECONDS[unit]} * {_MILLISECONDS[unit]})"
        return Expression(f"({value.sql} + {amount})", TIME)
    moment = wall_clock_of(value, "date_add")
    if value.type == DATE and unit in ("millisecond", "second", "minute", "hour"):
        raise StatementError("INVALID_FUNCTION_ARGUMENT", f"'{unit}' is not a valid DATE field")
    if unit in _MONTHS:
        amount = f"to_months(CAST({number.sql} * {_MONTHS[unit]} AS INTEGER))"
    else:
        amount = f"to_milliseconds({number.sql} * {_MILLISECONDS[unit]})"
    if unit == "millisecond" and value.type != DATE and precision_of(value.type) < PRECISION:
        raise Unsupported(f"date_add of milliseconds to {trino_name(value.type)}")
    if is_zoned(value) and unit in _TIME_PARTS:
        return Expression(f"({value.sql} + {amount})", value.type)
    moved = f"CAST({moment} + {amount} AS {'DATE' if value.type == DATE else 'TIMESTAMP'})"
    if is_zoned(value):
        return Expression(to_instant(moved, zone_of(value), value.sql), value.type)
    return Expression(moved, value.type)


def date_diff(arguments: list[Expression]) -> Expression:
    """
    Return date_diff(unit, a, b): whole units from a to b, cut towards zero.

    Days and longer units of zoned timestamps are counted on the wall clock of the first one's zone.
    """
    unit, first, second = _unit(arguments[0], "date_diff"), arguments[1], arguments[2]
    kinds = {first.type.name, second.type.name}
    if kinds == {"time"}:
        _time_unit(unit)
        return Expression(f"((epoch_ms({second.sql}) - epoch_ms({first.sql})) // {_MILLISECONDS[unit]})", BIGINT)
    if len(kinds) == 2 and "timestamp with time zone" in kinds:
        raise Unsupported("date_diff of a timestamp with time zone and one without")
    if kinds == {"date"} and unit in _TIME_PARTS:
        raise StatementError("INVALID_FUNCTION_ARGUMENT", f"'{unit}' is not a valid DATE field")
    if kinds == {"timestamp with time zone"} and unit in _TIME_PARTS:
        a, b = (value.instant or value.sql for value in (first, second))
    elif kinds == {"timestamp with time zone"}:
        a, b = to_local(first), to_local(Expression(second.instant or second.sql, first.type))
    else:
        a, b = (f"CAST({wall_clock_of(value, 'date_diff')} AS TIMESTAMP)" for value in (first, second))
    if unit in _MONTHS:
        return Expression(f"(date_sub('month', {a}, {b}) // {_MONTHS[unit]})", BIGINT)
    return Expression(f"((epoch_ms({b}) - epoch_ms({a})) // {_MILLISECONDS[unit]})", BIGINT)


def last_day_of_month(arguments: list[Expression]) -> Expression:
    """Return the last day of the month of a date or wall clock."""
    return Expression(f"last_day({wall_clock_of(arguments[0], 'last_day_of_month')})", DATE)


def with_timezone(arguments: list[Expression]) -> Expression:
    """Return with_timezone(timestamp, zone): the instant at which that zone shows the timestamp."""
    value, zone = arguments
    if value.type.name not in ("timestamp", "date"):
        raise StatementError("TYPE_MISMATCH", f"with_timezone takes a timestamp, not {trino_name(value.type)}")
    if not isinstance(zone.constant, str):
        raise Unsupported("with_timezone() with a zone that is no literal")
    name = check_zone(zone.constant)
    precision = PRECISION if value.type == DATE else precision_of(value.type)
    return Expression(to_instant(f"CAST({value.sql} AS TIMESTAMP)", name), with_zone(name, precision))


def at_time_zone(value: Expression, zone: Expression) -> Expression:
    """Return the same instant shown in another zone; a timestamp without one counts as UTC."""
    if not isinstance(zone.constant, str):
        raise Unsupported("AT TIME ZONE with a zone that is no literal")
    if value.type == DATE:
        raise Unsupported("a date at a time zone")
    if value.type.name == "timestamp" or is_zoned(value):
        kind = with_zone(check_zone(zone.constant), precision_of(value.type))
        return Expression(value.instant or value.sql, kind)
    raise StatementError("TYPE_MISMATCH", f"AT TIME ZONE takes a timestamp, not {trino_name(value.type)}")
