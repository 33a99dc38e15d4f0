"""
One state of an item as JSON in UTF-8: immutable, so that table, history and export share it instead of copying it.

moto keeps each item as a tree of objects of 6 KB and more. Here it keeps an image, decodes it when it asks for the
attributes, and is left with an image again at the end of the request (`settle`). Written against moto 5.2.5; the caller
holds the lock.
"""

# ruff: noqa: SLF001  the two private fields of moto's items are ours
import base64
import json
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from moto.dynamodb.models.dynamo_type import DynamoType, Item, LimitedSizeDict

from local_aws.dynamodb.item_size import item_bytes


@dataclass(frozen=True, slots=True)
class Image:
    """
    Hold one state of an item.

    Shape: *text* is DynamoDB's JSON of the attributes, binary as base64.
    Units: *size_bytes* as DynamoDB bills it.
    """

    text: bytes
    size_bytes: int

    @classmethod
    def of(cls, attributes: dict[str, Any]) -> "Image":
        text = json.dumps(attributes, ensure_ascii=False, separators=(",", ":"))
        return cls(text.encode(), item_bytes(attributes))

    def attributes(self) -> dict[str, Any]:
        """Return the attributes as DynamoDB's JSON has them."""
        return dict(json.loads(self.text))

    def says_the_same(self, other: "Image") -> bool:
        """Compare without regard to the order of attributes, which means nothing."""
        if self.size_bytes != other.size_bytes:
            return False
        return self.text == other.text or self.attributes() == other.attributes()


def image_of(item: Item) -> Image:
    """Return the state of one of moto's items, as it was when the last request ended."""
    return item._image or _encoded(item)


def _encoded(item: Item) -> Image:
    return Image.of({name: _plain(value) for name, value in item._attrs.items()})


class _Decoded:
    """The items whose attributes moto asked for last: a small table is decoded once, a large one never wholly."""

    MOST_BYTES = 16 * 1024 * 1024

    def __init__(self) -> None:
        self._items: dict[int, tuple[Item, int]] = {}
        self._bytes = 0

    def add(self, item: Item) -> None:
        _, known = self._items.pop(id(item), (item, 0))
        self._items[id(item)] = item, item._image.size_bytes
        self._bytes += item._image.size_bytes - known
        while self._bytes > self.MOST_BYTES:
            oldest, size = self._items.pop(next(iter(self._items)))
            oldest._attrs = None
            self._bytes -= size

    def clear(self) -> None:
        self._items.clear()
        self._bytes = 0


_touched: dict[int, Item] = {}
_decoded = _Decoded()


def settle(*, is_change: bool) -> None:
    """End a request: every item that moto has decoded has the image of what it is now, or was before a mere read."""
    while _touched:
        _, item = _touched.popitem()
        if is_change:
            item._image = _encoded(item)
        if item._image is not None:  # what has none is a copy that nobody keeps
            _decoded.add(item)


def forget_decoded() -> None:
    """Let go of the items of tables that are gone."""
    _touched.clear()
    _decoded.clear()


def _plain(value: Any) -> Any:
    """Return a value of moto's as JSON has it: binary as base64 text, however deep it is."""
    if isinstance(value, DynamoType):
        return {value.type: _plain(value.value)}
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | set | tuple):
        return [_plain(inner) for inner in value]
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def _as_moto_has(attributes: dict[str, Any]) -> LimitedSizeDict:
    # Without its check of the item's size, which looks at every attribute for every attribute.
    decoded = LimitedSizeDict()
    for name, attribute in attributes.items():
        dict.__setitem__(decoded, name, _typed(attribute))
    return decoded


def _typed(attribute: dict[str, Any]) -> DynamoType:
    ((kind, value),) = attribute.items()
    match kind:
        case "B":
            value = base64.b64decode(value)
        case "BS":
            value = [base64.b64decode(member) for member in value]
        case "L":
            value = [_typed(member) for member in value]
        case "M":
            value = {name: _typed(member) for name, member in value.items()}
    typed = DynamoType.__new__(DynamoType)
    typed.type, typed.value = kind, value
    return typed


def _get_attrs(item: Item) -> LimitedSizeDict:
    if item._attrs is None:
        item._attrs = _as_moto_has(item._image.attributes())
    _touched[id(item)] = item
    return item._attrs


def _set_attrs(item: Item, attrs: LimitedSizeDict) -> None:
    item._attrs, item._image = attrs, None
    _touched[id(item)] = item


def _copy(item: Item, memo: dict[int, Any]) -> Item:
    copied = Item.__new__(Item)
    copied.hash_key, copied.range_key = item.hash_key, item.range_key
    if item._image is not None and id(item) not in _touched:
        copied._attrs, copied._image = None, item._image
        return copied
    attrs = LimitedSizeDict()
    for name, value in item._attrs.items():
        dict.__setitem__(attrs, name, deepcopy(value, memo))
    copied.attrs = attrs
    return copied


Item.attrs = property(_get_attrs, _set_attrs)
Item.size = lambda item: image_of(item).size_bytes
Item.__deepcopy__ = _copy
