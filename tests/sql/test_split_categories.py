"""A category is split and judged again: its series go on, and two editions tell nothing new of a few people."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from chatcensus.crosswalk import Crosswalk
from tests.sql.attack import Attack, Finding, Published
from tests.sql.generated_items import GeneratedEdition, generated_editions
from tests.sql.reference import PAIRS, READERS, shown, summaries
from tests.sql.reference.conversations import Row, Telling
from tests.sql.rows import difference
from tests.sql.translated import Statements
from tests.sql.warehouse import GENERATED, Warehouse

SMALL = 5
OLD, NEW = "a" * 12, "b" * 12
# The most used category becomes two; of `gone` nothing has kept the name.
SPLIT = {"coding": ["coding", "travel"], "gone": ["legal", "other"]}
CROSSWALK = Crosswalk.model_validate({"steps": [{"from": OLD, "to": NEW, "since": "2026-11-01", "split": SPLIT}]})
BEFORE = dict(CROSSWALK.comparable)
# Tables over a split: how often a conversation of it is of the new category, and whether nothing else has happened.
SPLITS = ((4, 0.3, False), (4, 0.02, True), (7, 0.3, True), (9, 0.02, False))
STATED = SPLITS[0]
# Tables both editions of which are younger than the split.
LATER_SEEDS, LATER_STATED = range(60, 70), (8, 16)


def before_and_after(seed: int, share: float, *, is_still: bool) -> tuple[GeneratedEdition, GeneratedEdition]:
    """
    Return a table, and the same a week later, when its category `coding` has been judged again.

    Shape: a *share* of that is `travel` then. Where it *is_still* nothing else has happened in that week.
    """
    first, later = generated_editions(seed, is_odd=False, is_large=True, is_judged=True)
    random = Random(f"split {seed}")
    judged_at = f"{first.time + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"

    def again(item: dict[str, Any]) -> dict[str, Any]:
        if item.get("evaluation", {}).get("category") != "coding":
            return item
        category = "travel" if random.random() < share else "coding"
        judged = max(item["evaluation"]["evaluated_at"], judged_at)
        return item | {"evaluation": item["evaluation"] | {"category": category, "evaluated_at": judged}}

    items = first.items if is_still else later.items
    return first, GeneratedEdition([again(item) for item in items], later.time)


def telling(edition: GeneratedEdition) -> Telling:
    return replace(edition.telling(SMALL), before=BEFORE)


def published(first: GeneratedEdition, second: GeneratedEdition) -> tuple[Published, Published]:
    one = Published.of(first.items, telling(first))
    return one, Published.of(second.items, telling(second).after(one.tables))


def found(*editions: Published) -> list[Finding]:
    return Attack(*editions).report_of_categories(SMALL).found


def series(tables: Mapping[str, list[Row]]) -> dict[tuple[Any, ...], Row]:
    """Return what the weekly and monthly tables tell, by period and category."""
    told = {(row["grain"], row["period"], row["category"]): row for row in tables["category_trends"]}
    groups = {
        (row["dimension"], row["value"], row["month"], row["category"]): row for row in tables["category_by_group"]
    }
    return {key: {name: row[name] for name in ("conversations", "users")} for key, row in (told | groups).items()}


@pytest.mark.parametrize("case", [case for case in SPLITS if case[2]])
def test_weeks_and_months_tell_after_a_split_what_they_told_before(case):
    one, two = (series(edition.tables) for edition in published(*before_and_after(*case[:2], is_still=True)))

    both = one.keys() & two.keys()
    assert {key[-1] for key in both} >= {"coding"}
    assert {key: one[key] for key in both} == {key: two[key] for key in both}
    assert {key[-1] for key in one} == {key[-1] for key in two}


def test_by_the_categories_of_today_a_split_would_change_weeks_by_a_few_conversations(monkeypatch):
    monkeypatch.setattr(f"{__name__}.BEFORE", {})
    one, two = (series(edition.tables) for edition in published(*before_and_after(7, 0.02, is_still=True)))

    changes = {one[key]["conversations"] - two[key]["conversations"] for key in one.keys() & two.keys()}
    assert {1, 2} <= changes


@pytest.mark.parametrize("case", SPLITS)
def test_a_split_gives_no_group_of_fewer_than_five_people_away(case):
    assert found(*published(*before_and_after(*case[:2], is_still=case[2]))) == []


def test_nor_does_what_comes_after_it():
    editions = [published(*generated_editions(seed, is_odd=False)) for seed in LATER_SEEDS]

    assert any(row["dimension"] == "part" for _, two in editions for row in two.tables["shown_values"])
    assert [finding for one, two in editions for finding in (*found(one), *found(one, two))] == []


def test_all_parts_of_a_split_are_told_with_all_conversations_of_the_category_once_they_are_of_enough_people():
    one, two = published(*before_and_after(7, 0.3, is_still=True))

    before, after = ({row["category"]: row for row in each.tables["category_counts"]} for each in (one, two))
    assert "travel" not in before
    parts = after["coding"]["conversations"] + after["travel"]["conversations"]
    assert parts == sum(row["evaluation"].get("category") in ("coding", "travel") for row in judged(two))


def judged(edition: Published) -> list[dict[str, Any]]:
    """Return the items of conversations that readers are told of, and that were judged."""
    told = edition.by_id()
    return [item for item in edition.items if told.get(item["conversation_id"], {}).get("outcome") == "evaluated"]


def test_a_part_of_few_people_counts_as_what_it_was():
    one, two = published(*before_and_after(4, 0.02, is_still=True))

    assert any(item["evaluation"].get("category") == "travel" for item in judged(two))
    before, after = ({row["category"]: row for row in each.tables["category_counts"]} for each in (one, two))
    assert "travel" not in after
    assert after["coding"]["conversations"] >= before["coding"]["conversations"]


def test_the_attack_finds_small_groups_where_parts_of_few_people_are_told(monkeypatch):
    def all_parts(whole: Any, _: int, latest: Any, *__: Telling) -> list[Any]:
        parts = shown.groups(whole.members, "category")
        return [shown._Value(key["category"], members, None, latest) for key, members in parts]

    monkeypatch.setattr(shown, "parts_of", all_parts)

    assert found(*published(*before_and_after(4, 0.02, is_still=True)))


def test_the_attack_finds_small_groups_where_one_part_is_told_without_the_others(monkeypatch):
    monkeypatch.setattr(shown, "_all_or_none", lambda values, *_: values)

    assert found(published(*generated_editions(61, is_odd=False))[0])


@pytest.fixture(scope="module")
def statements(local_aws_server) -> Statements:
    local_aws_server.reset()
    local_aws_server.create_stack()
    clients = {name: local_aws_server.client(name) for name in ("s3", "glue", "athena")}
    editions = {"split": before_and_after(*STATED[:2], is_still=STATED[2])}
    editions |= {f"later {seed}": generated_editions(seed) for seed in LATER_STATED}
    snapshots = {f"{name} {number}": pair[number].items for name, pair in editions.items() for number in (0, 1)}
    warehouse = Warehouse(clients, mapping=GENERATED, crosswalk=CROSSWALK)
    return Statements(warehouse, (*READERS, *PAIRS), snapshots)


def stated(statements: Statements, name: str, *editions: GeneratedEdition) -> list[Published]:
    """Return the editions as our statements make them, each held to the reference."""
    made: list[Published] = []
    for number, edition in enumerate(editions):
        told = telling(edition).after(made[-1].tables) if made else telling(edition)
        tables = statements.rows(f"{name} {number}", told, made[-1].tables if made else None)
        wanted = summaries(edition.items, told)
        differs = {table: difference(rows, wanted[table]) for table, rows in tables.items() if table in wanted}
        assert {table: each for table, each in differs.items() if each} == {}
        made.append(Published(edition.items, told, tables))
    return made


def test_the_statements_go_on_with_the_series_and_give_no_group_of_fewer_than_five_people_away(statements):
    one, two = stated(statements, "split", *before_and_after(*STATED[:2], is_still=STATED[2]))

    by_period = {row["category"] for row in two.tables["category_trends"]}
    assert "coding" in by_period
    assert "travel" not in by_period
    assert "travel" in {row["category"] for row in two.tables["category_counts"]}
    assert found(one, two) == []


@pytest.mark.parametrize("seed", LATER_STATED)
def test_the_statements_tell_of_split_categories_what_the_reference_does(statements, seed):
    one, two = stated(statements, f"later {seed}", *generated_editions(seed))

    assert one.tables["category_counts"] or two.tables["category_counts"]
