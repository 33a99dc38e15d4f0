"""
Scan, Query, GetItem and BatchGetItem, at the cost of the items that they read.

moto sorts and decodes the whole table for each page; here a page is a range of an order (`indexes.py`), and an item
that is wanted whole leaves as the bytes that it is kept as. The caller holds the lock.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.exceptions import JsonRESTError
from moto.dynamodb.models import Table, dynamodb_backends

from local_aws.aws_error import AwsError
from local_aws.dynamodb.conditions import holds, parse_filter
from local_aws.dynamodb.indexes import AllIndexes, Index, item_with
from local_aws.dynamodb.item_image import Image
from local_aws.dynamodb.item_size import item_bytes
from local_aws.dynamodb.key_order import Entry
from local_aws.dynamodb.projections import Tree, parse_projection, projected
from local_aws.dynamodb.read_request import check_parameters, check_selection, entries_of
from local_aws.wsgi import Response

ACTIONS = {"Scan", "Query", "GetItem", "BatchGetItem"}

# Source: Amazon DynamoDB developer guide, "Paginating table query results" (1 MB), BatchGetItem (16 MB, 100 items).
_MOST_PAGE_BYTES = 1024 * 1024
_MOST_BATCH_BYTES = 16 * 1024 * 1024
_MOST_BATCH_ITEMS = 100
_UNIT_BYTES = 4096

Body = Mapping[str, Any]
Attributes = Mapping[str, Any]


class Reads:
    """
    Answer reads, and count what they read.

    Shape: *counts* by `table` or `table/index`: `items` and `read_units`. *now* gives microseconds since 1970.
    """

    def __init__(self, indexes: AllIndexes, now: Callable[[], int]) -> None:
        self._indexes, self._now = indexes, now
        self.counts: dict[str, Counter[str]] = {}

    def answer(self, region: str, action: str, body: Body) -> Response:
        """Return the reply. Raises: AwsError as DynamoDB does."""
        for request in (*body.get("RequestItems", {}).values(), body):
            check_parameters(action, request)
        if action == "BatchGetItem":
            return self._batch(region, body)
        table = _table(region, body["TableName"])
        return self._get(table, body) if action == "GetItem" else self._page(table, action, body)

    def _get(self, table: Table, body: Body) -> Response:
        _, image = self._item(table, body["Key"])
        units = _units(image.size_bytes if image else 0, body)
        self._count(table.name, 1 if image else 0, units)
        members = [b'"Item":' + _wanted(image, _tree(body))] if image else []
        return _reply(_capacity(table, None, units, body), members)

    def _batch(self, region: str, body: Body) -> Response:
        if sum(len(request["Keys"]) for request in body["RequestItems"].values()) > _MOST_BATCH_ITEMS:
            raise AwsError("ValidationException", "Too many items requested for the BatchGetItem call")
        left: dict[str, Any] = {}
        found, capacities, size = [], [], 0
        for name, request in body["RequestItems"].items():
            table, tree, items, units = _table(region, name), _tree(request), [], 0.0
            keys = [self._item(table, key) for key in request["Keys"]]
            if len({entry for entry, _ in keys}) < len(keys):
                raise AwsError("ValidationException", "Provided list of item keys contains duplicates")
            for key, (_, image) in zip(request["Keys"], keys, strict=True):
                size += image.size_bytes if image else 0
                if size > _MOST_BATCH_BYTES:
                    left.setdefault(name, {**request, "Keys": []})["Keys"].append(key)
                    continue
                units += _units(image.size_bytes if image else 0, request)
                if image:
                    items.append(_wanted(image, tree))
            self._count(table.name, len(items), units)
            found.append(json.dumps(name).encode() + b":" + _listed(items))
            capacities += _capacity(table, None, units, body).values()
        head: dict[str, Any] = {"UnprocessedKeys": left}
        if capacities:
            head["ConsumedCapacity"] = capacities
        return _reply(head, [b'"Responses":{' + b",".join(found) + b"}"])

    def _item(self, table: Table, key: Attributes) -> tuple[Entry, Image | None]:
        base = self._indexes.of(table).base
        for name, value in key.items():
            if {*value.values()} == {""}:
                raise AwsError(
                    "ValidationException",
                    "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain "
                    f"an empty string value. Key: {name}",
                )
        entry = base.entry_of(key)
        if entry is None or len(key) != len(base.names):
            raise AwsError("ValidationException", "The provided key element does not match the schema")
        return entry, item_with(table, base.key_of(entry))

    def _page(self, table: Table, action: str, body: Body) -> Response:
        index = self._index(table, body)
        tree, condition = _tree(body), parse_filter(body.get("FilterExpression"), _names(body), _values(body))
        is_fetching = check_selection(table, index, action, body, tree, condition)
        entries = entries_of(index, action, body)
        is_counting = body.get("Select") == "COUNT"
        items, fetched, size, count, scanned, last = [], 0.0, 0, 0, 0, None
        for entry in entries:
            held = _Held(table, index, entry, is_fetching=is_fetching)
            more = held.size_bytes
            if scanned and size + more > _MOST_PAGE_BYTES:
                break
            size += more
            scanned, last = scanned + 1, entry
            fetched += _units(held.image.size_bytes, body) if is_fetching else 0
            if condition is None or holds(condition, held.attributes):
                count += 1
                if not is_counting:
                    items.append(held.text(tree))
            if scanned == body.get("Limit"):
                break
        else:
            last = None
        units = _units(size, body) + fetched
        name = body.get("IndexName")
        self._count(f"{table.name}/{name}" if name else table.name, scanned, units)
        head = {"Count": count, "ScannedCount": scanned, **_capacity(table, index if name else None, units, body)}
        if last:
            head["LastEvaluatedKey"] = index.attributes_of(last)
        return _reply(head, [] if is_counting else [b'"Items":' + _listed(items)])

    def _index(self, table: Table, body: Body) -> Index:
        """Return the order that is asked for, refused where it cannot be read."""
        orders, name = self._indexes.of(table), body.get("IndexName")
        if not name:
            return orders.base
        index = orders.get(name)
        if index is None:
            raise AwsError("ValidationException", f"The table does not have the specified index: {name}")
        if orders.ready_at[name] > self._now():
            raise AwsError("ValidationException", f"Cannot read from backfilling global secondary index: {name}")
        if index.is_global and body.get("ConsistentRead"):
            raise AwsError("ValidationException", "Consistent reads are not supported on global secondary indexes")
        return index

    def _count(self, place: str, items: int, units: float) -> None:
        self.counts.setdefault(place, Counter()).update(items=items, read_units=units)  # type: ignore[arg-type]


class _Held:
    """One item as an order holds it, decoded no further than it must be."""

    def __init__(self, table: Table, index: Index, entry: Entry, *, is_fetching: bool) -> None:
        self._table, self._index, self._entry = table, index, entry
        self._is_whole = index.projected is None or is_fetching

    @cached_property
    def image(self) -> Image:
        image = item_with(self._table, self._index.key_of(self._entry))
        if image is None:
            raise RuntimeError("an order has an item that its table has not")
        return image

    @cached_property
    def _projected(self) -> Attributes:
        if self._index.has_keys_only:
            return self._index.attributes_of(self._entry)
        return self._index.held(self.image.attributes())

    @cached_property
    def attributes(self) -> Attributes:
        return self.image.attributes() if self._is_whole else self._projected

    @property
    def size_bytes(self) -> int:
        if self._index.has_keys_only:
            return self._index.entry_bytes(self._entry)
        return self.image.size_bytes if self._index.projected is None else item_bytes(self._projected)

    def text(self, tree: Tree) -> bytes:
        if self._is_whole and not tree:
            return self.image.text
        return _encoded(projected(self.attributes, tree) if tree else self.attributes)


def _table(region: str, name: str) -> Table:
    try:
        return dynamodb_backends[DEFAULT_ACCOUNT_ID][region].get_table(name)
    except JsonRESTError as error:
        raise AwsError("ResourceNotFoundException", error.message) from None


def _names(body: Body) -> Mapping[str, str]:
    return dict(body.get("ExpressionAttributeNames", {}))


def _values(body: Body) -> Attributes:
    return dict(body.get("ExpressionAttributeValues", {}))


def _tree(body: Body) -> Tree:
    text = body.get("ProjectionExpression")
    return parse_projection(text, _names(body)) if text else {}


def _wanted(image: Image, tree: Tree) -> bytes:
    return _encoded(projected(image.attributes(), tree)) if tree else image.text


def _encoded(attributes: Attributes) -> bytes:
    return json.dumps(attributes, ensure_ascii=False, separators=(",", ":")).encode()


def _listed(texts: list[bytes]) -> bytes:
    return b"[" + b",".join(texts) + b"]"


def _units(size_bytes: int, body: Body) -> float:
    """Return the read units of one item, or of a page as a whole; what is not there costs as the smallest."""
    return max(1, -(-size_bytes // _UNIT_BYTES)) * (1.0 if body.get("ConsistentRead") else 0.5)


def _capacity(table: Table, index: Index | None, units: float, body: Body) -> dict[str, Any]:
    wanted = body.get("ReturnConsumedCapacity", "NONE")
    if wanted == "NONE":
        return {}
    said: dict[str, Any] = {"TableName": table.name, "CapacityUnits": units}
    if wanted == "INDEXES":
        said["Table"] = {"CapacityUnits": 0.0 if index else units}
        if index:
            kind = "GlobalSecondaryIndexes" if index.is_global else "LocalSecondaryIndexes"
            said[kind] = {body["IndexName"]: {"CapacityUnits": units}}
    return {"ConsumedCapacity": said}


def _reply(head: Mapping[str, Any], members: list[bytes]) -> Response:
    """Join what is said of the items and the items, which are JSON already."""
    parts = [*([json.dumps(head).encode()[1:-1]] if head else []), *members]
    body = b"{" + b",".join(parts) + b"}"
    headers = [("Content-Type", "application/x-amz-json-1.0"), ("Content-Length", str(len(body)))]
    return Response("200 OK", headers, body)
