"""
Floating-point numbers as CAST writes them, always with an exponent, and the texts that CAST reads as numbers.

Source: Trino's DoubleOperators and RealOperators (since release 369), and Java's DecimalFormat.
"""

from __future__ import annotations

import math
from decimal import ROUND_HALF_EVEN, Context, Decimal

from local_aws.athena.language.natives import Native, helpers
from local_aws.athena.language.trino_types import DOUBLE, REAL, VARCHAR

_DIGITS_OF_REAL = 7


def _with_exponent(number: Decimal) -> str:
    sign, digits, exponent = number.as_tuple()
    figures = "".join(map(str, digits)).rstrip("0")
    return f"{'-' if sign else ''}{figures[0]}.{figures[1:] or '0'}E{len(digits) + exponent - 1}"


def _odd(value: float) -> str | None:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0:
        return "0E0" if math.copysign(1, value) > 0 else "-0E0"
    return None


def double_text(value: float) -> str:
    """Return CAST(double AS varchar): 1.5E0, 1.0E-1, 0E0, NaN, Infinity."""
    return _odd(value) or _with_exponent(Decimal(repr(value)))


def real_text(value: float) -> str:
    """Return CAST(real AS varchar): as a double, but with at most seven digits."""
    rounded = Context(prec=_DIGITS_OF_REAL, rounding=ROUND_HALF_EVEN).plus(Decimal(value))
    return _odd(value) or _with_exponent(rounded)


HELPERS = helpers(
    {
        "double_text": (Native((DOUBLE,), VARCHAR, double_text),),
        "real_text": (Native((REAL,), VARCHAR, real_text),),
    }
)
