"""The share of each category once the judge's errors are reckoned with, and how sure that is."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist

from chatcensus.summaries import POOLED

# No correction when more of the conversations than this stand in rows of which no gold label says anything.
MAX_UNKNOWN_SHARE = 0.05
# Labels that the interval adds to each row of the gold set, spread over the categories. One half is Jeffreys' prior for
# the share of each category, one is a flat prior; between them lies the coverage that docs/honest-shares.md shows.
_ADDED_LABELS = 0.75
_TAIL = 0.025
_EXACT = 1e-12  # of a quantile

Counts = Mapping[str, int]


@dataclass(frozen=True)
class Share:
    """A corrected share and its 95 % interval, 0 to 1."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class _Row:
    """What is known of the conversations that are counted under one category: their labels by true category."""

    conversations: int
    labels: Counts

    @property
    def size(self) -> int:
        return sum(self.labels.values())


def refusal(counted: Counts, gold: Mapping[str, Counts]) -> str | None:
    """Return why no share of *counted* can be corrected with *gold*, None when it can."""
    total, labels = sum(counted.values()), sum(sum(row.values()) for row in gold.values())
    if labels > total:
        return f"the gold set has {labels} labels, the table {total} conversations: it is no sample of them"
    unknown = sorted(category for category in counted if not _labels(category, gold))
    count = sum(counted[category] for category in unknown)
    if count > MAX_UNKNOWN_SHARE * total:
        return (
            f"{count} of {total} conversations are counted where no gold label tells of them "
            f"({', '.join(unknown)}), at most {MAX_UNKNOWN_SHARE:.0%} may be"
        )
    return None


def corrected_shares(counted: Counts, gold: Mapping[str, Counts]) -> dict[str, Share]:
    """
    Return the share of each true category, as people would count it, from the judge's counts and a gold set.

    Shape: *counted* is conversations by counted category, `(few)` among them; *gold* is labels by counted and then true
    category. What *counted* does not tell apart is one category of the result, `(few)`. Ask `refusal` first.

    The estimate is the sum over j of q_j P(true | counted = j): q_j is the share counted as j, P is read off the gold
    rows. It is unbiased when the labelled conversations are a random sample of all, or of each counted category. The
    other way, to solve for the shares with P(counted | true), is right for a gold set that was taken elsewhere, if the
    judge errs here as it did there; but it inverts a matrix of ten categories that three hundred labels barely know,
    and answers with shares below zero.

    The interval is that of the posterior of a finite population: labelled conversations are known, the others of their
    row are drawn as its labels and 0.75 labels more say; a Beta distribution of that mean and variance gives its ends.
    Rows without labels keep their category in the estimate; the interval allows for all and for none of them being it.
    Source: Tenenbein 1970, J. Am. Stat. Assoc. 65:1350, and 1972, Technometrics 14:187 (the estimate); Ericson 1969,
    J. R. Stat. Soc. B 31:195 (the posterior); Perks 1947, J. Inst. Actuaries 73:285 (labels added evenly to a row).
    """
    told, total = set(counted) - {POOLED}, sum(counted.values())
    rows = [_Row(counted[category], _pooled(labels, told)) for category in told if (labels := _labels(category, gold))]
    known = sum(row.conversations for row in rows)
    categories = sorted(set(counted).union(*(row.labels for row in rows)))
    shares = {}
    for true in categories:
        unlabelled = 0 if _labels(true, gold) else counted.get(true, 0)
        estimate = sum(row.conversations * row.labels.get(true, 0) / row.size for row in rows) + unlabelled
        low, high = _known_interval(rows, true, len(categories))
        ends = min(low * known, estimate), max(high * known + total - known, estimate)
        shares[true] = Share(estimate / total, ends[0] / total, min(ends[1] / total, 1.0))
    return shares


def _labels(category: str, gold: Mapping[str, Counts]) -> Counts:
    """Return the labels of a row. `(few)` has none: beside the hidden categories it holds what waits to be told."""
    return {true: count for true, count in gold.get(category, {}).items() if count}


def _pooled(labels: Counts, told: set[str]) -> Counts:
    pooled: dict[str, int] = {}
    for true, count in labels.items():
        name = true if true in told else POOLED
        pooled[name] = pooled.get(name, 0) + count
    return pooled


def _known_interval(rows: list[_Row], true: str, categories: int) -> tuple[float, float]:
    """Return the interval of the share of *true* among the conversations of *rows*."""
    total = sum(row.conversations for row in rows)
    if not total:
        return 0.0, 0.0
    mean = variance = 0.0
    for row in rows:
        # Labels of conversations that are gone are a sample of something larger: then nothing of the row is known.
        open_count = row.conversations - row.size if row.conversations >= row.size else row.conversations
        weight = row.size + _ADDED_LABELS
        chance = (row.labels.get(true, 0) + _ADDED_LABELS / categories) / weight
        mean += (row.conversations - open_count) * row.labels.get(true, 0) / row.size + open_count * chance
        variance += open_count * (open_count + weight) / (weight + 1) * chance * (1 - chance)
    mean, variance = mean / total, variance / total**2
    if variance <= 0:
        return mean, mean
    weight = max(mean * (1 - mean) / variance - 1, _EXACT)
    a, b = mean * weight, (1 - mean) * weight
    return beta_quantile(_TAIL, a, b), beta_quantile(1 - _TAIL, a, b)


def beta_quantile(probability: float, a: float, b: float) -> float:
    """
    Return where the Beta distribution of *a* and *b* reaches *probability*, by Newton's steps in a bracket that closes.

    Errors: ValueError unless 0 < *probability* < 1 and *a* and *b* are positive.
    """
    if not (0 < probability < 1 and a > 0 and b > 0):
        raise ValueError(f"a Beta quantile needs 0 < p < 1 and positive a and b, not p={probability}, a={a}, b={b}")
    low, high = 0.0, 1.0
    mean, spread = a / (a + b), math.sqrt(a * b / (a + b + 1)) / (a + b)
    x = min(max(mean + NormalDist().inv_cdf(probability) * spread, mean / 8), 1 - (1 - mean) / 8)
    for _ in range(100):
        miss = beta_cdf(x, a, b) - probability
        low, high = (low, x) if miss > 0 else (x, high)
        density = math.exp((a - 1) * math.log(x) + (b - 1) * math.log1p(-x) - _log_beta(a, b))
        step = x - miss / density if density > 0 else low
        following = step if low < step < high else (low + high) / 2
        if abs(following - x) < _EXACT:
            break
        x = following
    return x


def beta_cdf(x: float, a: float, b: float) -> float:
    """
    Return the regularised incomplete beta function I_x(a, b), by its continued fraction.

    Source: NIST Digital Library of Mathematical Functions, 8.17.22, evaluated by the method of Lentz.
    """
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):  # beyond it the fraction of the mirrored function is the one that ends soon
        return 1 - beta_cdf(1 - x, b, a)
    front = math.exp(a * math.log(x) + b * math.log1p(-x) - _log_beta(a, b)) / a
    upper, lower, value = 1.0, 1 / (1 - (a + b) * x / (a + 1)), 1 / (1 - (a + b) * x / (a + 1))
    for m in range(1, 1000):
        for numerator in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            lower = 1 / (1 + numerator * lower)
            upper = 1 + numerator / upper
            factor = upper * lower
            value *= factor
        if abs(factor - 1) < 1e-13:
            break
    return front * value


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
