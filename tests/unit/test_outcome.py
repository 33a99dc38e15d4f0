"""What the demo compares: the published tables with a scan of the table, in which small groups are pooled too."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from demo.outcome import Judged, Outcome, Told

BEFORE, UNTIL, AFTER = "2026-10-01T00:00:00Z", "2026-10-02T00:00:00Z", "2026-10-03T00:00:00Z"
TOLD_WEEK, LAST_WEEK, UNTOLD_WEEK = date(2026, 9, 14), date(2026, 9, 21), date(2026, 9, 28)
TOLD = {"category": {"coding": Told(UNTIL, TOLD_WEEK)}, "inquiry_score": {"3": Told(AFTER, LAST_WEEK)}}


def judged(
    user: str | None, category: str = "coding", evaluated_at: str = BEFORE, week: date | None = TOLD_WEEK
) -> Judged:
    return Judged(user, week, evaluated_at, category, "3")


def outcome(conversations: list[Judged], categories: dict[str, int], scores: dict[int | None, int]) -> Outcome:
    tables = {
        "category_counts": [{"category": value, "conversations": count} for value, count in categories.items()],
        "score_distribution": [{"inquiry_score": value, "conversations": count} for value, count in scores.items()],
    }
    return Outcome(tables, {}, TOLD, frozenset({TOLD_WEEK, LAST_WEEK}), 2, conversations)


ALL = [judged("a"), judged("b"), judged("b"), judged("a", "writing"), judged("c", "research")]


def test_what_is_told_apart_is_counted_and_the_rest_is_one_group():
    assert outcome(ALL, {"coding": 3, "(few)": 2}, {3: 5}).is_equal


@pytest.mark.parametrize(
    "late", [{"evaluated_at": AFTER}, {"week": LAST_WEEK}], ids=["judged after it was counted", "of a later week"]
)
def test_what_is_new_since_its_value_was_last_counted_waits_in_the_pool(late: dict[str, Any]):
    assert outcome([*ALL, judged("d", **late)], {"coding": 3, "(few)": 3}, {3: 6}).is_equal
    assert not outcome([*ALL, judged("d", **late)], {"coding": 4, "(few)": 2}, {3: 6}).is_equal


def test_what_lies_in_a_week_that_is_not_told_is_left_out_altogether():
    assert outcome([*ALL, judged("d", week=UNTOLD_WEEK)], {"coding": 3, "(few)": 2}, {3: 5}).is_equal


def test_what_has_no_day_is_told_at_once():
    assert outcome([*ALL, judged("d", week=None)], {"coding": 4, "(few)": 2}, {3: 6}).is_equal


def test_where_no_week_is_told_only_what_has_no_day_counts():
    no_week = {
        "category": {"coding": Told(UNTIL, None)}, "inquiry_score": {"3": Told(UNTIL, None)},
    }  # fmt: skip
    undated = [judged("d", week=None), judged("e", week=None)]
    found = replace(outcome([*ALL, *undated], {"coding": 2}, {3: 2}), told=no_week, weeks=frozenset())

    assert found.is_equal


def test_a_value_that_has_two_rows_is_no_equality():
    twice = outcome(ALL, {"coding": 3, "(few)": 2}, {3: 5})
    twice.tables["category_counts"].append(twice.tables["category_counts"][0])

    assert not twice.is_equal


def test_a_pool_of_too_few_known_people_is_no_row():
    few = [judged("a"), judged("b"), judged("a", "writing"), judged(None, "writing")]

    assert outcome(few, {"coding": 2}, {3: 4}).is_equal


@pytest.mark.parametrize(
    ("categories", "scores"),
    [
        ({"coding": 2, "(few)": 2}, {3: 5}),
        ({"coding": 3, "(few)": 1}, {3: 5}),
        ({"coding": 3}, {3: 5}),
        ({"coding": 3, "(few)": 2, "writing": 1}, {3: 5}),
        ({"coding": 3, "(few)": 2}, {3: 4}),
    ],
)
def test_one_conversation_too_many_or_too_few_is_no_equality(categories: dict[str, int], scores: dict[int | None, int]):
    assert not outcome(ALL, categories, scores).is_equal


def test_without_hiding_every_value_that_is_told_is_compared():
    until = Told(BEFORE, TOLD_WEEK)
    told = {"category": dict.fromkeys(["coding", "writing", "research"], until), "inquiry_score": {"3": until}}
    open_hearted = replace(outcome(ALL, {"coding": 3, "writing": 1, "research": 1}, {3: 5}), told=told, min_users=0)

    assert open_hearted.is_equal
