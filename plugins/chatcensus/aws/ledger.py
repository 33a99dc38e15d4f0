"""
The ledger: the control table with one row per run (spend, tally, export) and the pointer to what is published.

    pk                       sk         holds
    run#<dag>/<run>          run        spent_micro_usd, tally, generation, export
    quarantine               <id>       conversations whose item has no room for an evaluation
    published#<database>     pointer    export id and time of what readers see
"""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import BotoCoreError, ClientError

from chatcensus.answer import Reason

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

log = logging.getLogger(__name__)

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
        once: "DynamoDBClient | None" = None,
    ) -> None:
        self.client, self.control_table, self.run_id, self.once = client, control_table, run_id, once or client
        self.max_micro_usd = max_micro_usd

    @property
    def _run_key(self) -> dict[str, Any]:
        return _key(f"run#{self.run_id}", "run")

    def run(self) -> dict[str, Any]:
        """Return the run's row; empty when nothing has been written yet."""
        return self._get(self._run_key)

    def record(self, **attributes: object) -> None:
        """Set *attributes* on the run's row."""
        self._set(self._run_key, attributes)

    def spent_micro_usd(self) -> int:
        """Return what the run has paid and reserved so far."""
        return int(self.run().get("spent_micro_usd", 0))

    def reserve(self, micro_usd: int) -> bool:
        """Add *micro_usd* to what the run has spent; False, and nothing added, when that is more than its budget."""
        most = self.max_micro_usd - micro_usd
        request = self._spend(micro_usd)
        request["ConditionExpression"] = "attribute_not_exists(spent_micro_usd) OR spent_micro_usd <= :most"
        request["ExpressionAttributeValues"][":most"] = _serialize(most)
        return most >= 0 and self._update(request)

    def settle(self, reserved_micro_usd: int, paid_micro_usd: int) -> None:
        """Give back what was reserved and not paid; when that fails, the reservation stands as if it had been paid."""
        try:
            self.once.update_item(**self._spend(paid_micro_usd - reserved_micro_usd))
        except (BotoCoreError, ClientError) as error:
            log.warning("%d micro-USD stay reserved (%s)", reserved_micro_usd, type(error).__name__)

    def published(self, database: str) -> dict[str, Any]:
        """Return the pointer to what is published; empty before the first publish."""
        return self._get(_key(f"published#{database}", "pointer"))

    def move_pointer(self, database: str, export_id: str, export_time: datetime) -> bool:
        """Point at a newer export, or at the same one again; False when what is published is newer."""
        moved = {"export_id": export_id, "export_time": export_time.astimezone(UTC).isoformat()}
        condition = "attribute_not_exists(pk) OR export_time <= :export_time"
        return self._set(_key(f"published#{database}", "pointer"), moved, condition)

    def quarantine(self, conversation_id: str, reason: Reason) -> bool:
        """Remember a conversation that cannot carry an evaluation itself; False when that is known already."""
        row = {"reason": str(reason), "run_id": self.run_id}
        return self._set(_key("quarantine", conversation_id), row, "attribute_not_exists(pk)")

    def _get(self, key: dict[str, Any]) -> dict[str, Any]:
        answer = self.client.get_item(TableName=self.control_table, Key=key, ConsistentRead=True)
        return {name: _deserialize(value) for name, value in answer.get("Item", {}).items()}

    def _set(self, key: dict[str, Any], attributes: Mapping[str, object], condition: str | None = None) -> bool:
        names = {f"#{index}": name for index, name in enumerate(attributes)}
        request: dict[str, Any] = {
            "TableName": self.control_table,
            "Key": key,
            "UpdateExpression": "SET " + ", ".join(f"#{i} = :{name}" for i, name in enumerate(attributes)),
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": {f":{name}": _serialize(value) for name, value in attributes.items()},
        }
        return self._update(request | ({"ConditionExpression": condition} if condition else {}))

    def _spend(self, micro_usd: int) -> dict[str, Any]:
        return {
            "TableName": self.control_table,
            "Key": self._run_key,
            "UpdateExpression": "ADD spent_micro_usd :amount",
            "ExpressionAttributeValues": {":amount": _serialize(micro_usd)},
        }

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
