"""
What each partition strategy reads for 1,000 pending conversations, as the table grows: `python -m bench.scale 100000`.

All of it runs in this process against the local AWS: the counts are exact, the seconds are those of this machine.
"""

import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from chatcensus.aws.conversation_store import ConversationStore
from chatcensus.aws.index import IndexWalk, checked_index
from chatcensus.include import read_yaml
from chatcensus.interval import Window
from chatcensus.mapping import TableMapping
from chatcensus.partition import Scan, Segment, index_segments, scan_segments
from chatcensus.pricing import TablePrices
from local_aws.server import LocalAws
from local_aws.settings import REGION, Settings

TABLE, PENDING, PER_SEGMENT = "conversations", 1_000, 5_000
DAYS, LAST_DAY = 100, date(2026, 11, 21)
END = datetime(2026, 11, 22, tzinfo=UTC)
PRICES = Path(__file__).parents[1] / "include/prices.yaml"
BY_DAY = {"strategy": "date-index", "index": "by-day", "first_day": f"{LAST_DAY - timedelta(DAYS)}"}
STRATEGIES = {
    "scan": ({"strategy": "scan"}, None),
    "date-index, a backfill of one day": (BY_DAY, END - timedelta(1)),
    "date-index, all days (plan only)": (BY_DAY, None),
    "pending-index": (
        {"strategy": "pending-index", "index": "pending", "attribute": "pending", "values": ["1"]},
        None,
    ),
}


@dataclass(frozen=True)
class Row:
    """What one strategy took; *index_entries* counts those of the plan and of the reading together."""

    strategy: str
    items: int
    plan_s: float
    segments: int
    index_entries: int
    conversations: int
    read_units: float
    read_s: float


def items(count: int) -> Iterator[dict[str, Any]]:
    """Yield *count* conversations as DynamoDB's JSON: the newest day is pending, all before it is judged."""
    text = "Please look at this once more and tell me what is wrong with it. " * 4
    turns = {"L": [{"M": {"role": {"S": "user"}, "content": {"S": text}}}]}
    for number in range(count):
        is_pending = number < PENDING
        day = LAST_DAY if is_pending else LAST_DAY - timedelta(1 + number % DAYS)
        second = number // DAYS % 86_400
        made = f"{day}T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}.{number:07}Z"
        item = {"id": {"S": f"c{number}"}, "day": {"S": f"{day}"}, "created_at": {"S": made}, "turns": turns}
        yield item | ({"pending": {"S": "1"}} if is_pending else {"evaluation": {"M": {"outcome": {"S": "evaluated"}}}})


def create(dynamodb: Any) -> None:
    """Create the table with its two indexes, as docs/scale.md says."""
    keys = {"by-day": "day", "pending": "pending"}
    dynamodb.create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": "S"} for name in ("id", "day", "pending", "created_at")
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": name,
                "KeySchema": [
                    {"AttributeName": key, "KeyType": "HASH"},
                    {"AttributeName": "created_at", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
            for name, key in keys.items()
        ],
        BillingMode="PAY_PER_REQUEST",
    )


def plan(dynamodb: Any, mapping: TableMapping, judged: Window) -> list[Segment]:
    """Return the segments as the task `plan` makes them."""
    description = dynamodb.describe_table(TableName=TABLE)["Table"]
    if isinstance(mapping.partition, Scan):
        return scan_segments(description["ItemCount"], PER_SEGMENT, judged.as_dict())
    index = checked_index(TABLE, description, mapping.partition)
    keys = mapping.partition.keys(judged.start, judged.end)
    pieces = IndexWalk(dynamodb, TABLE, index, PER_SEGMENT).pieces(keys)
    return index_segments(pieces, PER_SEGMENT, index, judged.as_dict())


def measure(aws: LocalAws, strategy: str, count: int) -> Row:
    """Plan and read by one strategy, and judge nothing."""
    named, start = STRATEGIES[strategy]
    names = {"partition_key": "id", "turns": "turns", "role": "role", "text": "content"}
    mapping = TableMapping.model_validate(names | {"created_at": {"attribute": "created_at"}, "partition": named})
    judged, dynamodb, before = Window(start, END), aws.client("dynamodb"), _reads(aws)
    began = time.perf_counter()
    segments = plan(dynamodb, mapping, judged)
    planned = time.perf_counter()
    for segment in segments if "plan only" not in strategy else ():
        for _ in ConversationStore(dynamodb, TABLE, mapping, segment.read, judged).read():
            pass
    ended = time.perf_counter()
    read = {
        place: (n - before.get(place, (0, 0))[0], u - before.get(place, (0, 0))[1])
        for place, (n, u) in _reads(aws).items()
    }
    of_table = read.get(TABLE, (0, 0))[0]
    entries = sum(n for n, _ in read.values()) - of_table
    units = sum(units for _, units in read.values())
    return Row(strategy, count, planned - began, len(segments), entries, of_table, units, ended - planned)


def _reads(aws: LocalAws) -> dict[str, tuple[int, float]]:
    counts = aws.stats()["dynamodb_reads"]
    return {place: (int(count["items"]), float(count["read_units"])) for place, count in counts.items()}


def table(rows: list[Row]) -> str:
    """Return *rows* as a Markdown table."""
    prices = read_yaml(PRICES, TablePrices)
    lines = [
        "| Strategy | Items | Plan, s | Segments | Index entries | Conversations | Read units | USD | Reading, s |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        usd = prices.read_micro_usd(round(row.read_units), LAST_DAY) / 1e6
        lines.append(
            f"| {row.strategy} | {row.items:,} | {row.plan_s:.2f} | {row.segments} | {row.index_entries:,} | "
            f"{row.conversations:,} | {row.read_units:,.0f} | {usd:.6f} | {row.read_s:.1f} |"
        )
    return "\n".join(lines)


def main(counts: list[int]) -> None:
    """Measure every strategy at each size, and print the table."""
    os.environ |= {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_DEFAULT_REGION": REGION}
    rows = []
    aws = LocalAws(Settings()).start()
    try:
        for count in counts:
            aws.reset()
            create(aws.client("dynamodb"))
            aws.load_items(TABLE, items(count))
            rows += [measure(aws, strategy, count) for strategy in STRATEGIES]
    finally:
        aws.stop()
    print(table(rows))  # noqa: T201 - what it is for


if __name__ == "__main__":
    main([int(count) for count in sys.argv[1:]] or [100_000])
