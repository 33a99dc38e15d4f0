"""Runs as Airflow and the ledger tell of them: one that is under way, and some before it."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from chatcensus.aws.progress import SegmentProgress, planned
from chatcensus.partition import ScanPart, Segment
from chatcensus.tally import Tally
from tests.browser.airflow import Airflow

SEGMENTS, EXPECTED = 8, 3000  # of a run, and conversations of each segment
QUOTA = {"requests_per_minute": 1000.0, "tokens_per_minute": 4_000_000.0}
FORECAST = {
    "conversations": SEGMENTS * EXPECTED, "input_tokens": 33_840_000, "output_tokens": 576_000,
    "cost_micro_usd": 12_600_000, "minutes": 24, "read_units": 18_000, "read_micro_usd": 2_600,
}  # fmt: skip


def tell_plan(airflow: Airflow, run_id: str, spent_micro_usd: int = 0, **more: Any) -> None:
    """Write what `plan` tells of a run."""
    segments = [segment(index) for index in range(SEGMENTS)]
    plan = planned(segments, "anthropic.claude-haiku-4-5-20251001-v1:0", 1, QUOTA, 20_000_000, FORECAST)
    airflow.ledger(run_id).record(planned=plan, spent_micro_usd=spent_micro_usd, **more)


def tell_segment(
    airflow: Airflow, run_id: str, index: int, ended: int, *, is_done: bool = False, minutes: float = 5
) -> None:
    """Write what the task of a segment tells that began *minutes* ago and has come to *ended* conversations."""
    now = datetime.now(UTC)
    clock = iter((now - timedelta(minutes=minutes), now))
    SegmentProgress(airflow.ledger(run_id), index, segment(index), lambda: next(clock)).tell(tally(ended), is_done)


def segment(index: int) -> Segment:
    """One of the parts of a parallel scan."""
    name = f"segment {index + 1}/{SEGMENTS} ({EXPECTED:,})"
    read = ScanPart(segment=index, segments=SEGMENTS)
    return Segment(name=name, expected=EXPECTED, window={}, part=str(index), split=str(SEGMENTS), read=read)


def tally(ended: int) -> Tally:
    """Of *ended* conversations one in eighty is quarantined after three calls; the others are evaluated by one each."""
    quarantined = ended // 80
    outcomes = Counter(evaluated=ended - quarantined, quarantined=quarantined)
    calls = ended + 2 * quarantined
    tokens = {"input_tokens": 1410 * calls, "output_tokens": 24 * calls, "cost_micro_usd": 525 * calls}
    return Tally(
        read=ended, outcomes=outcomes, reasons=Counter(not_json=quarantined), calls=calls, throttled=3, **tokens
    )


def tell_history(airflow: Airflow, now: datetime) -> None:
    """Four nights: one failed, and one had nothing to do."""
    for days, state, ended in ((4, "success", 21_400), (3, "failed", 9_100), (2, "success", 14_260), (1, "success", 0)):
        began = (now - timedelta(days=days)).replace(hour=18, minute=0, second=4, microsecond=0)
        run_id = f"manual__{began:%Y-%m-%dT%H:%M:00+00:00}"  # of a scheduled one Airflow's API starts none
        airflow.start_run(run_id, began)
        airflow.end_run(run_id, state, began + timedelta(minutes=3, seconds=ended // 12))
        whole = tally(ended)
        tell_plan(airflow, run_id, whole.cost_micro_usd, tally=whole.as_dict(), settled_micro_usd=whole.cost_micro_usd)
