"""
Which run has the turn of a table: the one whose batch jobs are about its conversations.

    batch#<table>     turn     the run, and until when at most
"""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from chatcensus.errors import SetupError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_NAMES = {"#run": "run", "#until": "until"}


class BatchTurn:
    """The turns that one run has, or waits for. Errors: those of boto3, and SetupError while another run has it."""

    def __init__(self, client: "DynamoDBClient", control_table: str, run_id: str) -> None:
        self.client, self.control_table, self.run_id = client, control_table, run_id

    def check(self, table: str) -> str:
        """Raise SetupError while another run has the turn of *table*; return until when this one has it, if it has."""
        answer = self.client.get_item(TableName=self.control_table, Key=_key(table), ConsistentRead=True)
        row = {name: value["S"] for name, value in answer.get("Item", {}).items()}
        run, until = row.get("run", ""), row.get("until", "")
        if run not in ("", self.run_id) and until > _iso(datetime.now(UTC)):
            raise SetupError(
                f"run {run!r} has batch jobs about the conversations of table {table!r}, until {until[:19]}Z at most: "
                "to judge them now would pay for them twice. Clear this task when that run has ended"
            )
        return until if run == self.run_id else ""

    def take(self, table: str, hours: float) -> str:
        """Have the turn for so many hours from now on; return until when."""
        taking = self.taking(table, hours)
        try:
            self.client.update_item(**taking)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                self.check(table)
            raise
        return str(taking["ExpressionAttributeValues"][":until"]["S"])

    def keep(self, table: str, hours: float) -> None:
        """Have the turn for so many hours at least."""
        if self.check(table) < _iso(datetime.now(UTC) + timedelta(hours=hours)):
            self.take(table, hours)

    def taking(self, table: str, hours: float) -> Any:
        """Return the update by which the run has the turn, on condition that no other run has it."""
        now = datetime.now(UTC)
        values = {":me": self.run_id, ":until": _iso(now + timedelta(hours=hours)), ":now": _iso(now)}
        return {
            "TableName": self.control_table,
            "Key": _key(table),
            "UpdateExpression": "SET #run = :me, #until = :until",
            "ConditionExpression": "attribute_not_exists(pk) OR #run = :me OR #until < :now",
            "ExpressionAttributeNames": _NAMES,
            "ExpressionAttributeValues": {name: {"S": value} for name, value in values.items()},
        }

    def end(self, table: str, until: str = "") -> None:
        """
        Let the next run have the turn, if this one has it.

        Shape: with *until*, only if it is still what `take` has returned: another try of the task may need it now.
        """
        try:
            self.client.update_item(
                TableName=self.control_table,
                Key=_key(table),
                UpdateExpression="SET #run = :nobody, #until = :nobody",
                ConditionExpression="#run = :me" + (" AND #until = :until" if until else ""),
                ExpressionAttributeNames=_NAMES,
                ExpressionAttributeValues={
                    ":nobody": {"S": ""},
                    ":me": {"S": self.run_id},
                    **({":until": {"S": until}} if until else {}),
                },
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise


def _key(table: str) -> dict[str, Any]:
    return {"pk": {"S": f"batch#{table}"}, "sk": {"S": "turn"}}


def _iso(time: datetime) -> str:
    return time.isoformat(timespec="microseconds")
