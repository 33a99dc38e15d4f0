"""Time zones: an instant is held as a UTC timestamp in DuckDB, its zone in the type."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from local_aws.athena.failures import StatementError, Unsupported

if TYPE_CHECKING:
    from local_aws.athena.language.scope import Expression

_OFFSET = re.compile(r"([+-])(\d\d)(?::?(\d\d))?", re.ASCII)
_LARGEST_OFFSET_MINUTES = 14 * 60


@cache
def check_zone(name: str) -> str:
    """
    Return the zone's name as Trino prints it.

    Shape: a region such as Asia/Tokyo, or an offset such as +09, +0900 or +09:00, which becomes +09:00.
    Raises: StatementError for a zone nobody knows; Unsupported for names that Trino may read in another way.
    Source: Trino's TimeZoneKey.
    """
    if name.upper() in ("UTC", "GMT", "Z", "UCT"):
        return "UTC"
    offset = _OFFSET.fullmatch(name)
    if offset is not None:
        hours, minutes = int(offset[2]), int(offset[3] or 0)
        if minutes > 59 or hours * 60 + minutes > _LARGEST_OFFSET_MINUTES:
            raise StatementError("INVALID_FUNCTION_ARGUMENT", f"'{name}' is not a valid time zone")
        return f"{offset[1]}{hours:02}:{minutes:02}" if hours or minutes else "UTC"
    if name.startswith("Etc/") or not re.fullmatch(r"[A-Z][A-Za-z]*(/[A-Z][A-Za-z0-9_+-]*)+", name):
        raise Unsupported(f"zone {name!r}; name it as Region/City or as an offset")
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as problem:
        raise StatementError("INVALID_FUNCTION_ARGUMENT", f"'{name}' is not a valid time zone") from problem
    return name


def offset_zone(minutes: int) -> str:
    """
    Return the zone of an offset in minutes.

    Raises: StatementError beyond 14 hours.
    """
    return check_zone(f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}")


@cache
def _zone_info(name: str) -> tzinfo:
    offset = _OFFSET.fullmatch(name)
    if offset is None:
        return ZoneInfo(name)
    size = timedelta(hours=int(offset[2]), minutes=int(offset[3]))
    return timezone(size if offset[1] == "+" else -size)


# Where an offset counts as steady when it never changed from one week to the next.
_STEADY = (datetime(1970, 1, 1), datetime(2100, 1, 1))  # noqa: DTZ001 - a UTC clock
_STEADY_SQL = " AND ".join(f"TIMESTAMP '{end}'" for end in _STEADY)


def zone_of(value: Expression) -> str:
    """Return the zone of a timestamp with time zone."""
    return value.type.args[0]


def to_local(value: Expression) -> str:
    """Return the wall clock of *value* in its own zone, as DuckDB TIMESTAMP text."""
    zone = zone_of(value)
    if zone == "UTC":
        return value.sql
    in_python, minutes = f"t_wall_clock({value.sql}, '{zone}')", _steady_minutes(zone)
    if minutes is None:
        return in_python
    # Ten times quicker for a column of times.
    moved = f"{value.sql} + to_minutes({minutes})"
    return f"(CASE WHEN {value.sql} BETWEEN {_STEADY_SQL} THEN {moved} ELSE {in_python} END)"


@cache
def _steady_minutes(zone: str) -> int | None:
    """Return the offset from UTC where *zone* has had the same one since 1970, in whole minutes; else None."""
    weeks = range((_STEADY[1] - _STEADY[0]).days // 7)
    offsets = {wall_clock(at, zone) - at for at in (_STEADY[0] + timedelta(weeks=week) for week in weeks)}
    minutes, rest = divmod(offsets.pop(), timedelta(minutes=1))
    return None if offsets or rest else minutes


def to_instant(local_sql: str, zone: str, near: str | None = None) -> str:
    """
    Return the instant of a wall clock in *zone*; *near* is the instant that it was computed from.

    A clock that summer time skips moves forward by the skip; one that comes twice has the offset of *near* if that is
    one of the two, else the earlier instant.
    Source: Joda-Time's DateTimeZone.convertLocalToUTC, which Trino's date functions call.
    """
    if zone == "UTC":
        return local_sql
    return f"t_instant({local_sql}, '{zone}', {near})" if near else f"t_first_instant({local_sql}, '{zone}')"


def wall_clock(instant: datetime, zone: str) -> datetime:
    """Return the wall clock that *zone* shows at *instant*, a UTC clock."""
    return instant.replace(tzinfo=UTC).astimezone(_zone_info(zone)).replace(tzinfo=None, fold=0)


def offset_minutes(instant: datetime, zone: str) -> int:
    """Return the offset from UTC at *instant*, in whole minutes cut towards zero."""
    return int((wall_clock(instant, zone) - instant).total_seconds() / 60)


def first_instant_of(clock: datetime, zone: str) -> datetime:
    """Return the instant, a UTC clock, at which *zone* first shows *clock*, or would have."""
    return clock.replace(tzinfo=_zone_info(zone), fold=0).astimezone(UTC).replace(tzinfo=None)


def instant_of(clock: datetime, zone: str, near: datetime) -> datetime:
    """Return the instant at which *zone* shows *clock*, with the offset of the instant *near* if it can be."""
    candidate = clock - (wall_clock(near, zone) - near)
    return candidate if wall_clock(candidate, zone) == clock else first_instant_of(clock, zone)


HELPERS = (
    ("t_wall_clock", wall_clock, ["TIMESTAMP", "VARCHAR"], "TIMESTAMP"),
    ("t_instant", instant_of, ["TIMESTAMP", "VARCHAR", "TIMESTAMP"], "TIMESTAMP"),
    ("t_first_instant", first_instant_of, ["TIMESTAMP", "VARCHAR"], "TIMESTAMP"),
    ("t_offset_minutes", offset_minutes, ["TIMESTAMP", "VARCHAR"], "BIGINT"),
)
