"""Texts of times: ISO 8601 in, MySQL patterns (date_format) and Joda patterns (format_datetime) out."""

from __future__ import annotations

import math
import re
from datetime import date, datetime, time, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING

from local_aws.athena.failures import StatementError, Unsupported

if TYPE_CHECKING:
    from collections.abc import Callable

# A calendar date, a date by its week or by its day in the year; what is left out is the first one.
_ISO_DATE = (
    r"(?P<year>\d{4})"
    r"(?:-(?P<month>\d{2})(?:-(?P<day>\d{2}))?|-W(?P<week>\d{2})(?:-(?P<weekday>\d))?|-(?P<days>\d{3}))?"
)
_ISO_TIME = r"(?P<hour>\d{2})(?::(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d+))?)?)?"
_ISO = re.compile(rf"{_ISO_DATE}(?:T(?:{_ISO_TIME})?(?P<offset>Z|[+-]\d{{2}}(?::?\d{{2}})?)?)?", re.ASCII)
# Trino's parser takes more than these forms, such as one digit of a month or a time alone.
_PERHAPS_ISO = re.compile(r"[0-9TWZ:.,+-]*[0-9][0-9TWZ:.,+-]*", re.ASCII | re.IGNORECASE)
_ISO_DAY = re.compile(_ISO_DATE, re.ASCII)
_LARGEST_OFFSET = timedelta(hours=14)
MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
           "December")  # fmt: skip
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def _read_iso(pattern: re.Pattern[str], text: str) -> tuple[datetime, timedelta]:
    """Return the wall clock and the offset of a text."""
    found = pattern.fullmatch(text)
    if (found is None and _PERHAPS_ISO.fullmatch(text)) or (found and found["year"] == "0000"):
        raise Unsupported("an ISO 8601 text of this form")
    if found is None:
        raise StatementError("INVALID_FUNCTION_ARGUMENT", "a text is no ISO 8601 date or timestamp")
    parts = found.groupdict()
    try:
        clock = time(*(int(parts.get(name) or 0) for name in ("hour", "minute", "second")))
        local = datetime.combine(_iso_day(parts), clock)
    except ValueError as problem:
        raise StatementError("INVALID_FUNCTION_ARGUMENT", "a text is no ISO 8601 date or timestamp") from problem
    milliseconds = int(((parts.get("fraction") or "") + "000")[:3])
    return local + timedelta(milliseconds=milliseconds), _iso_offset(parts.get("offset") or "Z")


def _iso_day(parts: dict[str, str | None]) -> date:
    year, month, day, week, weekday, days = (
        int(parts[name] or 1) for name in ("year", "month", "day", "week", "weekday", "days")
    )
    if parts["week"]:
        return date.fromisocalendar(year, week, weekday)
    if parts["days"]:
        found = date(year, 1, 1) + timedelta(days=days - 1)
        if found.year != year:
            raise ValueError("a year has no such day")
        return found
    return date(year, month, day)


def _iso_offset(text: str) -> timedelta:
    if text == "Z":
        return timedelta()
    digits = text[1:].replace(":", "").ljust(4, "0")
    size = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    if size > _LARGEST_OFFSET or int(digits[2:]) > 59:
        raise Unsupported("an ISO 8601 text with this offset")
    return size if text[0] == "+" else -size


def read_iso(text: str) -> tuple[datetime, timedelta]:
    """Return the wall clock, to the millisecond, and the offset of an ISO 8601 text; no offset means UTC."""
    return _read_iso(_ISO, text)


def iso_date(text: str) -> date:
    """Return the day of an ISO 8601 date without a time."""
    return _read_iso(_ISO_DAY, text)[0].date()


def iso_instant(text: str) -> datetime:
    """Return the instant of an ISO 8601 text as a UTC wall clock, to the millisecond; no offset means UTC."""
    local, offset = read_iso(text)
    return local - offset


def iso_utc(text: str) -> datetime:
    """
    Return the instant of an ISO 8601 text written in UTC.

    Raises: Unsupported for another offset, which Athena would keep as the value's zone.
    """
    local, offset = read_iso(text)
    if offset:
        raise Unsupported("from_iso8601_timestamp() of a text with an offset, without AT TIME ZONE after it")
    return local


def _hour12(moment: datetime) -> int:
    return moment.hour % 12 or 12


_MYSQL: dict[str, Callable[[datetime], str]] = {
    "a": lambda m: DAYS[m.weekday()][:3],
    "b": lambda m: MONTHS[m.month - 1][:3],
    "c": lambda m: str(m.month),
    "d": lambda m: f"{m.day:02}",
    "e": lambda m: str(m.day),
    "f": lambda m: f"{m.microsecond:06}",
    "H": lambda m: f"{m.hour:02}",
    "h": lambda m: f"{_hour12(m):02}",
    "I": lambda m: f"{_hour12(m):02}",
    "i": lambda m: f"{m.minute:02}",
    "j": lambda m: f"{m.timetuple().tm_yday:03}",
    "k": lambda m: str(m.hour),
    "l": lambda m: str(_hour12(m)),
    "M": lambda m: MONTHS[m.month - 1],
    "m": lambda m: f"{m.month:02}",
    "p": lambda m: "AM" if m.hour < 12 else "PM",
    "r": lambda m: f"{_hour12(m):02}:{m:%M:%S} {'AM' if m.hour < 12 else 'PM'}",
    "S": lambda m: f"{m.second:02}",
    "s": lambda m: f"{m.second:02}",
    "T": lambda m: f"{m:%H:%M:%S}",
    "v": lambda m: f"{m.isocalendar().week:02}",
    "W": lambda m: DAYS[m.weekday()],
    "x": lambda m: f"{m.isocalendar().year:04}",
    "Y": lambda m: f"{m.year:04}",
    "y": lambda m: f"{m.year % 100:02}",
    "%": lambda _: "%",
}


def date_format(moment: datetime, pattern: str) -> str:
    """
    Return *moment* by a MySQL pattern.

    Raises: StatementError for the letters Trino refuses (%D %U %u %V %w %X).
    """

    def one(found: re.Match[str]) -> str:
        letter = found[1]
        if letter in _MYSQL:
            return _MYSQL[letter](moment)
        if letter in "DUuVwX":
            raise StatementError("INVALID_FUNCTION_ARGUMENT", f"%{letter} not supported in date format string")
        if not letter:
            raise Unsupported("date_format() with % at the end")
        return letter

    return re.sub(r"%(.?)", one, pattern, flags=re.DOTALL)


_JODA: dict[str, Callable[[datetime], str]] = {
    "yyyy": lambda m: f"{m.year:04}",
    "YYYY": lambda m: f"{m.year:04}",
    "yy": lambda m: f"{m.year % 100:02}",
    "xxxx": lambda m: f"{m.isocalendar().year:04}",
    "ww": lambda m: f"{m.isocalendar().week:02}",
    "w": lambda m: str(m.isocalendar().week),
    "e": lambda m: str(m.isoweekday()),
    "MMMM": lambda m: MONTHS[m.month - 1],
    "MMM": lambda m: MONTHS[m.month - 1][:3],
    "MM": lambda m: f"{m.month:02}",
    "M": lambda m: str(m.month),
    "dd": lambda m: f"{m.day:02}",
    "d": lambda m: str(m.day),
    "EEEE": lambda m: DAYS[m.weekday()],
    "EEE": lambda m: DAYS[m.weekday()][:3],
    "E": lambda m: DAYS[m.weekday()][:3],
    "D": lambda m: str(m.timetuple().tm_yday),
    "DDD": lambda m: f"{m.timetuple().tm_yday:03}",
    "HH": lambda m: f"{m.hour:02}",
    "H": lambda m: str(m.hour),
    "hh": lambda m: f"{_hour12(m):02}",
    "h": lambda m: str(_hour12(m)),
    "mm": lambda m: f"{m.minute:02}",
    "m": lambda m: str(m.minute),
    "ss": lambda m: f"{m.second:02}",
    "s": lambda m: str(m.second),
    "S": lambda m: f"{m.microsecond // 100_000}",
    "SSS": lambda m: f"{m.microsecond // 1000:03}",
    "SSSSSS": lambda m: f"{m.microsecond // 1000:03}000",
    "a": lambda m: "AM" if m.hour < 12 else "PM",
}


def offset_text(minutes: int) -> str:
    """Return an offset from UTC as ISO 8601 writes it: Z, or +09:00."""
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}" if minutes else "Z"


def format_zoned(moment: datetime, pattern: str, minutes: int, zone: str) -> str:
    """Return the wall clock *moment* of *zone*, *minutes* from UTC, by a Joda pattern."""
    colon = offset_text(minutes).replace("Z", "+00:00")
    return _format(moment, pattern, {"Z": colon.replace(":", ""), "ZZ": colon, "ZZZ": zone, "ZZZZ": zone})


def format_datetime(moment: datetime, pattern: str) -> str:
    """
    Return *moment* by a Joda pattern.

    Raises: StatementError for a zone, which a timestamp without one lacks; Unsupported for letters not checked.
    """
    return _format(moment, pattern, {})


def _format(moment: datetime, pattern: str, zones: dict[str, str]) -> str:
    result: list[str] = []
    for found in re.finditer(r"''|'((?:[^']|'')*)'|(([A-Za-z])\3*)|([^A-Za-z']+)|(')", pattern):
        quoted, letters, _, other, stray = found.groups()
        if letters is not None:
            if letters[0] in "zZ" and not zones:
                raise StatementError("INVALID_FUNCTION_ARGUMENT", "a timestamp without time zone has no zone to format")
            if letters not in _JODA and letters not in zones:
                raise Unsupported(f"format_datetime() with {letters!r}")
            result.append(zones[letters] if letters in zones else _JODA[letters](moment))
        elif stray is not None:
            raise Unsupported("format_datetime() with an open quote")
        else:
            result.append("'" if found[0] == "''" else (other if other is not None else quoted.replace("''", "'")))
    return "".join(result)


_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]+)\s*", re.ASCII)
_DURATION_MS = {"ns": 1e-6, "us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4, "h": 3.6e6, "d": 8.64e7}


def parse_duration(text: str) -> int:
    """
    Return the milliseconds of a duration such as `3.81 d`, halves up.

    Source: airlift's Duration.valueOf and toMillis, which Trino's parse_duration calls.
    """
    found = _DURATION.fullmatch(text)
    if found is None or found[2] not in _DURATION_MS:
        raise StatementError("INVALID_FUNCTION_ARGUMENT", "a text is no duration: a number and one of ns us ms s m h d")
    exact = Fraction(found[1]) * Fraction(_DURATION_MS[found[2]]).limit_denominator(10**6)
    if exact.denominator == 2:
        raise Unsupported("parse_duration() of a text just at the middle between two milliseconds")
    return math.floor(exact + Fraction(1, 2))


def human_readable_seconds(seconds: float) -> str:
    """
    Return seconds in words, without units that are zero: `1 minute, 36 seconds`.

    Source: https://trino.io/docs/current/functions/datetime.html#human_readable_seconds
    """
    if seconds != int(seconds) or seconds <= 0:
        raise Unsupported("human_readable_seconds() of anything but a whole number above 0")
    parts: list[str] = []
    rest = int(seconds)
    for word, size in (("week", 604_800), ("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count} {word}{'' if count == 1 else 's'}")
    return ", ".join(parts)


HELPERS = (
    ("t_python_iso_instant", iso_instant, ["VARCHAR"], "TIMESTAMP"),
    ("t_iso_date", iso_date, ["VARCHAR"], "DATE"),
    ("t_iso_utc", iso_utc, ["VARCHAR"], "TIMESTAMP"),
    ("t_date_format", date_format, ["TIMESTAMP", "VARCHAR"], "VARCHAR"),
    ("t_format_datetime", format_datetime, ["TIMESTAMP", "VARCHAR"], "VARCHAR"),
    ("t_format_zoned", format_zoned, ["TIMESTAMP", "VARCHAR", "BIGINT", "VARCHAR"], "VARCHAR"),
    ("t_offset_text", offset_text, ["BIGINT"], "VARCHAR"),
    ("t_parse_duration", parse_duration, ["VARCHAR"], "BIGINT"),
    ("t_human_readable_seconds", human_readable_seconds, ["DOUBLE"], "VARCHAR"),
)
