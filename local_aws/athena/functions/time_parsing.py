"""Texts of times read by a pattern: MySQL's (date_parse) and Joda-Time's (parse_datetime)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import cache
from typing import TYPE_CHECKING

from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.functions.time_text import DAYS, MONTHS

if TYPE_CHECKING:
    from collections.abc import Callable

# The year a text without one is in: https://www.joda.org/joda-time/apidocs/org/joda/time/format/DateTimeFormatter.html
_DEFAULT_YEAR = 2000
_FIRST_OF_TWO_DIGITS = 1970  # 70 is 1970 and 69 is 2069


@dataclass
class _Reader:
    """What has been read of one text."""

    text: str
    place: int = 0
    fields: dict[str, int] = field(default_factory=dict)
    offset: timedelta = timedelta()

    def number(self, name: str, most: int) -> None:
        found = re.compile(rf"[0-9]{{1,{most}}}").match(self.text, self.place)
        if found is None and self.text[self.place : self.place + 1] in ("+", "-"):
            raise Unsupported("a signed number in a text that is read by a pattern")
        self.keep(name, int(self.take(found)[0]))

    def two_digit_year(self) -> None:
        value = int(self.take(re.compile(r"[0-9]{2}").match(self.text, self.place))[0])
        self.keep("year", _FIRST_OF_TWO_DIGITS + (value - _FIRST_OF_TWO_DIGITS) % 100)

    def fraction(self, most: int) -> None:
        digits = self.take(re.compile(rf"[0-9]{{1,{most}}}").match(self.text, self.place))[0]
        self.keep("millisecond", int((digits + "00")[:3]))

    def word(self, name: str, words: tuple[str, ...]) -> None:
        forms = {form(word[:size]): index for index, word in enumerate(words) for size in (3, None)
                 for form in (str, str.lower, str.upper)}  # fmt: skip
        longest = max((text for text in forms if self.text.startswith(text, self.place)), key=len, default=None)
        if longest is None:
            raise _malformed()
        self.place += len(longest)
        self.keep(name, forms[longest] + 1)

    def half_day(self) -> None:
        found = re.compile(r"AM|PM|am|pm").match(self.text, self.place)
        self.keep("half", ["AM", "PM"].index(self.take(found)[0].upper()))

    def zone_offset(self) -> None:
        found = self.take(re.compile(r"Z|([+-])(\d\d):?(\d\d)", re.ASCII).match(self.text, self.place))
        if found[1]:
            size = timedelta(hours=int(found[2]), minutes=int(found[3]))
            if int(found[3]) > 59 or size > timedelta(hours=14):
                raise Unsupported("a zone offset beyond 14 hours")
            self.offset = size if found[1] == "+" else -size

    def literal(self, wanted: str) -> None:
        found = self.text[self.place : self.place + len(wanted)]
        if found.lower() != wanted.lower():
            raise _malformed()
        self.place += len(wanted)

    def take(self, found: re.Match[str] | None) -> re.Match[str]:
        if found is None:
            raise _malformed()
        self.place = found.end()
        return found

    def keep(self, name: str, value: int) -> None:
        if name != "year" and name in self.fields:
            raise Unsupported(f"a pattern that reads the {name} twice")
        self.fields[name] = value


def _malformed() -> StatementError:
    return StatementError("INVALID_FUNCTION_ARGUMENT", "a text does not have the form of the pattern")


def _number(name: str, most: int = 2) -> Callable[[_Reader], None]:
    return lambda reader: reader.number(name, most)


_MYSQL: dict[str, tuple[Callable[[_Reader], None], ...]] = {
    "a": (lambda reader: reader.word("weekday", DAYS),),
    "W": (lambda reader: reader.word("weekday", DAYS),),
    "b": (lambda reader: reader.word("month", MONTHS),),
    "M": (lambda reader: reader.word("month", MONTHS),),
    "c": (_number("month"),),
    "m": (_number("month"),),
    "d": (_number("day"),),
    "e": (_number("day"),),
    "f": (lambda reader: reader.fraction(9),),
    "H": (_number("hour"),),
    "k": (_number("hour"),),
    "h": (_number("clock"),),
    "I": (_number("clock"),),
    "l": (_number("clock"),),
    "i": (_number("minute"),),
    "j": (_number("day_of_year", 3),),
    "p": (_Reader.half_day,),
    "S": (_number("second"),),
    "s": (_number("second"),),
    "v": (_number("week"),),
    "x": (_number("week_year", 4),),
    "Y": (_number("year", 4),),
    "y": (_Reader.two_digit_year,),
}
_MYSQL_SHORT = {"T": "%H:%i:%S", "r": "%h:%i:%S %p"}


@cache
def _mysql_steps(pattern: str) -> tuple[Callable[[_Reader], None], ...]:
    steps: list[Callable[[_Reader], None]] = []
    for letter, other in re.findall(r"%(.)|([^%]+|%$)", pattern, re.DOTALL):
        if letter and letter in "DUuVwX":
            raise StatementError("INVALID_FUNCTION_ARGUMENT", f"%{letter} not supported in date format string")
        if letter in _MYSQL_SHORT:
            steps.extend(_mysql_steps(_MYSQL_SHORT[letter]))
        elif letter in _MYSQL:
            steps.extend(_MYSQL[letter])
        elif other != "%":
            steps.append(lambda reader, text=letter or other: reader.literal(text))
    if not steps:
        raise StatementError("INVALID_FUNCTION_ARGUMENT", "Both printing and parsing not supported")
    return tuple(steps)


def parse_mysql(text: str, pattern: str) -> datetime:
    """
    Return date_parse(text, pattern).

    Raises: StatementError for a text that does not match; Unsupported for fields that contradict each other.
    Source: Trino's DateTimeFunctions.createDateTimeFormatter and Joda-Time's DateTimeParserBucket.
    """
    return _read(text, _mysql_steps(pattern))[0]


def _joda_year(width: int, *, is_before_digits: bool) -> Callable[[_Reader], None]:
    return _Reader.two_digit_year if width == 2 else _number("year", width if is_before_digits else 9)


_JODA_NUMBERS = {"M": "month", "d": "day", "H": "hour", "h": "clock", "m": "minute", "s": "second", "w": "week"}


@cache
def _joda_steps(pattern: str) -> tuple[Callable[[_Reader], None], ...]:
    steps: list[Callable[[_Reader], None]] = []
    parts = list(re.finditer(r"''|'((?:[^']|'')*)'|(([A-Za-z])\3*)|([^A-Za-z']+)|(')", pattern))
    for index, found in enumerate(parts):
        quoted, letters, letter, other, stray = found.groups()
        after = parts[index + 1][2] if index + 1 < len(parts) else None
        if stray:
            raise Unsupported("parse_datetime() with an open quote")
        if letters is None:
            plain = "'" if found[0] == "''" else (other if other is not None else quoted.replace("''", "'"))
            steps.append(lambda reader, text=plain: reader.literal(text))
        else:
            steps.append(_joda_step(letters, letter, after))
    if not steps:
        raise StatementError("INVALID_FUNCTION_ARGUMENT", "Invalid pattern specification")
    return tuple(steps)


def _joda_step(letters: str, letter: str, after: str | None) -> Callable[[_Reader], None]:
    width = len(letters)
    if letter in "yY":
        is_before_digits = bool(after) and (after[0] in "cCxyYdhHmsSeDFwWkK" or (after[0] == "M" and len(after) < 3))
        return _joda_year(width, is_before_digits=is_before_digits)
    if letter == "M" and width > 2:
        return lambda reader: reader.word("month", MONTHS)
    if letter in _JODA_NUMBERS and width <= 2:
        return _number(_JODA_NUMBERS[letter])
    if letter == "x" and width == 4:
        return _number("week_year", 4 if after else 9)
    if letter == "D":
        return _number("day_of_year", 3)
    if letter == "S":
        return lambda reader: reader.fraction(width)
    if letter == "E":
        return lambda reader: reader.word("weekday", DAYS)
    if letter == "a":
        return _Reader.half_day
    if letter == "Z" and width <= 2:
        return _Reader.zone_offset
    raise Unsupported(f"parse_datetime() with {letters!r}")


def parse_joda(text: str, pattern: str) -> tuple[datetime, timedelta]:
    """Return the wall clock and the offset that parse_datetime(text, pattern) reads; errors as in parse_mysql()."""
    return _read(text, _joda_steps(pattern))


def joda_instant(text: str, pattern: str) -> datetime:
    """Return the instant of parse_datetime(text, pattern) as a UTC clock."""
    local, offset = parse_joda(text, pattern)
    return local - offset


def joda_utc(text: str, pattern: str) -> datetime:
    """Return parse_datetime(text, pattern) of a text in UTC; Unsupported for another offset, which would be kept."""
    local, offset = parse_joda(text, pattern)
    if offset:
        raise Unsupported("parse_datetime() of a text with an offset, without AT TIME ZONE after it")
    return local


def _read(text: str, steps: tuple[Callable[[_Reader], None], ...]) -> tuple[datetime, timedelta]:
    reader = _Reader(text)
    for step in steps:
        step(reader)
    if reader.place != len(text):
        raise _malformed()
    try:
        clock = _time(reader.fields)
        moment = datetime.combine(_day(reader.fields), time()) + clock
    except ValueError as problem:
        raise StatementError("INVALID_FUNCTION_ARGUMENT", "a text names a day or time that does not exist") from problem
    return moment, reader.offset


def _time(fields: dict[str, int]) -> timedelta:
    if "hour" in fields and ("clock" in fields or "half" in fields):
        raise Unsupported("a pattern that reads hours of 24 beside hours of 12 or AM and PM")
    if not 1 <= fields.get("clock", 12) <= 12:
        raise ValueError("no such hour")
    hour = fields.get("hour", fields.get("clock", 12) % 12 + 12 * fields.get("half", 0))
    minute, second = fields.get("minute", 0), fields.get("second", 0)
    if hour > 23 or minute > 59 or second > 59:
        raise ValueError("no such time")
    return timedelta(hours=hour, minutes=minute, seconds=second, milliseconds=fields.get("millisecond", 0))


def _day(fields: dict[str, int]) -> date:
    kinds = [names for names in (("month", "day"), ("day_of_year",), ("week_year", "week")) if fields.keys() & {*names}]
    if len(kinds) > 1 or ("week_year" in fields and "year" in fields):
        raise Unsupported("a pattern that reads the day in two ways")
    if not kinds and "year" not in fields:
        found = date(1970, 1, 1)
        if "weekday" in fields:
            raise Unsupported("a pattern that reads a day of the week without a date")
        return found
    year = fields.get("year", _DEFAULT_YEAR)
    if kinds and kinds[0][0] == "week_year":
        if "week_year" not in fields or "weekday" in fields:
            raise Unsupported("a pattern that reads a week without its year, or with a day")
        found = date.fromisocalendar(fields["week_year"], fields.get("week", 1), 1)
    elif "day_of_year" in fields:
        found = date(year, 1, 1) + timedelta(days=fields["day_of_year"] - 1)
        if found.year != year:
            raise ValueError("a year has no such day")
    else:
        found = date(year, fields.get("month", 1), fields.get("day", 1))
    if fields.get("weekday", found.isoweekday()) != found.isoweekday():
        raise Unsupported("a day of the week that is not the date's")
    return found


HELPERS = (
    ("t_parse_mysql", parse_mysql, ["VARCHAR", "VARCHAR"], "TIMESTAMP"),
    ("t_parse_joda_utc", joda_utc, ["VARCHAR", "VARCHAR"], "TIMESTAMP"),
    ("t_parse_joda_instant", joda_instant, ["VARCHAR", "VARCHAR"], "TIMESTAMP"),
)
