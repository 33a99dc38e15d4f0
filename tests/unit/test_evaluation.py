from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from chatcensus.answer import Judgement, Reason
from chatcensus.evaluation import (
    ATTRIBUTE,
    PREVIOUS,
    Evaluation,
    evaluation_key,
    of_previous,
    pseudonym,
    stored_evaluation,
)

EVALUATION = Evaluation(
    key=evaluation_key("hash", "prompt", "model"),
    verdict=Judgement("coding", 4),
    content_hash="hash",
    prompt_version="prompt",
    taxonomy_version="taxonomy",
    model="model",
    answered_by="stand-in",
    attempts=2,
    input_tokens=600,
    output_tokens=20,
    cost_micro_usd=77,
    is_clipped=False,
    user_pseudonym="0123456789abcdef",
    run_id="run-1",
    evaluated_at=datetime(2026, 10, 1, 3, 4, 5, 678, tzinfo=UTC),
)
PROVENANCE = {
    "key": EVALUATION.key,
    "content_hash": "hash",
    "prompt_version": "prompt",
    "taxonomy_version": "taxonomy",
    "model": "model",
    "answered_by": "stand-in",
    "attempts": 2,
    "input_tokens": 600,
    "output_tokens": 20,
    "cost_micro_usd": 77,
    "is_clipped": False,
    "user_pseudonym": "0123456789abcdef",
    "run_id": "run-1",
    "evaluated_at": "2026-10-01T03:04:05.000678Z",
}


def test_a_judgement_is_stored_with_its_provenance():
    assert EVALUATION.attribute() == PROVENANCE | {"outcome": "evaluated", "category": "coding", "inquiry_score": 4}


def test_a_quarantine_is_stored_with_its_reason_and_nothing_that_looks_like_a_judgement():
    quarantined = replace(EVALUATION, verdict=Reason.REFUSED)

    assert quarantined.attribute() == PROVENANCE | {"outcome": "quarantined", "reason": "refused"}


def test_a_conversation_without_a_user_has_no_pseudonym():
    assert "user_pseudonym" not in replace(EVALUATION, user_pseudonym=None).attribute()


@pytest.mark.parametrize("verdict", [Judgement("coding", 4), *Reason])
def test_what_is_stored_is_plain_texts_whole_numbers_and_booleans(verdict: Judgement | Reason):
    stored = replace(EVALUATION, verdict=verdict).attribute()

    assert {type(value) for value in stored.values()} == {str, int, bool}


def test_the_key_changes_with_the_text_the_prompt_and_the_model_and_with_nothing_else():
    keys = {evaluation_key(*parts) for parts in [("a", "p", "m"), ("b", "p", "m"), ("a", "q", "m"), ("a", "p", "n")]}

    assert len(keys) == 4
    assert {len(key) for key in keys} == {32}
    assert evaluation_key("a", "p", "m") == evaluation_key("a", "p", "m")
    assert evaluation_key("ab", "p", "m") != evaluation_key("a", "bp", "m")


def test_a_pseudonym_needs_the_secret_and_is_the_same_every_time():
    assert pseudonym("taro", "secret") == pseudonym("taro", "secret")
    assert len({pseudonym("taro", "secret"), pseudonym("taro", "another"), pseudonym("hanako", "secret")}) == 3
    assert len(pseudonym("taro", "secret")) == 16
    assert "taro" not in pseudonym("taro", "secret")


def test_any_user_name_has_a_pseudonym():
    assert pseudonym("\ud83d", "secret") != pseudonym("", "secret")


@pytest.mark.parametrize(
    ("item", "is_of_it"),
    [
        ({}, False),
        ({ATTRIBUTE: "hash"}, False),
        ({ATTRIBUTE: {}}, False),
        ({ATTRIBUTE: {"content_hash": "other"}}, False),
        ({ATTRIBUTE: {"content_hash": "hash"}}, True),
        ({ATTRIBUTE: EVALUATION.attribute()}, True),
    ],
)
def test_an_evaluation_is_of_this_text_or_of_an_older_one(item: dict[str, Any], is_of_it: bool):
    assert (stored_evaluation(item, "hash") is not None) is is_of_it


def test_what_is_kept_of_a_replaced_evaluation_is_what_can_be_compared():
    kept = of_previous(EVALUATION.attribute())

    assert kept.keys() == set(PREVIOUS) - {"reason"}
    assert replace(EVALUATION, previous=kept).attribute()["previous"] == kept
    assert of_previous({"outcome": "quarantined", "reason": "refused", "previous": kept}) == {
        "outcome": "quarantined",
        "reason": "refused",
    }
