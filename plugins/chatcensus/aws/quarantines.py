"""Where quarantined conversations are found: on their items, and in the ledger those whose items have no room."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from boto3.dynamodb.types import TypeDeserializer

from chatcensus.aws.item_size import has_room
from chatcensus.aws.ledger import Ledger
from chatcensus.evaluation import ATTRIBUTE
from chatcensus.mapping import TableMapping
from chatcensus.quarantines import Quarantined

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_TOLD = ("outcome", "reason", "run_id", "evaluated_at")
_deserialize = TypeDeserializer().deserialize


class Room(StrEnum):
    """What has become of an item that had no room for an evaluation."""

    STILL_NONE = "still_no_room"
    PENDING = "has_room"
    JUDGED = "judged"
    GONE = "gone"


def on_items(
    client: "DynamoDBClient",
    table: str,
    mapping: TableMapping,
    reasons: Sequence[str] = (),
    tell: Callable[[int], None] = lambda _: None,
) -> Iterator[Quarantined]:
    """
    Yield what the items of *table* say, of *reasons* or of all; DynamoDB sends keys and evaluations, and no text.

    Shape: *tell* is given how many items DynamoDB has read so far.
    """
    names = {"#evaluation": ATTRIBUTE} | {f"#{name}": name for name in _TOLD}
    names |= {f"#key{number}": name for number, name in enumerate(mapping.key_names)}
    values: dict[str, Any] = {":quarantined": {"S": "quarantined"}}
    values |= {f":reason{number}": {"S": reason} for number, reason in enumerate(reasons)}
    condition = "#evaluation.#outcome = :quarantined"
    if reasons:
        condition += f" AND #evaluation.#reason IN ({', '.join(name for name in values if name != ':quarantined')})"
    request: dict[str, Any] = {
        "TableName": table,
        "FilterExpression": condition,
        "ProjectionExpression": ", ".join(
            [*(name for name in names if name.startswith("#key")), *(f"#evaluation.#{name}" for name in _TOLD)]
        ),
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": values,
    }
    read = 0
    for page in client.get_paginator("scan").paginate(**request):
        read += page["ScannedCount"]
        tell(read)
        for typed in page["Items"]:
            item = {name: _deserialize(value) for name, value in typed.items()}
            yield Quarantined.of(mapping.conversation_id(item), item[ATTRIBUTE], "item")


def in_ledger(ledger: Ledger, reasons: Sequence[str] = ()) -> Iterator[Quarantined]:
    """Yield what the ledger says, of *reasons* or of all."""
    for row in ledger.quarantines():
        if not reasons or row.get("reason") in reasons:
            yield Quarantined.of(row["sk"], row, "ledger")


def room_of(
    client: "DynamoDBClient", description: Mapping[str, Any], mapping: TableMapping, conversation_id: str
) -> Room:
    """Return what has become of the item of *conversation_id*; *description* of the table says what its keys are."""
    types = {part["AttributeName"]: part["AttributeType"] for part in description["AttributeDefinitions"]}
    key = key_of(conversation_id, mapping, types)
    conditions = [f"#{number} = :{number}" for number in range(len(key))]
    request: dict[str, Any] = {
        "TableName": description["TableName"],
        "KeyConditionExpression": " AND ".join(conditions),
        "ExpressionAttributeNames": {f"#{number}": name for number, name in enumerate(key)},
        "ExpressionAttributeValues": {f":{number}": value for number, value in enumerate(key.values())},
        "ConsistentRead": True,
    }
    for page in client.get_paginator("query").paginate(**request):
        for item in page["Items"]:
            if mapping.is_conversation({name: _deserialize(value) for name, value in item.items()}):
                if ATTRIBUTE in item:
                    return Room.JUDGED
                return Room.PENDING if has_room(item) else Room.STILL_NONE
    return Room.GONE


def key_of(conversation_id: str, mapping: TableMapping, types: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return the key that a conversation's id was made of, in DynamoDB's typed form; without the messages' sort key."""
    if mapping.sort_key is None or mapping.one_item_is == "message":
        return {mapping.partition_key: {types[mapping.partition_key]: conversation_id}}
    partition, _, sort = conversation_id.partition("/")
    return {
        mapping.partition_key: {types[mapping.partition_key]: unquote(partition)},
        mapping.sort_key: {types[mapping.sort_key]: sort},
    }
