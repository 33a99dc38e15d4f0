"""One measured row, what the quota would have allowed, and the table."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """
    What one contender did.

    Units: *seconds* and *limit_s* are quota seconds, *limit_s* 0 where there is no quota; *cpu_s* is the client's from
    the moment it was ready. *records* is how many it was given, *valid* how many its own outcomes call valid.
    *grown_mb* is how far the peak of memory rose after the client was ready.
    """

    name: str
    records: int
    seconds: float
    limit_s: float
    requests: int
    refused: int
    valid: int
    cpu_s: float
    peak_mb: float
    grown_mb: float
    tokens_paid: int
    share_used: float
    most_requests_a_minute: float
    most_tokens_a_minute: float
    scale: float = 1
    note: str = ""

    @property
    def lost(self) -> int:
        """How many conversations have no valid judgement in the end."""
        return self.records - self.valid

    @property
    def times_limit(self) -> float:
        """How much longer it took than the quota made necessary; 0 where there is no quota."""
        return self.seconds / self.limit_s if self.limit_s else 0.0

    @property
    def refused_share(self) -> float:
        """The part of the requests that was answered 429."""
        return self.refused / self.requests if self.requests else 0.0

    @property
    def cpu_s_per_1000(self) -> float:
        """CPU seconds of the client for 1,000 conversations."""
        return self.cpu_s / self.records * 1000


def limit_s(
    records: int, per_minute: float, depth_s: float, amount_each: float = 1, latency_s: float = 0
) -> float:  # fmt: skip
    """
    Return how long the quota alone makes a faultless run last: everything but the first burst, at the rate.

    Shape: *amount_each* is what one conversation uses of the quota; *latency_s* is added, for the last call ends too.
    """
    rate = per_minute / 60
    return max(0.0, records * amount_each / rate - depth_s) + latency_s


COLUMNS = (
    "client",
    "× limit",
    "requests",
    "429s",
    "valid",
    "lost",
    "CPU-s / 1,000",
    "peak MB",
    "grown MB",
    "Mtokens paid",
    "share used",
    "most requests / min",
    "most Mtokens / min",
    "scale",
)


def line(row: Row) -> str:
    """Return the line of one contender."""
    cells = (
        row.name + (" *" if row.note else ""),
        f"{row.times_limit:.3f}" if row.limit_s else "-",
        f"{row.requests:,}",
        f"{row.refused:,} ({row.refused_share:.1%})",
        f"{row.valid:,}",
        f"{row.lost:,} ({row.lost / row.records:.1%})",
        f"{row.cpu_s_per_1000:.1f}",
        f"{row.peak_mb:.0f}",
        f"{row.grown_mb:.0f}",
        f"{row.tokens_paid / 1e6:.2f}",
        f"{row.share_used:.1%}" if row.limit_s else "-",
        f"{row.most_requests_a_minute:,.0f}",
        f"{row.most_tokens_a_minute / 1e6:.2f}",
        f"{row.scale:g}",
    )
    return "| " + " | ".join(cells) + " |"


def markdown(rows: Sequence[Row]) -> str:
    """Return the table, a row a contender, with the notes below it."""
    head = ["| " + " | ".join(COLUMNS) + " |", "|---|" + "---:|" * (len(COLUMNS) - 1)]
    notes = [f"\n\\* {row.name}: {row.note}" for row in rows if row.note]
    return "\n".join([*head, *map(line, rows), *notes])
