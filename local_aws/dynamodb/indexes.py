"""
A table's items in the order of its key and of each secondary index, kept up with every write.

What an index holds of an item is not copied: its entry has the keys, and the rest is read from the item's image. The
caller holds the lock. Written against moto 5.2.5.
"""

from collections.abc import Iterator, Mapping
from typing import Any
from weakref import WeakKeyDictionary

from moto.core import DEFAULT_ACCOUNT_ID
from moto.dynamodb.models import Table, dynamodb_backends
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import GlobalSecondaryIndex, SecondaryIndex

from local_aws.dynamodb.item_image import Image, image_of
from local_aws.dynamodb.item_size import item_bytes
from local_aws.dynamodb.items import items_of
from local_aws.dynamodb.key_order import Entry, KeyOrder, attribute_of, place_of, value_of
from local_aws.dynamodb.table_history import Key, Place

Attributes = Mapping[str, Any]


class Index:
    """
    Hold the order of a table's items by its own key (*index* None) or by that of a secondary index.

    Shape: *names* of the attributes in an entry, behind the place; *projected* None where an index holds whole items.
    Units: *size_bytes* of what it holds of them, as DynamoDB bills it.
    """

    def __init__(self, table: Table, index: SecondaryIndex | None) -> None:
        schema = table.schema if index is None else index.schema
        types = {one["AttributeName"]: one["AttributeType"] for one in table.attr}
        types.update({table.hash_key_attr: table.hash_key_type, table.range_key_attr: table.range_key_type})
        self.schema = schema
        self.hash_names = [one["AttributeName"] for one in schema if one["KeyType"] == "HASH"]
        ranges = [one["AttributeName"] for one in schema if one["KeyType"] == "RANGE"]
        self.names = list(dict.fromkeys([*self.hash_names, *ranges, *table.table_key_attrs]))
        self.types = {name: types[name] for name in self.names}
        self.is_global = isinstance(index, GlobalSecondaryIndex)
        kind = index.projection.get("ProjectionType") if index else "ALL"
        others = index.projection.get("NonKeyAttributes", []) if index and kind == "INCLUDE" else []
        self.projected = None if kind == "ALL" else {*self.names, *others}
        self.has_keys_only = self.projected is not None and len(self.projected) == len(self.names)
        self.keys = KeyOrder()
        self.size_bytes = 0
        self._names_bytes = sum(len(name.encode()) for name in self.names)
        self._table_keys = [self.names.index(name) + 1 for name in table.table_key_attrs]

    def entry_of(self, attributes: Attributes) -> Entry | None:
        """Return the entry of an item; None where it is not in the index: it lacks a key, or has another type there."""
        if any(self.types[name] not in attributes.get(name, ()) for name in self.names):
            return None
        values = [value_of(attributes[name]) for name in self.names]
        return (place_of(values[: len(self.hash_names)]), *values)

    def attributes_of(self, entry: Entry) -> dict[str, Any]:
        """Return the key attributes that an entry stands for."""
        return {name: attribute_of(value) for name, value in zip(self.names, entry[1:], strict=True)}

    def entry_bytes(self, entry: Entry) -> int:
        """Return the size of the key attributes that an entry stands for, as DynamoDB bills it."""
        if all(isinstance(value, str) for value in entry[1:]):
            return self._names_bytes + sum(len(value.encode()) for value in entry[1:])
        return item_bytes(self.attributes_of(entry))

    def key_of(self, entry: Entry) -> Key:
        """Return the key of the item that an entry stands for."""
        values = [entry[number] for number in self._table_keys]
        return values[0], values[1] if len(values) > 1 else None

    def held(self, attributes: Attributes) -> Attributes:
        """Return what the index holds of an item."""
        if self.projected is None:
            return attributes
        return {name: value for name, value in attributes.items() if name in self.projected}

    def note(self, old: tuple[Image, Attributes] | None, new: tuple[Image, Attributes] | None) -> None:
        """Follow one write of an item."""
        before, after = (state and self.entry_of(state[1]) for state in (old, new))
        if old and before:
            self.size_bytes -= self._size(*old)
        if new and after:
            self.size_bytes += self._size(*new)
        if before == after:
            return
        if before:
            self.keys.remove(before)
        if after:
            self.keys.add(after)

    def fill(self, table: Table) -> None:
        """Take all items that the table has."""
        self.keys.fill(self._entries(table))

    def _entries(self, table: Table) -> Iterator[Entry]:
        for item in items_of(table):
            image = image_of(item)
            attributes = image.attributes()
            entry = self.entry_of(attributes)
            if entry:
                self.size_bytes += self._size(image, attributes)
                yield entry

    def _size(self, image: Image, attributes: Attributes) -> int:
        return image.size_bytes if self.projected is None else item_bytes(self.held(attributes))


class TableIndexes:
    """Hold every order of one table. Units: *ready_at* has the microseconds when an index is no longer being built."""

    def __init__(self, table: Table) -> None:
        self._table_keys = table.table_key_attrs
        self.base = Index(table, None)
        self.base.fill(table)
        self.ready_at: dict[str, int] = {}
        self._secondary: dict[str, tuple[SecondaryIndex, Index]] = {}
        self.follow(table, 0)

    def follow(self, table: Table, ready_at: int) -> None:
        """Make what the table has now, and drop what it no longer has."""
        known, self._secondary = self._secondary, {}
        kept = [own for index in table.all_indexes() for of, own in known.values() if of is index]
        _complete_definitions(table, [self.base, *kept])
        for index in table.all_indexes():
            of, own = known.get(index.name, (None, None))
            if own is None or of is not index:
                own = Index(table, index)
                own.fill(table)
                self.ready_at[index.name] = ready_at
            self._secondary[index.name] = index, own

    def get(self, name: str) -> Index | None:
        return self._secondary[name][1] if name in self._secondary else None

    def describe(self, description: dict[str, Any], now: int) -> None:
        """Write into moto's description of the table how much it holds, and which index is being built."""
        description.update(ItemCount=len(self.base.keys), TableSizeBytes=self.base.size_bytes)
        for kind in ("GlobalSecondaryIndexes", "LocalSecondaryIndexes"):
            for said in description.get(kind) or []:
                own = self._secondary[said["IndexName"]][1]
                said.update(ItemCount=len(own.keys), IndexSizeBytes=own.size_bytes)
                if self.ready_at[said["IndexName"]] > now:
                    said.update(IndexStatus="CREATING", Backfilling=True)

    def note(self, key: Key, old: Image | None, new: Image | None) -> None:
        """Follow one write of the item with a key."""
        orders = [own for _, own in self._secondary.values()]
        if not orders:  # nothing but the key is of interest: spare the item its decoding
            present = dict(
                zip(self._table_keys, (attribute_of(value) for value in key if value is not None), strict=True)
            )
            self.base.note(old and (old, present), new and (new, present))
            return
        before, after = (image and (image, image.attributes()) for image in (old, new))
        for order in (self.base, *orders):
            order.note(before, after)


def _complete_definitions(table: Table, orders: list[Index]) -> None:
    """Keep the definitions of key attributes that an UpdateTable does not repeat: moto takes the new ones for all."""
    defined = {one["AttributeName"] for one in table.attr}
    types = {name: kind for order in orders for name, kind in order.types.items() if name not in defined}
    table.attr = [*table.attr, *({"AttributeName": name, "AttributeType": kind} for name, kind in types.items())]


class AllIndexes:
    """Hold the orders of every table, made when first needed."""

    def __init__(self) -> None:
        self._of: WeakKeyDictionary[Table, TableIndexes] = WeakKeyDictionary()
        self.build_s = 0.0

    def clear(self) -> None:
        """Make all of them anew, from the tables, when they are next needed."""
        self._of.clear()

    def of(self, table: Table) -> TableIndexes:
        if table not in self._of:
            self._of[table] = TableIndexes(table)
        return self._of[table]

    def note(self, region: str, before: dict[Place, Image | None], after: dict[Place, Image | None]) -> None:
        """Follow what a request did to items."""
        tables = dynamodb_backends[DEFAULT_ACCOUNT_ID][region].tables
        known = {name: self._of.get(tables[name]) for name, _ in {**before, **after}}
        for place in {**before, **after}:
            name, key = place
            orders, old, new = known[name], before.get(place), after.get(place)
            if orders and old is not new:  # orders that are made later find the write in the table
                orders.note(key, old, new)

    def follow(self, at: int) -> None:
        """Follow what a request did to tables. Units: *at* in microseconds since 1970."""
        for backend in dynamodb_backends[DEFAULT_ACCOUNT_ID].values():
            for table in backend.tables.values():
                self.of(table).follow(table, at + int(self.build_s * 1_000_000))


def item_with(table: Table, key: Key) -> Image | None:
    """Return the image of the item with a key, None where there is none."""
    hash_key, range_key = map(_as_moto_has, key)
    found = table.items.get(hash_key)
    if found is not None and range_key is not None:
        found = found.get(range_key)
    return found and image_of(found)


def _as_moto_has(value: Any) -> DynamoType | None:
    if value is None or isinstance(value, bytes):
        return None if value is None else DynamoType({"B": value})
    return DynamoType(attribute_of(value))
