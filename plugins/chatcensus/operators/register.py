"""register: make the snapshot readable by SQL, prove that it holds what the run has written, and begin an edition."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger
from airflow.sdk import BaseOperator, Context

from chatcensus.aws.athena import Athena
from chatcensus.aws.custody import count_live, count_written, table_of
from chatcensus.aws.editions import Editions
from chatcensus.aws.exporting import Exporter
from chatcensus.aws.layers import Layers
from chatcensus.aws.ledger import Ledger
from chatcensus.custody import Writes, written_on_items
from chatcensus.edition import Edition
from chatcensus.errors import SnapshotIncomplete
from chatcensus.evaluation import conversation_subkey
from chatcensus.include import read_yaml
from chatcensus.layer_sql import LayerSql, read_attributes
from chatcensus.mapping import TableMapping
from chatcensus.operators.aws_client import CONNECTION, airflow_errors, aws_client, run_ledger
from chatcensus.operators.lineage import register_lineage
from chatcensus.operators.secret import read_secret
from chatcensus.snapshot import Snapshot, columns_version
from chatcensus.summaries import Summaries

if TYPE_CHECKING:
    import jinja2

TURN = timedelta(minutes=10)  # to make an edition; a run that died in it holds up the others so long
PAUSE = timedelta(seconds=15)


class RegisterSnapshotOperator(BaseOperator):
    """
    Write each new layer of the snapshot as narrow Parquet, once; make its layers partitions; write the view; prepare
    the summary tables.

    A snapshot that lacks what this run has written is replaced by one more export; everything after this task uses the
    edition that it returns, and not what `export` did.

    :param snapshot: what `export` returned (templated)
    :param database: the Glue database (templated)
    :param workgroup: the Athena workgroup (templated)
    :param control_table: the table of the ledger (templated)
    :param result_bucket: where layers lie (templated)
    :param layer: the statement that reads an export; the UI shows it as `full` and as `increment` (templated, .sql)
    :param view: the statement that writes the view `evaluations` (templated, .sql)
    :param mapping: file that says where the table keeps a conversation
    :param summaries: file that describes the summary tables
    :param timezone: the zone in which days are cut
    :param pseudonym_variable: Airflow Variable with the secret of pseudonyms
    :param timeout_s: how long to wait for one more export, in seconds
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
        summaries: Path,
        timezone: str,
        pseudonym_variable: str = "chatcensus_pseudonym_secret",
        timeout_s: int = 6 * 3600,
        aws_conn_id: str = CONNECTION,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.snapshot: Mapping[str, Any] = snapshot
        self.database, self.workgroup, self.control_table = database, workgroup, control_table
        self.result_bucket, self.view, self.mapping, self.summaries = result_bucket, view, mapping, summaries
        self.timezone, self.pseudonym_variable, self.timeout_s = timezone, pseudonym_variable, timeout_s
        self.aws_conn_id = aws_conn_id
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

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the edition, which every later statement pins."""
        return self.wait_or_make(context)

    def wait_or_make(self, context: Context, event: Any = None) -> dict[str, Any]:  # noqa: ARG002 - Airflow hands it over
        """Make the edition; while another run makes one, wait without holding a slot."""
        with airflow_errors():
            ledger, now = run_ledger(context, self.control_table, self.aws_conn_id), datetime.now(UTC)
            if not ledger.take_turn(self.database, now, now + TURN):
                self.log.info("another run makes an edition: waiting for its end, at most %s", TURN)
                self.defer(trigger=TimeDeltaTrigger(PAUSE), method_name="wait_or_make")
            athena = Athena(aws_client("athena", self.aws_conn_id), self.database, self.workgroup)
            snapshot = self._whole(context, ledger, athena)
            athena.rows(self.view)
            editions = Editions(
                aws_client("glue", self.aws_conn_id),
                aws_client("s3", self.aws_conn_id),
                self.database,
                self.result_bucket,
            )
            editions.prepare(read_yaml(self.summaries, Summaries).summaries, athena)
            edition = Edition.of(snapshot, self.timezone, self._suffix(context))
            self.log.info("snapshot %s has %d layers: edition %s", snapshot.export_id, len(snapshot.layers), edition.id)
            return edition.as_dict()

    def get_openlineage_facets_on_complete(self, _: Any) -> Any:
        """Return that exports became the tables over them, the layers and the view `evaluations`."""
        return register_lineage(Snapshot.from_dict(self.snapshot), self.database, self.result_bucket)

    def _suffix(self, context: Context) -> str:
        """Return what tells this edition of a snapshot from others: the same run makes the same one of the same SQL."""
        statements = sorted(self.summaries.parent.rglob("*.sql"))
        texts = [context["run_id"], self.timezone, *(path.read_text(encoding="utf-8") for path in statements)]
        return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:8]

    def _whole(self, context: Context, ledger: Ledger, athena: Athena) -> Snapshot:
        """Return the snapshot with its layers registered, or that of one more export where writes are missing in it."""
        snapshot = Snapshot.from_dict(self.snapshot)
        layers, exporter = self._layers(ledger, athena), self._exporter(ledger, snapshot)
        mapping = read_yaml(self.mapping, TableMapping)
        columns = columns_version(mapping) if mapping.exports == "incremental" else None
        if not exporter.has_repeated:
            layers.register(snapshot)
            writes = self._writes(context, ledger, athena, snapshot)
            if writes.are_whole:
                return snapshot
            self.log.warning("%s; exporting once more", writes.told(snapshot))
        snapshot = exporter.again(self.database, columns)
        layers.register(snapshot)
        writes = self._writes(context, ledger, athena, snapshot)
        if not writes.are_whole:
            raise SnapshotIncomplete(
                f"{writes.told(snapshot)}, though it was exported once more: nothing is published; trigger another run"
            )
        return snapshot

    def _writes(self, context: Context, ledger: Ledger, athena: Athena, snapshot: Snapshot) -> Writes:
        """Count the run's own evaluations in the snapshot, and in the live table only where they seem to be missing."""
        run_id, written = context["run_id"], written_on_items(ledger.run()["tally"])
        writes = Writes(written, count_written(athena, snapshot.export_id, run_id))
        if not writes.are_whole:
            live = count_live(aws_client("dynamodb", self.aws_conn_id), table_of(snapshot), run_id)
            writes = Writes(written, writes.in_snapshot, live)
        self.log.info("%s", writes.told(snapshot))
        ledger.record(writes={"export_id": snapshot.export_id, **writes.as_dict()})
        return writes

    def _layers(self, ledger: Ledger, athena: Athena) -> Layers:
        return Layers(
            glue=aws_client("glue", self.aws_conn_id),
            s3=aws_client("s3", self.aws_conn_id),
            athena=athena,
            ledger=ledger,
            mapping=read_yaml(self.mapping, TableMapping),
            subkey=conversation_subkey(read_secret(self.pseudonym_variable)),
            result_bucket=self.result_bucket,
            full=self.full,
            increment=self.increment,
        )

    def _exporter(self, ledger: Ledger, snapshot: Snapshot) -> Exporter:
        """Return the exporter of one more export, which goes where the first one went."""
        base = snapshot.layers[0]
        return Exporter(
            aws_client("dynamodb", self.aws_conn_id),
            aws_client("s3", self.aws_conn_id),
            ledger,
            table_of(snapshot),
            base.bucket,
            base.data_prefix.split("/AWSDynamoDB/")[0],
            self.timeout_s,
            read_attributes(read_yaml(self.mapping, TableMapping)),
        )
