"""
The order of a table's items, from their keys alone.

For each page of a scan moto compares all items one by one, and decodes every item of the pages before. Written against
moto 5.2.5.
"""

from typing import Any

from moto.dynamodb.models import Table
from moto.dynamodb.models.dynamo_type import DynamoType, Item

from local_aws.aws_error import AwsError
from local_aws.dynamodb.items import items_of, key_of

_comes_before_in_an_index = Table._item_comes_before_dct  # noqa: SLF001  there is no public hook


def _all_items(table: Table) -> list[Item]:
    return sorted(items_of(table), key=lambda item: key_of(item.hash_key, item.range_key))


def _comes_before(
    table: Table,
    item: Item,
    start: dict[str, Any],
    hash_names: list[str],
    range_names: list[str | None],
    is_forward: bool,
) -> bool:
    """Say whether *item* is at or before *start* in the direction of the scan."""
    if hash_names != [table.hash_key_attr]:
        return bool(_comes_before_in_an_index(table, item, start, hash_names, range_names, is_forward))
    if start.keys() != {table.hash_key_attr, table.range_key_attr} - {None}:
        raise AwsError("ValidationException", "The provided starting key is invalid: it is no key of the table")
    own = key_of(item.hash_key, item.range_key)
    other = key_of(*(name and DynamoType(start[name]) for name in (table.hash_key_attr, table.range_key_attr)))
    return own == other or (own < other) == is_forward


Table.all_items = _all_items
Table._item_comes_before_dct = _comes_before  # noqa: SLF001
