"""Processes that outlive their starter are ended exactly, and nobody else's."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from demo.processes import Register, Started, end, start, started_at

SLEEPER = ["-c", "import time; time.sleep(60)"]
# A leader with one child, which reports that both are there.
FAMILY = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(child.pid, flush=True)
time.sleep(60)
"""
DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
time.sleep(60)
"""


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[Started]:
    process = start("sleeper", SLEEPER, {}, tmp_path / "log")
    yield process
    end([process])


def test_a_started_process_is_found_and_ended(sleeper: Started) -> None:
    assert sleeper.is_alive()

    assert end([sleeper]) == ["sleeper"]

    assert not sleeper.is_alive()
    assert started_at(sleeper.pid) is None


def test_ending_twice_ends_nothing(sleeper: Started) -> None:
    end([sleeper])

    assert end([sleeper]) == []


def test_a_stranger_with_the_same_id_is_left_alone(sleeper: Started) -> None:
    earlier = replace(sleeper, started_at="long ago")

    assert end([earlier]) == []

    assert sleeper.is_alive()


def test_children_end_with_their_parent(tmp_path: Path) -> None:
    leader, child = _family(tmp_path)

    end([leader])

    assert started_at(child) is None


def test_children_are_found_after_their_parents_death(tmp_path: Path) -> None:
    leader, child = _family(tmp_path)
    psutil.Process(leader.pid).kill()
    while leader.is_alive():
        pass

    assert end([leader]) == ["family"]

    assert started_at(child) is None


def test_a_process_that_ignores_the_polite_signal_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("demo.processes.END_PATIENCE_S", 0.1)
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    )
    deaf = start("deaf", ["-c", code], {}, tmp_path / "log")
    _line(tmp_path / "log", deaf)

    end([deaf])

    assert not deaf.is_alive()


def test_a_zombie_counts_as_ended() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
        pass

    assert started_at(process.pid) is None
    process.wait()


def test_the_register_keeps_what_was_started_in_order(tmp_path: Path) -> None:
    register = Register(tmp_path / "running.json")
    one, two = Started("one", 1, "then"), Started("two", 2, "later", "SIGINT")

    register.add(one)
    register.add(two)

    assert Register(tmp_path / "running.json").read() == [one, two]
    register.clear()
    assert register.read() == []


def _family(tmp_path: Path) -> tuple[Started, int]:
    leader = start("family", ["-c", FAMILY], {}, tmp_path / "log")
    return leader, int(_line(tmp_path / "log", leader))


def _line(log: Path, process: Started) -> str:
    """Return the first line that the process writes; it says that it is ready."""
    while not (text := log.read_text()).endswith("\n"):
        assert process.is_alive(), "it ended before it wrote anything"
    return text.strip()
