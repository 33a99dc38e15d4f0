"""publish: check the numbers, then let readers see all of the new ones at once."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from airflow.sdk import BaseOperator, Context

from chatcensus.aws.athena import Athena, sql_string
from chatcensus.aws.catalog import CURATED, PARTITION_KEY, parquet_table, upsert_partition, upsert_table
from chatcensus.aws.ledger import Ledger
from chatcensus.dashboard.report import render_report
from chatcensus.include import read_yaml
from chatcensus.operators.aws_client import airflow_errors, aws_client, run_ledger
from chatcensus.publication import check_layers, check_tables, report, totals
from chatcensus.snapshot import Snapshot
from chatcensus.summaries import Summaries, Summary
from chatcensus.taxonomy import Taxonomy


class PublishSummariesOperator(BaseOperator):
    """
    Reconcile the summaries with the snapshot, then move the pointers: the views, and last `current.json`.

    Every table lies in `<table>_snapshots`, one partition a snapshot; readers use the view `<table>`, which shows one
    of them. Until the checks have passed no reader sees anything new, and an older snapshot never replaces a newer one.

    :param snapshot: what `export` returned (templated)
    :param written: what the `summarise` tasks returned (templated)
    :param control_table: the table of the ledger (templated)
    :param database: the Glue database (templated)
    :param workgroup: the Athena workgroup (templated)
    :param result_bucket: where summaries and reports lie (templated)
    :param timezone: the zone in which days are cut
    :param summaries: file that describes the summary tables
    :param taxonomy: file with the categories, for their labels
    :param aws_conn_id: the Airflow connection with credentials, role and Region
    """

    template_fields: Sequence[str] = ("snapshot", "written", "control_table", "database", "workgroup", "result_bucket")
    template_fields_renderers = {"snapshot": "json", "written": "json"}  # noqa: RUF012 - as Airflow declares it
    ui_color = "#cfe8d5"

    def __init__(
        self,
        *,
        snapshot: Any,
        written: Any,
        control_table: str,
        database: str,
        workgroup: str,
        result_bucket: str,
        timezone: str,
        summaries: Path,
        taxonomy: Path,
        aws_conn_id: str = "aws_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.snapshot: Mapping[str, Any] = snapshot
        self.written: Sequence[Mapping[str, str]] = written
        self.control_table, self.database, self.workgroup = control_table, database, workgroup
        self.result_bucket, self.timezone, self.summaries, self.taxonomy = result_bucket, timezone, summaries, taxonomy
        self.aws_conn_id = aws_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Return what was published: the snapshot, the totals, the cost, and where the report lies."""
        with airflow_errors():
            athena = Athena(aws_client("athena", self.aws_conn_id), self.database, self.workgroup)
            summaries = read_yaml(self.summaries, Summaries).summaries
            snapshot = Snapshot.from_dict(self.snapshot)
            conversations = check_layers(self._layers(athena), [export.item_count for export in snapshot.layers])
            outcomes = self._outcomes(athena)
            judged_again = outcomes.pop("judged_again")
            counted = totals(outcomes, conversations)
            tables = {summary.table: self._stage(athena, summary) for summary in summaries}
            check_tables(tables, counted | {"judged_again": judged_again})
            content = report(
                run_id=context["run_id"],
                now=datetime.now(UTC),
                snapshot=self.snapshot,
                timezone=self.timezone,
                counted=counted,
                tables=tables,
                taxonomy=read_yaml(self.taxonomy, Taxonomy),
            )
            return self._publish(context, athena, summaries, content)

    def _layers(self, athena: Athena) -> dict[str, dict[str, int]]:
        """Return how many items of each kind each layer has."""
        rows = athena.rows(
            f"select layer, item_kind, count(*) as items from {CURATED} "  # noqa: S608 - quoted by the filter
            f"where export_id = {sql_string(self.snapshot['export_id'])} group by layer, item_kind"
        )
        layers: dict[str, dict[str, int]] = {}
        for row in rows:
            layers.setdefault(str(row["layer"]), {})[str(row["item_kind"])] = int(row["items"] or 0)
        return layers

    def _outcomes(self, athena: Athena) -> dict[str, int]:
        """Return the conversations of each outcome, and those that were judged again."""
        rows = athena.rows(
            "select outcome, count(*) as conversations, count_if(previous_outcome is not null) as judged_again "  # noqa: S608 - quoted by the filter
            f"from evaluations where export_id = {sql_string(self.snapshot['export_id'])} group by outcome"
        )
        outcomes = {str(row["outcome"]): int(row["conversations"] or 0) for row in rows}
        return outcomes | {"judged_again": sum(int(row["judged_again"] or 0) for row in rows)}

    def _stage(self, athena: Athena, summary: Summary) -> list[Mapping[str, Any]]:
        """Add the new files as a partition that no view shows yet, and return their rows."""
        glue, export_id = aws_client("glue", self.aws_conn_id), self.snapshot["export_id"]
        [prefix] = [written["prefix"] for written in self.written if written["table"] == summary.table]
        columns = [column.model_dump() for column in summary.columns]
        table = parquet_table(f"{summary.table}_snapshots", summary.description, columns, prefix.split("export_id=")[0])
        upsert_table(glue, self.database, table)
        upsert_partition(glue, self.database, table, (export_id,), prefix)
        return summary.read(athena.rows(_select(summary, export_id)))

    def _publish(
        self, context: Context, athena: Athena, summaries: Sequence[Summary], content: dict[str, Any]
    ) -> dict[str, Any]:
        export_id, export_time = self.snapshot["export_id"], datetime.fromisoformat(self.snapshot["export_time"])
        folder = _folder(export_id)
        current = {name: content[name] for name in ("run_id", "export_id", "export_time", "totals", "cost_micro_usd")}
        current |= {"report": f"{folder}/report.html", "tables": {w["table"]: w["prefix"] for w in self.written}}
        self._put(f"{folder}/report.json", json.dumps(content, ensure_ascii=False, indent=1), "application/json")
        self._put(f"{folder}/report.html", render_report(content), "text/html; charset=utf-8")
        self._put(f"{folder}/current.json", json.dumps(current, indent=1), "application/json")
        ledger = run_ledger(context, self.control_table, self.aws_conn_id)
        is_newest = ledger.move_pointer(self.database, export_id, export_time)
        self._show(ledger, athena, summaries)
        if not is_newest:
            newer = ledger.published(self.database)["export_id"]
            self.log.warning("snapshot %s is newer than %s and stays published", newer, export_id)
            return {"is_published": False, "export_id": export_id}
        self.log.info("published snapshot %s: %s", export_id, content["totals"])
        return {"is_published": True, **current}

    def _show(self, ledger: Ledger, athena: Athena, summaries: Sequence[Summary]) -> None:
        """Let readers see the snapshot that the pointer names; again when it was moved while this run wrote views."""
        s3, shown = aws_client("s3", self.aws_conn_id), None
        while (export_id := ledger.published(self.database)["export_id"]) != shown:
            for summary in summaries:
                athena.rows(f"create or replace view {summary.table} as\n{_select(summary, export_id)}")
            current = s3.get_object(Bucket=self.result_bucket, Key=f"{_folder(export_id)}/current.json")["Body"].read()
            self._put("current.json", current.decode(), "application/json")
            shown = export_id

    def _put(self, key: str, text: str, content_type: str) -> None:
        aws_client("s3", self.aws_conn_id).put_object(
            Bucket=self.result_bucket, Key=key, Body=text.encode(), ContentType=content_type
        )


def _folder(export_id: str) -> str:
    return f"reports/export_id={export_id}"


def _select(summary: Summary, export_id: str) -> str:
    columns = ", ".join(column.name for column in summary.columns)
    snapshots = f"{summary.table}_snapshots"
    return f"select {columns} from {snapshots} where {PARTITION_KEY} = {sql_string(export_id)}"  # noqa: S608 - as above
