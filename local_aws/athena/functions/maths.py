"""
Mathematical functions: types, rounding and errors of Trino.

Java and C may differ in the last digit of tan, asin, acos, atan, sinh, cosh and tanh: those are not here.
Source: Trino's MathFunctions and DecimalOperators.
"""

from __future__ import annotations

import math
import re
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal
from typing import TYPE_CHECKING

from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.functions.containers import Scalar
from local_aws.athena.language.arithmetic import arithmetic
from local_aws.athena.language.casts import as_double, coerce
from local_aws.athena.language.natives import Native, helpers, scalars
from local_aws.athena.language.scope import Expression
from local_aws.athena.language.trino_types import (
    BIGINT,
    BOOLEAN,
    DOUBLE,
    INTEGER,
    REAL,
    VARCHAR,
    Type,
    array,
    decimal,
    duckdb_name,
    is_integer,
    is_numeric,
    trino_name,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_Arguments = list[Expression]
_EXACT = Context(prec=160, rounding=ROUND_HALF_UP)
_ROUNDINGS = {"round": ROUND_HALF_UP, "truncate": ROUND_DOWN, "floor": ROUND_FLOOR, "ceil": ROUND_CEILING}
_SHORT_DECIMAL = 18


def _bad(message: str) -> StatementError:
    return StatementError("INVALID_FUNCTION_ARGUMENT", message)


def _rounded(value: float, digits: int = 0) -> float:
    """Return Java's round(value * 10^digits) / 10^digits, with the sign taken off and put back."""
    if not math.isfinite(value):
        return value
    factor = math.pow(10, digits)
    scaled = abs(value) * factor
    if not (scaled < 2.0**63 and factor):
        raise Unsupported("round() of a double that is too large for its digits")
    whole = math.floor(scaled)
    result = (whole + (scaled - whole >= 0.5)) / factor
    return -result if value < 0 else result


def _truncated(value: float) -> float:
    return float(math.copysign(math.floor(abs(value)), value)) if math.isfinite(value) and value else value


def _rescaled(number: str, digits: int, name: str) -> str:
    unit = Decimal(1).scaleb(-digits)
    return format(Decimal(number).quantize(unit, rounding=_ROUNDINGS[name], context=_EXACT), "f")


def _rounded_integer(number: int, digits: int, bits: int) -> int:
    if digits >= 0:
        return number
    factor = 10**-digits
    whole, rest = divmod(abs(number), factor)
    result = (whole + (2 * rest >= factor)) * factor
    if factor >= 2**63 or not -(2**bits) <= (result if number > 0 else -result) < 2**bits:
        raise StatementError("NUMERIC_VALUE_OUT_OF_RANGE", "numerical overflow in round()")
    return result if number > 0 else -result


def _remainder(left: float, right: float) -> float:
    if right == 0 or math.isinf(left) or math.isnan(left + right):
        raise Unsupported("NaN or Infinity as the result of a function")
    return math.fmod(left, right)


def decimal_remainder(left: str, right: str) -> str:
    """Return left % right with the sign of *left*; both are decimal texts."""
    if Decimal(right) == 0:
        raise StatementError("DIVISION_BY_ZERO", "Division by zero")
    return format(_EXACT.remainder(Decimal(left), Decimal(right)), "f")


def _finite(compute: Callable[..., float]) -> Callable[..., float]:
    def guarded(*values: float) -> float:
        try:
            result = compute(*values)
        except (ValueError, OverflowError, ZeroDivisionError):
            result = math.nan
        if not math.isfinite(result):
            raise Unsupported("NaN or Infinity as the result of a function")
        return result

    return guarded


def _cube_root(value: float) -> float:
    root = float(round(math.cbrt(value))) if math.isfinite(value) else value
    if math.isfinite(value) and root**3 != value:
        raise Unsupported("cbrt() of a number that is no cube")
    return root


def _check_radix(radix: int) -> None:
    if not 2 <= radix <= 36:
        raise _bad("Radix must be between 2 and 36")


def _to_base(number: int, radix: int) -> str:
    _check_radix(radix)
    digits = ""
    rest = abs(number)
    while rest or not digits:
        rest, digit = divmod(rest, radix)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return "-" + digits if number < 0 else digits


def _from_base(text: str, radix: int) -> int:
    _check_radix(radix)
    if not text.isascii():
        raise Unsupported("from_base() of a text outside ASCII")
    try:
        number = int(text, radix) if re.fullmatch(r"[+-]?[0-9a-zA-Z]+", text) else 2**63
    except ValueError:
        number = 2**63
    if not -(2**63) <= number < 2**63:
        raise _bad(f"Not a valid base-{radix} number")
    return number


def _bucket(operand: float, first: float, second: float, count: int) -> int:
    if count <= 0 or math.isnan(operand) or not math.isfinite(first) or not math.isfinite(second) or first == second:
        raise _bad("width_bucket: bounds must be finite and differ, the count positive, the operand a number")
    low, high = min(first, second), max(first, second)
    if operand < low:
        result = 0
    elif operand >= high:
        result = count + 1
    else:
        result = int(count * (operand - low) / (high - low) + 1)
    return count - result + 1 if first > second else result


def _bin(operand: float, bins: list[float]) -> int:
    if not bins or math.isnan(operand):
        raise _bad("Bins cannot be an empty array, nor the operand NaN")
    if any(edge is None or not math.isfinite(edge) for edge in bins) or sorted(bins) != bins:
        raise Unsupported("width_bucket() with bins that are not finite and ascending")
    return sum(edge <= operand for edge in bins)


_DOUBLES = (DOUBLE, DOUBLE)
_TABLE: dict[str, tuple[Native, ...]] = {
    "round_double": (Native((DOUBLE,), DOUBLE, _rounded), Native((DOUBLE, INTEGER), DOUBLE, _rounded)),
    "truncate_double": (Native((DOUBLE,), DOUBLE, _truncated),),
    "rescaled": (Native((VARCHAR, INTEGER, VARCHAR), VARCHAR, _rescaled),),
    "round_integer": (Native((BIGINT, INTEGER, INTEGER), BIGINT, _rounded_integer),),
    "remainder": (Native(_DOUBLES, DOUBLE, _remainder),),
    "decimal_remainder": (Native((VARCHAR, VARCHAR), VARCHAR, decimal_remainder),),
}
_PUBLIC: dict[str, tuple[Native, ...]] = {
    "cbrt": (Native((DOUBLE,), DOUBLE, _cube_root),),
    "log": (Native(_DOUBLES, DOUBLE, _finite(lambda base, value: math.log(value) / math.log(base))),),
    "log2": (Native((DOUBLE,), DOUBLE, _finite(lambda value: math.log(value) / math.log(2))),),
    "log10": (Native((DOUBLE,), DOUBLE, _finite(math.log10)),),
    "sin": (Native((DOUBLE,), DOUBLE, _finite(math.sin)),),
    "cos": (Native((DOUBLE,), DOUBLE, _finite(math.cos)),),
    "degrees": (Native((DOUBLE,), DOUBLE, _finite(math.degrees)),),
    "radians": (Native((DOUBLE,), DOUBLE, _finite(math.radians)),),
    "to_base": (Native((BIGINT, BIGINT), Type("varchar", (64,)), _to_base),),
    "from_base": (Native((VARCHAR, BIGINT), BIGINT, _from_base),),
    "width_bucket": (
        Native((DOUBLE, DOUBLE, DOUBLE, BIGINT), BIGINT, _bucket),
        Native((DOUBLE, array(DOUBLE)), BIGINT, _bin),
    ),
}
HELPERS = (*helpers(_TABLE), *helpers(_PUBLIC))


def _number(values: _Arguments, name: str) -> Expression:
    value = values[0] if values[0].type.name != "unknown" else coerce(values[0], DOUBLE)
    if not is_numeric(value.type):
        raise StatementError("FUNCTION_NOT_FOUND", f"{name} takes a number, not {trino_name(value.type)}")
    return value


def _by_rescaling(name: str, value: Expression, digits: str, kind: Type) -> Expression:
    text = f"t_rescaled_0(CAST({value.sql} AS VARCHAR), {digits}, '{name}')"
    return Expression(f"CAST({text} AS {duckdb_name(kind)})", kind)


def _as(value: Expression, text: str) -> Expression:
    """Return *text*, a double, as real when *value* is one."""
    return Expression(f"CAST({text} AS FLOAT)" if value.type == REAL else text, value.type)


def _round(values: _Arguments) -> Expression:
    value = _number(values, "round")
    digits = coerce(values[1], INTEGER).sql if len(values) > 1 else "0"
    if is_integer(value.type):
        if len(values) == 1:
            return Expression(value.sql, value.type)
        bits = {"tinyint": 7, "smallint": 15, "integer": 31, "bigint": 63}[value.type.name]
        whole = f"t_round_integer_0(CAST({value.sql} AS BIGINT), {digits}, {bits})"
        return Expression(f"CAST({whole} AS {duckdb_name(value.type)})", value.type)
    if value.type.name != "decimal":
        more = f", {digits}" if len(values) > 1 else ""
        return _as(value, f"t_round_double_{len(values) - 1}(CAST({value.sql} AS DOUBLE){more})")
    precision, scale = value.type.args
    if len(values) == 1:
        return _by_rescaling("round", value, "0", decimal(precision - scale + min(1, scale), 0))
    rounded = _by_rescaling("round", value, digits, decimal(precision + 1, scale))
    if precision < _SHORT_DECIMAL:
        # Trino gives 0, not the next power of ten, once all digits before the point are rounded away.
        zero = f"CASE WHEN {value.sql} IS NULL THEN NULL ELSE CAST(0 AS {duckdb_name(rounded.type)}) END"
        is_zero = f"{digits} <= {scale - precision}"
        return Expression(f"(CASE WHEN {is_zero} THEN {zero} ELSE {rounded.sql} END)", rounded.type)
    return rounded


def _truncate(values: _Arguments) -> Expression:
    value = _number(values, "truncate")
    if value.type.name == "decimal" or (is_integer(value.type) and len(values) > 1):
        if is_integer(value.type):
            raise Unsupported(f"truncate() of {trino_name(value.type)} to a number of digits")
        precision, scale = value.type.args
        if len(values) == 1:
            return _by_rescaling("truncate", value, "0", decimal(max(1, precision - scale), 0))
        return _by_rescaling("truncate", value, coerce(values[1], INTEGER).sql, value.type)
    if len(values) > 1:
        raise StatementError("FUNCTION_NOT_FOUND", f"truncate takes no digits for {trino_name(value.type)}")
    value = coerce(value, DOUBLE) if is_integer(value.type) else value
    return _as(value, f"t_truncate_double_0(CAST({value.sql} AS DOUBLE))")


def _whole(name: str) -> Callable[[_Arguments], Expression]:
    def translate(values: _Arguments) -> Expression:
        value = _number(values, name)
        if is_integer(value.type):
            return Expression(value.sql, value.type)
        if value.type.name == "decimal":
            precision, scale = value.type.args
            return _by_rescaling(name, value, "0", decimal(precision - scale + min(1, scale), 0))
        return _as(value, f"{name}(CAST({value.sql} AS DOUBLE))")

    return translate


def _abs(values: _Arguments) -> Expression:
    value = _number(values, "abs")
    return Expression(f"abs({value.sql})", value.type)


def _sign(values: _Arguments) -> Expression:
    value = _number(values, "sign")
    if value.type.name in ("double", "real"):
        return _as(value, f"(CASE WHEN {value.sql} = 0 OR isnan({value.sql}) THEN CAST({value.sql} AS DOUBLE) "
                          f"ELSE CAST(sign({value.sql}) AS DOUBLE) END)")  # fmt: skip
    kind = decimal(1, 0) if value.type.name == "decimal" else value.type
    return Expression(f"CAST(sign({value.sql}) AS {duckdb_name(kind)})", kind)


def _mod(values: _Arguments) -> Expression:
    kinds = [value.type for value in values if value.type.name != "unknown"]
    if not kinds or not all(is_numeric(kind) for kind in kinds):
        raise StatementError("FUNCTION_NOT_FOUND", "mod takes numbers")
    left, right = (value if value.type.name != "unknown" else coerce(value, kinds[0]) for value in values)
    return arithmetic("%", left, right)


def _double(template: str) -> Callable[[_Arguments], Expression]:
    return lambda values: Expression(template.format(*(as_double(value) for value in values)), DOUBLE)


def _test(template: str) -> Scalar:
    return Scalar((1, 1), lambda values: Expression(template.format(as_double(values[0])), BOOLEAN))


FUNCTIONS: dict[str, Scalar] = {
    **scalars(_PUBLIC),
    "round": Scalar((1, 2), _round),
    "truncate": Scalar((1, 2), _truncate),
    "floor": Scalar((1, 1), _whole("floor")),
    "ceil": Scalar((1, 1), _whole("ceil")),
    "ceiling": Scalar((1, 1), _whole("ceil")),
    "abs": Scalar((1, 1), _abs),
    "sign": Scalar((1, 1), _sign),
    "mod": Scalar((2, 2), _mod),
    "sqrt": Scalar((1, 1), _double("t_sqrt({0})")),
    "exp": Scalar((1, 1), _double("exp({0})")),
    "ln": Scalar((1, 1), _double("t_ln({0})")),
    "power": Scalar((2, 2), _double("t_power({0}, {1})")),
    "pow": Scalar((2, 2), _double("t_power({0}, {1})")),
    "pi": Scalar((0, 0), lambda _: Expression(f"CAST('{math.pi!r}' AS DOUBLE)", DOUBLE)),
    "e": Scalar((0, 0), lambda _: Expression(f"CAST('{math.e!r}' AS DOUBLE)", DOUBLE)),
    "infinity": Scalar((0, 0), lambda _: Expression("CAST('infinity' AS DOUBLE)", DOUBLE)),
    "is_nan": _test("isnan({0})"),
    "is_infinite": _test("isinf({0})"),
    "is_finite": _test("isfinite({0})"),
}
