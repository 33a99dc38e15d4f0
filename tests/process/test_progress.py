"""A DAG runs in an Airflow of its own process, and the caller hears of every step."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from demo.airflow_home import REPOSITORY, VARIABLES, airflow_environment
from demo.processes import started_at
from demo.progress import AirflowStopped, LocalAirflow, Step, local_airflow

DAGS = '''
"""Two small DAGs."""
import logging

from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger
from airflow.sdk import BaseOperator, Variable, dag, get_current_context, task


class Waiting(BaseOperator):
    def execute(self, context):
        from datetime import timedelta

        self.defer(trigger=TimeDeltaTrigger(timedelta(seconds=0)), method_name="done")

    def done(self, context, event=None):
        pass


@dag(schedule=None)
def good():
    @task
    def plan():
        return [1, 2]

    @task(map_index_template="{{ name }}")
    def classify(segment):
        context = get_current_context()
        context["name"] = f"segment {segment}/2"
        logging.getLogger("chatcensus.trial").info(
            "%s of %s in run %s", segment, Variable.get("chatcensus_table"), context["run_id"]
        )

    classify.expand(segment=plan()) >> Waiting(task_id="export")


@dag(schedule=None)
def bad():
    @task(retries=1)
    def publish():
        raise ValueError("the words of a conversation")

    publish()


good()
bad()
'''


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAirflow]:
    home = tmp_path_factory.mktemp("airflow")
    (home / "dags").mkdir()
    (home / "dags" / "trial.py").write_text(DAGS)
    environment = airflow_environment(home, "http://127.0.0.1:9", VARIABLES)
    with local_airflow({**environment, "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags")}, home / "log") as airflow:
        yield airflow


@pytest.mark.airflow
def test_every_step_of_a_run_is_told(airflow: LocalAirflow) -> None:
    steps: list[Step] = []

    state = airflow.run_dag("good", {}, "run-1", steps.append)

    assert state == "success"
    told = [(step.task_id, step.state) for step in steps]
    assert told[:2] == [("plan", "started"), ("plan", "success")]
    assert told[2:8] == [("classify", "started"), ("classify", "progress"), ("classify", "success")] * 2
    assert told[8:] == [("export", "started"), ("export", "success")]
    ended = [step for step in steps if step.task_id == "classify" and step.state == "success"]
    assert {step.label for step in ended} == {"segment 1/2", "segment 2/2"}
    notes = {step.note for step in steps if step.state == "progress"}
    assert notes == {f"{segment} of chat-conversations in run run-1" for segment in (1, 2)}


@pytest.mark.airflow
def test_a_failed_run_names_the_error_and_never_quotes_it(airflow: LocalAirflow) -> None:
    steps: list[Step] = []

    state = airflow.run_dag("bad", {}, "run-2", steps.append)

    assert state == "failed"
    assert [step.state for step in steps] == ["started", "up_for_retry", "started", "failed"]
    assert steps[-1].note == "ValueError"


@pytest.mark.airflow
def test_a_dag_that_does_not_exist_is_a_clear_error(airflow: LocalAirflow) -> None:
    with pytest.raises(AirflowStopped, match=r"No DAG 'missing' in .*only \['bad', 'good'\]"):
        airflow.run_dag("missing", {}, "run-3", print)


@pytest.mark.airflow
def test_airflow_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    code = f"""
import time
from pathlib import Path
from demo.airflow_home import VARIABLES, airflow_environment
from demo.progress import LocalAirflow
home = Path({str(tmp_path)!r})
print(LocalAirflow(airflow_environment(home, "http://127.0.0.1:9", VARIABLES), home / "log").pid, flush=True)
time.sleep(60)
"""
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    child = psutil.Process(int(parent.stdout.readline()))

    os.kill(parent.pid, signal.SIGKILL)
    parent.communicate()
    psutil.wait_procs([child], timeout=20)

    assert started_at(child.pid) is None
