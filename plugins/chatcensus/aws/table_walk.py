"""A look at the conversation table as a run would read it: segment by segment, all of it or a random part."""

import math
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from chatcensus.aws.conversation_store import ConversationStore
from chatcensus.aws.reading import BATCH
from chatcensus.aws.segments import cut_table
from chatcensus.errors import SetupError
from chatcensus.job import Job
from chatcensus.mapping import TableMapping
from chatcensus.partition import Segment
from chatcensus.selection import Found, Selection

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

PER_SEGMENT = 5000  # what one of them holds in memory
SAMPLED_SEGMENTS = 20  # a sample is of so many parts of the table


def describe(client: "DynamoDBClient", table: str, mapping: TableMapping) -> Mapping[str, Any]:
    """Return the table as DescribeTable gives it. Errors: SetupError when its key is not the mapping's."""
    description = client.describe_table(TableName=table)["Table"]
    keys = [key["AttributeName"] for key in description["KeySchema"]]
    if keys != mapping.key_names:
        raise SetupError(
            f"the table has the key {keys}, table.yaml says {mapping.key_names}: see `chatcensus table check`"
        )
    return description


class TableWalk:
    """
    The conversations that the job chooses, read without a claim and without a write.

    Shape: with *at_least*, it ends after so many items, of a scan at the end of a page; 0 reads everything. *segments*
    of an index are those that a run was cut into already. *items* is how many there are, *items_read* how many were
    read; *skipped* counts what was not chosen, by its reason.
    """

    def __init__(
        self,
        client: "DynamoDBClient",
        description: Mapping[str, Any],
        job: Job,
        s3: "S3Client | None" = None,
        at_least: int = 0,
        choice: random.Random | None = None,
        tell: Callable[[int], None] = lambda _: None,
        segments: Sequence[Segment] | None = None,
    ) -> None:
        self.client, self.job, self.s3, self.at_least, self.tell = client, job, s3, at_least, tell
        self.table = description["TableName"]
        per_segment = max(1, at_least // SAMPLED_SEGMENTS) if 0 < at_least < description["ItemCount"] else PER_SEGMENT
        where = job.where is not None
        self.segments = list(segments or ())
        if not self.segments or self.segments[0].read.strategy == "scan":  # many small parts of a scan cost nothing
            self.segments = cut_table(client, description, job.mapping, per_segment, job.window, is_reevaluation=where)
        self.strategy = self.segments[0].read.strategy
        self._is_scan = self.strategy == "scan"
        self.items = description["ItemCount"] if self._is_scan else sum(each.expected for each in self.segments)
        (choice or random.SystemRandom()).shuffle(self.segments)
        self.items_read, self.is_whole, self.skipped = 0, False, Counter[str]()

    @property
    def whole(self) -> int:
        """How many items there are: what was counted where all were read, else DynamoDB's own count."""
        return self.items_read if self.is_whole else self.items

    @property
    def times(self) -> float:
        """How many times as large the table is as what was read of it."""
        return 1.0 if self.is_whole else max(1.0, self.items / max(1, self.items_read))

    def found(self) -> Iterator[Found]:
        """Yield each conversation that is chosen; what a segment held is forgotten at its end."""
        is_whole = True
        for segment in self.segments:
            mapping, window = self.job.mapping, self.job.window
            store = ConversationStore(self.client, self.table, mapping, segment.read, window, self.s3)
            selection = Selection(self.job, self.skipped, lambda: datetime.now(UTC))
            before, read = self.items_read, 0
            for stored in store.read():
                if stored:
                    read += len(stored.messages) or 1
                    yield from selection.take(stored)
                    if self._is_scan:  # the page is paid for: all of it is looked at
                        continue
                self.items_read = before + read + store.skipped.total()
                self.tell(self.items_read)
                if self._is_enough() or self._is_enough_of_one(self.items_read - before):
                    is_whole = False
                    break
            yield from selection.rest()
            self.items_read = before + read + store.skipped.total()
            self.skipped.update(store.skipped)
            if self._is_enough():
                return
        self.is_whole = is_whole

    def _is_enough(self) -> bool:
        return 0 < self.at_least <= self.items_read

    def _is_enough_of_one(self, read: int) -> bool:
        """Return whether another segment is to be looked at: entries of an index that are neighbours are alike."""
        of_one = max(BATCH, math.ceil(self.at_least / min(SAMPLED_SEGMENTS, len(self.segments))))
        return not self._is_scan and 0 < self.at_least < self.items and read >= of_one
