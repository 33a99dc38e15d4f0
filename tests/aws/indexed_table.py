"""A table with an index by day and a sparse index of what is pending, on the local AWS."""

from typing import Any

from chatcensus.mapping import TableMapping

TABLE = "indexed"
MAPPING = TableMapping.model_validate(
    {
        "partition_key": "id",
        "turns": "turns",
        "role": "role",
        "text": "content",
        "created_at": {"attribute": "created_at"},
    }
)
BY_DAY = {"strategy": "date-index", "index": "by-day", "first_day": "2026-11-01"}
PENDING = {"strategy": "pending-index", "index": "pending", "attribute": "pending", "values": ["1"]}
TURNS = {"L": [{"M": {"role": {"S": "user"}, "content": {"S": "canary-4711"}}}]}


def index_of(name: str, key: str, sort: str | None, projection: str = "KEYS_ONLY") -> dict[str, Any]:
    """The definition of a global secondary index."""
    keys = [{"AttributeName": key, "KeyType": "HASH"}]
    keys += [{"AttributeName": sort, "KeyType": "RANGE"}] if sort else []
    return {"IndexName": name, "KeySchema": keys, "Projection": {"ProjectionType": projection}}


def create(dynamodb: Any, *indexes: dict[str, Any], types: dict[str, str] | None = None) -> None:
    """Create the table, with point-in-time recovery."""
    used = indexes or (index_of("by-day", "day", "created_at"), index_of("pending", "pending", "created_at"))
    names = {"id"} | {part["AttributeName"] for index in used for part in index["KeySchema"]}
    dynamodb.create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": (types or {}).get(name, "S")} for name in sorted(names)
        ],
        GlobalSecondaryIndexes=list(used),
        BillingMode="PAY_PER_REQUEST",
    )
    recovery = {"PointInTimeRecoveryEnabled": True}
    dynamodb.update_continuous_backups(TableName=TABLE, PointInTimeRecoverySpecification=recovery)


def put(dynamodb: Any, name: str, created_at: str, **attributes: Any) -> None:
    """Put a pending conversation there; an attribute of None is left out."""
    item = {
        "id": {"S": name},
        "day": {"S": created_at[:10]},
        "created_at": {"S": created_at},
        "pending": {"S": "1"},
        "turns": TURNS,
    }
    item |= attributes
    dynamodb.put_item(TableName=TABLE, Item={key: value for key, value in item.items() if value is not None})


def put_day(dynamodb: Any, day: str, count: int) -> None:
    """Put *count* conversations there, one a second from the beginning of *day*."""
    for number in range(count):
        put(dynamodb, f"{day}-{number:03}", f"{day}T00:{number // 60:02}:{number % 60:02}Z")
