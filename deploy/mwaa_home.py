"""A folder that stands for /usr/local/airflow of MWAA's containers, and what is done there with our files."""

import json
import os
import shutil
import subprocess
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from demo.airflow_home import VARIABLES, airflow_environment, process_environment

PROCESS = Path(__file__).with_name("mwaa_process.py")
PATIENCE_S = 900
# What MWAA's image sets beside the settings of every Airflow of ours.
IMAGE = {
    "AIRFLOW__CORE__AUTH_MANAGER": "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
    "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
}


@dataclass(frozen=True)
class Step:
    """One step of the check; *note* is what was found, or why it failed."""

    name: str
    seconds: float
    is_good: bool
    note: str


def unpack(package: Path, home: Path) -> None:
    """Put the package where MWAA puts it: the DAG folder as it is, the plugins unpacked."""
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(package / "dags", home / "dags")
    shutil.copy(package / "requirements.txt", home)
    with zipfile.ZipFile(package / "plugins.zip") as archive:
        archive.extractall(home / "plugins")


def settings(home: Path, endpoint_url: str) -> dict[str, str]:
    """Return the environment of a container whose home is *home* and whose AWS is at *endpoint_url*."""
    # The check has few people: without this no group of them would be told, and no summary have a row.
    ours = airflow_environment(home, endpoint_url, VARIABLES | {"chatcensus_min_users": "0"})
    # MWAA has neither our repository on the path nor the longer fields.
    del ours["PYTHONPATH"], ours["AIRFLOW__CORE__MAX_TEMPLATED_FIELD_LENGTH"]
    return ours | {
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(home / "plugins"),
    }


def run_steps(python: Path, home: Path, environment: dict[str, str], dag_ids: list[str]) -> Iterator[Step]:
    """
    Do what MWAA does in *home* with the interpreter *python*, and yield each step when it has ended.

    The log of it all is `check.log` in *home*. A process that ends without its last step, or takes longer than
    15 minutes, is a step of its own that failed.
    """
    read_end, write_end = os.pipe()
    inherited = {name: value for name, value in process_environment({}).items() if name != "PYTHONPATH"}
    log = home / "check.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [str(python), "-P", str(PROCESS), str(write_end), *dag_ids],
            env=inherited | environment,
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=[write_end],
        )
    os.close(write_end)
    killer = threading.Timer(PATIENCE_S, process.kill)
    killer.start()
    try:
        is_good = True
        with os.fdopen(read_end) as report:
            for line in report:
                told = json.loads(line)
                is_good = told["is_good"]
                yield Step(told["step"], told["seconds"], is_good, told["note"])
        if process.wait() and is_good:
            yield Step("process", 0, is_good=False, note=f"ended with {process.returncode}, see {log}")
    finally:
        killer.cancel()
        process.kill()
        process.wait()
