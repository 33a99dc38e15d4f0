"""
The real DAG over other tables: each strategy of `include/table.yaml`, and the preset of each chat tool.

All that the code asks of AWS is asked in these runs, each role with an access key of its own: so they are compared with
the policies, too. A role may do what its code asks for, on what it asks it of, and nothing else.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from boto3.dynamodb.types import TypeSerializer

from demo.__main__ import NO_QUOTA
from demo.airflow_home import REPOSITORY, process_environment
from demo.progress import LocalAirflow
from tests.conftest import REGION, SNAPSHOT_BUCKET, LocalAwsForTests
from tests.dags.running import BODIES, INDEX, STACK, TABLE, Census, deploy
from tests.fakes import TAXONOMY
from tests.security.drift import Recorded, beside, missing, policies_of_roles, unused
from tests.security.policies import Allowed
from tests.unit.test_presets import BEDROCK_CHAT, LARGE, MESSAGES, chat_item

pytestmark = pytest.mark.airflow

PRESETS = REPOSITORY / "include/presets"
OURS = (REPOSITORY / "include/table.yaml").read_text()
ALERT_TOPIC = "AIRFLOW_VAR_CHATCENSUS_ALERT_TOPIC"
Over = Callable[[str], AbstractContextManager[Census]]


def _by(partition: str) -> str:
    """Our mapping with another strategy."""
    lines = [line for line in OURS.splitlines() if not line.startswith("partition:")]
    return "\n".join([*lines, f"partition: {partition}", ""])


@pytest.fixture(scope="module")
def recorded() -> Recorded:
    """What was asked of AWS so far."""
    return Recorded()


@pytest.fixture(scope="module")
def over(local_aws_server: LocalAwsForTests, airflow: LocalAirflow, deployed: Path, recorded: Recorded) -> Over:
    """Give a census over an empty AWS whose `include/table.yaml` is the text that it is given."""

    @contextmanager
    def census_over(mapping: str) -> Iterator[Census]:
        local_aws_server.reset()
        (deploy(deployed) / "include/table.yaml").write_text(mapping)
        yield Census(local_aws_server, airflow)
        recorded.take(local_aws_server)

    return census_over


def _succeeds(census: Census, run_id: str, **conf: Any) -> None:
    assert census.run(run_id, **conf) == "success", census.airflow.log_file.read_text()[-4000:]


def _index(aws: LocalAwsForTests, key: str) -> None:
    """Add a KEYS_ONLY index, as docs/scale.md says."""
    keys = [{"AttributeName": key, "KeyType": "HASH"}, {"AttributeName": "created_at", "KeyType": "RANGE"}]
    types = [{"AttributeName": attribute, "AttributeType": "S"} for attribute in ("conversation_id", key, "created_at")]
    create = {"IndexName": INDEX, "KeySchema": keys, "Projection": {"ProjectionType": "KEYS_ONLY"}}
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


# A table of our own


_DASHBOARD = """
from chatcensus.dashboard.published import PublishedReport
from chatcensus.dashboard.runs import read_run, read_runs
from chatcensus.dashboard.trials import read_trial, read_trials
assert PublishedReport().read() is not None
assert read_runs(["monday"]) and read_run("monday")
assert read_trial(read_trials()[0]["trial"])
"""


@pytest.fixture(scope="module")
def incremental(over: Over, airflow_settings: dict[str, str]) -> SimpleNamespace:
    """A table that is exported in parts; between two nights conversations are added, changed and deleted."""
    with over(OURS.replace("exports: full", "exports: incremental")) as census:
        assert census.aws.create_stack(**STACK)["AlarmTopicArn"] == airflow_settings[ALERT_TOPIC]
        census.load(20)
        _succeeds(census, "monday")
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
        _succeeds(census, "tuesday")
        outcome, items, calls = census.outcome("tuesday"), census.items(), census.cost()[0] - calls

        _succeeds(census, "again", reevaluate="category=coding", publish=False)
        _try_models(census)
        _run_python(["-c", _DASHBOARD], airflow_settings)
        # Whatever it finds: here the question is what it looks at.
        _run_python(["-m", "chatcensus", "doctor"], airflow_settings | {"AWS_ACCESS_KEY_ID": "doctor"}, codes={0, 1})
    return SimpleNamespace(changed=changed, deleted=deleted, outcome=outcome, items=items, calls=calls)


def _try_models(census: Census) -> None:
    """Make a trial, with a gold row of a review."""
    row = {"id": "none", "language": "en", "content_hash": "0" * 32, "category": "coding", "labelled_by": "ann"}
    row |= {"labelled_on": "2026-11-01", "taxonomy_version": TAXONOMY.version}
    key = f"gold/{TAXONOMY.version}/random-review.jsonl"
    census.aws.client("s3").put_object(Bucket=SNAPSHOT_BUCKET, Key=key, Body=json.dumps(row).encode())
    conf = NO_QUOTA | {"contenders": ["stand-in", "stand-in@prompt"]}
    state = census.airflow.run_dag("model_trial", conf, "trial", lambda _: None)
    assert state == "success", census.airflow.log_file.read_text()[-4000:]


def _run_python(arguments: list[str], environment: dict[str, str], codes: Collection[int] = (0,)) -> None:
    told = subprocess.run(
        [sys.executable, *arguments],
        env=process_environment(environment) | {"PYTHONPATH": str(REPOSITORY / "plugins")},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode in codes, told.stderr[-2000:]


def test_a_new_run_judges_what_is_new_or_changed_and_nothing_else(incremental: SimpleNamespace) -> None:
    tuesday = incremental.outcome

    assert incremental.calls == 6
    assert tuesday.tally["outcomes"] == {"evaluated": 6, "already_evaluated": 18}
    assert incremental.deleted not in incremental.items
    assert incremental.items[incremental.changed]["evaluation"]["M"]["run_id"] == {"S": "tuesday"}
    assert sum(row["conversations"] for row in tuesday.tables["category_counts"]) == 24


def _reads(aws: LocalAwsForTests) -> int:
    return aws.stats()["dynamodb_reads"].get(TABLE, {}).get("items", 0)


@pytest.fixture(scope="module")
def pending(over: Over) -> SimpleNamespace:
    with over(_by(f"{{strategy: pending-index, index: {INDEX}, attribute: pending, values: ['1']}}")) as census:
        census.aws.create_stack(**STACK)
        census.load(20)
        _index(census.aws, "pending")
        _mark(census, "pending", lambda _: "1")

        _succeeds(census, "first", conversations_per_segment=8)
        left = census.aws.client("dynamodb").scan(TableName=TABLE, IndexName=INDEX)["Count"]
        read = _reads(census.aws)
        _succeeds(census, "second", publish=False)
        read_again = _reads(census.aws) - read

        tallies = [census.tally(run_id) for run_id in ("first", "second")]
        return SimpleNamespace(left=left, read_again=read_again, tallies=tallies, outcome=census.outcome("first"))


def test_a_pending_index_is_empty_afterwards_and_the_next_run_reads_nothing(pending: SimpleNamespace) -> None:
    assert pending.left == pending.read_again == 0
    assert [tally["outcomes"] for tally in pending.tallies] == [{"evaluated": 20}, {}]
    assert sum(row["conversations"] for row in pending.outcome.tables["category_counts"]) == 20


@pytest.fixture(scope="module")
def by_day(over: Over) -> SimpleNamespace:
    with over(_by(f"{{strategy: date-index, index: {INDEX}, first_day: '2026-01-01'}}")) as census:
        census.aws.create_stack(**STACK)
        census.load(20)
        _index(census.aws, "day")
        _mark(census, "day", lambda item: item["created_at"]["S"][:10])

        _succeeds(census, "first", conversations_per_segment=8, publish=False)
        _succeeds(census, "second", publish=False)

        tallies = [census.tally(run_id) for run_id in ("first", "second")]
        return SimpleNamespace(tallies=tallies, calls=census.cost()[0])


def test_a_date_index_judges_all_days_once(by_day: SimpleNamespace) -> None:
    assert [tally["outcomes"] for tally in by_day.tallies] == [{"evaluated": 20}, {"already_evaluated": 20}]
    assert by_day.calls == 20


# The tables of chat tools


def _create(aws: LocalAwsForTests, items: list[dict[str, Any]], **keys: str) -> None:
    """Create the table of a chat tool in the place of ours, and fill it."""
    aws.create_stack(**STACK, CreateConversationTable="false")
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


def _judged_twice(census: Census) -> SimpleNamespace:
    """Run it twice, and give what both left."""
    _succeeds(census, "first")
    _succeeds(census, "second", publish=False)
    return SimpleNamespace(
        evaluated=_evaluated(census.aws),
        calls=census.cost()[0],
        first=census.tally("first"),
        second=census.tally("second"),
        outcome=census.outcome("first"),
    )


@pytest.fixture(scope="module")
def bedrock_chat(over: Over) -> SimpleNamespace:
    mapping = (PRESETS / "bedrock-chat.yaml").read_text()
    with over(mapping.replace(str(BEDROCK_CHAT.body.bucket), BODIES)) as census:
        alias = {"PK": "ann", "SK": "ann#BOT_ALIAS#1", "Title": "A bot"}
        _create(census.aws, [chat_item(), LARGE | {"SK": "ann#CONV#02"}, alias], HASH="PK", RANGE="SK")
        s3 = census.aws.client("s3")
        s3.create_bucket(Bucket=BODIES, CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_object(Bucket=BODIES, Key=LARGE["LargeMessagePath"], Body=json.dumps(MESSAGES).encode())
        return _judged_twice(census)


def test_bedrock_chats_conversations_are_judged_where_they_are_and_nothing_else_is_touched(
    bedrock_chat: SimpleNamespace,
) -> None:
    assert bedrock_chat.evaluated == {"ann#CONV#01X", "ann#CONV#02"}
    assert bedrock_chat.calls == 2
    assert bedrock_chat.first["skipped"] == {"other_item": 1}
    assert bedrock_chat.second["outcomes"] == {"already_evaluated": 2}
    assert sum(row["conversations"] for row in bedrock_chat.outcome.tables["daily_usage"]) == 2


@pytest.fixture(scope="module")
def messages(over: Over) -> SimpleNamespace:
    with over((PRESETS / "generative-ai-use-cases.yaml").read_text()) as census:
        messages = [
            {
                "id": f"chat#{chat}",
                "createdDate": f"179082384567{number}#0",
                "role": role,
                "content": f"SQL {number}",
                "userId": "user#ann",
            }
            for chat in ("a", "b")
            for number, role in ((1, "user"), (2, "assistant"))
        ]
        header = {"id": "user#ann", "createdDate": "1790823845670", "chatId": "chat#a", "title": "SQL"}
        _create(census.aws, [*messages, header], HASH="id", RANGE="createdDate")
        return _judged_twice(census)


def test_the_messages_of_a_chat_are_judged_as_one_conversation(messages: SimpleNamespace) -> None:
    assert messages.evaluated == {"1790823845671#0"}
    assert messages.calls == 2
    assert messages.second["outcomes"] == {"already_evaluated": 2}
    [day] = messages.outcome.tables["daily_usage"]
    assert (day["day"], day["conversations"], day["users"]) == ("2026-10-01", 2, 1)


# What all of them asked of AWS


@pytest.fixture(scope="module")
def everything(recorded: Recorded, request: pytest.FixtureRequest) -> Recorded:
    """What was asked of AWS after all of the runs above."""
    for runs in ("incremental", "pending", "by_day", "bedrock_chat", "messages"):
        request.getfixturevalue(runs)
    return recorded


@pytest.fixture(scope="module")
def policies(everything: Recorded, local_aws_server: LocalAwsForTests) -> dict[str, list[Allowed]]:  # noqa: ARG001 - first
    return policies_of_roles(local_aws_server)


@pytest.mark.parametrize("role", ["pipeline", "dashboard"])
def test_a_role_may_do_all_that_its_code_asks_for(
    everything: Recorded, policies: dict[str, list[Allowed]], role: str
) -> None:
    assert len(everything.actions(role)) > 3
    assert missing(policies[role], everything.actions(role)) == []


@pytest.mark.parametrize("role", ["pipeline", "dashboard"])
def test_a_role_may_do_nothing_that_no_code_asks_for(
    everything: Recorded, policies: dict[str, list[Allowed]], role: str
) -> None:
    assert unused(policies[role], everything.actions(role) | beside()) == []


def test_nothing_goes_to_aws_but_by_the_two_connections(everything: Recorded) -> None:
    assert everything.asked.get("nobody", set()) == set()
