"""A server of the tests in a process of its own, ended with the test whatever happens."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from demo.airflow_home import REPOSITORY, process_environment


@contextmanager
def started(
    module: str, *arguments: str, environment: Mapping[str, str], log_file: Path
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run *module* with *arguments*, its output in *log_file*, and end it."""
    command = [sys.executable, "-m", module, *arguments]
    with log_file.open("w") as log:
        process = subprocess.Popen(
            command, env=process_environment(environment), cwd=REPOSITORY, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
