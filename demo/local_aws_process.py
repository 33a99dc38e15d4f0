"""The local AWS as a child process that ends with its parent, however the parent ends."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from demo.airflow_home import REPOSITORY, process_environment
from demo.up import NotStarted

START_PATIENCE_S = 60


@contextmanager
def local_aws(environment: dict[str, str], state: Path, latency_s: float) -> Iterator[subprocess.Popen[bytes]]:
    """
    Run the local AWS that *environment* points to, with its data in *state*, and give its process to the block.

    Raises: NotStarted with the place of its log.
    """
    ready, log = state / "aws.ready", state / "aws.log"
    ready.unlink(missing_ok=True)
    port = environment["AWS_ENDPOINT_URL"].rsplit(":", 1)[1]
    command = [sys.executable, "-m", "local_aws", "--port", port, "--data", str(state / "aws")]
    command += ["--latency", str(latency_s), "--ready-file", str(ready), "--until-stdin-closes"]
    with log.open("w") as output:
        process = subprocess.Popen(
            command,
            env=process_environment(environment),
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C is for the parent, which then ends the child
        )
    try:
        deadline = time.monotonic() + START_PATIENCE_S
        while not ready.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise NotStarted(f"The local AWS did not start; its log is {log}")
            time.sleep(0.05)
        yield process
    finally:
        process.terminate()
        process.wait()
