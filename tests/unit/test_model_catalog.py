import re
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from chatcensus.errors import SetupError
from chatcensus.include import read_yaml
from chatcensus.model_catalog import Life, Model, ModelCatalog
from chatcensus.pricing import Usage, cost_micro_usd
from tests.fakes import INCLUDE, MODEL

CATALOG = read_yaml(INCLUDE / "prompts/models.yaml", ModelCatalog)


def priced(*since: str) -> Model:
    """A model whose price changed on each of these days, by one dollar each time."""
    prices = [
        price.model_copy(update={"since": day, "input": n}) for n, day in enumerate(since) for price in MODEL.prices
    ]
    return MODEL.model_copy(update={"prices": tuple(prices)})


@pytest.mark.parametrize(
    ("day", "input_price"),
    [
        (date(2026, 3, 1), 0),
        (date(2026, 5, 31), 0),
        (date(2026, 6, 1), 1),
        (date(2027, 1, 1), 2),
        (date(2030, 1, 1), 2),
    ],
)
@pytest.mark.parametrize("order", [1, -1])
def test_the_price_of_a_day_is_the_latest_one_in_force(day: date, input_price: int, order: int):
    model = priced("2026-03-01", "2026-06-01", "2027-01-01")
    model = model.model_copy(update={"prices": model.prices[::order]})

    assert model.price(day).input == input_price


def test_a_day_before_the_first_price_is_an_error_and_never_free():
    with pytest.raises(SetupError, match=r"model 'fake' has no price for 2026-02-28: add one to include/prompts"):
        priced("2026-03-01").price(date(2026, 2, 28))


def test_a_model_is_found_by_its_id():
    assert CATALOG.model("stand-in").model_id == "stand-in"


def test_an_unknown_model_is_an_error_that_names_those_there_are():
    with pytest.raises(SetupError) as raised:
        CATALOG.model("gpt")

    assert "'gpt'" in str(raised.value)
    assert all((model.model_id in str(raised.value)) is model.is_invocable for model in CATALOG.models)


def test_a_model_id_stands_only_once():
    with pytest.raises(ValidationError, match="a model_id may stand only once: fake"):
        ModelCatalog(models=(MODEL, MODEL))


@pytest.mark.parametrize(
    "wrong",
    [
        {"output_modes": []},
        {"output_modes": ["json"]},
        {"max_tokens": 0},
        {"burndown": 0},
        {"prices": []},
        {"model_id": ""},
        {"price": 1},
    ],
)
def test_a_model_without_what_a_call_needs_is_refused(wrong: dict[str, Any]):
    with pytest.raises(ValidationError):
        Model.model_validate(MODEL.model_dump() | wrong)


@pytest.mark.parametrize("model", CATALOG.models, ids=[model.model_id for model in CATALOG.models])
def test_each_model_we_ship_has_a_price_with_its_source_and_can_answer_without_a_tool(model: Model):
    price = model.last_price(date(2026, 12, 1))

    assert re.search(r"\bread 20\d\d-\d\d-\d\d\b", price.source) or model.model_id == "stand-in"
    assert 0 < price.input < price.output
    assert not price.batch or price.batch.input * 2 == price.input
    assert not price.batch or price.batch.output * 2 == price.output
    assert "prompt" in model.output_modes
    assert model.max_tokens >= 64


def test_a_model_that_caches_without_a_price_for_it_is_refused():
    with pytest.raises(ValidationError, match="cache_read and cache_write"):
        Model.model_validate(
            MODEL.model_dump()
            | {"cache_min_tokens": 512, "prices": [MODEL.prices[0].model_dump() | {"cache_read": None}]}
        )


def test_a_model_that_is_there_for_comparison_only_cannot_be_chosen():
    historical = MODEL.model_copy(update={"model_id": "gone", "is_invocable": False})

    with pytest.raises(SetupError, match="'gone' is there to be compared with"):
        ModelCatalog(models=(MODEL, historical)).model("gone")


LIFE = MODEL.model_copy(
    update={"life": Life(launched=date(2026, 1, 1), ends=date(2026, 9, 10), source="made up"), "is_invocable": True}
)


def test_a_model_can_be_called_until_the_day_its_life_ends_and_not_on_it():
    assert LIFE.price(date(2026, 9, 9)) == MODEL.prices[0]

    with pytest.raises(SetupError, match="the life of model 'fake' is over by 2026-09-10: choose another model"):
        LIFE.price(date(2026, 9, 10))


def test_what_an_ended_model_cost_last_can_be_compared_with():
    assert LIFE.last_price(date(2027, 1, 1)) == MODEL.prices[0]
    assert LIFE.has_ended(date(2027, 1, 1))


@pytest.mark.parametrize(
    ("model_id", "input_tokens", "usd"),
    [
        pytest.param("global.anthropic.claude-haiku-5-5", 100_000, "0.01002", id="at the threshold"),
        pytest.param("global.anthropic.claude-haiku-5-5", 100_001, "0.050101", id="past it, the whole request"),
        pytest.param("jp.anthropic.claude-haiku-5-5", 100_000, "0.011022", id="in Japan, at the threshold"),
        pytest.param("jp.anthropic.claude-haiku-5-5", 100_001, "0.055111", id="in Japan, past it"),
    ],
)
def test_a_long_prompt_has_the_price_of_its_own(model_id: str, input_tokens: int, usd: str):
    price = CATALOG.model(model_id).price(date(2026, 12, 1))

    assert cost_micro_usd(Usage(input_tokens, 40), price) == Decimal(usd) * 10**6


def test_the_models_of_the_original_comparison_are_there_and_cannot_be_called():
    historical = {model.family: model for model in CATALOG.models if not model.is_invocable}

    assert set(historical) == {"gpt-3.5-turbo", "claude-3-haiku", "claude-3-5-haiku"}
    assert all(model.life for model in historical.values())
    for model in historical.values():
        with pytest.raises(SetupError, match="cannot be called"):
            CATALOG.model(model.model_id)


def test_entries_of_a_family_differ_in_place_and_price_alone():
    same = {"family", "quota_name", "output_modes", "max_tokens", "burndown", "thinking_tokens", "temperature"}
    families: dict[str, list[dict[str, Any]]] = {}
    for model in CATALOG.models:
        families.setdefault(model.family, []).append(model.model_dump(include=same | {"request_fields", "life"}))

    assert {family for family, entries in families.items() if any(entry != entries[0] for entry in entries)} == set()
