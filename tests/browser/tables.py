"""The summary tables of made-up conversations, counted as include/sql counts them, but in plain Python."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from functools import cache
from typing import Any

from chatcensus.summaries import POOLED
from tests.browser import counting
from tests.browser.conversations import Told
from tests.browser.counting import NORMAL, Key

WEEKS_TOLD, MONTHS_TOLD = 26, 13
THRESHOLDS = (0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
Rows = list[dict[str, Any]]


class Census:
    """
    The tables that readers are told of *talk*, before the week of *open_week*.

    Shape: no row is of fewer than *min_users* people; a value of fewer is pooled with the smallest others.
    """

    def __init__(self, talk: Iterable[Told], open_week: date, min_users: int) -> None:
        self.talk, self.open_week, self.min_users = list(talk), open_week, min_users
        self.open_month = (open_week + timedelta(days=3)).replace(day=1)
        weeks = counting.joined(
            [each for each in self.talk if each.week < open_week], lambda each: each.week, min_users
        )
        self.week_told_with = weeks
        self.told = [each for each in self.talk if each.week in weeks]
        self.judged = [each for each in self.told if each.outcome == "evaluated"]
        self.coverage = counting.share(len(self.judged), len(self.told))

    def usage(self, column: str, key: Key, *, mean: bool = True, pooled: Any = POOLED) -> Rows:
        """One row a value of *column*: conversations, users, share, coverage and mean score."""
        named = self.pooled(self.judged, key, pooled)
        rows = []
        for value, talk in counting.grouped(self.judged, lambda each: named[key(each)]).items():
            row = {
                column: value,
                **counting.counts(talk),
                "share": len(talk) / len(self.judged),
                "coverage": self.coverage,
            }
            rows.append(row | ({"mean_inquiry_score": counting.mean(talk)} if mean else {}))
        return [row for row in rows if row["users"] >= self.min_users]

    def pooled(self, talk: Sequence[Told], key: Key, pooled: Any = POOLED) -> dict[Any, Any]:
        """Return the name under which each value is told: its own, or *pooled* with at least one other."""
        users = {value: counting.users(each) for value, each in counting.grouped(talk, key).items()}
        small = [value for value in users if users[value] < self.min_users]
        others = sorted(set(users) - set(small), key=lambda value: (users[value], str(value)))
        if len(small) == 1 and others:
            small.append(others[0])
        return {value: pooled if value in small else value for value in users}

    def score_by_category(self) -> Rows:
        """Mean and interval by persons, to two digits."""
        named, rows = self.pooled(self.judged, lambda each: each.category), []
        for category, talk in counting.grouped(self.judged, lambda each: named[each.category]).items():
            by_person = counting.grouped(talk, counting.who)
            mean, n = counting.mean(talk), len(talk)
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
        by_period = counting.grouped(self.judged, key)
        periods = sorted(period for period in by_period if period < before)[-most:]
        talk = [each for period in periods for each in by_period[period]]
        cells = counting.grouped(talk, lambda each: (key(each), each.category))
        names = {each.category for each in talk}
        small = {name for (_, name), each in cells.items() if counting.users(each) < self.min_users}
        rows = []
        for category in sorted(names - small, key=str) + ([POOLED] if small else []):
            before_share = before_variance = None
            for period in periods:
                row, variance = counting.trend(
                    by_period[period], lambda t, c=category: (POOLED if t.category in small else t.category) == c
                )
                change = None if before_share is None else row["share"] - before_share
                half = None if change is None else NORMAL * math.sqrt(variance + before_variance)
                rows.append(
                    {"grain": grain, "category": category, "period": period.isoformat(), **row}
                    | counting.changed(before_share, change, half)
                )
                before_share, before_variance = row["share"], variance
        return rows

    def periods(self) -> dict[str, Rows]:
        """daily_usage, weekly_usage, monthly_usage and weekday_usage."""
        weekly = [
            {"month": talk[-1].month.isoformat(), "week": week.isoformat(), "weeks": len({t.week for t in talk})}
            | counting.outcomes(talk)
            for week, talk in sorted(counting.grouped(self.told, lambda each: self.week_told_with[each.week]).items())
        ]
        whole = [each for each in self.told if each.month < self.open_month]
        monthly = [
            {"month": month.isoformat(), **counting.bounds(month)} | counting.outcomes(talk)
            for month, talk in sorted(counting.grouped(whole, lambda each: each.month).items())
            if counting.users(talk) >= self.min_users
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
        for week, talk in sorted(counting.grouped(self.told, lambda each: self.week_told_with[each.week]).items()):
            named = counting.joined(talk, lambda each: each.day, self.min_users)
            for day, each in counting.grouped(talk, lambda t, named=named: named.get(t.day)).items():
                row = counting.outcomes(each)
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
                    rows.append({**where, **counting.counts(talk), "mean_inquiry_score": counting.mean(talk)})
        return rows

    def hour_by_weekday(self) -> Rows:
        """The hours of each weekday and month, where enough people asked."""
        cells = self._monthly(lambda each: (each.day.isoweekday(), each.hour))
        return [
            {"month": month.isoformat(), "weekday": weekday, "hour": hour, **counting.counts(talk)}
            for (month, (weekday, hour)), talk in cells
        ]

    def _monthly(self, key: Key) -> list[tuple[tuple[date, Any], list[Told]]]:
        months = sorted({each.month for each in self.judged if each.month < self.open_month})[-MONTHS_TOLD:]
        kept = set(months)
        cells = counting.grouped((t for t in self.judged if t.month in kept), lambda each: (each.month, key(each)))
        return [(cell, talk) for cell, talk in cells.items() if counting.users(talk) >= max(self.min_users, 1)]

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
