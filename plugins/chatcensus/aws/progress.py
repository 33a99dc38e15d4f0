"""
What a run tells of itself while it works, for the people who watch it: no decision is ever taken by these rows.

    planned    on the run's row: what `plan` expects and allows
    segment#…  a row for each segment that has begun: name, expected, started_at, told_at, is_done, and its tally
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from chatcensus.aws.ledger import Ledger
from chatcensus.partition import Segment
from chatcensus.tally import Tally

log = logging.getLogger(__name__)


def _now() -> datetime:
    return datetime.now(UTC)


class SegmentProgress:
    """
    How far one try of a segment's task has come; a later try takes the place of an earlier one.

    A telling that is lost costs the watchers ten seconds, and the work nothing.
    """

    def __init__(self, ledger: Ledger, map_index: int, segment: Segment, now: Callable[[], datetime] = _now) -> None:
        self.ledger, self.map_index, self.segment, self.now = ledger, map_index, segment, now
        self.started_at, self._was_lost = now(), False

    def tell(self, tally: Tally, is_done: bool) -> None:
        """Write the segment's row."""
        row = {
            "map_index": self.map_index,
            "name": self.segment.name,
            "expected": self.segment.expected,
            "started_at": self.started_at.isoformat(timespec="milliseconds"),
            "told_at": self.now().isoformat(timespec="milliseconds"),
            "is_done": is_done,
            "tally": tally.as_dict(),
        }
        try:
            self.ledger.tell_segment(self.map_index, row)
        except (BotoCoreError, ClientError) as error:
            if not self._was_lost:
                log.warning("who watches %s may see it late (%s)", self.segment.name, type(error).__name__)
            self._was_lost = True


def planned(
    segments: Sequence[Segment],
    model: str,
    burndown: int,
    quota: Mapping[str, float],
    max_micro_usd: int,
    forecast: Mapping[str, int],
    now: Callable[[], datetime] = _now,
) -> dict[str, Any]:
    """
    Return what `plan` tells of the run.

    Shape: *forecast* as the plan makes it. The map stays under half a kilobyte: every reservation writes its row.
    """
    return {
        "segments": len(segments),
        "expected": sum(segment.expected for segment in segments),
        "model": model,
        "burndown": burndown,
        **{name: Decimal(str(value)) for name, value in quota.items()},
        "max_micro_usd": max_micro_usd,
        "forecast": dict(forecast),
        "planned_at": now().isoformat(timespec="milliseconds"),
    }
