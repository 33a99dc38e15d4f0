"""What is published of a snapshot: the checks its numbers must pass, and the report that is made of them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from chatcensus.errors import SnapshotIncomplete
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
}


def totals(counted: Mapping[str, int], item_count: int) -> dict[str, int]:
    """
    Return conversations per outcome and in all, from the counts that Athena gives for a snapshot of *item_count* items.

    Errors: SnapshotIncomplete with both numbers when rows and items differ.
    """
    found = {outcome: counted.get(outcome, 0) for outcome in OUTCOMES}
    if sum(counted.values()) != item_count or sum(found.values()) != item_count:
        raise SnapshotIncomplete(
            f"the manifest says {item_count} items, Athena counts {dict(counted)}: nothing is published; "
            f"clear the export task to take another snapshot"
        )
    return {"conversations": item_count, **found}


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
        "item_count": snapshot["item_count"],
        "timezone": timezone,
        "answered_by": sorted({str(row["answered_by"]) for row in tables["model_cost"]}),
        "totals": dict(counted),
        "cost_micro_usd": _sum(tables["model_cost"], "cost_micro_usd"),
        "labels": {category.key: category.label.model_dump() for category in taxonomy.categories},
        "tables": {table: [dict(row) for row in rows] for table, rows in tables.items()},
    }


def _sum(rows: Rows, column: str) -> int:
    return sum(int(row[column] or 0) for row in rows)
