"""The real DAG in a real Airflow by batch inference: every count and every micro-USD, reckoned again from the files."""

import json
import math
from types import SimpleNamespace
from typing import Any

import pytest
from boto3.dynamodb.types import TypeDeserializer

from chatcensus.aws.ledger import Ledger
from demo.airflow_home import VARIABLES
from demo.progress import LocalAirflow
from tests.conftest import SNAPSHOT_BUCKET, LocalAwsForTests
from tests.dags.running import STACK, Census, deploy
from tests.security.drift import Recorded, missing
from tests.security.policies import Iam, allowed

pytestmark = pytest.mark.airflow

deserialize = TypeDeserializer().deserialize
CONVERSATIONS = 110
# What one token costs the stand-in by batch, were it half of its price: the catalog has none for it.
BATCH_PRICE = 'batch: {input: "0.055", output: "0.275"}'


@pytest.fixture(scope="module")
def night(local_aws_server: LocalAwsForTests, airflow: LocalAirflow, deployed: Any) -> SimpleNamespace:
    """A run by batch whose segments are two, and the same once more."""
    local_aws_server.reset()
    local_aws_server.create_stack(**STACK, CreateBatchRole="true")
    models = deploy(deployed) / "include/prompts/models.yaml"
    price = 'cache_write: "0.1375", source: "as jp'
    assert models.read_text().count(price) == 1
    models.write_text(models.read_text().replace(price, f'cache_write: "0.1375", {BATCH_PRICE}, source: "as jp'))
    census = Census(local_aws_server, airflow)
    census.load(CONVERSATIONS)
    params = {"mode": "batch", "conversations_per_segment": 55, "publish": False}
    state, cost = census.run("night", **params), census.cost()
    ledger = Ledger(local_aws_server.client("dynamodb"), VARIABLES["chatcensus_control_table"], "chat_census/night")
    row = ledger.run()
    again, cost_of_both = census.run("night", **params), census.cost()
    recorded = Recorded()
    recorded.take(local_aws_server)
    policies = list(allowed(Iam(local_aws_server.client("iam")).of_role("chatcensus-pipeline")))
    deploy(deployed)
    return SimpleNamespace(
        states=(state, again), cost=cost, cost_of_both=cost_of_both, ledger=row,
        items=census.items(), answers=_answers(local_aws_server), recorded=recorded, policies=policies,
        jobs=local_aws_server.client("bedrock").list_model_invocation_jobs()["invocationJobSummaries"],
        log=census.airflow.log_file.read_text(),
    )  # fmt: skip


def _answers(aws: LocalAwsForTests) -> list[dict[str, Any]]:
    s3 = aws.client("s3")
    found = s3.list_objects_v2(Bucket=SNAPSHOT_BUCKET, Prefix="batch/answers/").get("Contents", [])
    keys = [entry["Key"] for entry in found if entry["Key"].endswith(".jsonl.out")]
    return [
        json.loads(line)
        for key in keys
        for line in s3.get_object(Bucket=SNAPSHOT_BUCKET, Key=key)["Body"].read().decode().splitlines()
    ]


def test_all_of_it_goes_in_one_job_and_no_call_is_made(night: SimpleNamespace) -> None:
    assert night.states == ("success", "success"), night.log[-4000:]
    assert [job["status"] for job in night.jobs] == ["Completed"]
    assert len({line["recordId"] for line in night.answers}) == len(night.answers) == CONVERSATIONS
    assert night.cost[:2] == (0, 2 * CONVERSATIONS)  # a write put each there, and one judged it


def test_counts_and_money_are_those_of_the_answers(night: SimpleNamespace) -> None:
    usages = [line["modelOutput"]["usage"] for line in night.answers]
    bill = sum(math.ceil(0.055 * usage["inputTokens"] + 0.275 * usage["outputTokens"]) for usage in usages)
    found = [deserialize(item["evaluation"]) for item in night.items.values()]
    tally = night.ledger["tally"]

    assert len(found) == tally["calls"] == tally["read"] == CONVERSATIONS
    assert tally["outcomes"] == {"evaluated": CONVERSATIONS}
    assert tally["input_tokens"] == sum(usage["inputTokens"] for usage in usages)
    assert tally["output_tokens"] == sum(usage["outputTokens"] for usage in usages)
    assert night.ledger["spent_micro_usd"] == tally["cost_micro_usd"] == bill
    assert sum(each["cost_micro_usd"] for each in found) == bill
    assert {(each["outcome"], each["attempts"], each["answered_by"]) for each in found} == {
        ("evaluated", 1, "stand-in")
    }


def test_repeating_the_run_makes_no_job_no_call_and_no_write(night: SimpleNamespace) -> None:
    assert night.cost_of_both == night.cost
    assert len(night.jobs) == 1


def test_the_role_of_the_pipeline_may_do_all_of_it(night: SimpleNamespace) -> None:
    asked = night.recorded.actions("pipeline")

    assert ("bedrock:CreateModelInvocationJob", "") in asked
    assert missing(night.policies, asked) == []


def test_no_text_is_in_the_log(night: SimpleNamespace) -> None:
    texts = [turn["content"] for item in night.items.values() for turn in deserialize(item["turns"])]

    assert len(texts) > CONVERSATIONS
    assert [text for text in texts if len(text) > 20 and text in night.log] == []
