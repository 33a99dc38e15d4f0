"""The conversations in their DynamoDB table: read one segment, write one evaluation."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnectionError

from chatcensus.errors import NoRoom, StoreBusy
from chatcensus.evaluation import ATTRIBUTE, Evaluation
from chatcensus.mapping import Stored, TableMapping
from chatcensus.tally import Outcome

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MAX_ITEM_BYTES = 409_600
# An evaluation of our widest values takes about 900 bytes; the rest is left to the chat tool's next short turn.
ROOM_BYTES = 2_048

_BUSY = {
    "InternalServerError",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ServiceUnavailable",
    "ThrottlingException",
}
_UNREACHABLE = (NoConnectionError, HTTPClientError)  # botocore's, after its own repeats

_deserialize = TypeDeserializer().deserialize
_serialize = TypeSerializer().serialize


class ConversationStore:
    """
    One segment of a parallel scan over the table, and the write-back.

    Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Scan.html#Scan.ParallelScan.
    """

    def __init__(
        self, client: "DynamoDBClient", table: str, mapping: TableMapping, segment: int = 0, segments: int = 1
    ) -> None:
        self.client, self.table, self.mapping = client, table, mapping
        self.segment, self.segments = segment, segments

    def read(self) -> Iterator[Stored]:
        """Yield every item of the segment as it is now (consistent reads), a page at a time."""
        pages = self.client.get_paginator("scan").paginate(
            TableName=self.table, Segment=self.segment, TotalSegments=self.segments, ConsistentRead=True
        )
        for page in pages:
            for item in page["Items"]:
                yield Stored(
                    {name: _deserialize(value) for name, value in item.items()},
                    has_room=item_bytes({**item, ATTRIBUTE: {"NULL": True}}) + ROOM_BYTES <= MAX_ITEM_BYTES,
                )

    def write(self, stored: Stored, evaluation: Evaluation) -> Outcome:
        """
        Write *evaluation* on its item, if three conditions still hold; return what became of it.

            still_exists      a deleted conversation stays deleted
            unchanged         a conversation that went on is judged again, with its new text
            not_yet_judged    whoever was first with this key stays

        A false condition after our own lost reply is success: the item then carries what we wanted to write.
        Errors: StoreBusy when the table does not take it now, NoRoom when the item has grown too large.
        """
        mapping, key = self.mapping, evaluation.key
        still_exists = "attribute_exists(#key_name)"
        unchanged = "#marker = :marker" if mapping.marker in stored.item else "attribute_not_exists(#marker)"
        not_yet_judged = "(attribute_not_exists(#evaluation) OR NOT #evaluation.#key = :key)"
        names = {
            "#evaluation": ATTRIBUTE,
            "#key": "key",
            "#key_name": mapping.partition_key,
            "#marker": mapping.marker,
        }
        values = {":evaluation": _serialize(evaluation.attribute()), ":key": {"S": key}}
        if mapping.marker in stored.item:
            values[":marker"] = _serialize(stored.item[mapping.marker])
        try:
            self.client.update_item(
                TableName=self.table,
                Key={name: _serialize(value) for name, value in mapping.key(stored.item).items()},
                UpdateExpression="SET #evaluation = :evaluation",
                ConditionExpression=f"{still_exists} AND {unchanged} AND {not_yet_judged}",
                ExpressionAttributeNames=names,
                ExpressionAttributeValues=values,
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
            if code in _BUSY:
                raise StoreBusy(f"the table answered {code}") from None
            if code == "ValidationException" and "size" in message:
                raise NoRoom("the item has no room for an evaluation any more") from None
            if code != "ConditionalCheckFailedException":
                raise
            # The answer holds the item, so the error must never be shown or chained.
            old = cast("dict[str, Any]", error.response).get("Item") or {}
            found = {name: _deserialize(value) for name, value in old.items()}
        except _UNREACHABLE as error:
            raise StoreBusy(f"the table could not be reached ({type(error).__name__})") from None
        else:
            return Outcome.EVALUATED
        return _what_was_false(found, stored, mapping, evaluation)


def _what_was_false(found: Mapping[str, Any], stored: Stored, mapping: TableMapping, evaluation: Evaluation) -> Outcome:
    if not found:
        return Outcome.DELETED
    if found.get(mapping.marker) != stored.item.get(mapping.marker):
        return Outcome.CHANGED
    if found.get(ATTRIBUTE) == evaluation.attribute():
        return Outcome.EVALUATED
    return Outcome.ALREADY_EVALUATED


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
