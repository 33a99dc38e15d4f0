"""Categories week by week and month by month: which may be told so, and what has really changed."""

from collections.abc import Callable, Iterable
from datetime import date, timedelta
from fractions import Fraction
from math import sqrt

from tests.sql.reference.conversations import Z_95, Row, Telling, clusters, groups, month_of, users, variance
from tests.sql.reference.shown import FEW, labels, shown_periods

GRAINS = ("week", "month")
_WEEKS_TOLD, _MONTHS_TOLD = 26, 13


def _in_periods(conversations: Iterable[Row], telling: Telling, grain: str) -> list[Row]:
    """The evaluated conversations with their label and `period`; None is the rest, of no period that is told."""
    everything = list(conversations)
    weeks = {row["period"]: row["told_with"] for row in shown_periods(everything, telling) if row["kind"] == "series"}
    evaluated = labels(everything, telling, "category")
    return [{**each, "period": _period(weeks.get(each["week"]), telling, grain)} for each in evaluated]


def _period(week: date | None, telling: Telling, grain: str) -> date | None:
    if week is None:
        return None
    if grain == "week":
        return week if week >= telling.open_week - timedelta(weeks=_WEEKS_TOLD) else None
    month, end = month_of(week), telling.open_month
    age = (end.year - month.year) * 12 + end.month - month.month
    return month if 0 < age <= _MONTHS_TOLD else None


def shown_series(conversations: Iterable[Row], telling: Telling) -> list[Row]:
    """Return the categories that may be told in each period of a grain."""
    everything = list(conversations)
    return [
        {"grain": grain, "category": category}
        for grain in GRAINS
        for category in _shown_in(_in_periods(everything, telling, grain), telling, grain)
    ]


def _shown_in(evaluated: list[Row], telling: Telling, grain: str) -> set[str]:
    k, published = telling.min_users, telling.published_series
    series = {key["label"]: members for key, members in groups(evaluated, "label") if key["label"] != FEW}
    good = {category for category, members in series.items() if all(size >= k for size in _sizes(members).values())}
    # What was pooled once stays so: told later, it could be taken from the older pool.
    if published is not None and k:
        good = {category for category in good if (grain, category) in published}
    hidden = [each for each in evaluated if each["label"] not in good]
    deficient = [period for period, size in _sizes(hidden).items() if size < k]
    if not hidden or (len({each["category_before"] for each in hidden}) >= 2 and not deficient):
        return good
    partner = partner_of_series({category: series[category] for category in good}, deficient, k)
    return good - {partner} if partner else set()


def partner_of_series(good: dict[str, list[Row]], deficient: list[date | None], k: int) -> str | None:
    """Return the category that is hidden beside the others; None if none is large enough where it has to be."""
    large = [
        category
        for category, members in good.items()
        if all(_sizes(members).get(period, 0) >= k for period in deficient)
    ]
    return min(large, key=lambda category: (users(good[category]), category), default=None)


def _sizes(members: list[Row]) -> dict[date | None, int]:
    return {key["period"]: users(found) for key, found in groups(members, "period")}


def category_trends(conversations: Iterable[Row], telling: Telling) -> list[Row]:
    """Return the share of each category in each period, and whether its change is more than noise."""
    everything = list(conversations)
    rows = [row for grain in GRAINS for row in _trends(everything, telling, grain)]
    return [row for row in rows if not row["conversations"] or row["users"] >= telling.min_users]


def _trends(everything: list[Row], telling: Telling, grain: str) -> list[Row]:
    evaluated = _in_periods(everything, telling, grain)
    shown = _shown_in(evaluated, telling, grain)
    told_in = [
        {**each, "label": each["label"] if each["label"] in shown else FEW}
        for each in evaluated
        if each["period"] is not None
    ]
    periods = sorted(groups(told_in, "period"), key=lambda found: found[0]["period"])
    rows = []
    for category in {each["label"] for each in told_in}:
        before: Row | None = None
        for key, members in periods:
            cell = _cell(members, category)
            rows.append({"grain": grain, **key, "category": category, **_told(cell), **_change(cell, before)})
            before = cell
    return rows


def _cell(members: list[Row], category: str) -> Row:
    found = [each for each in members if each["label"] == category]
    share = Fraction(len(found), len(members))
    of_category: Callable[[Row], Fraction] = lambda each: (each["label"] == category) - share  # noqa: E731
    spread = variance(clusters(members, of_category), len(members))
    return {"conversations": len(found), "users": users(found), "share": share, "variance": spread}


def _told(cell: Row) -> Row:
    half = None if cell["variance"] is None else Z_95 * sqrt(cell["variance"])
    share = float(cell["share"])
    return {
        "conversations": cell["conversations"],
        "users": cell["users"],
        "share": share,
        "share_low": None if half is None else max(0.0, share - half),
        "share_high": None if half is None else min(1.0, share + half),
    }


def _change(cell: Row, before: Row | None) -> Row:
    names = ("previous_share", "change", "change_low", "change_high", "is_more_than_noise")
    if before is None:
        return dict.fromkeys(names)
    change = float(cell["share"] - before["share"])
    if cell["variance"] is None or before["variance"] is None:
        return dict(zip(names, (float(before["share"]), change, None, None, False), strict=True))
    half = Z_95 * sqrt(cell["variance"] + before["variance"])
    low, high = change - half, change + half
    return dict(zip(names, (float(before["share"]), change, low, high, low > 0 or high < 0), strict=True))
