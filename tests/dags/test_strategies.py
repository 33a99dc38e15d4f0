"""The real DAG over each strategy of `include/table.yaml`, with nothing else changed in it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from demo.airflow_home import REPOSITORY, VARIABLES, airflow_environment
from demo.progress import local_airflow
from tests.conftest import LocalAwsForTests
from tests.dags.test_runs import TABLE, Census

pytestmark = pytest.mark.airflow

PENDING = "{strategy: pending-index, index: pending, attribute: pending, values: ['1']}"
BY_DAY = "{strategy: date-index, index: by-day, first_day: '2026-01-01'}"


@contextmanager
def _census(aws: LocalAwsForTests, home: Path, partition: str) -> Iterator[Census]:
    """An Airflow whose mapping says *partition*."""
    shutil.copytree(REPOSITORY / "dags", home / "dags", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(REPOSITORY / "include", home / "include")
    mapping = home / "include/table.yaml"
    kept = [line for line in mapping.read_text().splitlines() if not line.startswith("partition:")]
    mapping.write_text("\n".join([*kept, f"partition: {partition}", ""]))
    changed = {"AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags")}
    environment = airflow_environment(home, aws.endpoint_url, VARIABLES) | changed
    with local_airflow(environment, home / "airflow.log") as airflow:
        yield Census(aws, airflow)


def _index(aws: LocalAwsForTests, name: str, key: str) -> None:
    """Add a KEYS_ONLY index, as docs/scale.md says."""
    keys = [{"AttributeName": key, "KeyType": "HASH"}, {"AttributeName": "created_at", "KeyType": "RANGE"}]
    types = [{"AttributeName": attribute, "AttributeType": "S"} for attribute in ("conversation_id", key, "created_at")]
    create = {"IndexName": name, "KeySchema": keys, "Projection": {"ProjectionType": "KEYS_ONLY"}}
    aws.client("dynamodb").update_table(
        TableName=TABLE, AttributeDefinitions=types, GlobalSecondaryIndexUpdates=[{"Create": create}]
    )


def _mark(census: Census, attribute: str, value_of: Any) -> None:
    """Set an attribute on every conversation, as the chat tool does when it writes one."""
    for name, item in census.items().items():
        census.aws.client("dynamodb").update_item(
            TableName=TABLE,
            Key={"conversation_id": {"S": name}},
            UpdateExpression="SET #name = :value",
            ExpressionAttributeNames={"#name": attribute},
            ExpressionAttributeValues={":value": {"S": value_of(item)}},
        )


def _reads(aws: LocalAwsForTests, place: str = TABLE) -> int:
    return aws.stats()["dynamodb_reads"].get(place, {}).get("items", 0)


def test_a_pending_index_is_empty_afterwards_and_the_next_run_reads_nothing(
    local_aws: LocalAwsForTests, tmp_path: Path
) -> None:
    with _census(local_aws, tmp_path, PENDING) as census:
        census.load(20)
        _index(local_aws, "pending", "pending")
        _mark(census, "pending", lambda _: "1")

        assert census.run("first", conversations_per_segment=8) == "success"
        left = local_aws.client("dynamodb").scan(TableName=TABLE, IndexName="pending")["Count"]
        read = _reads(local_aws)
        assert census.run("second") == "success"
        read_again = _reads(local_aws) - read

        assert left == read_again == 0
        assert census.outcome("first").tally["outcomes"] == {"evaluated": 20}
        assert census.outcome("second").tally["outcomes"] == {}
        assert sum(row["conversations"] for row in census.outcome("second").tables["category_counts"]) == 20


def test_a_date_index_judges_all_days_once(local_aws: LocalAwsForTests, tmp_path: Path) -> None:
    with _census(local_aws, tmp_path, BY_DAY) as census:
        census.load(20)
        _index(local_aws, "by-day", "day")
        _mark(census, "day", lambda item: item["created_at"]["S"][:10])

        assert census.run("first", conversations_per_segment=8) == "success"
        assert census.run("second") == "success"

        assert census.outcome("first").tally["outcomes"] == {"evaluated": 20}
        assert census.outcome("second").tally["outcomes"] == {"already_evaluated": 20}
        assert census.cost()[0] == 20
