"""A real Airflow API server with the plugin, beside the local AWS: started, logged in to, published for, ended."""

import json
import os
import sqlite3
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from chatcensus.aws.ledger import Ledger
from chatcensus.publication import compact_json
from demo.airflow_api import AirflowApi
from demo.airflow_home import VARIABLES, airflow_environment
from demo.up import DAG_ID, free_port
from local_aws.server import LocalAws
from local_aws.settings import Settings
from tests.conftest import REGION, LocalAwsForTests
from tests.server_process import started

if TYPE_CHECKING:
    import subprocess

PATIENCE_S = 240  # a start takes 15 s on an idle machine
READER, PASSWORDS = "reader", {"admin": "made-up-1", "reader": "made-up-2"}  # made up: the server lives for these tests


class Airflow:
    """
    The server at *url*, whose artefacts and ledger lie in *aws*.

    `.cookies` log a browser in as somebody who may only read; `.publish(report)` shows a report, `.withdraw()` none;
    `.views` are where Airflow's own pages lead; `.start_run(id)` and `.end_run(id, state)` are what a scheduler would
    do; `.ledger(run_id)` is where the tasks of a run write.
    """

    def __init__(self, url: str, home: Path, aws: LocalAwsForTests) -> None:
        self.url, self.home, self.aws, self.host = url, home, aws, url.removeprefix("http://")
        self.page = f"{url}/chatcensus/"
        self._api = AirflowApi(url, PASSWORDS["admin"])
        self._published: Mapping[str, Any] | None = None

    @property
    def is_up(self) -> bool:
        """Whether the server answers and knows the DAG."""
        return self._api.get(f"/api/v2/dags/{DAG_ID}") is not None

    @cached_property
    def token(self) -> str:
        """What Airflow gives the reader at the log-in."""
        body = json.dumps({"username": READER, "password": PASSWORDS[READER]}).encode()
        request = urllib.request.Request(f"{self.url}/auth/token", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return str(json.load(answer)["access_token"])

    @property
    def cookies(self) -> list[dict[str, Any]]:
        """What the reader's browser holds after the log-in."""
        return [{"name": "_token", "value": self.token, "url": self.url}]

    @cached_property
    def views(self) -> dict[str, str]:
        """The addresses of our views as Airflow has them, by where it shows them: `nav`, `dag`, `dag_run`."""
        plugins = self._api.get("/api/v2/plugins")["plugins"]
        views = [view for plugin in plugins if plugin["name"] == "chatcensus" for view in plugin["external_views"]]
        return {view["destination"]: view["href"] for view in views}

    def withdraw(self) -> None:
        """Publish nothing, and return when the dashboard shows nothing."""
        if self._published is not None:
            self.aws.client("s3").delete_object(Bucket=VARIABLES["chatcensus_result_bucket"], Key="current.json")
            _wait(lambda: self._shown() is None, lambda: "what was published is still shown")
            self._published = None

    def publish(self, report: Mapping[str, Any]) -> None:
        """Put what `publish` puts of *report*, the pointer last, and return when the dashboard shows it (2 s)."""
        if report == self._published:
            return
        folder = f"reports/edition={report['edition']}"
        self._put(f"{folder}/report.json", compact_json(report))
        kept = ("edition", "run_id", "export_id", "export_time", "totals", "cost_micro_usd")
        current = {name: report[name] for name in kept} | {"report": f"{folder}/report.html", "tables": {}}
        self._put("current.json", json.dumps(current))
        _wait(lambda: self._shown() == report["totals"], lambda: f"{report['edition']} is not shown")
        self._published = report

    def start_run(self, run_id: str, began: datetime | None = None) -> None:
        """Let Airflow know a run, and that it runs, as its scheduler would; one that it knows goes on."""
        if self._api.get(f"/api/v2/dags/{DAG_ID}/dagRuns/{quote(run_id)}") is None:
            self._api.post(f"/api/v2/dags/{DAG_ID}/dagRuns", {"dag_run_id": run_id, "logical_date": None})
        self._set(run_id, state="running", start_date=began or datetime.now(UTC))

    def end_run(self, run_id: str, state: str, ended: datetime | None = None) -> None:
        """Let Airflow know that a run has ended as *state*."""
        self._set(run_id, state=state, end_date=ended or datetime.now(UTC))

    def _set(self, run_id: str, **values: object) -> None:
        """Change the row of a run in Airflow's database: its API starts and ends no run without a scheduler."""
        texts = [
            each.strftime("%Y-%m-%d %H:%M:%S.%f") if isinstance(each, datetime) else each for each in values.values()
        ]
        sets = ", ".join(f"{name} = ?" for name in values)
        with sqlite3.connect(self.home / "airflow.db", timeout=30) as database:
            database.execute(f"update dag_run set {sets} where run_id = ?", (*texts, run_id))
        database.close()

    def ledger(self, run_id: str) -> Ledger:
        """The ledger as the tasks of a run have it."""
        return Ledger(self.aws.client("dynamodb"), VARIABLES["chatcensus_control_table"], f"{DAG_ID}/{run_id}")

    def _put(self, key: str, text: str) -> None:
        bucket = VARIABLES["chatcensus_result_bucket"]
        self.aws.client("s3").put_object(Bucket=bucket, Key=key, Body=text.encode(), ContentType="application/json")

    def _shown(self) -> Any:
        """The totals of the report that readers see; None before the first."""
        request = urllib.request.Request(f"{self.page}report.json", headers={"Cookie": f"_token={self.token}"})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)["totals"]
        except urllib.error.HTTPError:
            return None


@contextmanager
def running_airflow(home: Path, aws: LocalAwsForTests) -> Iterator[Airflow]:
    """Start the server with the plugin, its home in *home*, and end it; nothing is published yet."""
    aws.create_stack()
    url = f"http://127.0.0.1:{free_port()}"
    (home / "passwords.json").write_text(json.dumps(PASSWORDS))
    environment = airflow_environment(home, aws.endpoint_url, VARIABLES, url=url)
    environment["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS"] = f"admin:admin,{READER}:viewer"
    arguments, log = ("tests.browser.airflow_process", url.rsplit(":", 1)[1]), home / "server.log"
    airflow = Airflow(url, home, aws)
    with started(*arguments, environment=environment, log_file=log) as process:
        _wait(lambda: airflow.is_up, lambda: _log_of(process, log), lambda: process.poll() is not None)
        yield airflow


@contextmanager
def airflow_and_aws(home: Path) -> Iterator[Airflow]:
    """Start the server and a local AWS of its own, outside of pytest."""
    os.environ.update(dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "local"), AWS_DEFAULT_REGION=REGION)
    aws = LocalAws(Settings()).start()
    try:
        with running_airflow(home, LocalAwsForTests(aws)) as airflow:
            yield airflow
    finally:
        aws.stop()


def _log_of(process: "subprocess.Popen[bytes]", log: Path) -> str:
    ended = "" if process.poll() is None else f" (it ended with {process.poll()})"
    return f"Airflow did not start{ended}:\n" + "\n".join(log.read_text().splitlines()[-15:])


def _wait(is_so: Callable[[], bool], problem: Callable[[], str], is_over: Callable[[], bool] = lambda: False) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        if is_over() or time.monotonic() > deadline:
            raise RuntimeError(problem())
        time.sleep(0.2)
