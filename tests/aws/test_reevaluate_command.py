"""`chatcensus reevaluate`: what it shows of a table in the local AWS, and that it writes nothing."""

import json
import random
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from boto3.dynamodb.types import TypeSerializer
from typer.testing import CliRunner

from chatcensus.__main__ import app, main
from chatcensus.answer import Judgement
from chatcensus.evaluation import Evaluation
from chatcensus.instructions import rendered_instructions
from chatcensus.mapping import Stored
from chatcensus.preview import Preview
from chatcensus.selection import Found
from tests import command_manual
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
    assert "3 of the sample of 3 were judged" in shown
    assert "hr → " in shown
    assert CANARY not in shown
    conf = json.loads(shown.strip().splitlines()[-1])
    assert conf["reevaluate"] == "category=hr"
    assert conf["max_usd"] > 0
    assert local_aws.stats()["converse_calls"] == 3
    assert dynamodb.scan(TableName=TABLE)["Items"] == before
    assert local_aws.stats()["dynamodb_writes"] == writes


def test_the_json_says_the_same(dynamodb: Any):
    put_judged(dynamodb, "c1", "hr")

    told = json.loads(run("--where", "category=hr", "--sample", "1", "--json"))

    assert set(told) == command_manual.keys("reevaluate")
    assert (told["matching"], told["due"], told["sample"]["judged"]) == (1, 1, 1)
    assert told["kinds"] == [{"kind": "hr", "prompt_version": "a" * 12, "model": "old-model", "conversations": 1}]
    assert told["sample"]["cost_micro_usd"] > 0
    assert told["sample"]["changes"][0]["before"] == "hr"
    assert told["conf"]["reevaluate"] == "category=hr"


def test_a_sample_never_costs_more_than_it_may(local_aws: Any, dynamodb: Any):
    put_judged(dynamodb, "c1", "hr")

    shown = run("--where", "category=hr", "--max-usd", "0")

    assert "0 of the sample of 1 were judged" in shown
    assert local_aws.stats()["converse_calls"] == 0


def test_nothing_that_matches_is_nothing_to_pay_or_to_trigger(local_aws: Any, dynamodb: Any):
    put_judged(dynamodb, "c1", "hr")

    assert run("--where", "category=coding").startswith("No conversation matches, so nothing would")
    assert local_aws.stats()["converse_calls"] == 0


@pytest.fixture
def include(tmp_path: Path) -> Path:
    """An `include/` folder that a test may spoil."""
    return shutil.copytree(INCLUDE, tmp_path / "include")


def line_of_exit(monkeypatch: pytest.MonkeyPatch, include: Path = INCLUDE, *arguments: str) -> str:
    """Run the command from its beginning, and return the line with which it ends in exit code 1."""
    command = ["reevaluate", "--table", TABLE, "--model", "stand-in", "--where", "category=hr"]
    monkeypatch.setattr("sys.argv", ["chatcensus", *command, "--include", str(include), *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert isinstance(ended.value.code, str)
    assert CANARY not in ended.value.code
    assert len(ended.value.code.splitlines()) == 1
    return ended.value.code


@pytest.mark.usefixtures("local_aws")
def test_a_table_that_is_not_there_is_one_line(monkeypatch: pytest.MonkeyPatch):
    assert "DescribeTable answered ResourceNotFoundException: check the names" in line_of_exit(monkeypatch)


@pytest.mark.usefixtures("local_aws")
@pytest.mark.parametrize(
    ("endpoint", "said"),
    [
        pytest.param("http://127.0.0.1:1", "no answer from http://127.0.0.1:1 (EndpointC", id="nobody there"),
        pytest.param("nonsense", "Invalid endpoint: nonsense: correct AWS_ENDPOINT_URL", id="no URL"),
    ],
)
def test_a_wrong_endpoint_is_one_line(monkeypatch: pytest.MonkeyPatch, endpoint: str, said: str):
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)

    assert said in line_of_exit(monkeypatch)


@pytest.mark.usefixtures("dynamodb")
def test_a_mapping_of_another_key_is_one_line(monkeypatch: pytest.MonkeyPatch, include: Path):
    mapping = include / "table.yaml"
    mapping.write_text(mapping.read_text().replace("partition_key: conversation_id", "partition_key: chat"))

    assert "the table has the key ['conversation_id'], table.yaml says ['chat']" in line_of_exit(monkeypatch, include)


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        pytest.param("{{ taxonomy.nope }}", "has no attribute 'nope'", id="unknown name"),
        pytest.param("{{ taxonomy", "unexpected end of template", id="no template"),
        pytest.param(None, "not found in search path", id="no file"),
    ],
)
def test_a_prompt_that_cannot_be_rendered_is_one_line(
    monkeypatch: pytest.MonkeyPatch, include: Path, prompt: str | None, said: str
):
    file = include / "prompts/classify.md"
    file.unlink() if prompt is None else file.write_text(prompt)

    line = line_of_exit(monkeypatch, include)

    assert "classify.md cannot be rendered" in line
    assert said in line


@pytest.mark.parametrize("max_usd", ["nan", "inf"])
def test_a_budget_that_is_no_amount_is_one_line(monkeypatch: pytest.MonkeyPatch, max_usd: str):
    assert "write the USD that the sample may cost" in line_of_exit(monkeypatch, INCLUDE, "--max-usd", max_usd)


def test_the_sample_is_drawn_from_all_that_match_and_no_larger_than_asked():
    found = [
        Found(stored, MAPPING.conversation(stored), {"category": "coding"}, is_due=True)
        for stored in (Stored(conversation_item(f"c{number}"), has_room=True) for number in range(200))
    ]
    drawn = set[str]()
    for seed in range(20):
        preview = Preview(5, "Judge it.", MODEL.price(NOON.date()), random.Random(seed))
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
