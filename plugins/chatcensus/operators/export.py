"""export: a snapshot of the table in S3, made at most once for what a run has written."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from airflow.providers.amazon.aws.transfers.dynamodb_to_s3 import DynamoDBToS3Operator
from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowSkipException

from chatcensus.aws.exporting import Exporter
from chatcensus.include import read_yaml
from chatcensus.layer_sql import read_attributes
from chatcensus.mapping import TableMapping
from chatcensus.operators.aws_client import CONNECTION, airflow_errors, aws_client, run_ledger
from chatcensus.operators.lineage import export_lineage
from chatcensus.snapshot import Snapshot, columns_version


class ExportTableOperator(DynamoDBToS3Operator):
    """
    Export the table as it is now, or what has changed since the last export, and return the snapshot with its layers.

    The provider's operator sends no ClientToken (a retry would pay for a second export) and returns nothing. This one
    derives the token from the run and a generation kept in the ledger, so a retry attaches to the export it began.

    :param control_table: the table of the ledger (templated)
    :param database: the Glue database that the snapshots are for: it has one watermark (templated)
    :param mapping: file that says whether exports are full or incremental
    :param publish: "false" skips this task and all that follow (templated)
    :param full_export: "true" makes a full export, whatever the mapping says (templated)
    :param timeout_s: how long to wait for the export, in seconds
    The other parameters are those of DynamoDBToS3Operator.
    """

    template_fields: Sequence[str] = (
        *DynamoDBToS3Operator.template_fields, "control_table", "database", "publish", "full_export",
    )  # fmt: skip
    ui_color = "#d7ead9"

    def __init__(
        self,
        *,
        control_table: str,
        database: str,
        mapping: Path,
        publish: str = "true",
        full_export: str = "false",
        timeout_s: int = 6 * 3600,
        source_aws_conn_id: str = CONNECTION,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            point_in_time_export=True, export_format="ION", source_aws_conn_id=source_aws_conn_id, **kwargs
        )
        self.control_table, self.database, self.mapping, self.timeout_s = control_table, database, mapping, timeout_s
        self.publish, self.full_export = publish, full_export
        self._snapshot: Snapshot | None = None

    def execute(self, context: Context) -> dict[str, Any]:  # type: ignore[override] # the provider returns nothing
        """Return the snapshot; the one of an earlier try when nothing has been written since."""
        if _is_no(self.publish):
            why = "this run publishes nothing: the next one that does shows what it has judged"
            self.log.info(why)  # Airflow's own line says that a task is skipped, and not why
            raise AirflowSkipException(why)
        with airflow_errors():
            mapping = read_yaml(self.mapping, TableMapping)
            exporter = Exporter(
                aws_client("dynamodb", self.source_aws_conn_id),
                aws_client("s3", self.source_aws_conn_id),
                run_ledger(context, self.control_table, self.source_aws_conn_id),
                self.dynamodb_table_name,
                self.s3_bucket_name,
                self.s3_key_prefix,
                self.timeout_s,
                read_attributes(mapping),
            )
            if mapping.exports == "incremental":
                asked = None if _is_no(self.full_export) else "somebody asked for it"
                snapshot = exporter.incremental(self.database, columns_version(mapping), full_because=asked)
            else:
                snapshot = exporter.full()
            self._snapshot = snapshot
            self.log.info("snapshot %s: %s items by layer", snapshot.export_id, [e.item_count for e in snapshot.layers])
            return snapshot.as_dict()

    def get_openlineage_facets_on_complete(self, _: Any) -> Any:
        """Return that the table was exported, when this task has exported it."""
        return export_lineage(self._snapshot, self.s3_bucket_name, self.s3_key_prefix)


def _is_no(rendered: str) -> bool:
    return str(rendered).lower() == "false"
