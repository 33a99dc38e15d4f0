from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from chatcensus.errors import SnapshotIncomplete
from chatcensus.include import read_yaml
from chatcensus.publication import OUTCOMES, check_tables, report, totals
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
}


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
        SnapshotIncomplete, match=f"the manifest says {items} items, Athena counts .*nothing is published"
    ):
        totals(counted, items)


def test_tables_that_cover_the_snapshot_pass():
    check_tables(TABLES, totals(COUNTED, 10))


@pytest.mark.parametrize("table", EVERY_TABLE)
@pytest.mark.parametrize("rows", [[], [{"conversations": 1}], [{"conversations": 100}]], ids=["none", "few", "many"])
def test_each_table_that_does_not_add_up_is_named_with_both_numbers(table: str, rows: list[dict[str, Any]]):
    found = sum(row["conversations"] for row in rows)

    with pytest.raises(SnapshotIncomplete, match=f"summary {table} counts {found} conversations, the snapshot has "):
        check_tables(TABLES | {table: rows}, COUNTED)


def test_a_snapshot_of_nothing_passes_with_empty_tables():
    check_tables({table: [] for table in TABLES}, dict.fromkeys(OUTCOMES, 0))


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
