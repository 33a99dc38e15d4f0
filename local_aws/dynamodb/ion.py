"""DynamoDB items as the Ion text that a table export writes: one item a line, every number a decimal."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

_BARE_NAME = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
_NOT_BARE = re.compile(r"null|true|false|nan|\$[0-9]+")
_ESCAPES = {
    "\0": "\\0",
    "\a": "\\a",
    "\b": "\\b",
    "\t": "\\t",
    "\n": "\\n",
    "\v": "\\v",
    "\f": "\\f",
    "\r": "\\r",
    "\\": "\\\\",
}
_TO_ESCAPE = re.compile(r"[\x00-\x1f\x7f-\x9f\\\"']")
# Smaller numbers are written with an exponent, as BigDecimal prints them.
_SMALLEST_PLAIN_EXPONENT = -6


def ion_line(item: Mapping[str, Any]) -> str:
    """
    Write one item as one line of an ION export, without the line end.

    Shape: *item* in DynamoDB's own JSON, `{"id": {"S": "x"}}`.
    Source: Amazon DynamoDB developer guide, "DynamoDB table export output format", and ion-java's text writer.
    """
    return f"$ion_1_0 {{Item:{_struct(item)}}}"


def ion_decimal(number: str) -> str:
    """Write a DynamoDB number as an Ion decimal: `103.`, `6d2`, `0.1`, `1d-10`; never as an integer."""
    sign, digits, exponent = Decimal(number).as_tuple()
    if not isinstance(exponent, int):
        raise TypeError(f"{number!r} is not a DynamoDB number: only finite numbers are stored")
    text = "".join(map(str, digits)).lstrip("0")
    stripped = text.rstrip("0")
    if not stripped:
        return "0."
    exponent += len(text) - len(stripped)
    return ("-" if sign else "") + _scaled(stripped, exponent)


def _scaled(digits: str, exponent: int) -> str:
    if exponent > 0:
        return f"{digits}d{exponent}"
    if exponent == 0:
        return f"{digits}."
    if len(digits) - 1 + exponent < _SMALLEST_PLAIN_EXPONENT:
        return f"{digits}d{exponent}"
    padded = digits.rjust(1 - exponent, "0")
    return f"{padded[:exponent]}.{padded[exponent:]}"


def _value(attribute: Mapping[str, Any]) -> str:
    ((kind, value),) = attribute.items()
    match kind:
        case "S":
            return quoted(value, '"')
        case "N":
            return ion_decimal(value)
        case "B":
            return f"{{{{{value}}}}}"
        case "BOOL":
            return "true" if value else "false"
        case "NULL":
            return "null"
        case "L":
            return f"[{','.join(map(_value, value))}]"
        case "M":
            return _struct(value)
        case "SS" | "NS" | "BS":
            return f"$dynamodb_{kind}::[{','.join(_value({kind[0]: member}) for member in value)}]"
    raise ValueError(f"{kind!r} is not a DynamoDB type")


def _struct(attributes: Mapping[str, Any]) -> str:
    return f"{{{','.join(f'{field_name(name)}:{_value(value)}' for name, value in attributes.items())}}}"


def field_name(name: str) -> str:
    """Write the name of a field, in quotes unless it can stand bare."""
    is_bare = _BARE_NAME.fullmatch(name) and not _NOT_BARE.fullmatch(name)
    return name if is_bare else quoted(name, "'")


def quoted(text: str, quote: str) -> str:
    """Write *text* between quotes, with what they do not hold escaped."""

    def escape(found: re.Match[str]) -> str:
        character = found.group()
        if character in "\"'":
            return f"\\{character}" if character == quote else character
        return _ESCAPES.get(character) or f"\\x{ord(character):02x}"

    return quote + _TO_ESCAPE.sub(escape, text) + quote
