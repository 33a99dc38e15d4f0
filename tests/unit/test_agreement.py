"""Statistics of agreement: the same as statsmodels, scikit-learn and scipy have them, and what happens at the edges."""

import math
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.contingency_tables import mcnemar as reference_mcnemar
from statsmodels.stats.inter_rater import cohens_kappa as reference_kappa
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.weightstats import DescrStatsW

from chatcensus.agreement import Kappa, cohen_kappa, mcnemar, paired_difference, weighted_kappa, wilson

CATEGORIES, SCORES = ["coding", "writing", "other", "translation"], [1, 2, 3, 4, 5]
EXACT = {"abs": 1e-9, "rel": 0}

category_pairs = st.dictionaries(st.tuples(*[st.sampled_from(CATEGORIES)] * 2), st.integers(0, 200), min_size=1)
score_pairs = st.dictionaries(st.tuples(*[st.sampled_from(SCORES)] * 2), st.integers(0, 200), min_size=1)
counts = st.integers(0, 400)


def table(pairs: Mapping[tuple, int], labels: list) -> np.ndarray:
    """The same counts as a square."""
    return np.array([[pairs.get((one, other), 0) for other in labels] for one in labels], dtype=float)


def is_defined(square: np.ndarray) -> bool:
    """Whether the two judges used more than one label between them."""
    return np.count_nonzero(square.sum(0) + square.sum(1)) > 1


def clipped(*ends: float) -> tuple[float, float]:
    return max(-1.0, ends[0]), min(1.0, ends[1])


def check(found: Kappa, square: np.ndarray, wt: str | None) -> None:
    """Compare *found* and its interval with statsmodels."""
    with np.errstate(divide="ignore", invalid="ignore"):  # of a z value that statsmodels reckons besides
        expected = reference_kappa(square, wt=wt)
    half = stats.norm.ppf(0.975) * math.sqrt(max(0.0, expected.var_kappa))
    low, high = clipped(expected.kappa - half, expected.kappa + half)
    # The variance of statsmodels is a difference of nearly equal numbers: near 0 its root holds half of the digits.
    digits = EXACT if expected.var_kappa > 1e-12 else {"abs": 1e-6}
    assert found.estimate == pytest.approx(expected.kappa, **EXACT)
    assert (found.low, found.high) == (pytest.approx(low, **digits), pytest.approx(high, **digits))


def spread(pairs: Mapping[tuple, int]) -> tuple:
    """The first labels, the second labels, and how often each pair stands."""
    return tuple(zip(*((*pair, count) for pair, count in pairs.items()), strict=True))


@given(category_pairs)
def test_kappa_and_its_interval_are_those_of_statsmodels_and_scikit_learn(pairs: dict):
    square = table(pairs, CATEGORIES)
    assume(is_defined(square))

    found = cohen_kappa(pairs)

    check(found, square, wt=None)
    first, second, weights = spread(pairs)
    assert found.estimate == pytest.approx(cohen_kappa_score(first, second, sample_weight=weights), **EXACT)


@given(score_pairs)
def test_weighted_kappa_and_its_interval_are_those_of_statsmodels_and_scikit_learn(pairs: dict):
    square = table(pairs, SCORES)
    assume(is_defined(square))

    found = weighted_kappa(pairs)

    check(found, square, wt="quadratic")
    first, second, weights = spread(pairs)
    other = cohen_kappa_score(first, second, labels=SCORES, weights="quadratic", sample_weight=weights)
    assert found.estimate == pytest.approx(other, **EXACT)


@given(counts, counts, st.sampled_from([0.8, 0.9, 0.95, 0.99]))
def test_wilson_is_that_of_statsmodels(successes: int, failures: int, confidence: float):
    assume(successes + failures)

    found = wilson(successes, successes + failures, confidence)

    low, high = proportion_confint(successes, successes + failures, 1 - confidence, method="wilson")
    assert (found.low, found.high) == (pytest.approx(low, **EXACT), pytest.approx(high, **EXACT))


@given(counts, counts)
def test_mcnemar_is_that_of_statsmodels_and_of_the_binomial_test_of_scipy(only_first: int, only_second: int):
    found = mcnemar(only_first, only_second)

    square = [[7, only_first], [only_second, 7]]
    assert found == pytest.approx(reference_mcnemar(square, exact=True).pvalue, **EXACT)
    if only_first + only_second:
        other = stats.binomtest(only_first, only_first + only_second).pvalue
        assert found == pytest.approx(other, **EXACT)


@given(counts, counts, counts)
def test_the_paired_difference_is_the_weighted_mean_of_statsmodels(only_first: int, only_second: int, alike: int):
    assume(only_first + only_second + alike)

    found = paired_difference(only_first, only_second, only_first + only_second + alike)

    cells = DescrStatsW([-1.0, 1.0, 0.0], weights=[only_first + 0.5, only_second + 0.5, alike + 1])
    half = stats.norm.ppf(0.975) * math.sqrt(cells.var / cells.sum_weights)
    low, high = clipped(cells.mean - half, cells.mean + half)
    assert (found.low, found.high) == (pytest.approx(low, **EXACT), pytest.approx(high, **EXACT))


def test_two_judges_who_agree_on_everything_have_a_kappa_of_exactly_one():
    assert cohen_kappa({("coding", "coding"): 7, ("other", "other"): 3}) == Kappa(1.0, 1.0, 1.0, 10)
    assert weighted_kappa({(1, 1): 7, (5, 5): 3}) == Kappa(1.0, 1.0, 1.0, 10)


def test_kappa_is_not_defined_where_both_judges_always_say_the_same():
    assert cohen_kappa({("coding", "coding"): 9}) == Kappa(None, None, None, 9)
    assert weighted_kappa({(3, 3): 9, (1, 2): 0}) == Kappa(None, None, None, 9)


def test_a_label_that_nobody_used_changes_nothing():
    pairs = {("coding", "coding"): 5, ("coding", "other"): 2, ("other", "other"): 4}

    assert cohen_kappa({**pairs, ("writing", "other"): 0}) == cohen_kappa(pairs)


@given(category_pairs)
def test_kappa_does_not_depend_on_who_is_the_first_judge(pairs: dict):
    assume(sum(pairs.values()))

    assert cohen_kappa({(other, one): count for (one, other), count in pairs.items()}) == cohen_kappa(pairs)


@pytest.mark.parametrize(
    ("figure", "message"),
    [
        pytest.param(lambda: wilson(0, 0), "a case at least", id="a share of nothing"),
        pytest.param(lambda: wilson(3, 2), "3 of 2", id="more successes than cases"),
        pytest.param(lambda: cohen_kappa({}), "a conversation at least", id="kappa of nothing"),
        pytest.param(lambda: cohen_kappa({("a", "b"): 0}), "a conversation at least", id="kappa of empty counts"),
        pytest.param(lambda: cohen_kappa({("a", "b"): -1}), "not negative", id="a negative count"),
        pytest.param(lambda: weighted_kappa({(0, 3): 1}), r"not \[0\]", id="a score of 0"),
        pytest.param(lambda: mcnemar(-1, 2), "not negative", id="a negative count of McNemar"),
        pytest.param(lambda: paired_difference(0, 0, 0), "a conversation at least", id="a difference of nothing"),
        pytest.param(lambda: paired_difference(2, 2, 3), "2, 2 of 3", id="more differences than conversations"),
    ],
)
def test_what_has_no_answer_is_refused(figure, message: str):
    with pytest.raises(ValueError, match=message):
        figure()


def test_a_p_of_many_conversations_is_a_number():
    assert mcnemar(5000, 5000) == 1.0
    assert 0 < mcnemar(1000, 1200) < 0.001
