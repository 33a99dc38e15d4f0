"""The DAG with an `include/` of its own, so that a test may change its files."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from demo.airflow_home import REPOSITORY
from demo.progress import LocalAirflow, local_airflow
from tests.conftest import LocalAwsForTests
from tests.dags.test_runs import _environment


def deploy(folder: Path) -> Path:
    """Copy what a deployment holds to *folder*, and return it."""
    for name in ("dags", "include"):
        shutil.copytree(REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@contextmanager
def airflow_of(deployed: Path, aws: LocalAwsForTests) -> Iterator[LocalAirflow]:
    """Start an Airflow whose DAGs are those of *deployed*."""
    environment = _environment(deployed / "home", aws) | {"AIRFLOW__CORE__DAGS_FOLDER": str(deployed / "dags")}
    with local_airflow(environment, deployed / "airflow.log") as started:
        yield started
