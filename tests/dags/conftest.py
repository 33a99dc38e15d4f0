"""
Two Airflows for the tests of this folder: one in this process, without a database and without AWS, and a running one.

The running one is a child process in which whole DAGs run. It takes 10 s of CPU to start, so that all files share it.
"""

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.airflow_home import VARIABLES, airflow_environment
from demo.progress import LocalAirflow, local_airflow
from tests.conftest import LocalAwsForTests
from tests.dags.running import STACK, Census, deploy, settings

# Airflow reads its environment when it is first imported, which is before any fixture.
_HOME = Path(tempfile.mkdtemp(prefix="chatcensus-tests-"))
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)
os.environ.update(
    {
        name: value
        for name, value in airflow_environment(_HOME, "http://127.0.0.1:1", VARIABLES).items()
        if name.startswith("AIRFLOW")
    }
)


@pytest.fixture(autouse=True)
def clients_of_this_test_alone():
    """A test may have an AWS of its own: no client of an earlier one is handed out."""
    from chatcensus.operators.aws_client import _standard_client

    _standard_client.cache_clear()


@pytest.fixture(scope="session")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The DAGs and the `include/` of the running Airflow; who changes a file deploys again first."""
    return deploy(tmp_path_factory.mktemp("deployed"))


@pytest.fixture(scope="session")
def airflow_settings(local_aws_server: LocalAwsForTests, deployed: Path) -> dict[str, str]:
    local_aws_server.reset()  # after which a stack always gives its topic the same name
    return settings(deployed, local_aws_server, local_aws_server.create_stack(**STACK)["AlarmTopicArn"])


@pytest.fixture(scope="session")
def airflow(airflow_settings: dict[str, str], deployed: Path) -> Iterator[LocalAirflow]:
    with local_airflow(airflow_settings, deployed / "airflow.log") as started:
        yield started


@pytest.fixture
def census(local_aws: LocalAwsForTests, airflow: LocalAirflow, deployed: Path) -> Census:
    """The census over an empty AWS, as it is deployed."""
    deploy(deployed)
    return Census(local_aws, airflow)
