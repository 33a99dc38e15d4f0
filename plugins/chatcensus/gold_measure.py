"""
What a model with a prompt answered to the gold rows, kept beside them in `measurements.yaml`: ids, categories, counts.

One measurement of each model, prompt, taxonomy and set of rows; a later one takes its place. One of each set is the
baseline: below it the gate lets nothing pass (gold_change.py).
"""

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, model_validator

from chatcensus.answer import Judgement
from chatcensus.crosswalk import Version
from chatcensus.errors import SetupError
from chatcensus.gold_rows import GoldRow, gold_version
from chatcensus.include import as_yaml, read_yaml
from chatcensus.judging import Judged

FILE = "measurements.yaml"
STAND_IN = "stand-in"  # what the keyword model of the local AWS calls itself in its replies

_HEAD = """\
# What models answered to the gold rows beside this file: written by `chatcensus gold measure`. Commit it; docs/gold.md.
"""


class Measurement(BaseModel):
    """
    One measurement.

    Shape: *answers* is by the id of the row: category and inquiry score, or the reason why there is no valid answer.
    *correct* is right categories and rows by language. *seconds* is of all calls together.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    model: str
    prompt_version: Version
    taxonomy_version: Version
    gold_version: Version
    is_stand_in: bool
    is_baseline: bool = False
    measured_on: date
    cost_micro_usd: int
    seconds: float
    correct: dict[str, tuple[int, int]]
    answers: dict[str, tuple[str, int] | str]

    @property
    def key(self) -> tuple[str, ...]:
        """What there is one measurement of."""
        return (self.model, self.prompt_version, *map(str, self.kind))

    def is_comparable(self, other: "Measurement") -> bool:
        """Return whether *other* is of the same rows and taxonomy, and neither of the two alone of the stand-in."""
        return self.kind == other.kind

    @property
    def kind(self) -> tuple[str, str, bool]:
        """What all that can be compared have in common."""
        return self.gold_version, self.taxonomy_version, self.is_stand_in


class Measurements(BaseModel):
    """The measurements of one folder, the latest last."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    measurements: tuple[Measurement, ...] = Field(default=())

    @model_validator(mode="after")
    def _has_one_baseline_of_a_kind(self) -> "Measurements":
        kinds = [each.kind for each in self.measurements if each.is_baseline]
        if len(set(kinds)) < len(kinds):  # what is left of two branches that have measured
            raise ValueError("two baselines of the same rows and taxonomy: write is_baseline: false for one of them")
        return self

    def latest(self, like: Measurement) -> Measurement | None:
        """Return the latest that *like* can be compared with."""
        return next((each for each in reversed(self.measurements) if each.is_comparable(like)), None)

    def baseline(self, like: Measurement) -> Measurement | None:
        """Return the baseline of *like*."""
        return next((each for each in self.measurements if each.is_baseline and each.is_comparable(like)), None)

    def has_baseline(self, gold_version: str, taxonomy_version: str) -> bool:
        """Return whether there is a baseline of these rows and this taxonomy, the stand-in's or another's."""
        return any(
            each.is_baseline and (each.gold_version, each.taxonomy_version) == (gold_version, taxonomy_version)
            for each in self.measurements
        )

    def with_one_more(self, new: Measurement, *, is_baseline: bool) -> "Measurements":
        """
        Return them with *new* in the place of the one like it.

        Shape: it becomes the baseline when *is_baseline* says so or there is none. Else the baseline stays, also beside
        a later measurement of the same model and prompt: a bad day does not lower the bar.
        """
        old = self.baseline(new)
        takes_over = is_baseline or old is None
        kept = [
            each.model_copy(update={"is_baseline": False}) if takes_over and each is old else each
            for each in self.measurements
            if each.key != new.key or (each is old and not takes_over)
        ]
        return Measurements(measurements=(*kept, new.model_copy(update={"is_baseline": takes_over})))


def measured(
    rows: Sequence[GoldRow],
    judged: Iterable[Judged],
    *,
    model: str,
    prompt_version: str,
    taxonomy_version: str,
    measured_on: date,
) -> Measurement:
    """
    Return the measurement that *judged* makes, whose ids are those of *rows*.

    Errors: SetupError, with what was paid, when a row has no verdict: half a measurement compares with nothing.
    """
    found = list(judged)
    paid = sum(each.bill.cost_micro_usd for each in found)
    answers: dict[str, tuple[str, int] | str] = {
        each.conversation_id: (
            (each.verdict.category, each.verdict.inquiry_score)
            if isinstance(each.verdict, Judgement)
            else str(each.verdict)
        )
        for each in found
        if each.verdict is not None
    }
    if len(answers) < len(rows):
        raise SetupError(
            f"{len(answers)} of {len(rows)} gold rows were judged for {paid / 1e6:.4f} USD, and nothing is kept of "
            "it: raise --max-usd when that was the money, else try again"
        )
    return Measurement(
        model=model,
        prompt_version=prompt_version,
        taxonomy_version=taxonomy_version,
        gold_version=gold_version(rows),
        is_stand_in=any(each.bill.answered_by == STAND_IN for each in found),
        measured_on=measured_on,
        cost_micro_usd=paid,
        seconds=round(sum(each.seconds for each in found), 1),
        correct=_correct(rows, answers),
        answers={row.id: answers[row.id] for row in rows},
    )


def category_of(answer: tuple[str, int] | str) -> str | None:
    """Return the category of an answer, None of one that is not valid."""
    return None if isinstance(answer, str) else answer[0]


def right(measurement: Measurement) -> int:
    """Return how many rows got the right category."""
    return sum(correct for correct, _ in measurement.correct.values())


def _correct(rows: Iterable[GoldRow], answers: Mapping[str, tuple[str, int] | str]) -> dict[str, tuple[int, int]]:
    totals, correct = Counter[str](), Counter[str]()
    for row in rows:
        totals[row.language] += 1
        correct[row.language] += category_of(answers[row.id]) == row.category
    return {language: (correct[language], total) for language, total in sorted(totals.items())}


def read_measurements(folder: Path, rows: Sequence[GoldRow]) -> Measurements:
    """
    Return the measurements of *folder*; none where there is no file.

    Errors: SetupError when the file is wrong, or what it says of *rows* cannot be: an edit by hand may lower the bar.
    """
    path = folder / FILE
    kept = read_yaml(path, Measurements) if path.exists() else Measurements()
    ids, version = {row.id for row in rows}, gold_version(rows)
    for each in kept.measurements:
        if each.gold_version == version and (
            each.answers.keys() != ids or each.correct != _correct(rows, each.answers)
        ):
            raise SetupError(
                f"{path}: the answers of {each.model!r} with prompt {each.prompt_version} are not those to the gold "
                "rows that it names, or counted wrong: take back what was edited by hand"
            )
    return kept


def write_measurements(folder: Path, measurements: Measurements) -> None:
    """Write the measurements of *folder*, each answer as a line of its own: a prompt's effect is then a short diff."""
    (folder / FILE).write_text(_HEAD + as_yaml(measurements), encoding="utf-8")


def check_writable(folder: Path) -> None:
    """Errors: SetupError when the measurements of *folder* cannot be kept; to be asked before anything is paid."""
    path = folder / FILE
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise SetupError(f"{path} cannot be written, so nothing was measured: gold check keeps nothing")
