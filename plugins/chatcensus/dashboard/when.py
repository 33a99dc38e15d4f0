"""When people ask: the charts of days and hours, and the tables of months, weeks and weekdays."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from markupsafe import Markup

from chatcensus.dashboard.rows import Row, Tables
from chatcensus.dashboard.words import counted, text

BARS_SHOWN = 62  # bars in the chart of days before it shows weeks, then months
ROWS_UNFOLDED = 14  # rows that a reader sees without opening a table
GRAINS = {"daily_usage": "day", "weekly_usage": "week", "monthly_usage": "month"}


def when(tables: Tables) -> dict[str, Any]:
    """Return what the section about time shows; `usage` is none where no day, week or month is told."""
    return {
        "usage": _usage(tables),
        "hours": _hours(tables["hour_usage"]),
        "weekdays": _weekdays(tables["weekday_usage"]),
        "are_days_alone": not any(map(_more, tables["daily_usage"])),
        "periods": [_periods(tables[table], grain) for table, grain in reversed(GRAINS.items())],
    }


def _usage(tables: Tables) -> dict[str, Any] | None:
    """Return the chart of use over time: by day, or where these are too many, by week, then by month."""
    chart = None
    for table, grain in GRAINS.items():
        told = {_day(row[grain]): row["conversations"] for row in tables[table] if row[grain] is not None}
        if not told:
            continue
        chart = _chart(told, grain, _notes(tables, grain))
        if len(chart["bars"]) <= BARS_SHOWN:
            break
    return chart


def _chart(told: Mapping[date, int], grain: str, notes: Sequence[Markup]) -> dict[str, Any]:
    first, last = min(told), max(told)
    busiest = max(told, key=lambda period: (told[period], period))
    lead = {
        "first": _name(first, grain),
        "last": _name(last, grain),
        "busiest": _name(busiest, grain),
        "conversations": counted("conversations", told[busiest]),
    }
    return {
        "grain": grain,
        "lead": lead,
        "notes": notes,
        "bars": [
            {"period": _name(period, grain), "conversations": told.get(period, 0)}
            for period in _between(first, last, grain)
        ],
    }


def _notes(tables: Tables, grain: str) -> list[Markup]:
    """Return what must be said of a chart: that a bar holds more than its own period, and what is in no bar."""
    held = tables["daily_usage" if grain == "day" else "weekly_usage"]
    notes = [text(f"{grain}s_together")] if any(map(_more, held)) else []
    if grain == "day" and (untold := sum(row["conversations"] for row in held if row["day"] is None)):
        notes.append(text("untold_days", conversations=counted("conversations", untold)))
    return notes


def _between(first: date, last: date, grain: str) -> Iterator[date]:
    period = first
    while period <= last:
        yield period
        match grain:
            case "day":
                period += timedelta(days=1)
            case "week":
                period += timedelta(days=7)
            case _:
                period = (period + timedelta(days=31)).replace(day=1)


def _hours(rows: Sequence[Row]) -> dict[str, Any] | None:
    told = {row["hour"]: row["conversations"] for row in rows if row["hour"] is not None}
    if not told:
        return None
    untold = sum(row["conversations"] for row in rows if row["hour"] is None)
    return {
        "bars": [{"period": f"{hour:02}:00", "conversations": told.get(hour, 0)} for hour in range(24)],
        "untold": counted("conversations", untold) if untold else None,
    }


def _weekdays(rows: Sequence[Row]) -> list[dict[str, Any]]:
    return [{**row, "label": text(f"weekday_{row['weekday']}")} for row in rows]


def _periods(rows: Sequence[Row], grain: str) -> dict[str, Any]:
    shown = [{**row, "label": _label(row, grain)} for row in rows]
    return {"grain": grain, "rows": shown, "is_unfolded": grain == "month" and len(shown) <= ROWS_UNFOLDED}


def _label(row: Row, grain: str) -> Markup:
    """Return what a row is called: its period, and in words how many others it holds."""
    if row[grain] is None:
        return text("days_of_week", week=row["week"])
    period = _name(row[grain], grain)
    if grain != "month" and (more := _more(row)):
        return text("period_and_more", period=period, more=counted(f"more_{grain}s", more))
    return Markup("{}").format(period)


def _more(row: Row) -> int:
    """Return how many days of few people a row of daily_usage holds beside its own, or weeks one of weekly_usage."""
    if "day" not in row:
        return int(row["weeks"]) - 1
    return 0 if row["day"] is None else int(row["days"]) - 1


def _name(period: object, grain: str) -> str:
    """Return a period as people write it: the day, the Monday of the week, or year and month."""
    return str(period)[: len("2026-10") if grain == "month" else None]


def _day(value: object) -> date:
    return date.fromisoformat(str(value))
