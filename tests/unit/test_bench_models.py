"""The tables of docs/models.md are what bench/models.py says with the catalog's prices, and agree with sums by hand."""

import re
from decimal import Decimal

import pytest
from typer.testing import CliRunner

from bench.models import DAY, OURS, REPOSITORY, batch_usd, cached_usd, realtime_usd, tables
from chatcensus.__main__ import app
from chatcensus.include import read_yaml
from chatcensus.model_catalog import Model, ModelCatalog
from chatcensus.prompt import _OUTPUT as OUTPUT_MODES

PAGE = (REPOSITORY / "docs/models.md").read_text()
CATALOG = {
    model.model_id: model for model in read_yaml(REPOSITORY / "include/prompts/models.yaml", ModelCatalog).models
}


def test_the_tables_of_the_document_are_those_of_the_script():
    for table in tables():
        assert table in PAGE, "run `PYTHONPATH=plugins:. python -m bench.models` and take its tables over"


@pytest.mark.parametrize(
    ("model_id", "realtime", "cached", "batch"),
    [
        # 600 + 1,500 tokens in and 40 out, USD per million of each.
        pytest.param("global.anthropic.claude-haiku-5-5", 210 + 20, 6 + 150 + 20, None, id="a cache, no batch"),
        pytest.param("global.anthropic.claude-haiku-4-5-20251001-v1:0", 2300, None, 1150, id="too short to cache"),
        pytest.param("openai.gpt-oss-20b-1:0", 147 + 57, None, 102, id="150 of thinking"),
        pytest.param("global.anthropic.claude-sonnet-5-5", 4200 + 5400, None, None, id="500 of thinking"),
        pytest.param("anthropic.claude-3-haiku-20240307-v1:0", 575, None, Decimal("287.5"), id="after its end"),
    ],
)
def test_a_million_conversations_cost_what_a_hand_reckons(
    model_id: str, realtime: int, cached: int | None, batch: Decimal | int | None
):
    model, price = CATALOG[model_id], CATALOG[model_id].last_price(DAY)

    assert realtime_usd(model, price, 600, 1500) == realtime
    assert cached_usd(model, price, 600, 1500) == cached
    assert batch_usd(model, price, 600, 1500) == batch


def test_what_is_cached_starts_at_the_length_that_the_model_says():
    nova = CATALOG["amazon.nova-micro-v1:0"]

    assert cached_usd(nova, nova.last_price(DAY), 1535, 500) is None
    assert cached_usd(nova, nova.last_price(DAY), 1536, 500)
    assert cached_usd(nova, nova.last_price(DAY), OURS, 500)


def test_every_field_and_every_mode_of_a_model_is_explained():
    explained = set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))

    assert explained == set(Model.model_fields) | set(OUTPUT_MODES)


@pytest.mark.parametrize("arguments", [["models", "list"], ["models", "refresh"]], ids=" ".join)
def test_what_the_document_shows_of_a_command_is_what_it_prints(arguments: list[str]):
    printed = CliRunner().invoke(app, [*arguments, "--include", str(REPOSITORY / "include")]).stdout.splitlines()

    after = PAGE.partition(f"```sh\nchatcensus {' '.join(arguments)}\n")[2]
    shown = re.search(r"```text\n(.*?)```", after, re.DOTALL)
    assert shown
    assert [line for line in shown[1].splitlines() if line not in printed] == []
