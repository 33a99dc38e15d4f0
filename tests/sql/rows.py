"""Rows of two recomputations, compared in no order: whole numbers exactly, doubles but for their last digits."""

from collections.abc import Iterable, Mapping
from math import isclose
from typing import Any

Row = Mapping[str, Any]


def difference(found: Iterable[Row], wanted: Iterable[Row]) -> str | None:
    """Return the first rows that differ, as text; None where there are none."""
    found, wanted = list(found), list(wanted)
    doubles = {name for row in (*found, *wanted) for name, value in row.items() if isinstance(value, float)}
    sides = [sorted(rows, key=lambda row: _order(row, doubles)) for rows in (found, wanted)]
    for one, other in zip(*sides, strict=False):
        if one.keys() != other.keys() or not all(_same(one[name], other[name]) for name in one):
            return f"found {one}\nwanted {other}"
    return None if len(found) == len(wanted) else f"found {len(found)} rows, wanted {len(wanted)}"


def _order(row: Row, doubles: set[str]) -> list[tuple[bool, str]]:
    return [(row[name] is None, str(row[name])) for name in sorted(row) if name not in doubles]


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return isclose(one, other, rel_tol=1e-12, abs_tol=1e-12)
    return type(one) is type(other) and one == other
