"""The chain of custody of a snapshot: items of the manifests, rows, conversations, outcomes; and where it breaks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chatcensus.answer import Reason
from chatcensus.errors import SnapshotIncomplete
from chatcensus.snapshot import Snapshot
from chatcensus.tally import Tally

OUTCOMES = ("evaluated", "quarantined", "pending")
CONVERSATION, DELETED = "conversation", "deleted"
ITEM_KINDS = (CONVERSATION, "other_item", "later_message", DELETED)
_REPAIR = "nothing is published; start a run with full_export"


@dataclass(frozen=True)
class LayerCount:
    """
    One layer as its manifest describes it and as Athena finds it.

    Shape: *table* is the ARN of what was exported; *rows* by item kind, those that a later layer replaces included.
    *newest* are the rows that no later layer replaces. *location* is empty where the catalog has no such layer.
    """

    name: str
    export_id: str
    table: str
    manifest_items: int
    location: str
    rows: Mapping[str, int]
    newest: Mapping[str, int]

    def check(self, table: str) -> None:
        """Raise SnapshotIncomplete unless the layer holds what its manifest says, of *table*."""
        what = f"layer {self.name} (export {self.export_id})"
        if self.table != table:
            raise SnapshotIncomplete(f"{what} is of {self.table}, the snapshot is of {table}: {_REPAIR}")
        if f"/{self.export_id}/" not in self.location:
            place = self.location or "nowhere"
            raise SnapshotIncomplete(f"{what} lies at {place}, which is not of this export: {_REPAIR}")
        if unknown := sorted(set(self.rows) - set(ITEM_KINDS)):
            raise SnapshotIncomplete(f"{what} has rows of kinds that nobody knows, {unknown}: {_REPAIR}")
        if (found := sum(self.rows.values())) != self.manifest_items:
            raise SnapshotIncomplete(
                f"the manifest of {what} says {self.manifest_items} items, Athena counts {found} {dict(self.rows)}: "
                f"{_REPAIR}"
            )


@dataclass(frozen=True)
class Counted:
    """
    What the view `evaluations` counts of a snapshot.

    Shape: *outcomes* are conversations by outcome, *judged_again* those of them with an earlier evaluation. Readers are
    told of the weeks that `shown_periods` names: *evaluated_told* counts the evaluated conversations there or of an
    unknown day, *dated_told* all conversations there, *months_told* those told with a week of a complete month.
    """

    outcomes: Mapping[str, int]
    judged_again: int = 0
    evaluated_told: int = 0
    dated_told: int = 0
    months_told: int = 0

    def of(self, *outcomes: str) -> int:
        """Return how many conversations ended in *outcomes*."""
        return sum(self.outcomes.get(outcome, 0) for outcome in outcomes)


@dataclass(frozen=True)
class Writes:
    """
    What of a run's own evaluations the snapshot holds.

    Shape: *written* is at least how many it has left on items, *in_snapshot* how many are there; *in_table* how many
    the live table has, None where nobody had to ask.
    """

    written: int
    in_snapshot: int
    in_table: int | None = None

    @property
    def are_whole(self) -> bool:
        """True unless the table has more of them than the snapshot; some may have been deleted, or judged again."""
        return self.in_snapshot >= self.written or (self.in_table is not None and self.in_snapshot >= self.in_table)

    def told(self, snapshot: Snapshot) -> str:
        """Return the counts in words."""
        live = "" if self.in_table is None else f", the live table {self.in_table}"
        return f"the run wrote {self.written}, the snapshot of {snapshot.export_time} holds {self.in_snapshot}{live}"

    def as_dict(self) -> dict[str, int | None]:
        """Return the counts as plain values."""
        return {"written": self.written, "in_snapshot": self.in_snapshot, "in_table": self.in_table}


def written_on_items(tally: Mapping[str, Any]) -> int:
    """
    Return at least how many evaluations a run with *tally* has left on items.

    Shape: *tally* as `Tally.as_dict` gives it. `too_large` may be remembered in the ledger alone, and is left out.
    """
    total = Tally.total([tally])
    return total.written - total.reasons[Reason.TOO_LARGE]


@dataclass(frozen=True)
class Custody:
    """
    All counts of a snapshot, from the table to the outcomes: each must follow from the one before.

    Shape: *live_items* is what DescribeTable says, up to six hours old, and is compared with nothing. *writes* is None
    where the run was not asked for its own.
    """

    live_items: int
    layers: tuple[LayerCount, ...]
    unknown_layers: tuple[str, ...]
    counted: Counted
    writes: Writes | None = None

    @property
    def items(self) -> int:
        """All rows of all layers."""
        return sum(sum(layer.rows.values()) for layer in self.layers)

    @property
    def conversations(self) -> int:
        """Rows that are a conversation and that no later layer replaces."""
        return self._newest(CONVERSATION)

    @property
    def skipped(self) -> dict[str, int]:
        """Rows that are no conversation, by kind, and those that a later layer replaces."""
        kinds = {kind: self._newest(kind) for kind in ITEM_KINDS if kind != CONVERSATION}
        newest = sum(sum(layer.newest.values()) for layer in self.layers)
        return {**kinds, "replaced": self.items - newest}

    @property
    def totals(self) -> dict[str, int]:
        """Conversations in all, and by outcome."""
        return {"conversations": self.conversations, **{name: self.counted.of(name) for name in OUTCOMES}}

    def check(self) -> None:
        """Raise SnapshotIncomplete that names the first place where the chain breaks, with both numbers."""
        if self.unknown_layers:
            raise SnapshotIncomplete(
                f"the snapshot has layers it should not have, {list(self.unknown_layers)}: {_REPAIR}"
            )
        for layer in self.layers:
            layer.check(self.layers[-1].table)
        outcomes = self.counted.outcomes
        if unknown := sorted(set(outcomes) - set(OUTCOMES)):
            raise SnapshotIncomplete(f"the view evaluations has outcomes that nobody knows, {unknown}: {_REPAIR}")
        if (found := sum(outcomes.values())) != self.conversations:
            raise SnapshotIncomplete(
                f"the layers hold {self.conversations} conversations, the view evaluations counts {found} "
                f"{dict(outcomes)}: nothing is published; clear register, which writes the view"
            )
        if (ended := found + sum(self.skipped.values())) != self.items:
            raise SnapshotIncomplete(
                f"the layers hold {self.items} items, {ended} of them are accounted for (skipped: {self.skipped}): "
                f"{_REPAIR}"
            )
        if self.writes and not self.writes.are_whole:
            raise SnapshotIncomplete(f"the snapshot lacks what the run wrote, {self.writes.as_dict()}: clear register")

    def as_dict(self) -> dict[str, Any]:
        """Return the chain as plain values, for `report.json` and `current.json`."""
        layers = [
            {"export_id": each.export_id, "manifest_items": each.manifest_items, "rows": dict(each.rows)}
            for each in self.layers
        ]
        writes = {"writes": self.writes.as_dict()} if self.writes else {}
        return {
            "live_items": self.live_items, "layers": layers, "items": self.items, **self.totals,
            "skipped": self.skipped, **writes,
        }  # fmt: skip

    def _newest(self, kind: str) -> int:
        return sum(layer.newest.get(kind, 0) for layer in self.layers)
