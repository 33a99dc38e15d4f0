"""No reader finds out how many conversations a group of under five people has: exact algebra against all tables."""

from collections import Counter
from dataclasses import replace

import pytest

from tests.sql.attack import Attack, Finding, Published, Report
from tests.sql.generated_items import generated_editions
from tests.sql.reference import PAIRS, READERS, pairs, shown, trends
from tests.sql.reference.conversations import Telling
from tests.sql.translated import Statements
from tests.sql.warehouse import GENERATED, Warehouse

SEEDS, LARGE_SEEDS = range(250), range(2, 27)  # two cases each: the first edition alone, and the first two
SQL_SEEDS = (3, 4, 5, 6, 8, 9, 10, 12, 13, 16, 18)
# Tables in which pairs are told, and whether they are large.
PAIR_SEEDS = ((6, False), (65, False), (126, False), (142, False), (3, True), (7, True))
SMALL = 5
_after = Telling.after


def attacked(seed: int, min_users: int, *, is_large: bool = False) -> list[Report]:
    """Attack the first edition of a table alone, and the first two together."""
    first, second = generated_editions(seed, is_odd=False, is_large=is_large)
    one = Published.of(first.items, first.telling(min_users))
    two = Published.of(second.items, second.telling(min_users).after(one.tables))
    return [Attack(one).report(SMALL), Attack(one, two).report(SMALL)]


def published(seed: int, min_users: int, *, is_large: bool) -> tuple[Published, Published]:
    """Return two editions of a table in which hardly anything is pending, so that pairs of months are told."""
    first, second = generated_editions(seed, is_odd=False, is_large=is_large, is_judged=True)
    one = Published.of(first.items, first.telling(min_users))
    return one, Published.of(second.items, second.telling(min_users).after(one.tables))


def attacked_pairs(seed: int, *, is_large: bool) -> list[Report]:
    one, two = published(seed, SMALL, is_large=is_large)
    assert two.tables["shown_pairs"]
    return [Attack(one).report(SMALL), Attack(one, two).report(SMALL)]


def beyond_their_values(edition: Published) -> list[str]:
    """Return the values and categories of which pairs tell more than the tables that have their totals."""
    told: Counter[tuple] = Counter()
    for row in edition.tables["category_by_group"]:
        told[row["dimension"], row["value"]] += row["conversations"]
        told[row["dimension"], row["month"], row["category"]] += row["conversations"]
    for row in edition.tables["hour_by_weekday"]:
        told["hour", row["hour"]] += row["conversations"]
    totals = {
        (dimension, row[dimension]): row["conversations"]
        for dimension in ("department", "user_group", "app_model", "language", "hour")
        for row in edition.tables[f"{dimension}_usage"]
    }
    months = {
        (row["period"], row["category"]): row["conversations"]
        for row in edition.tables["category_trends"]
        if row["grain"] == "month"
    }
    most = {key: totals.get(key, 0) if len(key) == 2 else months.get(key[1:], 0) for key in told}
    return [str(key) for key, count in told.items() if count > most[key]]


def found(reports: list[Report]) -> list[Finding]:
    return [finding for report in reports for finding in report.found]


@pytest.mark.parametrize("decade", range(0, len(SEEDS), 10))
def test_no_group_of_fewer_than_five_people_is_found_out(decade):
    reports = [report for seed in SEEDS[decade : decade + 10] for report in attacked(seed, SMALL)]

    assert sum(report.attacked for report in reports) > 100
    assert found(reports) == []


@pytest.mark.parametrize("seed", LARGE_SEEDS)
def test_no_group_of_fewer_than_five_people_is_found_out_in_a_large_table(seed):
    assert found(attacked(seed, SMALL, is_large=True)) == []


@pytest.mark.parametrize(("seed", "is_large"), PAIR_SEEDS)
def test_no_group_of_fewer_than_five_people_is_found_out_of_pairs(seed, is_large):
    assert found(attacked_pairs(seed, is_large=is_large)) == []


def test_the_attack_finds_small_groups_where_what_pairs_leave_silent_is_of_few_people(monkeypatch):
    monkeypatch.setattr(pairs, "are_many", lambda _, place, told: {cell[place] for cell in told})

    assert found(attacked_pairs(65, is_large=False))


def test_pairs_name_nothing_that_the_tables_of_its_values_do_not_tell():
    assert [beyond_their_values(edition) for edition in published(10, SMALL, is_large=True)] == [[], []]


def test_without_that_rule_pairs_name_what_is_pooled(monkeypatch):
    monkeypatch.setattr(pairs.Names, "has", lambda *_: True)

    assert any(beyond_their_values(edition) for edition in published(10, SMALL, is_large=True))


def test_the_attack_finds_small_groups_where_nothing_is_hidden():
    assert all(found(attacked(seed, 0)) for seed in range(2, 8))


def mutants() -> dict[str, tuple[object, str, object]]:
    """One rule switched off each."""
    return {
        "no value waits with others": (shown, "partner_of_values", lambda *_: None),
        "what is new is told at once": (shown, "_value", lambda value, of, *_: shown._Value(value, of, None)),
        "scores are pooled as texts are": (shown, "_all_or_none", shown.with_partner),
        "each week is told alone": (shown, "week_blocks", alone_in("week")),
        "each day is told alone": (shown, "day_blocks", alone_in("day")),
    }


def alone_in(kind: str) -> object:
    return lambda conversations, _: {row[kind]: row[kind] for row in conversations if row[kind]}


@pytest.mark.parametrize("rule", mutants())
def test_without_any_one_rule_the_attack_finds_small_groups(monkeypatch, rule):
    monkeypatch.setattr(*mutants()[rule])

    assert any(found(attacked(seed, SMALL)) for seed in range(2, 42))


def test_the_attack_finds_small_groups_where_trends_tell_every_category(monkeypatch):
    everything = lambda evaluated, *_: {row["label"] for row in evaluated} - {shown.FEW}  # noqa: E731
    monkeypatch.setattr(trends, "_shown_in", everything)

    assert any(found(attacked(seed, SMALL, is_large=True)) for seed in range(2, 6))


def test_the_attack_finds_small_groups_where_a_small_pool_of_a_series_has_no_partner(monkeypatch):
    monkeypatch.setattr(trends, "partner_of_series", lambda *_: "no category at all")

    assert found(attacked(50, SMALL, is_large=True))


def test_the_attack_finds_small_groups_where_a_pooled_series_is_told_later(monkeypatch):
    monkeypatch.setattr(Telling, "after", lambda self, tables: replace(_after(self, tables), published_series=None))

    assert found(attacked(5, SMALL, is_large=True))


@pytest.fixture(scope="module")
def statements(local_aws_server) -> Statements:
    local_aws_server.reset()
    local_aws_server.create_stack()
    clients = {name: local_aws_server.client(name) for name in ("s3", "glue", "athena")}
    pairs = {seed: generated_editions(seed, is_odd=False) for seed in SQL_SEEDS}
    snapshots = {f"{seed}-{number}": pair[number].items for seed, pair in pairs.items() for number in (0, 1)}
    return Statements(Warehouse(clients, mapping=GENERATED), (*READERS, *PAIRS), snapshots)


def attacked_by_sql(statements: Statements, seed: int, min_users: int) -> list[Report]:
    """Attack the same editions as our statements make them."""
    first, second = generated_editions(seed, is_odd=False)
    telling = first.telling(min_users)
    one = Published(first.items, telling, statements.rows(f"{seed}-0", telling))
    telling = second.telling(min_users).after(one.tables)
    two = Published(second.items, telling, statements.rows(f"{seed}-1", telling, one.tables))
    return [Attack(one).report(SMALL), Attack(one, two).report(SMALL)]


@pytest.mark.parametrize("seed", SQL_SEEDS)
def test_no_group_of_fewer_than_five_people_is_found_out_of_what_the_statements_tell(statements, seed):
    reports = attacked_by_sql(statements, seed, SMALL)

    assert sum(report.attacked for report in reports) > 10
    assert found(reports) == []


def test_the_attack_finds_small_groups_where_the_statements_hide_nothing(statements):
    assert found(attacked_by_sql(statements, SQL_SEEDS[0], 0))
