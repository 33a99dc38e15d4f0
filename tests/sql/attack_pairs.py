"""
What a reader can work out of the pairs: groups by category, hours by weekday, month by month.

Two kinds of systems. Of one month, the attacker is given what no table tells: all totals of rows and of columns. Over
all months, he has the totals of values that the editions tell, and is given how many conversations of each category (or
weekday) each month has, by the edition that told of them first.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

from tests.sql.knowledge import Knowledge, Sum, Target
from tests.sql.reference.conversations import Row, month_of
from tests.sql.reference.pairs import PAIRED
from tests.sql.reference.shown import DIMENSIONS

if TYPE_CHECKING:
    from tests.sql.attack import Attack, Fate

Pair = tuple[str | None, str | None]  # a value, and what it is paired with
Detail = tuple[str | None, date | None]  # what is paired with a value, and a month; None: any that is not told
_KEYS = {"hour": "weekday"}  # where the values that have totals are the columns


class Pairs:
    """What the editions tell of the pairs of one dimension, and who is behind it."""

    def __init__(self, attack: "Attack", dimension: str) -> None:
        self._attack, self._dimension, self._key = attack, dimension, _KEYS.get(dimension, dimension)
        self.told = [_told(edition.tables, self._key) for edition in attack.editions]
        self._months = {month for told in self.told for month, _ in told}
        self._places = [_places(edition.tables) for edition in attack.editions]

    def systems(self) -> Iterator[tuple[Knowledge, list[Target]]]:
        """Return a system for each month of which pairs are told."""
        for month in sorted(self._months):
            yield self._of_month(month)

    def _of_month(self, month: date) -> tuple[Knowledge, list[Target]]:
        tellers = [number for number, told in enumerate(self.told) if any(each == month for each, _ in told)]
        first, *others = ({row["id"]: row for row in self._members(month, number)} for number in tellers)
        assert all(other.keys() == first.keys() for other in others), "a month changes after it was told"
        members: dict[Pair, list[Row]] = defaultdict(list)
        for row in first.values():
            members[self._pair(row)].append(row)
        told = {pair: count for each in self.told for (of, pair), count in each.items() if of == month}
        knowledge, targets = system_of_month(members, told)
        return knowledge, [replace(target, name=(self._key, month, *target.name)) for target in targets]

    def _members(self, month: date, number: int) -> list[Row]:
        attack = self._attack
        rows = (row for row, fate in attack.evaluated() if attack.is_counted(number, fate))
        return [row for row in rows if self._month(row, number) == month]

    def _month(self, row: Row, number: int = -1) -> date | None:
        """Return the month whose pairs count a conversation, of those that any edition tells."""
        series, days = self._places[number]
        month = series.get(row["week"])
        is_counted = month in self._months and (self._key != "weekday" or row["day"] in days)
        return month if is_counted else None

    def _pair(self, row: Row) -> Pair:
        if self._key == "weekday":
            return str(row["weekday"]), DIMENSIONS["hour"](row)
        return DIMENSIONS[self._key](row), DIMENSIONS[PAIRED[self._key]](row)

    def _parts(self, row: Row) -> tuple[str | None, Detail]:
        """Return the value that has a total, and all else that pairs count by."""
        value, paired = self._pair(row)
        return (paired, (value, self._month(row))) if self._key == "weekday" else (value, (paired, self._month(row)))

    def details(self) -> set[tuple[Detail, "Fate"]]:
        """Return what else pairs count by, and by the edition that told of it first."""
        return {(self._parts(row)[1], fate) for row, fate in self._attack.evaluated()}

    def equations(self, cells: list[tuple]) -> Iterator[tuple[Sum, int]]:
        """
        Return what pairs tell of all months, and the totals of each category and month.

        Shape: a cell is the value that has a total, a detail, and a fate.
        """
        members: dict[tuple, int] = defaultdict(int)
        for row, fate in self._attack.evaluated():
            members[self._parts(row)[1], fate] += 1
        of_detail: dict[tuple, list[tuple]] = defaultdict(list)
        of_pair: dict[tuple, list[tuple]] = defaultdict(list)
        for cell in cells:
            value, (paired, month), fate = cell
            of_detail[cell[1], fate].append(cell)
            of_pair[month, (paired, value) if self._key == "weekday" else (value, paired)].append(cell)
        yield from ((dict.fromkeys(found, 1), members[detail]) for detail, found in of_detail.items())
        for number, told in enumerate(self.told):
            for key, count in told.items():
                counted = [cell for cell in of_pair[key] if self._attack.is_counted(number, cell[-1])]
                yield dict.fromkeys(counted, 1), count

    def targets(self, cells: list[tuple]) -> Iterator[Target]:
        """Return each value in each month, each pair in it, and all of a value that no pair tells."""
        told = {key for each in self.told for key in each}
        groups: dict[tuple, Target] = {}

        def add(row_parts: tuple[str | None, Detail], row: Row) -> None:
            value, detail = row_parts
            key = (detail[1], (detail[0], value) if self._key == "weekday" else (value, detail[0]))
            names: Iterable[tuple] = [(value, "month", detail[1]), (value, detail)]
            for name in [*names, *([] if key in told else [(value, "not told")])]:
                groups.setdefault(name, Target((self._dimension, *name), {})).members.append(row)

        for row, _ in self._attack.evaluated():
            if self._parts(row)[0] is not None:
                add(self._parts(row), row)
        for cell in cells:
            value, (paired, month), _ = cell
            key = (month, (paired, value) if self._key == "weekday" else (value, paired))
            names = [(value, "month", month), (value, cell[1]), *([] if key in told else [(value, "not told")])]
            for name in names:
                if name in groups:
                    groups[name].cells[cell] = 1
        yield from groups.values()


def system_of_month(members: Mapping[Pair, list[Row]], told: Mapping[Pair, int]) -> tuple[Knowledge, list[Target]]:
    """
    Return what is known of one month where all totals of rows and columns are, and the cells *told*.

    Targets are the cells, and all that is not told of a row, or of a column, of which something is.
    """
    cells = {(value, paired) for value, _ in members for _, paired in members}
    equations: list[tuple[Sum, int]] = [({pair: 1}, count) for pair, count in told.items()]
    targets = [Target(pair, {pair: 1}, rows) for pair, rows in members.items()]
    for place in (0, 1):
        for name in {cell[place] for cell in cells}:
            found = [cell for cell in cells if cell[place] == name]
            silent = [cell for cell in found if cell not in told]
            equations.append((dict.fromkeys(found, 1), sum(len(members.get(cell, ())) for cell in found)))
            if len(silent) < len(found):
                rows = [row for cell in silent for row in members.get(cell, ())]
                targets.append(Target((name, "not told"), dict.fromkeys(silent, 1), rows))
    return Knowledge(equations), targets


def _told(tables: Mapping[str, list[Row]], dimension: str) -> dict[tuple[date, Pair], int]:
    if dimension == "weekday":
        rows = tables["hour_by_weekday"]
        return {(row["month"], (str(row["weekday"]), str(row["hour"]))): row["conversations"] for row in rows}
    rows = [row for row in tables["category_by_group"] if row["dimension"] == dimension]
    return {(row["month"], (row["value"], row["category"])): row["conversations"] for row in rows}


def _places(tables: Mapping[str, list[Row]]) -> tuple[dict[date, date], set[date]]:
    """Return the month of each week of a series, and the days that are told alone."""
    periods = tables["shown_periods"]
    series = {row["period"]: month_of(row["told_with"]) for row in periods if row["kind"] == "series"}
    days = [row["told_with"] for row in periods if row["kind"] == "day"]
    return series, {day for day in days if days.count(day) == 1}
