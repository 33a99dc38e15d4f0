"""
Bits of whole numbers in two's complement.

Source: Trino's BitwiseFunctions; shifts keep the type of the value and count modulo 64 as Java's do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.functions.containers import Scalar
from local_aws.athena.language.casts import coerce
from local_aws.athena.language.natives import Native, helpers, scalars
from local_aws.athena.language.scope import Expression
from local_aws.athena.language.trino_types import BIGINT, INTEGER, duckdb_name, is_integer, trino_name

if TYPE_CHECKING:
    from collections.abc import Callable

_BITS = {"tinyint": 8, "smallint": 16, "integer": 32, "bigint": 64}


def _signed(number: int, bits: int) -> int:
    number &= (1 << bits) - 1
    return number - (1 << bits) if number >> (bits - 1) else number


def _bit_count(number: int, bits: int) -> int:
    if not 2 <= bits <= 64:
        raise StatementError("INVALID_FUNCTION_ARGUMENT", f"bit_count takes 2 to 64 bits, not {bits}")
    if not -(2 ** (bits - 1)) <= number < 2 ** (bits - 1):
        raise StatementError("INVALID_FUNCTION_ARGUMENT", f"the number does not fit {bits} bits")
    return (number & ((1 << bits) - 1)).bit_count()


def _check_shift(shift: int) -> None:
    if shift < 0:
        raise Unsupported("a shift by a negative number")


def _left(number: int, shift: int, bits: int) -> int:
    _check_shift(shift)
    return 0 if shift >= 64 else _signed(number << shift, bits)


def _right(number: int, shift: int, bits: int) -> int:
    _check_shift(shift)
    return number if shift == 0 else (number & ((1 << bits) - 1)) >> shift


def _right_arithmetic(number: int, shift: int, _bits: int) -> int:
    _check_shift(shift)
    return number >> shift


_SHIFT = (BIGINT, INTEGER, INTEGER)
_SHIFTS: dict[str, tuple[Native, ...]] = {
    "bitwise_left_shift": (Native(_SHIFT, BIGINT, _left),),
    "bitwise_right_shift": (Native(_SHIFT, BIGINT, _right),),
    "bitwise_right_shift_arithmetic": (Native(_SHIFT, BIGINT, _right_arithmetic),),
}
_TABLE: dict[str, tuple[Native, ...]] = {
    "bitwise_and": (Native((BIGINT, BIGINT), BIGINT, lambda a, b: a & b),),
    "bitwise_or": (Native((BIGINT, BIGINT), BIGINT, lambda a, b: a | b),),
    "bitwise_xor": (Native((BIGINT, BIGINT), BIGINT, lambda a, b: a ^ b),),
    "bitwise_not": (Native((BIGINT,), BIGINT, lambda a: ~a),),
    "bit_count": (Native((BIGINT, BIGINT), BIGINT, _bit_count),),
}


def _shift(name: str) -> Callable[[list[Expression]], Expression]:
    def translate(values: list[Expression]) -> Expression:
        value = values[0]
        if not is_integer(value.type):
            raise StatementError("FUNCTION_NOT_FOUND", f"{name} takes a whole number, not {trino_name(value.type)}")
        shifted = f"t_{name}_0({coerce(value, BIGINT).sql}, {coerce(values[1], INTEGER).sql}, {_BITS[value.type.name]})"
        return Expression(f"CAST({shifted} AS {duckdb_name(value.type)})", value.type)

    return translate


HELPERS = (*helpers(_SHIFTS), *helpers(_TABLE))
FUNCTIONS: dict[str, Scalar] = {**scalars(_TABLE), **{name: Scalar((2, 2), _shift(name)) for name in _SHIFTS}}
