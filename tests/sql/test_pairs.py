"""Pairs: SQL and reference agree where there are many, and no small cell of any grid is found out."""

from itertools import combinations
from random import Random

import pytest

from tests.sql.attack_pairs import system_of_month
from tests.sql.generated_items import generated_editions
from tests.sql.knowledge import Target
from tests.sql.reference import PAIRS, pairs, summaries
from tests.sql.reference.conversations import users
from tests.sql.rows import difference
from tests.sql.translated import Statements
from tests.sql.warehouse import GENERATED, Warehouse

CASES = [(5, 0), (3, 2), (5, 2), (10, 2), (3, 5), (5, 5), (10, 5)]
GRIDS, SMALL = range(300), 5


def editions(seed: int):
    return generated_editions(seed, is_odd=False, is_large=True, is_judged=True)


@pytest.fixture(scope="module")
def statements(local_aws_server) -> Statements:
    local_aws_server.reset()
    local_aws_server.create_stack()
    clients = {name: local_aws_server.client(name) for name in ("s3", "glue", "athena")}
    tables = {seed: editions(seed) for seed, _ in CASES}
    snapshots = {f"{seed}-{number}": pair[number].items for seed, pair in tables.items() for number in (0, 1)}
    return Statements(Warehouse(clients, mapping=GENERATED), PAIRS, snapshots)


@pytest.mark.parametrize(("seed", "min_users"), CASES)
def test_the_pairs_of_two_editions_equal_the_recomputation_in_python(statements, seed, min_users):
    published, wanted = None, None
    for number, edition in enumerate(editions(seed)):
        telling = edition.telling(min_users)
        telling = telling.after(wanted) if wanted else telling
        wanted = summaries(edition.items, telling)
        made = statements.rows(f"{seed}-{number}", telling, published)
        differs = {table: difference(made[table], wanted[table]) for table in ("shown_pairs", *PAIRS)}

        assert differs == dict.fromkeys(differs)
        assert made["shown_pairs"]
        published = made


def grid(seed: int) -> pairs.Grid:
    """Return a month of up to seven rows and eight columns, some of whose cells are empty or of one person only."""
    random = Random(seed)
    filled = random.choice((0.4, 0.7, 0.95))
    most = random.choice((3, 9, 20))
    cells = {}
    for value in "abcdefg"[: random.randint(2, 7)]:
        for column in "12345678"[: random.randint(3, 8)]:
            people = random.randint(1, random.choice((3, most, most)))
            if random.random() < filled:
                count = people * random.choice((1, 1, 2))
                names = [f"{value}{random.randrange(people)}" for _ in range(count)]
                cells[value, column] = [{"user_pseudonym": name, "inquiry_score": 3} for name in names]
    return pairs.Grid(cells, SMALL)


def found_out(seed: int, dimension: str) -> tuple[int, list[Target]]:
    """Return how many cells of a grid are told, and which small groups are found out."""
    made = grid(seed)
    told = pairs.told_cells(made, dimension)
    knowledge, targets = system_of_month(made.cells, {cell: len(made.cells[cell]) for cell in told})
    small = [target for target in targets if 0 < users(target.members) < SMALL]
    return len(told), [target for target in small if told and knowledge.how(target.cells)]


def small_cells_found(dimension: str) -> list[tuple]:
    names = [target.name for seed in GRIDS for target in found_out(seed, dimension)[1]]
    return [name for name in names if name[1] != "not told"]


@pytest.mark.parametrize("dimension", ["department", "weekday"])
def test_no_small_group_of_a_month_is_found_out_though_all_totals_are_known(dimension):
    told = [found_out(seed, dimension) for seed in GRIDS]

    assert sum(count > 0 for count, _ in told) > 20
    assert [found for _, found in told if found] == []


# Rules switched off.
NO_CROWD = {"are_many": lambda _, place, told: {cell[place] for cell in told}}
NO_BLOCK = {"Grid.blocks": [((), ())]}


def switch_off(monkeypatch: pytest.MonkeyPatch, rules: dict[str, object]) -> None:
    for name, mutant in rules.items():
        monkeypatch.setattr(f"tests.sql.reference.pairs.{name}", mutant)


@pytest.mark.parametrize("dimension", ["department", "weekday"])
def test_a_block_alone_keeps_every_small_cell_though_not_every_small_sum_of_cells(monkeypatch, dimension):
    switch_off(monkeypatch, NO_CROWD)

    assert small_cells_found(dimension) == []
    assert any(found_out(seed, dimension)[1] for seed in GRIDS)


@pytest.mark.parametrize("dimension", ["department", "weekday"])
def test_without_a_block_small_cells_are_found_out(monkeypatch, dimension):
    switch_off(monkeypatch, NO_CROWD | NO_BLOCK)

    assert small_cells_found(dimension)


def without_exchange(dimension: str) -> list[str]:
    """Return the small cells that no exchange of two conversations makes smaller: their least is what they have."""
    found = []
    for seed in GRIDS:
        made = grid(seed)
        told = pairs.told_cells(made, dimension)
        silent = made.cells.keys() - told
        for value, column in silent - made.large if told else ():
            others = [(row, other) for row, other in silent if row != value and other != column]
            if not any((row, column) not in told and (value, other) not in told for row, other in others):
                found.append(f"{seed} {value} {column}")
    return found


@pytest.mark.parametrize("dimension", ["department", "weekday"])
def test_every_small_cell_could_have_one_conversation_fewer(dimension):
    assert without_exchange(dimension) == []


@pytest.mark.parametrize("dimension", ["department", "weekday"])
def test_with_a_block_one_of_whose_cells_is_empty_some_could_not(monkeypatch, dimension):
    switch_off(monkeypatch, NO_CROWD | {"Grid.blocks": property(of_three_cells)})

    assert without_exchange(dimension)


def of_three_cells(grid: pairs.Grid) -> list:
    filled = {(grid.row_of[cell], cell[1]) for cell in grid.cells}
    found = [
        (rows, columns)
        for rows in combinations(grid.rows, 2)
        for columns in combinations(grid.columns, 2)
        if sum((row, column) in filled for row in rows for column in columns) == 3
    ]
    return sorted(found, key=grid.cost)


def test_where_all_columns_of_large_cells_are_told_small_cells_are_found_out(monkeypatch):
    switch_off(monkeypatch, {"whole_columns": lambda grid: set(grid.large)})

    assert small_cells_found("department")
