"""Counts, shares and intervals of made-up conversations: what the summary tables are made of."""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta
from typing import Any

from tests.browser.conversations import Told

NORMAL = 1.959963984540054
Key = Callable[[Told], Any]


def trend(talk: Sequence[Told], is_of: Callable[[Told], bool]) -> tuple[dict[str, Any], float]:
    """Return the share of a category in a period with its interval by persons, and the variance of the share."""
    n, chosen = len(talk), [each for each in talk if is_of(each)]
    share, by_person, asked = len(chosen) / n, Counter(map(who, talk)), Counter(map(who, chosen))
    squares = sum((asked[person] - share * count) ** 2 for person, count in by_person.items())
    persons = len(by_person)
    variance = squares * persons / (persons - 1) / n**2 if persons > 1 else 0.0
    half = NORMAL * math.sqrt(variance)
    interval = {"share_low": max(share - half, 0.0), "share_high": min(share + half, 1.0)}
    return {**counts(chosen), "share": share, **interval}, variance


def changed(previous: float | None, change: float | None, half: float | None) -> dict[str, Any]:
    """Return how a share has changed since the period before; *half* is half of the interval of the change."""
    if change is None or half is None:
        return dict.fromkeys(("previous_share", "change", "change_low", "change_high", "is_more_than_noise"))
    ends = {"change_low": change - half, "change_high": change + half}
    return {"previous_share": previous, "change": change, **ends, "is_more_than_noise": abs(change) > half}


def joined(talk: Sequence[Told], key: Key, min_users: int) -> dict[date, date]:
    """Return with which period each is told: those of too few people with the next; what is left, with the last."""
    told, waiting, people, last = {}, [], set(), None
    for period, each in sorted(grouped(talk, key).items()):
        waiting.append(period)
        people |= {t.person.pseudonym for t in each if t.outcome == "evaluated"}
        if len(people) >= min_users:
            told |= dict.fromkeys(waiting, period)
            waiting, people, last = [], set(), period
    return told | (dict.fromkeys(waiting, last) if last else {})


def outcomes(talk: Sequence[Told]) -> dict[str, Any]:
    """Return what became of conversations: counts by outcome, users, coverage, mean score and cost."""
    outcomes = Counter(each.outcome for each in talk)
    judged = [each for each in talk if each.outcome == "evaluated"]
    return {
        "conversations": len(talk),
        **{name: outcomes[name] for name in ("evaluated", "quarantined", "pending")},
        "users": users(judged),
        "coverage": share(len(judged), len(talk)),
        "mean_inquiry_score": mean(judged),
        "cost_micro_usd": sum(map(cost_micro_usd, talk)),
    }


def cost_micro_usd(each: Told) -> int:
    """What judging one conversation cost."""
    return 0 if each.outcome == "pending" else 380 + 7 * each.hour


def bounds(month: date) -> dict[str, Any]:
    """Return the first and last day of the weeks that make a month, and how many they are."""
    first = month + timedelta(days=(10 - month.weekday()) % 7 - 3)
    after = (month + timedelta(days=31)).replace(day=1)
    last = after + timedelta(days=(10 - after.weekday()) % 7 - 3) - timedelta(days=1)
    return {"first_day": first.isoformat(), "last_day": last.isoformat(), "weeks": ((last - first).days + 1) // 7}


def grouped(talk: Iterable[Told], key: Key) -> dict[Any, list[Told]]:
    """Return the conversations of each value of *key*, in the order in which they come."""
    groups = defaultdict(list)
    for each in talk:
        groups[key(each)].append(each)
    return groups


def who(each: Told) -> Any:
    """Return whose conversation it is; None where nobody knows."""
    return each.person.pseudonym


def counts(talk: Sequence[Told]) -> dict[str, int]:
    """Return how many conversations they are, and of how many users."""
    return {"conversations": len(talk), "users": users(talk)}


def users(talk: Iterable[Told]) -> int:
    """Return how many known users there are."""
    return len({each.person.pseudonym for each in talk} - {None})


def mean(talk: Sequence[Told]) -> float | None:
    """Return the mean score, None of nothing."""
    return share(sum(each.score or 0 for each in talk), len(talk))


def share(part: int, whole: int) -> float | None:
    """Return a part of a whole, None of nothing."""
    return part / whole if whole else None
