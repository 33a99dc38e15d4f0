"""The local AWS for tests: one server in this process, emptied for each test that asks for it."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from local_aws.service_models import read_service_models_once
from tests.contract.shapes import watch

if TYPE_CHECKING:
    from local_aws.server import LocalAws

ACCOUNT = "123456789012"
REGION = "ap-northeast-1"
SNAPSHOT_BUCKET = f"chatcensus-snapshots-{ACCOUNT}-{REGION}"
RESULT_BUCKET = f"chatcensus-results-{ACCOUNT}-{REGION}"

read_service_models_once()


class LocalAwsForTests:
    """
    Give tests a local AWS that answers at once.

    `.endpoint_url`; `.client(service)`, a boto3 client; `.stats()`, calls and writes so far; `.reset()` empties it;
    `.create_stack()` makes the resources of deploy/chatcensus.yaml, conversation table included, and returns the
    stack's outputs; `.wait_for_exports()` returns when none is in progress.
    """

    def __init__(self, aws: "LocalAws") -> None:
        self._aws = aws
        self._watched: dict[str, Any] = {}

    @property
    def endpoint_url(self) -> str:
        return self._aws.endpoint_url

    def client(self, service: str) -> Any:
        """A client that refuses a reply which the service's own model does not describe."""
        if service not in self._watched:
            self._watched[service] = watch(self._aws.client(service))
        return self._watched[service]

    def stats(self) -> dict[str, Any]:
        return self._aws.stats()

    def reset(self) -> None:
        self._aws.reset()

    def wait_for_exports(self) -> None:
        self._aws.wait_for_exports()

    def create_stack(self, **parameters: str) -> dict[str, str]:
        from local_aws.stack import create_stack

        return create_stack(self.client("cloudformation"), {"CreateConversationTable": "true", **parameters})


@pytest.fixture(scope="session")
def local_aws_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAwsForTests]:
    """The one server of this test process, with whatever earlier tests left in it: take `local_aws` instead."""
    # moto takes a second to import: only tests that talk to AWS wait for it.
    from local_aws.server import LocalAws
    from local_aws.settings import Settings

    with pytest.MonkeyPatch.context() as environment:
        for name, value in _environment(tmp_path_factory.mktemp("aws")).items():
            environment.setenv(name, value)
        aws = LocalAws(Settings(export_delay_s=0.05)).start()
        environment.setenv("AWS_ENDPOINT_URL", aws.endpoint_url)
        yield LocalAwsForTests(aws)
        aws.stop()


@pytest.fixture
def local_aws(local_aws_server: LocalAwsForTests) -> LocalAwsForTests:
    """An empty local AWS; AWS_ENDPOINT_URL and dummy credentials are set, so plain boto3 clients reach it too."""
    local_aws_server.reset()
    return local_aws_server


def _environment(directory: Path) -> dict[str, str]:
    nothing = directory / "none"
    return {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        # Whatever the developer has configured must not leak into a test.
        "AWS_CONFIG_FILE": str(nothing),
        "AWS_SHARED_CREDENTIALS_FILE": str(nothing),
    }
