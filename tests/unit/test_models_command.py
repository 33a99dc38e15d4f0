"""`chatcensus models`: the catalog as a table, and beside the lists of the installed genai-prices."""

import json
import re
import shutil
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from genai_prices.data import providers
from genai_prices.types import ModelPrice
from typer.testing import CliRunner

from chatcensus.__main__ import app
from chatcensus.errors import SetupError
from chatcensus.include import read_yaml
from chatcensus.model_catalog import ModelCatalog
from tests import command_manual
from tests.fakes import INCLUDE

CATALOG = read_yaml(INCLUDE / "prompts/models.yaml", ModelCatalog)
JP_NOVA = "jp.amazon.nova-2-lite-v1:0"


def invoke(*arguments: str, include: Path = INCLUDE) -> str:
    ended = CliRunner().invoke(app, ["models", *arguments, "--include", str(include)])
    if ended.exception and not isinstance(ended.exception, SystemExit):
        raise ended.exception
    assert ended.exit_code == 0, ended.output
    return ended.stdout


@pytest.fixture
def include(tmp_path: Path) -> Path:
    """A copy of `include/` that may be written to."""
    return Path(shutil.copytree(INCLUDE, tmp_path / "include"))


def refreshed(*arguments: str) -> dict[str, str]:
    """What `refresh` says of each model."""
    blocks = re.split(r"\n(?=\S)", invoke("refresh", *arguments))
    return {block.partition(": ")[0]: block for block in blocks}


# list


def test_every_model_is_a_line_with_its_place_its_state_and_its_price():
    lines = {line.split()[0]: line for line in invoke("list").splitlines()}

    assert set(lines) > {model.model_id for model in CATALOG.models}
    assert re.search(r" jp +can be called +0\.11 +0\.55 +0\.011 +-$", lines["jp.anthropic.claude-haiku-5-5"])
    assert re.search(r" us-east-1 +can be called +0\.07 +0\.30 +- +0\.035/0\.15$", lines["openai.gpt-oss-20b-1:0"])
    assert "ended 2026-09-10" in lines["anthropic.claude-3-haiku-20240307-v1:0"]
    assert "to compare with" in lines["gpt-3.5-turbo-0125"]
    assert max(map(len, lines.values())) <= 120


def test_a_program_gets_all_that_the_catalog_says():
    models = {model["model_id"]: model for model in json.loads(invoke("list", "--json"))}

    haiku = models["global.anthropic.claude-haiku-5-5"]
    assert set(models) == {model.model_id for model in CATALOG.models}
    assert haiku["price"]["long_prompt"]["input"] == "0.50"
    assert haiku["price"]["batch"] is None
    assert (haiku["status"], haiku["output_modes"], haiku["cache_min_tokens"]) == (
        "can be called",
        ["tool", "prompt"],
        512,
    )
    assert haiku["life"]["ends_not_before"] == "2027-10-07"


def test_the_manual_shows_a_model_as_it_is_printed():
    shown = json.loads(re.findall(r"```json\n(.*?)```", command_manual.SECTIONS["models list"], re.DOTALL)[0])

    assert shown[0] in json.loads(invoke("list", "--json"))


# refresh


def test_the_catalog_agrees_with_the_list_but_for_what_its_document_explains():
    said = refreshed()

    changed = {name: block for name, block in said.items() if "  changed" in block}
    assert set(changed) == {JP_NOVA, "anthropic.claude-3-5-haiku-20241022-v1:0"}
    assert "input 0.396 → 0.33, output 3.311 → 2.75, cache_read none → 0.0825" in changed[JP_NOVA]
    assert said["models that can be called and have another price there"].endswith(": 1")


def test_steps_by_length_and_batch_inference_are_compared_too():
    said = refreshed("--model", "global.anthropic.claude-haiku-5-5", "--model", "gpt-3.5-turbo-0125")

    haiku = "same     input, output, cache_read, cache_write, long_prompt.input, long_prompt.output"
    assert haiku in said["global.anthropic.claude-haiku-5-5"]
    assert "same     input, output, batch.input, batch.output" in said["gpt-3.5-turbo-0125"]


def test_a_price_of_another_place_is_no_price_of_a_profile():
    said = refreshed("--model", "apac.amazon.nova-micro-v1:0")

    assert "the list has no price of it in that place" in said["apac.amazon.nova-micro-v1:0"]


def test_a_price_of_nothing_is_taken_for_unknown(monkeypatch: pytest.MonkeyPatch, include: Path):
    (aws,) = [provider for provider in providers if provider.id == "aws"]
    listed = aws.find_model("openai.gpt-oss-20b-1:0")
    monkeypatch.setattr(listed, "prices", ModelPrice(input_mtok=Decimal(0), output_mtok=Decimal("0.30")))

    said = invoke("refresh", "--model", "openai.gpt-oss-20b-1:0", "--write", include=include)

    assert "same     output\n  unknown  input, batch.input, batch.output\n" in said
    assert (include / "prompts/models.yaml").read_text() == (INCLUDE / "prompts/models.yaml").read_text()


def test_nothing_is_written_unless_it_is_asked_for(include: Path):
    invoke("refresh", include=include)

    assert (include / "prompts/models.yaml").read_text() == (INCLUDE / "prompts/models.yaml").read_text()


def test_what_changed_is_written_with_its_day_and_source_and_then_it_agrees(include: Path):
    today = datetime.now(UTC).date()

    invoke("refresh", "--write", include=include)

    model = read_yaml(include / "prompts/models.yaml", ModelCatalog).model(JP_NOVA)
    price = model.price(today)
    assert (str(price.input), str(price.output), price.since) == ("0.33", "2.75", f"{today}")
    assert price.source == f"genai-prices 0.1.13 (regional.amazon.nova-2-lite-v1:0), read {today}"
    assert model.prices[:-1] == CATALOG.model(JP_NOVA).prices
    assert "have another price there: 0" in invoke("refresh", "--write", include=include)


def test_only_the_models_that_are_named_are_looked_at(include: Path):
    said = invoke("refresh", "--model", "stand-in", "--write", include=include)

    assert JP_NOVA not in said
    assert (include / "prompts/models.yaml").read_text() == (INCLUDE / "prompts/models.yaml").read_text()


def test_a_model_that_the_catalog_lacks_is_an_error():
    with pytest.raises(SetupError, match="model 'gpt' is not in the catalog"):
        invoke("refresh", "--model", "gpt")


def test_without_the_package_the_command_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "genai_prices.data", None)

    with pytest.raises(SetupError, match="genai-prices is not installed: pip install"):
        invoke("refresh")
    assert "jp.anthropic" in invoke("list")
