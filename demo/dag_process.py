"""
The child process in which demo/progress.py runs DAGs: requests on standard input, events on the pipe it was given.

It is `dag.test()`, so one process and no scheduler: mapped tasks run one after the other and triggers run inline.
"""

import json
import logging
import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from demo.airflow_home import migrate_here
from local_aws.service_models import read_service_models_once

Emit = Callable[[dict[str, Any]], None]


def main(events_fd: int) -> None:
    """Get Airflow ready, then run what is asked for until standard input closes."""
    requests = _requests()
    events = os.fdopen(events_fd, "w")

    writing = threading.Lock()  # the library logs from many threads

    def emit(event: dict[str, Any]) -> None:
        with writing:
            print(json.dumps(event), file=events, flush=True)

    read_service_models_once()
    _check_schemas_of_params_once()
    migrate_here()
    _listen(emit)
    _forget_old_versions_of_the_api()
    _warm_up()
    while True:
        request = requests.get()
        try:
            emit({"run_state": _run(**request)})
        except DagMissing as error:
            emit({"error": str(error)})


class DagMissing(LookupError):
    """The DAG is not in the DAG folder, or its file does not import."""


def _requests() -> "queue.Queue[dict[str, Any]]":
    waiting: queue.Queue[dict[str, Any]] = queue.Queue()

    def read() -> None:
        for line in sys.stdin:
            waiting.put(json.loads(line))
        # The parent is done or dead. A normal exit would take 2 s to take Airflow apart; nothing here needs it.
        sys.stdout.flush()
        os._exit(0)

    threading.Thread(target=read, name="requests", daemon=True).start()
    return waiting


def _run(dag_id: str, conf: dict[str, Any], run_id: str) -> str:
    from airflow.models.dagrun import DagRun

    dag = _dag(dag_id)
    for task in dag.tasks:
        task.retry_delay = timedelta(seconds=1)  # nobody waits five minutes at a terminal
    # dag.test() draws a run id of its own (3.3.1); the caller wants to know it before the run.
    DagRun.generate_run_id = staticmethod(lambda **_: run_id)
    return str(dag.test(logical_date=None, run_conf=conf).state)


def _dag(dag_id: str) -> Any:
    from airflow.dag_processing.dagbag import BundleDagBag

    # dag.test() wants the DAG to lie in the configured folder, else it is "not serialized".
    folder = os.environ["AIRFLOW__CORE__DAGS_FOLDER"]
    bag = BundleDagBag(folder, bundle_path=Path(folder), bundle_name="dags-folder")
    if dag_id in bag.dags:
        return bag.dags[dag_id]
    causes = "; ".join(f"{path}: {trace.strip().splitlines()[-1]}" for path, trace in bag.import_errors.items())
    raise DagMissing(f"No DAG {dag_id!r} in {folder}, only {sorted(bag.dags)}. {causes or 'No import error.'}")


def _listen(emit: Emit) -> None:
    from airflow.listeners import hookimpl
    from airflow.sdk.listener import get_listener_manager

    watch = TaskWatch(emit)

    class Listener:
        @hookimpl
        def on_task_instance_running(self, task_instance: Any) -> None:
            watch.started(task_instance)

        @hookimpl
        def on_task_instance_success(self, task_instance: Any) -> None:
            watch.ended(task_instance, "success")

        @hookimpl
        def on_task_instance_skipped(self, task_instance: Any) -> None:
            watch.ended(task_instance, "skipped")

        @hookimpl
        def on_task_instance_failed(self, task_instance: Any, error: Any) -> None:
            watch.ended(task_instance, task_instance.state.value, type(error).__name__)

    get_listener_manager().add_listener(Listener())
    logging.getLogger("chatcensus").addHandler(watch)


class TaskWatch(logging.Handler):
    """Turns what tasks do and what our library logs into events."""

    def __init__(self, emit: Emit) -> None:
        super().__init__(logging.INFO)
        self._send = emit
        self._since: dict[tuple[str, int], float] = {}
        self._current: tuple[str, int] | None = None

    def started(self, task_instance: Any) -> None:
        """Note a start; a deferred task that comes back is still the same task."""
        key = self._current = _key(task_instance)
        if key not in self._since:
            self._since[key] = time.monotonic()
            self._event(key, "started", task_instance.rendered_map_index)

    def ended(self, task_instance: Any, state: str, note: str = "") -> None:
        """Note an end of this try."""
        key = _key(task_instance)
        self._event(key, state, task_instance.rendered_map_index, note)
        self._since.pop(key, None)

    def emit(self, record: logging.LogRecord) -> None:
        """Pass on a log line of our library as progress of the running task."""
        if self._current in self._since:
            self._event(self._current, "progress", None, record.getMessage())

    def _event(self, key: tuple[str, int], state: str, label: str | None, note: str = "") -> None:
        task_id, map_index = key
        seconds = time.monotonic() - self._since.get(key, time.monotonic())
        self._send(
            {
                "task_id": task_id,
                "map_index": map_index,
                "label": label or "",
                "state": state,
                "seconds": seconds,
                "note": note,
            }
        )


def _key(task_instance: Any) -> tuple[str, int]:
    index = task_instance.map_index
    return task_instance.task_id, -1 if index is None else index


def _check_schemas_of_params_once() -> None:
    from jsonschema import Draft202012Validator

    # Airflow shows each task all Params, and jsonschema checks their schemas anew each time: a sixth of a run's time.
    check, good = Draft202012Validator.check_schema, set[str]()

    def check_once(schema: Any) -> None:
        text = json.dumps(schema, sort_keys=True)
        if text not in good:
            check(schema)
            good.add(text)

    Draft202012Validator.check_schema = check_once


def _forget_old_versions_of_the_api() -> None:
    from airflow.api_fastapi.execution_api import versions
    from airflow.api_fastapi.execution_api.routes import execution_api_router
    from cadwyn import HeadVersion, Version, VersionBundle

    # Our tasks ask for the newest version alone, and building the routes of all nine takes half of Airflow's start.
    versions.bundle = VersionBundle(HeadVersion(), Version(versions.bundle.versions[0].value))
    execution_api_router.routes[:] = [
        route for route in execution_api_router.routes if "_CADWYN_DELETED_ROUTE" not in getattr(route, "tags", ())
    ]


def _warm_up() -> None:
    import httpx
    from airflow.sdk.execution_time.supervisor import in_process_api_server

    # The first request builds the routes, a second that would else fall into the first task.
    with httpx.Client(transport=in_process_api_server().transport, base_url="http://in-process.invalid") as client:
        client.get("/health")


if __name__ == "__main__":
    main(int(sys.argv[1]))
