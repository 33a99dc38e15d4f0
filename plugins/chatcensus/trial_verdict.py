"""
Is the dearer of two contenders worth its price: yes, no, or cannot tell at this sample size.

The rule, on the gold rows that both have judged:

    no           the dearer one is right at most MARGIN more often: the 95 % interval of the difference ends below it
    yes          else, if it is right more often, and chance alone explains that badly: McNemar's exact p < 0.05
    cannot tell  else

So a difference that is certain and small is a no. Agreement between the two says nothing of who is right, and decides
nothing here.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

from chatcensus.agreement import adjusted_difference, mcnemar, paired_difference, z_value

MARGIN = 0.03  # of all conversations: what a dearer model has to gain at the least
SIGNIFICANT = 0.05
POWER = 0.8  # with so many rows as are needed, the answer comes in four of five trials


@dataclass(frozen=True)
class Worth:
    """
    The answer, and what it rests on.

    Shape: *difference* with its 95 % interval is how much more often the dearer one is right, -1 to 1; None without a
    gold row. *needed* is about how many gold rows would tell, None where the answer is there or nothing is known yet.
    """

    answer: Literal["yes", "no", "cannot_tell"]
    gold_rows: int
    p: float
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    needed: int | None = None


def worth(only_cheaper: int, only_dearer: int, total: int) -> Worth:
    """
    Return whether the dearer contender is worth its price, by the rule above.

    Shape: of *total* gold rows that both have judged, those that only the one or only the other got right.
    """
    p = mcnemar(only_cheaper, only_dearer)
    if not total:
        return Worth("cannot_tell", 0, p)
    interval = paired_difference(only_cheaper, only_dearer, total)
    figures = (total, p, (only_dearer - only_cheaper) / total, interval.low, interval.high)
    if interval.high < MARGIN:
        return Worth("no", *figures)
    if only_dearer > only_cheaper and p < SIGNIFICANT:
        return Worth("yes", *figures)
    return Worth("cannot_tell", *figures, _needed(only_cheaper, only_dearer, total))


def _needed(only_cheaper: int, only_dearer: int, total: int) -> int:
    """
    Return about how many gold rows give a yes or a no, if the contenders go on to differ as they have so far.

    Source: the sample size of McNemar's test by the normal distribution, as in Connor 1987, Sample size for testing
    differences in proportions for the paired-sample design, Biometrics 43:207, here against 0 and against MARGIN.
    """
    difference, variance = adjusted_difference(only_cheaper, only_dearer, total)
    errors = z_value() + NormalDist().inv_cdf(POWER)
    distance = max(difference, MARGIN - difference)  # from 0 for a yes, from MARGIN for a no: the nearer answer
    return max(total + 1, math.ceil(errors**2 * variance / distance**2))


def sentences(found: Worth, cheaper: str, dearer: str, more_usd: float) -> dict[str, str]:
    """Return the answer as one sentence a language; *more_usd* is what the dearer one costs more per 1,000."""
    return {
        "en": " ".join(_english(found, cheaper, dearer, more_usd)),
        "ja": _japanese(found, cheaper, dearer, more_usd),
    }


def _english(found: Worth, cheaper: str, dearer: str, more_usd: float) -> Iterator[str]:
    price = f"{more_usd:.4f} USD more per 1,000 conversations"
    if found.difference is None or found.low is None or found.high is None:
        yield f"Cannot tell whether {dearer} is worth {price} than {cheaper}: no gold row was judged by both."
        return
    span = f"95 % interval {_points(found.low)} to {_points(found.high)}, McNemar's exact p {_p(found.p)}"
    right = f"on {found.gold_rows:,} gold rows its accuracy differs by {_points(found.difference)} points ({span})"
    if found.answer == "yes":
        yield f"Yes, {dearer} is worth {price} than {cheaper}: {right}."
    elif found.answer == "no":
        yield f"No, {dearer} is not worth {price} than {cheaper}: {right};"
        yield f"less than {MARGIN * 100:.0f} points do not count."
    else:
        yield f"Cannot tell whether {dearer} is worth {price} than {cheaper}: {right};"
        yield f"about {found.needed:,} gold rows would tell."


def _japanese(found: Worth, cheaper: str, dearer: str, more_usd: float) -> str:
    price = f"1,000件あたり{more_usd:.4f}ドル"
    subject = f"{dearer}は{cheaper}より{price}高い"
    if found.difference is None or found.low is None or found.high is None:
        return f"{subject}が、それに見合うかは判断できません。両方が判定した正解データがありません。"
    span = f"95%区間 {_points(found.low)}～{_points(found.high)}、マクネマーの正確検定 p {_p(found.p)}"
    right = f"正解データ{found.gold_rows:,}件での正答率の差は{_points(found.difference)}ポイント（{span}）"
    if found.answer == "yes":
        return f"はい、{subject}だけの価値があります。{right}です。"
    if found.answer == "no":
        return f"いいえ、{subject}だけの価値はありません。{right}で、{MARGIN * 100:.0f}ポイント未満の差は数えません。"
    needed = f"判断には約{found.needed:,}件の正解データが必要です。"
    return f"{subject}が、それに見合うかは判断できません。{right}です。{needed}"


def _points(share: float) -> str:
    return f"{share * 100:+.1f}".replace("-", "\u2212")


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"
