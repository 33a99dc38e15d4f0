"""Intervals: their literals, texts and arithmetic; a day-time interval is milliseconds, a year-month one months."""

from __future__ import annotations

import re

from sqlglot import exp

from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.functions.zones import to_instant, to_local, zone_of
from local_aws.athena.language.casts import coerce, fail
from local_aws.athena.language.scope import Expression
from local_aws.athena.language.trino_types import (
    BIGINT,
    DATE,
    DOUBLE,
    INTERVAL_DAY,
    INTERVAL_MONTH,
    TIME,
    TIMESTAMP,
    Type,
    is_integer,
    is_numeric,
    trino_name,
    with_zone,
)

INTERVALS = (INTERVAL_DAY, INTERVAL_MONTH)
DAY_MS = 86_400_000
_MILLISECONDS = {"day": DAY_MS, "hour": 3_600_000, "minute": 60_000, "second": 1000}
_MONTHS = {"year": 12, "month": 1}
_SECOND = r"(?P<second>\d+)(?:\.(?P<fraction>\d{1,3}))?"
# The parts after the first may be left out: https://github.com/trinodb/trino TestIntervalDayTime
_DAY_TIME = {
    ("day", "hour"): r"(?P<day>\d+)(?: (?P<hour>\d+))?",
    ("day", "minute"): r"(?P<day>\d+)(?: (?P<hour>\d+)(?::(?P<minute>\d+))?)?",
    ("day", "second"): rf"(?P<day>\d+)(?: (?P<hour>\d+)(?::(?P<minute>\d+)(?::{_SECOND})?)?)?",
    ("hour", "minute"): r"(?P<hour>\d+)(?::(?P<minute>\d+))?",
    ("hour", "second"): rf"(?P<hour>\d+)(?::(?P<minute>\d+)(?::{_SECOND})?)?",
    ("minute", "second"): rf"(?P<minute>\d+)(?::{_SECOND})?",
    ("second", None): _SECOND,
}


def literal(node: exp.Interval) -> Expression:
    """
    Return INTERVAL '…' unit [TO unit].

    Raises: StatementError for units and texts that Trino does not know; Unsupported for WEEK and finer fractions.
    """
    text, sign = node.this, 1
    if isinstance(text, exp.Neg):
        text, sign = text.this, -1
    if not isinstance(text, exp.Literal) or not text.args["is_string"]:
        raise StatementError("SYNTAX_ERROR", "INTERVAL takes a text literal")
    units = _units(node.args.get("unit"))
    words = text.this
    if words[:1] in ("-", "+"):
        words, sign = words[1:], -sign if words[0] == "-" else sign
    months = _months(words, units)
    if months is not None:
        return Expression(f"CAST({sign * months} AS INTEGER)", INTERVAL_MONTH, constant=sign * months)
    milliseconds = _milliseconds(words, units)
    if milliseconds is None and re.search(r"\.\d{4}", words):
        raise Unsupported("INTERVAL with more than three digits of a second")
    if milliseconds is None:
        raise StatementError("INVALID_LITERAL", f"Invalid INTERVAL {' TO '.join(filter(None, units)).upper()} value")
    return Expression(f"CAST({sign * milliseconds} AS BIGINT)", INTERVAL_DAY, constant=sign * milliseconds)


def _units(unit: exp.Expression | None) -> tuple[str, str | None]:
    first, last = (unit.this, unit.expression) if isinstance(unit, exp.IntervalSpan) else (unit, None)
    units = (first.name.lower() if first else "", last.name.lower() if last else None)
    if units[0] == "week":
        raise Unsupported("INTERVAL … WEEK")
    if units[0] not in (*_MILLISECONDS, *_MONTHS) or units[1] not in (None, *_MILLISECONDS, *_MONTHS):
        raise StatementError("SYNTAX_ERROR", f"INTERVAL has no unit {units[0]!r}")
    return units


def _months(text: str, units: tuple[str, str | None]) -> int | None:
    if units == ("year", "month"):
        found = re.fullmatch(r"(\d+)(?:-(\d+))?", text, re.ASCII)
        return int(found[1]) * 12 + int(found[2] or 0) if found else None
    if units[0] in _MONTHS and units[1] is None and re.fullmatch(r"\d+", text, re.ASCII):
        return int(text) * _MONTHS[units[0]]
    return None


def _milliseconds(text: str, units: tuple[str, str | None]) -> int | None:
    if units[1] is None and re.fullmatch(r"\d+", text, re.ASCII):
        return int(text) * _MILLISECONDS[units[0]] if units[0] in _MILLISECONDS else None
    found = re.fullmatch(_DAY_TIME.get(units, r"(?!)"), text, re.ASCII)
    if found is None:
        return None
    parts = found.groupdict()
    whole = sum(int(parts.get(unit) or 0) * size for unit, size in _MILLISECONDS.items())
    return whole + int(((parts.get("fraction") or "") + "000")[:3])


def text_of_interval(value: int, kind: Type) -> str:
    """Return the text of an interval: `-1 02:03:04.005`, or `1-2` for years and months."""
    sign, size = ("-", -value) if value < 0 else ("", value)
    if kind == INTERVAL_MONTH:
        return f"{sign}{size // 12}-{size % 12}"
    days, rest = divmod(size, DAY_MS)
    hours, rest = divmod(rest, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    return f"{sign}{days} {hours:02}:{minutes:02}:{rest // 1000:02}.{rest % 1000:03}"


def calculate(operator: str, left: Expression, right: Expression) -> Expression:
    """
    Return an operation of which one side is no number: times and intervals added, subtracted and scaled.

    Source: Trino's DateTimeOperators, IntervalDayTimeOperators and IntervalYearMonthOperators.
    """
    if left.type in INTERVALS and right.type in INTERVALS:
        return _two_intervals(operator, left, right)
    if left.type in INTERVALS and is_numeric(right.type) and operator in "*/":
        return _scaled(operator, left, right)
    if right.type in INTERVALS and is_numeric(left.type) and operator == "*":
        return _scaled(operator, right, left)
    if left.type in INTERVALS and operator == "+":
        return _shifted(operator, right, left)
    if right.type in INTERVALS and operator in "+-":
        return _shifted(operator, left, right)
    if operator == "-":
        return _difference(left, right)
    raise _mismatch(operator, left, right)


def _mismatch(operator: str, left: Expression, right: Expression) -> Exception:
    if "unknown" in (left.type.name, right.type.name):
        return Unsupported(f"{trino_name(left.type)} {operator} {trino_name(right.type)}")
    return StatementError(
        "TYPE_MISMATCH", f"Cannot apply operator: {trino_name(left.type)} {operator} {trino_name(right.type)}"
    )


def _two_intervals(operator: str, left: Expression, right: Expression) -> Expression:
    if left.type != right.type or operator not in "+-":
        raise _mismatch(operator, left, right)
    return Expression(f"({left.sql} {operator} {right.sql})", left.type)


def _scaled(operator: str, value: Expression, by: Expression) -> Expression:
    size = "BIGINT" if value.type == INTERVAL_DAY else "INTEGER"
    if is_integer(by.type) and operator == "*":
        return Expression(f"CAST({value.sql} * {coerce(by, BIGINT).sql} AS {size})", value.type)
    factor = coerce(by, DOUBLE).sql
    result = f"t_divide(CAST({value.sql} AS DOUBLE), {factor})" if operator == "/" else f"({value.sql} * {factor})"
    return Expression(f"CAST(trunc({result}) AS {size})", value.type)


def _shifted(operator: str, moment: Expression, by: Expression) -> Expression:
    """Return a date, time or timestamp moved by an interval; months are clamped to the last day."""
    if moment.instant:
        raise Unsupported("interval arithmetic on a timestamp whose offset is in the data; use AT TIME ZONE first")
    if moment.type == DATE and by.type == INTERVAL_DAY:
        bad = fail("INVALID_FUNCTION_ARGUMENT", "Cannot add hour, minutes or seconds to a date", DATE)
        days = f"CAST({moment.sql} {operator} CAST({by.sql} // {DAY_MS} AS INTEGER) AS DATE)"
        return Expression(f"(CASE WHEN {by.sql} % {DAY_MS} <> 0 THEN {bad} ELSE {days} END)", DATE)
    if moment.type == TIME and by.type == INTERVAL_DAY:
        return Expression(f"({moment.sql} {operator} to_milliseconds({by.sql} % {DAY_MS}))", TIME)
    if moment.type.name in ("date", "timestamp"):
        amount = "to_milliseconds" if by.type == INTERVAL_DAY else "to_months"
        kind = "DATE" if moment.type == DATE else "TIMESTAMP"
        return Expression(f"CAST({moment.sql} {operator} {amount}({by.sql}) AS {kind})", _precise(moment.type, by))
    if moment.type.name != "timestamp with time zone":
        raise _mismatch(operator, moment, by)
    if by.type == INTERVAL_DAY:
        return Expression(f"({moment.sql} {operator} to_milliseconds({by.sql}))", _precise(moment.type, by))
    moved = f"({to_local(moment)} {operator} to_months({by.sql}))"
    return Expression(to_instant(moved, zone_of(moment), moment.sql), moment.type)


def _precise(kind: Type, by: Expression) -> Type:
    """Return the type of a moment moved by an interval: one of milliseconds makes it as precise as itself."""
    if kind == DATE or by.type == INTERVAL_MONTH:
        return kind
    return TIMESTAMP if kind.name == "timestamp" else with_zone(kind.args[0])


def _difference(left: Expression, right: Expression) -> Expression:
    names = {left.type.name, right.type.name}
    if names == {"time"}:
        picks = (f"epoch_ms({side.sql})" for side in (left, right))
    elif names <= {"date", "timestamp", "timestamp with time zone"}:
        picks = (f"epoch_ms(CAST({side.instant or side.sql} AS TIMESTAMP))" for side in (left, right))
    else:
        raise _mismatch("-", left, right)
    return Expression(f"({' - '.join(picks)})", INTERVAL_DAY)


def interval_part(name: str, value: Expression) -> Expression:
    """Return year(), month(), day() … of an interval; the sign is the interval's."""
    units = {
        **dict.fromkeys(("day", "day_of_month"), f"{value.sql} // {DAY_MS}"),
        "hour": f"({value.sql} % {DAY_MS}) // 3600000",
        "minute": f"({value.sql} % 3600000) // 60000",
        "second": f"({value.sql} % 60000) // 1000",
        "millisecond": f"{value.sql} % 1000",
    }
    if value.type == INTERVAL_MONTH:
        units = {"year": f"{value.sql} // 12", "month": f"{value.sql} % 12"}
    if name not in units:
        raise StatementError("TYPE_MISMATCH", f"{name} of {trino_name(value.type)}")
    return Expression(f"CAST({units[name]} AS BIGINT)", BIGINT)
