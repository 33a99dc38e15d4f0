"""
Several workers: CeleryExecutor with two of them, and one that disappears in the middle of its segments.

One run for all of it; the tests look at what it left behind.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from demo.generator import generate
from demo.load import Conversation
from tests.process.celery_airflow import TASKS_AT_ONCE, CeleryAirflow, Cut, hosts

log = logging.getLogger(__name__)
pytestmark = pytest.mark.airflow

SEGMENTS, PER_SEGMENT, IN_FLIGHT = 20, 15, 4
CONVERSATIONS = SEGMENTS * PER_SEGMENT
SURVIVOR, KILLED = "worker-1", "worker-2"


@dataclass(frozen=True)
class Seen:
    """What one run did, and what was left when all had been ended."""

    run_state: str
    segments: list[dict[str, Any]]
    tallies: dict[int, dict[str, Any]]
    cuts: dict[int, Cut]  # of the segments on which the killed worker worked
    evaluations: dict[str, dict[str, Any]]
    work: dict[str, int]
    left: list[str]


@pytest.fixture(scope="module")
def seen() -> Iterator[Seen]:
    # Not pytest's folder: each new pytest of root closes that to the user under whom root's PostgreSQL runs.
    with TemporaryDirectory(prefix="celery-", ignore_cleanup_errors=True) as state:
        census = CeleryAirflow(Path(state))
        try:
            census.start_all()
            found = run_and_kill(census)
        finally:
            census.end()
            log.info("two workers and the rest took %.0f CPU seconds", census.cpu_s)
        yield Seen(**found, left=census.left())


def run_and_kill(census: CeleryAirflow) -> dict[str, Any]:
    census.put(conversations())
    before = census.work()
    census.pause(is_paused=False)
    run_id = census.trigger(publish=False, conversations_per_segment=PER_SEGMENT, in_flight=IN_FLIGHT)
    cuts: dict[int, Cut] = {}

    def is_in_the_middle() -> bool:
        if not hosts(census.segments(run_id), "success")[KILLED]:
            return False
        census.freeze(KILLED)
        running = hosts(census.segments(run_id), "running")
        cuts.update({index: census.cut(index, SEGMENTS) for index in running[KILLED]})
        is_cut = any(cut.judged and cut.pending for cut in cuts.values())
        # With all its hands full it holds no message that it has not begun; and the other worker has a part of the
        # quota, else it would wait four minutes for what the killed one held.
        is_full = len(cuts) == TASKS_AT_ONCE
        if is_cut and is_full and any(census.cut(index, SEGMENTS).judged for index in running[SURVIVOR]):
            return True
        cuts.clear()
        census.thaw(KILLED)
        return False

    census.wait(is_in_the_middle, "a segment that is half judged by the worker to be killed")
    census.kill(KILLED)
    census.wait_for_runs([run_id])
    segments = census.segments(run_id)
    return {
        "run_state": next(run["state"] for run in census.runs() if run["dag_run_id"] == run_id),
        "segments": segments,
        "tallies": {one["map_index"]: census.tally(run_id, one["map_index"]) for one in segments},
        "cuts": cuts,
        "evaluations": census.evaluations(),
        "work": dict(census.work() - before),
    }


def conversations() -> Iterator[Conversation]:
    for number, text in enumerate(generate(CONVERSATIONS, seed=7)):
        yield Conversation(id=f"c{number}", turns=text["turns"], user=text["user"], created_at="2026-10-01T03:04:05Z")


def test_a_run_outlives_a_worker_that_is_killed_in_the_middle(seen: Seen):
    assert any(cut.judged and cut.pending for cut in seen.cuts.values())
    assert seen.run_state == "success"
    assert len(seen.segments) == SEGMENTS
    assert {segment["state"] for segment in seen.segments} == {"success"}


def test_each_conversation_is_judged_once_whatever_worker_had_it(seen: Seen):
    assert len(seen.evaluations) == CONVERSATIONS
    assert {evaluation["outcome"] for evaluation in seen.evaluations.values()} == {"evaluated"}
    assert seen.work["writes"] == CONVERSATIONS


def test_a_killed_worker_costs_at_most_the_calls_that_it_had_in_flight(seen: Seen):
    assert CONVERSATIONS <= seen.work["calls"] <= CONVERSATIONS + TASKS_AT_ONCE * IN_FLIGHT


def test_both_workers_worked_and_the_other_one_ended_what_the_killed_one_had_begun(seen: Seen):
    ended_by = hosts(seen.segments, "success")
    again = {segment["map_index"] for segment in seen.segments if segment["try_number"] > 1}

    assert ended_by[SURVIVOR] | ended_by[KILLED] == set(range(SEGMENTS))
    assert ended_by[KILLED]
    assert set(seen.cuts) <= ended_by[SURVIVOR]
    assert again == set(seen.cuts)
    for index, cut in seen.cuts.items():
        outcomes = seen.tallies[index]["outcomes"]
        assert outcomes.get("already_evaluated", 0) >= cut.judged  # a write may have been on its way
        assert sum(outcomes.values()) == cut.judged + cut.pending


def test_no_process_is_left(seen: Seen):
    assert seen.left == []
