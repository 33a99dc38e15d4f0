"""
Casts between JSON and SQL values.

Source: Trino's JsonOperators and JsonUtil. A JSON number with a point is a double on the way to anything but a decimal.
"""

from __future__ import annotations

import math
import re
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.functions.floating_text import double_text
from local_aws.athena.functions.json_text import Number, dump, load, quoted
from local_aws.athena.language.trino_types import PRECISION, Type, is_integer, precision_of, trino_name
from local_aws.athena.results import java_double, text_of

_EXACT = Context(prec=160, rounding=ROUND_HALF_UP)
_BITS = {"tinyint": 8, "smallint": 16, "integer": 32, "bigint": 64}
_BOOLEANS = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}


def encode(value: Any, kind: Type) -> str:
    """Return CAST(value AS JSON): names of maps sorted, names of row fields kept."""
    if value is None:
        return "null"
    match kind.name:
        case "json":
            return value
        case "boolean":
            return "true" if value else "false"
        case "varchar":
            return quoted(value)
        case "date" | "timestamp":
            text = text_of(value, kind) or ""
            digits = 3 if kind.name == "date" else precision_of(kind)
            return quoted(text if digits == PRECISION else text[: digits - PRECISION].removesuffix("."))
        case "double":
            if not math.isfinite(value):
                raise Unsupported("cast to JSON: NaN or Infinity")
            return java_double(value)
        case "array":
            return "[" + ",".join(encode(item, kind.args[0]) for item in value) + "]"
        case "map":
            return "{" + ",".join(f"{quoted(name)}:{encode(value[name], kind.args[1])}" for name in sorted(value)) + "}"
        case "row":
            fields = (
                f"{quoted(name)}:{encode(value[f'f{index}'], field)}" for index, (name, field) in enumerate(kind.args)
            )
            return "{" + ",".join(fields) + "}"
    return str(value)  # Java writes a BigDecimal as Python does: plain, or with E- for many zeros after the point


def decode(text: str, kind: Type) -> Any:
    """
    Return CAST(json AS kind).

    Raises: StatementError INVALID_CAST_ARGUMENT where Trino has no such conversion of this value.
    """
    return _decoded(load(text), kind)


def _impossible(kind: Type) -> StatementError:
    return StatementError("INVALID_CAST_ARGUMENT", f"Cannot cast this JSON value to {trino_name(kind)}")


def _decoded(value: Any, kind: Type) -> Any:
    if kind.name == "json":
        return dump(value, is_sorted=False)
    if value is None:
        return None
    if kind.name == "array":
        return [_decoded(item, kind.args[0]) for item in _of(value, list, kind)]
    if kind.name == "map":
        return {name: _decoded(item, kind.args[1]) for name, item in _of(value, dict, kind).items()}
    if kind.name == "row":
        return _row(value, kind)
    if isinstance(value, list | dict):
        raise _impossible(kind)
    if kind.name == "varchar":
        return _text(value, kind)
    if kind.name == "boolean":
        return _boolean(value, kind)
    if kind.name == "double":
        return _double(value, kind)
    if kind.name == "decimal":
        return _decimal(value, kind)
    if is_integer(kind):
        return _whole(value, kind)
    raise Unsupported(f"cast from JSON: {trino_name(kind)}")


def _of(value: Any, form: type, kind: Type) -> Any:
    if not isinstance(value, form):
        raise _impossible(kind)
    return value


def _row(value: Any, kind: Type) -> dict[str, Any]:
    if isinstance(value, list):
        if len(value) != len(kind.args):
            raise _impossible(kind)
        items = value
    else:
        members = {name.lower(): item for name, item in _of(value, dict, kind).items()}
        if len(members) != len(value) or not all(name for name, _ in kind.args):
            raise Unsupported("cast from JSON: an object whose names differ in case only, or a row without names")
        items = [members.get(name.lower()) for name, _ in kind.args]
    fields = zip(items, kind.args, strict=True)
    return {f"f{index}": _decoded(item, field) for index, (item, (_, field)) in enumerate(fields)}


def _text(value: Any, kind: Type) -> str:
    if isinstance(value, Number):
        text = str(value) if value.is_whole else double_text(float(value))
    else:
        text = str(value) if isinstance(value, str) else ("true" if value else "false")
    if kind.args[0] is not None and len(text) > kind.args[0]:
        raise Unsupported(f"cast from JSON: a text that is too long for {trino_name(kind)}")
    return text


def _boolean(value: Any, kind: Type) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, Number):
        return float(value) != 0
    if value.lower() not in _BOOLEANS:
        raise _impossible(kind)
    return _BOOLEANS[value.lower()]


def _double(value: Any, kind: Type) -> float:
    if isinstance(value, str) and not isinstance(value, Number) and not _is_number(value, r"([eE][+-]?[0-9]+)?"):
        raise _odd_or_impossible(value, kind)
    number = float(value)
    if not math.isfinite(number):
        raise Unsupported("cast from JSON: a number beyond double")
    return number


def _is_number(text: str, exponent: str) -> bool:
    return re.fullmatch(rf"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+){exponent}", text) is not None


def _odd_or_impossible(text: str, kind: Type) -> Exception:
    if re.search(r"[0-9]|nan|infinity|[^\x00-\x7f]", text.lower()):
        return Unsupported(f"the form of a text in a cast from JSON to {trino_name(kind)}")
    return _impossible(kind)


def _decimal(value: Any, kind: Type) -> Decimal:
    precision, scale = kind.args
    if isinstance(value, bool):
        value = Number(int(value))
    if not isinstance(value, Number) and not _is_number(value, ""):
        raise _odd_or_impossible(value, kind)
    if isinstance(value, Number) and not value.is_whole and java_double(float(value)) != value:
        raise Unsupported("cast from JSON: a number whose form Athena may change")
    number = Decimal(value).quantize(Decimal(1).scaleb(-scale), context=_EXACT)
    if abs(number) >= Decimal(10) ** (precision - scale):
        raise _impossible(kind)
    return number


def _whole(value: Any, kind: Type) -> int:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, Number) and not value.is_whole:
        size = abs(float(value))
        if not math.isfinite(size):
            raise _impossible(kind)
        whole = math.floor(size) + (size - math.floor(size) >= 0.5)
        number = -whole if float(value) < 0 else whole
    elif isinstance(value, Number) or re.fullmatch(r"[+-]?[0-9]+", value):
        number = int(value)
    else:
        raise _odd_or_impossible(value, kind)
    bits = _BITS[kind.name] - 1
    if not -(2**bits) <= number < 2**bits:
        raise _impossible(kind)
    return number
