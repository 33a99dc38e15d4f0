"""The summary tables of made-up conversations, counted as include/sql counts them, but in plain Python."""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta
from functools import cache
from typing import Any

from chatcensus.summaries import POOLED
from tests.browser.conversations import Told

NORMAL = 1.959963984540054
WEEKS_TOLD, MONTHS_TOLD = 26, 13
THRESHOLDS = (0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
Rows = list[dict[str, Any]]
Key = Callable[[Told], Any]


class Census:
    """
    The tables that readers are told of *talk*, before the week of *open_week*.

    Shape: no row is of fewer than *min_users* people; a value of fewer is pooled with the smallest others.
    """

    def __init__(self, talk: Iterable[Told], open_week: date, min_users: int) -> None:
        self.talk, self.open_week, self.min_users = list(talk), open_week, min_users
        self.open_month = (open_week + timedelta(days=3)).replace(day=1)
        weeks = _joined([each for each in self.talk if each.week < open_week], lambda each: each.week, min_users)
        self.week_told_with = weeks
        self.told = [each for each in self.talk if each.week in weeks]
        self.judged = [each for each in self.told if each.outcome == "evaluated"]
        self.coverage = _share(len(self.judged), len(self.told))

    def usage(self, column: str, key: Key, *, mean: bool = True, pooled: Any = POOLED) -> Rows:
        """One row a value of *column*: conversations, users, share, coverage and mean score."""
        named = self.pooled(self.judged, key, pooled)
        rows = []
        for value, talk in _grouped(self.judged, lambda each: named[key(each)]).items():
            row = {column: value, **_counts(talk), "share": len(talk) / len(self.judged), "coverage": self.coverage}
            rows.append(row | ({"mean_inquiry_score": _mean(talk)} if mean else {}))
        return [row for row in rows if row["users"] >= self.min_users]

    def pooled(self, talk: Sequence[Told], key: Key, pooled: Any = POOLED) -> dict[Any, Any]:
        """Return the name under which each value is told: its own, or *pooled* with at least one other."""
        users = {value: _users(each) for value, each in _grouped(talk, key).items()}
        small = [value for value in users if users[value] < self.min_users]
        others = sorted(set(users) - set(small), key=lambda value: (users[value], str(value)))
        if len(small) == 1 and others:
            small.append(others[0])
        return {value: pooled if value in small else value for value in users}

    def score_by_category(self) -> Rows:
        """Mean and interval by persons, to two digits."""
        named, rows = self.pooled(self.judged, lambda each: each.category), []
        for category, talk in _grouped(self.judged, lambda each: named[each.category]).items():
            by_person = _grouped(talk, _who)
            mean, n = _mean(talk), len(talk)
            squares = sum((sum(t.score - mean for t in each)) ** 2 for each in by_person.values())  # type: ignore[operator]
            persons = len(by_person)
            half = NORMAL * math.sqrt(squares * persons / (persons - 1)) / n if persons > 1 else 0
            low, high = round(max(mean - half, 1), 2), round(min(mean + half, 5), 2)
            rows.append(
                {
                    "category": category,
                    "conversations": n,
                    "mean_inquiry_score": mean,
                    "mean_low": low,
                    "mean_high": high,
                }
            )
        return rows

    @cache  # noqa: B019 - a census is made for one report
    def trends(self) -> Rows:
        """The shares of the categories by week and by month, with the change since the period before."""
        weeks = self._series("week", lambda each: each.week, WEEKS_TOLD, self.open_week)
        return weeks + self._series("month", lambda each: each.month, MONTHS_TOLD, self.open_month)

    def _series(self, grain: str, key: Key, most: int, before: date) -> Rows:
        by_period = _grouped(self.judged, key)
        periods = sorted(period for period in by_period if period < before)[-most:]
        talk = [each for period in periods for each in by_period[period]]
        cells = _grouped(talk, lambda each: (key(each), each.category))
        names = {each.category for each in talk}
        small = {name for (_, name), each in cells.items() if _users(each) < self.min_users}
        rows = []
        for category in sorted(names - small, key=str) + ([POOLED] if small else []):
            before_share = before_variance = None
            for period in periods:
                row, variance = _trend(
                    by_period[period], lambda t, c=category: (POOLED if t.category in small else t.category) == c
                )
                change = None if before_share is None else row["share"] - before_share
                half = None if change is None else NORMAL * math.sqrt(variance + before_variance)
                rows.append(
                    {"grain": grain, "category": category, "period": period.isoformat(), **row}
                    | _changed(before_share, change, half)
                )
                before_share, before_variance = row["share"], variance
        return rows

    def periods(self) -> dict[str, Rows]:
        """daily_usage, weekly_usage, monthly_usage and weekday_usage."""
        weekly = [
            {"month": talk[-1].month.isoformat(), "week": week.isoformat(), "weeks": len({t.week for t in talk})}
            | _outcomes(talk)
            for week, talk in sorted(_grouped(self.told, lambda each: self.week_told_with[each.week]).items())
        ]
        whole = [each for each in self.told if each.month < self.open_month]
        monthly = [
            {"month": month.isoformat(), **_bounds(month)} | _outcomes(talk)
            for month, talk in sorted(_grouped(whole, lambda each: each.month).items())
            if _users(talk) >= self.min_users
        ]
        daily = self._daily()
        alone = [row for row in daily if row["day"] and row["days"] == 1]
        weekday = []
        for n in range(1, 8):
            of = [row["conversations"] for row in alone if date.fromisoformat(row["day"]).isoweekday() == n]
            if of:
                counted = {"days": len(of), "conversations": sum(of), "conversations_per_day": sum(of) / len(of)}
                weekday.append({"weekday": n, **counted})
        return {"daily_usage": daily, "weekly_usage": weekly, "monthly_usage": monthly, "weekday_usage": weekday}

    def _daily(self) -> Rows:
        rows = []
        for week, talk in sorted(_grouped(self.told, lambda each: self.week_told_with[each.week]).items()):
            named = _joined(talk, lambda each: each.day, self.min_users)
            for day, each in _grouped(talk, lambda t, named=named: named.get(t.day)).items():
                row = _outcomes(each)
                del row["mean_inquiry_score"], row["cost_micro_usd"]
                told = {"week": week.isoformat(), "day": day and day.isoformat(), "days": len({t.day for t in each})}
                rows.append(told | row)
        return rows

    def category_by_group(self) -> Rows:
        """The categories of each group and month, where enough people asked; no pooled ones."""
        groups: dict[str, Key] = {
            "department": lambda each: each.person.department,
            "user_group": lambda each: each.person.user_group,
            "app_model": lambda each: each.app_model,
            "language": lambda each: each.person.language,
        }
        told = {row["category"] for row in self.trends() if row["grain"] == "month"}
        rows = []
        for dimension, key in groups.items():
            named = self.pooled(self.judged, key)
            for (month, (value, category)), talk in self._monthly(lambda each, key=key: (key(each), each.category)):
                if category in told and named[value] != POOLED:
                    where = {"month": month.isoformat(), "dimension": dimension, "value": value, "category": category}
                    rows.append({**where, **_counts(talk), "mean_inquiry_score": _mean(talk)})
        return rows

    def hour_by_weekday(self) -> Rows:
        """The hours of each weekday and month, where enough people asked."""
        cells = self._monthly(lambda each: (each.day.isoweekday(), each.hour))
        return [
            {"month": month.isoformat(), "weekday": weekday, "hour": hour, **_counts(talk)}
            for (month, (weekday, hour)), talk in cells
        ]

    def _monthly(self, key: Key) -> list[tuple[tuple[date, Any], list[Told]]]:
        months = sorted({each.month for each in self.judged if each.month < self.open_month})[-MONTHS_TOLD:]
        kept = set(months)
        cells = _grouped((t for t in self.judged if t.month in kept), lambda each: (each.month, key(each)))
        return [(cell, talk) for cell, talk in cells.items() if _users(talk) >= max(self.min_users, 1)]

    def concentration(self) -> Rows:
        """The fewest users who make each part of the use."""
        by_user = Counter(t.person.pseudonym for t in self.told if t.person.pseudonym and t.outcome != "pending")
        counts, rows = sorted(by_user.values(), reverse=True), []
        for share in THRESHOLDS if counts else ():
            total, users = 0, 0
            while total < share * sum(counts):
                total, users = total + counts[users], users + 1
            shown = users if users >= self.min_users else None
            rows.append({"share_of_use": share, "users": shown, "share_of_users": shown and users / len(counts)})
        return rows


def _trend(talk: Sequence[Told], is_of: Callable[[Told], bool]) -> tuple[dict[str, Any], float]:
    """Return the share of a category in a period with its interval by persons, and the variance of the share."""
    n, chosen = len(talk), [each for each in talk if is_of(each)]
    share, by_person, asked = len(chosen) / n, Counter(map(_who, talk)), Counter(map(_who, chosen))
    squares = sum((asked[person] - share * count) ** 2 for person, count in by_person.items())
    persons = len(by_person)
    variance = squares * persons / (persons - 1) / n**2 if persons > 1 else 0.0
    half = NORMAL * math.sqrt(variance)
    interval = {"share_low": max(share - half, 0.0), "share_high": min(share + half, 1.0)}
    return {**_counts(chosen), "share": share, **interval}, variance


def _changed(previous: float | None, change: float | None, half: float | None) -> dict[str, Any]:
    if change is None or half is None:
        return dict.fromkeys(("previous_share", "change", "change_low", "change_high", "is_more_than_noise"))
    ends = {"change_low": change - half, "change_high": change + half}
    return {"previous_share": previous, "change": change, **ends, "is_more_than_noise": abs(change) > half}


def _joined(talk: Sequence[Told], key: Key, min_users: int) -> dict[date, date]:
    """Return with which period each is told: those of too few people with the next; what is left, with the last."""
    told, waiting, people, last = {}, [], set(), None
    for period, each in sorted(_grouped(talk, key).items()):
        waiting.append(period)
        people |= {t.person.pseudonym for t in each if t.outcome == "evaluated"}
        if len(people) >= min_users:
            told |= dict.fromkeys(waiting, period)
            waiting, people, last = [], set(), period
    return told | (dict.fromkeys(waiting, last) if last else {})


def _outcomes(talk: Sequence[Told]) -> dict[str, Any]:
    outcomes = Counter(each.outcome for each in talk)
    judged = [each for each in talk if each.outcome == "evaluated"]
    return {
        "conversations": len(talk),
        **{name: outcomes[name] for name in ("evaluated", "quarantined", "pending")},
        "users": _users(judged),
        "coverage": _share(len(judged), len(talk)),
        "mean_inquiry_score": _mean(judged),
        "cost_micro_usd": sum(map(cost_micro_usd, talk)),
    }


def cost_micro_usd(each: Told) -> int:
    """What judging one conversation cost."""
    return 0 if each.outcome == "pending" else 380 + 7 * each.hour


def _bounds(month: date) -> dict[str, Any]:
    first = month + timedelta(days=(10 - month.weekday()) % 7 - 3)
    after = (month + timedelta(days=31)).replace(day=1)
    last = after + timedelta(days=(10 - after.weekday()) % 7 - 3) - timedelta(days=1)
    return {"first_day": first.isoformat(), "last_day": last.isoformat(), "weeks": ((last - first).days + 1) // 7}


def _grouped(talk: Iterable[Told], key: Key) -> dict[Any, list[Told]]:
    groups = defaultdict(list)
    for each in talk:
        groups[key(each)].append(each)
    return groups


def _who(each: Told) -> Any:
    return each.person.pseudonym


def _counts(talk: Sequence[Told]) -> dict[str, int]:
    return {"conversations": len(talk), "users": _users(talk)}


def _users(talk: Iterable[Told]) -> int:
    return len({each.person.pseudonym for each in talk} - {None})


def _mean(talk: Sequence[Told]) -> float | None:
    return _share(sum(each.score or 0 for each in talk), len(talk))


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
