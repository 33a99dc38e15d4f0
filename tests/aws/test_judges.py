"""Judges are made for each route, in its Region and account, and nowhere that the residency does not allow."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml

from chatcensus.aws.assumed_role import assumed
from chatcensus.aws.judges import judges
from chatcensus.errors import SetupError
from chatcensus.include import read_yaml
from chatcensus.operators.aws_client import model_client
from chatcensus.pacing import Quota
from chatcensus.taxonomy import Taxonomy
from local_aws.settings import REGION
from tests.fakes import INCLUDE

TAXONOMY = read_yaml(INCLUDE / "prompts/taxonomy.yaml", Taxonomy)
OTHER_ACCOUNT = "210987654321"
ROLE = f"arn:aws:iam::{OTHER_ACCOUNT}:role/chat-census-route"
QUOTA = Quota(100, 1e6)
GLOBAL = "global.anthropic.claude-haiku-5-5"
RATES = {"requests_per_minute": 10, "tokens_per_minute": 1000}


@pytest.fixture
def models(tmp_path: Path) -> Any:
    """The catalog in an include folder whose routes a test writes: `models(residency, routes)`."""
    (tmp_path / "prompts").symlink_to(INCLUDE / "prompts")

    def written(residency: str | None = None, *routes: dict[str, Any]) -> Path:
        named = [{"name": f"route-{number}", **RATES, **route} for number, route in enumerate(routes)]
        (tmp_path / "routes.yaml").write_text(yaml.safe_dump({"residency": residency, "routes": named}))
        return tmp_path / "prompts/models.yaml"

    return written


def ask(way: Any) -> Any:
    return way.judge.ask("Judge it.", "Why does it return None?", "prompt", 50)


def test_without_routes_there_is_one_judge_where_the_credentials_are(local_aws, models):
    (way,) = judges(models(), "stand-in", TAXONOMY, QUOTA, 1)

    reply = ask(way)

    assert (way.quota, reply.answered_by) == (QUOTA, "stand-in")
    assert local_aws.stats()["converse_by_place"] == {REGION: {"calls": 1, "paid": 1, "refused_429": 0}}


def test_each_route_is_called_in_its_region_and_account(local_aws, models):
    here = {"region": "ap-northeast-1", "model_id": "stand-in"}
    ways = judges(
        models("jp", here, {**here, "region": "ap-northeast-3"}, {**here, "role_arn": ROLE}),
        *("stand-in", TAXONOMY, QUOTA, 1),
    )

    for way in ways:
        ask(way)

    places = local_aws.stats()["converse_by_place"]
    assert {place: counts["paid"] for place, counts in places.items()} == {
        "ap-northeast-1": 1,
        "ap-northeast-3": 1,
        f"{OTHER_ACCOUNT}/ap-northeast-1": 1,
    }
    assert [(way.name, way.quota) for way in ways] == [(f"route-{n}", Quota(10, 1000, 5)) for n in range(3)]


def test_the_role_is_entered_by_the_credentials_of_an_airflow_connection(local_aws, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_AN_ACCOUNT", "aws://key:secret@")
    own = model_client("an_account", "us-west-2", None, None)
    other = model_client("an_account", "us-west-2", ROLE, None)

    message = [{"role": "user", "content": [{"text": "Why does it return None?"}]}]
    for client in (own, other):
        client.converse(modelId="stand-in", messages=message, inferenceConfig={"maxTokens": 9})
        client.close()

    assert set(local_aws.stats()["converse_by_place"]) == {"us-west-2", f"{OTHER_ACCOUNT}/us-west-2"}


@pytest.mark.usefixtures("local_aws")
def test_the_credentials_of_a_role_are_renewed_before_they_end(monkeypatch):
    began = datetime.now(UTC)
    credentials, clock = assumed(boto3.session.Session(), ROLE).get_credentials(), [began]
    monkeypatch.setattr("botocore.credentials._local_now", lambda: clock[0])
    credentials._time_fetcher = lambda: clock[0]

    keys = []
    for minutes in (0, 40, 58):  # a role is entered for an hour
        clock[0] = began + timedelta(minutes=minutes)
        keys.append(credentials.get_frozen_credentials().access_key)

    assert keys[0] == keys[1] != keys[2]


def test_nobody_enters_a_role_without_credentials_of_his_own(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    with pytest.raises(SetupError, match=f"no credentials to enter '{ROLE}' with"):
        assumed(boto3.session.Session(region_name=REGION), ROLE)


class NoEntry(BaseHTTPRequestHandler):
    """An STS that lets nobody in."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>not you</Message></Error></ErrorResponse>"
        self.send_response(403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def no_entry(local_aws, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:  # noqa: ARG001 - sets credentials
    with ThreadingHTTPServer(("127.0.0.1", 0), NoEntry) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"http://127.0.0.1:{server.server_port}")
        yield
        server.shutdown()
        thread.join()


@pytest.mark.usefixtures("no_entry")
def test_a_role_that_cannot_be_entered_is_an_error_of_its_route(models):
    route = {"region": REGION, "model_id": "stand-in", "role_arn": ROLE}
    (way,) = judges(models(None, route), "stand-in", TAXONOMY, QUOTA, 1)

    with pytest.raises(SetupError, match="answered AccessDenied"):
        ask(way)


@pytest.mark.parametrize(
    ("model_id", "routes", "says"),
    [
        pytest.param(GLOBAL, [], "may answer in 'global'", id="a profile that goes anywhere"),
        pytest.param("amazon.nova-micro-v1:0", [], "may answer in 'us-east-1'", id="a model elsewhere"),
        pytest.param(
            "stand-in",
            [{"region": "us-east-1", "model_id": "stand-in"}],
            "called from us-east-1",
            id="a Region elsewhere",
        ),
        pytest.param(
            "jp.anthropic.claude-haiku-5-5",
            [{"region": REGION, "model_id": GLOBAL}],
            "may answer in 'global'",
            id="a route that goes anywhere",
        ),
    ],
)
def test_no_judge_is_made_for_what_leaves_the_residency(local_aws, models, model_id, routes, says):
    with pytest.raises(SetupError, match=says):
        judges(models("jp", *routes), model_id, TAXONOMY, QUOTA, 1)
    assert local_aws.stats()["converse_calls"] == 0


@pytest.mark.usefixtures("local_aws")
def test_the_region_of_the_environment_gets_nobody_past_the_residency(models, monkeypatch):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")

    with pytest.raises(SetupError, match="called from us-east-1"):
        judges(models("jp"), "stand-in", TAXONOMY, QUOTA, 1)


@pytest.mark.usefixtures("local_aws")
def test_two_conversations_are_sent_with_one_prefix_up_to_the_cache_point(models):
    """Their requests differ in the message alone: what stands before the cachePoint can be read from the cache."""
    (way,) = judges(models(), "jp.anthropic.claude-haiku-5-5", TAXONOMY, QUOTA, 1)
    requests: list[dict[str, Any]] = []
    way.judge.client.meta.events.register(
        "provide-client-params.bedrock-runtime.Converse", lambda params, **_: requests.append(params)
    )
    instructions = "Judge it. " * 400

    replies = [
        way.judge.ask(instructions, text, "tool", 50) for text in ("Why None?", "あるいは、なぜ？", "Why again?")
    ]

    first, *others = requests
    assert first["system"][-1] == {"cachePoint": {"type": "default"}}
    for other in others:
        assert {key: value for key, value in other.items() if key != "messages"} == {
            key: value for key, value in first.items() if key != "messages"
        }
    assert [reply.usage.cache_write_tokens > 0 for reply in replies] == [True, False, False]
    assert [reply.usage.cache_read_tokens > 0 for reply in replies] == [False, True, True]
