"""`chatcensus estimate`: what it says of a table in the local AWS, whole or sampled, beside what a run really takes."""

import json
import random
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from boto3.dynamodb.types import TypeSerializer
from typer.testing import CliRunner

from chatcensus.__main__ import app, main
from chatcensus.aws.ledger import Ledger
from chatcensus.aws.table_walk import TableWalk, describe
from chatcensus.commands.options import preview_job
from chatcensus.estimate import Estimate
from chatcensus.forecast import Letters
from chatcensus.include import read_yaml
from chatcensus.mapping import Stored
from chatcensus.model_catalog import ModelCatalog
from chatcensus.usage_history import Used
from tests import command_manual
from tests.aws.indexed_table import create, put
from tests.fakes import INCLUDE, MAPPING, conversation_item

TABLE, CANARY = "chat-conversations", "canary-0815"
CATALOG = read_yaml(INCLUDE / "prompts/models.yaml", ModelCatalog)
MODEL = CATALOG.model("stand-in")
# As they are shown: that of the run before all others that can be called.
MODELS = [MODEL.model_id, *(each.model_id for each in CATALOG.models if each.is_invocable and each is not MODEL)]
DAY = date(2026, 12, 1)
QUOTA = {"requests_per_minute": 800.0, "tokens_per_minute": 1_600_000.0}


@pytest.fixture
def dynamodb(local_aws: Any) -> Any:
    local_aws.create_stack()
    return local_aws.client("dynamodb")


def put_some(dynamodb: Any, count: int, judged: int = 0, text: str = CANARY) -> None:
    """Put *count* conversations there, of which the first *judged* carry an evaluation of their present text."""
    requests = []
    for number in range(count):
        item = conversation_item(f"c{number}", text)
        if number < judged:
            content_hash = MAPPING.conversation(Stored(item, has_room=True)).content_hash
            item |= {"evaluation": {"content_hash": content_hash, "outcome": "evaluated", "category": "coding"}}
        requests.append({"PutRequest": {"Item": TypeSerializer().serialize(item)["M"]}})
    for first in range(0, count, 25):
        dynamodb.batch_write_item(RequestItems={TABLE: requests[first : first + 25]})


def invoke(*arguments: str) -> str:
    """Run the command; what it prints holds nothing of a conversation."""
    ended = CliRunner().invoke(app, ["estimate", "--model", "stand-in", "--include", str(INCLUDE), *arguments])
    if ended.exception and not isinstance(ended.exception, SystemExit):
        raise ended.exception
    assert CANARY not in ended.output
    assert ended.exit_code == 0, ended.output
    return ended.stdout


def figures(*arguments: str) -> dict[str, Any]:
    return dict(json.loads(invoke("--table", TABLE, "--json", *arguments)))


def test_it_counts_what_is_due_and_pays_and_writes_nothing(local_aws: Any, dynamodb: Any):
    put_some(dynamodb, 7, judged=3)
    writes = local_aws.stats()["dynamodb_writes"]

    found = figures()

    assert (found["items"], found["items_read"], found["is_sample"]) == (7, 7, False)
    assert (found["conversations"], found["due"], found["calls"], found["unreadable"]) == (7, 4, 4, 0)
    assert found["due_low"] == found["due_high"] == 4
    assert found["output_tokens"] == 4 * 12
    assert found["cost_micro_usd"] == found["cost_micro_usd_low"] == found["cost_micro_usd_high"] > 0
    assert set(found) == command_manual.keys("estimate")
    assert local_aws.stats()["converse_calls"] == 0
    assert local_aws.stats()["dynamodb_writes"] == writes


def test_the_words_say_the_same_and_that_it_is_an_estimate(dynamodb: Any):
    put_some(dynamodb, 7, judged=3)

    shown = invoke("--table", TABLE)

    assert "7 in the table, 7 read\n" in shown
    assert "7, of which 4 are due" in shown
    assert "1 minute at 800 requests and 1,600,000 tokens a minute" in shown
    assert "An estimate: one call each" in shown
    assert "sample" not in shown
    assert [line.split()[0] for line in shown.splitlines() if line.endswith("  the text")] == MODELS


def test_the_same_work_is_priced_on_every_model(dynamodb: Any):
    put_some(dynamodb, 7, judged=3)

    rows = figures()["models"]

    assert [row["model"] for row in rows] == MODELS
    assert {row["calls"] for row in rows} == {4}
    assert min(row["realtime_micro_usd"] for row in rows) > 0


def test_the_minutes_are_at_the_quota_of_the_routes(dynamodb: Any, tmp_path: Path):
    put_some(dynamodb, 30)
    include = tmp_path / "include"
    include.mkdir()
    for name in ("prompts", "prices.yaml", "table.yaml"):
        (include / name).symlink_to(INCLUDE / name)
    route = "model_id: stand-in, requests_per_minute: 1, tokens_per_minute: 1000000"
    (include / "routes.yaml").write_text(
        "residency: null\nroutes:\n"
        f"  - {{name: one, region: ap-northeast-1, {route}}}\n  - {{name: two, region: ap-northeast-3, {route}}}\n"
    )

    shown = invoke("--table", TABLE, "--include", str(include))

    assert "15 minutes at 2 requests and 2,000,000 tokens a minute" in shown


def test_with_the_ledger_it_goes_by_what_runs_have_used(dynamodb: Any):
    put_some(dynamodb, 7)
    guess = figures("--control-table", "")["guessed_tokens"]
    used = Used(1, 50, 100, 3 * 100 * guess, 900, guessed_tokens=100 * guess)
    version = preview_job(INCLUDE, "stand-in").prompt_version
    Ledger(dynamodb, "chatcensus-control", "run").keep_usage("2026-12-01", "stand-in", version, used)

    found = figures("--control-table", "chatcensus-control")

    assert (found["models"][0]["tokens_from"], found["calls"], found["output_tokens"]) == ("prompt", 14, 14 * 9)
    assert found["input_tokens"] == pytest.approx(3 * 14 * guess, rel=0.01)
    assert figures("--control-table", "")["calls"] == 7


def test_an_empty_table_costs_nothing(dynamodb: Any):
    assert dynamodb
    found = figures()

    assert {found[name] for name in ("items", "conversations", "due", "cost_micro_usd", "minutes")} == {0}
    assert not found["is_sample"]


def test_a_conversation_that_nobody_can_read_is_due_and_costs_no_call(dynamodb: Any):
    put_some(dynamodb, 2)
    dynamodb.put_item(TableName=TABLE, Item={"conversation_id": {"S": "c9"}, "turns": {"S": CANARY}})

    found = figures()

    assert (found["due"], found["calls"], found["unreadable"]) == (3, 2, 1)
    assert "unreadable      1: see `chatcensus table check`" in invoke("--table", TABLE)


def test_a_large_table_is_sampled_and_the_range_is_told(dynamodb: Any):
    put_some(dynamodb, 400, judged=100)

    found, shown = figures("--items", "60"), invoke("--table", TABLE, "--items", "60")

    assert found["is_sample"]
    assert 60 <= found["items_read"] < 400
    assert found["items"] == 400
    assert found["due_low"] < 300 < found["due_high"]
    assert found["cost_micro_usd_low"] < found["cost_micro_usd"] < found["cost_micro_usd_high"]
    assert ": a sample, drawn at random" in shown
    assert "about 4" in shown
    assert "which may be six hours old" in shown
    assert figures("--items", "0")["due"] == figures("--items", "400")["due"] == 300


def test_no_more_is_held_than_a_segment_however_large_the_table(dynamodb: Any, monkeypatch: pytest.MonkeyPatch):
    put_some(dynamodb, 60)
    monkeypatch.setattr("chatcensus.aws.table_walk.PER_SEGMENT", 10)
    job = preview_job(INCLUDE, "stand-in")

    walk = TableWalk(dynamodb, describe(dynamodb, TABLE, MAPPING), job, choice=random.Random(4))
    names = [found.conversation.conversation_id for found in walk.found()]

    assert len(walk.segments) == 6
    assert sorted(names) == sorted(f"c{number}" for number in range(60))
    assert walk.items_read == 60
    assert walk.is_whole


def test_under_pending_index_only_the_index_is_counted_and_read(local_aws: Any, tmp_path: Path):
    dynamodb = local_aws.client("dynamodb")
    create(dynamodb)
    for number in range(30):
        put(dynamodb, f"c{number:02}", f"2026-11-20T00:00:{number:02}Z", **({"pending": None} if number > 9 else {}))
    include = tmp_path / "include"
    include.mkdir()
    for name in ("prompts", "prices.yaml", "routes.yaml"):
        (include / name).symlink_to(INCLUDE / name)
    (include / "table.yaml").write_text(
        "partition_key: id\nturns: turns\nrole: role\ntext: content\ncreated_at: {attribute: created_at}\n"
        "partition: {strategy: pending-index, index: pending, attribute: pending, values: ['1']}\n"
    )

    found = json.loads(invoke("--table", "indexed", "--control-table", "", "--include", str(include), "--json"))

    assert (found["strategy"], found["items"], found["due"]) == ("pending-index", 10, 10)


# Of a sample, without a table


def estimate_of(due: int, others: int) -> Estimate:
    """The sum of a sample in which each call costs 9 micro-USD by the guess."""
    made = Estimate(preview_job(INCLUDE, "stand-in"), MODEL.price(DAY), due + others, due, due)
    made.guessed_tokens, made.letters = 100 * due, Letters(kana=1) * due
    made.guessed_micro_usd, made.squares, made.guess_of_all = 9 * due, 81 * due, 9 * (due + others)
    return made


def of_table(estimate: Estimate, times: float) -> dict[str, Any]:
    return estimate.of_table(times, CATALOG, (), QUOTA, DAY)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.9])
def test_the_range_holds_the_truth_in_about_95_of_100_samples(share: float):
    dice, held = random.Random(11), 0
    truth = round(20_000 * share)
    for _ in range(300):
        due = sum(dice.random() < share for _ in range(500))
        found = of_table(estimate_of(due, 500 - due), 40)
        held += found["due_low"] <= truth <= found["due_high"]

    assert held >= 270


def test_none_due_among_those_read_does_not_mean_none_in_the_table():
    found = of_table(estimate_of(0, 300), 10)

    assert (found["due"], found["due_low"]) == (0, 0)
    assert 20 < found["due_high"] <= 30
    assert found["cost_micro_usd"] == found["cost_micro_usd_low"] == 0
    assert found["cost_micro_usd_high"] >= 9 * (found["due_high"] - 1)
    assert {row["realtime_micro_usd"] for row in found["models"]} == {0}


def test_all_due_among_those_read_does_not_mean_all_of_the_table():
    found = of_table(estimate_of(300, 0), 10)

    assert found["due"] == found["due_high"] == 3000
    assert 2970 <= found["due_low"] < 2980
    assert 0.98 * found["cost_micro_usd"] < found["cost_micro_usd_low"] < found["cost_micro_usd"]


def test_no_range_begins_below_what_was_seen():
    found = of_table(estimate_of(1, 499), 100)

    assert found["due_low"] == 1


# What goes wrong


def line_of_exit(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str:
    monkeypatch.setattr("sys.argv", ["chatcensus", "estimate", "--include", str(INCLUDE), *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert isinstance(ended.value.code, str)
    return ended.value.code


@pytest.mark.usefixtures("dynamodb")
@pytest.mark.parametrize(
    ("table", "model", "said"),
    [
        ("nope", "stand-in", "DescribeTable answered ResourceNotFoundException: check the names of table"),
        (TABLE, "gpt-x", "model 'gpt-x' is not in include/prompts/models.yaml, which has: "),
        ("chatcensus-control", "stand-in", "the table has the key ['pk', 'sk'], table.yaml says ['conversation_id']"),
    ],
)
def test_a_wrong_name_is_one_line(monkeypatch: pytest.MonkeyPatch, table: str, model: str, said: str):
    assert said in line_of_exit(monkeypatch, "--table", table, "--model", model)
