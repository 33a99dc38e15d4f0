"""
One suite for two AWS: the local one in `make test`, a real account with

    pytest tests/contract --live --budget-usd 0.50 [--live-model ID]

Credentials and Region come from the environment, as for any boto3 program. Everything it makes has a name that begins
with `chatcensus-contract-` and is removed at the end of each file.
"""

import contextlib
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.contract.budget import Budget
from tests.contract.shapes import watch

if TYPE_CHECKING:
    from tests.conftest import LocalAwsForTests

MODEL = "global.anthropic.claude-haiku-5-5"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the live run."""
    group = parser.getgroup("contract")
    group.addoption("--live", action="store_true", help="run the contract against the account of the environment")
    group.addoption("--budget-usd", type=Decimal, help="most that a live run may cost, by its own worst-case prices")
    group.addoption("--live-model", default=MODEL, help="a model that refuses a temperature, for the live run")


@pytest.fixture(scope="session")
def budget(pytestconfig: pytest.Config) -> Budget | None:
    """The cap of a live run; none locally, where nothing costs anything."""
    if not pytestconfig.getoption("--live"):
        return None
    cap = pytestconfig.getoption("--budget-usd")
    if cap is None:
        pytest.exit("--live needs --budget-usd: the most that the run may cost", returncode=4)
    return Budget(cap)


class Account:
    """
    The AWS under test: clients that check every reply's shape, names that are free, and what must be removed.

    `.is_live` tells tests how long to wait, never what to expect.
    """

    def __init__(self, make: Callable[[str], Any], *, budget: Budget | None, model: str) -> None:
        self._make, self._budget = make, budget
        self._clients: dict[str, Any] = {}
        self._to_do = ExitStack()
        self.model = model
        self.is_live = budget is not None
        self.name = f"chatcensus-contract-{uuid.uuid4().hex[:10]}"

    def client(self, service: str) -> Any:
        """Return the service's client: replies checked, calls paid for before they are sent."""
        if service not in self._clients:
            client = watch(self._make(service), allows_more=self.is_live)
            if self._budget:
                self._budget.guard(client)
            self._clients[service] = client
        return self._clients[service]

    def remove_later(self, call: Callable[..., Any], **parameters: Any) -> None:
        """Call this at the end, whatever happens before; what is already gone is no error."""

        def remove() -> None:
            with contextlib.suppress(ClientError):
                call(**parameters)

        self._to_do.callback(remove)

    def wait(self, probe: Callable[[], Any]) -> Any:
        """Return the first true answer of *probe*; fail when none comes."""
        deadline = time.monotonic() + (1800 if self.is_live else 120)
        while time.monotonic() < deadline:
            answer = probe()
            if answer:
                return answer
            time.sleep(5 if self.is_live else 0.01)
        raise AssertionError("what was waited for did not happen")

    def close(self) -> None:
        """Remove everything, the newest first."""
        self._to_do.close()

    def bucket(self) -> str:
        """Make a bucket, and return its name."""
        s3 = self.client("s3")
        region = s3.meta.region_name
        place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        s3.create_bucket(Bucket=self.name, **place)
        self.remove_later(s3.delete_bucket, Bucket=self.name)
        self._to_do.callback(self._empty, self.name)
        return self.name

    def _empty(self, bucket: str) -> None:
        s3 = self.client("s3")
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for entry in page.get("Contents", []):
                s3.delete_object(Bucket=bucket, Key=entry["Key"])

    def table(self, *, has_backups: bool = True) -> tuple[str, str]:
        """Make a table with the key `pk` (text), and return its name and ARN."""
        dynamodb = self.client("dynamodb")
        name = f"{self.name}-{uuid.uuid4().hex[:6]}"
        made = dynamodb.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        )
        self.remove_later(dynamodb.delete_table, TableName=name)
        self.wait(lambda: dynamodb.describe_table(TableName=name)["Table"]["TableStatus"] == "ACTIVE")
        if has_backups:
            on = {"PointInTimeRecoveryEnabled": True}
            dynamodb.update_continuous_backups(TableName=name, PointInTimeRecoverySpecification=on)
        return name, made["TableDescription"]["TableArn"]

    def database(self) -> str:
        """Make a Glue database, and return its name."""
        glue, name = self.client("glue"), self.name.replace("-", "_")
        glue.create_database(DatabaseInput={"Name": name})
        self.remove_later(glue.delete_database, Name=name)
        return name


@pytest.fixture(scope="module")
def account(request: pytest.FixtureRequest, pytestconfig: pytest.Config, budget: Budget | None) -> Iterator[Account]:
    """An AWS for one file of tests: the local one, emptied, or names of its own in the real one."""
    config = Config(retries={"mode": "standard"}, read_timeout=120)
    if budget is None:
        local: LocalAwsForTests = request.getfixturevalue("local_aws_server")
        local.reset()
        session = boto3.session.Session("contract", "contract", region_name="ap-northeast-1")
        path_style = config.merge(Config(s3={"addressing_style": "path"}, proxies={}))
        made = Account(
            lambda service: session.client(service, endpoint_url=local.endpoint_url, config=path_style),
            budget=None,
            model=MODEL,
        )
    else:
        session = boto3.session.Session()
        model = pytestconfig.getoption("--live-model")
        made = Account(lambda service: session.client(service, config=config), budget=budget, model=model)
    try:
        yield made
    finally:
        made.close()


def refusal(call: Callable[..., Any], **parameters: Any) -> str:
    """Return the code of the error that a call must end with."""
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    return str(caught.value.response["Error"]["Code"])
