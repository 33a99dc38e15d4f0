"""What a model may propose: the shape of its answer, and the screening against what it has read."""

import json
from collections import Counter
from typing import Any

import pytest

from chatcensus.answer import Reason
from chatcensus.proposals import Fault, read_proposals, screened
from chatcensus.taxonomy import Category
from tests.fakes import TAXONOMY

TRAVEL = {
    "key": "travel",
    "label": {"en": "Travel", "ja": "旅行"},
    "definition": {"en": "Planning trips; expenses are office.", "ja": "旅行の計画。経費は office。"},
}
SAID = "My phone number is secret; plan a quiet weekend with my aunt Emi. 来週の社員旅行の下見を一人でしておきたい。"


def proposal(**changes: Any) -> dict[str, Any]:
    return TRAVEL | changes


def definition(text: str) -> dict[str, Any]:
    return proposal(definition={"en": text, "ja": "旅行"})


def read(*proposals: object, most: int = 3) -> Any:
    return read_proposals(json.dumps({"proposals": proposals}), "end_turn", most, TAXONOMY)


def test_a_good_proposal_is_taken_as_it_is():
    assert read(TRAVEL) == ([Category.model_validate(TRAVEL)], Counter())


def test_no_proposal_is_a_good_answer():
    assert read() == ([], Counter())


@pytest.mark.parametrize(
    ("answer", "stop_reason", "reason"),
    [
        pytest.param('{"proposals": []}', "max_tokens", Reason.TRUNCATED, id="cut off"),
        pytest.param(None, "refusal", Reason.REFUSED, id="refused"),
        pytest.param("", "end_turn", Reason.EMPTY, id="nothing"),
        pytest.param("travel, health", "end_turn", Reason.NOT_JSON, id="words"),
        pytest.param('Here: {"proposals": []}', "end_turn", Reason.EXTRA_TEXT, id="words before it"),
        pytest.param('{"proposals": []} {"proposals": []}', "end_turn", Reason.SEVERAL_OBJECTS, id="two"),
        pytest.param("[]", "end_turn", Reason.WRONG_TYPE, id="a list"),
        pytest.param("{}", "end_turn", Reason.MISSING_FIELD, id="no list"),
        pytest.param('{"proposals": [], "note": 1}', "end_turn", Reason.EXTRA_FIELD, id="a note"),
        pytest.param('{"proposals": {}}', "end_turn", Reason.WRONG_TYPE, id="an object for the list"),
        pytest.param('{"proposals": [], "proposals": []}', "end_turn", Reason.NOT_JSON, id="a name twice"),
        pytest.param({"proposals": [{}] * 4}, "tool_use", Reason.EXTRA_FIELD, id="more than asked for"),
    ],
)
def test_an_answer_that_is_not_the_object_is_rejected_with_the_reason(answer, stop_reason, reason):
    assert read_proposals(answer, stop_reason, 3, TAXONOMY) is reason


@pytest.mark.parametrize(
    ("proposed", "fault"),
    [
        pytest.param("travel", Fault.WRONG_FIELDS, id="a word"),
        pytest.param({"key": "travel"}, Fault.WRONG_FIELDS, id="too little"),
        pytest.param(proposal(examples=["My trip"]), Fault.WRONG_FIELDS, id="too much"),
        pytest.param(proposal(key=7), Fault.WRONG_FIELDS, id="a number for the key"),
        pytest.param(proposal(label="Travel"), Fault.WRONG_FIELDS, id="one language"),
        pytest.param(proposal(label={"en": "Travel", "ja": 3}), Fault.WRONG_FIELDS, id="a number for a text"),
        pytest.param(proposal(key="Travel"), Fault.WRONG_KEY, id="upper case"),
        pytest.param(proposal(key="t" * 41), Fault.WRONG_KEY, id="a long key"),
        pytest.param(proposal(key="travel\n"), Fault.WRONG_KEY, id="a line end"),
        pytest.param(proposal(key="coding"), Fault.KNOWN_KEY, id="one that there is"),
        pytest.param(proposal(label={"en": "T" * 31, "ja": "旅行"}), Fault.WRONG_LENGTH, id="a long label"),
        pytest.param(definition("T" * 161), Fault.WRONG_LENGTH, id="a long definition"),
        pytest.param(definition(""), Fault.WRONG_LENGTH, id="an empty one"),
        pytest.param(definition(" Trips"), Fault.WRONG_LENGTH, id="blanks around it"),
        pytest.param(definition("Trips\nCall the tool"), Fault.MARKUP, id="two lines"),
        pytest.param(definition("Trips\u202e"), Fault.MARKUP, id="a mark of direction"),
        pytest.param(definition("Trips\ud800"), Fault.MARKUP, id="half a character"),
        pytest.param(definition("Trips\u2028only"), Fault.MARKUP, id="a line end of Unicode"),
        pytest.param(definition("<b>Trips</b>"), Fault.MARKUP, id="HTML"),
        pytest.param(definition("[Trips](x)"), Fault.MARKUP, id="Markdown"),
        pytest.param(definition("{{ params }}"), Fault.MARKUP, id="a template"),
    ],
)
def test_a_proposal_that_is_not_well_formed_is_dropped_and_the_others_stay(proposed, fault):
    proposals, faults = read(proposed, proposal(key="health"))

    assert [category.key for category in proposals] == ["health"]
    assert faults == {fault: 1}


def test_a_key_that_is_proposed_twice_counts_once():
    proposals, faults = read(TRAVEL, TRAVEL)

    assert (len(proposals), faults) == (1, {Fault.REPEATED_KEY: 1})


@pytest.mark.parametrize(
    ("proposed", "fault"),
    [
        pytest.param(definition("Trips of 2026"), Fault.DIGITS, id="a year"),
        pytest.param(definition("Call 03-12 34"), Fault.DIGITS, id="a number in parts"),
        pytest.param(definition("Trips １２３４"), Fault.DIGITS, id="wide digits"),
        pytest.param(definition("Trips ٠٩٠١"), Fault.DIGITS, id="Arabic digits"),
        pytest.param(proposal(label={"en": "Travel", "ja": "〇九〇・一二三四"}), Fault.DIGITS, id="Chinese numbers"),
        pytest.param(definition("See aGFuYWtvIHlhbWFkYSBpcyBpbGw= here"), Fault.CODE, id="base64"),
        pytest.param(proposal(key="nbqw4ylln4qhsylnmfsgcidj"), None, id="24 letters in a row"),
        pytest.param(proposal(key="nbqw4ylln4qhsylnmfsgcidjo"), Fault.CODE, id="25 letters in a row"),
        pytest.param(definition("To рlan a quiet weekend"), Fault.LETTERS, id="a Cyrillic letter that looks like a p"),
        pytest.param(definition("To pla\u0336n a quiet weekend"), Fault.LETTERS, id="a letter that is crossed out"),
        pytest.param(definition("Trips\U0001f170"), Fault.LETTERS, id="letters as pictures"),
        pytest.param(definition("Trips – “short” ones…"), None, id="quotation marks and dashes"),
        pytest.param(definition("Mail a@b"), Fault.ADDRESS, id="an e-mail address"),
        pytest.param(definition("Mail a＠b"), Fault.ADDRESS, id="a wide one"),
        pytest.param(definition("See http://x"), Fault.ADDRESS, id="a URL"),
        pytest.param(definition("See example.com"), Fault.ADDRESS, id="a host"),
        pytest.param(definition("To plan a quiet weekend"), Fault.QUOTATION, id="four words"),
        pytest.param(definition("to PLAN a  quiet, weekend"), Fault.QUOTATION, id="in another dress"),
        pytest.param(proposal(key="weekend_with_my_aunt"), Fault.QUOTATION, id="in the key"),
        pytest.param(proposal(label={"en": "Travel", "ja": "来週の社員旅行の下見を"}), None, id="eleven characters"),
        pytest.param(proposal(label={"en": "Travel", "ja": "来週の社員旅行の下見を一"}), Fault.QUOTATION, id="twelve"),
        pytest.param(
            proposal(label={"en": "Travel", "ja": "来週の、社員旅行の 下見を一"}), Fault.QUOTATION, id="parted"
        ),
        pytest.param(definition("A quiet weekend"), None, id="three words"),
        pytest.param(TRAVEL, None, id="own words"),
    ],
)
def test_what_may_be_of_one_conversation_is_dropped_whole(proposed, fault):
    category = Category.model_validate(proposed)

    passed, faults = screened([category], ["Hello", SAID], TAXONOMY)

    assert passed == ([] if fault else [category])
    assert faults == ({fault: 1} if fault else {})


def test_words_of_the_taxonomy_in_force_are_no_quotation():
    known = TAXONOMY.categories[0].definition
    category = Category.model_validate(proposal(definition={"en": known.en[:100], "ja": known.ja[:60]}))

    assert screened([category], [known.en, known.ja], TAXONOMY) == ([category], Counter())


def test_a_conversation_with_half_a_character_is_screened_like_any_other():
    quoting = Category.model_validate(definition("To plan a quiet weekend"))

    assert screened([quoting], [f"\ud800旅行 {SAID}"], TAXONOMY)[1] == {Fault.QUOTATION: 1}
