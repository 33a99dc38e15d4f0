"""The size of an item as DynamoDB counts it, and whether an evaluation still fits."""

from collections.abc import Mapping
from typing import Any

from chatcensus.evaluation import ATTRIBUTE

MAX_ITEM_BYTES = 409_600
# An evaluation of our widest values takes about 900 bytes; the rest is left to the chat tool's next short turn.
ROOM_BYTES = 2_048


def has_room(item: Mapping[str, Any]) -> bool:
    """Return whether an evaluation fits on *item* (in DynamoDB's typed form), in the place of the one it may carry."""
    return item_bytes({**item, ATTRIBUTE: {"NULL": True}}) + ROOM_BYTES <= MAX_ITEM_BYTES


def item_bytes(item: Mapping[str, Any]) -> int:
    """
    Return the size of *item* (in DynamoDB's typed form) as the 400 KB limit counts it.

    Units: bytes; numbers are rounded up to their longest form.
    Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    return sum(len(name.encode()) + _value_bytes(value) for name, value in item.items())


def _value_bytes(value: Mapping[str, Any]) -> int:
    [(kind, content)] = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "B":
            return len(content)
        case "N":
            return min(21, len(content) // 2 + 2)
        case "M":
            return 3 + len(content) + item_bytes(content)
        case "L":
            return 3 + len(content) + sum(_value_bytes(element) for element in content)
        case "SS" | "NS" | "BS":
            return 3 + len(content) + sum(_value_bytes({kind[0]: element}) for element in content)
    return 1  # BOOL, NULL
