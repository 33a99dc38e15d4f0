"""How a run cuts the table: into the segments of the mapping's strategy, without reading a conversation."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from chatcensus.aws.index import IndexWalk, checked_index
from chatcensus.interval import Window
from chatcensus.mapping import TableMapping
from chatcensus.partition import PendingIndex, Scan, Segment, index_segments, scan_segments

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def cut_table(
    client: "DynamoDBClient",
    description: Mapping[str, Any],
    mapping: TableMapping,
    per_segment: int,
    judged: Window,
    *,
    is_reevaluation: bool,
) -> list[Segment]:
    """
    Return the segments of a run, of about *per_segment* conversations each.

    Shape: *description* of the table as DescribeTable gives it.
    Errors: SetupError when the index of the strategy cannot be used.
    """
    strategy, plain, table = mapping.partition, judged.as_dict(), description["TableName"]
    # What is judged is not in the index of what is pending.
    is_not_there = is_reevaluation and isinstance(strategy, PendingIndex)
    if isinstance(strategy, Scan) or is_not_there:
        return scan_segments(description["ItemCount"], per_segment, plain)
    index = checked_index(table, description, strategy)
    pieces = IndexWalk(client, table, index, per_segment).pieces(strategy.keys(judged.start, judged.end))
    return index_segments(pieces, per_segment, index, plain)
