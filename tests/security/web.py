"""The dashboard as a reader's browser or an attacker's script meets it: over HTTP, at a real Airflow web server."""

import http.client
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from demo.airflow_home import VARIABLES, airflow_environment
from demo.up import free_port
from tests.security.aws_gate import AwsGate
from tests.server_process import started

if TYPE_CHECKING:
    import subprocess

START_PATIENCE_S = 300
# Set it to run the whole folder under another auth manager: docs/dashboard.md says how.
AUTH_MANAGER = os.environ.get("CHATCENSUS_AUTH_MANAGER", "tests.security.auth_manager.SimpleAuthManagerWithStranger")


@dataclass(frozen=True)
class Answer:
    """What came back; *headers* by lower-case name."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()


class Web:
    """
    The server at *port*.

    `.get(path, reader)` asks as the *reader* `admin`, `viewer`, `stranger` (who may read another DAG) or `nobody` (who
    has a login and no rights), or without one; the path is sent as it is written. `.routes` are the paths of the
    dashboard; `.log` is what the server wrote.
    """

    def __init__(self, port: int, ready: dict[str, Any], log_file: Path) -> None:
        self.port, self.log_file = port, log_file
        self.tokens: dict[str, str] = ready["tokens"]
        self.routes: list[str] = ready["routes"]

    @property
    def log(self) -> str:
        return self.log_file.read_text()

    def get(self, path: str, reader: str | None = None, **headers: str) -> Answer:
        return self.ask("GET", path, reader, **headers)

    def ask(self, method: str, path: str, reader: str | None = None, **headers: str) -> Answer:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if reader:
            sent["Authorization"] = f"Bearer {self.tokens[reader]}"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, path, headers=sent)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, body)


@contextmanager
def running_web(home: Path, gate: AwsGate) -> Iterator[Web]:
    """Start the server, its home in *home* and its AWS behind *gate*, and end it."""
    port, ready_file, log_file = free_port(), home / "ready.json", home / "server.log"
    environment = airflow_environment(home, gate.url, VARIABLES, url=f"http://127.0.0.1:{port}")
    environment["AIRFLOW__CORE__AUTH_MANAGER"] = AUTH_MANAGER
    arguments = ("tests.security.web_process", str(port), str(ready_file))
    with started(*arguments, environment=environment, log_file=log_file) as process:
        _wait_until_up(process, port, log_file)
        yield Web(port, json.loads(ready_file.read_text()), log_file)


def _wait_until_up(process: "subprocess.Popen[bytes]", port: int, log_file: Path) -> None:
    deadline = time.monotonic() + START_PATIENCE_S
    while not _answers(port):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("Airflow did not start:\n" + "\n".join(log_file.read_text().splitlines()[-15:]))
        time.sleep(0.2)


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/api/v2/version")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
