"""
What point-in-time recovery remembers of a table: every write since it was turned on, with both images.

Nothing is remembered of tables without it, and turning it off forgets. The caller holds the lock.
"""

from bisect import bisect_left
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any, NamedTuple

from moto.core import DEFAULT_ACCOUNT_ID
from moto.dynamodb.models import dynamodb_backends

from local_aws.dynamodb.item_image import Image

# The values of the partition key and the sort key, numbers as Decimal; the second is None where there is no sort key.
Key = tuple[Any, Any]
Place = tuple[str, Key]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Source: PointInTimeRecoveryDescription of the API model: "typically 5 minutes before the current time".
_LAG_S = 300
_DAY_S = 86_400
_MICROS = 1_000_000


def micros_of(moment: datetime) -> int:
    """Return the microseconds since 1970, exactly."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


class Change(NamedTuple):
    """One write: None before it is an insert, None after it a delete. Units: *at* in microseconds since 1970."""

    at: int
    key: Key
    old: Image | None
    new: Image | None


class TableHistory:
    """
    Hold the writes of one table in their order.

    *since* is when recovery was turned on, in microseconds; None when a journal of an earlier version does not say.
    """

    def __init__(self, since: int | None) -> None:
        self.since = since
        self._changes: list[Change] = []

    def add(self, at: int, key: Key, old: Image | None, new: Image | None) -> None:
        if self.since is None:
            self.since = at
        if self._changes:  # a clock that is set back must not change the order
            at = max(at, self._changes[-1].at)
        self._changes.append(Change(at, key, old, new))

    def images_before(self, at: int, present: dict[Key, Image]) -> list[Image]:
        """Return the items as they were just before *at*; *present* is used up."""
        images: dict[Key, Image | None] = {**present}
        for change in reversed(self._changes[self._first(at) :]):
            images[change.key] = change.old
        return [image for image in images.values() if image is not None]

    def changes_between(self, start: int, end: int) -> list[Change]:
        """Return one change for each item written from *start* until just before *end*: before all, after all."""
        final: dict[Key, Change] = {}
        for change in self._changes[self._first(start) : self._first(end)]:
            first = final.get(change.key, change)
            final[change.key] = change._replace(old=first.old)
        return [change for change in final.values() if change.old or change.new]

    def _first(self, at: int) -> int:
        return bisect_left(self._changes, at, key=attrgetter("at"))


class Histories:
    """Keep the history of every table that has point-in-time recovery."""

    def __init__(self) -> None:
        self._of: dict[tuple[str, str], TableHistory] = {}

    def clear(self) -> None:
        self._of.clear()

    def of(self, region: str, table: str) -> TableHistory:
        return self._of[region, table]

    def follow(self, at: int | None) -> None:
        """Begin the history of tables that can be recovered now, forget those that no longer can."""
        recoverable = [place for place, description in _descriptions() if _is_enabled(description)]
        self._of = {place: self._of.get(place) or TableHistory(at) for place in recoverable}

    def note(self, region: str, at: int, before: dict[Place, Image | None], after: dict[Place, Image | None]) -> None:
        """Remember what a request did. A write that says the same again changes nothing, as in DynamoDB Streams."""
        for place in {**before, **after}:
            table, key = place
            old, new = before.get(place), after.get(place)
            is_same = old.says_the_same(new) if old and new else old is new
            if (region, table) in self._of and not is_same:
                self._of[region, table].add(at, key, old, new)

    def tables(self, region: str) -> list[str]:
        """Return the tables of a Region that have a history."""
        return [table for of_region, table in self._of if of_region == region]

    def tell_the_window(self, now: int) -> None:
        """Write into moto's descriptions what can be restored now; moto never moves the window on."""
        for place, description in _descriptions():
            if place in self._of:
                since = self._of[place].since
                kept = now // _MICROS - description.get("RecoveryPeriodInDays", 35) * _DAY_S
                earliest = max((now if since is None else since) // _MICROS, kept)
                latest = max(earliest, now // _MICROS - _LAG_S)
                description.update(EarliestRestorableDateTime=earliest, LatestRestorableDateTime=latest)


def _descriptions() -> Iterable[tuple[tuple[str, str], dict[str, Any]]]:
    for region, backend in dynamodb_backends[DEFAULT_ACCOUNT_ID].items():
        for name, table in backend.tables.items():
            yield (region, name), table.continuous_backups["PointInTimeRecoveryDescription"]


def _is_enabled(description: dict[str, Any]) -> bool:
    return bool(description["PointInTimeRecoveryStatus"] == "ENABLED")
