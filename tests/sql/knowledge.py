"""Equations between counts, and which counts follow from them: exact algebra, and bounds since no count is negative."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil, floor

from tests.sql.reference.conversations import Row

Cell = Hashable
Sum = Mapping[Cell, int]
Number = int | Fraction


@dataclass
class Target:
    """A group of people: the cells that its conversations lie in, and whose they are."""

    name: tuple
    cells: Sum
    members: list[Row] = field(default_factory=list)
    is_total: bool = False  # the total of a table is no secret


class Knowledge:
    """Equations between counts; what follows from them."""

    def __init__(self, equations: Iterable[tuple[Sum, int]]) -> None:
        listed = [(sums, value) for sums, value in equations if sums]
        seen: dict[Cell, list[tuple[int, int]]] = defaultdict(list)
        for number, (sums, _) in enumerate(listed):
            for cell, factor in sums.items():
                seen[cell].append((number, factor))
        # Cells that every equation treats alike are one unknown.
        self.lump_of = {cell: tuple(places) for cell, places in seen.items()}
        self.sizes: dict[Cell, int] = defaultdict(int)
        for lump in self.lump_of.values():
            self.sizes[lump] += 1
        self._rows = [({self.lump_of[cell]: factor for cell, factor in sums.items()}, value) for sums, value in listed]
        self._solved = self._solve()
        self._bounds = self._narrow()

    def _solve(self) -> dict[Cell, tuple[dict[Cell, Number], Number]]:
        solved: dict[Cell, tuple[dict[Cell, Number], Number]] = {}
        for sums, value in self._rows:
            rest, right = _reduced(sums, value, solved)
            if not rest:
                assert right == 0, "the published counts contradict each other: the attack misreads a row"
                continue
            pivot = next(iter(rest))
            factor = rest[pivot]
            rest, right = {lump: _divided(n, factor) for lump, n in rest.items()}, _divided(right, factor)
            for other, (row, other_right) in list(solved.items()):
                if pivot in row:
                    solved[other] = _minus(row, other_right, row[pivot], rest, right)
            solved[pivot] = (rest, right)
        return solved

    def _narrow(self) -> dict[Cell, tuple[int, int | None]]:
        """Return the bounds of each unknown: it is no less than 0, and no row leaves it more than the others allow."""
        bounds: dict[Cell, tuple[int, int | None]] = dict.fromkeys(self.sizes, (0, None))
        rows = [*self._rows, *self._solved.values()]
        rows_of: dict[Cell, set[int]] = defaultdict(set)
        for number, (sums, _) in enumerate(rows):
            for lump in sums:
                rows_of[lump].add(number)
        waiting = set(range(len(rows)))
        while waiting:
            for lump, found in _narrowed(*rows[waiting.pop()], bounds):
                bounds[lump] = found
                waiting |= rows_of[lump]
        return bounds

    def how(self, target: Sum) -> str | None:
        """Return how the count of *target* is found out; None if it is not."""
        parts: dict[Cell, int] = defaultdict(int)
        for cell in target:
            if cell not in self.lump_of:
                return None
            parts[self.lump_of[cell]] += 1
        whole = {lump: 1 for lump, count in parts.items() if count == self.sizes[lump]}
        if len(whole) == len(parts) and not _reduced(whole, 0, self._solved)[0]:
            return "sum"
        low = sum(self._bounds[lump][0] for lump in whole)
        highs = [self._bounds[lump][1] for lump in parts]
        return "bounds" if None not in highs and sum(highs) == low else None


def _minus(
    row: Mapping[Cell, Number], right: Number, factor: Number, other: Mapping[Cell, Number], other_right: Number
) -> tuple[dict[Cell, Number], Number]:
    found = dict(row)
    for lump, number in other.items():
        rest = found.get(lump, 0) - factor * number
        if rest:
            found[lump] = rest
        else:
            found.pop(lump, None)
    return found, right - factor * other_right


def _reduced(
    sums: Mapping[Cell, Number], right: Number, solved: Mapping[Cell, tuple[dict[Cell, Number], Number]]
) -> tuple[dict[Cell, Number], Number]:
    found = dict(sums)
    for lump in sums:
        if lump in solved and lump in found:
            found, right = _minus(found, right, found[lump], *solved[lump])
    return found, right


def _narrowed(
    sums: Mapping[Cell, Number], value: Number, bounds: Mapping[Cell, tuple[int, int | None]]
) -> Iterator[tuple[Cell, tuple[int, int | None]]]:
    """Yield the unknowns of one row whose bounds it narrows."""
    ends = {lump: _ends(factor, bounds[lump]) for lump, factor in sums.items()}
    least, most = _Total(low for low, _ in ends.values()), _Total(high for _, high in ends.values())
    for lump, factor in sums.items():
        others_least, others_most = least.without(ends[lump][0]), most.without(ends[lump][1])
        low = None if others_most is None else _divided(value - others_most, factor)
        high = None if others_least is None else _divided(value - others_least, factor)
        if factor < 0:
            low, high = high, low
        low, high = None if low is None else ceil(low), None if high is None else floor(high)  # counts are whole
        old_low, old_high = bounds[lump]
        new_low = old_low if low is None else max(old_low, low)
        new_high = old_high if high is None else high if old_high is None else min(old_high, high)
        if (new_low, new_high) != (old_low, old_high):
            yield lump, (new_low, new_high)


def _ends(factor: Number, bounds: tuple[Number, Number | None]) -> tuple[Number | None, Number | None]:
    low, high = (None if each is None else each * factor for each in bounds)
    return (low, high) if factor > 0 else (high, low)


class _Total:
    """A sum of which some parts may be without a bound (None)."""

    def __init__(self, parts: Iterable[Number | None]) -> None:
        listed = list(parts)
        self._boundless = listed.count(None)
        self.known = sum(part for part in listed if part is not None)

    def without(self, part: Number | None) -> Number | None:
        """Return the sum of the others, None where it has no bound."""
        if part is None:
            return self.known if self._boundless == 1 else None
        return None if self._boundless else self.known - part


def _divided(number: Number, factor: Number) -> Number:
    return number * factor if factor in (1, -1) else Fraction(number) / factor
