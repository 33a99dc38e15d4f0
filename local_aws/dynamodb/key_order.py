"""
The order in which a table or an index keeps its items, by their keys alone.

As in DynamoDB a partition key decides by its hash where its items are, and a sort key what follows what among them: a
scan comes in the order of hashes, and each of its segments is one range of them.
"""

import base64
import hashlib
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from sortedcontainers import SortedList

from local_aws.dynamodb.rules import plain_number

# The place of the partition key's hash, then the values of the key attributes; a bound may be shorter.
Entry = tuple[Any, ...]

_PLACES = 1 << 32
_HIGHEST = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)


class _Top:
    """Come after every value."""

    def __lt__(self, other: object) -> bool:
        return False

    def __gt__(self, other: object) -> bool:
        return True


TOP = _Top()


class KeyOrder:
    """Hold entries in their order. Shape: a bound may be the beginning of an entry, which comes before the whole."""

    def __init__(self) -> None:
        self._entries = SortedList()

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, entry: Entry) -> None:
        self._entries.add(entry)

    def remove(self, entry: Entry) -> None:
        self._entries.remove(entry)

    def fill(self, entries: Iterator[Entry]) -> None:
        """Take many at once, which is far quicker than one by one."""
        self._entries.update(entries)

    def between(self, low: Entry, high: Entry, *, is_forward: bool = True) -> Iterator[Entry]:
        """Yield what is at *low* or after it, and before *high*."""
        return iter(self._entries.irange(low, high, inclusive=(True, False), reverse=not is_forward))


def place_of(values: Entry) -> int:
    """Return where the items of a partition key are."""
    text = "\0".join(str(value.normalize()) if isinstance(value, Decimal) else str(value) for value in values)
    return int.from_bytes(hashlib.md5(text.encode(), usedforsecurity=False).digest()[:4])


def segment_bounds(segment: int, segments: int) -> tuple[Entry, Entry]:
    """Return the bounds of one segment of a parallel scan."""
    return (segment * _PLACES // segments,), ((segment + 1) * _PLACES // segments,)


def value_of(attribute: Mapping[str, Any]) -> Any:
    """Return the value of a key attribute, which compares and sorts as DynamoDB's do."""
    ((kind, text),) = attribute.items()
    return Decimal(text) if kind == "N" else base64.b64decode(text) if kind == "B" else text


def attribute_of(value: Any) -> dict[str, str]:
    """Return the attribute that a key's value stands for."""
    if isinstance(value, Decimal):
        return {"N": plain_number(str(value))}
    return {"B": base64.b64encode(value).decode()} if isinstance(value, bytes) else {"S": value}


def after_prefix(prefix: Any) -> Any:
    """Return the first value, of text or binary, that comes after all that begin with *prefix*."""
    is_text = isinstance(prefix, str)
    units = [ord(unit) for unit in prefix] if is_text else list(prefix)
    while units and units[-1] == (_HIGHEST if is_text else 0xFF):
        units.pop()
    if not units:
        return TOP
    following = units[-1] + 1
    units[-1] = _SURROGATES.stop if is_text and following in _SURROGATES else following
    return "".join(map(chr, units)) if is_text else bytes(units)
