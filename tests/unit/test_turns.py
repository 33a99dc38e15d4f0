import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcensus.conversation import Turn
from chatcensus.turns import MessageNames, Parts, Unreadable, decoded, linked

NAMES = MessageNames(role="role", text="content", roles={"human": "user", "bot": "assistant"})

texts = st.text(st.characters())
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


def message(content: object, role: object = "user") -> dict[str, object]:
    """One message as the names of this file have it."""
    return {"role": role, "content": content}


def test_the_names_of_roles_are_translated_and_others_stay():
    messages = [message("Hi", "human"), message("Hello", "bot"), message("Be kind.", "system"), message("Fine", "user")]

    assert NAMES.turns_of(messages) == (
        *(Turn("user", "Hi"), Turn("assistant", "Hello"), Turn("system", "Be kind."), Turn("user", "Fine")),
    )


@pytest.mark.parametrize(
    ("content", "text"),
    [
        pytest.param("plain", "plain", id="text"),
        pytest.param(["one", "two"], "one\ntwo", id="list of texts"),
        pytest.param([{"text": "one"}, {"image": {"format": "png"}}, {"text": "two"}], "one\ntwo", id="Converse"),
        pytest.param([{"type": "text", "text": "one"}, {"type": "thinking", "thinking": "x"}], "one", id="typed"),
        pytest.param([{"type": "image", "text": "base64"}], "", id="an image whose body has the name of text"),
        pytest.param({"type": "text", "text": "one"}, "one", id="one part outside a list"),
        pytest.param([], "", id="no part"),
    ],
)
def test_only_the_parts_that_are_text_count(content: object, text: str):
    assert NAMES.turns_of([message(content)]) == (Turn("user", text),)


def test_the_names_inside_a_part_are_the_tools():
    names = NAMES.model_copy(update={"parts": Parts(type="content_type", text="body")})
    parts = [{"content_type": "text", "body": "Read this"}, {"content_type": "attachment", "body": "UERG"}]

    assert names.turns_of([message(parts)]) == (Turn("user", "Read this"),)


@pytest.mark.parametrize(
    "unreadable",
    [
        pytest.param("Hi", id="a text"),
        pytest.param(None, id="null"),
        pytest.param({"content": "Hi"}, id="no role"),
        pytest.param({"role": 1, "content": "Hi"}, id="role a number"),
        pytest.param({"role": "user"}, id="the person without text"),
        pytest.param({"role": "human", "content": None}, id="the person, by the tool's name, with null"),
        pytest.param({"role": "assistant", "content": 7}, id="the assistant with a number"),
        pytest.param({"role": "user", "content": [{"type": "text"}]}, id="a text part without text"),
        pytest.param({"role": "user", "content": [None]}, id="a part that is null"),
    ],
)
def test_half_a_conversation_is_not_judged(unreadable: object):
    with pytest.raises(Unreadable):
        NAMES.turns_of([message("secret"), unreadable])


def test_an_unreadable_message_of_another_role_is_left_out_and_an_assistant_may_say_nothing():
    messages = [message({"n": [1]}, "tool"), message(7, "system"), message("Hi"), message(None, "assistant")]

    assert NAMES.turns_of(messages) == (Turn("tool", ""), Turn("user", "Hi"), Turn("assistant", ""))


@pytest.mark.parametrize(("person", "tool"), [("Mensch", "Maschine"), ("Mensch", "assistant"), ("Mensch", "system")])
def test_a_conversation_in_which_the_person_may_have_an_unknown_role_is_unreadable_and_not_empty(
    person: str, tool: str
):
    with pytest.raises(Unreadable, match="no message has the role user in 'role', and some have one that is not known"):
        NAMES.turns_of([message("Hi", person), message("Hello", tool)])


def test_a_conversation_that_only_the_assistant_has_begun_is_empty_and_not_unreadable():
    assert [turn.role for turn in NAMES.turns_of([message("Hello", "assistant")])] == ["assistant"]


@given(st.lists(json_values))
def test_any_messages_are_turns_or_unreadable(messages: list[Any]):
    try:
        turns = NAMES.turns_of(messages)
    except Unreadable:
        return
    assert all(isinstance(turn.text, str) and isinstance(turn.role, str) for turn in turns)


@given(st.lists(st.tuples(st.sampled_from(["user", "assistant", "system", "tool"]), texts)))
def test_turns_come_back_from_json_as_they_were_written(said: list[tuple[str, str]]):
    written = json.dumps([{"role": role, "content": text} for role, text in said])

    assert NAMES.turns_of(decoded(written, "turns")) == tuple(Turn(role, text) for role, text in said)


@pytest.mark.parametrize(
    "text", ["", "{", "[" * 100_000, "secret", '["\x00"]'], ids=["empty", "half", "deep", "word", "0"]
)
def test_a_text_that_is_not_json_is_unreadable_and_not_shown(text: str):
    with pytest.raises(Unreadable) as raised:
        decoded(text, "log")

    assert str(raised.value) == "attribute 'log' is not JSON"


TREE = {
    "root": {"parent": None, "n": 0},
    "asked": {"parent": "root", "n": 1},
    "answered": {"parent": "asked", "n": 2},
    "edited": {"parent": "root", "n": 3},
    "answered again": {"parent": "edited", "n": 4},
}


@pytest.mark.parametrize(("last", "branch"), [("answered", [0, 1, 2]), ("answered again", [0, 3, 4]), ("root", [0])])
def test_the_branch_that_ends_with_the_last_message_is_the_conversation(last: str, branch: list[int]):
    assert [one["n"] for one in linked(TREE, last, "parent", "map")] == branch


@pytest.mark.parametrize(
    ("messages", "last"),
    [
        pytest.param(TREE, "gone", id="the last is not there"),
        pytest.param(TREE, None, id="no last"),
        pytest.param(TREE, ["root"], id="the last is a list"),
        pytest.param({"a": {"parent": "gone"}}, "a", id="a parent is not there"),
        pytest.param({"a": {"parent": "b"}, "b": {"parent": "a"}}, "a", id="a circle"),
        pytest.param({"a": {"parent": 1}}, "a", id="a parent is a number"),
        pytest.param({"a": "secret"}, "a", id="a message is a text"),
        pytest.param([{"parent": None}], "a", id="a list"),
        pytest.param(None, "a", id="null"),
    ],
)
def test_a_broken_chain_is_unreadable(messages: object, last: object):
    with pytest.raises(Unreadable, match="attribute 'map' holds no chain of messages from the last one to the first"):
        linked(messages, last, "parent", "map")


@given(json_values | st.dictionaries(texts, st.dictionaries(st.just("parent"), json_values)), json_values)
def test_any_map_is_a_chain_or_unreadable(messages: object, last: object):
    try:
        branch = linked(messages, last, "parent", "map")
    except Unreadable:
        return
    assert branch[0].get("parent") is None
