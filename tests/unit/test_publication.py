from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from chatcensus.errors import SnapshotIncomplete
from chatcensus.include import read_yaml
from chatcensus.publication import OUTCOMES, check_layers, check_tables, report, totals
from chatcensus.summaries import Summaries
from tests.fakes import INCLUDE, TAXONOMY

COUNTED = {"evaluated": 7, "quarantined": 2, "pending": 1}
EVERY_TABLE = [summary.table for summary in read_yaml(INCLUDE / "sql/summaries.yaml", Summaries).summaries]
EVALUATED_ONLY = [{"conversations": 3}, {"conversations": 4}]
JUDGED = [{"conversations": 9, "cost_micro_usd": 500, "answered_by": "b"}]
EVERYTHING = [{"conversations": 10}]
TABLES = {
    "category_counts": EVALUATED_ONLY,
    "score_distribution": EVALUATED_ONLY,
    "daily_usage": EVERYTHING,
    "usage_by_user": JUDGED,
    "model_cost": [
        {"conversations": 4, "cost_micro_usd": 400, "answered_by": "b"},
        {"conversations": 3, "cost_micro_usd": None, "answered_by": "a"},
        {"conversations": 2, "cost_micro_usd": 100, "answered_by": "b"},
    ],
    "evaluation_quality": EVERYTHING,
    "evaluation_changes": [{"conversations": 2}],
}
JUDGED_AGAIN = {"judged_again": 2}


def test_the_totals_of_a_snapshot_are_its_outcomes_and_their_sum():
    assert totals(COUNTED, 10) == {"conversations": 10, "evaluated": 7, "quarantined": 2, "pending": 1}
    assert totals({"pending": 5}, 5) == {"conversations": 5, "evaluated": 0, "quarantined": 0, "pending": 5}
    assert totals({}, 0) == {"conversations": 0, "evaluated": 0, "quarantined": 0, "pending": 0}


@pytest.mark.parametrize(
    ("counted", "items"),
    [
        pytest.param(COUNTED, 11, id="too few rows"),
        pytest.param(COUNTED, 9, id="too many rows"),
        pytest.param({}, 1, id="no row"),
        pytest.param(COUNTED | {"vanished": 1}, 11, id="an outcome that nobody knows"),
        pytest.param(COUNTED | {"vanished": 1}, 10, id="an outcome that nobody knows, too many"),
    ],
)
def test_rows_that_are_not_the_items_of_the_snapshot_publish_nothing(counted: Mapping[str, int], items: int):
    with pytest.raises(
        SnapshotIncomplete, match=f"the snapshot has {items} conversations, the view counts .*nothing is published"
    ):
        totals(counted, items)


def test_the_layers_of_a_snapshot_hold_the_items_of_its_manifests():
    base = {"conversation": 10, "other_item": 3}

    assert check_layers({"000000": base}, [13]) == 10
    assert check_layers({}, [0]) == 0
    assert check_layers({"000000": base, "000001": {"deleted": 2}}, [13, 2]) is None


@pytest.mark.parametrize(
    ("layers", "items", "layer"),
    [
        pytest.param({"000000": {"conversation": 10}}, [11], "000000", id="too few rows"),
        pytest.param({"000000": {"conversation": 10, "other_item": 2}}, [11], "000000", id="too many rows"),
        pytest.param({"000000": {"conversation": 10}}, [10, 4], "000001", id="an increment without rows"),
        pytest.param({"000000": {}, "000001": {"deleted": 1}}, [0], "000001", id="a layer too many"),
    ],
)
def test_a_layer_that_is_not_what_its_manifest_says_publishes_nothing(layers, items, layer):
    with pytest.raises(SnapshotIncomplete, match=layer):
        check_layers(layers, items)


def test_conversations_of_a_snapshot_with_increments_are_what_the_view_counts():
    assert totals(COUNTED, None)["conversations"] == 10


def test_tables_that_cover_the_snapshot_pass():
    check_tables(TABLES, totals(COUNTED, 10) | JUDGED_AGAIN)


# A re-evaluation may have touched any part of the table: evaluation_changes has no number that it must add up to.
@pytest.mark.parametrize("table", sorted(set(EVERY_TABLE) - {"evaluation_changes"}))
@pytest.mark.parametrize("rows", [[], [{"conversations": 1}], [{"conversations": 100}]], ids=["none", "few", "many"])
def test_each_table_that_does_not_add_up_is_named_with_both_numbers(table: str, rows: list[dict[str, Any]]):
    found = sum(row["conversations"] for row in rows)

    with pytest.raises(SnapshotIncomplete, match=f"summary {table} counts {found} conversations, the snapshot has "):
        check_tables(TABLES | {table: rows}, COUNTED | JUDGED_AGAIN)


def test_a_snapshot_of_nothing_passes_with_empty_tables():
    check_tables({table: [] for table in TABLES}, dict.fromkeys((*OUTCOMES, "judged_again"), 0))


def test_the_report_is_made_of_the_snapshot_and_its_tables():
    snapshot = {"export_id": "0160", "export_time": "2026-10-01T18:00:00+00:00", "item_count": 10, "prefix": "x"}

    made = report(
        run_id="run-1",
        now=datetime(2026, 10, 1, 18, 5, 6, 789, tzinfo=UTC),
        snapshot=snapshot,
        timezone="Asia/Tokyo",
        counted=totals(COUNTED, 10),
        tables=TABLES,
        taxonomy=TAXONOMY,
    )

    assert made["tables"] == TABLES
    assert made["labels"]["coding"] == {"en": "Coding", "ja": "コーディング"}
    assert {name: value for name, value in made.items() if name not in ("tables", "labels")} == {
        "run_id": "run-1",
        "generated_at": "2026-10-01T18:05:06+00:00",
        "export_id": "0160",
        "export_time": "2026-10-01T18:00:00+00:00",
        "item_count": 10,
        "timezone": "Asia/Tokyo",
        "answered_by": ["a", "b"],
        "totals": {"conversations": 10, "evaluated": 7, "quarantined": 2, "pending": 1},
        "cost_micro_usd": 500,
    }
