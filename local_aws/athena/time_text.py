"""Texts of times: ISO 8601 in, MySQL patterns (date_format) and Joda patterns (format_datetime) out."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from local_aws.athena.failures import StatementError, Unsupported

if TYPE_CHECKING:
    from collections.abc import Callable

_ISO = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})(?:T(?:(\d{2})(?::(\d{2})(?::(\d{2})(?:[.,](\d+))?)?)?)?(Z|[+-]\d{2}(?::?\d{2})?)?)?",
    re.ASCII,
)
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
           "December")  # fmt: skip
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def _parse_iso(text: str) -> tuple[datetime, timedelta]:
    found = _ISO.fullmatch(text)
    if found is None:
        raise StatementError("INVALID_FUNCTION_ARGUMENT", "a text is no ISO 8601 timestamp")
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    milliseconds = int(((found[7] or "") + "000")[:3])
    try:
        local = datetime(year, month, day, hour, minute, second, milliseconds * 1000)  # noqa: DTZ001 - a wall clock
    except ValueError as problem:
        raise StatementError("INVALID_FUNCTION_ARGUMENT", "a text is no ISO 8601 timestamp") from problem
    offset = found[8] or "Z"
    if offset == "Z":
        return local, timedelta()
    digits = offset[1:].replace(":", "").ljust(4, "0")
    size = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return local, size if offset[0] == "+" else -size


def iso_instant(text: str) -> datetime:
    """Return the instant of an ISO 8601 text as a UTC wall clock, to the millisecond; no offset means UTC."""
    local, offset = _parse_iso(text)
    return local - offset


def iso_utc(text: str) -> datetime:
    """
    Return the instant of an ISO 8601 text written in UTC.

    Raises: Unsupported for another offset, which Athena would keep as the value's zone.
    """
    local, offset = _parse_iso(text)
    if offset:
        raise Unsupported("from_iso8601_timestamp() of a text with an offset, without AT TIME ZONE after it")
    return local


def _hour12(moment: datetime) -> int:
    return moment.hour % 12 or 12


_MYSQL: dict[str, Callable[[datetime], str]] = {
    "a": lambda m: _DAYS[m.weekday()][:3],
    "b": lambda m: _MONTHS[m.month - 1][:3],
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
    "M": lambda m: _MONTHS[m.month - 1],
    "m": lambda m: f"{m.month:02}",
    "p": lambda m: "AM" if m.hour < 12 else "PM",
    "S": lambda m: f"{m.second:02}",
    "s": lambda m: f"{m.second:02}",
    "T": lambda m: f"{m:%H:%M:%S}",
    "v": lambda m: f"{m.isocalendar().week:02}",
    "W": lambda m: _DAYS[m.weekday()],
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
        if letter in ("x", "r", ""):
            raise Unsupported(f"date_format() with %{letter}")
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
    "MMMM": lambda m: _MONTHS[m.month - 1],
    "MMM": lambda m: _MONTHS[m.month - 1][:3],
    "MM": lambda m: f"{m.month:02}",
    "M": lambda m: str(m.month),
    "dd": lambda m: f"{m.day:02}",
    "d": lambda m: str(m.day),
    "EEEE": lambda m: _DAYS[m.weekday()],
    "EEE": lambda m: _DAYS[m.weekday()][:3],
    "E": lambda m: _DAYS[m.weekday()][:3],
    "HH": lambda m: f"{m.hour:02}",
    "H": lambda m: str(m.hour),
    "hh": lambda m: f"{_hour12(m):02}",
    "h": lambda m: str(_hour12(m)),
    "mm": lambda m: f"{m.minute:02}",
    "m": lambda m: str(m.minute),
    "ss": lambda m: f"{m.second:02}",
    "s": lambda m: str(m.second),
    "SSS": lambda m: f"{m.microsecond // 1000:03}",
    "a": lambda m: "AM" if m.hour < 12 else "PM",
}


def format_datetime(moment: datetime, pattern: str) -> str:
    """
    Return *moment* by a Joda pattern.

    Raises: Unsupported for letters or widths that were not checked, such as zones.
    """
    result: list[str] = []
    for found in re.finditer(r"''|'((?:[^']|'')*)'|(([A-Za-z])\3*)|([^A-Za-z']+)|(')", pattern):
        quoted, letters, _, other, stray = found.groups()
        if letters is not None:
            if letters not in _JODA:
                raise Unsupported(f"format_datetime() with {letters!r}")
            result.append(_JODA[letters](moment))
        elif stray is not None:
            raise Unsupported("format_datetime() with an open quote")
        else:
            result.append("'" if found[0] == "''" else (other if other is not None else quoted.replace("''", "'")))
    return "".join(result)
