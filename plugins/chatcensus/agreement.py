"""
How far two judges agree, and how sure that is: Wilson's interval, Cohen's kappa, McNemar's test.

Every figure is of the standard library alone, and reckoned in whole numbers or fractions up to its last step, so that
nothing is lost where kappa is near 1 or a category is rare.
"""

import math
from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from statistics import NormalDist
from typing import TypeVar

CONFIDENCE = 0.95
SCORES = range(1, 6)  # of the inquiry score

_Label = TypeVar("_Label", bound=Hashable)


@dataclass(frozen=True)
class Interval:
    """Between *low* and *high* lies the true value, as often as the confidence says."""

    low: float
    high: float


@dataclass(frozen=True)
class Kappa:
    """
    Agreement beyond chance: 1 is perfect, 0 what two blind judges would reach; with its 95 % interval.

    Shape: *total* is the conversations that both have judged. All three figures are None where kappa is not defined:
    both judges gave everything the same one label, so that there was nothing to agree about.
    """

    estimate: float | None
    low: float | None
    high: float | None
    total: int


def z_value(confidence: float = CONFIDENCE) -> float:
    """Return how many standard errors on either side cover *confidence* of a normal distribution."""
    return NormalDist().inv_cdf((1 + confidence) / 2)


def wilson(successes: int, total: int, confidence: float = CONFIDENCE) -> Interval:
    """
    Return the interval of a proportion, 0 to 1, that holds for few cases and near both ends too.

    Errors: ValueError without a case.
    Source: Wilson 1927, Probable inference, the law of succession, and statistical inference, JASA 22:209.
    """
    if not 0 <= successes <= total or total == 0:
        raise ValueError(f"a proportion needs a case at least, and not more successes: {successes} of {total}")
    share, z = successes / total, z_value(confidence)
    middle = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total)) / (1 + z * z / total)
    return Interval(0.0 if successes == 0 else middle - half, 1.0 if successes == total else middle + half)


def cohen_kappa(pairs: Mapping[tuple[str, str], int]) -> Kappa:
    """
    Return how far two judges give conversations the same category.

    Shape: *pairs* counts conversations by what the first and what the second judge said.
    Errors: ValueError without a conversation.
    Source: Cohen 1960, A coefficient of agreement for nominal scales; the standard error is that of Fleiss, Cohen and
    Everitt 1969, Large sample standard errors of kappa and weighted kappa, Psychological Bulletin 72:323.
    """
    return _kappa(pairs, lambda one, other: Fraction(one == other))


def weighted_kappa(pairs: Mapping[tuple[int, int], int]) -> Kappa:
    """
    Return how far two judges give the same inquiry score, where two apart is four times as bad as one.

    Shape: *pairs* counts conversations by both scores. Errors: ValueError without a conversation, or for a score that
    there is not.
    Source: Cohen 1968, Weighted kappa, with quadratic weights; the standard error as in `cohen_kappa`.
    """
    if strange := sorted({score for pair in pairs for score in pair} - set(SCORES)):
        raise ValueError(f"an inquiry score is one of {list(SCORES)}, not {strange}")
    widest = (SCORES[-1] - SCORES[0]) ** 2
    return _kappa(pairs, lambda one, other: 1 - Fraction((one - other) ** 2, widest))


def _kappa(pairs: Mapping[tuple[_Label, _Label], int], weight: Callable[[_Label, _Label], Fraction]) -> Kappa:
    """Return kappa with the agreement *weight*, 0 to 1, of each pair of labels; simple kappa weighs 1 and 0."""
    if any(count < 0 for count in pairs.values()):
        raise ValueError("a count of conversations is not negative")
    total = sum(pairs.values())
    if not total:
        raise ValueError("kappa needs a conversation at least that both have judged")
    firsts, seconds = Counter[_Label](), Counter[_Label]()
    for (one, other), count in pairs.items():
        firsts[one] += count
        seconds[other] += count
    # How well a label of one judge agrees with the labels of the other, drawn at random.
    of_first = {one: sum(weight(one, other) * n for other, n in seconds.items()) / total for one in firsts}
    of_second = {other: sum(weight(one, other) * n for one, n in firsts.items()) / total for other in seconds}
    by_chance = sum((of_first[one] * n for one, n in firsts.items()), Fraction()) / total
    if by_chance == 1:
        return Kappa(None, None, None, total)
    observed = sum((weight(*pair) * count for pair, count in pairs.items()), Fraction()) / total
    kappa = (observed - by_chance) / (1 - by_chance)
    squares = sum(
        (
            count * (weight(one, other) - (of_first[one] + of_second[other]) * (1 - kappa)) ** 2
            for (one, other), count in pairs.items()
        ),
        Fraction(),
    )
    variance = (squares / total - (kappa - by_chance * (1 - kappa)) ** 2) / (total * (1 - by_chance) ** 2)
    half = z_value() * math.sqrt(variance)
    return Kappa(float(kappa), max(-1.0, float(kappa) - half), min(1.0, float(kappa) + half), total)


def mcnemar(only_first: int, only_second: int) -> float:
    """
    Return the exact two-sided p of McNemar's test: could chance alone make one judge right so much more often?

    Shape: how many conversations only the first and only the second judge got right. Without any, 1.
    Source: McNemar 1947, Psychometrika 12:153; exact by the binomial distribution with a half.
    """
    if only_first < 0 or only_second < 0:
        raise ValueError(f"a count of conversations is not negative: {only_first}, {only_second}")
    total, fewer = only_first + only_second, min(only_first, only_second)
    ways, sum_of_ways = 1, 0
    for chosen in range(fewer + 1):
        sum_of_ways += ways
        ways = ways * (total - chosen) // (chosen + 1)
    return min(1.0, 2 * sum_of_ways / (1 << total))


def paired_difference(only_first: int, only_second: int, total: int, confidence: float = CONFIDENCE) -> Interval:
    """
    Return the interval of how much more often the second judge is right than the first, -1 to 1.

    Shape: *total* is the conversations that both have judged, with those on which both are right or both are wrong.
    Errors: ValueError without one.
    Source: Agresti and Min 2005, Simple improved confidence intervals for comparing matched proportions, Statistics in
    Medicine 24:729: Wald's interval, with a half added to each of the four cells.
    """
    if min(only_first, only_second) < 0 or total < max(1, only_first + only_second):
        raise ValueError(f"a difference needs a conversation at least: {only_first}, {only_second} of {total}")
    difference, variance = adjusted_difference(only_first, only_second, total)
    half = z_value(confidence) * math.sqrt(variance / (total + 2))
    return Interval(max(-1.0, difference - half), min(1.0, difference + half))


def adjusted_difference(only_first: int, only_second: int, total: int) -> tuple[float, float]:
    """Return the difference of `paired_difference` and its variance for one conversation, both with a half added."""
    first, second, whole = only_first + 0.5, only_second + 0.5, total + 2
    difference = (second - first) / whole
    return difference, (first + second) / whole - difference**2
