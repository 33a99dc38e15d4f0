"""
What MWAA's containers do with our files, in a Python that has nothing of this repository: `mwaa_process.py FD DAG…`.

It loads the plugins, parses the DAG folder and runs each DAG once, and writes one JSON object a step to the pipe FD.
It is started as a file, so it may import nothing of ours but what was uploaded.
"""

import json
import os
import sys
import threading
import time
import traceback
from contextlib import contextmanager
from datetime import timedelta
from importlib import util
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OF_THE_REPOSITORY = ("demo", "local_aws", "deploy", "bench")
TOLD = ("apache-airflow", "apache-airflow-providers-amazon", "apache-airflow-providers-fab", "boto3", "pydantic")


class CheckFailed(Exception):
    """A step did not end well; the message says why."""


def main(pipe: int, dag_ids: list[str]) -> int:
    """Do the steps one after the other, and end at the first that fails."""
    dags: dict[str, Any] = {}
    steps: list[tuple[str, Callable[[], str]]] = [
        ("versions", _versions),
        ("isolation", _isolation),
        ("database", _database),
        ("plugin", _plugin),
        ("parse", lambda: _parse(dags)),
        *((f"run {dag_id}", lambda dag_id=dag_id: _run(dags, dag_id)) for dag_id in dag_ids),
    ]
    with os.fdopen(pipe, "w") as report:
        for name, step in steps:
            started, is_good = time.monotonic(), True
            try:
                note = step()
            except CheckFailed as error:
                is_good, note = False, str(error)
            except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a file does, the step says it
                traceback.print_exc()
                is_good, note = False, f"{type(error).__name__}: {error}"[:300]
            told = {"step": name, "seconds": time.monotonic() - started, "is_good": is_good, "note": note}
            print(json.dumps(told), file=report, flush=True)
            if not is_good:
                return 1
    return 0


def _versions() -> str:
    python = ".".join(map(str, sys.version_info[:3]))
    return ", ".join([f"Python {python}", *filter(None, map(_version, TOLD))])


def _version(name: str) -> str:
    try:
        return f"{name.removeprefix('apache-airflow-providers-')} {version(name)}"
    except PackageNotFoundError:
        return ""


def _isolation() -> str:
    found = [name for name in OF_THE_REPOSITORY if util.find_spec(name)]
    if found:
        raise CheckFailed(f"{', '.join(found)} can be imported: the check would not see what is missing on MWAA")
    return "nothing of the repository can be imported"


def _database() -> str:
    from airflow.utils.db import initdb

    initdb()
    return "created"


def _plugin() -> str:
    from airflow import plugins_manager

    told = {entry["name"]: entry for entry in plugins_manager.get_plugin_info()}  # makes the apps, as the web server
    apps, _ = plugins_manager.get_fastapi_plugins()
    errors = "; ".join(f"{source}: {error}" for source, error in plugins_manager.get_import_errors().items())
    if errors or "chatcensus" not in told:
        raise CheckFailed(errors or f"no plugin chatcensus, only {sorted(told)}")
    if "/chatcensus" not in [app["url_prefix"] for app in apps]:
        raise CheckFailed("the dashboard was not made; the log has the reason")
    import chatcensus

    folder = Path(os.environ["AIRFLOW__CORE__PLUGINS_FOLDER"]).resolve()
    place = Path(chatcensus.__file__).resolve()
    if not place.is_relative_to(folder):
        raise CheckFailed(f"chatcensus was imported from {place.parent}, not from {folder}")
    return f"the dashboard and {len(told['chatcensus']['external_views'])} views"


def _parse(dags: dict[str, Any]) -> str:
    from airflow.dag_processing.dagbag import BundleDagBag

    folder = Path(os.environ["AIRFLOW__CORE__DAGS_FOLDER"])
    bag = BundleDagBag(folder, bundle_path=folder, bundle_name="dags-folder")
    if bag.import_errors:
        # The last line of a trace names the error; the trace is in the log.
        causes = [f"{Path(path).name}: {trace.strip().splitlines()[-1]}" for path, trace in bag.import_errors.items()]
        raise CheckFailed("; ".join(causes))
    dags.update(bag.dags)
    return ", ".join(sorted(dags))


def _run(dags: dict[str, Any], dag_id: str) -> str:
    if dag_id not in dags:
        raise CheckFailed(f"there is no DAG {dag_id}, only {sorted(dags)}")
    dag = dags[dag_id]
    if _needs_a_triggerer(dag):
        return "parsed only: in Airflow 3.2 a person is asked through the triggerer, which is not here"
    for task in dag.tasks:
        task.retry_delay = timedelta(seconds=1)  # nobody waits five minutes at a terminal
    with _answering():
        run = dag.test(logical_date=None)
    if str(run.state) != "success":
        ended = [f"{task.task_id} {task.state}" for task in run.get_task_instances() if task.state != "success"]
        raise CheckFailed(f"the run ended {run.state}: {', '.join(ended) or 'no task'}")
    return "success"


def _needs_a_triggerer(dag: Any) -> bool:
    from airflow.providers.standard.operators.hitl import HITLOperator
    from airflow.utils.state import TaskInstanceState

    asks = any(isinstance(task, HITLOperator) for task in dag.tasks)
    return asks and not hasattr(TaskInstanceState, "AWAITING_INPUT")


@contextmanager
def _answering() -> "Iterator[None]":
    """Answer, while the block runs, whatever a DAG asks a person: the last option, which declines."""
    is_over = threading.Event()
    person = threading.Thread(target=_answer, args=(is_over,), daemon=True)
    person.start()
    try:
        yield
    finally:
        is_over.set()
        person.join()


def _answer(is_over: threading.Event) -> None:
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from airflow.api_fastapi.core_api.datamodels.hitl import UpdateHITLDetailPayload
    from airflow.api_fastapi.core_api.routes.public.hitl import update_hitl_detail
    from airflow.models.hitl import HITLDetail
    from airflow.utils.session import create_session
    from sqlalchemy import select

    user = SimpleAuthManagerUser(username="mwaa-check", role="admin")
    while not is_over.wait(1):
        with create_session() as session:
            for asked in session.scalars(select(HITLDetail).where(HITLDetail.responded_at.is_(None))).all():
                task = asked.task_instance
                if task.state == "awaiting_input":
                    said = UpdateHITLDetailPayload(chosen_options=[asked.options[-1]], params_input={})
                    update_hitl_detail(task.dag_id, task.run_id, task.task_id, said, user, session)


if __name__ == "__main__":
    code = main(int(sys.argv[1]), sys.argv[2:])
    sys.stdout.flush()
    os._exit(code)  # a normal exit takes 2 s to take Airflow apart
