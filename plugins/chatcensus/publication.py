"""What is published of a snapshot: the checks its numbers must pass, and the report that is made of them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from chatcensus.errors import SnapshotIncomplete
from chatcensus.snapshot import layer_name
from chatcensus.summaries import Value
from chatcensus.taxonomy import Taxonomy

Rows = Sequence[Mapping[str, Value]]
Tables = Mapping[str, Rows]

OUTCOMES = ("evaluated", "quarantined", "pending")
# Which outcomes the `conversations` of each summary table must add up to.
_COVERS = {
    "category_counts": ("evaluated",),
    "score_distribution": ("evaluated",),
    "daily_usage": OUTCOMES,
    "usage_by_user": ("evaluated", "quarantined"),
    "model_cost": ("evaluated", "quarantined"),
    "evaluation_quality": OUTCOMES,
    "evaluation_changes": ("judged_again",),
}


def check_layers(layers: Mapping[str, Mapping[str, int]], item_counts: Sequence[int]) -> int | None:
    """
    Return how many conversations the snapshot has, None where increments leave only Athena to tell.

    Shape: *layers* is how many items of each kind Athena finds in each layer; *item_counts* is what the manifests say.
    Errors: SnapshotIncomplete, naming the layer, when rows and items differ.
    """
    for index, items in enumerate(item_counts):
        found = layers.get(layer_name(index), {})
        if sum(found.values()) != items:
            raise SnapshotIncomplete(
                f"the manifest of layer {layer_name(index)} says {items} items, Athena counts {dict(found)}: "
                f"nothing is published; start a run with full_export"
            )
    if unknown := set(layers) - {layer_name(index) for index in range(len(item_counts))}:
        raise SnapshotIncomplete(f"the snapshot has layers that it should not have: {sorted(unknown)}")
    return layers.get(layer_name(0), {}).get("conversation", 0) if len(item_counts) == 1 else None


def totals(counted: Mapping[str, int], conversations: int | None) -> dict[str, int]:
    """
    Return conversations per outcome and in all, from the counts that Athena gives for a snapshot.

    Errors: SnapshotIncomplete with both numbers when these are not the *conversations* that its layer has.
    """
    found = {outcome: counted.get(outcome, 0) for outcome in OUTCOMES}
    expected = sum(counted.values()) if conversations is None else conversations
    if sum(counted.values()) != expected or sum(found.values()) != expected:
        raise SnapshotIncomplete(
            f"the snapshot has {expected} conversations, the view counts {dict(counted)}: nothing is published; "
            f"start a run with full_export"
        )
    return {"conversations": expected, **found}


def check_tables(tables: Tables, expected: Mapping[str, int]) -> None:
    """Raise SnapshotIncomplete, naming the table, unless each summary adds up to the outcomes it covers."""
    for table, outcomes in _COVERS.items():
        found, wanted = _sum(tables[table], "conversations"), sum(expected[outcome] for outcome in outcomes)
        if found != wanted:
            raise SnapshotIncomplete(
                f"summary {table} counts {found} conversations, the snapshot has {wanted} ({' + '.join(outcomes)}): "
                f"nothing is published; clear its summarise task"
            )


def report(
    *,
    run_id: str,
    now: datetime,
    snapshot: Mapping[str, Any],
    timezone: str,
    counted: Mapping[str, int],
    tables: Tables,
    taxonomy: Taxonomy,
) -> dict[str, Any]:
    """Return everything the report shows, as plain values (`report.json`)."""
    return {
        "run_id": run_id,
        "generated_at": now.isoformat(timespec="seconds"),
        "export_id": snapshot["export_id"],
        "export_time": snapshot["export_time"],
        "item_count": counted["conversations"],
        "timezone": timezone,
        "answered_by": sorted({str(row["answered_by"]) for row in tables["model_cost"]}),
        "totals": dict(counted),
        "cost_micro_usd": _sum(tables["model_cost"], "cost_micro_usd"),
        "labels": {category.key: category.label.model_dump() for category in taxonomy.categories},
        "tables": {table: [dict(row) for row in rows] for table, rows in tables.items()},
    }


def _sum(rows: Rows, column: str) -> int:
    return sum(int(row[column] or 0) for row in rows)
