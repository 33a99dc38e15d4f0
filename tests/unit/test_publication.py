from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from chatcensus.crosswalk import Crosswalk
from chatcensus.custody import Counted, Custody, LayerCount
from chatcensus.edition import Edition, month_of
from chatcensus.errors import SnapshotIncomplete
from chatcensus.include import read_yaml
from chatcensus.publication import SHOWN, check_tables, compact_json, report, rows_of
from chatcensus.summaries import Summaries, Summary
from tests.fakes import INCLUDE, TAXONOMY
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
    return [{**row, "days": 1, "evaluated": row["conversations"]} for row in _rows("day", *rows, week=week)]


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
    "category_trends": [
        {"grain": grain, "period": period, "category": "coding", "conversations": count}
        for grain, period, count in (("month", "2026-09-01", 9), ("month", "2026-10-01", 4), ("week", "2026-10-01", 9))
    ],
    "category_by_group": [
        {"month": "2026-10-01", "dimension": dimension, "category": "coding", "conversations": count}
        for dimension in ("department", "language")
        for count in (3, 1)
    ],
    "hour_by_weekday": [{"conversations": 5}],
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


@pytest.mark.parametrize("table", sorted(set(TABLES) - {"evaluation_changes", "category_trends"}))
def test_no_table_holds_more_than_the_snapshot(table: str):
    rows = [{**TABLES[table][0], "conversations": 100}, *TABLES[table][1:]]

    with pytest.raises(SnapshotIncomplete, match=f"summary {table} has"):
        _check(TABLES | {table: rows})


def test_groups_have_no_more_of_a_category_in_a_month_than_all_people_together():
    cells = [{**row, "conversations": int(row["conversations"]) + 1} for row in TABLES["category_by_group"][:1]]

    with pytest.raises(SnapshotIncomplete, match=r"category_by_group has 5 conv.*, category_trends .*2026-10-01 has 4"):
        _check(TABLES | {"category_by_group": [*cells, *TABLES["category_by_group"][1:]]})
    with pytest.raises(SnapshotIncomplete, match=r"category_by_group has 4 conversations, category_trends .* has 0"):
        _check(TABLES | {"category_trends": TABLES["category_trends"][2:]})


def test_hours_of_weekdays_have_no_more_than_the_days_that_are_told_alone():
    days = [{**row, "days": 2} for row in TABLES["daily_usage"][:2]]

    with pytest.raises(SnapshotIncomplete, match=r"hour_by_weekday has 5 conversations, daily_usage .* has 4"):
        _check(TABLES | {"daily_usage": [*days, *TABLES["daily_usage"][2:]]})


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


SUMMARIES = read_yaml(INCLUDE / "sql/summaries.yaml", Summaries).summaries
LAYER = LayerCount("000000", "01-a", "t", 10, "/01-a/", rows={"conversation": 10}, newest={"conversation": 10})
CUSTODY = Custody(12, (LAYER,), (), COUNTED)


def _summary(table: str, **columns: str) -> Summary:
    described = tuple({"name": name, "type": kind, "description": "."} for name, kind in columns.items())
    return Summary.model_validate({"table": table, "description": ".", "audience": "readers", "columns": described})


def _report(tables: Mapping[str, list[dict[str, Any]]], *summaries: Summary) -> dict[str, Any]:
    return report(
        run_id="run-1",
        now=datetime(2026, 10, 1, 18, 5, 6, 789, tzinfo=UTC),
        edition=EDITION,
        timezone="Asia/Tokyo",
        min_users=5,
        custody=CUSTODY,
        tables=TABLES | tables,
        summaries=summaries,
        taxonomy=TAXONOMY,
        crosswalk=Crosswalk(),
    )


def test_the_report_is_made_of_the_edition_its_chain_of_custody_and_its_tables():
    made = _report({}, _summary("failures", conversations="bigint"))

    assert made["labels"]["coding"] == {"en": "Coding", "ja": "コーディング"}
    assert {name: value for name, value in made.items() if name != "labels"} == {
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
        "custody": CUSTODY.as_dict(),
        "cost_micro_usd": 500,
        "is_split": False,
        "tables": {"failures": {"columns": ["conversations"], "rows": [[2]]}},
    }


def test_a_table_of_the_report_has_its_columns_in_the_order_of_its_description_and_its_rows_by_it():
    described = _summary("category_trends", period="date", category="string", is_more_than_noise="boolean")
    row = {"is_more_than_noise": True, "category": "coding", "period": "2026-10-05"}

    made = _report({"category_trends": [row, row | {"is_more_than_noise": None}]}, described)

    assert made["tables"]["category_trends"] == {
        "columns": ["period", "category", "is_more_than_noise"],
        "rows": [["2026-10-05", "coding", True], ["2026-10-05", "coding", None]],
    }
    assert rows_of(made, "category_trends") == [row, row | {"is_more_than_noise": None}]


def test_what_the_page_does_not_show_is_not_in_the_report():
    made = _report({}, _summary("judging_cost", conversations="bigint"), _summary("told", person="string"))

    assert made["tables"] == {}


def test_every_table_of_the_report_is_described_and_for_people():
    audiences = {summary.table: summary.audience for summary in SUMMARIES}

    assert {audiences[table] for table in SHOWN} == {"readers", "operators"}
    assert {table for table, audience in audiences.items() if audience == "readers"} <= SHOWN


def test_json_is_written_without_spaces_and_only_with_words_that_json_has():
    assert compact_json({"a": [True, None, "部署", 1.5]}) == '{"a":[true,null,"部署",1.5]}'
    with pytest.raises(ValueError, match="JSON compliant"):
        compact_json({"share": float("nan")})
