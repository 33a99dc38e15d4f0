"""One web server for all tests of this folder; each test begins with an AWS in which nothing is published."""

from collections.abc import Iterator

import pytest

from tests.conftest import LocalAwsForTests
from tests.security.aws_gate import AwsGate
from tests.security.web import Web, running_web


@pytest.fixture(scope="session")
def gate_of_session(local_aws_server: LocalAwsForTests) -> Iterator[AwsGate]:
    gate = AwsGate(local_aws_server.endpoint_url)
    yield gate
    gate.shutdown()
    gate.server_close()


@pytest.fixture(scope="session")
def web(gate_of_session: AwsGate, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    with running_web(tmp_path_factory.mktemp("airflow"), gate_of_session) as web:
        yield web


@pytest.fixture
def aws(local_aws: LocalAwsForTests) -> LocalAwsForTests:
    """An AWS with the stack, and nothing else in it."""
    local_aws.create_stack()
    return local_aws


@pytest.fixture
def gate(gate_of_session: AwsGate) -> Iterator[AwsGate]:
    gate_of_session.pass_on()
    yield gate_of_session
    gate_of_session.pass_on()
