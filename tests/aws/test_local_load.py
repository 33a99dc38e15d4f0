"""Items that are loaded within the process leave what PutItem leaves: items, indexes, sizes, history and journal."""

import base64
from datetime import UTC, datetime, timedelta

import pytest

from local_aws.aws_error import AwsError
from local_aws.server import LocalAws
from local_aws.settings import Settings

START = datetime(2026, 11, 1, 9, tzinfo=UTC)


@pytest.fixture
def clock():
    return [START]


@pytest.fixture
def data(tmp_path):
    return tmp_path / "data"


@pytest.fixture
def start(local_aws_server, clock, data):  # noqa: ARG001  its environment keeps out what a developer has configured
    running = []

    def start():
        while running:
            running.pop().stop()
        running.append(LocalAws(Settings(data=data), now=lambda: clock[0]).start())
        return running[0]

    yield start
    running[0].stop()


def _create(aws, table):
    dynamodb = aws.client("dynamodb")
    dynamodb.create_table(
        TableName=table,
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": kind} for name, kind in ("pS", "nN", "dS")],
        KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}, {"AttributeName": "n", "KeyType": "RANGE"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "day",
                "KeySchema": [{"AttributeName": "d", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.update_continuous_backups(
        TableName=table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )


def _items(binary):
    """Return five items of three keys: one is put twice, one three times."""
    for number in (1, 2, 3, 2, 2):
        day = {"d": {"S": "2026-11-01"}} if number != 3 else {}
        yield {"p": {"S": "a"}, "n": {"N": f"{number}.0"}, "raw": {"B": binary}, "text": {"S": f"改{number}"}, **day}


def _state(aws, table, clock):
    """Return all that can be seen of a table."""
    dynamodb = aws.client("dynamodb")
    described = dynamodb.describe_table(TableName=table)["Table"]
    (index,) = described["GlobalSecondaryIndexes"]
    window = int(START.timestamp() * 1_000_000), int(clock[0].timestamp() * 1_000_000)
    history = aws._moto.changes("ap-northeast-1", table, *window)
    return {
        "sizes": [described["ItemCount"], described["TableSizeBytes"], index["ItemCount"], index["IndexSizeBytes"]],
        "items": dynamodb.scan(TableName=table)["Items"],
        "index": dynamodb.scan(TableName=table, IndexName="day")["Items"],
        "history": [(change.at, change.key, change.old, change.new.attributes()) for change in history],
    }


def test_what_is_loaded_is_as_if_it_was_put(start, clock):
    aws = start()
    for table in ("loaded", "put"):
        _create(aws, table)
    clock[0] += timedelta(minutes=10)

    count = aws.load_items("loaded", _items(base64.b64encode(b"\0\xff").decode()))
    for item in _items(b"\0\xff"):
        aws.client("dynamodb").put_item(TableName="put", Item=item)

    assert (count, aws.stats()["dynamodb_writes"]) == (5, {"loaded": 5, "put": 5})
    clock[0] += timedelta(minutes=10)
    loaded = _state(aws, "loaded", clock)
    assert loaded == _state(aws, "put", clock)
    assert loaded["sizes"][0] == len(loaded["items"]) == len(loaded["history"]) == 3
    again = start()
    assert _state(again, "loaded", clock) == _state(again, "put", clock) == loaded


@pytest.mark.parametrize(
    "item",
    [
        {"p": {"S": "a"}},
        {"p": {"S": ""}, "n": {"N": "1"}},
        {"p": {"N": "1"}, "n": {"N": "1"}},
        {"p": {"S": "a"}, "n": {"N": "1"}, "d": {"N": "1"}},
        {"p": {"S": "a"}, "n": {"N": "1"}, "x": {"S": "x" * 410_000}},
        {"p": {"S": "a"}, "n": {"N": "1"}, "x": {"S": "x", "N": "1"}},
    ],
    ids=["no sort key", "empty key", "key of another type", "index key of another type", "too large", "no value"],
)
def test_an_item_that_cannot_be_put_is_refused_and_those_before_it_stay(start, item):
    aws = start()
    _create(aws, "loaded")

    with pytest.raises(AwsError, match="ValidationException"):
        aws.load_items("loaded", [{"p": {"S": "first"}, "n": {"N": "1"}}, item])

    assert aws.client("dynamodb").scan(TableName="loaded")["Count"] == 1
