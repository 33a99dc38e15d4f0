"""What a trial has shown: price, speed, invalid answers and accuracy of each contender, and how far any two agree."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from statistics import mean, median
from typing import Any

from chatcensus.agreement import Kappa, cohen_kappa, weighted_kappa, wilson
from chatcensus.trial import Answer, Drawn
from chatcensus.trial_verdict import sentences, worth

ALL = "all"  # languages together

Answers = Mapping[str, Answer]  # by draw


@dataclass(frozen=True)
class Trial:
    """
    What was drawn, and what each contender made of it, by its name.

    Shape: *sizes* counts the conversations of the table by stratum.
    """

    drawn: Sequence[Drawn]
    sizes: Mapping[str, int]
    answers: Mapping[str, Answers]

    @property
    def common(self) -> list[Drawn]:
        """What every contender has judged: all figures are of these alone, so that they can be compared."""
        return [each for each in self.drawn if not self.why_left_out(each.draw)]

    def why_left_out(self, draw: str) -> str | None:
        """Return deleted, changed or unanswered where not every contender has judged it."""
        found = [answers.get(draw) for answers in self.answers.values()]
        missing = sorted({each.missing for each in found if each and each.missing})
        return missing[-1] if missing else "unanswered" if None in found else None

    def left_out(self) -> dict[str, int]:
        """Count what not every contender has judged, by the reason."""
        return dict(Counter(reason for each in self.drawn if (reason := self.why_left_out(each.draw))))


def compared(trial: Trial) -> dict[str, Any]:
    """Return the figures of a trial as plain values, the cheapest contender first; money is micro-USD."""
    common = trial.common
    rows = [{"contender": name, **_figures(trial, common, answers)} for name, answers in trial.answers.items()]
    rows.sort(key=lambda row: (row["micro_usd_per_1000"], row["contender"]))
    sampled = [each for each in common if each.stratum]
    return {
        "drawn": len(trial.drawn),
        "left_out": trial.left_out(),
        "conversations": len(sampled),
        "gold_rows": sum(each.label is not None for each in common),
        "strata": [
            {"stratum": name, "table": size, "judged": sum(each.stratum == name for each in sampled)}
            for name, size in sorted(trial.sizes.items())
        ],
        "contenders": rows,
        "pairs": [_pair(trial, common, *pair) for pair in combinations(rows, 2)],
    }


def _figures(trial: Trial, common: Sequence[Drawn], answers: Answers) -> dict[str, Any]:
    sampled = [answers[each.draw] for each in common if each.stratum]
    seconds = sorted(each.seconds for each in sampled if each.attempts)
    attempts = sum(each.attempts for each in sampled)
    invalid = attempts - sum(each.category is not None for each in sampled)
    return {
        "answered_by": sorted({each.answered_by for each in sampled if each.answered_by}),
        "cost_micro_usd": sum(each.cost_micro_usd for each in answers.values()),
        "micro_usd_per_1000": _per_1000(trial.sizes, common, answers),
        "seconds_median": round(median(seconds), 3) if seconds else None,
        "seconds_p95": round(seconds[math.ceil(0.95 * len(seconds)) - 1], 3) if seconds else None,
        "answers": _share(invalid, attempts, "invalid"),
        "not_judged": dict(Counter(each.reason for each in sampled if each.reason)),
        "accuracy": list(_accuracy(common, answers)),
    }


def _per_1000(sizes: Mapping[str, int], common: Sequence[Drawn], answers: Answers) -> int:
    """
    Return micro-USD for 1,000 conversations as the table has them: each stratum counts by its part of the table.

    Of a table from which none was judged, 1,000 such as the gold rows.
    """
    costs: dict[str | None, list[int]] = {}
    for each in common:
        costs.setdefault(each.stratum, []).append(answers[each.draw].cost_micro_usd)
    weights: dict[str | None, int] = {stratum: sizes[stratum] for stratum in costs if stratum} or {None: 1}
    weighted = sum(weight * mean(costs[stratum]) for stratum, weight in weights.items())
    return round(1000 * weighted / sum(weights.values()))


def _accuracy(common: Sequence[Drawn], answers: Answers) -> Iterator[dict[str, Any]]:
    """Yield how often the category is the label's, of all gold rows and then by language; no judgement is not right."""
    gold = [each for each in common if each.label is not None]
    for language in [ALL, *sorted({each.language for each in gold})]:
        rows = [each for each in gold if language in (ALL, each.language)]
        right = sum(answers[each.draw].category == each.label for each in rows)
        yield {"language": language, **_share(right, len(rows), "right")}


def _share(count: int, total: int, name: str) -> dict[str, Any]:
    interval = asdict(wilson(count, total)) if total else {"low": None, "high": None}
    return {name: count, "total": total, "share": count / total if total else None, **interval}


def _pair(
    trial: Trial, common: Sequence[Drawn], cheaper: Mapping[str, Any], dearer: Mapping[str, Any]
) -> dict[str, Any]:
    first, second = (trial.answers[row["contender"]] for row in (cheaper, dearer))
    judged = [
        (one, other)
        for each in common
        if each.stratum and (one := first[each.draw]).category and (other := second[each.draw]).category
    ]
    gold = [each for each in common if each.label is not None]
    right = Counter(
        (first[each.draw].category == each.label, second[each.draw].category == each.label) for each in gold
    )
    found = worth(right[True, False], right[False, True], len(gold))
    more_usd = (dearer["micro_usd_per_1000"] - cheaper["micro_usd_per_1000"]) / 1e6
    names = cheaper["contender"], dearer["contender"]
    return {
        "cheaper": names[0],
        "dearer": names[1],
        "kappa": _kappa(cohen_kappa, ((str(one.category), str(other.category)) for one, other in judged)),
        "weighted_kappa": _kappa(
            weighted_kappa, ((int(one.inquiry_score or 0), int(other.inquiry_score or 0)) for one, other in judged)
        ),
        "gold": {
            "both": right[True, True],
            "only_cheaper": right[True, False],
            "only_dearer": right[False, True],
            "neither": right[False, False],
        },
        **asdict(found),
        "sentence": sentences(found, *names, more_usd),
    }


def _kappa(figure: Any, pairs: Iterable[tuple[Any, Any]]) -> dict[str, Any]:
    counts = Counter(pairs)
    return asdict(figure(counts) if counts else Kappa(None, None, None, 0))
