"""The conversations in their DynamoDB table: read one segment, write one evaluation."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from chatcensus.aws.reading import SegmentReader
from chatcensus.aws.write_back import WriteBack
from chatcensus.interval import Window
from chatcensus.mapping import Stored, TableMapping
from chatcensus.partition import IndexPart, ScanPart

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client


class ConversationStore(WriteBack):
    """
    One segment of the table, and the write-back; without a *part*, the whole table.

    Shape: *skipped* counts by name what `read` has left out.
    """

    def __init__(
        self,
        client: "DynamoDBClient",
        table: str,
        mapping: TableMapping,
        part: ScanPart | IndexPart | None = None,
        window: Window | None = None,
        s3: "S3Client | None" = None,
    ) -> None:
        super().__init__(client, table, mapping)
        self._reader = SegmentReader(client, table, mapping, part or ScanPart(), window, s3)
        self.skipped = self._reader.skipped

    def read(self) -> Iterator[Stored | None]:
        """Yield every conversation of the segment as it is now, and None while there is none yet."""
        return self._reader.read()
