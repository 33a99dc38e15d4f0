"""A person's own file of conversations: what is read, what is skipped and named by its number, what ends it."""

import json
from pathlib import Path
from typing import Any

import pytest

from demo.load import MAX_LINE_BYTES, Conversation, UnreadableFile, _batches, _item, read_conversations, shipped

CANARY = "ZQ-canary-7741"
TURNS = [{"role": "user", "content": "Please write a mail"}]


def line(**changes: Any) -> str:
    """Return one good line of a file, with *changes*; a name whose value is None is left out."""
    record = {"id": "c-1", "turns": TURNS, **changes}
    return json.dumps({name: value for name, value in record.items() if value is not None}, ensure_ascii=False)


@pytest.fixture
def file(tmp_path):
    def written(*lines: str | bytes, end: bytes = b"\n") -> Path:
        path = tmp_path / "conversations.jsonl"
        path.write_bytes(b"".join((text.encode() if isinstance(text, str) else text) + end for text in lines))
        return path

    return written


def test_every_line_of_a_good_file_is_a_conversation(file):
    loaded = read_conversations(file(line(), line(id="c-2", user="u", created_at="2026-10-01", language="ja")))
    assert [conversation.id for conversation in loaded.conversations] == ["c-1", "c-2"]
    assert loaded.bad_lines == []


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\n\n"], ids=["unix", "windows", "blank lines between"])
def test_line_ends_do_not_matter(file, end):
    assert len(read_conversations(file(line(), line(id="c-2"), end=end)).conversations) == 2


def test_the_last_line_needs_no_end(file):
    assert len(read_conversations(file(line() + "\n" + line(id="c-2"), end=b"")).conversations) == 2


def test_a_byte_order_mark_is_passed_over(file):
    assert len(read_conversations(file(b"\xef\xbb\xbf" + line().encode())).conversations) == 1


def test_names_that_are_not_ours_are_passed_over(file):
    loaded = read_conversations(file(line(evaluation={"key": "x"}, turns=[{**TURNS[0], "model": "x"}])))
    assert set(_item(loaded.conversations[0])) == {"conversation_id", "turns"}
    assert _item(loaded.conversations[0])["turns"] == TURNS


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\0",
        "\x1b[31m",
        "{{ 7*7 }} {% raw %}",
        "</conversation-0123456789abcdef>",
        "\u202e\u200b",
        "👨‍👩‍👧",
        "a\nb\r\n",
    ],
    ids=ascii,
)
def test_a_text_arrives_as_it_is_written(file, text):
    loaded = read_conversations(file(line(id=f"id {text}", user=text, turns=[{"role": "user", "content": text}])))
    [conversation] = loaded.conversations
    item = _item(conversation)
    assert (item["conversation_id"], item["user_id"], item["turns"][0]["content"]) == (f"id {text}", text, text)


BAD = {
    "no JSON": f"{CANARY} {{",
    "two values": line() + CANARY,
    "a list": f'["{CANARY}"]',
    "null": "null",
    "nothing but NULs": b"\0\0\0",
    "Latin-1": '{"id": "é", "turns": []}'.encode("latin-1"),
    "UTF-16": line(user=CANARY).encode("utf-16-le"),
    "half a surrogate pair": line(user=CANARY).replace("Please", "\\ud800"),
    "encoded half a surrogate pair": line().encode().replace(b"Please", b"\xed\xa0\x80"),
    "no id": line(id=None, user=CANARY),
    "an empty id": line(id="", user=CANARY),
    "a number as id": line(id=7, user=CANARY),
    "an id of 501 characters": line(id="x" * 501, user=CANARY),
    "no turns": line(turns=[], user=CANARY),
    "turns that are a text": line(turns=CANARY),
    "a turn that is null": line(turns=[None], user=CANARY),
    "a turn without a text": line(turns=[{"role": "user"}], user=CANARY),
    "parts in the place of a text": line(turns=[{"role": "user", "content": [{"text": CANARY}]}]),
    "a turn without a role": line(turns=[{"content": CANARY}]),
    "a number as user": line(user=7, language=CANARY),
    "a time that is none": line(created_at=CANARY),
    "a time as a number": line(created_at=1_790_000_000, user=CANARY),
    "a day that is not in the calendar": line(created_at="2026-02-30", user=CANARY),
    "a time outside all years": line(created_at="9999-12-31T23:59:59-09:00", user=CANARY),
    "too deep": '{"x": ' + "[" * 5000 + "]" * 5000 + "}",
    "a number of 5,000 digits": '{"id": "c-1", "x": ' + "7" * 5000 + "}",
    "too long": line(turns=[{"role": "user", "content": CANARY + "x" * MAX_LINE_BYTES}]),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_a_bad_line_is_named_by_its_number_and_never_quoted(file, bad):
    loaded = read_conversations(file(line(id="before"), bad, line(id="after")))
    assert [conversation.id for conversation in loaded.conversations] == ["before", "after"]
    [(number, problem)] = loaded.bad_lines
    assert number == 2
    assert problem
    assert CANARY not in problem


def test_an_id_stands_once_and_the_first_line_with_it_counts(file):
    loaded = read_conversations(file(line(user="first"), line(user="second"), line(id="c-2")))
    assert [conversation.user for conversation in loaded.conversations] == ["first", None]
    assert [number for number, _ in loaded.bad_lines] == [2]


def test_the_id_of_a_bad_line_is_free_for_a_good_one(file):
    assert len(read_conversations(file(line(turns=[]), line())).conversations) == 1


def test_a_line_may_be_as_long_as_the_limit_says_and_no_longer(file):
    room = MAX_LINE_BYTES - len(line(turns=[{"role": "user", "content": ""}])) - 1  # and the line's end
    assert read_conversations(file(line(turns=[{"role": "user", "content": "x" * room}]))).bad_lines == []
    with pytest.raises(UnreadableFile, match=f"more than the {MAX_LINE_BYTES} bytes"):
        read_conversations(file(line(turns=[{"role": "user", "content": "x" * (room + 1)}])))


@pytest.mark.parametrize("turns", [[{"role": "user", "content": ""}] * 10_000, TURNS * 5_000], ids=["empty", "short"])
def test_thousands_of_turns_are_one_conversation(file, turns):
    [conversation] = read_conversations(file(line(turns=turns))).conversations
    assert len(conversation.turns) == len(turns)


@pytest.mark.parametrize("content", [b"", b"\n \n"], ids=["empty", "blank"])
def test_an_empty_file_is_one_clear_error(tmp_path, content):
    path = tmp_path / "empty.jsonl"
    path.write_bytes(content)
    with pytest.raises(UnreadableFile, match=r"empty\.jsonl holds no conversation \(it is empty\)"):
        read_conversations(path)


def test_a_file_without_a_good_line_says_what_is_wrong_with_the_first(file):
    with pytest.raises(UnreadableFile, match=r"holds no conversation \(line 2: id: Field required\); docs/"):
        read_conversations(file("", line(id=None), "{"))


@pytest.mark.parametrize("name", ["missing.jsonl", "."], ids=["missing", "a folder"])
def test_a_file_that_cannot_be_read_is_named_with_the_reason(tmp_path, name):
    with pytest.raises(UnreadableFile, match=r"cannot be read: (No such file|Is a directory)"):
        read_conversations(tmp_path / name)


def test_nothing_is_made_up_of_a_conversation_not_even_its_time():
    item = _item(Conversation.model_validate_json(line()))
    assert item == {"conversation_id": "c-1", "turns": TURNS}


def test_batches_hold_every_item_once():
    items = [{"id": number} for number in range(51)]
    batches = list(_batches(items, 25))
    assert [len(batch) for batch in batches] == [25, 25, 1]
    assert [item for batch in batches for item in batch] == items


def test_the_shipped_conversations_would_be_a_good_file(file):
    loaded = read_conversations(file(*(conversation.model_dump_json() for conversation in shipped())))
    assert (len(loaded.conversations), loaded.bad_lines) == (len(shipped()), [])
