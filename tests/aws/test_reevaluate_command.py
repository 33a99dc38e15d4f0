"""`chatcensus reevaluate`: what it shows of a table in the local AWS, and that it writes nothing."""

import json
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from boto3.dynamodb.types import TypeSerializer
from typer.testing import CliRunner

from chatcensus.__main__ import app
from chatcensus.answer import Judgement
from chatcensus.commands.reevaluate import rendered_instructions
from chatcensus.errors import SetupError
from chatcensus.evaluation import Evaluation
from chatcensus.mapping import Stored
from chatcensus.preview import Preview
from chatcensus.selection import Found
from tests.fakes import INCLUDE, MAPPING, MODEL, NOON, TAXONOMY, conversation_item

TABLE, CANARY = "chat-conversations", "canary-0815"


@pytest.fixture
def dynamodb(local_aws: Any) -> Any:
    local_aws.create_stack()
    return local_aws.client("dynamodb")


def put_judged(dynamodb: Any, name: str, category: str) -> None:
    item = conversation_item(name, f"Why does my Python function return None? {CANARY}")
    content_hash = MAPPING.conversation(Stored(item, has_room=True)).content_hash
    evaluation = Evaluation(
        key="0" * 32,
        verdict=Judgement(category, 1),
        content_hash=content_hash,
        prompt_version="a" * 12,
        taxonomy_version="b" * 12,
        model="old-model",
        answered_by="old-model",
        attempts=1,
        input_tokens=1,
        output_tokens=1,
        cost_micro_usd=1,
        is_clipped=False,
        user_pseudonym=None,
        run_id="old",
        evaluated_at=datetime(2026, 10, 1, tzinfo=UTC),
    )
    whole = item | {"evaluation": evaluation.attribute()}
    dynamodb.put_item(TableName=TABLE, Item=TypeSerializer().serialize(whole)["M"])


def run(*arguments: str) -> str:
    command = ["reevaluate", "--table", TABLE, "--model", "stand-in", "--include", str(INCLUDE), *arguments]
    ended = CliRunner().invoke(app, command)
    if ended.exception and not isinstance(ended.exception, SystemExit):
        raise ended.exception
    return ended.output


def test_it_shows_how_many_at_what_cost_and_what_would_change_and_writes_nothing(local_aws: Any, dynamodb: Any):
    for number in range(6):
        put_judged(dynamodb, f"c{number}", "hr")
    put_judged(dynamodb, "c9", "office")
    before, writes = dynamodb.scan(TableName=TABLE)["Items"], local_aws.stats()["dynamodb_writes"]

    shown = run("--where", "category=hr", "--sample", "3")

    assert "6 conversations match, 6 of them would be judged again" in shown
    assert f"6  hr, prompt version {'a' * 12}, model old-model" in shown
    assert "Estimated cost: 0.00" in shown
    assert "3 of the sample were judged" in shown
    assert "hr → " in shown
    assert CANARY not in shown
    conf = json.loads(shown.strip().splitlines()[-1])
    assert conf["reevaluate"] == "category=hr"
    assert conf["max_usd"] > 0
    assert local_aws.stats()["converse_calls"] == 3
    assert dynamodb.scan(TableName=TABLE)["Items"] == before
    assert local_aws.stats()["dynamodb_writes"] == writes


def test_a_sample_never_costs_more_than_it_may(local_aws: Any, dynamodb: Any):
    put_judged(dynamodb, "c1", "hr")

    shown = run("--where", "category=hr", "--max-usd", "0")

    assert "0 of the sample were judged" in shown
    assert local_aws.stats()["converse_calls"] == 0


def test_nothing_that_matches_is_nothing_to_pay_or_to_trigger(local_aws: Any, dynamodb: Any):
    put_judged(dynamodb, "c1", "hr")

    assert run("--where", "category=coding").startswith("0 conversations match")
    assert local_aws.stats()["converse_calls"] == 0


@pytest.mark.usefixtures("local_aws")
def test_a_table_that_is_not_there_is_one_line():
    with pytest.raises(SetupError, match="answered ResourceNotFoundException: check the names"):
        run("--where", "category=coding")


def test_the_sample_is_drawn_from_all_that_match_and_no_larger_than_asked():
    found = [
        Found(stored, MAPPING.conversation(stored), {"category": "coding"}, is_due=True)
        for stored in (Stored(conversation_item(f"c{number}"), has_room=True) for number in range(200))
    ]
    drawn = set[str]()
    for seed in range(20):
        preview = Preview(5, "Judge it.", MODEL.price(NOON.date()), random.Random(seed))  # noqa: S311
        for each in found:
            preview.add(each)
        assert len(preview.sample) == 5
        drawn |= {stored.item["conversation_id"] for stored in preview.sample}

    assert len(drawn) > 60
    assert {int(name[1:]) // 50 for name in drawn} == {0, 1, 2, 3}


def test_the_instructions_are_rendered_from_the_include_folder(tmp_path: Path):
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts/classify.md").write_text("{{ taxonomy.categories[0].key }} & <b>\n")

    assert rendered_instructions(tmp_path, TAXONOMY) == f"{TAXONOMY.categories[0].key} & <b>"
