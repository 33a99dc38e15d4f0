"""
Backfills for real: a scheduler, PostgreSQL and the real DAG, with what an Airflow engineer does to its runs.

One Airflow for all of it: the tests of this module build on each other, in this order.
"""

import logging
import os
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from demo.generator import generate
from demo.load import Conversation
from tests.process.census_in_airflow import CensusInAirflow

log = logging.getLogger(__name__)
pytestmark = pytest.mark.airflow

DAYS = int(os.environ.get("BACKFILL_DAYS", "5"))  # `make backfills` takes 30
ONE_BY_ONE = ["plan", "classify", "settle", "export", "register", "summarise.category_counts", "publish"]
A_DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def census() -> Iterator[CensusInAirflow]:
    # Not pytest's folder: each new pytest of root closes that to the user under whom root's PostgreSQL runs.
    with TemporaryDirectory(prefix="backfills-", ignore_cleanup_errors=True) as state:
        census = CensusInAirflow(Path(state))
        try:
            census.start_all()
            yield census
        finally:
            census.end()
            log.info("a backfill of %d days and the rest took %.0f CPU seconds", DAYS, census.cpu_s)


@pytest.fixture(scope="module")
def scheduled(census: CensusInAirflow) -> dict[str, Any]:
    """The run that the schedule has made: of the last complete interval, over a table that is still empty."""
    census.pause(is_paused=False)
    census.wait(lambda: bool(census.runs("scheduled")), "the scheduled run")
    [run] = census.runs("scheduled")
    census.wait_for_runs([run["dag_run_id"]])
    return run


@pytest.fixture(scope="module")
def days(scheduled: dict[str, Any]) -> list[datetime]:
    """Where the intervals before that of the scheduled run begin, the newest first."""
    return [_time(scheduled, "data_interval_start") - day * A_DAY for day in range(1, DAYS + 4)]


def conversations(name: str, created_at: datetime, count: int = 2) -> list[Conversation]:
    """*count* conversations of one moment."""
    return [
        Conversation(id=f"{name}-{number}", turns=text["turns"], user=text["user"], created_at=created_at.isoformat())
        for number, text in enumerate(generate(count, seed=len(name)))
    ]


def _time(run: dict[str, Any], name: str) -> datetime:
    return datetime.fromisoformat(run[name])


def test_a_run_over_an_empty_table_ends_well_and_publishes(census: CensusInAirflow, scheduled: dict[str, Any]):
    run_id = scheduled["dag_run_id"]

    assert {task["state"] for task in census.tasks(run_id)} == {"success"}
    assert census.xcom(run_id, "settle")["read"] == 0
    assert census.published() == census.xcom(run_id, "export")["export_id"]


def test_a_backfill_beside_a_scheduled_run_and_a_manual_one_judges_each_conversation_once(
    census: CensusInAirflow, scheduled: dict[str, Any], days: list[datetime]
):
    end = _time(scheduled, "data_interval_end")
    put = {
        created_at: conversations(f"of-{created_at:%Y-%m-%d}", created_at)
        for created_at in [*(day + A_DAY / 2 for day in days[:DAYS]), days[DAYS] - 99 * A_DAY]
    }
    deleted = put.pop(days[1] + A_DAY / 2)
    put[end + (datetime.now(UTC) - end) / 2] = conversations("after-the-interval", end + (datetime.now(UTC) - end) / 2)
    census.put([*deleted, *(one for day in put.values() for one in day)])
    census.delete(one.id for one in deleted)
    before = census.work()

    census.backfill(days[DAYS - 1], days[0], max_active_runs=4, publish=False)
    census.wait(lambda: any(run["state"] == "success" for run in census.runs("backfill")), "a first day")
    census.clear(scheduled["dag_run_id"])
    manual = census.trigger()
    census.wait_for_runs(run["dag_run_id"] for run in census.runs())

    runs = {run["dag_run_id"]: run for run in census.runs()}
    evaluations = census.evaluations()
    assert {run["state"] for run in runs.values()} == {"success"}, census.states()
    assert len(census.runs("backfill")) == DAYS
    assert evaluations.keys() == {one.id for day in put.values() for one in day}
    for created_at, of_one_moment in put.items():
        for one in of_one_moment:
            assert_judged_by_its_run(runs[evaluations[one.id]["run_id"]], created_at)
    judged_by = Counter(evaluation["run_id"] for evaluation in evaluations.values())
    for run_id in runs:
        assert census.xcom(run_id, "settle")["outcomes"].get("evaluated", 0) == judged_by[run_id]
    # The cleared run has its snapshot, and makes another one only of what it has judged itself.
    exports = 1 + (scheduled["dag_run_id"] in judged_by)
    assert census.work() - before == Counter(calls=len(evaluations), writes=len(evaluations), exports=exports)
    assert {"backfill", "manual"} <= {runs[run_id]["run_type"] for run_id in judged_by}
    snapshots = [census.xcom(run_id, "export") for run_id in (manual, scheduled["dag_run_id"])]
    assert census.published() == max(snapshots, key=lambda snapshot: snapshot["export_time"])["export_id"]


def assert_judged_by_its_run(run: dict[str, Any], created_at: datetime) -> None:
    if run["run_type"] == "backfill":
        assert _time(run, "data_interval_start") <= created_at < _time(run, "data_interval_end")
    elif run["run_type"] == "scheduled":
        assert created_at < _time(run, "data_interval_end")


def test_a_day_whose_conversations_were_deleted_before_its_run_ends_well(census: CensusInAirflow, days: list[datetime]):
    [run] = [run for run in census.runs("backfill") if _time(run, "data_interval_start") == days[1]]

    assert run["state"] == "success"
    assert census.xcom(run["dag_run_id"], "settle")["read"] == 0


def test_a_grid_tells_what_each_run_did(census: CensusInAirflow):
    for run in census.runs("backfill"):
        states = {task["task_id"]: task["state"] for task in census.tasks(run["dag_run_id"])}
        [segment] = [task for task in census.tasks(run["dag_run_id"]) if task["task_id"] == "classify"]

        judging = {"plan", "submit", "wait", "classify", "settle"}
        assert {name for name, state in states.items() if state == "success"} == judging
        assert {state for name, state in states.items() if name not in judging} == {"skipped"}
        assert segment["rendered_map_index"].startswith("segment 1/1")
        assert "publishes nothing" in census.log(run["dag_run_id"], "export")


@pytest.mark.parametrize("task_id", ONE_BY_ONE)
def test_clearing_a_task_of_a_finished_run_costs_nothing_and_changes_nothing(census: CensusInAirflow, task_id: str):
    [run] = census.runs("manual")
    before, published = census.work(), census.published()
    tries = _tries(census, run["dag_run_id"])

    census.clear(run["dag_run_id"], task_id)
    census.wait_for_runs([run["dag_run_id"]])

    assert {task["state"] for task in census.tasks(run["dag_run_id"])} == {"success"}
    assert _tries(census, run["dag_run_id"]) - tries == Counter({(task_id, 0 if task_id == "classify" else -1): 1})
    assert census.work() == before
    assert census.published() == published


def test_of_a_run_with_a_failed_segment_only_that_segment_runs_again(census: CensusInAirflow, days: list[datetime]):
    text = "Which way does an albatross fly?"
    albatross = {"id": "albatross", "turns": [{"role": "user", "content": text}], "created_at": days[0].isoformat()}
    census.put([*conversations("beside", days[0]), Conversation.model_validate(albatross, strict=False)])
    census.break_calls_about("albatross")
    in_three = -(-len(census.evaluations()) // 3)

    run_id = census.trigger(publish=False, conversations_per_segment=in_three)
    census.wait_for_runs([run_id])
    segments = {task["map_index"]: task["state"] for task in census.tasks(run_id) if task["task_id"] == "classify"}
    [failed] = [index for index, state in segments.items() if state != "success"]
    complaints = census.log(run_id, "classify", map_index=failed), census.log(run_id, "settle")
    pending = [one for one, evaluation in census.evaluations().items() if not evaluation]
    tries, before = _tries(census, run_id), census.work()
    census.break_calls_about(None)
    census.clear(run_id, ("classify", failed), is_downstream_too=True)
    census.wait_for_runs([run_id])

    assert (len(segments), segments[failed]) == (3, "failed")
    assert "bedrock:InvokeModel" in complaints[0]
    assert "2 of 3 segments ended well: clear the failed classify tasks only" in complaints[1]
    assert "albatross" in pending
    assert census.work() - before == Counter(calls=len(pending), writes=len(pending))
    assert {task["state"] for task in census.tasks(run_id)} == {"success", "skipped"}
    again = _tries(census, run_id) - tries
    assert {name for name in again if name[0] in {"plan", "classify", "settle"}} == {
        ("classify", failed),
        ("settle", -1),
    }
    assert census.xcom(run_id, "settle")["read"] == len(census.evaluations())


def test_a_backfill_that_is_paused_in_the_middle_ends_what_runs_and_goes_on_later(
    census: CensusInAirflow, days: list[datetime]
):
    newest, *_, oldest = days[DAYS : DAYS + 3]
    known = {run["dag_run_id"] for run in census.runs()}
    census.put(one for day in days[DAYS : DAYS + 3] for one in conversations(f"of-{day:%Y-%m-%d}", day))

    def of_the_backfill(*states: str | None) -> dict[tuple[str, str], str]:
        runs = {run["dag_run_id"] for run in census.runs()} - known
        tasks = {(run_id, task["task_id"]): task["state"] for run_id in runs for task in census.tasks(run_id)}
        return {name: state for name, state in tasks.items() if not states or state in states}

    census.backfill(oldest, newest, max_active_runs=1, publish=False)
    census.wait(lambda: bool(of_the_backfill("success")), "a first task")
    census.pause(is_paused=True)
    census.wait(lambda: not of_the_backfill("running", "queued"), "what runs")
    paused = of_the_backfill()
    census.wait_for_the_scheduler()
    still_paused = of_the_backfill()
    census.pause(is_paused=False)
    census.wait_for_runs(run_id for run_id, _ in paused)

    assert still_paused == paused
    assert None in paused.values()
    assert set(paused.values()) <= {"success", "skipped", "scheduled", None}
    assert set(of_the_backfill().values()) == {"success", "skipped"}
    assert all(census.evaluations().values())


def test_a_table_that_was_emptied_is_published_as_empty(census: CensusInAirflow):
    census.delete(census.evaluations())

    run_id = census.trigger()
    census.wait_for_runs([run_id])

    assert {task["state"] for task in census.tasks(run_id)} == {"success"}
    assert census.published() == census.xcom(run_id, "export")["export_id"]
    assert census.xcom(run_id, "publish")["totals"]["conversations"] == 0


def _tries(census: CensusInAirflow, run_id: str) -> Counter[tuple[str, int]]:
    return Counter({(task["task_id"], task["map_index"]): task["try_number"] for task in census.tasks(run_id)})
