import io
import re
from collections import Counter
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from chatcensus.evaluation import PREVIOUS
from chatcensus.include import read_yaml
from chatcensus.summaries import Summaries
from tests.sql.generated_items import generated_items
from tests.sql.reference import OPERATORS, PAIRS, READERS, SHOWN, summaries
from tests.sql.reference.conversations import Telling
from tests.sql.rows import difference
from tests.sql.warehouse import SQL, SUMMARY_FILES, Warehouse, edition_of, keyed, statement

TESTED_ELSEWHERE = {"category_shares"}
OUR_FILES = [
    path for path in (*SUMMARY_FILES, *sorted((SQL / "shown").glob("*.sql"))) if path.stem not in TESTED_ELSEWHERE
]
CATALOG = [
    each for each in read_yaml(SQL / "summaries.yaml", Summaries).summaries if each.table not in TESTED_ELSEWHERE
]
GIVEN, LATER, NEXT = "01604474914027-aaaaaaaa", "01604474914029-bbbbbbbb", "01604474914030-cccccccc"


def judged(number: int, day: str | None, **evaluation: Any) -> dict[str, Any]:
    """A conversation with an evaluation; what a test does not say is the same for all."""
    usual = {
        "outcome": "evaluated",
        "prompt_version": "p1",
        "taxonomy_version": "t1",
        "model": "haiku",
        "answered_by": "stand-in",
        "attempts": 1,
        "input_tokens": 600,
        "output_tokens": 20,
        "cost_micro_usd": 700,
        "is_clipped": False,
        "run_id": "r1",
        "evaluated_at": "2026-10-03T18:00:00Z",
    }
    item = {"conversation_id": f"c{number}", "evaluation": usual | evaluation}
    return item | ({"created_at": day} if day else {})


def before(**evaluation: Any) -> dict[str, Any]:
    """What a re-evaluation has kept of the one before it."""
    return {"previous": {"outcome": "evaluated", "prompt_version": "p0", "model": "haiku"} | evaluation}


ITEMS = [
    judged(
        1,
        "2026-10-01T14:59:59Z",
        category="coding",
        inquiry_score=4,
        user_pseudonym="u1",
        **before(category="writing", inquiry_score=1),
    ),
    judged(
        2,
        "2026-10-01T15:00:00Z",
        category="coding",
        inquiry_score=3,
        user_pseudonym="u1",
        is_clipped=True,
        **before(category="writing", inquiry_score=2),
    ),
    judged(3, "2026-10-01T15:00:00Z", category="coding", inquiry_score=3, attempts=2, cost_micro_usd=1500),
    judged(
        4,
        "2026-10-02T01:00:00Z",
        category="writing",
        inquiry_score=5,
        user_pseudonym="u2",
        model="nova",
        **before(outcome="quarantined", reason="not_json"),
    ),
    judged(5, None, outcome="quarantined", reason="refused", user_pseudonym="u2"),
    judged(6, "not a time", outcome="quarantined", reason="refused", attempts=3, user_pseudonym="u3"),
    {"conversation_id": "c7", "created_at": "2026-10-02T01:00:00Z"},
    judged(8, "2026-09-21T01:30:00Z", category="coding", inquiry_score=4, user_pseudonym="u3"),
    judged(9, "2026-09-21T02:00:00Z", category="coding", inquiry_score=4, user_pseudonym="u2"),
    # The week of the export is not over: readers are not told of it.
    judged(10, "2026-10-12T00:00:00Z", category="office", inquiry_score=1, user_pseudonym="u9"),
]
TELLING = Telling("2026-10-12T18:00:00Z", date(2026, 10, 12), date(2026, 10, 1), 0, has_per_user_table=True)
EDITION = edition_of(GIVEN, TELLING)
OF_TWO = {**EDITION, "id": f"{GIVEN}-22222222"}

# Where nothing is hidden.
EXPECTED = {
    "shown_values": [
        ("dimension", "value", "counted_until", "last_week"),
        ("app_model", "unknown", "2026-10-12T18:00:00Z", date(2026, 9, 28)),
        ("category", "coding", "2026-10-12T18:00:00Z", date(2026, 9, 28)),
        ("category", "writing", "2026-10-12T18:00:00Z", date(2026, 9, 28)),
        ("department", "unknown", "2026-10-12T18:00:00Z", date(2026, 9, 28)),
        ("hour", "0", "2026-10-12T18:00:00Z", date(2026, 9, 28)),
        ("hour", "10", "2026-10-12T18:00:00Z", date(2026, 9, 28)),
        ("hour", "11", "2026-10-12T18:00:00Z", date(2026, 9, 28)),
        ("hour", "23", "2026-10-12T18:00:00Z", date(2026, 9, 28)),
        ("inquiry_score", "3", "2026-10-12T18:00:00Z", date(2026, 9, 28)),
        ("inquiry_score", "4", "2026-10-12T18:00:00Z", date(2026, 9, 28)),
        ("inquiry_score", "5", "2026-10-12T18:00:00Z", date(2026, 9, 28)),
        ("language", "unknown", "2026-10-12T18:00:00Z", date(2026, 9, 28)),
        ("user_group", "unknown", "2026-10-12T18:00:00Z", date(2026, 9, 28)),
    ],
    "shown_periods": [
        ("kind", "period", "told_with"),
        ("day", date(2026, 9, 21), date(2026, 9, 21)),
        ("day", date(2026, 10, 1), date(2026, 10, 1)),
        ("day", date(2026, 10, 2), date(2026, 10, 2)),
        ("series", date(2026, 9, 21), date(2026, 9, 21)),
        ("series", date(2026, 9, 28), date(2026, 9, 28)),
        ("week", date(2026, 9, 21), date(2026, 9, 21)),
        ("week", date(2026, 9, 28), date(2026, 9, 28)),
    ],
    "shown_series": [
        ("grain", "category"),
        ("month", "coding"),
        ("month", "writing"),
        ("week", "coding"),
        ("week", "writing"),
    ],
    "shown_pairs": [
        ("month", "dimension", "value", "paired", "conversations", "users", "mean_inquiry_score"),
        (date(2026, 9, 1), "app_model", "unknown", "coding", 2, 2, 4.0),
        (date(2026, 9, 1), "department", "unknown", "coding", 2, 2, 4.0),
        (date(2026, 9, 1), "language", "unknown", "coding", 2, 2, 4.0),
        (date(2026, 9, 1), "user_group", "unknown", "coding", 2, 2, 4.0),
        (date(2026, 9, 1), "weekday", "1", "10", 1, 1, 4.0),
        (date(2026, 9, 1), "weekday", "1", "11", 1, 1, 4.0),
    ],
    "category_by_group": [
        ("month", "dimension", "value", "category", "conversations", "users", "mean_inquiry_score"),
        (date(2026, 9, 1), "app_model", "unknown", "coding", 2, 2, 4.0),
        (date(2026, 9, 1), "department", "unknown", "coding", 2, 2, 4.0),
        (date(2026, 9, 1), "language", "unknown", "coding", 2, 2, 4.0),
        (date(2026, 9, 1), "user_group", "unknown", "coding", 2, 2, 4.0),
    ],
    "hour_by_weekday": [
        ("month", "weekday", "hour", "conversations", "users"),
        (date(2026, 9, 1), 1, 10, 1, 1),
        (date(2026, 9, 1), 1, 11, 1, 1),
    ],
    "category_counts": [
        ("category", "conversations", "users", "share", "coverage", "mean_inquiry_score"),
        ("coding", 5, 3, 5 / 6, 2 / 3, 3.6),
        ("writing", 1, 1, 1 / 6, 2 / 3, 5.0),
    ],
    "score_distribution": [
        ("inquiry_score", "conversations", "users", "share", "coverage"),
        (3, 2, 1, 1 / 3, 2 / 3),
        (4, 3, 3, 0.5, 2 / 3),
        (5, 1, 1, 1 / 6, 2 / 3),
    ],
    "department_usage": [
        ("department", "conversations", "users", "share", "coverage", "mean_inquiry_score"),
        ("unknown", 6, 3, 1.0, 2 / 3, 23 / 6),
    ],
    "user_group_usage": [
        ("user_group", "conversations", "users", "share", "coverage", "mean_inquiry_score"),
        ("unknown", 6, 3, 1.0, 2 / 3, 23 / 6),
    ],
    "app_model_usage": [
        ("app_model", "conversations", "users", "share", "coverage", "mean_inquiry_score"),
        ("unknown", 6, 3, 1.0, 2 / 3, 23 / 6),
    ],
    "language_usage": [
        ("language", "conversations", "users", "share", "coverage", "mean_inquiry_score"),
        ("unknown", 6, 3, 1.0, 2 / 3, 23 / 6),
    ],
    "hour_usage": [
        ("hour", "conversations", "users", "share", "coverage", "mean_inquiry_score"),
        (0, 2, 1, 1 / 3, 2 / 3, 3.0),
        (10, 2, 2, 1 / 3, 2 / 3, 4.5),
        (11, 1, 1, 1 / 6, 2 / 3, 4.0),
        (23, 1, 1, 1 / 6, 2 / 3, 4.0),
    ],
    "score_by_category": [
        ("category", "conversations", "mean_inquiry_score", "mean_low", "mean_high"),
        ("coding", 5, 3.6, 3.22, 3.98),
        ("writing", 1, 5.0, None, None),
    ],
    "daily_usage": [
        ("week", "day", "days", "conversations", "evaluated", "quarantined", "pending", "users", "coverage"),
        (date(2026, 9, 21), date(2026, 9, 21), 1, 2, 2, 0, 0, 2, 1.0),
        (date(2026, 9, 28), date(2026, 10, 1), 1, 1, 1, 0, 0, 1, 1.0),
        (date(2026, 9, 28), date(2026, 10, 2), 1, 4, 3, 0, 1, 2, 0.75),
    ],
    "weekly_usage": [
        (
            "month",
            "week",
            "weeks",
            "conversations",
            "evaluated",
            "quarantined",
            "pending",
            "users",
            "coverage",
            "mean_inquiry_score",
            "cost_micro_usd",
        ),
        (date(2026, 9, 1), date(2026, 9, 21), 1, 2, 2, 0, 0, 2, 1.0, 4.0, 1400),
        (date(2026, 10, 1), date(2026, 9, 28), 1, 5, 4, 0, 1, 2, 0.8, 3.75, 3600),
    ],
    "monthly_usage": [
        (
            "month",
            "first_day",
            "last_day",
            "weeks",
            "conversations",
            "evaluated",
            "quarantined",
            "pending",
            "users",
            "coverage",
            "mean_inquiry_score",
            "cost_micro_usd",
        ),
        (date(2026, 9, 1), date(2026, 8, 31), date(2026, 9, 27), 4, 2, 2, 0, 0, 2, 1.0, 4.0, 1400),
    ],
    "weekday_usage": [
        ("weekday", "days", "conversations", "conversations_per_day"),
        (1, 1, 2, 2.0),
        (4, 1, 1, 1.0),
        (5, 1, 4, 4.0),
    ],
    "category_trends": [
        (
            "grain",
            "category",
            "period",
            "conversations",
            "users",
            "share",
            "share_low",
            "share_high",
            "previous_share",
            "change",
            "change_low",
            "change_high",
            "is_more_than_noise",
        ),
        ("month", "coding", date(2026, 9, 1), 2, 2, 1.0, 1.0, 1.0, None, None, None, None, None),
        ("week", "coding", date(2026, 9, 21), 2, 2, 1.0, 1.0, 1.0, None, None, None, None, None),
        (
            "week",
            "coding",
            date(2026, 9, 28),
            3,
            1,
            0.75,
            0.18864479259112155,
            1.0,
            1.0,
            -0.25,
            -0.8113552074088785,
            0.31135520740887845,
            False,
        ),
        ("week", "writing", date(2026, 9, 21), 0, 0, 0.0, 0.0, 0.0, None, None, None, None, None),
        (
            "week",
            "writing",
            date(2026, 9, 28),
            1,
            1,
            0.25,
            0.0,
            0.8113552074088785,
            0.0,
            0.25,
            -0.31135520740887845,
            0.8113552074088785,
            False,
        ),
    ],
    "concentration": [
        ("share_of_use", "users", "share_of_users"),
        (0.1, 1, 1 / 3),
        (0.25, 1, 1 / 3),
        (0.5, 2, 2 / 3),
        (0.75, 3, 1.0),
        (0.9, 3, 1.0),
    ],
    "usage_by_user": [
        (
            "user_pseudonym",
            "conversations",
            "mean_inquiry_score",
            "input_tokens",
            "output_tokens",
            "cost_micro_usd",
            "last_day",
        ),
        ("u1", 2, 3.5, 1200, 40, 1400, date(2026, 10, 2)),
        ("u2", 3, 4.5, 1800, 60, 2100, date(2026, 10, 2)),
        ("u3", 2, 4.0, 1200, 40, 1400, date(2026, 9, 21)),
        ("unknown", 1, 3.0, 600, 20, 1500, date(2026, 10, 2)),
    ],
    "model_cost": [
        ("model", "answered_by", "conversations", "attempts", "input_tokens", "output_tokens", "cost_micro_usd"),
        ("haiku", "stand-in", 8, 11, 4800, 160, 6400),
        ("nova", "stand-in", 1, 1, 600, 20, 700),
    ],
    "judging_cost": [
        (
            "category",
            "model",
            "judged_day",
            "conversations",
            "attempts",
            "input_tokens",
            "output_tokens",
            "cost_micro_usd",
        ),
        (None, "haiku", date(2026, 10, 4), 2, 4, 1200, 40, 1400),
        ("coding", "haiku", date(2026, 10, 4), 5, 6, 3000, 100, 4300),
        ("office", "haiku", date(2026, 10, 4), 1, 1, 600, 20, 700),
        ("writing", "nova", date(2026, 10, 4), 1, 1, 600, 20, 700),
    ],
    "failures": [
        (
            "reason",
            "model",
            "prompt_version",
            "replay",
            "conversations",
            "attempts",
            "input_tokens",
            "output_tokens",
            "cost_micro_usd",
            "first_seen",
            "last_seen",
        ),
        (
            "refused",
            "haiku",
            "p1",
            "reason=refused;model=haiku;prompt_version=p1",
            2,
            4,
            1200,
            40,
            1400,
            "2026-10-03T18:00:00Z",
            "2026-10-03T18:00:00Z",
        ),
    ],
    "evaluation_quality": [
        ("model", "prompt_version", "outcome", "reason", "conversations", "first_attempt", "clipped"),
        (None, None, "pending", None, 1, 0, 0),
        ("haiku", "p1", "evaluated", None, 6, 5, 1),
        ("haiku", "p1", "quarantined", "refused", 2, 1, 0),
        ("nova", "p1", "evaluated", None, 1, 1, 0),
    ],
    "evaluation_changes": [
        (
            "previous_outcome",
            "previous_category",
            "previous_reason",
            "previous_prompt_version",
            "previous_model",
            "outcome",
            "category",
            "reason",
            "prompt_version",
            "model",
            "conversations",
            "previous_mean_inquiry_score",
            "mean_inquiry_score",
        ),
        ("evaluated", "writing", None, "p0", "haiku", "evaluated", "coding", None, "p1", "haiku", 2, 1.5, 3.5),
        ("quarantined", None, "not_json", "p0", "haiku", "evaluated", "writing", None, "p1", "nova", 1, None, 5.0),
    ],
}
# What two users are needed for: the tables that differ.
EXPECTED_OF_TWO = {
    "shown_values": [
        ("dimension", "value", "counted_until", "last_week"),
        ("app_model", "unknown", "2026-10-12T18:00:00Z", date(2026, 9, 28)),
        ("department", "unknown", "2026-10-12T18:00:00Z", date(2026, 9, 28)),
        ("hour", "10", "2026-10-12T18:00:00Z", date(2026, 9, 28)),
        ("language", "unknown", "2026-10-12T18:00:00Z", date(2026, 9, 28)),
        ("user_group", "unknown", "2026-10-12T18:00:00Z", date(2026, 9, 28)),
    ],
    "shown_periods": [
        ("kind", "period", "told_with"),
        ("day", date(2026, 9, 21), date(2026, 9, 21)),
        ("day", date(2026, 10, 1), date(2026, 10, 2)),
        ("day", date(2026, 10, 2), date(2026, 10, 2)),
        ("week", date(2026, 9, 21), date(2026, 9, 21)),
        ("week", date(2026, 9, 28), date(2026, 9, 28)),
    ],
    # Where a month has one row and one column, nothing can be silent beside the other.
    "shown_pairs": [("month", "dimension", "value", "paired", "conversations", "users", "mean_inquiry_score")],
    "category_by_group": [("month", "dimension", "value", "category", "conversations", "users", "mean_inquiry_score")],
    "hour_by_weekday": [("month", "weekday", "hour", "conversations", "users")],
    "shown_series": [("grain", "category")],
    "category_counts": [
        ("category", "conversations", "users", "share", "coverage", "mean_inquiry_score"),
        ("(few)", 6, 3, 1.0, 2 / 3, 23 / 6),
    ],
    "score_distribution": [
        ("inquiry_score", "conversations", "users", "share", "coverage"),
        (None, 6, 3, 1.0, 2 / 3),
    ],
    "hour_usage": [
        ("hour", "conversations", "users", "share", "coverage", "mean_inquiry_score"),
        (10, 2, 2, 1 / 3, 2 / 3, 4.5),
        (None, 4, 2, 2 / 3, 2 / 3, 3.5),
    ],
    "score_by_category": [
        ("category", "conversations", "mean_inquiry_score", "mean_low", "mean_high"),
        ("(few)", 6, 23 / 6, 3.19, 4.48),
    ],
    "daily_usage": [
        ("week", "day", "days", "conversations", "evaluated", "quarantined", "pending", "users", "coverage"),
        (date(2026, 9, 21), date(2026, 9, 21), 1, 2, 2, 0, 0, 2, 1.0),
        (date(2026, 9, 28), date(2026, 10, 2), 2, 5, 4, 0, 1, 2, 0.8),
    ],
    "weekday_usage": [
        ("weekday", "days", "conversations", "conversations_per_day"),
        (1, 1, 2, 2.0),
    ],
    "category_trends": [
        (
            "grain",
            "category",
            "period",
            "conversations",
            "users",
            "share",
            "share_low",
            "share_high",
            "previous_share",
            "change",
            "change_low",
            "change_high",
            "is_more_than_noise",
        )
    ],
    "concentration": [
        ("share_of_use", "users", "share_of_users"),
        (0.1, None, None),
        (0.25, None, None),
        (0.5, 2, 2 / 3),
        (0.75, 3, 1.0),
        (0.9, 3, 1.0),
    ],
}


@pytest.fixture(scope="module")
def warehouse(local_aws_server) -> Warehouse:
    local_aws_server.reset()
    local_aws_server.create_stack()
    warehouse = Warehouse({name: local_aws_server.client(name) for name in ("s3", "glue", "athena")})
    warehouse.add_snapshot(GIVEN, ITEMS)
    # Another snapshot of nearly the same table: rows that leak from it would change every count.
    warehouse.add_snapshot(LATER, [*ITEMS, {"conversation_id": "c11"}])
    for export_id, min_users in ((GIVEN, 0), (LATER, 0)):
        warehouse.tell(edition_of(export_id, TELLING), min_users)
    return warehouse


@pytest.fixture(scope="module")
def warehouse_of_two(warehouse) -> Warehouse:
    """The same, told from two users on."""
    warehouse.tell(OF_TWO, 2)
    return warehouse


def as_dicts(table: list[tuple]) -> list[dict[str, Any]]:
    columns, *rows = table
    return [dict(zip(columns, row, strict=True)) for row in rows]


def sql(table: str) -> str:
    return statement(table, EDITION, has_per_user_table=True)


def test_every_summary_has_a_file_an_expectation_and_a_reference():
    files = {path.stem for path in SUMMARY_FILES} - TESTED_ELSEWHERE

    assert files | set(SHOWN) == set(EXPECTED) == {*SHOWN, *READERS, *PAIRS, *OPERATORS}


@pytest.mark.parametrize("table", EXPECTED)
def test_the_summary_of_the_given_conversations_is_the_expected_one(warehouse, table):
    assert difference(warehouse.rows(sql(table)), as_dicts(EXPECTED[table])) is None


@pytest.mark.parametrize("table", EXPECTED)
def test_the_reference_gives_the_expected_summary_too(table):
    assert difference(summaries(ITEMS, TELLING)[table], as_dicts(EXPECTED[table])) is None


@pytest.mark.parametrize("table", EXPECTED)
def test_what_is_of_fewer_than_two_users_is_pooled_as_expected(warehouse_of_two, table):
    expected = as_dicts((EXPECTED | EXPECTED_OF_TWO)[table])

    found = warehouse_of_two.rows(statement(table, OF_TWO, 2, has_per_user_table=True))

    assert difference(found, expected) is None
    assert difference(summaries(ITEMS, replace(TELLING, min_users=2))[table], expected) is None


def test_what_is_new_of_a_published_value_waits_until_it_is_of_two_users(warehouse_of_two):
    """Hour 10 has one new user, so it is told as it was; hour 11 has two and waits with them, or they were alone."""
    new = {"category": "coding", "inquiry_score": 4, "evaluated_at": "2026-10-13T00:00:00Z"}
    items = [
        *ITEMS,
        judged(12, "2026-10-05T01:00:00Z", user_pseudonym="u1", **new),
        judged(13, "2026-10-06T02:00:00Z", user_pseudonym="u3", **new),
    ]
    earlier = replace(TELLING, min_users=2)
    telling = replace(earlier, counted_until="2026-10-19T18:00:00Z", open_week=date(2026, 10, 19))
    wanted = summaries(items, telling.after(summaries(ITEMS, earlier)))
    edition = edition_of(NEXT, telling)
    warehouse_of_two.publish(OF_TWO["id"])

    with warehouse_of_two.snapshot(NEXT, items):
        warehouse_of_two.tell(edition, 2)
        found = {table: warehouse_of_two.rows(statement(table, edition, 2)) for table in (*SHOWN, "hour_usage")}
    warehouse_of_two.publish("none")

    hours = [row for row in found["shown_values"] if row["dimension"] == "hour"]
    assert hours == as_dicts([EXPECTED["shown_values"][0], ("hour", "10", TELLING.counted_until, date(2026, 9, 28))])
    assert {row["hour"]: row["conversations"] for row in found["hour_usage"]} == {10: 2, None: 6}
    assert {table: difference(rows, wanted[table]) for table, rows in found.items()} == dict.fromkeys(found)


def test_no_row_is_one_person_unless_that_is_switched_on(warehouse):
    assert warehouse.rows(statement("usage_by_user", EDITION)) == []
    assert summaries(ITEMS, replace(TELLING, has_per_user_table=False))["usage_by_user"] == []


def test_the_generated_tables_hold_every_kind_of_conversation():
    tables = [generated_items(seed) for seed in range(102)]
    items = [item for table in tables for item in table]
    outcomes = Counter(item.get("evaluation", {}).get("outcome", "pending") for item in items)

    assert {0, 1} <= {len(table) for table in tables}
    assert min(outcomes[outcome] for outcome in ("evaluated", "quarantined", "pending")) > 100
    assert all(
        any(name not in item for item in items) for name in ("created_at", "department", "user_group", "language")
    )
    assert any("user_pseudonym" not in item.get("evaluation", {"user_pseudonym": ""}) for item in items)
    assert any(sum(i.get("evaluation", {}).get("cost_micro_usd", 0) for i in table) > 2**32 for table in tables)


@pytest.mark.parametrize("table", EXPECTED)
def test_a_summary_unloaded_to_parquet_holds_the_same_rows_and_plain_types(warehouse, table):
    prefix = f"summary/{table}/export={GIVEN}/run=1/try=1/"

    warehouse.unload(sql(table), prefix)

    files = [pq.read_table(io.BytesIO(data)) for data in warehouse.objects(prefix)]
    types = {str(column.type) for file in files for column in file.schema}
    assert difference([row for file in files for row in file.to_pylist()], as_dicts(EXPECTED[table])) is None
    assert types <= {"int64", "int32", "double", "string", "date32[day]", "bool"}


def test_the_view_gives_every_conversation_with_ordinary_types(warehouse):
    rows = warehouse.rows(f"select * from evaluations where export_id = '{GIVEN}'")

    by_id = {row["conversation_id"]: row for row in rows}
    evaluation = ITEMS[0]["evaluation"]
    assert set(by_id) == {keyed(item["conversation_id"]) for item in ITEMS}
    assert by_id[keyed("c1")] == {
        **{name: value for name, value in evaluation.items() if name != "previous"},
        "conversation_id": keyed("c1"),
        "category_before": evaluation["category"],
        "export_id": GIVEN,
        **dict.fromkeys(("language", "department", "user_group", "app_model", "app_tokens", "reason")),
        **{f"previous_{name}": evaluation["previous"].get(name) for name in PREVIOUS},
        "hour": 23,
        "weekday": 4,
        "day": date(2026, 10, 1),
        "week": date(2026, 9, 28),
        "month": date(2026, 10, 1),
        "judged_day": date(2026, 10, 4),
        "created_at": "2026-10-01T14:59:59Z",
    }
    assert by_id[keyed("c7")]["outcome"] == "pending"
    assert by_id[keyed("c7")]["model"] is None


def test_days_are_cut_in_the_configured_zone(warehouse):
    zone = "America/New_York"
    edition = {**EDITION, "id": f"{GIVEN}-0e30e300"}
    there = Warehouse(warehouse.clients, timezone=zone)

    there.tell(edition, 0)
    found = there.rows(statement("daily_usage", edition))
    Warehouse(warehouse.clients)

    assert difference(found, summaries(ITEMS, replace(TELLING, timezone=zone))["daily_usage"]) is None
    assert {row["day"] for row in found} == {date(2026, 9, 20), date(2026, 10, 1), date(2026, 10, 11)}


def test_a_snapshot_that_is_not_there_has_no_rows(warehouse):
    nothing = edition_of("01604474914028-ffffffff", TELLING)

    assert warehouse.rows(statement("category_counts", nothing)) == []
    assert warehouse.rows(statement("model_cost", nothing)) == []


@pytest.mark.parametrize("path", [*OUR_FILES, SQL / "views/evaluations.sql"], ids=lambda path: path.stem)
def test_the_header_names_the_file_and_its_columns(warehouse, path: Path):
    header = " ".join(re.findall(r"^-- (.*)", path.read_text(encoding="utf-8"), re.MULTILINE))
    select = "select * from evaluations limit 1" if path.stem == "evaluations" else sql(path.stem)

    described = re.sub(r"\([^)]*\)", "", header.rpartition("Columns:")[2]).rstrip(". ")

    assert header.startswith(f"{path.stem}: ")
    assert "Grain: " in header
    assert "Reads: " in header
    assert [name.strip() for name in described.split(",")] == list(warehouse.columns(select))


@pytest.mark.parametrize("summary", CATALOG, ids=lambda each: each.table)
def test_the_catalog_describes_the_columns_that_the_statement_returns(warehouse, summary):
    athena_types = {"string": "varchar", "int": "integer"}

    described = {column.name: athena_types.get(column.type, column.type) for column in summary.columns}

    assert described == warehouse.columns(sql(summary.table))
