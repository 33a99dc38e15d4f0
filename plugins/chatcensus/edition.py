"""An edition: one set of summary tables of one snapshot; it never changes, and readers see one whole edition."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from chatcensus.snapshot import Snapshot


@dataclass(frozen=True)
class Edition:
    """
    What every statement of an edition pins.

    Shape: *id* names it, *export_id* its snapshot. *counted_until* is the export's time as evaluations write theirs.
    *open_week* is the Monday of the week in which the export was made, *open_month* the first day of that week's month
    (`month_of`): readers are told of complete weeks and months only. Days are YYYY-MM-DD in the configured zone.
    """

    id: str
    export_id: str
    export_time: str
    counted_until: str
    open_week: str
    open_month: str
    snapshot: Mapping[str, Any]

    @classmethod
    def of(cls, snapshot: Snapshot, timezone: str, suffix: str) -> "Edition":
        """Return the edition of *snapshot* that *suffix* tells from others of it."""
        week = week_of(snapshot.time.astimezone(ZoneInfo(timezone)).date())
        return cls(
            id=f"{snapshot.export_id}-{suffix}",
            export_id=snapshot.export_id,
            export_time=snapshot.export_time,
            counted_until=f"{snapshot.time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
            open_week=week.isoformat(),
            open_month=month_of(week).isoformat(),
            snapshot=snapshot.as_dict(),
        )

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "Edition":
        """Return the edition that `as_dict` made."""
        return cls(**plain)

    def as_dict(self) -> dict[str, Any]:
        """Return the edition as plain values, for an XCom."""
        return asdict(self)

    @property
    def time(self) -> datetime:
        """The moment that its snapshot describes."""
        return datetime.fromisoformat(self.export_time)


def week_of(day: date) -> date:
    """Return the Monday of the week of *day* (ISO 8601)."""
    return day - timedelta(days=day.weekday())


def month_of(week: date) -> date:
    """
    Return the first day of the month that the week beginning on *week* belongs to: that of its Thursday.

    Calendar months cut weeks in two; the difference of a month and its weeks would give away a Sunday with two people.
    Source: the rule by which ISO 8601 assigns weeks to years.
    """
    return (week + timedelta(days=3)).replace(day=1)
