"""
Runs a DAG of ours in a real Airflow and tells the caller about each step while it runs.

Airflow lives in a child process (demo/dag_process.py): its logs go to a file and never to the terminal, its environment
is set before its first import, and it starts while the local AWS is still being filled. The child ends with its parent,
however the parent ends: it exits when its standard input closes.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.airflow_home import REPOSITORY, process_environment

END_PATIENCE_S = 5


@dataclass(frozen=True)
class Step:
    """
    One thing that happened in a task.

    *state* is `started`, `progress` (*note* is a log line of ours: ids and counts), `success`, `failed`, `skipped`
    or `up_for_retry` (*note* is the error's name). *label* is the rendered map index, known when a mapped task ends.
    """

    task_id: str
    map_index: int
    label: str
    state: str
    seconds: float
    note: str = ""


class AirflowStopped(RuntimeError):
    """Airflow could not do what it was asked to; the message names the log file."""


class LocalAirflow:
    """A child process with Airflow in it, getting ready from the moment it is made."""

    def __init__(self, environment: dict[str, str], log_file: Path) -> None:
        log_file.parent.mkdir(parents=True, exist_ok=True)
        self.log_file = log_file
        read_end, write_end = os.pipe()
        with log_file.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "demo.dag_process", str(write_end)],
                env=process_environment(environment),
                cwd=REPOSITORY,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=[write_end],
                start_new_session=True,  # Ctrl-C is for the parent, which then ends the child
                text=True,
            )
        os.close(write_end)
        self._events = os.fdopen(read_end)

    @property
    def pid(self) -> int:
        """The process id, for whoever measures memory or kills it on purpose."""
        return self._process.pid

    def run_dag(self, dag_id: str, conf: dict[str, Any], run_id: str, on_step: Callable[[Step], None]) -> str:
        """
        Run the DAG once, without a logical date as a trigger from the UI does, and return the run's state.

        Raises: AirflowStopped when the DAG does not exist or does not import, or when Airflow itself ends.
        """
        self._send({"dag_id": dag_id, "conf": conf, "run_id": run_id})
        for line in self._events:
            event = json.loads(line)
            if "error" in event:
                raise AirflowStopped(f"{event['error']} (log: {self.log_file})")
            if "run_state" in event:
                return event["run_state"]
            on_step(Step(**event))
        raise AirflowStopped(f"Airflow ended in the middle of run {run_id!r}; its log is {self.log_file}.")

    def close(self) -> None:
        """End the child and wait for it."""
        if self._process.stdin and not self._process.stdin.closed:
            self._process.stdin.close()
        try:
            self._process.wait(END_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._events.close()

    def kill(self) -> None:
        """End the child at once, because what it needs is gone."""
        if self._process.poll() is None:
            self._process.kill()

    def _send(self, request: dict[str, Any]) -> None:
        assert self._process.stdin is not None  # noqa: S101 - opened as a pipe above
        try:
            print(json.dumps(request), file=self._process.stdin, flush=True)
        except BrokenPipeError:
            raise AirflowStopped(f"Airflow did not start; its log is {self.log_file}.") from None


@contextmanager
def local_airflow(environment: dict[str, str], log_file: Path) -> Iterator[LocalAirflow]:
    """Start Airflow in the background and end it on the way out."""
    airflow = LocalAirflow(environment, log_file)
    try:
        yield airflow
    finally:
        airflow.close()


def run_dag(
    dag_id: str,
    conf: dict[str, Any],
    run_id: str,
    on_step: Callable[[Step], None],
    *,
    environment: dict[str, str],
    log_file: Path,
) -> str:
    """Run one DAG in an Airflow started for it alone and return the run's state."""
    with local_airflow(environment, log_file) as airflow:
        return airflow.run_dag(dag_id, conf, run_id, on_step)
