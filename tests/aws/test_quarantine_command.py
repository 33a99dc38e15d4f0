"""`chatcensus quarantine`: what it lists, that no id can play with the terminal, and that nothing is paid twice."""

import json
import threading
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from boto3.dynamodb.types import TypeSerializer
from typer.testing import CliRunner

from chatcensus.__main__ import app
from chatcensus.answer import Reason
from chatcensus.aws.conversation_store import ConversationStore
from chatcensus.aws.ledger import Ledger
from chatcensus.aws.quarantines import key_of
from chatcensus.census import Census
from chatcensus.commands.options import preview_job
from chatcensus.evaluation import Evaluation
from chatcensus.mapping import Stored, TableMapping
from tests import command_manual
from tests.fakes import INCLUDE, MAPPING, UNLIMITED, FakeClaim, FakeModel, conversation_item

TABLE, CONTROL, CANARY = "chat-conversations", "chatcensus-control", "canary-0815"
HOSTILE = "c\n\x1b[31mred\x1b[0m\r\u202egnp.exe\u200f\x7f\u0085"


@pytest.fixture
def dynamodb(local_aws: Any) -> Any:
    local_aws.create_stack()
    return local_aws.client("dynamodb")


def put(dynamodb: Any, item: dict[str, Any]) -> None:
    dynamodb.put_item(TableName=TABLE, Item=TypeSerializer().serialize(item)["M"])


def put_quarantined(
    dynamodb: Any,
    name: str,
    reason: Reason = Reason.NOT_JSON,
    *,
    run_id: str = "run-1",
    day: int = 1,
    text: str = CANARY,
) -> None:
    item = conversation_item(name, text)
    evaluation = Evaluation(
        key="0" * 32,
        verdict=reason,
        content_hash=MAPPING.conversation(Stored(item, has_room=True)).content_hash,
        prompt_version="a" * 12,
        taxonomy_version="b" * 12,
        model="old-model",
        answered_by="old-model",
        attempts=3,
        input_tokens=1,
        output_tokens=1,
        cost_micro_usd=1,
        is_clipped=False,
        user_pseudonym=None,
        run_id=run_id,
        evaluated_at=datetime(2026, 10, day, tzinfo=UTC),
    )
    put(dynamodb, item | {"evaluation": evaluation.attribute()})


def run(*arguments: str) -> str:
    """Run the command; what it prints holds no text of a conversation."""
    given = ["--table", TABLE, "--control-table", CONTROL, "--include", str(INCLUDE)]
    ended = CliRunner().invoke(app, ["quarantine", arguments[0], *given, *arguments[1:]])
    if ended.exception and not isinstance(ended.exception, SystemExit):
        raise ended.exception
    assert CANARY not in ended.output
    assert ended.exit_code == 0, ended.output
    return ended.stdout


def listed(*arguments: str) -> dict[str, Any]:
    return dict(json.loads(run("list", "--json", *arguments)))


def retried(*arguments: str) -> dict[str, Any]:
    return dict(json.loads(run("retry", "--model", "stand-in", "--json", *arguments)))


def rows(dynamodb: Any) -> set[str]:
    """The ids that the ledger holds as quarantined."""
    return {row["sk"] for row in Ledger(dynamodb, CONTROL, "").quarantines()}


# list


def test_the_quarantined_are_counted_by_reason_day_and_run_and_the_judged_are_not(dynamodb: Any):
    put_quarantined(dynamodb, "c1")
    put_quarantined(dynamodb, "c2", run_id="run-2", day=2)
    put_quarantined(dynamodb, "c3", Reason.REFUSED)
    put(dynamodb, conversation_item("c4", CANARY) | {"evaluation": {"content_hash": "x", "outcome": "evaluated"}})
    put(dynamodb, conversation_item("c5", CANARY))
    Ledger(dynamodb, CONTROL, "run-2").quarantine("c6", Reason.TOO_LARGE)

    found = listed()

    assert set(found) == command_manual.keys("quarantine list")
    assert found["quarantined"] == 4
    assert found["by_reason"] == {"not_json": 2, "refused": 1, "too_large": 1}
    assert found["by_day"] == {"2026-10-01": 2, "2026-10-02": 1, "unknown": 1}
    assert found["by_run"] == {"run-1": 2, "run-2": 2}
    by_id = {each["id"]: each for each in found["conversations"]}
    assert set(by_id) == {"c1", "c2", "c3", "c6"}
    assert by_id["c2"] == {"id": "c2", "reason": "not_json", "run_id": "run-2", "day": "2026-10-02", "place": "item"}
    assert by_id["c6"]["place"] == "ledger"


def test_the_words_say_the_same(dynamodb: Any):
    put_quarantined(dynamodb, "c1")
    Ledger(dynamodb, CONTROL, "run-2").quarantine("c6", Reason.TOO_LARGE)

    lines = run("list").splitlines()

    assert lines[:2] == ["Table chat-conversations", "2 conversations are quarantined"]
    assert "         1  not_json" in lines
    assert "  too_large           unknown     c6  (in the ledger: its item has no room)" in lines
    assert "  not_json            2026-10-01  c1" in lines


def test_one_reason_is_listed_alone_and_no_more_ids_than_asked_are_shown(dynamodb: Any):
    for number in range(6):
        put_quarantined(dynamodb, f"c{number}", Reason.REFUSED if number % 2 else Reason.EMPTY)

    found = listed("--reason", "refused", "--limit", "2")

    assert found["by_reason"] == {"refused": 3}
    assert len(found["conversations"]) == 2
    assert "the first 2" in run("list", "--reason", "refused", "--limit", "2")
    assert listed("--limit", "0")["conversations"] == []


def test_an_id_can_neither_move_the_cursor_nor_turn_the_line(dynamodb: Any):
    put_quarantined(dynamodb, HOSTILE, run_id="r\x1b[2J")

    shown, as_json = run("list"), run("list", "--json")

    assert "  c\\n\\x1b[31mred\\x1b[0m\\r\\u202egnp.exe\\u200f\\x7f\\x85" in shown
    assert "r\\x1b[2J" in shown
    assert all(letter.isprintable() or letter == "\n" for letter in shown)
    assert all(letter == "\n" or " " <= letter <= "\x7f" for letter in as_json)
    assert json.loads(as_json)["conversations"][0]["id"] == HOSTILE


def test_an_evaluation_of_odd_values_is_counted_as_unknown(dynamodb: Any):
    odd = {"outcome": "quarantined", "reason": {"a": CANARY}, "run_id": 7, "evaluated_at": f"{CANARY}-01"}
    put(dynamodb, conversation_item("c1", CANARY) | {"evaluation": odd})
    put(dynamodb, conversation_item("c2", CANARY) | {"evaluation": CANARY})

    found = listed()

    assert found["by_reason"] == found["by_day"] == {"unknown": 1}


def test_nothing_quarantined_is_said_so(dynamodb: Any):
    assert dynamodb
    assert run("list") == "Table chat-conversations\n0 conversations are quarantined\n"


# retry


def test_a_retry_shows_what_it_would_cost_and_changes_nothing(local_aws: Any, dynamodb: Any):
    put_quarantined(dynamodb, "c1")
    put_quarantined(dynamodb, "c2", Reason.REFUSED)
    before, writes = dynamodb.scan(TableName=TABLE)["Items"], local_aws.stats()["dynamodb_writes"]

    found = retried("--reason", "not_json")

    assert set(found) == command_manual.keys("quarantine retry")
    assert (found["matching"], found["due"]) == (1, 1)
    assert found["forecast_micro_usd"] > 0
    assert found["conf"] == {"reevaluate": "reason=not_json", "max_usd": found["conf"]["max_usd"]}
    assert dynamodb.scan(TableName=TABLE)["Items"] == before
    assert local_aws.stats()["dynamodb_writes"] == writes
    assert local_aws.stats()["converse_calls"] == 0


def judge_again(dynamodb: Any, condition: str, run_id: str) -> tuple[Any, FakeModel]:
    """Do what the DAG does with the conf of a retry."""
    job = replace(preview_job(INCLUDE, "stand-in", condition), run_id=run_id, quota=UNLIMITED)
    model, ledger = FakeModel(), Ledger(dynamodb, CONTROL, run_id, 10**9)
    store = ConversationStore(dynamodb, TABLE, MAPPING)
    return Census(job, store, model, ledger, FakeClaim()).run(), model


def test_the_conf_of_a_retry_judges_each_quarantined_once_and_repeated_nothing(dynamodb: Any):
    put_quarantined(dynamodb, "c1")
    put_quarantined(dynamodb, "c2", Reason.REFUSED)
    condition = retried()["conf"]["reevaluate"]

    first, _ = judge_again(dynamodb, condition, "retry-1")
    again, _ = judge_again(dynamodb, condition, "retry-2")

    assert (first.outcomes["evaluated"], first.calls) == (2, 2)
    assert (again.read, again.calls) == (0, 0)
    assert listed()["quarantined"] == 0
    assert retried()["conf"] is None
    kept = dynamodb.get_item(TableName=TABLE, Key={"conversation_id": {"S": "c2"}})["Item"]["evaluation"]["M"]
    assert kept["previous"]["M"]["reason"] == {"S": "refused"}


def test_what_the_mapping_cannot_read_is_not_judged_again(dynamodb: Any):
    put_quarantined(dynamodb, "c1", Reason.UNREADABLE)
    item = dynamodb.get_item(TableName=TABLE, Key={"conversation_id": {"S": "c1"}})["Item"]
    item["turns"] = {"S": CANARY}
    plain = {"conversation_id": "c1", "turns": CANARY}
    content_hash = MAPPING.conversation(Stored(plain, has_room=True)).content_hash
    item["evaluation"]["M"]["content_hash"] = {"S": content_hash}
    dynamodb.put_item(TableName=TABLE, Item=item)

    found, shown = retried(), run("retry", "--model", "stand-in")

    assert (found["matching"], found["due"], found["conf"]) == (1, 0, None)
    assert "correct it by `chatcensus table check`" in shown


@pytest.fixture
def four_without_room(dynamodb: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Four conversations in the ledger: one as before, one that has room by now, one judged, one gone."""
    monkeypatch.setattr("chatcensus.aws.item_size.ROOM_BYTES", 12_000)  # moto takes no item of more than 405,000 bytes
    ledger = Ledger(dynamodb, CONTROL, "run-1")
    for name in ("large", "smaller", "judged", HOSTILE):
        ledger.quarantine(name, Reason.TOO_LARGE)
    put(dynamodb, conversation_item("large", "x" * 400_000))
    put(dynamodb, conversation_item("smaller", CANARY))
    put_quarantined(dynamodb, "judged", Reason.EMPTY)
    return dynamodb


def test_without_a_yes_the_ledger_stays_as_it_is(four_without_room: Any):
    found, shown = retried("--reason", "too_large"), run("retry", "--model", "stand-in", "--reason", "too_large")

    assert found["ledger"] == {"still_no_room": 1, "has_room": 1, "judged": 1, "gone": 1}
    assert found["forgotten"] == 0
    assert rows(four_without_room) == {"large", "smaller", "judged", HOSTILE}
    assert "--yes forgets the 3 that are not as before" in shown


def test_a_yes_forgets_what_is_not_so_any_more_and_keeps_what_is(four_without_room: Any):
    found = retried("--reason", "too_large", "--yes")

    assert found["forgotten"] == 3
    assert rows(four_without_room) == {"large"}


@pytest.mark.parametrize("agreed", [("--yes",), ()], ids=["forgotten", "not forgotten"])
def test_what_has_room_by_now_is_judged_once_by_a_plain_run_in_any_case(
    four_without_room: Any, agreed: tuple[str, ...]
):
    retried("--reason", "too_large", *agreed)

    first, _ = judge_again(four_without_room, "", "night-1")
    again, _ = judge_again(four_without_room, "", "night-2")

    assert (first.outcomes["evaluated"], first.calls) == (1, 1)
    assert first.outcomes["quarantined"] == 0  # `large` is known already: it is counted once
    assert again.calls == 0
    assert "large" in rows(four_without_room)


def test_a_row_that_another_run_has_written_meanwhile_is_not_forgotten(dynamodb: Any):
    ledger = Ledger(dynamodb, CONTROL, "run-2")
    ledger.quarantine("c1", Reason.TOO_LARGE)

    assert not ledger.forget_quarantine("c1", "run-1")
    assert rows(dynamodb) == {"c1"}
    assert ledger.forget_quarantine("c1", "run-2")
    assert not ledger.forget_quarantine("c1", "run-2")


def test_two_who_forget_at_once_forget_a_row_once(dynamodb: Any):
    Ledger(dynamodb, CONTROL, "run-1").quarantine("c1", Reason.TOO_LARGE)
    said: list[bool] = []
    people = [
        threading.Thread(target=lambda: said.append(Ledger(dynamodb, CONTROL, "").forget_quarantine("c1", "run-1")))
        for _ in range(4)
    ]

    for each in people:
        each.start()
    for each in people:
        each.join()

    assert sorted(said) == [False, False, False, True]


@pytest.mark.parametrize(
    ("keys", "item", "types"),
    [
        ({}, {"conversation_id": "a/b%2F"}, {"conversation_id": "S"}),
        ({}, {"conversation_id": 7}, {"conversation_id": "N"}),
        ({"sort_key": "at"}, {"conversation_id": "a/b%2F%25\n", "at": "x/y%25"}, {"conversation_id": "S", "at": "S"}),
        ({"sort_key": "at"}, {"conversation_id": "会話/1", "at": 42}, {"conversation_id": "S", "at": "N"}),
    ],
)
def test_the_key_is_found_again_from_the_id(keys: dict[str, str], item: dict[str, Any], types: dict[str, str]):
    mapping = TableMapping.model_validate({"partition_key": "conversation_id", "turns": "turns", **_NAMES, **keys})

    found = key_of(mapping.conversation_id(item), mapping, types)

    assert found == {name: {types[name]: str(value)} for name, value in item.items()}


_NAMES = {"role": "role", "text": "content"}


@pytest.mark.usefixtures("local_aws")
def test_a_reason_that_there_is_not_is_wrong_usage():
    ended = CliRunner().invoke(
        app, ["quarantine", "list", "--table", TABLE, "--control-table", CONTROL, "--reason", "nope"]
    )

    assert ended.exit_code == 2
    assert "not_json" in ended.output
