"""The tally: how many conversations of a segment or a run ended in which outcome, and what it cost. It must add up."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from chatcensus.answer import Reason
from chatcensus.bill import Bill
from chatcensus.errors import SnapshotIncomplete


class Outcome(StrEnum):
    """Everything that can happen to one conversation in a run."""

    EVALUATED = "evaluated"
    ALREADY_EVALUATED = "already_evaluated"
    QUARANTINED = "quarantined"
    CHANGED = "changed"
    DELETED = "deleted"
    LEFT_PENDING = "left_pending"


_COUNTS = ("outcomes", "reasons", "skipped")
# Of each bill, besides its answers.
_BILLED = (
    *("possibly_paid", "throttled", "input_tokens", "output_tokens", "cost_micro_usd"),
    *("cache_read_tokens", "cache_write_tokens", "saved_micro_usd"),
)
_SUMS = ("read", "calls", "due", "forecast_micro_usd", *_BILLED)


@dataclass
class Tally:
    """
    Counts per outcome and reason, with what was paid.

    Shape: *skipped* says of what was no work of the run, and is not in *read*, why; *due* and *forecast_micro_usd* are
    of a dry run only.
    Units: *cost_micro_usd* in micro-USD; *calls* counts paid calls, *possibly_paid* requests whose reply was lost.
    *saved_micro_usd* is what the calls would have cost besides without the prompt cache; *input_tokens* has all tokens
    that went in, those of the cache too.
    """

    read: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    calls: int = 0
    possibly_paid: int = 0
    throttled: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_micro_usd: int = 0
    due: int = 0
    forecast_micro_usd: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    saved_micro_usd: int = 0

    @property
    def written(self) -> int:
        """How many evaluations were written to the table, quarantines included."""
        return self.outcomes[Outcome.EVALUATED] + self.outcomes[Outcome.QUARANTINED]

    def count(self, outcome: Outcome, reason: Reason | None, bill: Bill) -> None:
        """Count how one conversation ended, and what it has cost."""
        self.outcomes[outcome] += 1
        if reason:
            self.reasons[reason] += 1
        self.calls += bill.attempts
        for name in _BILLED:
            setattr(self, name, getattr(self, name) + getattr(bill, name))

    def progress(self, name: str, expected: int, seconds: float) -> str:
        """Return in one line how far a segment of about *expected* conversations has come in so many seconds."""
        ended = sum(self.outcomes.values())
        left = max(0, expected - ended)
        eta = f"{seconds / ended * left:.0f}s" if ended and left else "0s"
        return (
            f"{name} {ended}/{max(expected, self.read)} "
            f"evaluated={self.outcomes[Outcome.EVALUATED]} already={self.outcomes[Outcome.ALREADY_EVALUATED]} "
            f"quarantined={self.outcomes[Outcome.QUARANTINED]} pending={self.outcomes[Outcome.LEFT_PENDING]} "
            f"429={self.throttled} usd={self.cost_micro_usd / 1e6:.4f}{self._cached()} eta={eta}"
        )

    def _cached(self) -> str:
        """Return what part of the input was read from the prompt cache and what that has saved, where there is one."""
        if not (self.cache_read_tokens or self.cache_write_tokens):
            return ""
        part = self.cache_read_tokens / self.input_tokens
        return f" cached={part:.0%} saved={self.saved_micro_usd / 1e6:.4f}"

    def check(self) -> None:
        """Raise SnapshotIncomplete with both numbers unless the outcomes add up to what was read."""
        ended = sum(self.outcomes.values())
        if ended != self.read:
            raise SnapshotIncomplete(
                f"the tally does not add up: {self.read} conversations read, {ended} ended in an outcome "
                f"({self.as_dict()['outcomes']}); clear the classify task to read the segment again"
            )

    def as_dict(self) -> dict[str, Any]:
        """Return the tally as plain counts, for an XCom or the ledger (under 1 KB)."""
        counts = {
            name: {str(key): count for key, count in sorted(getattr(self, name).items()) if count} for name in _COUNTS
        }
        return {**counts, **{name: getattr(self, name) for name in _SUMS}}

    @classmethod
    def total(cls, tallies: Iterable[Mapping[str, Any]]) -> "Tally":
        """Return the sum of *tallies*, each as `as_dict` gives it."""
        total = cls()
        for tally in tallies:
            for name in _COUNTS:
                getattr(total, name).update({key: int(count) for key, count in tally[name].items()})
            for name in _SUMS:
                # Tallies in the ledger may be older than some of the sums.
                setattr(total, name, getattr(total, name) + int(tally.get(name, 0)))
        return total
