"""`chatcensus gold measure`, `check` and `counts` before the local AWS."""

import json
import shutil
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from boto3.dynamodb.types import TypeSerializer
from typer.testing import CliRunner

from chatcensus.__main__ import app
from chatcensus.conversation import Turn
from chatcensus.errors import SetupError
from chatcensus.gold import read_gold
from chatcensus.gold_rows import GoldRow, write_gold_rows
from chatcensus.mapping import Stored
from tests import command_manual
from tests.conftest import SNAPSHOT_BUCKET
from tests.fakes import INCLUDE, MAPPING, TAXONOMY, conversation_item

TABLE, CANARY = "chat-conversations", "canary-0815"


@pytest.fixture
def include(tmp_path: Path) -> Path:
    """An include/ with three gold rows, two of which the stand-in gets right."""
    copy = shutil.copytree(INCLUDE, tmp_path / "include", ignore=shutil.ignore_patterns("gold"))
    (copy / "gold").mkdir()
    rows = [
        text_row("g1", f"Why does my Python function return None? {CANARY}", "coding"),
        text_row("g2", f"次の文章を英語に翻訳してください。{CANARY}", "translation"),
        text_row("g3", f"Why does my Python class fail? {CANARY}", "office"),
    ]
    write_gold_rows(copy / "gold/ours.jsonl", rows)
    return copy


def text_row(name: str, text: str, category: str) -> GoldRow:
    return GoldRow(
        id=name,
        language="ja" if "次" in text else "en",
        turns=(Turn("user", text),),
        category=category,
        inquiry_score=3,
        taxonomy_version=TAXONOMY.version,
        labelled_by="the tests",
        labelled_on=date(2026, 11, 1),
    )


def run(command: str, include: Path, *arguments: str, model: str = "stand-in") -> tuple[int, str]:
    """The exit code, and what was said; an error of ours is raised."""
    options = ["--model", model, "--include", str(include), *arguments]
    ended = CliRunner().invoke(app, ["gold", command, *options])
    if ended.exception and not isinstance(ended.exception, SystemExit):
        raise ended.exception
    assert CANARY not in ended.output
    return ended.exit_code, ended.stdout


def truncate_answers(include: Path) -> None:
    """Make the model worse: what it says is cut off."""
    path = include / "prompts/models.yaml"
    catalog = yaml.safe_load(path.read_text())
    for model in catalog["models"]:
        if model["model_id"] == "stand-in":
            model["max_tokens"] = 3
    path.write_text(yaml.safe_dump(catalog))


@pytest.mark.usefixtures("local_aws")
def test_measuring_shows_how_right_the_judge_is_and_keeps_no_text(include: Path):
    _, shown = run("measure", include)

    assert "judged by the local stand-in, a keyword model and no real one" in shown
    assert "accuracy             2/3    66.7 (20.8 to 93.9)" in shown
    assert "It is the baseline of gold check now." in shown
    assert max(map(len, shown.splitlines())) <= 80
    kept = (include / "gold/measurements.yaml").read_text()
    assert CANARY not in kept
    (measurement,) = yaml.safe_load(kept)["measurements"]
    assert measurement["answers"]["g1"][0] == "coding"
    assert measurement["correct"] == {"en": [1, 2], "ja": [1, 1]}
    assert (measurement["is_baseline"], measurement["is_stand_in"]) == (True, True)


@pytest.mark.usefixtures("local_aws")
def test_the_gate_lets_the_same_pass_and_a_worse_model_not_and_a_later_measurement_does_not_lower_it(include: Path):
    run("measure", include)
    kept = (include / "gold/measurements.yaml").read_text()

    assert run("check", include)[0] == 0
    assert (include / "gold/measurements.yaml").read_text() == kept

    truncate_answers(include)
    for _ in range(2):
        code, shown = run("check", include)
        assert code == 1
        assert "right  2 → 0 of 3" in shown
        assert "worse  2: g1 g2" in shown
        assert "The accuracy has fallen by 2 rows, 0 are let pass." in shown
        told = json.loads(run("measure", include, "--json")[1])
        assert told["invalid"] == {"truncated": 3}
    assert run("check", include, "--tolerance", "2")[0] == 0
    run("measure", include, "--baseline")
    assert run("check", include)[0] == 0


@pytest.mark.usefixtures("local_aws")
def test_a_changed_prompt_is_compared_with_what_was_before(include: Path):
    run("measure", include)
    prompt = include / "prompts/classify.md"
    prompt.write_text(prompt.read_text() + "\nOne sentence more.\n")

    told = json.loads(run("measure", include, "--json")[1])

    assert told["change"]["before"]["prompt_version"] != told["prompt_version"]
    assert (told["change"]["right_before"], told["change"]["right_after"], told["change"]["p"]) == (2, 2, 1)
    assert [each["is_baseline"] for each in measurements(include)] == [True, False]


def measurements(include: Path) -> Sequence[dict[str, Any]]:
    plain: Sequence[dict[str, Any]] = yaml.safe_load((include / "gold/measurements.yaml").read_text())["measurements"]
    return plain


def test_changed_rows_need_a_baseline_of_their_own_and_nothing_is_paid_before(local_aws: Any, include: Path):
    run("measure", include)
    calls = local_aws.stats()["converse_calls"]
    write_gold_rows(include / "gold/more.jsonl", [text_row("g4", "Fix my Python code", "coding")])

    with pytest.raises(SetupError, match="there is no baseline of gold rows"):
        run("check", include)

    assert local_aws.stats()["converse_calls"] == calls
    run("measure", include)
    assert [each["is_baseline"] for each in measurements(include)] == [True, True]
    assert run("check", include)[0] == 0


@pytest.mark.usefixtures("local_aws")
def test_a_stand_in_is_never_compared_with_a_real_model(include: Path):
    run("measure", include)
    path = include / "gold/measurements.yaml"
    path.write_text(path.read_text().replace("is_stand_in: true", "is_stand_in: false"))

    with pytest.raises(SetupError, match="they are never compared"):
        run("check", include)

    assert json.loads(run("measure", include, "--json")[1])["change"] is None


def test_too_little_money_is_said_before_anything_is_paid(local_aws: Any, include: Path):
    with pytest.raises(SetupError, match=r"3 gold rows would cost about 0\.00"):
        run("measure", include, "--max-usd", "0.0001")

    assert local_aws.stats()["converse_calls"] == 0


@pytest.mark.usefixtures("local_aws")
def test_the_budget_is_kept_also_where_the_forecast_was_too_low(include: Path):
    told = json.loads(run("measure", include, "--json")[1])
    enough_for_the_forecast = f"{told['cost_micro_usd'] * 0.9 / 1e6:.6f}"
    before = (include / "gold/measurements.yaml").read_text()

    with pytest.raises(SetupError, match=r"gold rows (were judged for|would cost)"):
        run("measure", include, "--max-usd", enough_for_the_forecast)

    assert (include / "gold/measurements.yaml").read_text() == before


@pytest.mark.usefixtures("local_aws")
def test_without_rows_it_says_so(include: Path):
    (include / "gold/ours.jsonl").unlink()

    with pytest.raises(SetupError, match="has no gold rows with a text of taxonomy"):
        run("measure", include)


@pytest.mark.usefixtures("local_aws")
def test_after_a_split_both_name_the_rows_that_wait_for_a_person_and_judge_the_others(include: Path):
    path, crosswalk = include / "gold/ours.jsonl", include / "prompts/crosswalk.yaml"
    path.write_text(path.read_text().replace(TAXONOMY.version, "1" * 12))
    step = {
        "from": "1" * 12,
        "to": TAXONOMY.version,
        "since": date(2026, 11, 2),
        "split": {"office": ["office", "other"]},
    }
    crosswalk.write_text(yaml.safe_dump({"steps": [step]}))

    for command in ("measure", "check"):
        told = CliRunner().invoke(app, ["gold", command, "--model", "stand-in", "--include", str(include)])

        assert "left out: 1 whose category was split, to be labelled again: g3" in told.stderr
        assert told.exit_code == 0
    assert measurements(include)[0]["correct"] == {"en": [1, 1], "ja": [1, 1]}

    path.write_text("".join(line for line in path.read_text().splitlines(keepends=True) if '"g3"' in line))
    with pytest.raises(SetupError, match=": left out: 1 whose category was split, to be labelled again: g3"):
        run("check", include)


@pytest.mark.usefixtures("local_aws")
@pytest.mark.parametrize("command", ["measure", "check"])
def test_the_json_has_the_keys_of_the_manual(include: Path, command: str):
    run("measure", include)

    assert set(json.loads(run(command, include, "--json")[1])) == command_manual.keys(f"gold {command}")


# The gold set that corrects the shares


def put(aws: Any, name: str, judged: str, prompt_version: str = "a" * 12) -> str:
    """Put an evaluated conversation, and return the hash of its text."""
    item = conversation_item(name, f"Say {name} {CANARY}")
    content_hash = MAPPING.conversation(Stored(item, has_room=True)).content_hash
    evaluation = {
        "outcome": "evaluated", "category": judged, "content_hash": content_hash, "model": "some-model",
        "prompt_version": prompt_version, "taxonomy_version": TAXONOMY.version,
    }  # fmt: skip
    whole = TypeSerializer().serialize(item | {"evaluation": evaluation})["M"]
    aws.client("dynamodb").put_item(TableName=TABLE, Item=whole)
    return content_hash


def reviewed(name: str, content_hash: str, category: str) -> GoldRow:
    return GoldRow(
        id=name,
        language="en",
        content_hash=content_hash,
        category=category,
        taxonomy_version=TAXONOMY.version,
        labelled_by=f"person {CANARY}",
        labelled_on=date(2026, 11, 1),
    )


def put_reviewed(aws: Any, tmp_path: Path, file: str, rows: Sequence[GoldRow]) -> None:
    write_gold_rows(tmp_path / "rows.jsonl", rows)
    body = (tmp_path / "rows.jsonl").read_bytes()
    aws.client("s3").put_object(Bucket=SNAPSHOT_BUCKET, Key=f"gold/{TAXONOMY.version}/{file}", Body=body)


def counts() -> str:
    command = ["gold", "counts", "--table", TABLE, "--snapshot-bucket", SNAPSHOT_BUCKET, "--include", str(INCLUDE)]
    ended = CliRunner().invoke(app, command)
    if ended.exception and not isinstance(ended.exception, SystemExit):
        raise ended.exception
    assert CANARY not in ended.output
    return ended.stdout


def test_reviews_of_random_conversations_become_the_gold_set_of_the_shares(local_aws: Any, tmp_path: Path):
    local_aws.create_stack()
    hashes = {name: put(local_aws, name, judged) for name, judged in
              [("c1", "coding"), ("c2", "coding"), ("c3", "writing"), ("c4", "writing"), ("c9", "coding")]}  # fmt: skip
    hashes["c5"] = put(local_aws, "c5", "coding", prompt_version="b" * 12)
    rows = [
        reviewed("c1", hashes["c1"], "coding"),
        reviewed("c2", hashes["c2"], "learning"),
        reviewed("c3", hashes["c3"], "writing"),
        reviewed("c4", "0" * 32, "writing"),  # its text has changed since
        reviewed("c5", hashes["c5"], "coding"),
        reviewed("c6", "0" * 32, "coding"),  # gone
    ]
    put_reviewed(local_aws, tmp_path, "random-0a1b2c3d4e5f.jsonl", rows)
    put_reviewed(local_aws, tmp_path, "picked-0a1b2c3d4e5f.jsonl", [reviewed("c9", hashes["c9"], "office")])

    shown = counts()

    (tmp_path / "gold.yaml").write_text(shown)
    gold = read_gold(tmp_path / "gold.yaml", TAXONOMY)
    assert gold is not None
    assert (gold.model, gold.prompt_version, gold.labelled_by) == ("some-model", "a" * 12, "1 person, in reviews")
    assert gold.counts == {"coding": {"coding": 1, "learning": 1}, "writing": {"writing": 1}}
    assert "# 3 of 6 reviewed conversations; left out: 1 changed, 1 not_there, 1 other_judge" in shown


def test_rows_with_a_text_of_their_own_are_no_random_sample(local_aws: Any, tmp_path: Path):
    local_aws.create_stack()
    put_reviewed(local_aws, tmp_path, "random-0a1b2c3d4e5f.jsonl", [text_row("g1", f"Fix it {CANARY}", "coding")])

    with pytest.raises(SetupError, match="line 1 has a text of its own") as refused:
        counts()

    assert CANARY not in str(refused.value)


def test_without_a_review_it_says_what_to_do(local_aws: Any):
    local_aws.create_stack()

    with pytest.raises(SetupError, match="trigger the DAG review"):
        counts()
