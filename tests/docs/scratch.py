"""A copy of the repository in which the commands of the documents may do what they like."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from demo.airflow_home import VARIABLES, airflow_environment, process_environment
from tests.docs.pages import REPOSITORY, Command

_MARK = "@@ "


class Failed(AssertionError):
    """A command of a document did not end with 0; the message has its place, itself and the end of its output."""


def make_copy(target: Path) -> Path:
    """Copy what git knows and what is new into *target*, with an environment that leads to the real one."""
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY, capture_output=True, check=True,
    ).stdout.decode().split("\0")  # fmt: skip
    for name in filter(None, names):
        source = REPOSITORY / name
        if source.is_file():  # one that was deleted and not committed yet is still in the list
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name)
    _link_environment(target)
    return target


def _link_environment(copy: Path) -> None:
    """Links, so that nothing which make or pip do to .venv reaches the real one; make shall not install anew."""
    real, binaries = Path(sys.prefix), copy / ".venv/bin"
    binaries.mkdir(parents=True)
    for name in ("lib", "pyvenv.cfg"):
        (copy / ".venv" / name).symlink_to(real / name)
    for program in (real / "bin").iterdir():
        (binaries / program.name).symlink_to(program)
    if not (binaries / "chatcensus").exists():  # until the environment is installed anew
        script = f'#!/bin/sh\nPYTHONPATH={copy}/plugins exec {real}/bin/python -m chatcensus "$@"\n'
        (binaries / "chatcensus").write_text(script)
        (binaries / "chatcensus").chmod(0o755)
    (copy / ".venv/.ready").touch()


def environment_of(copy: Path, endpoint_url: str) -> dict[str, str]:
    """Return what a reader's shell has: the Variables and the AWS of the demo, and .venv/bin on the path."""
    home = copy / ".local/docs/airflow"
    environment = process_environment(airflow_environment(home, endpoint_url, VARIABLES))
    environment |= {
        "AIRFLOW__CORE__DAGS_FOLDER": str(copy / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(copy / "plugins"),
        "AIRFLOW_CONN_CHATCENSUS_AWS": "aws://",
        "HOME": str(copy / ".local/docs"),
        "AWS_PAGER": "",
        "PATH": os.pathsep.join([str(copy / ".venv/bin"), os.environ["PATH"]]),
    }
    for name in ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "MAKEFLAGS", "MAKELEVEL"):
        environment.pop(name, None)  # a reader has none of them
    return environment


def run(commands: Iterable[Command], copy: Path, environment: Mapping[str, str], timeout_s: float) -> str:
    """
    Run *commands* one after the other in one shell, as a reader would, and return what they said.

    Raises: Failed at the first that does not end with 0.
    """
    steps = [f"echo '{_MARK}{command.place}'\n{command.text}" for command in commands]
    log = copy / ".local/docs/commands.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as output:
        shell = subprocess.Popen(
            ["bash", "-e", "-o", "pipefail", "-c", "\n".join(steps)],
            cwd=copy, env=dict(environment), stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True,
        )  # fmt: skip
        try:
            code: int | str = shell.wait(timeout_s)
        except subprocess.TimeoutExpired:
            code = f"nothing within {timeout_s:.0f} s"
        finally:
            _end_group(shell)
    said = log.read_text(errors="replace")
    if code != 0:
        place = said.rpartition(_MARK)[2].partition("\n")[0]
        text = next((command.text for command in commands if command.place == place), "")
        raise Failed(f"{place}: {text}\nended with {code}:\n{said.rpartition(_MARK)[2][-3000:]}")
    return said


def _end_group(shell: "subprocess.Popen[bytes]") -> None:
    """End the shell and what it has put into the background."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(shell.pid, signal.SIGKILL)
    shell.wait()
