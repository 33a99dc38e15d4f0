"""An Airflow with two Celery workers, as on several machines: a Redis of its own, and a name for each worker."""

import shutil
import signal
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import yaml

from demo.airflow_home import REPOSITORY, VARIABLES, process_environment
from demo.load import client
from demo.processes import end
from demo.up import Up, free_port
from tests.process.census_in_airflow import DAG, IMPORTED_EARLY, CensusInAirflow

WORKERS = ("worker-1", "worker-2")
TASKS_AT_ONCE = 2  # of each worker: both together the four of the DAG
LATENCY_S = 0.5
# A machine's name is what Airflow knows a worker by; here both would have the same.
NAMED_WORKERS = """
def hostname():
    return os.environ["WORKER_NAME"]
"""

COMPOSE = yaml.safe_load((REPOSITORY / "compose.celery.yaml").read_text())["x-celery"]
SETTINGS = {name: value for name, value in COMPOSE.items() if not name.endswith("BROKER_URL_CMD")} | {
    "AIRFLOW__CORE__HOSTNAME_CALLABLE": "airflow_local_settings.hostname",
    "AIRFLOW__CELERY__WORKER_CONCURRENCY": str(TASKS_AT_ONCE),
    # Less to do: no process of its own for a message, none that cleans up what is not there.
    "AIRFLOW__CELERY__SYNC_PARALLELISM": "1",
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.5",
    "AIRFLOW__DAG_PROCESSOR__STALE_BUNDLE_CLEANUP_INTERVAL": "0",
    # A lost worker is noticed after 15 s and its tasks go on after 2 s; Airflow's own waits are 5 minutes each.
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "15",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "1",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "2",
    "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "2",
}


@dataclass(frozen=True)
class Cut:
    """A segment when its worker was killed: how many of its conversations were judged, and how many were not."""

    judged: int
    pending: int


class CeleryAirflow(CensusInAirflow):
    """What `compose.celery.yaml` starts, without its containers and without a triggerer, since nothing is published."""

    def __init__(self, state: Path) -> None:
        super().__init__(state)
        self.is_scheduled = False  # the run that a test starts is the only one

    def start_all(self) -> None:
        """Start everything and return when both workers take tasks."""
        super().start_all()
        for name in WORKERS:
            command = ["-m", "airflow", "celery", "worker", "--skip-serve-logs", "--without-mingle", "--without-gossip"]
            environment = process_environment(self.environment | {"WORKER_NAME": name})
            self._start(name, [*command, "--celery-hostname", name], environment)
        for name in WORKERS:
            self._wait(lambda name=name: f"{name} ready." in self._log_file(name).read_text(), name)

    def _environment(self, endpoint_url: str, database_url: str | None) -> dict[str, str]:
        environment = super()._environment(endpoint_url, database_url)
        in_each = IMPORTED_EARLY.replace('if "scheduler" in', 'if "worker" in') + NAMED_WORKERS
        (self.home / "config" / "airflow_local_settings.py").write_text(in_each)
        port = free_port()
        self._start_redis(port)
        broker = {"AIRFLOW__CELERY__BROKER_URL": f"redis://127.0.0.1:{port}/0", "WORKER_NAME": "scheduler"}
        self.environment = environment | SETTINGS | broker
        return self.environment

    def _start_redis(self, port: int) -> None:
        assert shutil.which("redis-server"), "these tests need Redis: apt-get install redis-server"
        become = "import os, sys; os.execvp(sys.argv[1], sys.argv[1:])"
        server = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--dir", str(self.state), "--save", ""]
        Up._start(self, "redis", ["-c", become, *server], process_environment({}))

    def _start(self, name: str, command: list[str], environment: dict[str, str]) -> None:
        if name == "local-aws":
            Up._start(self, name, [*command, "--latency", str(LATENCY_S)], environment)
        elif name != "triggerer":
            super()._start(name, command, environment)

    def _is_healthy(self) -> bool:
        health = self.api.get("/api/v2/monitor/health") or {}
        return all(health.get(part, {}).get("status") == "healthy" for part in ("scheduler", "dag_processor"))

    def end(self) -> None:
        """End everything, the workers before their broker; afterwards `cpu_s` says what it took."""
        for worker in WORKERS:
            self.cpu_s += _cpu_s(self._family(worker))
        end([process for process in self.register.read() if process.name in WORKERS])
        super().end()

    def freeze(self, worker: str) -> None:
        """Let a worker stand still, with all that it has started."""
        self._signal(worker, signal.SIGSTOP)

    def thaw(self, worker: str) -> None:
        """Let it go on."""
        self._signal(worker, signal.SIGCONT)

    def kill(self, worker: str) -> None:
        """Let the machine of a worker disappear: SIGKILL to it and to all that it has started."""
        self.cpu_s += _cpu_s(self._family(worker))
        self._signal(worker, signal.SIGKILL)

    def _signal(self, worker: str, number: signal.Signals) -> None:
        for member in self._family(worker):
            member.send_signal(number)

    def _family(self, worker: str) -> list[psutil.Process]:
        return [member for process in self.register.read() if process.name == worker for member in process.family()]

    def left(self) -> list[str]:
        """Return the names of processes that still run and belong to this Airflow."""
        found = [process.info for process in psutil.process_iter(["name", "environ", "cmdline"])]
        state = str(self.state)
        return [
            info["name"]
            for info in found
            if (info["environ"] or {}).get("AIRFLOW_HOME") == str(self.home) or state in " ".join(info["cmdline"] or ())
        ]

    def segments(self, run_id: str) -> list[dict[str, Any]]:
        """Return the classify tasks, each with the `hostname` of the worker of its last try."""
        return [task for task in self.tasks(run_id) if task["task_id"] == "classify" and task["map_index"] >= 0]

    def tally(self, run_id: str, map_index: int) -> dict[str, Any]:
        """Return what the task of one segment returned."""
        entry = f"{DAG}/dagRuns/{quote(run_id)}/taskInstances/classify/xcomEntries/return_value"
        return self.api.get(f"{entry}?map_index={map_index}&deserialize=true")["value"]

    def cut(self, map_index: int, segments: int) -> Cut:
        """Return what the table holds of one segment at this moment."""
        items = client("dynamodb", self.endpoint_url).scan(
            TableName=VARIABLES["chatcensus_table"], Segment=map_index, TotalSegments=segments, ConsistentRead=True
        )["Items"]
        judged = sum("evaluation" in item for item in items)
        return Cut(judged, len(items) - judged)


def hosts(segments: Iterable[dict[str, Any]], *states: str) -> dict[str, set[int]]:
    """Return by worker the segments that it has in one of these states."""
    found: dict[str, set[int]] = {name: set() for name in WORKERS}
    for segment in segments:
        if segment["state"] in states:
            found[segment["hostname"]].add(segment["map_index"])
    return found


def _cpu_s(processes: list[psutil.Process]) -> float:
    return sum(sum(process.cpu_times()[:4]) for process in processes)  # its own and of its children that have ended
