from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from chatcensus.custody import Counted, Custody, LayerCount
from chatcensus.edition import Edition, month_of
from chatcensus.errors import SnapshotIncomplete
from chatcensus.publication import check_tables, report
from tests.fakes import TAXONOMY
from tests.sql.generated_items import generated_editions
from tests.sql.reference import summaries
from tests.sql.reference.conversations import Telling, conversation

# Of ten conversations, two are of weeks that are not told, six of complete months.
COUNTED = Counted(
    {"evaluated": 7, "quarantined": 2, "pending": 1}, judged_again=2, evaluated_told=6, dated_told=8, months_told=6
)
EDITION = Edition("01-a-0001", "01-a", "2026-11-12T18:00:00+00:00", "", "2026-11-09", "2026-11-01", {})


def _rows(column: str, *rows: tuple[Any, int], **more: Any) -> list[dict[str, Any]]:
    return [{column: value, "conversations": count, **more} for value, count in rows]


def _days(week: str, *rows: tuple[Any, int]) -> list[dict[str, Any]]:
    return _rows("day", *rows, week=week)


def _weeks(month: str, *rows: tuple[Any, int]) -> list[dict[str, Any]]:
    return _rows("week", *rows, month=month)


BY_VALUE = {
    "category_counts": ("category", "coding"),
    "score_distribution": ("inquiry_score", 3),
    "department_usage": ("department", "sales"),
    "user_group_usage": ("user_group", "staff"),
    "app_model_usage": ("app_model", "claude"),
    "language_usage": ("language", "ja"),
    "hour_usage": ("hour", 9),
}
TABLES: dict[str, list[dict[str, Any]]] = {
    **{table: _rows(column, (value, 4), (None, 2)) for table, (column, value) in BY_VALUE.items()},
    "category_counts": _rows("category", ("coding", 4), ("(few)", 2)),
    "monthly_usage": _rows("month", ("2026-10-01", 6)),
    "weekly_usage": [
        *_weeks("2026-10-01", ("2026-10-05", 4), ("2026-10-26", 2)),
        *_weeks("2026-11-01", ("2026-11-02", 2)),
    ],
    "daily_usage": [
        *_days("2026-10-05", ("2026-10-05", 3), ("2026-10-07", 1)),
        *_days("2026-10-26", (None, 2)),
        *_days("2026-11-02", ("2026-11-03", 2)),
    ],
    "model_cost": [
        {"conversations": 4, "cost_micro_usd": 400, "answered_by": "b"},
        {"conversations": 3, "cost_micro_usd": None, "answered_by": "a"},
        {"conversations": 2, "cost_micro_usd": 100, "answered_by": "b"},
    ],
    "judging_cost": [{"conversations": 9, "cost_micro_usd": 500}],
    "failures": [{"conversations": 2}],
    "evaluation_quality": [{"conversations": 10}],
    "evaluation_changes": [{"conversations": 2}],
}


def _check(tables: Mapping[str, list[dict[str, Any]]], counted: Counted = COUNTED) -> None:
    check_tables(tables, counted, EDITION, {table: len(rows) for table, rows in tables.items()})


def test_tables_that_say_the_same_as_the_snapshot_pass():
    _check(TABLES)


def test_a_snapshot_of_nothing_passes_with_empty_tables():
    _check({table: [] for table in TABLES}, Counted({}))


@pytest.mark.parametrize("table", BY_VALUE)
def test_what_is_of_too_few_people_may_be_missing_in_a_table_for_readers(table: str):
    told_apart = [row for row in TABLES[table] if row[BY_VALUE[table][0]] not in (None, "(few)")]

    _check(TABLES | {table: told_apart})
    _check(TABLES | {table: []})


@pytest.mark.parametrize("table", BY_VALUE)
@pytest.mark.parametrize(("few", "found"), [(1, 5), (3, 7)], ids=["fewer", "more"])
def test_a_table_with_what_is_pooled_must_hold_every_evaluated_conversation(table: str, few: int, found: int):
    rows = [*TABLES[table][:1], {**TABLES[table][1], "conversations": few}]

    with pytest.raises(SnapshotIncomplete, match=f"{table} has {found} conversations, the snapshot .*has 6: .*clear"):
        _check(TABLES | {table: rows})


@pytest.mark.parametrize("table", sorted(set(TABLES) - {"evaluation_changes"}))
def test_no_table_holds_more_than_the_snapshot(table: str):
    rows = [{**TABLES[table][0], "conversations": 100}, *TABLES[table][1:]]

    with pytest.raises(SnapshotIncomplete, match=f"summary {table} has"):
        _check(TABLES | {table: rows})


@pytest.mark.parametrize(
    "table", ["model_cost", "judging_cost", "failures", "evaluation_quality", "evaluation_changes"]
)
def test_a_table_for_operators_hides_nothing(table: str):
    rows = [{**TABLES[table][0], "conversations": 1}, *TABLES[table][1:]]

    with pytest.raises(SnapshotIncomplete, match=f"summary {table} has .* conversations, the snapshot .*"):
        _check(TABLES | {table: rows})


def test_both_accounts_of_the_cost_are_equal_to_the_micro_usd():
    cost = [{**TABLES["judging_cost"][0], "cost_micro_usd": 499}]

    with pytest.raises(SnapshotIncomplete, match="judging_cost has 499 micro-USD, model_cost has 500"):
        _check(TABLES | {"judging_cost": cost})


DAYS, WEEKS = TABLES["daily_usage"], TABLES["weekly_usage"]
PERIODS = [
    pytest.param(
        {"daily_usage": [*_days("2026-10-05", ("2026-10-05", 5)), *_days("2026-10-26", (None, 1)), DAYS[3]]},
        "daily_usage has 5 conversations, the week of 2026-10-05 .* has 4",
        id="a week that is less than its days",
    ),
    pytest.param(
        {"daily_usage": [DAYS[0], *_days("2026-10-26", (None, 3)), DAYS[3]]},
        "daily_usage has 3 conversations, the week of 2026-10-05 .* has 4",
        id="a week that is more than its days",
    ),
    pytest.param(
        {"daily_usage": [*DAYS[:2], *_days("2026-11-02", ("2026-11-03", 4))]},
        "daily_usage has 0 conversations, the week of 2026-10-26 .* has 2",
        id="a week without its days",
    ),
    pytest.param(
        {"daily_usage": [*DAYS[:2], *_days("2026-10-12", ("2026-10-12", 2)), DAYS[3]]},
        "daily_usage has 2 conversations, the week of 2026-10-12 .* has 0",
        id="days of a week that is not told",
    ),
    pytest.param(
        {"weekly_usage": [*WEEKS[:2], *_weeks("2026-10-01", ("2026-11-02", 2))]},
        "weekly_usage has 8 conversations, the month of 2026-10-01 .* has 6",
        id="a month that is less than its weeks",
    ),
    pytest.param(
        {"monthly_usage": _rows("month", ("2026-10-01", 4), ("2026-09-01", 2))},
        "weekly_usage has 0 conversations, the month of 2026-09-01 .* has 2",
        id="a month without its weeks",
    ),
    pytest.param(
        {"monthly_usage": [], "weekly_usage": WEEKS[2:], "daily_usage": DAYS[3:]},
        "monthly_usage has 0 conversations, the snapshot .of complete months. has 6",
        id="a month that is missing with all that lies in it",
    ),
    pytest.param(
        {"weekly_usage": WEEKS[:2], "daily_usage": DAYS[:3]},
        "weekly_usage has 6 conversations, the snapshot .of told weeks. has 8",
        id="a week of the open month that is missing with its days",
    ),
    pytest.param(
        {"daily_usage": [*DAYS, *_days("2026-11-09", ("2026-11-09", 1))]},
        "daily_usage has 9 conversations, the snapshot .of told weeks. has 8",
        id="a day of a week that is not over",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("tables", "told"), PERIODS)
def test_days_weeks_and_months_that_do_not_fit_into_each_other_are_named(tables: Mapping[str, Any], told: str):
    with pytest.raises(SnapshotIncomplete, match=told):
        _check(TABLES | tables)


@pytest.mark.parametrize("table", ["daily_usage", "weekly_usage", "monthly_usage"])
def test_nothing_that_is_told_may_be_missing_in_days_weeks_and_months(table: str):
    with pytest.raises(SnapshotIncomplete, match=f"{table} has . conversations, the snapshot"):
        _check(TABLES | {table: TABLES[table][1:]})


@pytest.mark.parametrize("min_users", [0, 5])
@pytest.mark.parametrize("seed", range(12))
def test_the_tables_of_any_edition_pass(seed: int, min_users: int):
    for made in generated_editions(seed):
        telling = made.telling(min_users)
        tables = {
            table: [{name: _text(value) for name, value in row.items()} for row in rows]
            for table, rows in summaries(made.items, telling).items()
        }
        edition = replace(EDITION, open_week=_text(telling.open_week), open_month=_text(telling.open_month))

        counted = _counted(made.items, telling, tables["shown_periods"])

        check_tables(tables, counted, edition, {name: len(rows) for name, rows in tables.items()})


def _text(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def _counted(items: list[dict[str, Any]], telling: Telling, periods: list[dict[str, Any]]) -> Counted:
    weeks = {row["period"]: row["told_with"] for row in periods if row["kind"] == "week"}
    rows = [conversation(item, ZoneInfo(telling.timezone)) for item in items]
    dated = [row for row in rows if row["day"] is not None and _text(row["week"]) in weeks]
    undated = [row for row in rows if row["day"] is None]
    months = [month_of(date.fromisoformat(weeks[_text(row["week"])])) for row in dated]
    return Counted(
        Counter(row["outcome"] for row in rows),
        judged_again=sum(bool(row["previous"]) for row in rows),
        evaluated_told=sum(row["outcome"] == "evaluated" for row in [*dated, *undated]),
        dated_told=len(dated),
        months_told=sum(month < telling.open_month for month in months),
    )


def test_a_row_that_was_written_and_is_not_read_is_missed():
    written = {table: len(rows) for table, rows in TABLES.items()}

    with pytest.raises(SnapshotIncomplete, match="summary failures has 1 rows read, its partition has 2"):
        check_tables(TABLES, COUNTED, EDITION, written | {"failures": 2})


def test_the_report_is_made_of_the_edition_its_chain_of_custody_and_its_tables():
    layer = LayerCount("000000", "01-a", "t", 10, "/01-a/", rows={"conversation": 10}, newest={"conversation": 10})
    custody = Custody(12, (layer,), (), COUNTED)

    made = report(
        run_id="run-1",
        now=datetime(2026, 10, 1, 18, 5, 6, 789, tzinfo=UTC),
        edition=EDITION,
        timezone="Asia/Tokyo",
        min_users=5,
        custody=custody,
        tables=TABLES,
        taxonomy=TAXONOMY,
    )

    assert made["tables"] == TABLES
    assert made["labels"]["coding"] == {"en": "Coding", "ja": "コーディング"}
    assert {name: value for name, value in made.items() if name not in ("tables", "labels")} == {
        "edition": "01-a-0001",
        "run_id": "run-1",
        "generated_at": "2026-10-01T18:05:06+00:00",
        "export_id": "01-a",
        "export_time": "2026-11-12T18:00:00+00:00",
        "told_until": "2026-11-09",
        "min_users": 5,
        "timezone": "Asia/Tokyo",
        "answered_by": ["a", "b"],
        "totals": {"conversations": 10, "evaluated": 7, "quarantined": 2, "pending": 1},
        "custody": custody.as_dict(),
        "cost_micro_usd": 500,
    }
