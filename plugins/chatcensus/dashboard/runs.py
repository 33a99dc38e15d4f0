"""Runs as the ledger tells them: only rows of `chat_census`, and of each row only what people who watch may see."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeDeserializer

from chatcensus.dashboard.sources import client, variable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

DAG_ID = "chat_census"
MAX_RUNS = 50  # asked for at once; a BatchGetItem takes 100
Row = dict[str, Any]

# Everything else stays in the ledger: the row of a run also holds ARNs, and with them account and table.
RUN_FIELDS = (
    "planned", "spent_micro_usd", "conversations", "tally", "generation", "segments_ended", "settled_micro_usd",
)  # fmt: skip
PLANNED_FIELDS = (
    "segments", "expected", "max_micro_usd", "model", "requests_per_minute", "tokens_per_minute", "burndown",
    "forecast", "planned_at",
)  # fmt: skip
SEGMENT_FIELDS = ("map_index", "name", "expected", "started_at", "told_at", "is_done", "tally")

_deserialize = TypeDeserializer().deserialize


def read_runs(run_ids: Sequence[str]) -> dict[str, Row]:
    """
    Return what the ledger tells of each run; a run that it does not know is left out.

    Errors: SetupError, or of botocore.
    """
    dynamodb, table = client("dynamodb"), variable("chatcensus_control_table")
    keys = [{"pk": {"S": _pk(run_id)}, "sk": {"S": "run"}} for run_id in dict.fromkeys(run_ids)]
    if not keys:
        return {}
    answer = dynamodb.batch_get_item(RequestItems={table: {"Keys": keys}})
    items = answer["Responses"].get(table, [])
    # What DynamoDB could not answer in one go; one at a time botocore's own retries apply.
    for key in answer.get("UnprocessedKeys", {}).get(table, {}).get("Keys", []):
        found = dynamodb.get_item(TableName=table, Key=key)
        items += [found["Item"]] if "Item" in found else []
    return {item["pk"]["S"].removeprefix(_pk("")): _run(item) for item in items}


def read_run(run_id: str) -> Row | None:
    """
    Return one run and its segments, `{"run": row, "segments": [row, …]}`; None when the ledger does not know it.

    Errors: SetupError, or of botocore.
    """
    items = _rows(client("dynamodb"), variable("chatcensus_control_table"), _pk(run_id))
    runs = [_run(item) for item in items if item["sk"]["S"] == "run"]
    segments = [_told(_plain(item), SEGMENT_FIELDS) for item in items if item["sk"]["S"].startswith("segment#")]
    return {"run": runs[0], "segments": segments} if runs else None


def _pk(run_id: str) -> str:
    return f"run#{DAG_ID}/{run_id}"  # a key is compared as a whole: no run id reaches the row of another DAG


def _rows(dynamodb: "DynamoDBClient", table: str, pk: str) -> list[Mapping[str, Any]]:
    pages = dynamodb.get_paginator("query").paginate(
        TableName=table, KeyConditionExpression="pk = :pk", ExpressionAttributeValues={":pk": {"S": pk}}
    )
    return [item for page in pages for item in page["Items"]]


def _run(item: Mapping[str, Any]) -> Row:
    row = _told(_plain(item), RUN_FIELDS)
    return row | ({"planned": _told(row["planned"], PLANNED_FIELDS)} if "planned" in row else {})


def _told(row: Mapping[str, Any], fields: Sequence[str]) -> Row:
    return {name: row[name] for name in fields if name in row}


def _plain(item: Mapping[str, Any]) -> Row:
    return {name: _json(_deserialize(value)) for name, value in item.items()}


def _json(value: Any) -> Any:
    """Return *value* with numbers that JSON knows: whole ones as integers, which money and counts are."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dict):
        return {name: _json(each) for name, each in value.items()}
    return [_json(each) for each in value] if isinstance(value, list) else value
