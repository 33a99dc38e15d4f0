"""The tables that readers see: every one obeys `shown_values` and `shown_periods`, and drops rows of under k users."""

from collections import Counter
from collections.abc import Iterable
from datetime import date, timedelta
from fractions import Fraction
from math import floor, sqrt

from tests.sql.reference.conversations import (
    Z_95,
    Row,
    Telling,
    clusters,
    groups,
    having,
    mean,
    mean_score,
    month_of,
    total,
    users,
    variance,
)
from tests.sql.reference.shown import labels, shown_periods, today, told

_SHARES = ("0.1", "0.25", "0.5", "0.75", "0.9")


def by_value(conversations: Iterable[Row], telling: Telling, dimension: str) -> list[Row]:
    """Return the counts of each told value of *dimension*, and of what is pooled."""
    everything = list(conversations)
    population = told(everything, telling)
    evaluated = having(population, "evaluated")
    rows = [
        {
            dimension: label,
            "conversations": len(members),
            "users": users(members),
            "share": len(members) / len(evaluated),
            "coverage": len(evaluated) / len(population),
        }
        | ({} if dimension == "inquiry_score" else {"mean_inquiry_score": mean_score(members)})
        for label, members in _labelled(everything, telling, dimension)
    ]
    return [row for row in rows if row["users"] >= telling.min_users]


def _labelled(
    conversations: Iterable[Row], telling: Telling, dimension: str
) -> list[tuple[str | int | None, list[Row]]]:
    found = today(conversations, telling) if dimension == "category" else labels(conversations, telling, dimension)
    return [(key["label"], members) for key, members in groups(found, "label")]


def score_by_category(conversations: Iterable[Row], telling: Telling) -> list[Row]:
    """Return the mean inquiry score of each category with the interval that 95 of 100 such samples would hold it in."""
    return [
        {"category": label, "conversations": len(members), **_spread(members)}
        for label, members in _labelled(conversations, telling, "category")
        if users(members) >= telling.min_users
    ]


def _spread(members: list[Row]) -> Row:
    scores = [each["inquiry_score"] for each in members]
    average = Fraction(sum(scores), len(scores))
    found = variance(clusters(members, lambda each: each["inquiry_score"] - average), len(members))
    half = None if found is None else Z_95 * sqrt(found)
    return {
        "mean_inquiry_score": float(average),
        "mean_low": None if half is None else _to_two_digits(float(average) - half),
        "mean_high": None if half is None else _to_two_digits(float(average) + half),
    }


def _to_two_digits(number: float) -> float:
    """Round as SQL does, a half away from zero."""
    return floor(number * 100 + 0.5) / 100


def daily_usage(conversations: Iterable[Row], telling: Telling) -> list[Row]:
    """Return the usage of each day, a small one with the next of its week that is not; null where none is."""
    found = groups(_placed(conversations, telling), "week", "day")
    return [key | {"days": _distinct(members, "real_day")} | _usage(members) for key, members in found]


def weekly_usage(conversations: Iterable[Row], telling: Telling) -> list[Row]:
    """Return the usage of each week, a small one with the next that is not."""
    found = groups(_placed(conversations, telling), "month", "week")
    return [
        key | {"weeks": _distinct(members, "real_week")} | _usage(members) | _worth(members) for key, members in found
    ]


def monthly_usage(conversations: Iterable[Row], telling: Telling) -> list[Row]:
    """Return the usage of each month that is over: the sum of the weeks that are told in it."""
    closed = [each for each in _placed(conversations, telling) if each["month"] < telling.open_month]
    return [key | _bounds(key["month"]) | _usage(members) | _worth(members) for key, members in groups(closed, "month")]


def _placed(conversations: Iterable[Row], telling: Telling) -> list[Row]:
    """The told conversations with a day, each in the day, week and month that it is told in."""
    everything = list(conversations)
    told_with = {(row["kind"], row["period"]): row["told_with"] for row in shown_periods(everything, telling)}
    return [
        {
            **each,
            "month": month_of(told_with["week", each["week"]]),
            "week": told_with["week", each["week"]],
            "day": told_with.get(("day", each["day"])),
            "real_week": each["week"],
            "real_day": each["day"],
        }
        for each in told(everything, telling)
        if each["day"] is not None
    ]


def _distinct(members: list[Row], column: str) -> int:
    return len({each[column] for each in members})


def _bounds(month: date) -> Row:
    days = (month + timedelta(days=number) for number in range(-6, 40))
    mondays = [day for day in days if day.weekday() == 0 and month_of(day) == month]
    return {"first_day": mondays[0], "last_day": mondays[-1] + timedelta(days=6), "weeks": len(mondays)}


def _usage(members: list[Row]) -> Row:
    outcomes = {name: len(having(members, name)) for name in ("evaluated", "quarantined", "pending")}
    return {
        "conversations": len(members),
        **outcomes,
        "users": users(members),
        "coverage": outcomes["evaluated"] / len(members),
    }


def _worth(members: list[Row]) -> Row:
    return {"mean_inquiry_score": mean_score(members), "cost_micro_usd": total(members, "cost_micro_usd") or 0}


def alone(conversations: Iterable[Row], telling: Telling) -> set[date]:
    """Return the days that are told with no other."""
    with_it: dict[date, list[date]] = {}
    for row in shown_periods(conversations, telling):
        if row["kind"] == "day":
            with_it.setdefault(row["told_with"], []).append(row["period"])
    return {day for day, days in with_it.items() if days == [day]}


def weekday_usage(conversations: Iterable[Row], telling: Telling) -> list[Row]:
    """Return how much each weekday sees, by the days that are told apart."""
    days = alone(conversations, telling)
    return [
        {
            **key,
            "days": len({each["day"] for each in members}),
            "conversations": len(members),
            "conversations_per_day": len(members) / len({each["day"] for each in members}),
        }
        for key, members in groups([each for each in conversations if each["day"] in days], "weekday")
    ]


def concentration(conversations: Iterable[Row], telling: Telling) -> list[Row]:
    """Return how few users make how much of the use."""
    judged = having(told(conversations, telling), "evaluated", "quarantined")
    each_of = Counter(each["user_pseudonym"] for each in judged if each["user_pseudonym"] is not None)
    rows = []
    for share in _SHARES if each_of else ():
        needed, reached = 0, 0
        for _, count in each_of.most_common():
            if reached >= Fraction(share) * each_of.total():
                break
            needed, reached = needed + 1, reached + count
        is_told = needed >= telling.min_users and len(each_of) >= telling.min_users
        rows.append(
            {
                "share_of_use": float(share),
                "users": needed if is_told else None,
                "share_of_users": needed / len(each_of) if is_told else None,
            }
        )
    return rows


def usage_by_user(conversations: Iterable[Row], telling: Telling) -> list[Row]:
    """Return who uses the chat tool how much, where the company has decided to tell; the last day is as it is told."""
    days = {row["period"]: row["told_with"] for row in shown_periods(conversations, telling) if row["kind"] == "day"}
    judged = having(told(conversations, telling), "evaluated", "quarantined") if telling.has_per_user_table else []
    return [
        {
            "user_pseudonym": key["user_pseudonym"] or "unknown",
            "conversations": len(members),
            "mean_inquiry_score": mean(each["inquiry_score"] for each in members),
            "input_tokens": total(members, "input_tokens"),
            "output_tokens": total(members, "output_tokens"),
            "cost_micro_usd": total(members, "cost_micro_usd"),
            "last_day": max((days[each["day"]] for each in members if each["day"] in days), default=None),
        }
        for key, members in groups(judged, "user_pseudonym")
    ]
