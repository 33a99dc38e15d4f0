import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcensus.conversation import (
    MAX_TRANSCRIPT_TOKENS,
    Conversation,
    Transcript,
    Turn,
    clean,
    clip,
    estimated_tokens,
    transcript,
)

OMITTED = "characters omitted ...]"
texts = st.text(st.characters(), max_size=40)
turns = st.lists(st.builds(Turn, st.sampled_from(["user", "assistant", "system", "tool", ""]), texts), max_size=8)


def said(*texts: str) -> list[Turn]:
    """A conversation in which the person and the assistant speak in turn."""
    return [Turn("assistant" if index % 2 else "user", text) for index, text in enumerate(texts)]


@given(turns, turns)
def test_another_text_or_role_has_another_hash_and_the_same_has_the_same(first: list[Turn], second: list[Turn]):
    one, other = Conversation("a", tuple(first)), Conversation("b", tuple(second))

    assert (one.content_hash == other.content_hash) == (first == second)


def test_the_hash_is_of_roles_and_texts_alone_and_never_changes():
    turns = (Turn("user", "こんにちは"),)

    assert Conversation("a", turns, user="u").content_hash == Conversation("b", turns).content_hash
    assert Conversation("a", turns).content_hash == "4e06a2874cee095787718e882b952ae7"


def test_a_text_that_moves_to_the_next_turn_is_another_conversation():
    assert (
        Conversation("a", tuple(said("ab", "c"))).content_hash != Conversation("a", tuple(said("a", "bc"))).content_hash
    )


def test_system_prompts_and_tool_calls_are_not_shown():
    shown = transcript([Turn("system", "Be kind."), Turn("user", "Hi"), Turn("tool", "{}"), Turn("assistant", "Hello")])

    assert shown == Transcript((("user", "Hi"), ("assistant", "Hello")), is_clipped=False)


@pytest.mark.parametrize(
    "turns",
    [
        pytest.param([], id="no turn"),
        pytest.param(said(""), id="no character"),
        pytest.param(said(" \n\t\u3000"), id="white space"),
        pytest.param(said("\u200b\u2060\ufeff"), id="zero-width characters"),
        pytest.param([Turn("system", "Be kind."), Turn("tool", "{}")], id="only system and tools"),
        pytest.param([Turn("assistant", "Hello, how can I help?")], id="only the assistant"),
    ],
)
def test_a_conversation_in_which_the_person_said_nothing_is_blank(turns: list[Turn]):
    assert transcript(turns).is_blank


def test_one_word_of_the_person_is_enough():
    assert not transcript(said("", "Yes?", "は")).is_blank


def test_a_conversation_at_the_limit_is_shown_whole():
    turns = said("a" * 4 * MAX_TRANSCRIPT_TOKENS)

    shown = transcript(turns)

    assert shown == Transcript((("user", turns[0].text),), is_clipped=False)


def test_a_long_conversation_keeps_its_first_two_questions_and_its_last_three_turns():
    turns = said(*[f"{number} " + "あ" * 1_000 for number in range(12)])

    shown = transcript(turns)

    assert shown.is_clipped
    assert [text if role is None else (role, text.split()[0]) for role, text in shown.parts] == [
        ("user", "0"),
        "[... 1 turn omitted ...]",
        ("user", "2"),
        "[... 6 turns omitted ...]",
        ("assistant", "9"),
        ("user", "10"),
        ("assistant", "11"),
    ]


def test_a_long_turn_keeps_three_quarters_of_its_room_for_its_beginning():
    shown = transcript(said("a" * 50_000 + "b" * 50_000), max_tokens=1_000)

    [(_, text)] = shown.parts
    beginning, _, end = text.partition("[... ")
    assert (beginning, end) == ("a" * 600, f"99200 {OMITTED}" + "b" * 200)


@given(st.lists(st.builds(Turn, st.sampled_from(["user", "assistant"]), st.text(max_size=60)), max_size=9))
def test_what_is_shown_of_a_conversation_is_always_the_same_and_never_much_more_than_allowed(turns: list[Turn]):
    allowed, marks = 50, 12 * 10

    shown = transcript(turns, max_tokens=allowed)

    assert shown == transcript(list(turns), max_tokens=allowed)
    assert sum(estimated_tokens(text) for _, text in shown.parts) <= allowed + marks
    assert shown.is_clipped == (sum(estimated_tokens(clean(turn.text)) for turn in turns) > allowed)


@given(st.text(min_size=1), st.integers(0, 40))
def test_a_cut_text_is_a_beginning_and_an_end_of_it_and_says_how_much_is_missing(text: str, max_tokens: int):
    shown = clip(text, max_tokens)

    if estimated_tokens(text) <= max_tokens:
        assert shown == text
        return
    beginning, _, rest = shown.partition("[... ")
    missing, _, end = rest.partition(f" {OMITTED}")
    assert text.startswith(beginning)
    assert text.endswith(end)
    assert len(beginning) + int(missing) + len(end) == len(text)
    assert estimated_tokens(beginning) + estimated_tokens(end) <= max_tokens


@given(st.text(st.sampled_from("a\u0301\u0308か\u3099\U0001f44d\U0001f3fd\ufe0f\u20e3"), min_size=9), st.integers(0, 8))
def test_a_cut_never_takes_a_mark_off_its_letter(text: str, max_tokens: int):
    beginning, mark, rest = clip(f"x{text}", max_tokens).partition("[... ")

    end = rest.partition(OMITTED)[2]
    if mark:
        assert not end or unicodedata.category(end[0]) not in ("Mn", "Mc", "Me")
        assert not end or not "\U0001f3fb" <= end[0] <= "\U0001f3ff"
        following = f"x{text}"[len(beginning)]
        assert not beginning or unicodedata.category(following) not in ("Mn", "Mc", "Me")


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        pytest.param("plain", "plain", id="plain"),
        pytest.param("two\n\tlines", "two\n\tlines", id="line break and tab stay"),
        pytest.param("a\r\nb", "a\nb", id="carriage return"),
        pytest.param("\x00a\x1b[31mb\x7f", "a[31mb", id="control characters"),
        pytest.param("a\u200b\u200d\ufeffb\u00ad", "ab", id="zero width"),
        pytest.param("\u202eab\u2066", "ab", id="direction"),
        pytest.param("\U000e0041\U000e0042", "", id="tag characters"),
        pytest.param("\ud83da", "a", id="lone surrogate"),
        pytest.param("か\u3099", "が", id="composed"),
        pytest.param("ＡＢ①", "ＡＢ①", id="no compatibility folding"),
        pytest.param("👍🏽", "👍🏽", id="emoji"),
    ],
)
def test_a_text_is_cleaned_of_what_nobody_sees(text: str, cleaned: str):
    assert clean(text) == cleaned


@given(texts)
def test_a_cleaned_text_holds_no_invisible_character_and_can_be_encoded(text: str):
    cleaned = clean(text)

    cleaned.encode()
    assert not [c for c in cleaned if c not in "\n\t" and unicodedata.category(c) in ("Cc", "Cf", "Cs")]


@pytest.mark.parametrize(("text", "tokens"), [("", 0), ("four", 1), ("日本", 2), ("日本 ok", 2.75), ("\ud800", 1)])
def test_tokens_are_estimated_by_script(text: str, tokens: float):
    assert estimated_tokens(text) == tokens
