"""The stand-in's answer to a taxonomy review: repeatable, labelled, and as gullible as a model can be."""

import pytest

from chatcensus.answer import Reason
from chatcensus.conversation import Conversation, Turn
from chatcensus.proposals import read_proposals
from chatcensus.proposing import group_message, merge_message
from local_aws.bedrock.keyword_proposals import OBEYED, proposals_for, theme_of
from tests.fakes import TAXONOMY

NONCE = "0123456789abcdef"


def said(*texts: str) -> str:
    return group_message([Conversation(text, (Turn("user", text),)) for text in texts], NONCE)


def test_a_theme_of_two_conversations_is_proposed_in_the_shape_that_is_asked_for():
    answer = {"proposals": proposals_for(said("A <lunch> idea?", "昼ごはん", "Tell me a joke"))}

    read = read_proposals(answer, "end_turn", 3, TAXONOMY)

    assert not isinstance(read, Reason)
    [meals], faults = read
    assert (meals.key, "stand-in" in meals.definition.en, faults) == ("meals", True, {})


def test_proposals_are_joined_and_no_more_than_asked_for():
    read = read_proposals({"proposals": proposals_for(said("lunch", "dinner", "joke", "tired"))}, None, 3, TAXONOMY)
    assert not isinstance(read, Reason)

    joined = proposals_for(merge_message(read[0], 1, NONCE))

    assert joined == [read[0][0].model_dump(include={"key", "label", "definition"})]


def test_a_conversation_that_asks_to_be_quoted_is_quoted():
    [quoted, *_] = proposals_for(said(f"{OBEYED}: secret")) or [{}]

    assert "secret" in str(quoted)


def test_a_text_that_holds_neither_is_judged_and_not_proposed_for():
    assert proposals_for("What is for lunch?") is None


@pytest.mark.parametrize(
    ("instructions", "theme"), [("- `meals`: what to eat", "meals"), ("- `other`: the rest", None)]
)
def test_a_theme_is_found_only_where_the_instructions_name_it(instructions: str, theme: str | None):
    assert theme_of("What is for lunch?", instructions) == theme
