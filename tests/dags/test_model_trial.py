"""The DAG model_trial: what its form takes, and one whole trial of a good and a bad contender against the local AWS."""

import json
import shutil
from collections import Counter
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema
import pytest
import yaml
from airflow.dag_processing.dagbag import BundleDagBag
from airflow.sdk.exceptions import AirflowFailException
from boto3.dynamodb.types import TypeSerializer

from chatcensus.aws.athena import Athena
from chatcensus.aws.ledger import Ledger
from chatcensus.aws.trials import TrialFiles, trial_name
from chatcensus.conversation import Turn
from chatcensus.gold_rows import GoldRow, write_gold_rows
from chatcensus.mapping import Stored
from chatcensus.operators import JudgeTrialOperator, SampleTrialOperator
from demo.__main__ import NO_QUOTA
from demo.airflow_home import VARIABLES
from demo.progress import LocalAirflow, Step
from tests.conftest import RESULT_BUCKET, SNAPSHOT_BUCKET, LocalAwsForTests
from tests.dags.running import TABLE, Census, deploy
from tests.fakes import INCLUDE, MAPPING, TAXONOMY, conversation_item

DAGS = Path(__file__).parents[2] / "dags"
CANARY, RUN = "canary-6174", "manual__2026-12-01T03:00:00+00:00"
CHEAP, DEAR = "global.anthropic.claude-haiku-5-5", "jp.anthropic.claude-haiku-5-5"
PAID = 0.5  # max_usd


@pytest.fixture(scope="module")
def dag() -> Any:
    bag = BundleDagBag(DAGS, bundle_path=DAGS, bundle_name="dags-folder")
    assert bag.import_errors == {}
    return bag.dags["model_trial"]


def test_it_runs_by_hand_alone_and_says_what_it_is(dag: Any):
    assert dag.doc_md.strip().startswith("# Model trial")
    assert dag.schedule is None
    assert dag.task_dict["sample"].downstream_task_ids == {"judge", "compare"}
    assert dag.task_dict["judge"].downstream_task_ids == {"compare"}
    assert len((DAGS / "model_trial.py").read_text().splitlines()) <= 120


@pytest.mark.parametrize(
    ("contenders", "is_good"),
    [
        ([CHEAP, "amazon.nova-micro-v1:0"], True),
        ([CHEAP, f"{CHEAP}@prompt", f"{CHEAP}@tool@prompts/classify-new.md"], True),
        ([CHEAP], False),
        ([CHEAP, CHEAP], False),
        ([CHEAP, f"{CHEAP}@shout"], False),
        ([CHEAP, f"{CHEAP}@prompts/../../secret.md"], False),
    ],
)
def test_the_form_takes_contenders_and_nothing_else(dag: Any, contenders: list[str], is_good: bool):
    schema = dag.params.get_param("contenders").schema

    assert jsonschema.Draft202012Validator(schema).is_valid(contenders) == is_good


@dataclass(frozen=True)
class Trial:
    """A trial after its end, and after it was run once more."""

    aws: LocalAwsForTests
    steps: list[Step]
    report: dict[str, Any]
    cost: tuple[int, int, int]
    cost_of_both: tuple[int, int, int]
    log: str


@pytest.fixture(scope="module")
def trial(local_aws_server: LocalAwsForTests, airflow: LocalAirflow, deployed: Path) -> Trial:
    local_aws_server.reset()
    deploy(deployed)
    change_include(deployed / "include")
    census, steps = Census(local_aws_server, airflow), list[Step]()
    census.load(60)
    item = conversation_item("secret", f"Why does my Python function return {CANARY}?")
    census.aws.client("dynamodb").put_item(TableName=TABLE, Item=TypeSerializer().serialize(item)["M"])
    conf = NO_QUOTA | {"contenders": [DEAR, CHEAP], "conversations": 61, "max_usd": PAID}
    assert airflow.run_dag("model_trial", conf, RUN, steps.append) == "success"
    report, cost = read_report(local_aws_server), census.cost()
    assert airflow.run_dag("model_trial", conf, RUN, steps.append) == "success"
    return Trial(local_aws_server, steps, report, cost, census.cost(), airflow.log_file.read_text())


def change_include(include: Path) -> None:
    """Cut the answers of the cheap model off, so that none is valid, and make the other ten times as dear."""
    catalog = yaml.safe_load((include / "prompts/models.yaml").read_text())
    for model in catalog["models"]:
        if model["model_id"] == CHEAP:
            model["max_tokens"] = 3
        if model["model_id"] == DEAR:
            prices = dict.fromkeys(("input", "output", "cache_read", "cache_write"), "1.1")
            model["prices"] = [{"since": "2026-01-01", "source": "made up", **prices}]
    (include / "prompts/models.yaml").write_text(yaml.safe_dump(catalog))
    shutil.rmtree(include / "gold", ignore_errors=True)
    (include / "gold").mkdir()
    rows = [gold_row(number, "coding" if number < 19 else "other") for number in range(20)]
    write_gold_rows(include / "gold/ours.jsonl", rows)


def gold_row(number: int, category: str) -> GoldRow:
    return GoldRow(
        id=f"g{number}",
        language="en",
        turns=(Turn("user", f"Why does my Python function number {number} return {CANARY}?"),),
        content_hash=None,
        category=category,
        inquiry_score=3,
        taxonomy_version=TAXONOMY.version,
        labelled_by="the tests",
        labelled_on=date(2026, 11, 1),
    )


def read_report(aws: LocalAwsForTests) -> dict[str, Any]:
    key = f"trials/{trial_name(RUN)}/report.json"
    found: dict[str, Any] = json.loads(aws.client("s3").get_object(Bucket=RESULT_BUCKET, Key=key)["Body"].read())
    return found


@pytest.mark.airflow
def test_a_better_contender_is_worth_its_price(trial: Trial):
    bad, good = trial.report["contenders"]
    (pair,) = trial.report["pairs"]

    assert (trial.report["conversations"], trial.report["gold_rows"], trial.report["left_out"]) == (61, 20, {})
    assert (bad["contender"], good["contender"]) == (CHEAP, DEAR)
    assert (bad["answers"]["share"], good["answers"]["share"]) == (1.0, 0.0)
    assert bad["not_judged"] == {"truncated": 61}
    assert [(each["language"], each["right"], each["total"]) for each in good["accuracy"]] == [
        ("all", 19, 20),
        ("en", 19, 20),
    ]
    assert pair["gold"] == {"both": 0, "only_cheaper": 0, "only_dearer": 19, "neither": 1}
    assert pair["answer"] == "yes"
    assert pair["sentence"]["en"].startswith(f"Yes, {DEAR} is worth")


@pytest.mark.airflow
def test_a_trial_costs_what_its_bill_says_and_no_more_than_it_may(trial: Trial):
    spent = [row["cost_micro_usd"] for row in trial.report["contenders"]]
    control, name = VARIABLES["chatcensus_control_table"], f"model_trial/{RUN}"
    ledgers = [Ledger(trial.aws.client("dynamodb"), control, f"{name}/{number}") for number in (2, 1)]

    assert [ledger.spent_micro_usd() for ledger in ledgers] == spent
    assert 0 < sum(spent) < PAID * 1e6


@pytest.mark.airflow
def test_running_it_again_pays_for_nothing_and_a_trial_never_writes_to_the_table(trial: Trial):
    calls, writes, _ = trial.cost

    assert calls == 81 + 2 * 81  # an answer that was cut off is asked again once
    assert writes == 61  # which put the conversations there
    assert trial.cost_of_both == trial.cost


@pytest.mark.airflow
def test_each_contender_is_named_in_the_grid(trial: Trial):
    labels = [step.label for step in trial.steps if step.task_id == "judge" and step.state == "success"]

    assert sorted(labels) == sorted(2 * [CHEAP, DEAR])


@pytest.mark.airflow
def test_the_table_model_trials_can_be_asked(trial: Trial):
    athena = Athena(trial.aws.client("athena"), VARIABLES["chatcensus_database"], VARIABLES["chatcensus_workgroup"])

    rows = athena.rows("select contender, gold_right, gold_rows, micro_usd_per_1000 from model_trials order by 2")

    expected = [
        [row["contender"], str(right), "20", str(row["micro_usd_per_1000"])]
        for row, right in zip(trial.report["contenders"], (0, 19), strict=True)
    ]
    assert [list(row.values()) for row in rows] == expected


@pytest.mark.airflow
def test_no_text_of_a_conversation_leaves_the_table(trial: Trial):
    s3 = trial.aws.client("s3")
    found = [
        each
        for prefix in ("samples/", "trials/")
        for each in s3.list_objects_v2(Bucket=RESULT_BUCKET, Prefix=prefix)["Contents"]
    ]
    texts = [s3.get_object(Bucket=RESULT_BUCKET, Key=each["Key"])["Body"].read().decode() for each in found]

    assert len(texts) == 7  # plan, sample, two files of answers, report, results, index
    assert not any(CANARY in text for text in texts)
    assert CANARY not in trial.log
    assert "61 of 61 conversations and 20 gold rows" in trial.log


# The tasks by themselves: from here on the AWS of the trial above is empty


CONTEXT: Any = {
    "run_id": "alone",
    "dag": SimpleNamespace(dag_id="model_trial"),
    "ti": SimpleNamespace(try_number=1, map_index=0),
}


def task(kind: Any, include: Path, **fields: Any) -> Any:
    names = {"include": include, "table": TABLE, "result_bucket": RESULT_BUCKET, "aws_conn_id": None}
    return kind(task_id="task", **{**names, **fields})


def sampled(include: Path, *contenders: str, max_usd: float = 1) -> list[dict[str, Any]]:
    choice = {"contenders": json.dumps(contenders), "conversations": 300, "seed": 1, "max_usd": max_usd}
    found: list[dict[str, Any]] = task(SampleTrialOperator, include, snapshot_bucket=SNAPSHOT_BUCKET, **choice).execute(
        CONTEXT
    )
    return found


def judged(include: Path, contender: dict[str, Any]) -> dict[str, int]:
    limits = {"control_table": VARIABLES["chatcensus_control_table"], "in_flight": 4, "quota": NO_QUOTA}
    found: dict[str, int] = task(JudgeTrialOperator, include, contender=contender, **limits).execute(CONTEXT)
    return found


@pytest.fixture
def include(tmp_path: Path) -> Path:
    """The `include/` of the repository, without gold rows."""
    copied = shutil.copytree(INCLUDE, tmp_path / "include")
    shutil.rmtree(copied / "gold", ignore_errors=True)
    return copied


def put(aws: LocalAwsForTests, name: str, *texts: str) -> None:
    item = conversation_item(name, *texts)
    aws.client("dynamodb").put_item(TableName=TABLE, Item=TypeSerializer().serialize(item)["M"])


def test_a_second_try_pays_only_for_what_is_not_written(local_aws: LocalAwsForTests, include: Path):
    local_aws.create_stack()
    for number in range(12):
        put(local_aws, f"c{number}")
    first, _ = sampled(include, "stand-in", "stand-in@prompt")
    files = TrialFiles(local_aws.client("s3"), RESULT_BUCKET, first["trial"])
    put(local_aws, "c3", "Another question?")
    local_aws.client("dynamodb").delete_item(TableName=TABLE, Key={"conversation_id": {"S": "c4"}})

    told = judged(include, first)
    plan, drawn = files.plan()
    name = plan["contenders"][0]["file"]
    whole = files.answers(name, drawn)
    half = dict(list(whole.items())[:5])
    files.write_answers(name, half)
    calls = local_aws.stats()["converse_calls"]
    again = judged(include, first)

    assert (told["judged"], told["missing"], told["left"]) == (10, 2, 0)
    assert Counter(answer.missing for answer in whole.values()) == {None: 10, "changed": 1, "deleted": 1}
    assert local_aws.stats()["converse_calls"] - calls == sum(
        answer.missing is None for draw, answer in whole.items() if draw not in half
    )
    assert again == told
    assert {draw: answer.category for draw, answer in files.answers(name, drawn).items()} == {
        draw: answer.category for draw, answer in whole.items()
    }


def test_a_sample_that_is_drawn_again_from_a_larger_table_pays_only_for_what_is_new(
    local_aws: LocalAwsForTests, include: Path
):
    local_aws.create_stack()
    for number in range(11):
        put(local_aws, f"c{number}")
    judged(include, sampled(include, "stand-in", "stand-in@prompt")[0])
    calls = local_aws.stats()["converse_calls"]
    put(local_aws, "c3", "Another question?")
    put(local_aws, "c11")

    told = judged(include, sampled(include, "stand-in", "stand-in@prompt")[0])

    assert (told["judged"], told["missing"], told["left"]) == (12, 0, 0)
    assert local_aws.stats()["converse_calls"] - calls == 2


def test_the_files_in_the_bucket_that_reviews_have_left_are_gold_rows_too(local_aws: LocalAwsForTests, include: Path):
    local_aws.create_stack()
    for number in range(12):
        put(local_aws, f"c{number}")
    content_hash = MAPPING.conversation(Stored(conversation_item("c7"), has_room=True)).content_hash
    rows = [
        gold_row(number, "coding").model_copy(update={"id": f"c{number}", "turns": None, "content_hash": found})
        for number, found in ((7, content_hash), (8, "0" * 32))  # the second has changed since it was labelled
    ]
    lines = "".join(f"{row.model_dump_json()}\n" for row in rows)
    key = f"gold/{TAXONOMY.version}/random-review.jsonl"
    local_aws.client("s3").put_object(Bucket=SNAPSHOT_BUCKET, Key=key, Body=lines.encode())

    first, _ = sampled(include, "stand-in", "stand-in@prompt")

    _, drawn = TrialFiles(local_aws.client("s3"), RESULT_BUCKET, first["trial"]).plan()
    assert [(each.conversation_id, each.label) for each in drawn if each.label] == [("c7", "coding")]
    assert len(drawn) == 12


@pytest.mark.parametrize(
    ("contenders", "residency", "max_usd", "message"),
    [
        pytest.param(["stand-in", "gpt-6"], "null", 1, "'gpt-6' is not in include/prompts/models.yaml", id="model"),
        pytest.param([CHEAP, DEAR], "jp", 1, "keeps the texts in 'jp'", id="residency"),
        pytest.param(
            ["stand-in", "stand-in@prompt"], "null", 0, "max_usd 0 is not enough for 2 contenders", id="money"
        ),
    ],
)
def test_what_cannot_be_tried_is_refused_before_anything_is_paid(
    local_aws: LocalAwsForTests, include: Path, contenders: list[str], residency: str, max_usd: float, message: str
):
    local_aws.create_stack()
    put(local_aws, "c1")
    routes = include / "routes.yaml"
    routes.write_text(routes.read_text().replace("\nresidency: null", f"\nresidency: {residency}"))

    with pytest.raises(AirflowFailException, match=message):
        sampled(include, *contenders, max_usd=max_usd)

    assert local_aws.stats()["converse_calls"] == 0
