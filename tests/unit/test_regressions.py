"""Faults found on the day the library was first tested; each was red before its fix."""

import traceback
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.api.datamodels._generated import DagRunType
from boto3.dynamodb.types import Binary

from chatcensus.answer import Reason, read_answer
from chatcensus.conversation import Turn, clean, transcript
from chatcensus.errors import RequestRefused, SetupError, SnapshotIncomplete
from chatcensus.include import read_yaml
from chatcensus.interval import Window
from chatcensus.mapping import Stored, TableMapping
from chatcensus.operators.plan import _window
from chatcensus.pricing import Usage
from chatcensus.strict_json import parse
from chatcensus.tally import Outcome, Tally
from tests.fakes import (
    GOOD,
    MAPPING,
    NOON,
    TAXONOMY,
    USAGE,
    FakeLedger,
    FakeModel,
    FakeStore,
    Reply,
    census,
    conversation_item,
    conversation_items,
    reply,
)


@pytest.mark.parametrize(
    "text", ['{"category": "' + "a" * 10_000, '{"' + "a" * 10_000 + '" x', '{"category": "' + "あ" * 10_000 + '\n"}']
)
def test_a_string_that_does_not_end_is_read_once(text: str):
    assert read_answer(text, "end_turn", TAXONOMY) is Reason.NOT_JSON  # once took 2 ** 10,000 steps


def test_a_fence_that_does_not_end_is_read_once():
    assert read_answer("```" + "a" * 500_000, "end_turn", TAXONOMY) is Reason.NOT_JSON  # once took 10 ** 11 steps


def test_twenty_digits_are_exact_with_and_without_a_sign():
    assert parse("[12345678901234567890, -12345678901234567890]") == [12345678901234567890, -12345678901234567890]


def test_airflows_word_for_a_backfill_is_ours():
    interval = {"data_interval_start": datetime(2026, 9, 1, tzinfo=UTC), "data_interval_end": NOON}
    run = SimpleNamespace(run_type=DagRunType.BACKFILL, run_after=NOON, **interval)

    assert _window({"dag_run": run}) == Window(interval["data_interval_start"], NOON)


@pytest.mark.parametrize(
    "item", [{"conversation_id": "c1", "user_id": Binary(b"x")}, {"conversation_id": Binary(b"\xff")}]
)
def test_a_binary_name_is_a_name(item: dict[str, Any]):
    conversation = MAPPING.conversation(Stored(item, has_room=True))

    assert conversation.user == "78" or conversation.conversation_id == "ff"


def test_a_date_that_does_not_exist_is_an_error_of_the_file(tmp_path: Path):
    (tmp_path / "table.yaml").write_text("since: 2026-02-30\n")

    with pytest.raises(SetupError, match="not YAML"):
        read_yaml(tmp_path / "table.yaml", TableMapping)


def test_a_file_that_is_not_yaml_is_not_quoted_in_the_traceback_either(tmp_path: Path):
    (tmp_path / "table.yaml").write_text("user: [secret\ncreated_at: x\n")

    with pytest.raises(SetupError) as raised:
        read_yaml(tmp_path / "table.yaml", TableMapping)

    assert "secret" not in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize("first", [RequestRefused("too long"), reply(stop_reason="model_context_window_exceeded")])
def test_a_conversation_that_was_clipped_harder_says_so(first: object):
    store = FakeStore([conversation_item("c1", "あ" * 7_000)])

    census(store, FakeModel(first, GOOD)).run()

    assert store.evaluation("c1")["is_clipped"] is True


def test_what_was_kept_apart_by_an_invisible_character_is_composed():
    assert clean("か\u200b\u3099") == "が"


def test_a_question_in_the_middle_of_a_long_conversation_is_a_question():
    turns = [Turn("user", " "), Turn("user", ""), Turn("user", "Why?"), *[Turn("assistant", "あ" * 3_000)] * 4]

    assert not transcript(turns).is_blank


def test_a_reservation_covers_a_text_of_one_token_a_character():
    text, reserved, ledger, model = "aZ9+/" * 800, [], FakeLedger(), FakeModel()
    model.enqueue(lambda: reserved.append(ledger.spent) or reply(usage=Usage(len(text), 100)))

    tally = census(FakeStore([conversation_item("c1", text)]), model, ledger).run()

    assert reserved[0] >= tally.cost_micro_usd


def test_a_malformed_reply_is_asked_again():
    model = FakeModel(Reply(None, "malformed_tool_use", USAGE, "fake"), GOOD)

    assert census(FakeStore(conversation_items(1)), model).run().outcomes == {Outcome.EVALUATED: 1}


def test_a_blank_item_without_room_has_one_reason_everywhere():
    store, ledger = FakeStore([conversation_item("c1", turns=[])], full=["c1"]), FakeLedger()

    tally = census(store, FakeModel(), ledger).run()

    assert list(tally.reasons) == list(ledger.quarantined.values()) == [Reason.TOO_LARGE]


def test_a_tally_that_does_not_add_up_is_told_in_plain_words():
    tally = Tally(read=3)
    tally.outcomes[Outcome.DELETED] = 1

    with pytest.raises(SnapshotIncomplete, match=r"\{'deleted': 1\}"):
        tally.check()


def test_a_window_whose_start_is_no_time_is_not_a_window_without_a_start():
    with pytest.raises(SetupError, match="a window needs"):
        Window.from_dict({"start": "tomorrow", "end": "2026-10-01T00:00:00+00:00"})
