"""The write-back: one evaluation beside its conversation, under conditions, and no other attribute touched."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError

from chatcensus.aws.busy import BUSY, UNREACHABLE
from chatcensus.errors import NoRoom, StoreBusy
from chatcensus.evaluation import ATTRIBUTE, Evaluation
from chatcensus.mapping import Item, Stored, TableMapping
from chatcensus.partition import PendingIndex
from chatcensus.tally import Outcome

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_deserialize = TypeDeserializer().deserialize
_serialize = TypeSerializer().serialize


class WriteBack:
    """Writes to the conversation table; safe for threads."""

    def __init__(self, client: "DynamoDBClient", table: str, mapping: TableMapping) -> None:
        self.client, self.table, self.mapping = client, table, mapping

    def write(self, stored: Stored, evaluation: Evaluation) -> Outcome:
        """
        Write *evaluation* on its item, if three conditions still hold; return what became of it.

            still_exists      a deleted conversation stays deleted
            unchanged         a conversation that went on is judged again, with its new text
            not_yet_judged    whoever was first with this text stays; a re-evaluation replaces only what it has read

        A false condition after our own lost reply is success: the item then carries what we wanted to write. Under
        `pending-index`, the same update takes the conversation out of that index.
        Errors: StoreBusy when the table does not take it now, NoRoom when the item has grown too large.
        """
        if stored.messages and self._has_grown(stored):
            return Outcome.CHANGED
        update = _Update(self.mapping, stored)
        if evaluation.previous is None:
            update.require("(attribute_not_exists(#evaluation) OR NOT #evaluation.#content_hash = :content_hash)")
            update.name("content_hash", "content_hash")
            update.value("content_hash", evaluation.content_hash)
        else:
            update.require("#evaluation = :found")
            update.value("found", stored.item[ATTRIBUTE])
        update.name("evaluation", ATTRIBUTE)
        update.value("evaluation", evaluation.attribute())
        found = self._apply(update, "SET #evaluation = :evaluation" + self._remove_pending(update, stored))
        return Outcome.EVALUATED if found is None else _what_was_false(found, stored, self.mapping, evaluation)

    def release(self, stored: Stored) -> None:
        """
        Take a conversation on which nothing is to be done out of the index of what is pending, unless it has changed.

        Errors: StoreBusy when the table does not take it now.
        """
        update = _Update(self.mapping, stored)
        if remove := self._remove_pending(update, stored):
            update.require("#pending = :pending")
            update.value("pending", stored.item[update.names["#pending"]])
            self._apply(update, remove.strip())

    def _remove_pending(self, update: "_Update", stored: Stored) -> str:
        partition = self.mapping.partition
        if not isinstance(partition, PendingIndex) or partition.attribute not in stored.item:
            return ""
        update.name("pending", partition.attribute)
        return " REMOVE #pending"

    def _apply(self, update: "_Update", expression: str) -> dict[str, Any] | None:
        """Make the update; return the item as it is when a condition was false, and None when it was made."""
        try:
            self.client.update_item(
                TableName=self.table,
                Key={name: _serialize(value) for name, value in self.mapping.key(update.stored.item).items()},
                UpdateExpression=expression,
                ConditionExpression=" AND ".join(update.conditions),
                ExpressionAttributeNames=update.names,
                ExpressionAttributeValues=update.values,
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
            if code in BUSY:
                raise StoreBusy(f"the table answered {code}") from None
            if code == "ValidationException" and "size" in message:
                raise NoRoom("the item has no room for an evaluation any more") from None
            if code != "ConditionalCheckFailedException":
                raise
            # The answer holds the item, so the error must never be shown or chained.
            old = cast("dict[str, Any]", error.response).get("Item") or {}
            return {name: _deserialize(value) for name, value in old.items()}
        except UNREACHABLE as error:
            raise StoreBusy(f"the table could not be reached ({type(error).__name__})") from None
        return None

    def _has_grown(self, stored: Stored) -> bool:
        """Read the messages again: what has been said since the conversation was read is on items of its own."""
        mapping, name = self.mapping, self.mapping.partition_key
        pages = self.client.get_paginator("query").paginate(
            TableName=self.table,
            ConsistentRead=True,
            KeyConditionExpression="#key = :key",
            ExpressionAttributeNames={"#key": name},
            ExpressionAttributeValues={":key": _serialize(stored.item[name])},
        )
        try:
            items = [
                {key: _deserialize(value) for key, value in item.items()} for page in pages for item in page["Items"]
            ]
        except ClientError as error:
            if (code := error.response["Error"]["Code"]) in BUSY:
                raise StoreBusy(f"the table answered {code}") from None
            raise
        except UNREACHABLE as error:
            raise StoreBusy(f"the table could not be reached ({type(error).__name__})") from None
        now = [_state(item, mapping) for item in items if mapping.is_conversation(item)]
        # Whether the first one is still there is asked by the write, which tells a deletion from a change.
        return now[1:] != [_state(item, mapping) for item in stored.messages[1:]] and bool(now)


class _Update:
    """The conditions, names and values of one update; that the conversation is there and unchanged is always asked."""

    def __init__(self, mapping: TableMapping, stored: Stored) -> None:
        self.stored, self.names, self.conditions = stored, {"#key_name": mapping.partition_key}, list[str]()
        self.values: dict[str, Any] = {}
        self.require("attribute_exists(#key_name)")
        for index, attribute in enumerate(_watched(mapping)):
            name = f"marker{index or ''}"
            self.name(name, attribute)
            if attribute in stored.item:
                self.require(f"#{name} = :{name}")
                self.value(name, stored.item[attribute])
            else:
                self.require(f"attribute_not_exists(#{name})")

    def require(self, condition: str) -> None:
        self.conditions.append(condition)

    def name(self, name: str, attribute: str) -> None:
        self.names[f"#{name}"] = attribute

    def value(self, name: str, value: object) -> None:
        self.values[f":{name}"] = _serialize(value)


def _watched(mapping: TableMapping) -> tuple[str, ...]:
    """Return the attributes of which none may have changed since the conversation was read."""
    if mapping.change_marker:
        return (mapping.change_marker,)
    others = (mapping.last_message, mapping.body.key if mapping.body else None)
    return (mapping.marker, *(name for name in others if name))


def _state(item: Item, mapping: TableMapping) -> tuple[Any, ...]:
    return (*mapping.key(item).values(), item.get(mapping.marker))


def _what_was_false(found: Mapping[str, Any], stored: Stored, mapping: TableMapping, evaluation: Evaluation) -> Outcome:
    if not found:
        return Outcome.DELETED
    if any(found.get(name) != stored.item.get(name) for name in _watched(mapping)):
        return Outcome.CHANGED
    if found.get(ATTRIBUTE) == evaluation.attribute():
        return Outcome.EVALUATED
    return Outcome.ALREADY_EVALUATED
