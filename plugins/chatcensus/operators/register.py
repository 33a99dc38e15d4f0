"""register: make the snapshot readable by SQL."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from airflow.sdk import BaseOperator, Context

from chatcensus.aws.athena import Athena
from chatcensus.aws.catalog import conversation_table, upsert_partition, upsert_table
from chatcensus.include import read_yaml
from chatcensus.mapping import TableMapping
from chatcensus.operators.aws_client import airflow_errors, aws_client


class RegisterSnapshotOperator(BaseOperator):
    """
    Upsert the Glue table over the exports, add the snapshot as a partition, and write the view with the casts.

    :param snapshot: what `export` returned (templated)
    :param database: the Glue database (templated)
    :param workgroup: the Athena workgroup (templated)
    :param view: the statement that writes the view `evaluations` (templated, .sql)
    :param mapping: file that says where the table keeps a conversation
    :param aws_conn_id: the Airflow connection with credentials, role and Region
    """

    template_fields: Sequence[str] = ("snapshot", "database", "workgroup", "view")
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers = {"snapshot": "json", "view": "sql"}  # noqa: RUF012 - as Airflow declares it
    ui_color = "#d7ead9"

    def __init__(
        self,
        *,
        snapshot: Any,
        database: str,
        workgroup: str,
        view: str,
        mapping: Path,
        aws_conn_id: str = "aws_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.snapshot: Mapping[str, Any] = snapshot
        self.database, self.workgroup, self.view, self.mapping = database, workgroup, view, mapping
        self.aws_conn_id = aws_conn_id

    def execute(self, context: Context) -> str:  # noqa: ARG002 - Airflow's signature
        """Return the export id, which every later statement pins."""
        with airflow_errors():
            snapshot = self.snapshot
            glue = aws_client("glue", self.aws_conn_id)
            exports = snapshot["manifest_key"].split("/AWSDynamoDB/")[0]
            table = conversation_table(read_yaml(self.mapping, TableMapping), snapshot["bucket"], exports)
            upsert_table(glue, self.database, table)
            data = f"s3://{snapshot['bucket']}/{snapshot['data_prefix']}"
            upsert_partition(glue, self.database, table, snapshot["export_id"], data)
            Athena(aws_client("athena", self.aws_conn_id), self.database, self.workgroup).rows(self.view)
            self.log.info("snapshot %s is partition of %s", snapshot["export_id"], table["Name"])
            return str(snapshot["export_id"])
