"""The real DAG over other tables: each strategy of `include/table.yaml`, and the preset of each chat tool."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from boto3.dynamodb.types import TypeSerializer

from demo.airflow_home import REPOSITORY
from demo.progress import LocalAirflow
from tests.conftest import REGION, LocalAwsForTests
from tests.dags.deployed import airflow_of, deploy
from tests.dags.test_runs import TABLE, Census
from tests.unit.test_presets import BEDROCK_CHAT, LARGE, MESSAGES, chat_item

pytestmark = pytest.mark.airflow

PENDING = "{strategy: pending-index, index: pending, attribute: pending, values: ['1']}"
BY_DAY = "{strategy: date-index, index: by-day, first_day: '2026-01-01'}"


def _by(partition: str) -> str:
    """Our mapping with another strategy."""
    lines = (REPOSITORY / "include/table.yaml").read_text().splitlines()
    return "\n".join([*(line for line in lines if not line.startswith("partition:")), f"partition: {partition}", ""])


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The DAG with an `include/` of its own, whose `table.yaml` each test writes."""
    return deploy(tmp_path_factory.mktemp("deployed"))


@pytest.fixture(scope="module")
def airflow(local_aws_server: LocalAwsForTests, deployed: Path) -> Iterator[LocalAirflow]:
    with airflow_of(deployed, local_aws_server) as started:
        yield started


@pytest.fixture
def census_of(local_aws: LocalAwsForTests, airflow: LocalAirflow, deployed: Path) -> Callable[[str], Census]:
    """Give the census whose `include/table.yaml` is the text that it is given."""

    def census(mapping: str) -> Census:
        (deployed / "include/table.yaml").write_text(mapping)
        return Census(local_aws, airflow)

    return census


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
    local_aws: LocalAwsForTests, census_of: Callable[[str], Census]
) -> None:
    census = census_of(_by(PENDING))
    census.load(20)
    _index(local_aws, "pending", "pending")
    _mark(census, "pending", lambda _: "1")

    assert census.run("first", conversations_per_segment=8) == "success"
    left = local_aws.client("dynamodb").scan(TableName=TABLE, IndexName="pending")["Count"]
    read = _reads(local_aws)
    assert census.run("second", publish=False) == "success"
    read_again = _reads(local_aws) - read

    assert left == read_again == 0
    assert census.tally("first")["outcomes"] == {"evaluated": 20}
    assert census.tally("second")["outcomes"] == {}
    assert sum(row["conversations"] for row in census.outcome("first").tables["category_counts"]) == 20


def test_a_date_index_judges_all_days_once(local_aws: LocalAwsForTests, census_of: Callable[[str], Census]) -> None:
    census = census_of(_by(BY_DAY))
    census.load(20)
    _index(local_aws, "by-day", "day")
    _mark(census, "day", lambda item: item["created_at"]["S"][:10])

    assert census.run("first", conversations_per_segment=8, publish=False) == "success"
    assert census.run("second", publish=False) == "success"

    assert census.tally("first")["outcomes"] == {"evaluated": 20}
    assert census.tally("second")["outcomes"] == {"already_evaluated": 20}
    assert census.cost()[0] == 20


def _create(aws: LocalAwsForTests, items: list[dict[str, Any]], **keys: str) -> None:
    """Create the table of a chat tool in the place of ours, and fill it."""
    aws.create_stack(CreateConversationTable="false")
    dynamodb = aws.client("dynamodb")
    dynamodb.create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": name, "KeyType": kind} for kind, name in keys.items()],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in keys.values()],
        BillingMode="PAY_PER_REQUEST",
    )
    recovery = {"PointInTimeRecoveryEnabled": True}
    dynamodb.update_continuous_backups(TableName=TABLE, PointInTimeRecoverySpecification=recovery)
    serialize = TypeSerializer().serialize
    for item in items:
        dynamodb.put_item(TableName=TABLE, Item={name: serialize(value) for name, value in item.items()})


def _evaluated(aws: LocalAwsForTests) -> set[str]:
    """The sort keys of the items that carry an evaluation."""
    items = aws.client("dynamodb").scan(TableName=TABLE)["Items"]
    return {item.get("SK", item.get("createdDate"))["S"] for item in items if "evaluation" in item}


def test_bedrock_chats_conversations_are_judged_where_they_are_and_nothing_else_is_touched(
    local_aws: LocalAwsForTests, census_of: Callable[[str], Census]
) -> None:
    alias = {"PK": "ann", "SK": "ann#BOT_ALIAS#1", "Title": "A bot"}
    _create(local_aws, [chat_item(), LARGE | {"SK": "ann#CONV#02"}, alias], HASH="PK", RANGE="SK")
    s3 = local_aws.client("s3")
    s3.create_bucket(Bucket="large-messages", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket="large-messages", Key=LARGE["LargeMessagePath"], Body=json.dumps(MESSAGES).encode())
    mapping = (REPOSITORY / "include/presets/bedrock-chat.yaml").read_text()

    census = census_of(mapping.replace(str(BEDROCK_CHAT.body.bucket), "large-messages"))
    assert census.run("first") == "success"
    assert census.run("second", publish=False) == "success"

    assert _evaluated(local_aws) == {"ann#CONV#01X", "ann#CONV#02"}
    assert census.cost()[0] == 2
    assert census.tally("first")["skipped"] == {"other_item": 1}
    assert census.tally("second")["outcomes"] == {"already_evaluated": 2}
    assert sum(row["conversations"] for row in census.outcome("first").tables["daily_usage"]) == 2


def test_the_messages_of_a_chat_are_judged_as_one_conversation(
    local_aws: LocalAwsForTests, census_of: Callable[[str], Census]
) -> None:
    messages = [
        {
            "id": f"chat#{chat}",
            "createdDate": f"179082384567{number}#0",
            "role": role,
            "content": f"SQL {number}",
            **who,
        }
        for chat in ("a", "b")
        for number, role, who in ((1, "user", {"userId": "user#ann"}), (2, "assistant", {"userId": "user#ann"}))
    ]
    header = {"id": "user#ann", "createdDate": "1790823845670", "chatId": "chat#a", "title": "SQL"}
    _create(local_aws, [*messages, header], HASH="id", RANGE="createdDate")

    census = census_of((REPOSITORY / "include/presets/generative-ai-use-cases.yaml").read_text())
    assert census.run("first") == "success"
    assert census.run("second", publish=False) == "success"

    assert _evaluated(local_aws) == {"1790823845671#0"}
    assert census.cost()[0] == 2
    assert census.tally("second")["outcomes"] == {"already_evaluated": 2}
    [day] = census.outcome("first").tables["daily_usage"]
    assert (day["day"], day["conversations"], day["users"]) == ("2026-10-01", 2, 1)
