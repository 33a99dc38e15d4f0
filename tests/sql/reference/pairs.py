"""Pairs of a group and a category, or of a weekday and an hour, in one month: which readers are told."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from itertools import combinations

from tests.sql.reference.conversations import Row, Telling, groups, having, mean_score, month_of, users
from tests.sql.reference.readers import alone
from tests.sql.reference.shown import DIMENSIONS, FEW, labels, shown_periods
from tests.sql.reference.trends import shown_series

# What each dimension is paired with.
PAIRED = {
    "department": "category",
    "user_group": "category",
    "app_model": "category",
    "language": "category",
    "weekday": "hour",
}
_MONTHS_TOLD, _ROWS_TRIED = 13, 30

Cell = tuple[str, str]


@dataclass
class Grid:
    """The conversations of one month by value and by what it is paired with."""

    cells: dict[Cell, list[Row]]
    k: int

    def __post_init__(self) -> None:
        sizes = {value: users(self.of(0, value)) for value in {cell[0] for cell in self.cells}}
        # Values of few people are one row, which is never told.
        self.row_of = {cell: cell[0] if sizes[cell[0]] >= self.k else None for cell in self.cells}
        self.large = {cell for cell, members in self.cells.items() if users(members) >= self.k}
        of_rows, of_columns = set(self.row_of.values()), {cell[1] for cell in self.cells}
        self.row_cost = {
            row: self._tellable(cell for cell in self.large if self.row_of[cell] == row) for row in of_rows
        }
        self.column_cost = {
            column: self._tellable(cell for cell in self.large if cell[1] == column) for column in of_columns
        }
        small = {cell[1] for cell in self.cells.keys() - self.large}
        self.rows = sorted(of_rows, key=lambda row: (self.row_cost[row], row is not None, row or ""))
        self.columns = sorted(of_columns, key=lambda column: (column not in small, self.column_cost[column], column))

    def _tellable(self, cells: Iterable[Cell]) -> int:
        return sum(len(self.cells[cell]) for cell in cells)

    def of(self, place: int, name: str, cells: Collection[Cell] | None = None) -> list[Row]:
        """Return the conversations of one value (*place* 0) or one column (1), in some of the cells."""
        within = self.cells if cells is None else cells
        return [each for cell in within if cell[place] == name for each in self.cells[cell]]

    @cached_property
    def blocks(self) -> list[tuple[tuple[str | None, ...], tuple[str, ...]]]:
        """All pairs of rows and of columns with four cells that are not empty, the cheapest first."""
        filled = {(self.row_of[cell], cell[1]) for cell in self.cells}
        found = [
            (rows, columns)
            for rows in combinations(self.rows[:_ROWS_TRIED], 2)
            for columns in combinations([c for c in self.columns if {(row, c) for row in rows} <= filled], 2)
        ]
        # Those of equal cost stay in the order of their rows, then of their columns.
        return sorted(found, key=self.cost)

    def cost(self, block: tuple[tuple[str | None, ...], tuple[str, ...]]) -> int:
        """Return how many conversations become silent with a block, those of its cells counted twice."""
        rows, columns = block
        return sum(self.row_cost[row] for row in rows) + sum(self.column_cost[column] for column in columns)


def shown_pairs(conversations: Iterable[Row], telling: Telling) -> list[Row]:
    """Return the pairs that readers are told, with their counts."""
    everything = [{**each, "nth": nth} for nth, each in enumerate(conversations)]
    population, names = in_months(everything, telling), Names(everything, telling)
    return [
        {"month": month, "dimension": dimension, "value": cell[0], "paired": cell[1], **_counts(grid.cells[cell])}
        for dimension, paired in PAIRED.items()
        for month, grid in grids(population, dimension, telling)
        for cell in told_cells(grid, dimension)
        if names.has(dimension, cell[0], grid.of(0, cell[0])) and names.has(paired, cell[1], grid.of(1, cell[1]))
    ]


def category_by_group(pairs: Iterable[Row]) -> list[Row]:
    """Return how many conversations a group has of a category in a month."""
    return [_renamed(row, paired="category") for row in pairs if row["dimension"] != "weekday"]


def hour_by_weekday(pairs: Iterable[Row]) -> list[Row]:
    """Return how many conversations begin in an hour of a weekday in a month."""
    return [
        {
            "month": row["month"],
            "weekday": int(row["value"]),
            "hour": int(row["paired"]),
            "conversations": row["conversations"],
            "users": row["users"],
        }
        for row in pairs
        if row["dimension"] == "weekday"
    ]


def _renamed(row: Row, **names: str) -> Row:
    return {names.get(name, name): value for name, value in row.items()}


def _counts(members: list[Row]) -> Row:
    return {
        "conversations": len(members), "users": users(members), "mean_inquiry_score": mean_score(members),
    }  # fmt: skip


def in_months(everything: list[Row], telling: Telling) -> list[Row]:
    """Return the evaluated conversations of complete months, each in the month of its week in the series."""
    series = {row["period"]: row["told_with"] for row in shown_periods(everything, telling) if row["kind"] == "series"}
    months = {week: month_of(told_with) for week, told_with in series.items()}
    days = alone(everything, telling)
    dated = [each for each in everything if each["day"] is not None and each["day"] < telling.open_week]
    # What is judged later may move its week, and with it others, to any month between these.
    spans = {(each["month"], months.get(each["week"], date.max)) for each in having(dated, "pending")}
    end = telling.open_month
    complete = {
        month
        for month in months.values()
        if 0 < (end.year - month.year) * 12 + end.month - month.month <= _MONTHS_TOLD
        and not any(first <= month <= last for first, last in spans)
    }
    return [
        {**each, "month": months[each["week"]], "is_day_alone": each["day"] in days}
        for each in having(dated, "evaluated")
        if months.get(each["week"]) in complete
    ]


def grids(population: list[Row], dimension: str, telling: Telling) -> list[tuple[date, Grid]]:
    """Return the months of a dimension."""
    pairs = [
        {**each, "value": _value(dimension, each), "paired": _value(PAIRED[dimension], each)}
        for each in population
        if dimension != "weekday" or each["is_day_alone"]
    ]
    found = []
    for key, members in groups(pairs, "month"):
        cells = {(cell["value"], cell["paired"]): rows for cell, rows in groups(members, "value", "paired")}
        found.append((key["month"], Grid(cells, telling.min_users)))
    return found


def _value(dimension: str, each: Row) -> str:
    return str(each["weekday"]) if dimension == "weekday" else DIMENSIONS[dimension](each)


def told_cells(grid: Grid, dimension: str) -> set[Cell]:
    """Return the cells that may be told, whatever their names: in the one way or the other, which tells more."""
    if not grid.k:
        return set(grid.cells)
    ways = [around_block(grid)] if dimension == "weekday" else [whole_columns(grid), around_block(grid)]
    return max(ways, key=lambda told: sum(len(grid.cells[cell]) for cell in told))


def whole_columns(grid: Grid) -> set[Cell]:
    """Return the cells of all columns but so many that what is silent is of enough people, and gives nothing away."""
    for number in range(len(grid.columns)):
        silent = set(grid.columns[:number])
        told = {cell for cell in grid.cells if cell[1] not in silent}
        has_block = any(silent.issuperset(columns) for _, columns in grid.blocks)
        if has_block and told <= grid.large and are_many(grid, 0, told) >= {cell[0] for cell in told}:
            return told
    return set()


def around_block(grid: Grid) -> set[Cell]:
    """Return the cells of enough people outside the rows and columns of the cheapest block."""
    told = outside_block(grid)
    for place in (0, 1):
        enough = are_many(grid, place, told)
        told = {cell for cell in told if cell[place] in enough}
    return told


def outside_block(grid: Grid) -> set[Cell]:
    blocks = grid.blocks
    if not blocks:
        return set()
    rows, columns = blocks[0]
    return {cell for cell in grid.large if grid.row_of[cell] not in rows and cell[1] not in columns}


def are_many(grid: Grid, place: int, told: set[Cell]) -> set[str]:
    """Return the values (or columns) whose cells that are not told are of enough people."""
    silent = grid.cells.keys() - told
    return {name for name in {cell[place] for cell in told} if users(grid.of(place, name, silent)) >= grid.k}


class Names:
    """Which values may be named in a month: those that are told in this edition with all that they have there."""

    def __init__(self, everything: list[Row], telling: Telling) -> None:
        self._everything, self._telling = everything, telling
        self._counted: dict[str, set[int]] = {}

    def has(self, dimension: str, name: str, members: list[Row]) -> bool:
        """Return whether the value whose conversations of a month are *members* may be named."""
        if dimension == "weekday":
            return True
        if name == FEW or (dimension == "category" and name not in self._series):
            return False
        if dimension not in self._counted:
            found = labels(self._everything, self._telling, dimension)
            self._counted[dimension] = {row["nth"] for row in found if str(row["label"]) == _value(dimension, row)}
        return all(each["nth"] in self._counted[dimension] for each in members)

    @cached_property
    def _series(self) -> set[str]:
        rows = shown_series(self._everything, self._telling)
        return {row["category"] for row in rows if row["grain"] == "month"}
