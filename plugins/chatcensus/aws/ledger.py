"""
The ledger: the control table with one row per run (spend, tally, export) and the pointer to what is published.

    pk                       sk         holds
    run#<dag>/<run>          run        spent_micro_usd, tally, generation, export
    quarantine               <id>       conversations whose item has no room for an evaluation
    published#<database>     pointer    export id and time of what readers see
"""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError

from chatcensus.answer import Reason

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_deserialize = TypeDeserializer().deserialize
_serialize = TypeSerializer().serialize


class Ledger:
    """
    The rows of one run in the control table, and the rows that all runs share.

    Units: money is micro-USD. A reservation is one atomic conditional update, so all segments share the budget exactly.
    """

    def __init__(self, client: "DynamoDBClient", control_table: str, run_id: str, max_micro_usd: int = 0) -> None:
        self.client, self.control_table, self.run_id = client, control_table, run_id
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
        condition = "attribute_not_exists(spent_micro_usd) OR spent_micro_usd <= :most"
        return most >= 0 and self._add(micro_usd, ConditionExpression=condition, most=most)

    def settle(self, reserved_micro_usd: int, paid_micro_usd: int) -> None:
        """Give back what was reserved and not paid."""
        self._add(paid_micro_usd - reserved_micro_usd)

    def published(self, database: str) -> dict[str, Any]:
        """Return the pointer to what is published; empty before the first publish."""
        return self._get(_key(f"published#{database}", "pointer"))

    def move_pointer(self, database: str, export_id: str, export_time: datetime) -> bool:
        """Point at a newer export, or at the same one again; False when what is published is newer."""
        moved = {"export_id": export_id, "export_time": export_time.isoformat()}
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

    def _add(self, micro_usd: int, most: int | None = None, **condition: str) -> bool:
        values = {":amount": micro_usd} | ({} if most is None else {":most": most})
        return self._update(
            {
                "TableName": self.control_table,
                "Key": self._run_key,
                "UpdateExpression": "ADD spent_micro_usd :amount",
                "ExpressionAttributeValues": {name: _serialize(value) for name, value in values.items()},
                **condition,
            }
        )

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
