"""What a trial tells: figures by hand, and the rule by which a dearer contender is worth its price."""

import math
import re
from pathlib import Path
from statistics import NormalDist
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcensus.agreement import mcnemar, paired_difference, wilson
from chatcensus.trial import Answer, Drawn
from chatcensus.trial_report import Trial, compared
from chatcensus.trial_verdict import MARGIN, sentences, worth

CHEAP, DEAR = "cheap-model", "dear-model"
counts = st.integers(0, 300)


def draw(number: int) -> str:
    return f"{number:064x}"


def drawn(number: int, stratum: str | None = "latin/short", **of_it: Any) -> Drawn:
    return Drawn(draw=draw(number), content_hash="0" * 32, language="en", stratum=stratum, **of_it)


def answer(number: int, category: str | None = "coding", score: int = 3, cost: int = 100, **of_it: Any) -> Answer:
    said = {"category": category, "inquiry_score": score} if category else {}
    shared = {"draw": draw(number), "content_hash": "h", "attempts": 1, "cost_micro_usd": cost, "seconds": 1.0}
    return Answer(**{**shared, **said, **of_it})


def report(conversations: list[Drawn], cheap: list[Answer], dear: list[Answer], **sizes: int) -> dict[str, Any]:
    answers = {name: by_draw(given) for name, given in ((DEAR, dear), (CHEAP, cheap))}
    return compared(Trial(conversations, sizes or {"latin/short": 1000}, answers))


@pytest.mark.parametrize(
    ("only_cheaper", "only_dearer", "total", "expected"),
    [
        pytest.param(5, 25, 200, "yes", id="10 points better, certainly"),
        pytest.param(0, 6, 30, "yes", id="few rows, all on one side"),
        pytest.param(10, 10, 1200, "no", id="as good"),
        pytest.param(20, 0, 200, "no", id="worse"),
        pytest.param(20, 60, 4000, "no", id="certainly better, and by one point"),
        pytest.param(0, 5, 30, "cannot_tell", id="few rows"),
        pytest.param(5, 12, 100, "cannot_tell", id="better by chance or not"),
        pytest.param(0, 0, 10, "cannot_tell", id="alike on too few"),
        pytest.param(0, 0, 0, "cannot_tell", id="no gold row"),
    ],
)
def test_whether_the_dearer_one_is_worth_its_price(only_cheaper: int, only_dearer: int, total: int, expected: str):
    assert worth(only_cheaper, only_dearer, total).answer == expected


@given(counts, counts, counts)
def test_the_rule_is_the_one_that_is_written(only_cheaper: int, only_dearer: int, alike: int):
    total = only_cheaper + only_dearer + alike
    found = worth(only_cheaper, only_dearer, total)

    if total:
        is_no = paired_difference(only_cheaper, only_dearer, total).high < MARGIN
        is_yes = not is_no and only_dearer > only_cheaper and mcnemar(only_cheaper, only_dearer) < 0.05
        assert found.answer == ("no" if is_no else "yes" if is_yes else "cannot_tell")
    assert (found.needed is not None) == (found.answer == "cannot_tell" and total > 0)
    assert found.needed is None or found.needed > total


def test_with_the_rows_that_are_needed_the_answer_is_there_if_nothing_else_changes():
    found = worth(6, 12, 100)
    assert found.needed

    times = found.needed / 100

    assert worth(round(6 * times), round(12 * times), round(100 * times)).answer == "yes"


def test_the_rows_that_are_needed_by_hand():
    # A half in each cell: 0.5 of 42 against 4.5, so that 0.0952 more; their variance is 5/42 - 0.0952 squared.
    variance = 5 / 42 - (4 / 42) ** 2

    assert worth(0, 4, 40).needed == math.ceil((1.959964 + 0.841621) ** 2 * variance / (4 / 42) ** 2)


@pytest.mark.parametrize(
    ("numbers", "english", "japanese"),
    [
        pytest.param(
            (5, 25, 200),
            "Yes, dear is worth 0.0040 USD more",
            "はい、dearはcheapより1,000件あたり0.0040ドル高い",
            id="yes",
        ),
        pytest.param((20, 0, 200), "No, dear is not worth", "いいえ、", id="no"),
        pytest.param((5, 12, 100), "about 287 gold rows would tell", "約287件の正解データ", id="cannot tell"),
        pytest.param((0, 0, 0), "no gold row was judged by both", "正解データがありません", id="no gold row"),
    ],
)
def test_the_answer_is_one_sentence_in_two_languages(numbers: tuple[int, int, int], english: str, japanese: str):
    said = sentences(worth(*numbers), "cheap", "dear", 0.004)

    assert english in said["en"]
    assert japanese in said["ja"]


def test_the_figures_of_a_contender_by_hand():
    conversations = [drawn(number) for number in range(20)]
    cheap = [answer(number, seconds=float(number)) for number in range(19)]
    cheap.append(answer(19, None, reason="not_json", attempts=3, cost=300, seconds=19.0))

    found = report(conversations, cheap, [answer(number, cost=900) for number in range(20)])

    row = found["contenders"][0]
    assert [each["contender"] for each in found["contenders"]] == [CHEAP, DEAR]
    assert (row["cost_micro_usd"], row["micro_usd_per_1000"]) == (2200, 110_000)
    assert (row["seconds_median"], row["seconds_p95"]) == (9.5, 18.0)
    interval = wilson(3, 22)
    assert row["answers"] == {"invalid": 3, "total": 22, "share": 3 / 22, "low": interval.low, "high": interval.high}
    assert row["not_judged"] == {"not_json": 1}


def test_what_a_thousand_cost_is_weighted_by_the_strata_of_the_table():
    conversations = [drawn(0), drawn(1, "ja/long"), drawn(2, "ja/long")]
    cheap = [answer(0, cost=100), answer(1, cost=500), answer(2, cost=700)]

    found = report(
        conversations, cheap, [answer(n, cost=900) for n in range(3)], **{"latin/short": 900, "ja/long": 100}
    )

    assert found["contenders"][0]["micro_usd_per_1000"] == 1000 * (0.9 * 100 + 0.1 * 600)


def test_only_what_every_contender_has_judged_counts():
    conversations = [drawn(number) for number in range(5)]
    cheap = [answer(0), answer(1), answer(2, None, missing="deleted", attempts=0), answer(3)]
    dear = [answer(0, cost=200), answer(1, None, missing="changed", attempts=0), answer(2), answer(4)]

    found = report(conversations, cheap, dear)

    assert found["conversations"] == 1
    assert found["left_out"] == {"changed": 1, "deleted": 1, "unanswered": 2}
    assert found["pairs"][0]["kappa"]["total"] == 1


def test_agreement_is_of_the_sample_and_accuracy_of_the_gold_rows():
    sample = [drawn(number) for number in range(4)]
    gold = [drawn(10 + number, None, label="writing") for number in range(3)]
    cheap = [answer(0, "coding", 1), answer(1, "writing", 5), answer(2, "coding", 2), answer(3, "coding", 4)]
    cheap += [answer(10, "writing"), answer(11, "coding"), answer(12, None, reason="refused")]
    dear = [answer(0, "coding", 1), answer(1, "writing", 5), answer(2, "writing", 3), answer(3, "coding", 4)]
    dear += [answer(10, "writing"), answer(11, "writing"), answer(12, "coding")]

    found = report(sample + gold, cheap, [each.model_copy(update={"cost_micro_usd": 900}) for each in dear])

    pair = found["pairs"][0]
    assert (pair["cheaper"], pair["dearer"]) == (CHEAP, DEAR)
    assert pair["kappa"]["total"] == pair["weighted_kappa"]["total"] == 4
    assert pair["kappa"]["estimate"] == pytest.approx(0.5)
    assert pair["gold"] == {"both": 1, "only_cheaper": 0, "only_dearer": 1, "neither": 1}
    assert [(each["language"], each["right"], each["total"]) for each in found["contenders"][0]["accuracy"]] == [
        ("all", 1, 3),
        ("en", 1, 3),
    ]
    assert found["gold_rows"] == 3


def test_a_trial_without_gold_rows_has_no_accuracy_and_cannot_tell():
    found = report([drawn(0)], [answer(0)], [answer(0, cost=900)])

    assert found["contenders"][0]["accuracy"] == [
        {"language": "all", "right": 0, "total": 0, "share": None, "low": None, "high": None}
    ]
    assert found["pairs"][0]["answer"] == "cannot_tell"


def test_judges_who_share_no_judgement_have_no_kappa():
    found = report([drawn(0)], [answer(0, None, reason="refused")], [answer(0, cost=900)])

    assert found["pairs"][0]["kappa"] == {"estimate": None, "low": None, "high": None, "total": 0}


def test_the_table_of_the_manual_is_what_the_formula_gives():
    manual = (Path(__file__).parents[2] / "docs/model-trial.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([\d.]+)(?: \(for a \*no\*\))? \| ([\d,]+) \|$", manual, re.MULTILINE)

    errors = NormalDist().inv_cdf(0.975) + NormalDist().inv_cdf(0.8)
    for points, needed in rows:
        difference = float(points) / 100
        distance = max(difference, MARGIN - difference)
        assert int(needed.replace(",", "")) == math.ceil(errors**2 * (0.1 - difference**2) / distance**2)
    assert len(rows) == 5


def test_without_a_conversation_of_the_table_the_price_is_that_of_the_gold_rows():
    gold = [drawn(number, None, label="coding") for number in range(4)]

    def costing(cost: int) -> dict[str, Answer]:
        return by_draw([answer(number, cost=cost) for number in range(4)])

    found = compared(Trial(gold, {}, {name: costing(cost) for name, cost in ((CHEAP, 100), (DEAR, 300))}))

    assert [row["micro_usd_per_1000"] for row in found["contenders"]] == [100_000, 300_000]
    assert "0.2000 USD more per 1,000" in found["pairs"][0]["sentence"]["en"]


def by_draw(given: list[Answer]) -> dict[str, Answer]:
    return {each.draw: each for each in given}
