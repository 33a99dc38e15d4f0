"""The size of an item as DynamoDB bills it."""

import base64
from collections.abc import Mapping
from typing import Any


def item_bytes(item: Mapping[str, Any]) -> int:
    """
    Return the size of an item in bytes: UTF-8 names plus values.

    Source: Amazon DynamoDB developer guide, "DynamoDB item sizes and formats" (numbers are approximate there, too).
    """
    return sum(len(name.encode()) + _value_bytes(value) for name, value in item.items())


def _value_bytes(attribute: Mapping[str, Any]) -> int:
    ((kind, value),) = attribute.items()
    match kind:
        case "S":
            return len(value.encode())
        case "N":
            digits = value.lower().partition("e")[0].lstrip("+-").replace(".", "").strip("0")
            return (len(digits) + 1) // 2 + 1 + value.startswith("-")
        case "B":
            return len(base64.b64decode(value))
        case "SS" | "NS" | "BS":
            return sum(_value_bytes({kind[0]: member}) for member in value)
        case "L":
            return 3 + sum(1 + _value_bytes(member) for member in value)
        case "M":
            return 3 + sum(1 + len(name.encode()) + _value_bytes(member) for name, member in value.items())
    return 1
