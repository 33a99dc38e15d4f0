"""
What a DynamoDB write names, and what it leaves behind, item by item: far quicker to put back than to repeat.

Reads and writes moto's tables directly (moto 5.2.5); the caller holds the lock.
"""

import base64
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.exceptions import JsonRESTError
from moto.dynamodb.models import DynamoDBBackend, Table, dynamodb_backends
from moto.dynamodb.models.dynamo_type import DynamoType, Item

from local_aws.aws_error import AwsError
from local_aws.dynamodb.item_image import Image, image_of, settle
from local_aws.dynamodb.table_history import Key, Place

_SINGLE = {"PutItem": "Item", "UpdateItem": "Key", "DeleteItem": "Key"}
_OF_BATCH = {"PutRequest": "Item", "DeleteRequest": "Key"}
_OF_TRANSACTION = {"Put": "Item", "Update": "Key", "Delete": "Key"}

# What moto takes at most; AWS takes 409,600.
_MOST_BYTES = 405_000
_KEY_TYPES = {"S", "N", "B"}

Attributes = Mapping[str, Any]


class Named(NamedTuple):
    """One item that a request names. Shape: *key* as DynamoDB's JSON; *place* is how a history knows the item."""

    key: dict[str, Any]
    place: Place

    @classmethod
    def of(cls, region: str, table_name: str, attributes: Attributes) -> "Named":
        backend = _backend(region)
        table = backend.get_table(table_name)
        _check_keys(table, attributes)
        key = {name: attributes[name] for name in table.table_key_attrs}
        if any(value.keys() - _KEY_TYPES for value in key.values()):
            raise TypeError("a key attribute is a string, a number or binary")
        return cls(key, (table.name, key_of(*backend.get_keys_value(table, _as_moto_has(key)))))


def named_items(region: str, action: str, body: Mapping[str, Any]) -> list[Named]:
    """
    Return every item that a write names; none when it is no write, or one that moto will refuse.

    Raises: AwsError (ValidationException) where moto would not refuse it.
    """
    try:
        names = [Named.of(region, table, attributes) for table, attributes in _written(action, body)]
    except (JsonRESTError, LookupError, TypeError, ValueError, ArithmeticError, AttributeError):
        return []
    if action == "BatchWriteItem" and len({name.place for name in names}) < len(names):
        raise AwsError("ValidationException", "Provided list of item keys contains duplicates")
    return names


def _check_keys(table: Table, attributes: Attributes) -> None:
    """Refuse keys, of the table or an index, that moto takes: of a wrong type in an index, or empty binary."""
    for definition in table.attr:
        name, kind = definition["AttributeName"], definition["AttributeType"]
        value = attributes.get(name)
        if value is None:
            continue
        if value.get("B") == "":
            raise AwsError(
                "ValidationException",
                "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an "
                f"empty binary value. Key: {name}",
            )
        if name not in table.table_key_attrs and kind not in value:
            raise AwsError(
                "ValidationException",
                f"One or more parameter values were invalid: Type mismatch for Index Key {name} Expected: {kind} "
                f"Actual: {next(iter(value))}",
            )


def _written(action: str, body: Mapping[str, Any]) -> list[tuple[str, Attributes]]:
    """Return the table and the attributes, its key among them, of every item that a write names."""
    if action in _SINGLE:
        return [(body["TableName"], body[_SINGLE[action]])]
    if action == "BatchWriteItem":
        return [
            (table, what[_OF_BATCH[kind]])
            for table, requests in body["RequestItems"].items()
            for request in requests
            for kind, what in request.items()
        ]
    if action == "TransactWriteItems":
        return [
            (what["TableName"], what[_OF_TRANSACTION[kind]])
            for item in body["TransactItems"]
            for kind, what in item.items()
            if kind in _OF_TRANSACTION
        ]
    return []


def images_of(region: str, names: list[Named]) -> dict[Place, Image | None]:
    """Return the present image of each named item, None where there is none."""
    found = {}
    for key, place in names:
        item = _backend(region).get_item(place[0], _as_moto_has(key))
        found[place] = item and image_of(item)
    return found


def images_in(region: str, name: str) -> list[Image]:
    """Return the image of every item of a table."""
    return [image_of(item) for item in items_of(_backend(region).get_table(name))]


def images_by_key(region: str, name: str) -> dict[Key, Image]:
    """Return the image of every item of a table by the item's key."""
    items = items_of(_backend(region).get_table(name))
    return {key_of(item.hash_key, item.range_key): image_of(item) for item in items}


def key_names(region: str, name: str) -> list[str]:
    """Return the names of a table's key attributes."""
    return list(_backend(region).get_table(name).table_key_attrs)


def states_of(names: list[Named], images: dict[Place, Image | None]) -> list[dict[str, Any]]:
    """Return table, key and item (None where it is gone) of each, as JSON that `put_back` takes."""
    found = []
    for key, place in names:
        image = images[place]
        found.append({"table": place[0], "key": key, "item": image and image.attributes()})
    return found


def put_back(region: str, states: list[dict[str, Any]]) -> None:
    """Make every item be what it was, whatever it is now."""
    backend = _backend(region)
    for state in states:
        if state["item"] is None:
            backend.delete_item(state["table"], _as_moto_has(state["key"]))
        else:
            backend.put_item(state["table"], _as_moto_has(state["item"]), overwrite=True)
    settle(is_change=True)
    forget_copies()


def put(region: str, name: Named, attributes: Attributes) -> Image:
    """
    Put an item straight at its place, many times quicker than moto does; return its image.

    Raises: AwsError (ValidationException) where moto would refuse the item.
    """
    table = _backend(region).get_table(name.place[0])
    kinds = {table.hash_key_attr: table.hash_key_type, table.range_key_attr: table.range_key_type}
    wrong = [attribute for attribute, value in name.key.items() if value.get(kinds[attribute], "") == ""]
    image = Image.of(dict(attributes))
    if wrong or image.size_bytes > _MOST_BYTES:
        reason = (
            f"the key {wrong[0]} is empty or of another type" if wrong else f"{image.size_bytes} bytes are too many"
        )
        raise AwsError("ValidationException", f"One or more parameter values were invalid: {reason}")
    item = Item.__new__(Item)
    item.hash_key, item.range_key = _backend(region).get_keys_value(table, _as_moto_has(name.key))
    item._attrs, item._image = None, image  # noqa: SLF001  the two private fields of moto's items are ours
    if item.range_key is None:
        table.items[item.hash_key] = item
    else:
        table.items[item.hash_key][item.range_key] = item
    return image


def _backend(region: str) -> DynamoDBBackend:
    return dynamodb_backends[DEFAULT_ACCOUNT_ID][region]


def items_of(table: Table) -> Iterator[Item]:
    """Yield the items in no order; moto's own way sorts them, which takes seconds for a large table."""
    for value in table.items.values():
        if table.has_range_key:
            yield from value.values()
        else:
            yield value


def key_of(hash_key: DynamoType, range_key: DynamoType | None) -> Key:
    """Return the values of a key, which compare and sort as DynamoDB's do."""
    return hash_key.cast_value, range_key and range_key.cast_value


def _as_moto_has(attributes: Attributes) -> dict[str, Any]:
    """Return attributes of JSON as moto keeps them: binary decoded, so that keys and conditions find it."""
    return {name: _kept(value) for name, value in attributes.items()}


def _kept(attribute: Attributes) -> dict[str, Any]:
    ((kind, value),) = attribute.items()
    match kind:
        case "B":
            value = base64.b64decode(value)
        case "BS":
            value = [base64.b64decode(member) for member in value]
        case "L":
            value = [_kept(member) for member in value]
        case "M":
            value = _as_moto_has(value)
    return {kind: value}


def forget_copies() -> None:
    """Drop moto's list of all items that ever were: each read copies items, and the list keeps every copy alive."""
    Item.instances_tracked.clear()
