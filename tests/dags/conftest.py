"""An Airflow for the tests of this folder: its home is a temporary folder, and it has no database and no AWS."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from demo.airflow_home import VARIABLES, airflow_environment

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
