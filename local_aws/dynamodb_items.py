"""
What a DynamoDB write left behind, item by item: far quicker to put back than to repeat the request.

Reads and writes moto's tables directly (moto 5.2.5); the caller holds the lock.
"""

import base64
from collections.abc import Mapping
from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.dynamo_type import DynamoType, Item

_SINGLE = {"PutItem": "Item", "UpdateItem": "Key", "DeleteItem": "Key"}
_OF_BATCH = {"PutRequest": "Item", "DeleteRequest": "Key"}
_OF_TRANSACTION = {"Put": "Item", "Update": "Key", "Delete": "Key"}

Attributes = Mapping[str, Any]


def written(action: str, body: Mapping[str, Any]) -> list[tuple[str, Attributes]]:
    """Return the table and the attributes (its key among them) of every item that a write request names; else none."""
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


def present_state(region: str, names: list[tuple[str, Attributes]]) -> list[dict[str, Any]]:
    """Return table, key and item (None where it is gone) of each, as JSON."""
    states = []
    for name, attributes in names:
        table = dynamodb_backends[DEFAULT_ACCOUNT_ID][region].get_table(name)
        key = {attribute: attributes[attribute] for attribute in table.table_key_attrs}
        item = dynamodb_backends[DEFAULT_ACCOUNT_ID][region].get_item(name, _as_moto_has(key))
        states.append({"table": name, "key": key, "item": item and _attributes(item)})
    return states


def put_back(region: str, states: list[dict[str, Any]]) -> None:
    """Make every item be what it was, whatever it is now."""
    backend = dynamodb_backends[DEFAULT_ACCOUNT_ID][region]
    for state in states:
        if state["item"] is None:
            backend.delete_item(state["table"], _as_moto_has(state["key"]))
        else:
            backend.put_item(state["table"], _as_moto_has(state["item"]), overwrite=True)
    forget_copies()


def all_items(region: str, table: str) -> list[dict[str, Any]]:
    """Return every item of a table in DynamoDB's JSON."""
    return [_attributes(item) for item in dynamodb_backends[DEFAULT_ACCOUNT_ID][region].get_table(table).all_items()]


def _attributes(item: Item) -> dict[str, Any]:
    return {name: _plain(value) for name, value in item.attrs.items()}


def _plain(value: Any) -> Any:
    """Return a value of moto's as JSON has it: binary as base64 text, however deep it is."""
    if isinstance(value, DynamoType):
        return {value.type: _plain(value.value)}
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | set | tuple):
        return [_plain(inner) for inner in value]
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


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
