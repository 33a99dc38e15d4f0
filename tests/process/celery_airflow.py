"""An Airflow with two Celery workers, as on several machines: what both compose files start, watched and disturbed."""

import signal
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil

from demo.airflow_home import VARIABLES
from demo.early_imports import IMPORTED_EARLY
from demo.load import client
from local_aws import service_models
from tests.compose_files import BASE, CELERY, compose
from tests.process.census_in_airflow import DAG, CensusInAirflow
from tests.process.containers import Containers

WORKERS = ("airflow-worker-1", "airflow-worker-2")
TASKS_AT_ONCE = 2  # of each worker: both together the four of the DAG
LATENCY_S = 0.5
# Airflow's own folder `config`. Less work: the collector, a fifth of a start, looks less often, and a worker imports
# once for all the tasks that it forks. A name for each host, by which Airflow knows a worker: here all would have the
# same. Our containers of Airflow have no local_aws.
CONFIG = {
    "airflow_local_settings.py": "import gc\ngc.set_threshold(100_000, 50, 1_000)\n"
    + IMPORTED_EARLY.replace('"scheduler" in', '"worker" in').replace("local_aws.", "")
    + """
def hostname():
    return os.environ["HOSTNAME"]
""",
    "service_models.py": Path(service_models.__file__).read_text(),
}

# For a test, over what the files say; everything else is theirs.
ADDED = {
    "AIRFLOW__CORE__HOSTNAME_CALLABLE": "airflow_local_settings.hostname",
    "AIRFLOW__CELERY__WORKER_CONCURRENCY": str(TASKS_AT_ONCE),
    # Less to do: no process of its own for a message, none that cleans up what is not there, nothing parsed twice.
    "AIRFLOW__CELERY__SYNC_PARALLELISM": "1",
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.5",
    "AIRFLOW__DAG_PROCESSOR__STALE_BUNDLE_CLEANUP_INTERVAL": "0",
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3600",
    "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "3600",
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
    """What `docker compose -f … -f compose.celery.yaml up --scale airflow-worker=2` starts, without its containers."""

    def __init__(self, state: Path, data: Path) -> None:
        super().__init__(state)
        model = compose(BASE, CELERY, environment={"CHATCENSUS_DATA": str(data)})
        self.containers = Containers(state, model, {"airflow-worker": len(WORKERS)}, **ADDED)
        self.containers.arguments["aws"] = ["--latency", str(LATENCY_S)]
        for name in WORKERS:
            self.containers.arguments[name] = ["--celery-hostname", name]
        self.containers.config = CONFIG
        self.home = self.containers.volume("state")  # where the password of `admin` is
        self.url = f"http://127.0.0.1:{self.containers.api_port}"
        self.endpoint_url = f"http://127.0.0.1:{self.containers.aws_port}"

    def start_all(self) -> None:
        """Start everything, and return when all is healthy and the DAG is there."""
        self.containers.up()
        self.wait(lambda: self.api.get(DAG) is not None, "the DAG")
        # Its first answer to a task takes 4 s of a core, in which it gives no other; not in the middle of a run.
        self.wait(lambda: self.api.get("/execution/health") is not None, "the API of the tasks")

    def freeze(self, worker: str) -> None:
        """Let a worker stand still, with all that it has started."""
        self._signal(worker, signal.SIGSTOP)

    def thaw(self, worker: str) -> None:
        """Let it go on."""
        self._signal(worker, signal.SIGCONT)

    def kill(self, worker: str) -> None:
        """Let the machine of a worker disappear: SIGKILL to it and to all that it has started."""
        self._signal(worker, signal.SIGKILL)

    def _signal(self, worker: str, number: signal.Signals) -> None:
        for member in self.containers.started[worker].family():
            member.send_signal(number)

    def family(self) -> list[psutil.Process]:
        """Return every process that runs now because of the start."""
        return [member for process in self.containers.started.values() for member in process.family()]

    def left(self) -> list[str]:
        """Return the names of processes that still run and belong to this Airflow."""
        state = str(self.state)
        return [
            process.info["name"]
            for process in psutil.process_iter(["name", "environ", "cmdline"])
            if (process.info["environ"] or {}).get("AIRFLOW_HOME", "").startswith(state)
            or state in " ".join(process.info["cmdline"] or ())
        ]

    def segments(self, run_id: str) -> list[dict[str, Any]]:
        """Return the classify tasks, each with the `hostname` of the worker of its last try."""
        tasks = self.api.get(f"{DAG}/dagRuns/{quote(run_id)}/taskInstances/classify/listMapped?limit=100")
        return [task for task in tasks["task_instances"] if task["map_index"] >= 0] if tasks else []

    def tally(self, run_id: str, map_index: int) -> dict[str, Any]:
        """Return what the task of one segment returned."""
        entry = f"{DAG}/dagRuns/{quote(run_id)}/taskInstances/classify/xcomEntries/return_value"
        return self.api.get(f"{entry}?map_index={map_index}&deserialize=true")["value"]

    @cached_property
    def _dynamodb(self) -> Any:
        return client("dynamodb", self.endpoint_url)

    def cut(self, map_index: int, segments: int) -> Cut:
        """Return what the table holds of one segment at this moment."""
        items = self._dynamodb.scan(
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
