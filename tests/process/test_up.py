"""`make up` and `make down`, for real: an Airflow is started, runs the DAG, and nothing of it is left."""

import argparse
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from demo.__main__ import NO_QUOTA
from demo.airflow_api import AirflowApi
from demo.airflow_home import REPOSITORY, admin_password
from demo.generator import shipped_conversations
from demo.processes import Register
from demo.up import AIRFLOW_PROCESSES, DAG_ID, NotStarted, free_port, port_number, up

RUN_PATIENCE_S = 240
STARTED = {*AIRFLOW_PROCESSES, "postgres", "local-aws"}


class Launcher:
    """The two commands, with a state folder of their own."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.port = free_port()

    def up(self) -> str:
        return self._run("demo.up", "--port", str(self.port))

    def down(self) -> str:
        return self._run("demo.down")

    def api(self) -> AirflowApi:
        return AirflowApi(f"http://127.0.0.1:{self.port}", admin_password(self.state / "airflow"))

    def family(self) -> list[psutil.Process]:
        """Everything that runs now because of `up`: what it started and their children."""
        return [member for process in Register(self.state / "running.json").read() for member in process.family()]

    def _run(self, module: str, *options: str) -> str:
        command = [sys.executable, "-m", module, "--state", str(self.state), *options]
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture
def launcher(tmp_path: Path) -> Iterator[Launcher]:
    launcher = Launcher(tmp_path / "up")
    yield launcher
    launcher.down()


@pytest.mark.airflow
def test_up_runs_the_dag_in_a_real_airflow_and_down_leaves_nothing(launcher: Launcher) -> None:
    said = launcher.up()

    assert f"http://127.0.0.1:{launcher.port}" in said
    assert admin_password(launcher.state / "airflow") in said
    assert "already running" in launcher.up()
    family = launcher.family()
    assert _listening_addresses(family) == {"127.0.0.1"}

    run = _run_dag(launcher.api())

    assert run["states"] == {"success"}, run["tasks"]
    assert [name.partition(" (")[0] for name in run["segments"]] == ["segment 1/1"]
    assert run["runs"] == 1, "a run started that nobody asked for"
    assert max(len(text) for text in run["rendered"]) > 4096, "the UI shows the prompt cut"
    assert not any("Truncated" in text for text in run["rendered"])
    assert _conversation_text_in(launcher.state, run["rendered"]) == []

    family += launcher.family()
    ended = launcher.down()

    assert all(name in ended for name in STARTED)
    assert not [process for process in family if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
    assert not _mentioned_in_command_lines(launcher.state)
    assert "Nothing was running" in launcher.down()


def test_a_taken_port_is_a_clear_error_and_starts_nothing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        with pytest.raises(NotStarted, match=f"Port {port} on 127.0.0.1 is taken"):
            up(tmp_path / "up", port)

    assert Register(tmp_path / "up" / "running.json").read() == []


@pytest.mark.parametrize("text", ["0", "-1", "65536", "99999"])
def test_a_port_that_is_none_is_a_clear_error(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=f"{text} is not a port, which is 1 to 65535"):
        port_number(text)


def _run_dag(api: AirflowApi) -> dict[str, Any]:
    """Trigger the DAG as the UI's button does without a date, and return what the UI would show of the run."""
    runs = f"/api/v2/dags/{DAG_ID}/dagRuns"
    run_id = api.post(runs, {"logical_date": None, "conf": NO_QUOTA})["dag_run_id"]
    deadline = time.monotonic() + RUN_PATIENCE_S
    tick = threading.Event()
    while api.get(f"{runs}/{run_id}")["state"] in {"queued", "running"} and time.monotonic() < deadline:
        tick.wait(1)
    tasks = api.get(f"{runs}/{run_id}/taskInstances")["task_instances"]
    return {
        "states": {task["state"] for task in tasks},
        "tasks": {task["task_id"]: task["state"] for task in tasks},
        "segments": [task["rendered_map_index"] for task in tasks if task["task_id"] == "classify"],
        "rendered": [str(value) for task in tasks for value in task["rendered_fields"].values()],
        "runs": api.get(runs)["total_entries"],
    }


def _conversation_text_in(state: Path, rendered: list[str]) -> list[str]:
    """Return where the sample conversations' own words stand: in which log files and rendered fields."""
    written = [
        turn["content"] for line in shipped_conversations() for turn in line["turns"] if len(turn["content"]) > 60
    ]
    words = [text[:60] for text in written]
    logs = {str(path): path.read_text(errors="replace") for path in state.rglob("*.log")}
    assert len(logs) > 10, "the logs are somewhere else"
    texts = logs | {f"rendered field {number}": text for number, text in enumerate(rendered)}
    return [name for name, text in texts.items() if any(word in text for word in words)]


def _listening_addresses(processes: list[psutil.Process]) -> set[str]:
    return {
        connection.laddr.ip
        for process in processes
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }


def _mentioned_in_command_lines(state: Path) -> list[str]:
    lines = []
    for process in psutil.process_iter(["pid", "cmdline"]):
        line = " ".join(process.info["cmdline"] or [])
        if str(state) in line and process.info["pid"] != os.getpid():
            lines.append(line)
    return lines
