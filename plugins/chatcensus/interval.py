"""What a run's interval means: which conversations it judges, by when they were created."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from chatcensus.errors import SetupError
from chatcensus.moment import read_iso


@dataclass(frozen=True)
class Window:
    """
    Creation times from *start* (inclusive; None: from the beginning) to *end* (exclusive), in UTC.

    A conversation without a creation time is in every window that has no start.
    """

    start: datetime | None
    end: datetime

    def __contains__(self, created_at: datetime | None) -> bool:
        if created_at is None:
            return self.start is None
        return (self.start is None or self.start <= created_at) and created_at < self.end

    def as_dict(self) -> dict[str, str | None]:
        """Return the window as ISO 8601 texts, for an XCom."""
        return {"start": self.start.isoformat() if self.start else None, "end": self.end.isoformat()}

    @classmethod
    def from_dict(cls, texts: dict[str, str | None]) -> "Window":
        """Return the window that `as_dict` gave."""
        start, end = read_iso(texts["start"]), read_iso(texts["end"])
        if end is None or (start is None) != (texts["start"] is None):
            raise SetupError(f"a window needs an end, and a start that is a time or nothing, this one is {texts!r}")
        return cls(start, end)


def window(
    run_type: str,
    run_after: datetime,
    data_interval_start: datetime | None = None,
    data_interval_end: datetime | None = None,
    *,
    created_from: str = "",
    created_before: str = "",
    timezone: str = "UTC",
) -> Window:
    """
    Return what a run judges.

    A backfill judges what was created inside its interval. A scheduled run judges everything pending that was created
    before its interval's end. Any other run, which may have no interval at all, judges everything pending that was
    created before it was due. The Params *created_from* (inclusive) and *created_before* (exclusive) narrow that down.
    Shape: the two are days of *timezone* as YYYY-MM-DD; empty is no limit.
    Errors: SetupError for a backfill without an interval or with those Params, and for days that hold nothing.
    """
    if run_type == "backfill":
        if data_interval_start is None or data_interval_end is None:
            raise SetupError("this backfill run has no data interval: use `airflow backfill create` or the UI")
        if created_from or created_before:
            raise SetupError(
                "a backfill judges what was created in its interval: leave created_from and created_before empty, or "
                "trigger one run with them"
            )
        return Window(data_interval_start.astimezone(UTC), data_interval_end.astimezone(UTC))
    scheduled_end = data_interval_end if run_type == "scheduled" else None
    end = (scheduled_end or run_after).astimezone(UTC)
    start = first_instant("created_from", created_from, timezone) if created_from else None
    if created_before:
        end = min(end, first_instant("created_before", created_before, timezone))
    if start is not None and start >= end:
        raise SetupError(
            f"this run judges what was created from {created_from} until {end.isoformat()}, which is no time at all: "
            "created_from has to be a day before created_before, and not in the future"
        )
    return Window(start, end)


def first_instant(name: str, day: str, timezone: str) -> datetime:
    """
    Return when *day*, the YYYY-MM-DD that was given as *name*, begins in *timezone*, in UTC.

    Errors: SetupError for another text and for a day that does not exist.
    """
    try:
        # Where a clock change leaves out midnight, this is the change itself; where midnight comes twice, the first.
        begins = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(timezone)).astimezone(UTC)
        is_day = date.fromisoformat(day).isoformat() == day  # ISO 8601 has more forms, such as 2026-W40-4
    except (ValueError, OverflowError):
        is_day = False
    if not is_day:
        raise SetupError(f"{name} is {day!r}, which is no day: write it as YYYY-MM-DD, or leave it empty for no limit")
    return begins
