"""A snapshot: what one or several exports together say of the whole table at one moment."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from chatcensus.errors import SnapshotIncomplete
from chatcensus.mapping import TableMapping

SHORTEST, LONGEST = timedelta(minutes=15), timedelta(hours=24)  # of what an incremental export can cover
MOST_LAYERS = 30  # then a full export is the compaction: daily runs make one a month
OLDEST_BASE = timedelta(days=45)  # deploy/chatcensus.yaml deletes layers after 90 days


@dataclass(frozen=True)
class Export:
    """
    One finished export: *data_prefix* is where its data files lie in *bucket*.

    Shape: times are ISO 8601 texts in UTC. *from_time* is None for a full export; an incremental one holds the final
    state of every item written from *from_time* (inclusive) to *export_time* (exclusive).
    """

    export_id: str
    export_arn: str
    export_time: str
    bucket: str
    data_prefix: str
    item_count: int
    from_time: str | None = None


@dataclass(frozen=True)
class Snapshot:
    """
    The table as it was at *export_time*: a full export and the increments after it, in their order.

    Shape: *key_types* has the DynamoDB type (S, N, B) of each key attribute. *export_id* is that of the newest export.
    """

    export_id: str
    export_time: str
    key_types: Mapping[str, str]
    layers: tuple[Export, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the snapshot as plain values, for an XCom or the ledger."""
        return json.loads(json.dumps(asdict(self)))  # type: ignore[no-any-return] # lists for tuples

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "Snapshot":
        """Return the snapshot that `as_dict` made; the ledger hands numbers over as Decimal."""
        layers = tuple(Export(**{**layer, "item_count": int(layer["item_count"])}) for layer in plain["layers"])
        return cls(plain["export_id"], plain["export_time"], plain["key_types"], layers)

    @property
    def time(self) -> datetime:
        """The moment that the snapshot describes."""
        return datetime.fromisoformat(self.export_time)

    def extended(self, increment: Export) -> "Snapshot":
        """
        Return the snapshot with what *increment* says; an empty one moves the time and adds no layer.

        Errors: SnapshotIncomplete when it begins after this snapshot ends: what was written between is in neither.
        """
        if increment.from_time is None or datetime.fromisoformat(increment.from_time) > self.time:
            raise SnapshotIncomplete(
                f"export {increment.export_id} begins at {increment.from_time}, the snapshot before it ends at "
                f"{self.export_time}: what was written between them is missing; make a full export"
            )
        layers = (*self.layers, increment) if increment.item_count else self.layers
        return replace(self, export_id=increment.export_id, export_time=increment.export_time, layers=layers)


def layer_name(index: int) -> str:
    """Return the name of a layer in the catalog; the order of the names is that of the layers."""
    return f"{index:06d}"


def windows(until: datetime, to: datetime) -> list[tuple[datetime, datetime]]:
    """
    Return what to export so that nothing written from *until* to *to* is missing, in windows that DynamoDB takes.

    Shape: of 15 minutes to 24 hours; the first begins earlier than *until* where there is too little to cover.
    Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_IncrementalExportSpecification.html.
    """
    until = until.replace(microsecond=0)
    if to - until < SHORTEST:
        return [(to - SHORTEST, to)]
    pieces = -((until - to) // LONGEST)
    borders = [until + timedelta(seconds=(to - until).total_seconds() * n // pieces) for n in range(pieces)]
    return list(zip(borders, [*borders[1:], to], strict=True))


def columns_version(mapping: TableMapping) -> str:
    """Return 12 hex digits that change with whatever of *mapping* decides what a layer holds."""
    kept = mapping.model_dump(
        mode="json",
        include={
            "partition_key", "sort_key", "one_item_is", "only", "created_at",
            "language", "department", "user_group", "app_model", "app_tokens",
        },
    )  # fmt: skip
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Recovery:
    """What point-in-time recovery can tell of the table, and which table that is."""

    table: str
    earliest: datetime
    key_types: Mapping[str, str]


@dataclass(frozen=True)
class Watermark:
    """
    Up to where the exports of a table are without a gap, and what they were made with.

    Shape: *table* names the table and its creation; *columns* is `columns_version` of the mapping; *version* counts the
    changes of the row.
    """

    snapshot: Snapshot
    table: str
    columns: str
    version: int

    def why_full(self, recovery: Recovery, columns: str, to: datetime) -> str | None:
        """Return why an increment up to *to* would not do and a full export is needed; None when it does."""
        begin = windows(self.snapshot.time, to)[0][0]
        if self.table != recovery.table:
            return "the table was created anew"
        if self.columns != columns:
            return "include/table.yaml says something else than at the last export"
        if begin < recovery.earliest:
            return (
                f"the increment would begin at {begin.isoformat()}, before {recovery.earliest.isoformat()}, the "
                "earliest time that can be restored"
            )
        base = datetime.fromisoformat(self.snapshot.layers[0].export_time)
        if to - base > OLDEST_BASE:
            return f"the last full export is of {base.isoformat()}, more than {OLDEST_BASE.days} days ago"
        wanted = len(self.snapshot.layers) + len(windows(self.snapshot.time, to))
        return f"there would be {wanted} layers, the most is {MOST_LAYERS}" if wanted > MOST_LAYERS else None
