"""Measurements of the gold rows: what is kept, what is compared, what is shown."""

import random
from collections import Counter
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pytest

from chatcensus.agreement import mcnemar
from chatcensus.answer import Judgement, Reason
from chatcensus.bill import Bill
from chatcensus.conversation import Turn
from chatcensus.errors import SetupError
from chatcensus.gold_change import Change
from chatcensus.gold_counts import Counts, random_rows
from chatcensus.gold_figures import Figures
from chatcensus.gold_measure import (
    FILE,
    Measurement,
    Measurements,
    check_writable,
    measured,
    read_measurements,
    right,
    write_measurements,
)
from chatcensus.gold_rows import GoldRow
from chatcensus.judging import Judged
from chatcensus.taxonomy import Category, Taxonomy, Text
from tests.fakes import TAXONOMY

CANARY = "canary-0815"
KEYS = sorted(TAXONOMY.keys)
DAY = date(2026, 11, 1)


def gold_row(name: str, category: str, language: str = "en", score: int | None = 3) -> GoldRow:
    return GoldRow(
        id=name,
        language=language,
        turns=(Turn("user", CANARY),),
        category=category,
        inquiry_score=score,
        taxonomy_version=TAXONOMY.version,
        labelled_by="the tests",
        labelled_on=DAY,
    )


ROWS = [gold_row("g1", "coding"), gold_row("g2", "writing"), gold_row("g3", "office", "ja"), gold_row("g4", "other")]


def judged(name: str, verdict: Judgement | Reason | None, by: str = "a-model") -> Judged:
    return Judged(name, verdict, Bill(cost_micro_usd=10, answered_by=by), 0.25)


def measurement(
    answers: Mapping[str, str], *, prompt: str = "a" * 12, by: str = "a-model", rows: list[GoldRow] = ROWS
) -> Measurement:
    """A measurement by the category of each row; what is not given is right."""
    found = (judged(row.id, Judgement(answers.get(row.id, row.category), 3), by) for row in rows)
    return measured(
        rows, found, model="a-model", prompt_version=prompt, taxonomy_version=TAXONOMY.version,
        measured_on=DAY,
    )  # fmt: skip


def test_a_measurement_keeps_answers_counts_and_costs_and_no_text():
    found = [
        judged("g2", Reason.REFUSED),
        judged("g1", Judgement("coding", 4)),
        judged("g3", Judgement("coding", 1)),
        judged("g4", Judgement("other", 5)),
    ]

    kept = measured(
        ROWS, found, model="a-model", prompt_version="a" * 12, taxonomy_version="b" * 12,
        measured_on=DAY,
    )  # fmt: skip

    assert kept.answers == {"g1": ("coding", 4), "g2": "refused", "g3": ("coding", 1), "g4": ("other", 5)}
    assert kept.correct == {"en": (2, 3), "ja": (0, 1)}
    assert (kept.cost_micro_usd, kept.seconds, kept.is_stand_in) == (40, 1.0, False)
    assert CANARY not in kept.model_dump_json()


@pytest.mark.parametrize("last", [[], [judged("g4", None)]], ids=["the money was used up", "the reply was lost"])
def test_half_a_measurement_is_refused_with_what_it_has_cost(last: list[Judged]):
    found = [*(judged(name, Judgement("coding", 3)) for name in ("g1", "g2", "g3")), *last]

    with pytest.raises(SetupError, match=r"3 of 4 gold rows were judged for 0\.0000 USD"):
        measured(
            ROWS, found, model="m", prompt_version="a" * 12, taxonomy_version="b" * 12,
            measured_on=DAY,
        )  # fmt: skip


def test_measurements_are_read_as_they_were_written(tmp_path: Path):
    kept = Measurements().with_one_more(measurement({}), is_baseline=False)

    write_measurements(tmp_path, kept)

    assert read_measurements(tmp_path, ROWS) == kept
    assert read_measurements(tmp_path / "none", ROWS) == Measurements()


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        pytest.param("en: [3, 3]", "en: [2, 3]", "counted wrong", id="a lower bar"),
        pytest.param("g1: [coding, 3]", "g1: [other, 3]", "counted wrong", id="another answer"),
        pytest.param("g4: [other, 3]", "g5: [other, 3]", "not those to the gold rows", id="a row that is not there"),
        pytest.param("  is_baseline: false", "  is_baseline: true", "two baselines", id="a merge of two branches"),
        pytest.param(f"prompt_version: {'a' * 12}", f"prompt_version: {CANARY}", "should match", id="a text"),
        pytest.param("measurements:", "<<<<<<< main\nmeasurements:", "not YAML at line 3", id="marks of a conflict"),
    ],
)  # fmt: skip
def test_measurements_that_were_edited_by_hand_are_refused(tmp_path: Path, old: str, new: str, told: str):
    kept = Measurements().with_one_more(measurement({}), is_baseline=False)
    write_measurements(tmp_path, kept.with_one_more(measurement({"g2": "other"}, prompt="b" * 12), is_baseline=False))
    path = tmp_path / FILE
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))

    with pytest.raises(SetupError, match=told) as refused:
        read_measurements(tmp_path, ROWS)

    assert CANARY not in str(refused.value)


def test_a_folder_that_cannot_be_written_is_told_before_anything_is_paid(tmp_path: Path):
    check_writable(tmp_path)

    with pytest.raises(SetupError, match="cannot be written, so nothing was measured"):
        check_writable(tmp_path / "none")


def test_measurements_of_other_rows_are_no_concern_of_these(tmp_path: Path):
    kept = Measurements().with_one_more(measurement({}), is_baseline=False)
    write_measurements(tmp_path, kept)

    assert read_measurements(tmp_path, [*ROWS, gold_row("g9", "office")]) == kept


def test_the_first_is_the_baseline_and_stays_it_until_another_is_made_the_baseline():
    good, bad = measurement({}), measurement({"g1": "other"}, prompt="b" * 12)

    kept = Measurements().with_one_more(good, is_baseline=False).with_one_more(bad, is_baseline=False)
    assert [(each.prompt_version, each.is_baseline) for each in kept.measurements] == [
        ("a" * 12, True),
        ("b" * 12, False),
    ]
    latest = kept.latest(good)
    assert latest is not None
    assert latest.prompt_version == "b" * 12

    kept = kept.with_one_more(bad, is_baseline=True)
    assert [(each.prompt_version, each.is_baseline) for each in kept.measurements] == [
        ("a" * 12, False),
        ("b" * 12, True),
    ]


def test_a_bad_day_of_the_same_prompt_and_model_does_not_lower_the_bar():
    kept = Measurements().with_one_more(measurement({}), is_baseline=False)

    for _ in range(2):
        kept = kept.with_one_more(measurement({"g1": "other"}), is_baseline=False)

    assert [(right(each), each.is_baseline) for each in kept.measurements] == [(4, True), (3, False)]


def test_the_stand_in_has_a_baseline_of_its_own():
    kept = Measurements().with_one_more(measurement({}), is_baseline=False)
    of_stand_in = measurement({"g1": "other"}, by="stand-in")

    assert kept.latest(of_stand_in) is None
    kept = kept.with_one_more(of_stand_in, is_baseline=False)
    assert [each.is_baseline for each in kept.measurements] == [True, True]


# The change


def test_a_change_says_which_rows_became_worse_and_better():
    before = measurement({"g1": "other", "g4": "office"})
    after = measurement({"g2": "other", "g3": "other", "g4": "coding"}, prompt="b" * 12)

    change = Change.between(before, after, ROWS)

    assert (change.worse, change.better, change.other) == (("g2", "g3"), ("g1",), ("g4",))
    assert change.fallen == 1
    assert change.p == mcnemar(2, 1)
    told = "\n".join(change.lines())
    assert "right  2 → 1 of 4   50.0% → 25.0%   McNemar p = 1" in told
    assert "worse  2: g2 g3" in told
    assert CANARY not in told


def test_a_change_of_many_rows_is_shown_in_part_and_ids_are_escaped():
    rows = [gold_row(f"g\x1b{number}", "coding") for number in range(45)]
    answers = {row.id: "other" for row in rows}

    change = Change.between(measurement({}, rows=rows), measurement(answers, rows=rows), rows)

    (line,) = [line for line in change.lines() if "worse" in line]
    assert line.startswith("  worse  45: g\\x1b0 ")
    assert line.endswith(" and 5 more")


# The figures


def test_recall_precision_and_confusion_are_those_of_scikit_learn():
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

    choice = random.Random(7)
    rows = [gold_row(f"g{number}", choice.choice(KEYS)) for number in range(300)]
    said = {row.id: row.category if choice.random() < 0.7 else choice.choice(KEYS) for row in rows}

    figures = Figures(measurement(said, rows=rows), rows, TAXONOMY).as_dict()

    true, answered = [row.category for row in rows], [said[row.id] for row in rows]
    precision, recall, _, _ = precision_recall_fscore_support(true, answered, labels=KEYS)
    for at, key in enumerate(KEYS):
        assert figures["categories"][key]["recall"]["share"] == pytest.approx(recall[at], abs=1e-9)
        assert figures["categories"][key]["precision"]["share"] == pytest.approx(precision[at], abs=1e-9)
    matrix = confusion_matrix(true, answered, labels=KEYS)
    assert [[figures["confusion"][one].get(other, 0) for other in KEYS] for one in KEYS] == matrix.tolist()


def test_scores_count_rows_that_have_one_and_got_a_valid_answer():
    rows = [gold_row(f"g{number}", "coding", score=score) for number, score in enumerate([3, 4, 5, None])]
    invalid = gold_row("g9", "coding")
    kept = measurement({}, rows=rows)
    kept = kept.model_copy(update={"answers": {**kept.answers, "g9": "refused"}, "correct": {"en": (4, 5)}})

    figures = Figures(kept, [*rows, invalid], TAXONOMY).as_dict()

    assert [figures[name]["count"] for name in ("score_exact", "score_within_one")] == [1, 2]
    assert figures["score_exact"]["of"] == 3
    assert figures["invalid"] == {"refused": 1}
    assert figures["confusion"]["coding"] == {"coding": 4, "(invalid)": 1}
    assert figures["accuracy"]["count"] == 4


def test_the_matrix_of_the_largest_taxonomy_fits_80_columns():
    text = Text(en="x", ja="x")
    keys = [f"{'k' * 38}{number:02}" for number in range(20)]
    largest = Taxonomy(categories=tuple(Category(key=key, label=text, definition=text) for key in keys))
    rows = [gold_row(f"g{number}", key) for number, key in enumerate(keys)]
    many = [gold_row(f"h{number}", keys[0]) for number in range(90)]

    lines = list(Figures(measurement({}, rows=rows + many), rows + many, largest).lines())

    assert max(map(len, lines)) <= 80


# The counts for the shares


def test_of_two_reviews_of_one_conversation_the_later_one_counts():
    def lines(category: str, day: str) -> str:
        row = gold_row("c1", category).model_copy(update={"turns": None, "content_hash": "0" * 32})
        return row.model_copy(update={"labelled_on": date.fromisoformat(day)}).model_dump_json()

    files = {"gold/random-2.jsonl": lines("coding", "2026-10-02"), "gold/random-1.jsonl": lines("office", "2026-10-09")}

    assert [row.category for row in random_rows(files, TAXONOMY)] == ["office"]


def test_reviews_of_another_taxonomy_or_none_that_can_be_counted_are_refused():
    other = gold_row("c1", "coding").model_copy(
        update={"turns": None, "content_hash": "0" * 32, "taxonomy_version": "f" * 12}
    )
    with pytest.raises(SetupError, match="line 1 is not of taxonomy"):
        random_rows({"random-1.jsonl": other.model_dump_json()}, TAXONOMY)

    quarantined = {"content_hash": "0" * 32, "outcome": "quarantined"}
    with pytest.raises(SetupError, match="none of 1 reviewed conversations can be counted: 1 quarantined"):
        Counts([other], [("c1", quarantined)]).gold_set(TAXONOMY)


def test_the_judge_of_most_is_counted_and_the_others_are_left_out():
    rows = [
        gold_row(f"c{at}", "coding").model_copy(update={"turns": None, "content_hash": "0" * 32}) for at in range(5)
    ]
    said = {"content_hash": "0" * 32, "outcome": "evaluated", "category": "writing", "prompt_version": "a" * 12,
            "taxonomy_version": TAXONOMY.version}  # fmt: skip
    found = Counts(rows, [(row.id, said | {"model": "new" if at else "old"}) for at, row in enumerate(rows)])

    gold = found.gold_set(TAXONOMY)

    assert (gold.model, gold.counts) == ("new", {"writing": {"coding": 4}})
    assert found.left_out == Counter({"other_judge": 1})
