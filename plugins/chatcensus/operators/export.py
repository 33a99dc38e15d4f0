"""export: one point-in-time export of the table to S3, in Ion, at most once for what a run has written."""

import time
from collections.abc import Sequence
from typing import Any

from airflow.providers.amazon.aws.transfers.dynamodb_to_s3 import DynamoDBToS3Operator
from airflow.sdk import Context

from chatcensus.aws.export import client_token, read_snapshot
from chatcensus.aws.ledger import Ledger
from chatcensus.errors import SnapshotIncomplete
from chatcensus.operators.aws_client import airflow_errors, aws_client, run_ledger

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0


class ExportTableOperator(DynamoDBToS3Operator):
    """
    Export the table as it is now and return the snapshot: id, time, prefix of the data files, item count.

    The provider's operator sends no ClientToken (a retry would pay for a second export) and returns nothing. This one
    derives the token from the run and a generation kept in the ledger, so a retry attaches to the export it began.

    :param control_table: the table of the ledger (templated)
    :param timeout_s: how long to wait for the export, in seconds
    The other parameters are those of DynamoDBToS3Operator.
    """

    template_fields: Sequence[str] = (*DynamoDBToS3Operator.template_fields, "control_table")
    ui_color = "#d7ead9"

    def __init__(self, *, control_table: str, timeout_s: int = 6 * 3600, **kwargs: Any) -> None:
        super().__init__(point_in_time_export=True, export_format="ION", **kwargs)
        self.control_table, self.timeout_s = control_table, timeout_s

    def execute(self, context: Context) -> dict[str, Any]:  # type: ignore[override] # the provider returns nothing
        """Return the snapshot; the one of an earlier try when nothing has been written since."""
        with airflow_errors():
            ledger = run_ledger(context, self.control_table, self.source_aws_conn_id)
            dynamodb = aws_client("dynamodb", self.source_aws_conn_id)
            run = ledger.run()
            export = run.get("export", {})
            if export.get("generation") != run["generation"]:
                export = {"generation": run["generation"], "arn": self._start(dynamodb, ledger, int(run["generation"]))}
                ledger.record(export=export)
            else:
                self.log.info("nothing was written since export %s: attaching to it", export["arn"])
            self._wait(dynamodb, ledger, export)
            snapshot = read_snapshot(dynamodb, aws_client("s3", self.source_aws_conn_id), export["arn"])
            self.log.info("snapshot %s: %d items", snapshot.export_id, snapshot.item_count)
            return snapshot.as_dict()

    def _start(self, dynamodb: Any, ledger: Ledger, generation: int) -> str:
        table = dynamodb.describe_table(TableName=self.dynamodb_table_name)["Table"]
        started = dynamodb.export_table_to_point_in_time(
            TableArn=table["TableArn"],
            S3Bucket=self.s3_bucket_name,
            S3Prefix=self.s3_key_prefix,
            ExportFormat=self.export_format,
            ClientToken=client_token(ledger.run_id, generation),
            **self.export_table_to_point_in_time_kwargs,
        )
        return str(started["ExportDescription"]["ExportArn"])

    def _wait(self, dynamodb: Any, ledger: Ledger, export: dict[str, Any]) -> None:
        waited, pause = 0.0, FIRST_PAUSE_S
        while True:
            description = dynamodb.describe_export(ExportArn=export["arn"])["ExportDescription"]
            if description["ExportStatus"] == "COMPLETED":
                return
            if description["ExportStatus"] == "FAILED":
                # The same token would return this failed export for ever: the next try needs another.
                ledger.record(generation=export["generation"] + 1)
                reason = description.get("FailureMessage", "no reason given")
                raise SnapshotIncomplete(f"export {export['arn']} failed: {reason}")
            if waited > self.timeout_s:
                raise SnapshotIncomplete(f"export {export['arn']} takes more than {self.timeout_s} s; a retry waits on")
            time.sleep(pause)
            waited, pause = waited + pause, min(LONGEST_PAUSE_S, pause * 1.5)
