"""The catalog's prices beside those of another list: what is said of each rate, and what of the file changes."""

from datetime import date
from decimal import Decimal

import pytest
import yaml

from chatcensus.errors import ChatCensusError
from chatcensus.model_catalog import ModelCatalog
from chatcensus.price_refresh import Compared, compare, flat_rates, new_price, with_new_prices
from chatcensus.pricing import Price
from tests.fakes import INCLUDE

FILE = (INCLUDE / "prompts/models.yaml").read_text()
PRICES = {model.model_id: model.prices[-1] for model in ModelCatalog.model_validate(yaml.safe_load(FILE)).models}
JP_HAIKU, GPT_OSS = "jp.anthropic.claude-haiku-5-5", "openai.gpt-oss-20b-1:0"
REGIONAL = [f"{place}.anthropic.claude-haiku-5-5" for place in ("jp", "us", "eu", "au")]
SINCE = "2027-01-15"


def dearer(model_id: str, rate: str = "2") -> Price:
    """The model's price with another rate for what goes in."""
    return new_price(PRICES[model_id], {"input": Decimal(rate)}, SINCE, "made up, read 2027-01-15")


def read(text: str) -> ModelCatalog:
    return ModelCatalog.model_validate(yaml.safe_load(text))


def test_the_rates_of_a_price_have_one_name_each():
    assert flat_rates(PRICES[JP_HAIKU]) == {
        "input": Decimal("0.11"),
        "output": Decimal("0.55"),
        "cache_read": Decimal("0.011"),
        "cache_write": Decimal("0.1375"),
        "long_prompt.over_tokens": 100_000,
        "long_prompt.input": Decimal("0.55"),
        "long_prompt.output": Decimal("2.75"),
        "long_prompt.cache_read": Decimal("0.055"),
        "long_prompt.cache_write": Decimal("0.6875"),
    }


@pytest.mark.parametrize(
    ("ours", "theirs", "verdict"),
    [
        ("1.00", "1", "same"),
        ("1", "2", "changed"),
        (None, "2", "changed"),
        ("0", "0.1", "changed"),
        ("1", None, "unknown"),
    ],
)
def test_a_rate_that_the_list_lacks_is_unknown_and_never_free(ours: str | None, theirs: str | None, verdict: str):
    values = [None if value is None else Decimal(value) for value in (ours, theirs)]

    assert Compared("input", *values).verdict == verdict


def test_every_rate_of_either_side_is_compared():
    price = PRICES[GPT_OSS]

    found = compare(price, {"input": Decimal("0.07"), "cache_read": Decimal("0.01")})

    assert {rate.rate: rate.verdict for rate in found} == {
        "input": "same",
        "output": "unknown",
        "batch.input": "unknown",
        "batch.output": "unknown",
        "cache_read": "changed",
    }


def test_a_new_price_keeps_what_the_list_lacks():
    price = new_price(PRICES[JP_HAIKU], {"output": Decimal("0.6"), "batch.input": Decimal("0.05"), "batch.output":
                      Decimal("0.3")}, SINCE, "made up")  # fmt: skip

    assert flat_rates(price) == flat_rates(PRICES[JP_HAIKU]) | {
        "output": Decimal("0.6"),
        "batch.input": Decimal("0.05"),
        "batch.output": Decimal("0.3"),
    }
    assert (price.since, price.source) == (SINCE, "made up")


def test_a_price_is_one_more_line_of_the_file_and_all_others_stay():
    price = dearer(GPT_OSS)

    text = with_new_prices(FILE, {GPT_OSS: price})

    added = [line for line in text.splitlines() if line not in FILE.splitlines()]
    assert len(added) == 1
    assert text.replace(f"{added[0]}\n", "") == FILE
    model = read(text).model(GPT_OSS)
    assert model.price(date(2027, 1, 14)) == PRICES[GPT_OSS]
    assert model.price(date(2027, 1, 15)) == price


def test_models_that_share_their_prices_get_the_new_one_together():
    text = with_new_prices(FILE, {model_id: dearer(JP_HAIKU) for model_id in REGIONAL})

    assert len(text.splitlines()) == len(FILE.splitlines()) + 1
    assert {read(text).model(model_id).price(date(2027, 2, 1)) for model_id in REGIONAL} == {dearer(JP_HAIKU)}


def test_all_prices_of_the_file_can_be_written_and_nothing_else_changes():
    prices = {model_id: dearer(model_id) for model_id in PRICES}

    text = with_new_prices(FILE, prices)

    assert {model.model_id: model.prices[-1] for model in read(text).models} == prices
    assert [line for line in text.splitlines() if SINCE not in line] == FILE.splitlines()


@pytest.mark.parametrize(
    ("prices", "message"),
    [
        pytest.param({JP_HAIKU: dearer(JP_HAIKU)}, "share one list of prices: name all of them", id="one of four"),
        pytest.param(
            {name: dearer(name, f"{number}") for number, name in enumerate(REGIONAL)}, "share one list", id="not alike"
        ),
        pytest.param(
            {GPT_OSS: PRICES[GPT_OSS].model_copy(update={"input": Decimal(9)})},
            "has a price of 2025-08-05 already: correct that one by hand",
            id="twice a day",
        ),
    ],
)
def test_what_would_change_more_than_was_asked_for_is_not_written(prices: dict[str, Price], message: str):
    with pytest.raises(ChatCensusError, match=message):
        with_new_prices(FILE, prices)


def test_prices_that_do_not_stand_one_a_line_are_left_to_a_person():
    text = FILE.replace(
        '      - {since: "2026-09-28", input: "2.00"', '      - since: "2026-09-28"\n        input: "2.00"'
    ).replace(', output: "10.00", cache_read: "0.10", cache_write: "2.50", source: "AWS price list, read 2026-11-12"}',
              '\n        output: "10.00"\n        source: "made up"')  # fmt: skip
    sonnet = "global.anthropic.claude-sonnet-5-5"

    with pytest.raises(ChatCensusError, match="do not stand one a line"):
        with_new_prices(text, {sonnet: dearer(sonnet)})
