"""What a measurement of the gold rows shows: accuracy with its interval, scores, invalid answers, a matrix."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from chatcensus.agreement import wilson
from chatcensus.gold_measure import Measurement, category_of
from chatcensus.gold_rows import GoldRow
from chatcensus.taxonomy import Taxonomy
from chatcensus.terminal_text import printable

INVALID = "(invalid)"
_COLUMNS, _LABEL = 80, 16


class Figures:
    """
    The figures of one measurement.

    Shape: *pairs* counts rows by true category and by answer, INVALID where there is no valid one; *scores* counts how
    far the inquiry score is off, of rows that have one and got a valid answer.
    """

    def __init__(self, measurement: Measurement, rows: Sequence[GoldRow], taxonomy: Taxonomy) -> None:
        self.measurement, self.rows = measurement, rows
        self.keys = [category.key for category in taxonomy.categories]
        self.pairs, self.scores, self.reasons = Counter[tuple[str, str]](), Counter[int](), Counter[str]()
        for row in rows:
            answer = measurement.answers[row.id]
            self.pairs[row.category, category_of(answer) or INVALID] += 1
            if isinstance(answer, str):
                self.reasons[answer] += 1
            elif row.inquiry_score is not None:
                self.scores[abs(answer[1] - row.inquiry_score)] += 1

    def as_dict(self) -> dict[str, Any]:
        """Return the figures as plain values; a share has its count, its whole and its 95 % interval."""
        correct = self.measurement.correct
        return {
            "accuracy": _share(sum(part for part, _ in correct.values()), sum(whole for _, whole in correct.values())),
            "languages": {language: _share(*counts) for language, counts in correct.items()},
            "categories": {
                key: {
                    "recall": _share(self.pairs[key, key], self._of_true(key)),
                    "precision": _share(self.pairs[key, key], self._of_answer(key)),
                }
                for key in self.keys
            },
            "score_exact": _share(self.scores[0], self.scores.total()),
            "score_within_one": _share(self.scores[0] + self.scores[1], self.scores.total()),
            "invalid": dict(sorted(self.reasons.items())),
            "confusion": {
                true: {answer: count for answer in [*self.keys, INVALID] if (count := self.pairs[true, answer])}
                for true in self.keys
            },
        }

    def lines(self) -> Iterator[str]:
        """Yield the figures as a terminal of 80 columns shows them."""
        told, of = self.as_dict(), self.measurement
        judge = "the local stand-in, a keyword model and no real one" if of.is_stand_in else of.model
        yield f"{len(self.rows)} gold rows, judged by {judge}"
        yield f"prompt {of.prompt_version}, taxonomy {of.taxonomy_version}, rows {of.gold_version}"
        yield f"{'':<{_LABEL}}  {'right':>9}  share, % (95 % interval)"
        yield f"{'accuracy':<{_LABEL}}  {_line(told['accuracy'])}"
        for language, share in told["languages"].items():
            yield f"{'  ' + printable(language):<{_LABEL}.{_LABEL}}  {_line(share)}"
        yield f"{'score exact':<{_LABEL}}  {_line(told['score_exact'])}"
        yield f"{'score within 1':<{_LABEL}}  {_line(told['score_within_one'])}"
        reasons = ", ".join(f"{count} {reason}" for reason, count in told["invalid"].items())
        yield f"{'invalid answers':<{_LABEL}}  {self.reasons.total():>5}{f'   {reasons}' if reasons else ''}"
        yield ""
        yield f"{'category':<{_LABEL}}  {'recall':>9}{'':26}precision"
        for key, both in told["categories"].items():
            yield f"{key:<{_LABEL}.{_LABEL}}  {_line(both['recall']):<32}{_line(both['precision'])}"
        yield ""
        yield from self._matrix()

    def _matrix(self) -> Iterator[str]:
        """Yield the confusion matrix; its columns have the numbers of its rows, since names would not find room."""
        names = [*self.keys, INVALID]
        width = 4 if 3 + _LABEL + 4 * len(names) <= _COLUMNS else 3
        label = min(_LABEL, _COLUMNS - 3 - width * len(names))
        yield "true category (down), answer (across, by the same numbers; x: no valid one)"
        heads = [*(str(number) for number in range(1, len(names))), "x"]
        yield f"{'':<{label + 3}}" + "".join(f"{head:>{width}}" for head in heads)
        for number, true in enumerate(self.keys, 1):
            counts = "".join(f"{self.pairs[true, answer] or '.':>{width}}" for answer in names)
            yield f"{number:>2} {true:<{label}.{label}}{counts}"

    def _of_true(self, key: str) -> int:
        return sum(count for (true, _), count in self.pairs.items() if true == key)

    def _of_answer(self, key: str) -> int:
        return sum(count for (_, answer), count in self.pairs.items() if answer == key)


def _share(part: int, whole: int) -> dict[str, Any]:
    interval = wilson(part, whole) if whole else None
    return {
        "count": part,
        "of": whole,
        "share": part / whole if whole else None,
        "low": interval.low if interval else None,
        "high": interval.high if interval else None,
    }


def _line(share: dict[str, Any]) -> str:
    counts = f"{share['count']:>4}/{share['of']:<3}"
    if share["share"] is None:
        return f"{counts}      -"
    return f"{counts} {share['share'] * 100:>5.1f} ({share['low'] * 100:.1f} to {share['high'] * 100:.1f})"
