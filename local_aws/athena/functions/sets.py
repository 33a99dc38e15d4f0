"""Values of arrays and maps in Python, by Trino's meaning of equal, identical and ordered; one function a function."""

from __future__ import annotations

from itertools import combinations as pick
from itertools import count, pairwise
from math import comb
from typing import TYPE_CHECKING, Any

from local_aws.athena.failures import StatementError, Unsupported

if TYPE_CHECKING:
    from datetime import datetime

_MOST_ENTRIES = 10_000
_MOST_REPEATED = _MOST_COMBINED = 100_000


def _bad(message: str) -> StatementError:
    return StatementError("INVALID_FUNCTION_ARGUMENT", message)


def key_of(value: Any) -> Any:
    """Return what two values share exactly when they are not distinct: NULLs and NaNs are equal to themselves."""
    if isinstance(value, list):
        return ("list", *(key_of(item) for item in value))
    if isinstance(value, dict):
        return ("row", *(key_of(item) for item in value.values()))
    return "NaN" if value != value else value


def array_distinct(items: list[Any]) -> list[Any]:
    """Return array_distinct."""
    seen: set[Any] = set()
    return [item for item in items if not (key_of(item) in seen or seen.add(key_of(item)))]


def array_union(left: list[Any], right: list[Any]) -> list[Any]:
    """Return array_union: the left elements, then the right ones, each once."""
    return array_distinct(left + right)


def array_intersect(left: list[Any], right: list[Any]) -> list[Any]:
    """Return array_intersect, in the order of the longer array, of the left one when both are as long."""
    longer, shorter = (right, left) if len(left) < len(right) else (left, right)
    wanted = {key_of(item) for item in shorter}
    return array_distinct([item for item in longer if key_of(item) in wanted])


def array_except(left: list[Any], right: list[Any]) -> list[Any]:
    """Return array_except."""
    unwanted = {key_of(item) for item in right}
    return array_distinct([item for item in left if key_of(item) not in unwanted])


def arrays_overlap(left: list[Any], right: list[Any]) -> bool | None:
    """Return arrays_overlap: unknown when only a NULL could be in both."""
    if not left or not right:
        return False
    wanted = {key_of(item) for item in right if item is not None}
    if any(key_of(item) in wanted for item in left if item is not None):
        return True
    return None if None in left or None in right else False


def array_position(items: list[Any], wanted: Any) -> int:
    """Return array_position: from 1, 0 when it is not there."""
    return next((place for place, item in enumerate(items, 1) if item is not None and item == wanted), 0)


def array_remove(items: list[Any], unwanted: Any) -> list[Any]:
    """Return array_remove; NULLs stay."""
    return [item for item in items if item is None or item != unwanted]


def contains_sequence(items: list[Any], wanted: list[Any]) -> bool:
    """Return contains_sequence; NULL elements are refused, since Trino's answer for them was not checked."""
    if None in items or None in wanted:
        raise Unsupported("contains_sequence() with NULL elements")
    return any(items[start : start + len(wanted)] == wanted for start in range(len(items) - len(wanted) + 1))


def combinations(items: list[Any], size: int) -> list[list[Any]]:
    """Return combinations in Trino's order: the last element changes most slowly."""
    if not 0 <= size <= 5:
        raise _bad("combination size must be between 0 and 5")
    if size > len(items):
        return []
    if comb(len(items), size) * size > _MOST_COMBINED:
        raise _bad("combinations exceed max size")
    places = sorted(pick(range(len(items)), size), key=lambda chosen: chosen[::-1])
    return [[items[place] for place in chosen] for chosen in places]


def ngrams(items: list[Any], size: int) -> list[list[Any]]:
    """Return ngrams; a size beyond the array gives the whole array."""
    if size <= 0:
        raise _bad("N must be positive")
    size = min(size, len(items))
    return [items[start : start + size] for start in range(len(items) - size + 1)]


def array_slice(items: list[Any], start: int, size: int) -> list[Any]:
    """Return slice: from 1, or from the end when *start* is negative."""
    if size < 0:
        raise _bad("length must be greater than or equal to 0")
    if start == 0:
        raise _bad("SQL array indices start at 1")
    first = len(items) + start + 1 if start < 0 else start
    return items[first - 1 : first - 1 + size] if first >= 1 else []


def trim_array(items: list[Any], size: int) -> list[Any]:
    """Return trim_array."""
    if not 0 <= size <= len(items):
        raise _bad("size must not be negative and must not exceed array cardinality")
    return items[: len(items) - size]


def flatten(lists: list[list[Any] | None]) -> list[Any]:
    """Return flatten; arrays that are NULL count as empty."""
    return [item for items in lists if items is not None for item in items]


def repeat(item: Any, times: int | None) -> list[Any] | None:
    """Return repeat; the element may be NULL."""
    if times is None:
        return None
    if not 0 <= times <= _MOST_REPEATED:
        raise _bad(f"count argument of repeat function must be between 0 and {_MOST_REPEATED}")
    return [item] * times


def sequence(start: int, stop: int, step: int) -> list[int]:
    """Return sequence of whole numbers, both ends included."""
    check_step(start, stop, step)
    if (stop - start) // step + 1 > _MOST_ENTRIES:
        raise _bad(f"result of sequence function must not have more than {_MOST_ENTRIES} entries")
    return list(range(start, stop + (1 if step > 0 else -1), step))


def check_step(start: Any, stop: Any, step: int) -> None:
    """Fail on a step of zero, or away from *stop*."""
    if step == 0:
        raise _bad("step must not be zero")
    if (stop < start) if step > 0 else (stop > start):
        raise _bad("sequence stop value must lie in the direction of the step")


def unique_keys(keys: list[Any]) -> None:
    """Fail on a map key that is NULL or there twice."""
    if None in keys:
        raise _bad("map key cannot be null")
    if len({key_of(key) for key in keys}) < len(keys):
        raise _bad("Duplicate map keys are not allowed")


def make_map(keys: list[Any], values: list[Any]) -> dict[Any, Any]:
    """Return map(keys, values)."""
    if len(keys) != len(values):
        raise _bad("Key and value arrays must be the same length")
    unique_keys(keys)
    return dict(zip(keys, values, strict=True))


def _entries(entries: list[dict[str, Any] | None]) -> list[tuple[Any, Any]]:
    if None in entries:
        raise _bad("map entry cannot be null")
    pairs = [tuple(entry.values()) for entry in entries if entry is not None]
    if any(key is None for key, _ in pairs):
        raise _bad("map key cannot be null")
    return pairs


def map_from_entries(entries: list[dict[str, Any] | None]) -> dict[Any, Any]:
    """Return map_from_entries."""
    pairs = _entries(entries)
    return make_map([key for key, _ in pairs], [value for _, value in pairs])


def multimap_from_entries(entries: list[dict[str, Any] | None]) -> dict[Any, list[Any]]:
    """Return multimap_from_entries."""
    result: dict[Any, list[Any]] = {}
    for key, value in _entries(entries):
        result.setdefault(key, []).append(value)
    return result


def map_entries(entries: dict[Any, Any]) -> list[dict[str, Any]]:
    """Return map_entries."""
    return [{"f0": key, "f1": value} for key, value in entries.items()]


def map_concat(first: dict[Any, Any], second: dict[Any, Any]) -> dict[Any, Any]:
    """Return map_concat of two: the later map's entries come first and win."""
    return {**second, **{key: value for key, value in first.items() if key not in second}}


def map_union(maps: list[dict[Any, Any]]) -> dict[Any, Any] | None:
    """Return map_union; None of no maps. A key that several maps have is refused: Trino takes an arbitrary one."""
    result: dict[Any, Any] = {}
    for entries in maps:
        for key, value in entries.items():
            if key in result and result[key] != value:
                raise Unsupported("map_union() of maps that differ in the value of a key")
            result.setdefault(key, value)
    return result if maps else None


def zip_arrays(*lists: list[Any]) -> list[dict[str, Any]]:
    """Return zip: rows, as many as the longest array has elements."""
    size = max(len(items) for items in lists)
    return [
        {f"f{index}": items[place] if place < len(items) else None for index, items in enumerate(lists)}
        for place in range(size)
    ]


def sort_order(results: list[list[int | None]], items: list[Any]) -> list[int]:
    """
    Return the places of *items*, from 1, in the order of a comparator's *results* for each pair.

    Raises: StatementError for a result that is not -1, 0 or 1; Unsupported for a comparator that is no ordering,
    whose outcome depends on the sorting algorithm.
    """
    size = len(results)
    if size > 1 and results[1][0] not in (-1, 0, 1):  # the pair that is compared first
        raise _bad("Lambda comparator must return either -1, 0, or 1")
    if any(results[a][b] not in (-1, 0, 1) for a in range(size) for b in range(size) if a != b):
        raise Unsupported("array_sort() with a comparator that is not -1, 0 or 1 for each pair")
    for a, b in ((a, b) for a in range(size) for b in range(size) if key_of(items[a]) == key_of(items[b])):
        results[a][b] = 0  # in whichever order: nobody sees the difference
    order: list[int] = []
    for new in range(size):
        place = next((index for index, old in enumerate(order) if results[new][old] == -1), len(order))
        order.insert(place, new)
    ranks = dict(zip(order, _ranks(order, results), strict=True))
    if any((results[a][b] == -1) != (ranks[a] < ranks[b]) for a in range(size) for b in range(size) if a != b):
        raise Unsupported("array_sort() with a comparator that is no ordering")
    return [place + 1 for place in order]


def _ranks(order: list[int], results: list[list[int | None]]) -> list[int]:
    steps = count()
    rank = next(steps)
    ranks = [rank] * min(1, len(order))
    for before, place in pairwise(order):
        rank = next(steps) if results[before][place] == -1 else rank
        ranks.append(rank)
    return ranks


def month_steps(start: datetime, stop: datetime, months: int, step: int) -> list[int]:
    """Return the months to add to *start* for each entry of a sequence; *months* are the whole ones up to *stop*."""
    check_step(start, stop, step)
    if abs(months) // abs(step) + 1 > _MOST_ENTRIES:
        raise _bad(f"result of sequence function must not have more than {_MOST_ENTRIES} entries")
    return [place * step for place in range(abs(months) // abs(step) + 1)]
