"""Every rule of `read_answer` as a case of ours, and every case of the shared corpus where it is at hand."""

import json
from pathlib import Path
from typing import Any

import pytest

from chatcensus.answer import Judgement, Reason, read_answer
from tests.answers.cases import GROUPS, Case
from tests.fakes import TAXONOMY

SHARED = Path(__file__).parents[3] / "shared/golden/answers.jsonl"
CASES = [pytest.param(group, case, id=f"{group}/{case.id}") for group, cases in GROUPS.items() for case in cases]


def shared_cases() -> list[Any]:
    """The shared corpus, or one case that is skipped and says why."""
    if not SHARED.exists():
        return [pytest.param(None, marks=pytest.mark.skip(reason="the shared corpus is not beside this repository"))]
    cases = [json.loads(line) for line in SHARED.read_text(encoding="utf-8").splitlines()]
    return [pytest.param(case, id=case["id"]) for case in cases]


def generated(parts: list[Any]) -> str:
    """The long text that the parts of a case stand for."""
    return "".join(part if isinstance(part, str) else part["repeat"][0] * part["repeat"][1] for part in parts)


def expected(expect: dict[str, Any]) -> Judgement | Reason:
    """What a case of the shared corpus expects, in our words."""
    if expect["outcome"] == "accepted":
        return Judgement(expect["category"], expect["inquiry_score"])
    return Reason(expect["reason"])


@pytest.mark.parametrize(("group", "case"), CASES)
def test_an_answer_means_what_the_rules_say(group: str, case: Case):
    assert "accepted" if isinstance(case.expected, Judgement) else case.expected == group

    assert read_answer(case.answer, case.stop_reason, TAXONOMY) == case.expected


@pytest.mark.parametrize("case", shared_cases())
def test_an_answer_of_the_shared_corpus_means_what_it_says(case: dict[str, Any]):
    answer = generated(case["generate"]) if "generate" in case else case["answer"]

    assert read_answer(answer, case["stop_reason"], TAXONOMY) == expected(case["expect"])


def test_every_reason_that_an_answer_can_have_stands_in_our_cases():
    of_a_conversation_alone = {Reason.TOO_LARGE, Reason.UNANSWERED, Reason.UNREADABLE}

    assert {case.expected for cases in GROUPS.values() for case in cases if isinstance(case.expected, Reason)} == (
        set(Reason) - of_a_conversation_alone
    )


def test_no_two_cases_of_a_group_share_a_name():
    for group, cases in GROUPS.items():
        assert len({case.id for case in cases}) == len(cases), group
