"""Read one segment: a part of a scan, or ranges of an index and then the items themselves, each as it is now."""

import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError

from chatcensus.aws.bodies import body_text
from chatcensus.aws.busy import patiently
from chatcensus.aws.conditions import between, holds, key_condition, only_filter
from chatcensus.aws.item_size import has_room
from chatcensus.errors import SetupError
from chatcensus.evaluation import stored_evaluation
from chatcensus.interval import Window
from chatcensus.mapping import Stored, TableMapping
from chatcensus.partition import IndexPart, Range, ScanPart

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

BATCH = 100  # keys of one BatchGetItem
UNPROCESSED_PAUSE_S = 0.1

TypedItem = Mapping[str, Any]  # an item in DynamoDB's typed form
_deserialize = TypeDeserializer().deserialize
_serialize = TypeSerializer().serialize


class SegmentReader:
    """
    The reading of one segment; *skipped* counts by name what it left out.

    Shape: *window* spares what is outside of it the requests that only a judgement needs; what is due is not decided
    here. *s3* is asked for the bodies that items point to.
    """

    def __init__(
        self,
        client: "DynamoDBClient",
        table: str,
        mapping: TableMapping,
        part: ScanPart | IndexPart,
        window: Window | None = None,
        s3: "S3Client | None" = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.client, self.table, self.mapping, self.part = client, table, mapping, part
        self.window, self.s3, self.sleep = window, s3, sleep
        self.skipped: Counter[str] = Counter()

    def read(self) -> Iterator[Stored | None]:
        """
        Yield each conversation of the segment; None where there is none for the moment, so that a claim is renewed.

        Errors: StoreBusy when the same page is refused for ten minutes, SetupError when the index is gone.
        """
        items = self._scanned(self.part) if isinstance(self.part, ScanPart) else self._indexed(self.part)
        if self.mapping.one_item_is == "message":
            yield from self._grouped(items)
            return
        for stored in items:
            yield (yield from self._with_body(stored)) if stored else None

    # There is no ProjectionExpression: whether an evaluation has room is known from the whole item, which has to be
    # known before a paid call. A projection would save no read unit either.
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Scan.html#Scan.ParallelScan

    def _scanned(self, part: ScanPart) -> Iterator[Stored | None]:
        request = {"Segment": part.segment, "TotalSegments": part.segments, "ConsistentRead": True}
        for page in self._pages(self.client.scan, request | only_filter(self.mapping.only)):
            if page:
                found = list(self._of_conversations(page["Items"]))
                self.skipped["other_item"] += page["ScannedCount"] - len(found)
                yield from found
            yield None

    def _indexed(self, part: IndexPart) -> Iterator[Stored | None]:
        seen: set[tuple[Any, ...]] = set()
        for within in part.ranges:
            sort_is, borders = between(within)
            request = key_condition(part, within.value, sort_is, **borders)
            for page in self._pages(self._query_index, request):
                keys = []
                for entry in page["Items"] if page else ():
                    key = {name: entry[name] for name in self.mapping.key_names}
                    name = tuple(str(value) for value in key.values())
                    if name not in seen and holds(part, within, _plain(entry)):
                        seen.add(name)
                        keys.append(key)
                for first in range(0, len(keys), BATCH):
                    yield from self._got(keys[first : first + BATCH], part, within)
                yield None

    def _got(self, keys: list[dict[str, Any]], part: IndexPart, within: Range) -> Iterator[Stored | None]:
        """Yield the items of *keys*, read consistently: an index shows for a while what was."""
        wanted, gone = keys, len(keys)
        while wanted:
            found, wanted = yield from patiently(partial(self._batch, wanted), self.sleep)
            gone -= len(found)
            for item in found:
                stored = next(self._of_conversations([item]), None)
                if stored is None:
                    self.skipped["other_item"] += 1
                elif not holds(part, within, stored.item):
                    self.skipped["left_index"] += 1
                else:
                    yield stored
            if wanted:
                self.sleep(UNPROCESSED_PAUSE_S)
        self.skipped["deleted"] += gone

    def _batch(self, keys: list[dict[str, Any]]) -> tuple[list[Any], list[Any]]:
        """Return the items found and the keys that were not looked at."""
        page = self.client.batch_get_item(RequestItems={self.table: {"Keys": keys, "ConsistentRead": True}})
        found = page["Responses"].get(self.table, [])
        unprocessed = page["UnprocessedKeys"].get(self.table)
        left = list(unprocessed["Keys"]) if unprocessed else []
        if left and not found:
            raise ClientError({"Error": {"Code": "ThrottlingException"}}, "BatchGetItem")
        return found, left

    def _query_index(self, **request: Any) -> Any:
        try:
            return self.client.query(**request)
        except ClientError as error:
            if error.response["Error"]["Code"] not in {"ValidationException", "ResourceNotFoundException"}:
                raise
            which = f"index {request['IndexName']!r} of table {self.table!r}"
            raise SetupError(f"{which} is not as it was when the run was planned: clear plan to plan again") from None

    def _grouped(self, items: Iterable[Stored | None]) -> Iterator[Stored | None]:
        """
        Yield the conversations whose messages are *items*.

        A scan gives the items of one partition key together and in order, over the ends of pages. Nothing promises
        that no two segments share them: `_whole` is right even so.
        """
        group: list[Stored] = []
        for stored in items:
            if stored is None:
                yield None
                continue
            if group and self._partition_key(stored) != self._partition_key(group[0]):
                yield from self._whole(group)
                group = []
            group.append(stored)
        if group:
            yield from self._whole(group)

    def _whole(self, group: Sequence[Stored]) -> Iterator[Stored | None]:
        """
        Yield the conversation of *group* as a Query of its partition key gives it, if it may be due.

        It belongs to the segment that holds its first message; nothing is yielded where *group* begins with another.
        """
        stored = _of_messages(group)
        conversation = self.mapping.conversation(stored)
        is_judged = stored_evaluation(stored.item, conversation.content_hash) is not None
        if not is_judged and self._is_inside(stored):
            name = self.mapping.partition_key
            request = {
                "KeyConditionExpression": "#key = :key",
                "ExpressionAttributeNames": {"#key": name},
                "ExpressionAttributeValues": {":key": _serialize(stored.item[name])},
                "ConsistentRead": True,
            }
            messages: list[Stored] = []
            for page in self._pages(self.client.query, request):
                if page is None:
                    yield None
                else:
                    messages += self._of_conversations(page["Items"])
            if not messages or self.mapping.key(messages[0].item) != self.mapping.key(stored.item):
                return
            stored = _of_messages(messages)
        yield stored

    def _with_body(self, stored: Stored) -> Generator[None, None, Stored]:
        if self.s3 is None or not self._is_inside(stored):
            return stored
        read = partial(body_text, self.s3, self.mapping, stored.item)
        return replace(stored, body=(yield from patiently(read, self.sleep)))

    def _is_inside(self, stored: Stored) -> bool:
        created_at = self.mapping.created_at.read(stored.item) if self.mapping.created_at else None
        return self.window is None or created_at in self.window

    def _of_conversations(self, items: Iterable[TypedItem]) -> Iterator[Stored]:
        for item in items:
            plain = _plain(item)
            if self.mapping.is_conversation(plain):
                yield Stored(plain, has_room(item))

    def _pages(self, operation: Callable[..., Any], request: dict[str, Any]) -> Iterator[Any | None]:
        """Yield the pages of a request, and None while one of them is waited for; each begins where the last ended."""
        more: dict[str, Any] = {}
        while True:
            page = yield from patiently(partial(operation, TableName=self.table, **request, **more), self.sleep)
            yield page
            if not page.get("LastEvaluatedKey"):
                return
            more = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    def _partition_key(self, stored: Stored) -> object:
        return stored.item[self.mapping.partition_key]


def _plain(item: TypedItem) -> dict[str, Any]:
    return {name: _deserialize(value) for name, value in item.items()}


def _of_messages(group: Sequence[Stored]) -> Stored:
    first = group[0]
    return Stored(first.item, first.has_room, messages=tuple(stored.item for stored in group))
