"""What a run's interval means: which conversations it judges, by when they were created."""

from dataclasses import dataclass
from datetime import datetime

from chatcensus.errors import SetupError
from chatcensus.mapping import read_time


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
        start, end = read_time(texts["start"]), read_time(texts["end"])
        if end is None or (start is None) != (texts["start"] is None):
            raise SetupError(f"a window needs an end, and a start that is a time or nothing, this one is {texts!r}")
        return cls(start, end)


def window(
    run_type: str,
    run_after: datetime,
    data_interval_start: datetime | None = None,
    data_interval_end: datetime | None = None,
) -> Window:
    """
    Return what a run judges.

    A backfill judges what was created inside its interval. A scheduled run judges everything pending that was created
    before its interval's end. A manual or asset run, which may have no interval at all, judges everything pending that
    was created before it was due.
    Errors: SetupError for a backfill without an interval.
    """
    if run_type == "backfill":
        if data_interval_start is None or data_interval_end is None:
            raise SetupError("this backfill run has no data interval: use `airflow backfill create` or the UI")
        return Window(data_interval_start, data_interval_end)
    if run_type == "scheduled" and data_interval_end is not None:
        return Window(None, data_interval_end)
    return Window(None, run_after)
