"""A whole Airflow for a test module: scheduler, PostgreSQL and local AWS on loopback, all of it ended at the end."""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import Request, urlopen

from boto3.dynamodb.types import TypeDeserializer

from demo.__main__ import NO_QUOTA
from demo.airflow_api import AirflowApi
from demo.airflow_home import VARIABLES, admin_password
from demo.load import Conversation, client, load_conversations
from demo.up import DAG_ID, DAGS, Up, end_in_order, free_port
from local_aws.bedrock.faults import Fault

PATIENCE_S = 300
DAG = f"/api/v2/dags/{DAG_ID}"
ENDED = {"success", "failed"}

FASTER = {
    # A run starts when the test wants it; the scheduled one, when the DAG is unpaused.
    "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True",
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3600",
    "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "3600",
}


class CensusInAirflow(Up):
    """What `make up` starts, with a schedule, with an empty table and a model that answers at once."""

    def __init__(self, state: Path) -> None:
        super().__init__(state, free_port(), DAGS, is_scheduled=True)
        self.endpoint_url = ""
        self.cpu_s = 0.0

    def _environment(self, endpoint_url: str, database_url: str | None) -> dict[str, str]:
        assert database_url, "these tests need PostgreSQL: SQLite locks under a backfill"
        self.endpoint_url = endpoint_url
        return super()._environment(endpoint_url, database_url) | FASTER

    def _seed(self, endpoint_url: str, environment: dict[str, str]) -> None:  # noqa: ARG002 - as Up calls it
        load_conversations(endpoint_url, [])

    def _start(self, name: str, command: list[str], environment: dict[str, str]) -> None:
        super()._start(name, [*command, "--latency", "0"] if name == "local-aws" else command, environment)

    def end(self) -> None:
        """End everything; afterwards `cpu_s` says what it took."""
        for process in self.register.read():
            for member in process.family():
                self.cpu_s += sum(member.cpu_times()[:4])  # its own and of its children that have ended
        end_in_order(self.register)

    # Airflow, as its UI and REST API show it.

    @property
    def api(self) -> AirflowApi:
        if not hasattr(self, "_api"):
            self._api = AirflowApi(self.url, admin_password(self.home))
        return self._api

    def pause(self, *, is_paused: bool) -> None:
        """Move the switch beside the DAG's name."""
        self.api.patch(DAG, {"is_paused": is_paused})

    def trigger(self, **conf: Any) -> str:
        """Start a run as REST, CLI and the UI's button without a date do, and return its id."""
        return self.api.post(f"{DAG}/dagRuns", {"logical_date": None, "conf": NO_QUOTA | conf})["dag_run_id"]

    def backfill(self, first: datetime, last: datetime, max_active_runs: int, **conf: Any) -> int:
        """Start a backfill of the intervals that begin from *first* to *last*, and return its id."""
        self.wait(self._has_no_backfill, "the end of the backfill before")  # one at a time; marked every half minute
        body = {
            "dag_id": DAG_ID,
            "from_date": first.isoformat(),
            "to_date": last.isoformat(),
            "max_active_runs": max_active_runs,
            "dag_run_conf": NO_QUOTA | conf,
        }
        return self.api.post("/api/v2/backfills", body)["id"]

    def _has_no_backfill(self) -> bool:
        backfills = self.api.get(f"/api/v2/backfills?dag_id={DAG_ID}")["backfills"]
        return all(backfill["completed_at"] for backfill in backfills)

    def runs(self, run_type: str | None = None) -> list[dict[str, Any]]:
        """Return all runs, or those of one type."""
        runs = self.api.get(f"{DAG}/dagRuns?limit=100")["dag_runs"]
        return [run for run in runs if run_type in {run["run_type"], None}]

    def tasks(self, run_id: str) -> list[dict[str, Any]]:
        """Return the task instances of a run."""
        return self.api.get(f"{DAG}/dagRuns/{quote(run_id)}/taskInstances?limit=100")["task_instances"]

    def xcom(self, run_id: str, task_id: str) -> Any:
        """Return what *task_id* returned."""
        entry = f"{DAG}/dagRuns/{quote(run_id)}/taskInstances/{task_id}/xcomEntries/return_value?deserialize=true"
        return self.api.get(entry)["value"]

    def log(self, run_id: str, task_id: str, try_number: int = 1, map_index: int = -1) -> str:
        """Return the log of one try, with the messages of its errors."""
        path = f"{DAG}/dagRuns/{quote(run_id)}/taskInstances/{task_id}/logs/{try_number}?map_index={map_index}"
        lines = self.api.get(path)["content"]
        errors = [error["exc_value"] for line in lines for error in line.get("error_detail") or []]
        return "\n".join([*(line["event"] for line in lines), *errors])

    def clear(self, run_id: str, *tasks: str | tuple[str, int], is_downstream_too: bool = False) -> None:
        """Clear *tasks* of a run, as its page does; without tasks, all of them."""
        body = {
            "dag_run_id": run_id,
            "task_ids": [list(task) if isinstance(task, tuple) else task for task in tasks] or None,
            "include_downstream": is_downstream_too,
            "only_failed": False,
            "dry_run": False,
            "reset_dag_runs": True,
        }
        self.api.post(f"{DAG}/clearTaskInstances", body)

    def wait_for_runs(self, run_ids: Iterable[str]) -> None:
        """Return when they have ended, well or not."""
        wanted = set(run_ids)
        self.wait(lambda: all(run["state"] in ENDED for run in self.runs() if run["dag_run_id"] in wanted), "runs")

    def wait_for_the_scheduler(self) -> None:
        """Return when it has gone round twice more."""
        for _ in range(2):
            last = self._heartbeat()
            self.wait(lambda last=last: self._heartbeat() != last, "the scheduler")

    def _heartbeat(self) -> str:
        return self.api.get("/api/v2/monitor/health")["scheduler"]["latest_scheduler_heartbeat"]

    def wait(self, is_so: Callable[[], bool], what: str) -> None:
        """Return when *is_so*; fail with what the grid shows when it never is."""
        deadline, tick = time.monotonic() + PATIENCE_S, threading.Event()
        while not is_so():
            assert time.monotonic() < deadline, f"still waiting for {what} after {PATIENCE_S} s: {self.states()}"
            tick.wait(0.5)

    def states(self) -> dict[str, Any]:
        """What the UI's grid shows: of each run, its state and the tasks that did not end well."""
        return {
            run["dag_run_id"]: (
                run["state"],
                {
                    task["task_id"]: task["state"]
                    for task in self.tasks(run["dag_run_id"])
                    if task["state"] != "success"
                },
            )
            for run in self.runs()
        }

    # The local AWS.

    def put(self, conversations: Iterable[Conversation]) -> None:
        """Write conversations as the chat tool does."""
        load_conversations(self.endpoint_url, conversations)

    def delete(self, conversation_ids: Iterable[str]) -> None:
        """Delete them as the chat tool does."""
        table = client("dynamodb", self.endpoint_url)
        for conversation_id in conversation_ids:
            key = {"conversation_id": {"S": conversation_id}}
            table.delete_item(TableName=VARIABLES["chatcensus_table"], Key=key)

    def evaluations(self) -> dict[str, dict[str, Any]]:
        """Return the evaluation of each conversation in the table."""
        read = TypeDeserializer().deserialize
        items = client("dynamodb", self.endpoint_url).scan(TableName=VARIABLES["chatcensus_table"])["Items"]
        return {item["conversation_id"]["S"]: read(item.get("evaluation", {"NULL": True})) or {} for item in items}

    def break_calls_about(self, text: str | None) -> None:
        """Let the model deny access to whoever sends *text*; None: to nobody."""
        rules = [{"fault": Fault.ACCESS_DENIED, "match": text}] if text else []
        body = json.dumps({"rules": rules}).encode()
        with urlopen(Request(f"{self.endpoint_url}/_local/faults", body, method="PUT")):
            pass

    def work(self) -> Counter[str]:
        """Return what was asked of AWS so far and costs money or changes something."""
        stats = AirflowApi(self.endpoint_url).get("/_local/stats")
        return Counter(
            calls=stats["converse_calls"],
            writes=stats["dynamodb_writes"].get(VARIABLES["chatcensus_table"], 0),
            exports=stats["exports"],
        )

    def published(self) -> str:
        """Return the id of the snapshot that readers see, of which catalog and `current.json` tell the same."""
        glue, bucket = client("glue", self.endpoint_url), VARIABLES["chatcensus_result_bucket"]
        table = glue.get_table(DatabaseName=VARIABLES["chatcensus_database"], Name="published")["Table"]
        body = client("s3", self.endpoint_url).get_object(Bucket=bucket, Key="current.json")["Body"].read()
        assert json.loads(body)["edition"] == table["Parameters"]["edition"]
        return str(table["Parameters"]["export_id"])
