"""
Floating-point numbers as CAST writes them, always with an exponent, and the texts that CAST reads as numbers.

Source: Trino's DoubleOperators and RealOperators (since release 369), and Java's DecimalFormat.
"""

from __future__ import annotations

import math
from decimal import ROUND_HALF_EVEN, Context, Decimal

import numpy as np

from local_aws.athena.language.natives import Native, helpers
from local_aws.athena.language.trino_types import DOUBLE, REAL, VARCHAR

_DIGITS_OF_REAL = 7


def java_digits(value: float, *, is_real: bool = False) -> Decimal:
    """
    Return the number that Java writes: the shortest that reads back as *value*, but the nearest of two digits.

    Source: Java's Double.toString, by which the smallest double is 4.9E-324 and not 5E-324.
    """
    shortest = Decimal(str(np.float32(value)) if is_real else repr(value))
    if len(shortest.normalize().as_tuple().digits) > 1:
        return shortest
    nearest = Context(prec=2).plus(Decimal(value))
    reads_back = np.float32(float(nearest)) == np.float32(value) if is_real else float(nearest) == value
    return nearest if reads_back else shortest


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
    return _odd(value) or _with_exponent(java_digits(value))


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
