"""
Values as Hive's text formats write them.

Java's lenient parsers take more than the plain forms (month 13, years of five digits); such texts are refused by name,
so that NULL always means what it means in Athena. Source: HiveFormatUtils and encodings/text in Trino's
lib/trino-hive-formats.
"""

from __future__ import annotations

import math
import re
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation
from typing import TYPE_CHECKING

from local_aws.athena.failures import Unsupported

if TYPE_CHECKING:
    from local_aws.athena.language.trino_types import Type

_DATE = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})", re.ASCII)
_TIMESTAMP = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2}) (\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.(\d{1,9}))?", re.ASCII)
_LIKE_A_DATE = re.compile(r"[+-]?\d+-[+-]?\d+-[+-]?\d+.*", re.DOTALL)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_LIKE_A_JAVA_DOUBLE = re.compile(r"\s*[+-]?(NaN|Infinity|0x.*|[\d.]+([eE][+-]?\d+)?[dDfF]?)\s*", re.IGNORECASE)
INTEGER_BITS = {"tinyint": 7, "smallint": 15, "integer": 31, "bigint": 63}


def read_date(text: str) -> date | None:
    """Return the day of `2026-10-01`, alone or before a space; None for what is no date."""
    day = text.strip().split(" ", 1)[0]
    found = _DATE.fullmatch(day)
    try:
        if found:
            return date(*map(int, found.groups()))
    except ValueError:
        pass  # a day that is not in the calendar rolls over in Java
    return _no_time(day)


def read_timestamp(text: str) -> datetime | None:
    """Return the moment of `2026-10-01 01:02:03.004`; None for what is no timestamp."""
    text = text.strip()
    found = _TIMESTAMP.fullmatch(text)
    if found is None:
        return _no_time(text)
    fraction = (found[7] or "").ljust(9, "0")
    if fraction[3:].strip("0"):
        raise Unsupported("a timestamp finer than milliseconds in a text file")
    try:
        return datetime(*map(int, found.groups()[:6]), int(fraction[:6]))  # noqa: DTZ001 - a timestamp has no zone
    except ValueError:
        return _no_time(text)


def _no_time(text: str) -> None:
    if _LIKE_A_DATE.fullmatch(text):
        raise Unsupported("a date or time in a text file that is not written plainly, such as 2026-10-01 01:02:03.004")


def read_decimal(text: str, kind: Type) -> Decimal | None:
    """Return a number rounded half up to the scale of *kind*; None for no number, and for one that is too large."""
    precision, scale = kind.args
    if not _NUMBER.fullmatch(text):
        return None
    try:
        exact = Context(prec=76 + len(text), Emax=10_000, rounding=ROUND_HALF_UP, traps=[InvalidOperation])
        scaled = exact.create_decimal(text).quantize(Decimal((0, (1,), -scale)), context=exact)
    except InvalidOperation:
        return None
    return None if scaled and scaled.adjusted() + 1 > precision - scale else scaled


def read_double(text: str) -> float | None:
    """
    Return a finite number; None for no number.

    Raises: Unsupported for NaN, infinity and what only Java reads as a number.
    """
    if _NUMBER.fullmatch(text) and math.isfinite(float(text)):
        return float(text)
    if _LIKE_A_JAVA_DOUBLE.fullmatch(text):
        raise Unsupported("a floating-point number in a text file that is not finite, or not written plainly")
    return None


def fits(number: int, kind: Type) -> bool:
    """Tell whether an integer type holds *number*."""
    limit = 2 ** INTEGER_BITS[kind.name]
    return -limit <= number < limit
