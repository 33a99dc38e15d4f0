"""Where the dashboard has its data from: Airflow Variables, and AWS by an Airflow connection of its own."""

import time
from functools import cache
from typing import Any

from airflow.models.variable import Variable
from airflow.providers.amazon.aws.hooks.base_aws import AwsGenericHook
from botocore.config import Config

from chatcensus.errors import SetupError

CONNECTION = "chatcensus_dashboard"
VARIABLE_SECONDS = 30  # a secrets backend may be a call over the network, and may cost
# A person waits: better a quick 503 than a page that hangs for the minute that is botocore's default.
_CONFIG = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 2})

_variables: dict[str, tuple[float, str]] = {}


def variable(name: str) -> str:
    """
    Return an Airflow Variable as the web server may read it: from a secrets backend, the environment or the database.

    `airflow.sdk.Variable` asks a task's supervisor, which a web server has not. Errors: SetupError when it is not set.
    """
    read_at, value = _variables.get(name, (0.0, ""))
    if value and time.monotonic() - read_at < VARIABLE_SECONDS:
        return value
    value = str(Variable.get(name, default_var=""))
    if not value:
        raise SetupError(f"the Airflow Variable {name!r} is not set: docs/operations.md says what it holds")
    _variables[name] = (time.monotonic(), value)
    return value


@cache
def client(service: str) -> Any:
    """Return the boto3 client of *service* with the credentials, role and Region of the Airflow connection."""
    return AwsGenericHook(aws_conn_id=CONNECTION, client_type=service, config=_CONFIG).conn
