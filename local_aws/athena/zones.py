"""Time zones: an instant is held as a UTC timestamp in DuckDB, its zone in the type."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from local_aws.athena.failures import StatementError, Unsupported

if TYPE_CHECKING:
    from local_aws.athena.scope import Expression


@cache
def check_zone(name: str) -> str:
    """
    Return the zone's name as Trino prints it.

    Raises: StatementError for a zone nobody knows; Unsupported for offsets such as +09:00.
    """
    if name.upper() in ("UTC", "GMT", "Z", "UCT"):
        return "UTC"
    if re.fullmatch(r"[+-].*", name):
        raise Unsupported(f"zone offset {name!r}; name the zone")
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as problem:
        raise StatementError("INVALID_FUNCTION_ARGUMENT", f"'{name}' is not a valid time zone") from problem
    return name


@cache
def has_fixed_offset(name: str) -> bool:
    """Tell whether the zone has kept one offset since 1970, so that wall clock and instant convert one to one."""
    zone = ZoneInfo(name)
    days = (datetime(1970, 1, 1, tzinfo=ZoneInfo("UTC")) + timedelta(days=30 * step) for step in range(820))
    return len({day.astimezone(zone).utcoffset() for day in days}) == 1


def zone_of(value: Expression) -> str:
    """Return the zone of a timestamp with time zone."""
    return value.type.args[0]


def to_local(value: Expression) -> str:
    """Return the wall clock of *value* in its own zone, as DuckDB TIMESTAMP text."""
    zone = zone_of(value)
    return value.sql if zone == "UTC" else f"timezone('{zone}', timezone('UTC', {value.sql}))"


def to_instant(local_sql: str, zone: str) -> str:
    """
    Return the instant of a wall clock in *zone*.

    Raises: Unsupported for zones with summer time, where a wall clock can name two instants.
    """
    if zone == "UTC":
        return local_sql
    if not has_fixed_offset(zone):
        raise Unsupported(f"wall-clock arithmetic in {zone}, a zone with summer time")
    return f"timezone('UTC', timezone('{zone}', {local_sql}))"
