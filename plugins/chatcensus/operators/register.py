"""register: make the snapshot readable by SQL."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, Context

from chatcensus.aws.athena import Athena
from chatcensus.aws.layers import Layers
from chatcensus.include import read_yaml
from chatcensus.layer_sql import LayerSql
from chatcensus.mapping import TableMapping
from chatcensus.operators.aws_client import airflow_errors, aws_client, run_ledger
from chatcensus.snapshot import Snapshot

if TYPE_CHECKING:
    import jinja2


class RegisterSnapshotOperator(BaseOperator):
    """
    Write each new layer of the snapshot as narrow Parquet, once; make its layers partitions; write the view.

    :param snapshot: what `export` returned (templated)
    :param database: the Glue database (templated)
    :param workgroup: the Athena workgroup (templated)
    :param control_table: the table of the ledger (templated)
    :param result_bucket: where layers lie (templated)
    :param layer: the statement that reads an export; the UI shows it as `full` and as `increment` (templated, .sql)
    :param view: the statement that writes the view `evaluations` (templated, .sql)
    :param mapping: file that says where the table keeps a conversation
    :param aws_conn_id: the Airflow connection with credentials, role and Region
    """

    template_fields: Sequence[str] = (
        "snapshot", "database", "workgroup", "control_table", "result_bucket", "full", "increment", "view",
    )  # fmt: skip
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers = {"snapshot": "json", "full": "sql", "increment": "sql", "view": "sql"}  # noqa: RUF012 - as Airflow declares it
    ui_color = "#d7ead9"

    def __init__(
        self,
        *,
        snapshot: Any,
        database: str,
        workgroup: str,
        control_table: str,
        result_bucket: str,
        layer: str,
        view: str,
        mapping: Path,
        aws_conn_id: str = "aws_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.snapshot: Mapping[str, Any] = snapshot
        self.database, self.workgroup, self.control_table = database, workgroup, control_table
        self.result_bucket, self.view, self.mapping, self.aws_conn_id = result_bucket, view, mapping, aws_conn_id
        self.full = self.increment = layer

    def render_template_fields(self, context: Context, jinja_env: "jinja2.Environment | None" = None) -> None:
        """Render as usual, with the SQL that the mapping turns into known to the statements."""
        plain = self.snapshot.resolve(context) if hasattr(self.snapshot, "resolve") else self.snapshot
        with airflow_errors():
            mapping, key_types = read_yaml(self.mapping, TableMapping), Snapshot.from_dict(plain).key_types
            increment = self.increment
            known: Any = {**context, "layer": LayerSql(mapping, key_types, is_increment=False)}
            super().render_template_fields(known, jinja_env)
            known["layer"] = LayerSql(mapping, key_types, is_increment=True)
            self.increment = self.render_template(increment, known, jinja_env or self.get_template_env())

    def execute(self, context: Context) -> str:
        """Return the export id, which every later statement pins."""
        with airflow_errors():
            snapshot = Snapshot.from_dict(self.snapshot)
            athena = Athena(aws_client("athena", self.aws_conn_id), self.database, self.workgroup)
            layers = Layers(
                glue=aws_client("glue", self.aws_conn_id),
                athena=athena,
                ledger=run_ledger(context, self.control_table, self.aws_conn_id),
                mapping=read_yaml(self.mapping, TableMapping),
                result_bucket=self.result_bucket,
                full=self.full,
                increment=self.increment,
            )
            layers.register(snapshot)
            athena.rows(self.view)
            self.log.info("snapshot %s has %d layers", snapshot.export_id, len(snapshot.layers))
            return snapshot.export_id
