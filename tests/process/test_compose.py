"""
Both compose files without Docker: two Celery workers judge my own conversations, and one disappears in the middle.

One start and one run for all of it; the tests look at what they left behind. The base file alone has the settings of
`make up` (tests/unit/test_compose.py), which tests/process/test_up.py starts.
"""

import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil
import psycopg2
import pytest

from demo.airflow_home import admin_password
from demo.generator import generate
from demo.load import Conversation
from tests.process.celery_airflow import TASKS_AT_ONCE, WORKERS, CeleryAirflow, Cut, hosts

pytestmark = pytest.mark.airflow

SEGMENTS, PER_SEGMENT, IN_FLIGHT = 20, 15, 4
CONVERSATIONS = SEGMENTS * PER_SEGMENT
SURVIVOR, KILLED = WORKERS
AIRFLOW = {"airflow-apiserver", "airflow-scheduler", "airflow-dag-processor", "airflow-triggerer", *WORKERS}


@dataclass(frozen=True)
class Seen:
    """What one run did, and what was left when all had been ended."""

    run_state: str
    tasks: dict[str, str]
    segments: list[dict[str, Any]]
    cuts: dict[int, Cut]  # of the segments on which the killed worker worked
    tallies: dict[int, dict[str, Any]]  # of the same segments
    evaluations: dict[str, dict[str, Any]]
    work: dict[str, int]
    healthy_workers: set[str]
    ended: set[str]
    healthy_at_the_end: set[str]
    alive: list[psutil.Process]
    left: list[str]


@pytest.fixture(scope="module")
def census() -> Iterator[CeleryAirflow]:
    missing = [program for program in ("curl", "redis-server", "redis-cli") if not shutil.which(program)]
    assert not missing, f"these tests need {missing} (Debian: curl, redis-server)"
    # Not pytest's folder: each new pytest of root closes that to the user under whom root's PostgreSQL runs.
    with TemporaryDirectory(prefix="compose-", ignore_cleanup_errors=True) as state:
        data = Path(state) / "mine.jsonl"
        data.write_text("".join(f"{conversation.model_dump_json()}\n" for conversation in conversations()))
        census = CeleryAirflow(Path(state), data)
        try:
            census.start_all()
            yield census
        finally:
            census.containers.down()


@pytest.fixture(scope="module")
def seen(census: CeleryAirflow) -> Seen:
    found = run_and_kill(census)
    containers, family = census.containers, census.family()
    healthy_workers = {name for name in (SURVIVOR, KILLED) if containers.is_healthy(name)}
    ended = containers.down("airflow-")
    # While the broker runs: without it, the health check of a worker takes ten seconds to say no.
    healthy = {name for name in AIRFLOW - {KILLED} if containers.is_healthy(name)}
    ended += containers.down()
    healthy |= {name for name in containers.long_running - AIRFLOW if containers.is_healthy(name)}
    return Seen(
        **found,
        healthy_workers=healthy_workers,
        ended=set(ended),
        healthy_at_the_end=healthy,
        alive=[one for one in family if one.is_running() and one.status() != psutil.STATUS_ZOMBIE],
        left=census.left(),
    )


def run_and_kill(census: CeleryAirflow) -> dict[str, Any]:
    before = census.work()
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
        "tasks": {task["task_id"]: task["state"] for task in census.tasks(run_id)},
        "segments": segments,
        "tallies": {index: census.tally(run_id, index) for index in cuts},
        "cuts": cuts,
        "evaluations": census.evaluations(),
        "work": dict(census.work() - before),
    }


def conversations() -> Iterator[Conversation]:
    for number, text in enumerate(generate(CONVERSATIONS, seed=7)):
        yield Conversation(id=f"c{number}", turns=text["turns"], user=text["user"], created_at="2026-10-01T03:04:05Z")


def test_each_container_started_and_is_healthy_with_my_own_conversations(census: CeleryAirflow):
    containers = census.containers

    assert set(containers.started) == containers.long_running >= {*AIRFLOW, "postgres", "redis", "aws"}
    assert containers.said["secrets"] == ""
    assert f"user admin, password {admin_password(census.home)}" in containers.said["init"]
    assert containers.said["seed"] == f"{CONVERSATIONS} conversations loaded.\n"
    assert census.api.get("/api/v2/importErrors")["total_entries"] == 0


def test_database_and_broker_refuse_who_has_no_password(census: CeleryAirflow):
    with pytest.raises(psycopg2.OperationalError, match="no password supplied"):
        psycopg2.connect(host=str(census.containers.database), user="postgres", dbname="postgres")
    with socket.create_connection(("127.0.0.1", census.containers.redis_port)) as broker:
        broker.sendall(b"PING\r\n")
        assert broker.recv(100).startswith(b"-NOAUTH")


def test_a_run_outlives_a_worker_that_is_killed_in_the_middle(seen: Seen):
    assert any(cut.judged and cut.pending for cut in seen.cuts.values())
    assert seen.run_state == "success", seen.tasks
    assert {seen.tasks[task] for task in ("plan", "classify", "settle")} == {"success"}, seen.tasks
    assert len(seen.segments) == SEGMENTS
    assert {segment["state"] for segment in seen.segments} == {"success"}


def test_each_conversation_is_judged_once_whatever_worker_had_it(seen: Seen):
    assert set(seen.evaluations) == {conversation.id for conversation in conversations()}
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


def test_the_health_check_of_a_worker_tells_a_living_one_from_a_lost_one(seen: Seen):
    assert seen.healthy_workers == {SURVIVOR}


def test_all_the_others_ran_to_the_end_and_no_process_is_left(census: CeleryAirflow, seen: Seen):
    assert seen.ended == census.containers.long_running - {KILLED}
    assert seen.healthy_at_the_end == set()
    assert seen.alive == []
    assert seen.left == []
