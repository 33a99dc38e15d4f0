"""Corrected shares: examples by hand, what always holds, and when there is no correction."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcensus.shares import beta_cdf, beta_quantile, corrected_shares, refusal
from chatcensus.summaries import POOLED

NAMES = ["a", "b", "c", "d", "e", POOLED]
counts = st.dictionaries(st.sampled_from(NAMES), st.integers(1, 3000), min_size=1)
rows = st.dictionaries(st.sampled_from(NAMES[:5]), st.integers(0, 60))
golds = st.dictionaries(st.sampled_from(NAMES[:5]), rows)


def estimates(counted: dict[str, int], gold: dict[str, dict[str, int]]) -> dict[str, float]:
    return {category: share.estimate for category, share in corrected_shares(counted, gold).items()}


def test_a_share_is_what_each_counted_category_truly_holds():
    counted = {"a": 600, "b": 400}
    gold = {"a": {"a": 45, "b": 5}, "b": {"a": 10, "b": 30}}

    # 600 x 0.9 + 400 x 0.25, and 600 x 0.1 + 400 x 0.75
    assert estimates(counted, gold) == pytest.approx({"a": 0.64, "b": 0.36})


def test_an_interval_by_hand():
    share = corrected_shares({"a": 200, "b": 100}, {"a": {"a": 9, "b": 1}, "b": {"b": 10}})["b"]

    # Of "a": 190 unlabelled with chance (1 + 0.375) / 10.75; of "b": 90 with (10 + 0.375) / 10.75.
    chances, unlabelled = (1.375 / 10.75, 10.375 / 10.75), (190, 90)
    mean = (11 + sum(n * p for n, p in zip(unlabelled, chances, strict=True))) / 300
    variance = sum(n * (n + 10.75) / 11.75 * p * (1 - p) for n, p in zip(unlabelled, chances, strict=True)) / 300**2
    weight = mean * (1 - mean) / variance - 1
    below, above = (beta_cdf(end, mean * weight, (1 - mean) * weight) for end in (share.low, share.high))
    assert (below, above) == (pytest.approx(0.025), pytest.approx(0.975))


def test_a_judge_without_an_error_is_left_as_counted():
    counted = {"a": 617, "b": 299, "c": 84}

    found = corrected_shares(counted, {name: {name: 33} for name in counted})

    assert {name: share.estimate for name, share in found.items()} == {"a": 0.617, "b": 0.299, "c": 0.084}
    assert all(share.low < share.estimate < share.high for share in found.values())


def test_where_people_have_labelled_everything_the_shares_are_theirs():
    gold = {"a": {"a": 50, "b": 10}, "b": {"b": 40}}

    found = corrected_shares({"a": 60, "b": 40}, gold)

    assert [(s.low, s.estimate, s.high) for s in found.values()] == [(0.5, 0.5, 0.5), (0.5, 0.5, 0.5)]


def test_more_labels_make_an_interval_shorter():
    def width(times: int) -> float:
        gold = {"a": {"a": 9 * times, "b": times}, "b": {"a": times, "b": 9 * times}}
        share = corrected_shares({"a": 50_000, "b": 30_000}, gold)["a"]
        return share.high - share.low

    assert width(40) == pytest.approx(width(10) / 2, rel=0.05)


@given(counts, golds)
def test_shares_add_up_to_one_and_lie_in_their_intervals(counted: dict[str, int], gold: dict[str, dict[str, int]]):
    found = corrected_shares(counted, gold)

    assert math.isclose(sum(share.estimate for share in found.values()), 1)
    assert all(0 <= share.low <= share.estimate <= share.high <= 1 for share in found.values())
    assert set(counted) <= set(found) <= {*counted, POOLED}


@given(counts, golds)
def test_the_order_of_categories_changes_nothing(counted: dict[str, int], gold: dict[str, dict[str, int]]):
    backwards = corrected_shares(dict(reversed(counted.items())), dict(reversed(gold.items())))

    for category, share in corrected_shares(counted, gold).items():
        assert backwards[category].estimate == pytest.approx(share.estimate)
        assert (backwards[category].low, backwards[category].high) == pytest.approx((share.low, share.high), abs=1e-9)


# What is pooled


def test_true_categories_that_are_not_told_apart_are_one():
    counted = {"a": 970, POOLED: 30}
    gold = {"a": {"a": 90, "b": 6, "c": 4}, "b": {"b": 3}}

    found = estimates(counted, gold)

    assert found == pytest.approx({"a": 0.97 * 0.9, POOLED: 0.97 * 0.1 + 0.03})


def test_what_is_counted_in_the_pool_may_be_of_any_category():
    gold = {"a": {"a": 900, "b": 100}, "b": {"a": 100, "b": 900}}
    apart, pooled = {"a": 5700, "b": 3800}, {"a": 5700, "b": 3800, POOLED: 500}

    inside, around = corrected_shares(apart, gold), corrected_shares(pooled, gold)

    for category in apart:
        assert around[category].low == pytest.approx(inside[category].low * 0.95, rel=0.01)
        assert around[category].high == pytest.approx(inside[category].high * 0.95 + 0.05, rel=0.01)
    assert around[POOLED].low == pytest.approx(0, abs=0.001)
    assert around[POOLED].estimate == pytest.approx(0.05)
    assert around[POOLED].high >= 0.05


def test_what_the_judge_never_says_and_people_do_is_in_the_pool():
    found = estimates({"a": 500, "b": 500}, {"a": {"a": 45, "c": 5}, "b": {"b": 50}})

    assert found == pytest.approx({"a": 0.45, "b": 0.5, POOLED: 0.05})


def test_a_category_without_labels_keeps_its_count_within_all_and_none():
    share = corrected_shares({"a": 960, "b": 40}, {"a": {"a": 100}})["b"]

    assert share.estimate == pytest.approx(0.04)
    assert share.low < 0.001
    assert share.high > 0.04


# When there is no correction


@pytest.mark.parametrize(
    ("counted", "gold", "why"),
    [
        pytest.param({"a": 960, "b": 40}, {"a": {"a": 50}}, None, id="few without a label"),
        pytest.param({"a": 950, POOLED: 50}, {"a": {"a": 50}}, None, id="exactly as many as may be"),
        pytest.param({"a": 940, "b": 60}, {"a": {"a": 50}}, r"60 of 1000 .* \(b\), at most 5%", id="too many"),
        pytest.param({"a": 94, POOLED: 6}, {"a": {"a": 9}}, r"6 of 100 .* \(\(few\)\)", id="too many in the pool"),
        pytest.param({"a": 900, "b": 100}, {"a": {"a": 5}, "b": {"a": 0}}, "100 of 1000", id="labels of zero"),
        pytest.param({"a": 900}, {}, "900 of 900", id="no labels"),
        pytest.param({"a": 90}, {"a": {"a": 91}}, "91 labels, the table 90 conversations", id="no sample of it"),
        pytest.param({"a": 90}, {"a": {"a": 90}}, None, id="all are labelled"),
    ],
)
def test_a_table_is_refused_as_a_whole(counted: dict[str, int], gold: dict[str, dict[str, int]], why: str | None):
    found = refusal(counted, gold)

    assert (found is None) if why is None else re.search(why, str(found))


# The Beta distribution


@pytest.mark.parametrize(
    ("x", "a", "b", "probability"),
    [
        pytest.param(0.3, 1, 1, 0.3, id="even"),
        pytest.param(0.3, 2, 1, 0.09, id="a square"),
        pytest.param(0.3, 1, 3, 1 - 0.7**3, id="a cube"),
        pytest.param(0.25, 0.5, 0.5, 2 / math.pi * math.asin(0.5), id="arcsine"),
        pytest.param(0.3, 2, 5, 1 - 0.7**6 - 6 * 0.3 * 0.7**5, id="two or more of six"),
        pytest.param(0.5, 700, 700, 0.5, id="the middle of a narrow one"),
        pytest.param(0, 2, 5, 0, id="below"),
        pytest.param(1, 2, 5, 1, id="above"),
    ],
)
def test_a_beta_distribution_by_hand(x: float, a: float, b: float, probability: float):
    assert beta_cdf(x, a, b) == pytest.approx(probability, abs=1e-12)


parameters = st.floats(0.01, 100_000)


@given(st.sampled_from([0.025, 0.5, 0.975]), parameters, parameters)
def test_a_quantile_is_where_the_distribution_passes_its_probability(probability: float, a: float, b: float):
    x = beta_quantile(probability, a, b)

    assert 0 <= x <= 1
    assert beta_cdf(x - 1e-11, a, b) - 1e-9 <= probability <= beta_cdf(x + 1e-11, a, b) + 1e-9


@pytest.mark.parametrize(("probability", "a", "b"), [(0, 1, 1), (1, 1, 1), (0.5, 0, 1), (0.5, 1, -1)])
def test_what_is_no_beta_quantile_is_refused(probability: float, a: float, b: float):
    with pytest.raises(ValueError, match="a Beta quantile needs"):
        beta_quantile(probability, a, b)
