"""What readers are told apart: values of the dimensions, and days in weeks in months. Everything else is pooled."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from tests.sql.reference.conversations import Row, Telling, groups, having, users

# A conversation without a value has no part in the dimension: an hour nobody knows is pooled, whatever else is.
DIMENSIONS: Mapping[str, Callable[[Row], str | None]] = {
    "category": lambda each: _known(each["category_before"]),
    "department": lambda each: _known(each["department"]),
    "user_group": lambda each: _known(each["user_group"]),
    "app_model": lambda each: _known(each["app_model"]),
    "language": lambda each: _known(each["language"]),
    "hour": lambda each: None if each["hour"] is None else str(each["hour"]),
    "inquiry_score": lambda each: _known(each["inquiry_score"]),
}


# What the label of a value is where several are pooled; there is no such number.
FEW = "(few)"
NUMERIC = ("hour", "inquiry_score")


def _known(value: object) -> str:
    return "unknown" if value is None else str(value)


def told(conversations: Iterable[Row], telling: Telling) -> list[Row]:
    """Return those that readers are told of at all: of complete weeks that have k users or a later one that has."""
    complete = [each for each in conversations if each["day"] is None or each["day"] < telling.open_week]
    weeks = week_blocks(complete, telling.min_users)
    return [each for each in complete if each["day"] is None or each["week"] in weeks]


def week_blocks(conversations: Iterable[Row], k: int) -> dict[date, date]:
    """Return with which week each week is told: a small one with the next that is not; none where there is none yet."""
    users_of = {key["week"]: users(members) for key, members in groups(conversations, "week") if key["week"]}
    large = [week for week, count in users_of.items() if count >= k]
    return {
        week: min(each for each in large if each >= week) for week in users_of if any(each >= week for each in large)
    }


def day_blocks(conversations: Iterable[Row], k: int) -> dict[date, date]:
    """Return the same of the days of one block of weeks, where the last days are told with the last large one."""
    users_of = {key["day"]: users(members) for key, members in groups(conversations, "day")}
    large = [day for day, count in users_of.items() if count >= k]
    return {day: min((each for each in large if each >= day), default=max(large)) for day in users_of} if large else {}


@dataclass(frozen=True)
class _Point:
    """Until when a value is told: conversations judged by then, of weeks up to the last one told then."""

    judged: str
    week: date | None

    def holds(self, each: Row) -> bool:
        """Return whether a conversation was told by then."""
        is_of_told_week = each["week"] is None or (self.week is not None and each["week"] <= self.week)
        return is_of_told_week and each["evaluated_at"] <= self.judged


@dataclass
class _Value:
    """One value of a dimension: its conversations, and until when they are told under it (None: they are not)."""

    value: str
    members: list[Row]
    before: _Point | None
    until: _Point | None = None

    @property
    def new(self) -> list[Row]:
        return [each for each in self.members if self.before is None or not self.before.holds(each)]

    @property
    def old(self) -> list[Row]:
        return [each for each in self.members if self.before is not None and self.before.holds(each)]

    @property
    def waiting(self) -> list[Row]:
        return [each for each in self.members if self.until is None or not self.until.holds(each)]

    def as_before(self, k: int) -> _Point | None:
        """Until when it may be told without what is new."""
        return self.before if self.before is not None and users(self.old) >= k else None


def shown_values(conversations: Iterable[Row], telling: Telling, *dimensions: str) -> list[Row]:
    """
    Return until when each value of the *dimensions* (none given: of all) is told; one without a row is not.

    Shape: a category is what it was before the splits; the dimension `part` has what those that were split are now.
    """
    population = told(conversations, telling)
    latest = _Point(telling.counted_until, max((each["week"] for each in population if each["week"]), default=None))
    return [
        {
            "dimension": dimension,
            "value": value.value,
            "counted_until": value.until.judged,
            "last_week": value.until.week,
        }
        for dimension in dimensions or (*DIMENSIONS, "part")
        for value in _values(having(population, "evaluated"), dimension, telling, latest)
        if value.until is not None
    ]


def labels(conversations: Iterable[Row], telling: Telling, dimension: str) -> list[Row]:
    """Return the evaluated conversations, each with the `label` under which it is told."""
    everything = list(conversations)
    until = {
        row["value"]: _Point(row["counted_until"], row["last_week"])
        for row in shown_values(everything, telling, dimension)
    }
    pooled = None if dimension in NUMERIC else FEW

    def label(each: Row) -> str | int | None:
        value = DIMENSIONS[dimension](each)
        if value is None or value not in until or not until[value].holds(each):
            return pooled
        return int(value) if dimension in NUMERIC else value

    return [{**each, "label": label(each)} for each in having(told(everything, telling), "evaluated")]


def today(conversations: Iterable[Row], telling: Telling) -> list[Row]:
    """Return the evaluated conversations with the `label` of their category, or of a part of it that is told apart."""
    everything = list(conversations)
    until = {
        row["value"]: _Point(row["counted_until"], row["last_week"])
        for row in shown_values(everything, telling, "part")
    }
    return [
        {**each, "label": each["category"]} if (to := until.get(each["category"])) and to.holds(each) else each
        for each in labels(everything, telling, "category")
    ]


def parts_of(whole: _Value, k: int, latest: _Point, telling: Telling) -> list[_Value]:
    """Return what was made of one category: all parts are told or none, and no further than it is told itself."""
    parts = [_value(key["category"], members, telling, "part") for key, members in groups(whole.members, "category")]
    if {part.value for part in parts} == {whole.value}:
        return []
    for part in parts:
        part.until = _until(part, k, latest)
    parts = _all_or_none(parts, k, latest)
    if whole.until != latest:
        befores = [part.as_before(k) for part in parts]
        for part in parts:
            part.until = part.as_before(k) if whole.until is not None and None not in befores else None
    return parts


def _until(value: _Value, k: int, latest: _Point) -> _Point | None:
    """Until when a value may be told that needs nothing of the others."""
    if users(value.members) < k:
        return None
    if value.before is None or not value.new or users(value.new) >= k:
        return latest
    return value.as_before(k)


def _values(evaluated: list[Row], dimension: str, telling: Telling, latest: _Point) -> list[_Value]:
    k = telling.min_users
    if dimension == "part":
        wholes = _values(evaluated, "category", telling, latest)
        return [part for whole in wholes for part in parts_of(whole, k, latest, telling)]
    labelled = [{**each, "value": DIMENSIONS[dimension](each)} for each in evaluated]
    values = [_value(key["value"], members, telling, dimension) for key, members in groups(labelled, "value")]
    values = [value for value in values if value.value is not None]
    for value in values:
        value.until = _until(value, k, latest)
    if dimension == "inquiry_score":
        return _all_or_none(values, k, latest)
    return with_partner(values, k, latest)


def with_partner(values: list[_Value], k: int, latest: _Point) -> list[_Value]:
    """Return the values, of which one more waits where those that wait would be found out."""
    partner = partner_of_values(values, k, latest)
    if partner:
        partner.until = partner.as_before(k)
    return values


def _value(value: str, members: list[Row], telling: Telling, dimension: str) -> _Value:
    before = telling.published.get((dimension, value))
    return _Value(value, members, _Point(*before) if before else None)


def _all_or_none(values: list[_Value], k: int, latest: _Point) -> list[_Value]:
    """Means add up to the sum of all scores: with it, two scores that are pooled are no secret."""
    if any(value.until != latest for value in values):
        befores = [value.as_before(k) for value in values]
        for value in values:
            value.until = value.as_before(k) if None not in befores else None
    return values


def partner_of_values(values: list[_Value], k: int, latest: _Point) -> _Value | None:
    """Return the value that is put back so that nobody can tell what waits by subtraction; None if there is no need."""
    waiting = [each for value in values for each in value.waiting]
    suspects = [
        value
        for value in values
        if value.until is None or value.until != latest or (value.before is not None and not value.new)
    ]
    if not waiting or (users(waiting) >= k and len(suspects) >= 2):
        return None
    others = [value for value in values if value.until == latest and value.new]
    return min(others, key=lambda value: (users(value.new), len(value.new), value.value), default=None)


def shown_periods(conversations: Iterable[Row], telling: Telling) -> list[Row]:
    """Return with which day each day is told, with which week each week, and with which week of a series."""
    k = telling.min_users
    dated = [each for each in told(conversations, telling) if each["day"] is not None]
    weeks = week_blocks(dated, k)
    rows = [{"kind": "week", "period": week, "told_with": block} for week, block in weeks.items()]
    blocks = groups([{**each, "block": weeks[each["week"]]} for each in dated], "block")
    for _, members in blocks:
        days = day_blocks(members, k)
        rows += [{"kind": "day", "period": day, "told_with": block} for day, block in days.items()]
    full = [key["block"] for key, members in blocks if users(members) >= 4 * k]
    for week, block in weeks.items():
        if later := [each for each in full if each >= block]:
            rows.append({"kind": "series", "period": week, "told_with": min(later)})
    return rows
