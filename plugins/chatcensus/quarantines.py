"""The conversations that are quarantined, counted by reason, day and run; ids and counts, and never a text."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from chatcensus.answer import Reason
from chatcensus.terminal_text import printable

UNKNOWN = "unknown"
_REASONS = frozenset(Reason)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True)
class Quarantined:
    """
    One of them.

    Shape: *place* is where it is remembered: on its item, or in the ledger where the item has no room. *day* is in UTC.
    """

    id: str
    reason: str
    run_id: str
    day: str
    place: Literal["item", "ledger"]

    @classmethod
    def of(cls, name: str, stored: dict[str, Any], place: Literal["item", "ledger"]) -> "Quarantined":
        """Return what *stored*, an evaluation or a row, says of conversation *name*; whatever is in it."""
        reason, day = str(stored.get("reason")), str(stored.get("evaluated_at"))[:10]
        return cls(
            id=name,
            reason=reason if reason in _REASONS else UNKNOWN,
            run_id=str(stored.get("run_id", UNKNOWN)),
            day=day if _DAY.fullmatch(day) else UNKNOWN,
            place=place,
        )


@dataclass
class Quarantines:
    """All of them counted, and the first *limit* by id."""

    limit: int
    shown: list[Quarantined] = field(default_factory=list)
    by_reason: Counter[str] = field(default_factory=Counter)
    by_day: Counter[str] = field(default_factory=Counter)
    by_run: Counter[str] = field(default_factory=Counter)

    def add(self, found: Quarantined) -> None:
        """Count one."""
        self.by_reason[found.reason] += 1
        self.by_day[found.day] += 1
        self.by_run[found.run_id] += 1
        if len(self.shown) < self.limit:
            self.shown.append(found)

    def as_dict(self) -> dict[str, Any]:
        """Return all that `lines` tells, as plain values."""
        counts = {name: dict(getattr(self, name).most_common()) for name in ("by_reason", "by_day", "by_run")}
        return {"quarantined": self.by_reason.total(), **counts, "conversations": [asdict(one) for one in self.shown]}

    def lines(self) -> Iterator[str]:
        """Yield what is to be told; whatever an id holds, it is one line without a control character."""
        yield f"{self.by_reason.total():,} conversations are quarantined"
        for title, counts in (("reason", self.by_reason), ("day (UTC)", self.by_day), ("run", self.by_run)):
            if counts:
                yield f"by {title}"
                yield from (f"  {count:>8,}  {printable(name)}" for name, count in counts.most_common(_MOST_LINES))
                if len(counts) > _MOST_LINES:
                    yield f"  and {len(counts) - _MOST_LINES:,} more: --json has all of them"
        if self.shown:
            yield f"the first {len(self.shown):,}" if len(self.shown) < self.by_reason.total() else "all of them"
            for one in self.shown:
                kept = "" if one.place == "item" else "  (in the ledger: its item has no room)"
                yield f"  {one.reason:<18}  {one.day:<10}  {printable(one.id)}{kept}"


_MOST_LINES = 15
