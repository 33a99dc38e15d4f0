"""How the table is cut into segments: the strategies, as `include/table.yaml` names them, and what a segment reads."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, ConfigDict, Field, field_validator

MAX_SEGMENTS = 1024  # Airflow maps a task at most this often (core.max_map_length)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Scan(_Part):
    """A parallel scan: works on any table, and reads all of it."""

    strategy: Literal["scan"]


class DateIndex(_Part):
    """
    Queries on a global secondary index whose partition key is the day of creation.

    Shape: *day* is the format of that key for `datetime.strftime`, *timezone* the zone in which the tool cuts its days;
    *shards* > 0 where it spreads a day over `<day>#0` to `<day>#<shards - 1>`. *first_day* is where the history begins.
    """

    strategy: Literal["date-index"]
    index: str = Field(min_length=1)
    day: str = "%Y-%m-%d"
    timezone: str = "UTC"
    shards: int = Field(default=0, ge=0, le=1000)
    first_day: str = Field(pattern=r"^\d{4}-\d\d-\d\d$")

    @field_validator("day")
    @classmethod
    def _tells_days_apart(cls, form: str) -> str:
        days = [date(2024, 1, 1) + timedelta(days=number) for number in range(5 * 366)]
        if len({day.strftime(form) for day in days}) < len(days):  # one entry would be read for two days
            raise ValueError("two days would have one key: name the day, the month and the year, as in %Y-%m-%d")
        return form

    @field_validator("timezone")
    @classmethod
    def _is_a_zone(cls, timezone: str) -> str:
        if timezone not in available_timezones():
            raise ValueError("name a time zone such as Asia/Tokyo or UTC")
        return timezone

    @field_validator("first_day")
    @classmethod
    def _is_a_day(cls, first_day: str) -> str:
        date.fromisoformat(first_day)
        return first_day

    def keys(self, start: datetime | None, end: datetime) -> Iterator[tuple[str, str]]:
        """Yield each value of the index's key with its day, for creation from *start* (None: always) until *end*."""
        zone, day = ZoneInfo(self.timezone), date.fromisoformat(self.first_day)
        if start is not None:
            day = max(day, start.astimezone(zone).date())
        last = (end - timedelta(microseconds=1)).astimezone(zone).date()  # the end is exclusive
        while day <= last:
            value = day.strftime(self.day)
            for key in [f"{value}#{shard}" for shard in range(self.shards)] or [value]:
                yield key, day.isoformat()
            day += timedelta(days=1)


class PendingIndex(_Part):
    """
    Queries on a sparse global secondary index that holds what is pending.

    Shape: the chat tool sets *attribute*, and the write of an evaluation removes it; *values* are the values that the
    index's partition key takes.
    """

    strategy: Literal["pending-index"]
    index: str = Field(min_length=1)
    attribute: str = Field(min_length=1)
    values: tuple[Annotated[str, Field(min_length=1)], ...] = Field(min_length=1)

    def keys(self, _start: datetime | None, _end: datetime) -> Iterator[tuple[str, str]]:
        """Yield each value of the index's key; the index does not know days."""
        return ((value, "") for value in dict.fromkeys(self.values))


Partition = Scan | DateIndex | PendingIndex


class ScanPart(_Part):
    """One of the parts that a parallel scan reads."""

    strategy: Literal["scan"] = "scan"
    segment: int = 0
    segments: int = 1


class Range(_Part):
    """
    The entries of one value of an index's partition key, from *start* (inclusive) to *end* (exclusive) of its sort key.

    Shape: a border is a value in DynamoDB's typed form, `{"S": "2026-11-22T03:04:05Z"}`; None where there is none.
    """

    value: str
    start: dict[str, str] | None = None
    end: dict[str, str] | None = None


class IndexPart(_Part):
    """Ranges of an index, with the names of its partition key and sort key."""

    strategy: Literal["index"] = "index"
    index: str
    key: str
    sort: str | None
    ranges: tuple[Range, ...]


class Segment(_Part):
    """
    One part of the table that one mapped task works on.

    Shape: *part* and *split* name it in claims, and two segments of one split never overlap; *expected* is about how
    many conversations *read* holds, *window* which of them are judged.
    """

    name: str
    expected: int
    window: dict[str, str | None]
    part: str
    split: str
    read: ScanPart | IndexPart = Field(discriminator="strategy")

    def as_dict(self) -> dict[str, Any]:
        """Return the segment as plain values, for an XCom."""
        return self.model_dump(mode="json")


@dataclass(frozen=True)
class Piece:
    """A range that is cut no further: how many entries it has at most, and the day that it belongs to, if any."""

    range: Range
    entries: int
    day: str = ""


def scan_segments(items: int, per_segment: int, window: dict[str, str | None]) -> list[Segment]:
    """Return 1 to 1,024 parts of a scan, of about *per_segment* of the *items* each."""
    segments = min(MAX_SEGMENTS, max(1, -(-items // per_segment)))
    expected = -(-items // segments)
    return [
        Segment(
            name=_name(number, segments, expected),
            expected=expected,
            window=window,
            part=str(number),
            split=str(segments),
            read=ScanPart(segment=number, segments=segments),
        )
        for number in range(segments)
    ]


def index_segments(
    pieces: Sequence[Piece], per_segment: int, index: IndexPart, window: dict[str, str | None]
) -> list[Segment]:
    """
    Return 1 to 1,024 segments of neighbouring *pieces* of *index*: one that is empty, when there is no piece.

    Shape: none holds more than *per_segment* entries, unless one piece does, or 1,024 segments would not be enough.
    """
    groups = _grouped(pieces, per_segment) or [[]]
    split = f"{index.index}/{hashlib.sha256(repr(groups).encode()).hexdigest()[:16]}"
    segments = []
    for number, group in enumerate(groups):
        expected = sum(piece.entries for piece in group)
        days = [piece.day for piece in group] or [""]
        segments.append(
            Segment(
                name=_name(number, len(groups), expected),
                expected=expected,
                window=window,
                part=f"{number}:{days[0]}:{days[-1]}",
                split=split,
                read=index.model_copy(update={"ranges": tuple(_joined(group))}),
            )
        )
    return segments


def _grouped(pieces: Sequence[Piece], per_segment: int) -> list[list[Piece]]:
    size = per_segment
    while True:
        groups: list[list[Piece]] = []
        left = 0
        for piece in pieces:
            if not groups or piece.entries > left:
                groups.append([])
                left = size
            groups[-1].append(piece)
            left -= piece.entries
        if len(groups) <= MAX_SEGMENTS:
            return groups
        size += -(-size // 8)


def _joined(pieces: Sequence[Piece]) -> Iterator[Range]:
    """Yield the ranges of *pieces*, those that follow each other as one."""
    last: Range | None = None
    for piece in pieces:
        if last and last.value == piece.range.value and last.end == piece.range.start:
            last = last.model_copy(update={"end": piece.range.end})
            continue
        if last:
            yield last
        last = piece.range
    if last:
        yield last


def _name(number: int, segments: int, expected: int) -> str:
    return f"segment {number + 1:0{len(str(segments))}}/{segments} ({expected:,})"
