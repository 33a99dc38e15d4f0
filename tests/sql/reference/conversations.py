"""The conversations of a snapshot in plain Python, straight from the DynamoDB items, and what all tables count with."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

Row = dict[str, Any]
Z_95 = 1.959963984540054  # 95 of 100 of a normal distribution lie within so many standard deviations

_NUMBERS = ("inquiry_score", "attempts", "input_tokens", "output_tokens", "cost_micro_usd")
_TEXTS = (
    *("category", "reason", "prompt_version", "model", "answered_by"),
    *("user_pseudonym", "evaluated_at"),
)


Published = Mapping[tuple[str, str], tuple[str, date | None]]


@dataclass(frozen=True)
class Telling:
    """
    What decides how much of a snapshot readers are told.

    Shape: *published* has, by dimension and value, until when the published edition has counted, and up to which week;
    *published_series* the grains and categories of its series, None where there is no such edition; *before* what a
    category was before the splits.
    """

    counted_until: str
    open_week: date
    open_month: date
    min_users: int
    published: Published = field(default_factory=dict)
    published_series: frozenset[tuple[str, str]] | None = None
    before: Mapping[str, str] = field(default_factory=dict)
    has_per_user_table: bool = False
    timezone: str = "Asia/Tokyo"

    def after(self, tables: Mapping[str, list[Row]]) -> "Telling":
        """Return the same where an edition of these *tables* is published; one that tells no value is as none."""
        told = {
            (row["dimension"], row["value"]): (row["counted_until"], row["last_week"]) for row in tables["shown_values"]
        }
        series = frozenset((row["grain"], row["category"]) for row in tables["shown_series"])
        return replace(self, published=told, published_series=series if told else None)


def conversation(item: Mapping[str, Any], zone: ZoneInfo, before: Mapping[str, str] | None = None) -> Row:
    """
    Return what the census knows of one conversation; `user` is None where nobody knows whose it is.

    Shape: *before* as in Telling.
    """
    evaluation = item.get("evaluation", {})
    began = _time(item.get("created_at"), zone)
    judged = _time(evaluation.get("evaluated_at"), zone)
    week = began and began.date() - timedelta(days=began.weekday())
    known = {name: item.get(name) for name in ("department", "user_group", "app_model", "language")}
    return {
        **known,
        "outcome": evaluation.get("outcome", "pending"),
        "day": began and began.date(),
        "week": week,
        "month": week and month_of(week),
        "weekday": began and began.isoweekday(),
        "hour": began.hour if began else None,
        "judged_day": judged and judged.date(),
        "is_clipped": evaluation.get("is_clipped"),
        "previous": evaluation.get("previous"),
        **{name: None if evaluation.get(name) is None else int(evaluation[name]) for name in _NUMBERS},
        **{name: evaluation.get(name) for name in _TEXTS},
        "category_before": (before or {}).get(evaluation.get("category"), evaluation.get("category")),
    }


def month_of(week: date) -> date:
    """Return the first day of the month in which the Thursday of the week lies."""
    thursday = week + timedelta(days=3)
    return date(thursday.year, thursday.month, 1)


def _time(text: str | None, zone: ZoneInfo) -> datetime | None:
    try:
        return datetime.fromisoformat(text or "").astimezone(zone)
    except ValueError:
        return None


def groups(conversations: Iterable[Row], *columns: str) -> list[tuple[Row, list[Row]]]:
    """Return the conversations by the values of *columns*."""
    found: dict[tuple, list[Row]] = defaultdict(list)
    for each in conversations:
        found[tuple(each[column] for column in columns)].append(each)
    return [(dict(zip(columns, key, strict=True)), members) for key, members in found.items()]


def having(conversations: Iterable[Row], *outcomes: str) -> list[Row]:
    """Return those with one of the *outcomes*."""
    return [each for each in conversations if each["outcome"] in outcomes]


def users(conversations: Iterable[Row]) -> int:
    """Return how many distinct known users they are of."""
    return len({each["user_pseudonym"] for each in conversations} - {None})


def clusters(conversations: Iterable[Row], number: Callable[[Row], int | Fraction]) -> list[int | Fraction]:
    """Return the sum of *number* for each person; a conversation of nobody known is a person of its own."""
    sums: dict[object, int | Fraction] = defaultdict(int)
    for index, each in enumerate(conversations):
        sums[each["user_pseudonym"] or index] += number(each)
    return list(sums.values())


def variance(residuals: list[int | Fraction], conversations: int) -> Fraction | None:
    """Return the variance of a mean whose *residuals*, summed by person, are these; None for one person."""
    m = len(residuals)
    return Fraction(m, m - 1) * sum(residual**2 for residual in residuals) / conversations**2 if m > 1 else None


def mean(numbers: Iterable[int | None]) -> float | None:
    """Return the mean of those that there are, rounded once."""
    known = [int(number) for number in numbers if number is not None]
    return float(Fraction(sum(known), len(known))) if known else None


def mean_score(conversations: Iterable[Row]) -> float | None:
    """Return the mean inquiry score of the evaluated ones."""
    return mean(each["inquiry_score"] for each in having(conversations, "evaluated"))


def total(conversations: Iterable[Row], column: str) -> int | None:
    """Return the sum of those that have *column*; None where none has."""
    known = [each[column] for each in conversations if each[column] is not None]
    return sum(known) if known else None
