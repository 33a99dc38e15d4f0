"""The real DAG in a real Airflow against the local AWS: what a run judges, costs, publishes, and never does twice."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chatcensus.aws.ledger import Ledger
from chatcensus.publication import SHOWN
from demo.__main__ import NO_QUOTA
from demo.airflow_home import VARIABLES, airflow_environment
from demo.generator import generate
from demo.load import Conversation, load_conversations
from demo.outcome import Outcome, read_outcome
from demo.progress import LocalAirflow, Step, local_airflow
from tests.conftest import LocalAwsForTests
from tests.report_file import report_inside

pytestmark = pytest.mark.airflow

TABLE = VARIABLES["chatcensus_table"]


class Census:
    """Runs the DAG and looks at what it did."""

    def __init__(self, aws: LocalAwsForTests, airflow: LocalAirflow) -> None:
        self.aws, self.airflow = aws, airflow
        self.steps: list[Step] = []

    def load(self, count: int, seed: int = 1) -> None:
        """Put generated conversations into the table."""
        drawn = [Conversation.model_validate(line, strict=False) for line in generate(count, seed)]
        load_conversations(self.aws.endpoint_url, drawn)

    def run(self, run_id: str, **conf: Any) -> str:
        """Run the DAG and return the state of the run."""
        self.steps = []
        return self.airflow.run_dag("chat_census", NO_QUOTA | conf, run_id, self.steps.append)

    def outcome(self, run_id: str) -> Outcome:
        """Read what the run published."""
        return read_outcome(self.aws.endpoint_url, run_id)

    def tally(self, run_id: str) -> dict[str, Any]:
        """What the run counted, whether it published or not."""
        control = VARIABLES["chatcensus_control_table"]
        return Ledger(self.aws.client("dynamodb"), control, f"chat_census/{run_id}").run()["tally"]

    def published(self) -> dict[str, str]:
        """The files of the report that is published, by name."""
        s3, bucket = self.aws.client("s3"), VARIABLES["chatcensus_result_bucket"]
        current = json.loads(s3.get_object(Bucket=bucket, Key="current.json")["Body"].read())
        folder = current["report"].removesuffix("report.html")
        found = s3.list_objects_v2(Bucket=bucket, Prefix=folder, Delimiter="/")["Contents"]
        return {
            entry["Key"].removeprefix(folder): s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read().decode()
            for entry in found
        }

    def cost(self) -> tuple[int, int, int]:
        """Model calls, writes to the conversation table, exports so far."""
        stats = self.aws.stats()
        return stats["converse_calls"], stats["dynamodb_writes"].get(TABLE, 0), stats["exports"]

    def items(self) -> dict[str, dict[str, Any]]:
        """The table, by conversation."""
        pages = self.aws.client("dynamodb").get_paginator("scan").paginate(TableName=TABLE)
        return {item["conversation_id"]["S"]: item for page in pages for item in page["Items"]}

    def ended(self, task_id: str) -> list[str]:
        """How the tries of a task ended."""
        return [
            step.state for step in self.steps if step.task_id == task_id and step.state not in ("started", "progress")
        ]


@pytest.fixture(scope="module")
def airflow(local_aws_server: LocalAwsForTests, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAirflow]:
    home = tmp_path_factory.mktemp("airflow")
    with local_airflow(_environment(home, local_aws_server), home / "airflow.log") as started:
        yield started


@pytest.fixture
def census(local_aws: LocalAwsForTests, airflow: LocalAirflow) -> Census:
    return Census(local_aws, airflow)


def _environment(home: Path, aws: LocalAwsForTests, **changed: str) -> dict[str, str]:
    # The tables are small: nothing of them would be told.
    return airflow_environment(home, aws.endpoint_url, VARIABLES | {"chatcensus_min_users": "0"} | changed)


def test_repeating_a_finished_run_makes_no_call_no_write_and_no_export(census: Census) -> None:
    census.load(30)
    assert census.run("nightly") == "success"
    first, cost = census.outcome("nightly"), census.cost()

    assert census.run("nightly") == "success"

    assert census.cost() == cost
    assert census.outcome("nightly").tables == first.tables


def test_a_new_run_judges_what_is_new_or_changed_and_nothing_else(census: Census) -> None:
    census.load(20)
    assert census.run("monday", publish=False) == "success"
    calls, _, _ = census.cost()
    changed, deleted = sorted(census.items())[:2]
    dynamodb = census.aws.client("dynamodb")
    dynamodb.update_item(
        TableName=TABLE,
        Key={"conversation_id": {"S": changed}},
        UpdateExpression="SET turns = list_append(turns, :more)",
        ExpressionAttributeValues={
            ":more": {"L": [{"M": {"role": {"S": "user"}, "content": {"S": "Thanks, and in SQL?"}}}]}
        },
    )
    dynamodb.delete_item(TableName=TABLE, Key={"conversation_id": {"S": deleted}})
    census.load(5, seed=2)

    assert census.run("tuesday") == "success"

    tally = census.outcome("tuesday").tally
    assert census.cost()[0] == calls + 6
    assert tally["outcomes"] == {"evaluated": 6, "already_evaluated": 18}
    assert deleted not in census.items()
    assert census.items()[changed]["evaluation"]["M"]["run_id"] == {"S": "tuesday"}
    assert sum(row["conversations"] for row in census.outcome("tuesday").tables["category_counts"]) == 24


def test_many_segments_judge_each_conversation_once(census: Census) -> None:
    census.load(30)

    assert census.run("segments", conversations_per_segment=8, publish=False) == "success"

    names = [step.label for step in census.steps if step.task_id == "classify" and step.state == "success"]
    assert sorted(names) == [f"segment {number}/4 (8)" for number in (1, 2, 3, 4)]
    assert census.cost()[0] == 30
    assert census.tally("segments")["outcomes"] == {"evaluated": 30}


def test_a_run_without_budget_ends_well_and_leaves_everything_pending(census: Census) -> None:
    census.load(10)

    assert census.run("poor", max_usd=0) == "success"

    assert census.cost()[:2] == (0, 10)  # ten writes put the conversations there
    assert not any("evaluation" in item for item in census.items().values())
    [quality] = census.outcome("poor").tables["evaluation_quality"]
    assert (quality["outcome"], quality["conversations"]) == ("pending", 10)


def test_what_is_published_is_one_report_as_a_page_as_values_and_in_short_in_both_languages(census: Census) -> None:
    census.load(30)
    assert census.run("report") == "success"

    published = census.published()

    assert set(published) == {"report.html", "report.json", "summary.md", "summary.ja.md"}
    report = json.loads(published["report.json"])
    assert report_inside(published["report.html"]) == report
    assert set(report["tables"]) == SHOWN
    assert report["answered_by"] == ["stand-in"]
    assert published["summary.md"].startswith("Chat Census: 30 conversations, ")
    assert published["summary.ja.md"].startswith("Chat Census: 会話30件、")
    assert "/chatcensus/>" in published["summary.md"]


def test_an_empty_table_ends_well_with_empty_summaries(census: Census) -> None:
    census.load(0)

    assert census.run("empty") == "success"

    assert all(rows == [] for rows in census.outcome("empty").tables.values())


def test_a_failed_classification_can_never_end_green(local_aws: LocalAwsForTests, tmp_path: Path) -> None:
    environment = _environment(tmp_path, local_aws, chatcensus_pseudonym_secret="short")
    with local_airflow(environment, tmp_path / "airflow.log") as airflow:
        census = Census(local_aws, airflow)
        census.load(5)

        state = census.run("red")

    assert state == "failed"
    assert census.ended("classify") == ["failed"]
    assert census.ended("settle")[-1] == "failed"
    assert census.ended("export") == []
    assert not any("evaluation" in item for item in census.items().values())
