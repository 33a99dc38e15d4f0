"""Functions of dates and times by name, and the conversions between times, texts and numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.functions import temporal, time_parsing, time_text
from local_aws.athena.functions.containers import Scalar
from local_aws.athena.functions.temporal import is_zoned, wall_clock_of
from local_aws.athena.functions.zones import check_zone, offset_zone, zone_of
from local_aws.athena.language.casts import cast, clock_text, coerce
from local_aws.athena.language.scope import Expression
from local_aws.athena.language.trino_types import (
    BIGINT,
    DATE,
    DOUBLE,
    INTERVAL_DAY,
    TIMESTAMP,
    UTC_TIMESTAMP,
    VARCHAR,
    Type,
    trino_name,
    with_zone,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime, timedelta


def _read_constant(read: Callable[..., tuple[datetime, timedelta]], arguments: list[Expression]) -> Expression | None:
    """Return a zoned time whose texts are literals: its zone is the offset that is written there."""
    texts = [value.constant for value in arguments]
    if not all(isinstance(text, str) for text in texts):
        return None
    try:
        local, offset = read(*texts)
    except StatementError:
        return None  # it fails when it is evaluated, if it is
    zone = offset_zone(int(offset.total_seconds()) // 60)
    return Expression(f"CAST('{(local - offset).isoformat(sep=' ')}' AS TIMESTAMP)", with_zone(zone))


def _from_iso8601_timestamp(arguments: list[Expression]) -> Expression:
    """
    Return from_iso8601_timestamp(text).

    The result's zone is the offset in the data. One column has one zone here, so reading it as it is requires Z or
    +00:00; AT TIME ZONE, casts after it and comparisons work with every offset.
    """
    text = coerce(arguments[0], VARCHAR).sql
    known = _read_constant(time_text.read_iso, arguments)
    return known or Expression(f"t_iso_utc({text})", UTC_TIMESTAMP, instant=f"t_iso_instant({text})")


def _parse_datetime(arguments: list[Expression]) -> Expression:
    """Return parse_datetime(text, Joda pattern); zones as in from_iso8601_timestamp."""
    texts = ", ".join(coerce(value, VARCHAR).sql for value in arguments)
    known = _read_constant(time_parsing.parse_joda, arguments)
    return known or Expression(f"t_parse_joda_utc({texts})", UTC_TIMESTAMP, instant=f"t_parse_joda_instant({texts})")


def _date_parse(arguments: list[Expression]) -> Expression:
    """Return date_parse(text, MySQL pattern)."""
    return Expression(f"t_parse_mysql({', '.join(coerce(value, VARCHAR).sql for value in arguments)})", TIMESTAMP)


def _from_iso8601_date(arguments: list[Expression]) -> Expression:
    """Return from_iso8601_date(text)."""
    return Expression(f"t_iso_date({coerce(arguments[0], VARCHAR).sql})", DATE)


def _from_unixtime(arguments: list[Expression]) -> Expression:
    """Return from_unixtime(seconds[, zone | hours, minutes]), to the millisecond, halves up as Java's Math.round."""
    milliseconds = f"({coerce(arguments[0], DOUBLE).sql} * 1000)"
    up = f"CASE WHEN {milliseconds} - floor({milliseconds}) >= 0.5 THEN 1 ELSE 0 END"
    return Expression(f"epoch_ms(CAST(floor({milliseconds}) AS BIGINT) + {up})", _unixtime_zone(arguments[1:]))


def _unixtime_zone(arguments: list[Expression]) -> Type:
    constants = [value.constant for value in arguments]
    if not constants:
        return UTC_TIMESTAMP
    if len(constants) == 1 and isinstance(constants[0], str):
        return with_zone(check_zone(constants[0]))
    if len(constants) == 2 and all(isinstance(part, int) for part in constants):
        return with_zone(offset_zone(constants[0] * 60 + constants[1]))
    raise Unsupported("from_unixtime() in a zone that is no literal")


def _to_unixtime(arguments: list[Expression]) -> Expression:
    """Return to_unixtime(timestamp) in seconds."""
    value = arguments[0]
    if value.type.name == "unknown":
        return Expression("CAST(NULL AS DOUBLE)", DOUBLE)
    if not (is_zoned(value) or value.type.name == "timestamp"):
        raise StatementError("TYPE_MISMATCH", f"to_unixtime takes a timestamp, not {trino_name(value.type)}")
    return Expression(f"(epoch_ms({value.instant or value.sql}) / 1000.0::DOUBLE)", DOUBLE)


def _formatted(function: str, arguments: list[Expression]) -> Expression:
    """Return date_format or format_datetime of the wall clock."""
    value, pattern = arguments[0], coerce(arguments[1], VARCHAR).sql
    moment = f"CAST({wall_clock_of(value, function)} AS TIMESTAMP)"
    if function == "format_datetime" and is_zoned(value):
        offset = f"t_offset_minutes({value.sql}, '{zone_of(value)}')"
        return Expression(f"t_format_zoned({moment}, {pattern}, {offset}, '{zone_of(value)}')", VARCHAR)
    return Expression(f"t_{function}({moment}, {pattern})", VARCHAR)


def _to_iso8601(arguments: list[Expression]) -> Expression:
    """Return to_iso8601 of a date, or of a timestamp to its precision, with its offset."""
    value = arguments[0]
    if value.type == DATE:
        return Expression(cast(value, VARCHAR).sql, Type("varchar", (16,)))
    if value.type.name == "unknown":
        raise Unsupported("to_iso8601() of NULL without a type")
    if value.type.name != "timestamp" and not is_zoned(value):
        raise StatementError("TYPE_MISMATCH", f"to_iso8601 takes a date or timestamp, not {trino_name(value.type)}")
    clock = clock_text(wall_clock_of(value, "to_iso8601"), value.type, "T")
    if not is_zoned(value):
        return Expression(clock, Type("varchar", (26,)))
    return Expression(
        f"({clock} || t_offset_text(t_offset_minutes({value.sql}, '{zone_of(value)}')))", Type("varchar", (32,))
    )


def _to_milliseconds(arguments: list[Expression]) -> Expression:
    """Return to_milliseconds(interval day to second)."""
    if arguments[0].type != INTERVAL_DAY:
        raise StatementError("FUNCTION_NOT_FOUND", f"to_milliseconds takes an interval, not {arguments[0].type}")
    return Expression(arguments[0].sql, BIGINT)


def _of_text(function: str, result: Type) -> Callable[[list[Expression]], Expression]:
    """Return a translation of a function of one text (or double) that is written in Python."""
    kind = DOUBLE if function == "human_readable_seconds" else VARCHAR
    return lambda arguments: Expression(f"t_{function}({coerce(arguments[0], kind).sql})", result)


def _part(name: str) -> Scalar:
    return Scalar((1, 1), lambda values: temporal.part(name, values[0]))


FUNCTIONS: dict[str, Scalar] = {
    "date": Scalar((1, 1), lambda values: cast(values[0], DATE)),
    "date_trunc": Scalar((2, 2), temporal.date_trunc),
    "date_add": Scalar((3, 3), temporal.date_add),
    "date_diff": Scalar((3, 3), temporal.date_diff),
    "date_format": Scalar((2, 2), lambda values: _formatted("date_format", values)),
    "date_parse": Scalar((2, 2), _date_parse),
    "format_datetime": Scalar((2, 2), lambda values: _formatted("format_datetime", values)),
    "parse_datetime": Scalar((2, 2), _parse_datetime),
    "from_iso8601_timestamp": Scalar((1, 1), _from_iso8601_timestamp),
    "from_iso8601_date": Scalar((1, 1), _from_iso8601_date),
    "from_unixtime": Scalar((1, 3), _from_unixtime),
    "to_unixtime": Scalar((1, 1), _to_unixtime),
    "to_iso8601": Scalar((1, 1), _to_iso8601),
    "to_milliseconds": Scalar((1, 1), _to_milliseconds),
    "parse_duration": Scalar((1, 1), _of_text("parse_duration", INTERVAL_DAY)),
    "human_readable_seconds": Scalar((1, 1), _of_text("human_readable_seconds", VARCHAR)),
    "last_day_of_month": Scalar((1, 1), temporal.last_day_of_month),
    "current_timezone": Scalar((0, 0), lambda _: Expression("'UTC'", VARCHAR)),
    "with_timezone": Scalar((2, 2), temporal.with_timezone),
    "at_timezone": Scalar((2, 2), lambda values: temporal.at_time_zone(values[0], values[1])),
    **{
        name: _part(name)
        for name in (
            "year", "quarter", "month", "week", "week_of_year", "day", "day_of_month", "day_of_week", "dow",
            "day_of_year", "doy", "year_of_week", "yow", "hour", "minute", "second", "millisecond",
            "timezone_hour", "timezone_minute",
        )
    },
}  # fmt: skip
