"""Where calls may go: what the file may say, and what no call gets past."""

import re
from pathlib import Path

import pytest
import yaml

from chatcensus.errors import SetupError
from chatcensus.include import read_yaml
from chatcensus.model_catalog import Model, ModelCatalog
from chatcensus.routes import REGIONS, Routes, permitted, read_routes
from tests.fakes import INCLUDE, MODEL

MODELS = INCLUDE / "prompts/models.yaml"
CATALOG = read_yaml(MODELS, ModelCatalog)
PLUGINS = Path(__file__).parents[2] / "plugins/chatcensus"
JP, GLOBAL = "jp.anthropic.claude-haiku-5-5", "global.anthropic.claude-haiku-5-5"
ROUTE = {
    "name": "tokyo",
    "region": "ap-northeast-1",
    "model_id": JP,
    "requests_per_minute": 1000,
    "tokens_per_minute": 2_000_000,
}


def of(geography: str) -> Model:
    return MODEL.model_copy(update={"geography": geography})


def routes(*changes: dict[str, object], residency: str | None = None) -> Routes:
    return Routes.model_validate({"residency": residency, "routes": [ROUTE | change for change in changes]})


@pytest.mark.parametrize(
    ("geography", "region", "residency"),
    [
        ("jp", "ap-northeast-1", "jp"),
        ("jp", "ap-northeast-3", "jp"),
        ("ap-northeast-1", "ap-northeast-1", "jp"),
        ("eu", "eu-west-1", "eu"),
        ("us-east-1", "us-east-1", "us"),
        ("au", "ap-southeast-2", "au"),
        ("global", "us-east-1", None),
        ("us", None, None),
    ],
)
def test_what_stays_within_the_residency_may_be_called(geography: str, region: str | None, residency: str | None):
    permitted(of(geography), region, residency)


@pytest.mark.parametrize(
    ("geography", "region", "residency", "says"),
    [
        ("global", "ap-northeast-1", "jp", "may answer in 'global'"),
        ("us", "ap-northeast-1", "jp", "may answer in 'us'"),
        ("apac", "ap-northeast-1", "jp", "may answer in 'apac'"),
        ("us-east-1", "us-east-1", "jp", "may answer in 'us-east-1'"),
        ("jp", "us-east-1", "jp", "called from us-east-1"),
        ("jp", "ap-northeast-2", "jp", "called from ap-northeast-2"),
        ("jp", None, "jp", "called from no Region"),
        ("eu", "eu-west-2", "eu", "called from eu-west-2"),
        ("jp", "ap-northeast-1", "eu", "may answer in 'jp'"),
    ],
)
def test_what_leaves_the_residency_is_refused_before_it_is_sent(
    geography: str, region: str | None, residency: str, says: str
):
    with pytest.raises(SetupError, match=f"{says}.*nothing was sent"):
        permitted(of(geography), region, residency)


def test_no_region_is_in_two_residencies():
    regions = [region for of_one in REGIONS.values() for region in of_one]

    assert len(regions) == len(set(regions))


def test_the_file_that_is_deployed_keeps_no_residency_and_has_no_routes():
    found = read_routes(MODELS)

    assert (found.residency, found.routes) == (None, ())
    assert found.quota({"requests_per_minute": 7.0}) == {"requests_per_minute": 7.0}
    assert found.places(CATALOG, GLOBAL) == [(None, CATALOG.model(GLOBAL))]


def test_the_examples_in_the_file_are_valid():
    text = (INCLUDE / "routes.yaml").read_text(encoding="utf-8")
    examples = "\n".join(line.removeprefix("#") for line in text.splitlines() if re.match(r"#   +\S", line))

    found = Routes.model_validate({"residency": "jp", "routes": yaml.safe_load(examples)})

    found.check(CATALOG, JP, "us-east-1")  # whose own Region is not called
    assert found.quota({"requests_per_minute": 1.0, "tokens_per_minute": 1.0}) == {
        "requests_per_minute": 1200,
        "tokens_per_minute": 2_400_000,
    }


def test_a_folder_without_the_file_is_refused_since_nobody_knows_its_residency(tmp_path: Path):
    (tmp_path / "prompts").mkdir()

    with pytest.raises(SetupError, match=r"routes\.yaml: cannot be read"):
        read_routes(tmp_path / "prompts/models.yaml")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("routes: []", id="no residency"),
        pytest.param("residency: mars\nroutes: []", id="unknown residency"),
        pytest.param("residency: jp\nroutes: []\nresidence: null", id="unknown key"),
    ],
)
def test_a_file_that_leaves_the_residency_open_is_refused(text: str, tmp_path: Path):
    (tmp_path / "prompts").mkdir()
    (tmp_path / "routes.yaml").write_text(text)

    with pytest.raises(SetupError, match=r"routes\.yaml"):
        read_routes(tmp_path / "prompts/models.yaml")


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"requests_per_minute": 0}, id="no quota"),
        pytest.param({"tokens_per_minute": float("inf")}, id="endless quota"),
        pytest.param({"region": "Tokyo"}, id="no Region"),
        pytest.param({"role_arn": "chat-census-route"}, id="no role"),
        pytest.param({"name": "a\nline"}, id="a name that breaks a log"),
        pytest.param({"model": JP}, id="unknown key"),
    ],
)
def test_a_route_that_cannot_be_is_refused(change: dict[str, object]):
    with pytest.raises(ValueError, match="validation error"):
        routes(change)


@pytest.mark.parametrize("second", [{"name": "again"}, {"region": "ap-northeast-3"}], ids=["one place", "one name"])
def test_a_quota_is_filled_once(second: dict[str, object]):
    with pytest.raises(ValueError, match="each quota may be filled once"):
        routes({}, second)


def test_a_route_calls_the_model_of_the_run():
    with pytest.raises(SetupError, match=r"'tokyo' calls .* of the family 'claude-haiku-5-5'.*name the same model"):
        routes({}).check(CATALOG, "amazon.nova-micro-v1:0", "us-east-1")


def test_every_route_is_held_to_the_residency():
    with pytest.raises(SetupError, match=r"'global\.anthropic.claude-haiku-5-5' may answer in 'global'"):
        routes({}, {"name": "wide", "model_id": GLOBAL}, residency="jp").check(CATALOG, JP, "ap-northeast-1")
    with pytest.raises(SetupError, match="called from us-west-2"):
        routes({}, {"name": "far", "region": "us-west-2"}, residency="jp").check(CATALOG, JP, "ap-northeast-1")


def test_without_routes_the_connection_is_held_to_the_residency():
    kept = routes(residency="jp")

    kept.check(CATALOG, JP, "ap-northeast-1")
    with pytest.raises(SetupError, match="called from us-east-1"):
        kept.check(CATALOG, JP, "us-east-1")


def callers(call: str) -> set[str]:
    """The modules that make what sends texts to a model."""
    return {
        str(path.relative_to(PLUGINS))
        for path in PLUGINS.rglob("*.py")
        if call in path.read_text(encoding="utf-8").replace(f"class {call}", "")
    }


def test_nobody_calls_a_model_past_the_residency():
    assert callers("BedrockJudge(") == {"aws/judges.py"}


def test_nobody_sends_texts_to_batch_inference_past_the_residency():
    makers = callers("BatchInference(") & callers(".make(")  # others only follow a job that was made

    assert makers
    assert makers <= callers("permitted(")


def test_nothing_else_sends_texts():
    senders = callers(".converse(") | callers("create_model_invocation_job(") | callers("invoke_model(")

    assert senders <= {"aws/bedrock.py", "aws/batch_inference.py"}
