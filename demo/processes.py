"""
Processes that outlive the command that started them: written down, found again, ended exactly.

A process is known by its id and the moment it started, so an id that the system has given to somebody else is never
signalled. Each is the leader of a session and process group of its own, so that its children are found after its death.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from demo.airflow_home import REPOSITORY

END_PATIENCE_S = 10
# Python warns when the handle of a running process is thrown away; ours are meant to run on.
_OUTLIVING: list[subprocess.Popen[bytes]] = []


@dataclass(frozen=True)
class Started:
    """One process of ours; *stop_signal* ends it in good order."""

    name: str
    pid: int
    started_at: str
    stop_signal: str = "SIGTERM"

    def is_alive(self) -> bool:
        """Return whether this very process still runs."""
        return started_at(self.pid) == self.started_at

    def family(self) -> list[psutil.Process]:
        """Return the process, its descendants and what is left of its group; never a stranger that has its id now."""
        if started_at(self.pid) not in {self.started_at, None}:
            return []
        found = {process.pid: process for process in psutil.process_iter() if _group_of(process.pid) == self.pid}
        if self.is_alive():
            with contextlib.suppress(psutil.NoSuchProcess):
                leader = psutil.Process(self.pid)
                found |= {process.pid: process for process in [leader, *leader.children(recursive=True)]}
        return [process for process in found.values() if _runs(process)]


def started_at(pid: int) -> str | None:
    """Return when the running process *pid* started, exactly; None when there is none (or only a zombie)."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        stat = Path(f"/proc/{pid}/stat")
        if not stat.exists():
            return str(process.create_time())
        # Linux: clock ticks since boot. Seconds of the clock move when the clock is set.
        ticks = stat.read_text().rpartition(")")[2].split()[19]
    except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
        return None
    return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()} {ticks}"


def start(name: str, command: list[str], environment: dict[str, str], log_file: Path) -> Started:
    """Start *command* with this interpreter, detached, with its output in *log_file*."""
    log_file.parent.mkdir(parents=True, exist_ok=True)
    with log_file.open("a") as log:
        process = subprocess.Popen(
            [sys.executable, *command],
            env=environment,
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    _OUTLIVING.append(process)
    return Started(name, process.pid, started_at(process.pid) or "ended at once")


def end(started: list[Started]) -> list[str]:
    """End the processes, all at the same time; return the names of those that were running."""
    families = {process: process.family() for process in started}
    running = [process for process in started if families[process]]
    members = [member for family in families.values() for member in family]
    leaders = {process.pid: process for process in running if process.is_alive()}
    for member in members:
        if member.pid in leaders:
            _signal([member], signal.Signals[leaders[member.pid].stop_signal])
    _wait([member for member in members if member.pid in leaders], END_PATIENCE_S)
    left = _wait(members, 0)  # what outlived its leader
    _signal(left, signal.SIGTERM)
    left = _wait(left, 2)
    _signal(left, signal.SIGKILL)
    _wait(left, 3)
    return [process.name for process in running]


def _signal(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)  # psutil looks first whether the id is still the same process


def _wait(processes: list[psutil.Process], timeout_s: float) -> list[psutil.Process]:
    """Wait until they have ended and return those that have not; a zombie has ended, whoever fails to reap it."""
    deadline = time.monotonic() + timeout_s
    while (left := [process for process in processes if _runs(process)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class Register:
    """The file that says what was started; written after each start, so that an interrupted start can be undone."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> list[Started]:
        """Return what was started and not yet ended by us."""
        if not self.path.exists():
            return []
        return [Started(**record) for record in json.loads(self.path.read_text())]

    def add(self, process: Started) -> None:
        """Write down one more."""
        self._write([*self.read(), process])

    def clear(self) -> None:
        """Forget all."""
        self.path.unlink(missing_ok=True)

    def _write(self, processes: list[Started]) -> None:
        fresh = self.path.with_suffix(".new")
        fresh.write_text(json.dumps([asdict(process) for process in processes], indent=1))
        fresh.replace(self.path)


def _group_of(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except (ProcessLookupError, PermissionError):
        return None
