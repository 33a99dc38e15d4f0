"""
The ledger: the control table with one row per run (spend, tally, export) and the pointer to what is published.

    pk                       sk         holds
    run#<dag>/<run>          run        planned, spent_micro_usd, conversations (begun), tally, generation, export …
    run#<dag>/<run>          segment#<map index>   how far its task has come: aws/progress.py
    quarantine               <id>       conversations whose item has no room for an evaluation
    usage                    <run>      what its calls have taken, with model and prompt: usage_history.py
    unanswered               <id>#<content hash>   calls that came to nothing, of all runs together
    turn#<database>          turn       the run that makes an edition, and until when it has the turn
    watermark#<database>     watermark  up to where the exports are without a gap: snapshot, table, columns, version
    layer#<database>         <id>       where the rows of an export lie as Parquet
"""

import logging
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import BotoCoreError, ClientError

from chatcensus.answer import Reason
from chatcensus.conversation import Conversation
from chatcensus.snapshot import Snapshot, Watermark
from chatcensus.usage_history import Used

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

log = logging.getLogger(__name__)

RUNS_OF_USAGE = 50  # the last of them are what a forecast goes by
_deserialize = TypeDeserializer().deserialize
_serialize = TypeSerializer().serialize


class Ledger:
    """
    The rows of one run in the control table, and the rows that all runs share.

    Units: money is micro-USD. A reservation is one atomic conditional update, so all segments share the budget exactly.
    *once* is a client that repeats nothing: money given back twice would let the run pass its budget.
    """

    def __init__(
        self,
        client: "DynamoDBClient",
        control_table: str,
        run_id: str,
        max_micro_usd: int = 0,
        max_conversations: int = 0,
        once: "DynamoDBClient | None" = None,
    ) -> None:
        self.client, self.control_table, self.run_id, self.once = client, control_table, run_id, once or client
        self.max_micro_usd, self.max_conversations = max_micro_usd, max_conversations

    @property
    def _run_key(self) -> dict[str, Any]:
        return _key(f"run#{self.run_id}", "run")

    def run(self) -> dict[str, Any]:
        """Return the run's row; empty when nothing has been written yet."""
        return self._get(self._run_key)

    def record(self, **attributes: object) -> None:
        """Set *attributes* on the run's row."""
        self._set(self._run_key, attributes)

    def tell_segment(self, map_index: int, row: Mapping[str, object]) -> None:
        """Replace what is told of one segment of the run; asked once, since the next telling comes soon."""
        self.once.update_item(**self._setting(_key(f"run#{self.run_id}", f"segment#{map_index:04d}"), row))

    def spent_micro_usd(self) -> int:
        """Return what the run has paid and reserved so far."""
        return int(self.run().get("spent_micro_usd", 0))

    def reserve(self, micro_usd: int) -> bool:
        """Add *micro_usd* to what the run has spent; False, and nothing added, when that is more than its budget."""
        most = self.max_micro_usd - micro_usd
        return most >= 0 and self._update(self._add("spent_micro_usd", micro_usd, most))

    def admit(self) -> bool:
        """Count one more conversation of this run; False, and none counted, beyond max_conversations (0: no limit)."""
        most = self.max_conversations - 1
        return most < 0 or self._update(self._add("conversations", 1, most))

    def settle(self, reserved_micro_usd: int, paid_micro_usd: int) -> None:
        """Give back what was reserved and not paid; when that fails, the reservation stands as if it had been paid."""
        try:
            self.once.update_item(**self._add("spent_micro_usd", paid_micro_usd - reserved_micro_usd))
        except (BotoCoreError, ClientError) as error:
            log.warning("%d micro-USD stay reserved (%s)", reserved_micro_usd, type(error).__name__)

    def keep_usage(self, began: str, model: str, prompt_version: str, used: Used) -> None:
        """Remember what the run has used, in the place of what was remembered of it; *began* sorts the runs."""
        row = {"model": model, "prompt_version": prompt_version, **used.as_dict()}
        self._set(_key("usage", f"{began} {self.run_id}"), row)

    def usages(self) -> Iterator[tuple[str, str, Used]]:
        """Yield model, prompt version and usage of the last runs that made calls, the latest first."""
        page = self.client.query(
            TableName=self.control_table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": "usage"}},
            ScanIndexForward=False,
            Limit=RUNS_OF_USAGE,
        )
        for item in page["Items"]:
            row = {name: _deserialize(value) for name, value in item.items()}
            yield row["model"], row["prompt_version"], Used(*(float(row.get(name, 0)) for name in Used().as_dict()))

    def take_turn(self, database: str, now: datetime, until: datetime) -> bool:
        """
        Have the turn to make an edition until *until*; False while another run has it.

        An edition is made relative to the one before it: two at once would both be made relative to the same.
        """
        turn = {"run": self.run_id, "until": until.astimezone(UTC).isoformat()}
        # `until` is a reserved word of DynamoDB, and so named by its place in *turn*.
        condition = "attribute_not_exists(pk) OR #0 = :run OR #1 < :now"
        compared = {":now": now.astimezone(UTC).isoformat()}
        return self._set(_key(f"turn#{database}", "turn"), turn, condition, compared)

    def end_turn(self, database: str) -> None:
        """Let the next run have the turn, if this one has it."""
        self._set(_key(f"turn#{database}", "turn"), {"run": "", "until": ""}, "#0 = :me", {":me": self.run_id})

    def watermark(self, database: str) -> Watermark | None:
        """Return up to where the exports are without a gap; None before the first full export."""
        row = self._get(_key(f"watermark#{database}", "watermark"))
        if not row:
            return None
        return Watermark(Snapshot.from_dict(row["snapshot"]), row["table"], row["columns"], int(row["version"]))

    def move_watermark(self, database: str, watermark: Watermark) -> bool:
        """Write *watermark* as the version after the one it was made from; False when another run has been quicker."""
        row = {
            "snapshot": watermark.snapshot.as_dict(),
            "table": watermark.table,
            "columns": watermark.columns,
            "version": watermark.version,
        }
        key = _key(f"watermark#{database}", "watermark")
        condition = "attribute_not_exists(pk)" if watermark.version == 1 else "version = :before"
        return self._set(key, row, condition, {":before": watermark.version - 1} if watermark.version > 1 else {})

    def layer(self, database: str, layer_id: str) -> str | None:
        """Return the prefix at which the rows of an export lie as Parquet; None before they were written."""
        return self._get(_key(f"layer#{database}", layer_id)).get("prefix")

    def keep_layer(self, database: str, layer_id: str, prefix: str) -> None:
        """Remember where the rows of an export lie."""
        self._set(_key(f"layer#{database}", layer_id), {"prefix": prefix})

    def quarantine(self, conversation_id: str, reason: Reason) -> bool:
        """Remember a conversation that cannot carry an evaluation itself; False when that is known already."""
        row = {"reason": str(reason), "run_id": self.run_id}
        return self._set(_key("quarantine", conversation_id), row, "attribute_not_exists(pk)")

    def quarantines(self) -> Iterator[dict[str, Any]]:
        """Yield the rows of all conversations that `quarantine` has remembered, in any run."""
        pages = self.client.get_paginator("query").paginate(
            TableName=self.control_table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": "quarantine"}},
        )
        for page in pages:
            yield from ({name: _deserialize(value) for name, value in item.items()} for item in page["Items"])

    def forget_quarantine(self, conversation_id: str, run_id: str) -> bool:
        """
        Forget that a conversation had no room, if it is what *run_id* has remembered; False when it is not any more.

        No run reads this row to decide what is due: to forget it pays for nothing.
        """
        try:
            self.client.delete_item(
                TableName=self.control_table,
                Key=_key("quarantine", conversation_id),
                ConditionExpression="run_id = :run_id",
                ExpressionAttributeValues={":run_id": {"S": run_id}},
            )
        except self.client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def add_calls(self, conversation: Conversation, calls: int) -> int:
        """Add calls that came to nothing to those of earlier runs about the same text; return how many it has had."""
        answer = self.client.update_item(
            TableName=self.control_table,
            Key=_key("unanswered", f"{conversation.conversation_id}#{conversation.content_hash}"),
            UpdateExpression="ADD calls :calls",
            ExpressionAttributeValues={":calls": _serialize(calls)},
            ReturnValues="UPDATED_NEW",
        )
        return int(answer["Attributes"]["calls"]["N"])

    def _get(self, key: dict[str, Any]) -> dict[str, Any]:
        answer = self.client.get_item(TableName=self.control_table, Key=key, ConsistentRead=True)
        return {name: _deserialize(value) for name, value in answer.get("Item", {}).items()}

    def _set(
        self,
        key: dict[str, Any],
        attributes: Mapping[str, object],
        condition: str | None = None,
        compared: Mapping[str, object] | None = None,
    ) -> bool:
        request = self._setting(key, attributes)
        request["ExpressionAttributeValues"] |= {name: _serialize(value) for name, value in (compared or {}).items()}
        return self._update(request | ({"ConditionExpression": condition} if condition else {}))

    def _setting(self, key: dict[str, Any], attributes: Mapping[str, object]) -> dict[str, Any]:
        """Return the update that sets *attributes*."""
        return {
            "TableName": self.control_table,
            "Key": key,
            "UpdateExpression": "SET " + ", ".join(f"#{i} = :{name}" for i, name in enumerate(attributes)),
            "ExpressionAttributeNames": {f"#{index}": name for index, name in enumerate(attributes)},
            "ExpressionAttributeValues": {f":{name}": _serialize(value) for name, value in attributes.items()},
        }

    def _add(self, name: str, amount: int, most: int | None = None) -> dict[str, Any]:
        """Return the update that adds *amount*, on condition that there are not more than *most* already."""
        request: dict[str, Any] = {
            "TableName": self.control_table,
            "Key": self._run_key,
            "UpdateExpression": "ADD #name :amount",
            "ExpressionAttributeNames": {"#name": name},
            "ExpressionAttributeValues": {":amount": _serialize(amount)},
        }
        if most is not None:
            request["ConditionExpression"] = "attribute_not_exists(#name) OR #name <= :most"
            request["ExpressionAttributeValues"][":most"] = _serialize(most)
        return request

    def _update(self, request: dict[str, Any]) -> bool:
        """Make the update; False when its condition did not hold."""
        try:
            self.client.update_item(**request)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                return False
            raise
        return True


def _key(pk: str, sk: str) -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"S": sk}}
