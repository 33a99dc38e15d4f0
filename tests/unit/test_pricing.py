import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from chatcensus.errors import SetupError
from chatcensus.pricing import Price, Usage, cost_micro_usd

HAIKU = {
    "since": "2026-10-07",
    "input": "0.11",
    "output": "0.55",
    "cache_read": "0.011",
    "cache_write": "0.1375",
    "source": "made up",
}
HAIKU_LONG = {"over_tokens": 1000, "input": "0.55", "output": "2.75", "cache_read": "0.055", "cache_write": "0.6875"}
PRICE = Price.model_validate(HAIKU)

counts = st.integers(0, 10**12)
usages = st.builds(Usage, counts, counts, counts, counts)
amounts = st.decimals(0, 1000, places=6)
prices = st.builds(Price, since=st.just("2026-01-01"), source=st.just("made up"), input=amounts, output=amounts,
                   cache_read=amounts, cache_write=amounts)  # fmt: skip


@given(usages, prices)
def test_a_cost_is_the_exact_sum_rounded_up_once(usage: Usage, price: Price):
    exact = (
        usage.input_tokens * Fraction(price.input)
        + usage.output_tokens * Fraction(price.output)
        + usage.cache_read_tokens * Fraction(price.cache_read)
        + usage.cache_write_tokens * Fraction(price.cache_write)
    )

    assert cost_micro_usd(usage, price) == math.ceil(exact)


@pytest.mark.parametrize(
    ("usage", "micro_usd"),
    [
        pytest.param(Usage(), 0, id="nothing"),
        pytest.param(Usage(input_tokens=1), 1, id="one token is never free"),
        pytest.param(Usage(input_tokens=600, output_tokens=20), 77, id="exact"),
        pytest.param(Usage(input_tokens=601, output_tokens=20), 78, id="rounded up"),
        pytest.param(Usage(200, 20, 1000, 1000), 182, id="with a cache"),
        pytest.param(Usage(10**6, 10**6), 660_000, id="a million each"),
    ],
)
def test_a_cost_in_micro_usd(usage: Usage, micro_usd: int):
    assert cost_micro_usd(usage, PRICE) == micro_usd
    assert type(cost_micro_usd(usage, PRICE)) is int


def test_cached_tokens_went_in_too():
    assert Usage(1, 10, 100, 1000).all_input_tokens == 1101


@pytest.mark.parametrize(
    "wrong",
    [
        {"input": "-0.01"},
        {"output": "NaN"},
        {"output": "Infinity"},
        {"input": None},
        {"cache_read": "-1"},
        {"batch": {"input": "0.1"}},
        {"long_prompt": {"input": "0.1", "output": "0.1"}},
        {"since": "2026-10"},
        {"since": "2026-10-07\n"},
        {"source": None},
        {"inputs": "0.1"},
    ],
)
def test_a_price_that_is_no_price_is_refused(wrong: dict[str, Any]):
    with pytest.raises(ValidationError):
        Price.model_validate(HAIKU | wrong)


def test_a_price_is_the_decimal_that_was_written():
    assert PRICE.cache_write == Decimal("0.1375")


LONG = HAIKU | {"long_prompt": HAIKU_LONG, "batch": {"input": "0.055", "output": "0.275"}}


@pytest.mark.parametrize(
    ("usage", "calls", "micro_usd"),
    [
        pytest.param(Usage(1000), 1, 110, id="as long as it may be"),
        pytest.param(Usage(1001), 1, 551, id="one token longer"),
        pytest.param(Usage(0, 0, 1001), 1, 56, id="what is cached counts"),
        pytest.param(Usage(0, 0, 0, 1001), 1, 689, id="what is written counts"),
        pytest.param(Usage(500, 10**6), 1, 550_055, id="what comes out does not"),
        pytest.param(Usage(2000), 2, 220, id="two of the longest together"),
        pytest.param(Usage(2001), 2, 1101, id="two, longer by their mean"),
        pytest.param(Usage(), 0, 0, id="none"),
    ],
)
def test_a_long_prompt_has_rates_of_its_own_for_the_whole_request(usage: Usage, calls: int, micro_usd: int):
    price = Price.model_validate(LONG)

    assert cost_micro_usd(usage, price, calls=calls) == micro_usd


def test_batch_inference_costs_what_its_rates_say_and_knows_no_cache():
    price = Price.model_validate(LONG)

    assert cost_micro_usd(Usage(500, 40, 100, 100), price, is_batch=True) == math.ceil(700 * 0.055 + 40 * 0.275)


def test_batch_inference_without_a_price_is_an_error_and_never_free():
    with pytest.raises(SetupError, match="no price of batch inference: choose mode realtime"):
        cost_micro_usd(Usage(1), PRICE, is_batch=True)
