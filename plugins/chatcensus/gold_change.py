"""What has changed between two measurements of the same gold rows, and whether the accuracy has fallen."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chatcensus.agreement import mcnemar
from chatcensus.gold_measure import Measurement, category_of, right
from chatcensus.gold_rows import GoldRow, shown
from chatcensus.terminal_text import printable


@dataclass(frozen=True)
class Change:
    """
    The rows that two measurements answer differently, by their ids.

    Shape: *worse* were right before and are wrong now, *better* the other way round, *other* are wrong in another way.
    """

    before: Measurement
    after: Measurement
    worse: tuple[str, ...]
    better: tuple[str, ...]
    other: tuple[str, ...]

    @classmethod
    def between(cls, before: Measurement, after: Measurement, rows: Sequence[GoldRow]) -> "Change":
        """Return the change from *before* to *after*, both of *rows*."""
        found: dict[tuple[bool, bool], list[str]] = {(True, False): [], (False, True): [], (False, False): []}
        for row in rows:
            old, new = category_of(before.answers[row.id]), category_of(after.answers[row.id])
            if old != new:
                found[old == row.category, new == row.category].append(row.id)
        return cls(before, after, *(tuple(ids) for ids in found.values()))

    @property
    def p(self) -> float:
        """The p of McNemar's test: how likely chance alone makes a difference so large, one way or the other."""
        return mcnemar(len(self.worse), len(self.better))

    @property
    def fallen(self) -> int:
        """By how many right rows the accuracy has fallen; below 0 when it has risen."""
        return right(self.before) - right(self.after)

    def lines(self) -> Iterator[str]:
        """Yield what has changed: counts and ids of gold rows, no text."""
        total, before = len(self.after.answers), self.before
        yield (
            f"Before: {printable(before.model)}, prompt {before.prompt_version}, measured {before.measured_on}"
            f"{', the baseline' if before.is_baseline else ''}"
        )
        yield (
            f"  right  {right(before)} → {right(self.after)} of {total}"
            f"   {right(before) / total:.1%} → {right(self.after) / total:.1%}   McNemar p = {self.p:.3g}"
        )
        for name in ("worse", "better", "other"):
            ids: tuple[str, ...] = getattr(self, name)
            if ids:
                yield f"  {name:<7}{len(ids)}: {shown(ids)}"

    def as_dict(self) -> Mapping[str, Any]:
        """Return the change as plain values."""
        return {
            "before": {"model": self.before.model, "prompt_version": self.before.prompt_version,
                       "measured_on": self.before.measured_on.isoformat(), "is_baseline": self.before.is_baseline},
            "right_before": right(self.before),
            "right_after": right(self.after),
            "p": self.p,
            "worse": list(self.worse),
            "better": list(self.better),
            "other": list(self.other),
        }  # fmt: skip
