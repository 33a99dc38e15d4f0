"""publish: check the numbers of an edition, then let readers see all of it at once."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from airflow.sdk import BaseOperator, Context
from airflow.sdk.configuration import conf

from chatcensus.aws.athena import Athena
from chatcensus.aws.custody import count_rows, read_custody
from chatcensus.aws.downloads import write_downloads
from chatcensus.aws.editions import AT_ONCE, Editions
from chatcensus.aws.ledger import Ledger
from chatcensus.crosswalk import Crosswalk
from chatcensus.custody import Custody
from chatcensus.dashboard.page import LANGUAGES, report_html
from chatcensus.dashboard.summary import summary_markdown
from chatcensus.edition import Edition
from chatcensus.errors import SnapshotIncomplete
from chatcensus.include import read_yaml
from chatcensus.operators.aws_client import CONNECTION, airflow_errors, aws_client, run_ledger
from chatcensus.operators.lineage import publish_lineage, tell_published
from chatcensus.operators.run_link import RunLink
from chatcensus.publication import Tables, check_tables, compact_json, report
from chatcensus.snapshot import Snapshot
from chatcensus.summaries import Summaries, Summary
from chatcensus.taxonomy import Taxonomy


class PublishSummariesOperator(BaseOperator):
    """
    Check the tables of an edition against its snapshot, then switch all views to it, and last put `current.json`.

    Until every check has passed no reader sees anything new; then all views change by one update, or none does. An
    older snapshot never replaces a newer one. After a crash the next try completes what is missing.

    :param edition: what `register` returned (templated)
    :param written: what the `summarise` tasks returned (templated)
    :param control_table: the table of the ledger (templated)
    :param database: the Glue database (templated)
    :param workgroup: the Athena workgroup (templated)
    :param result_bucket: where summaries and reports lie (templated)
    :param min_users: readers are told of no fewer people than this (templated)
    :param timezone: the zone in which days are cut
    :param summaries: file that describes the summary tables
    :param taxonomy: file with the categories, for their labels; the crosswalk lies beside it
    :param aws_conn_id: the Airflow connection with credentials, role and Region
    """

    template_fields: Sequence[str] = (
        "edition", "written", "control_table", "database", "workgroup", "result_bucket", "min_users",
    )  # fmt: skip
    template_fields_renderers = {"edition": "json", "written": "json"}  # noqa: RUF012 - as Airflow declares it
    ui_color = "#cfe8d5"
    operator_extra_links = (RunLink(),)

    def __init__(
        self,
        *,
        edition: Any,
        written: Any,
        control_table: str,
        database: str,
        workgroup: str,
        result_bucket: str,
        min_users: str,
        timezone: str,
        summaries: Path,
        taxonomy: Path,
        aws_conn_id: str = CONNECTION,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.edition: Mapping[str, Any] = edition
        self.written: Sequence[Mapping[str, Any]] = written
        self.control_table, self.database, self.workgroup = control_table, database, workgroup
        self.result_bucket, self.min_users, self.timezone = result_bucket, min_users, timezone
        self.summaries, self.taxonomy, self.aws_conn_id = summaries, taxonomy, aws_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Return what was published: the edition, the totals, the cost, where the report lies, and its summary."""
        with airflow_errors():
            edition, ledger = Edition.from_dict(self.edition), run_ledger(context, self.control_table, self.aws_conn_id)
            try:
                tables = self._read(edition)
                custody = self._check(ledger, edition, tables)
                published = self._publish(edition, tables, self._content(context, edition, custody, tables))
            finally:
                ledger.end_turn(self.database)
            if published["is_published"]:
                tell_published(context, published)
            return published

    def get_openlineage_facets_on_complete(self, _: Any) -> Any:
        """Return that the tables of the edition became the views that readers have, and the report."""
        snapshot = Snapshot.from_dict(self.edition["snapshot"])
        tables = [summary.table for summary in self._summaries()]
        return publish_lineage(snapshot, self.database, tables, self.result_bucket)

    def _summaries(self) -> list[Summary]:
        """The tables that people read."""
        return [s for s in read_yaml(self.summaries, Summaries).summaries if s.audience != "workings"]

    def _read(self, edition: Edition) -> Tables:
        """Return the rows of every table, each of which its task has written, and with the columns described."""
        prefixes, athena, editions, summaries = self._prefixes(), self._athena(), self._editions(), self._summaries()
        if missing := sorted({summary.table for summary in summaries} - set(prefixes)):
            raise SnapshotIncomplete(f"edition {edition.id!r} lacks {missing}: clear their tasks in summarise")
        with ThreadPoolExecutor(AT_ONCE) as pool:
            rows = pool.map(lambda each: editions.rows(each, edition.id, prefixes[each.table], athena), summaries)
            return {summary.table: found for summary, found in zip(summaries, rows, strict=True)}

    def _check(self, ledger: Ledger, edition: Edition, tables: Tables) -> Custody:
        """Compare the snapshot with its manifests, and the tables with the snapshot."""
        athena = self._athena()
        glue, dynamodb = (aws_client(service, self.aws_conn_id) for service in ("glue", "dynamodb"))
        custody = read_custody(athena, glue, dynamodb, edition, ledger.run())
        custody.check()
        check_tables(tables, custody.counted, edition, count_rows(athena, tables, edition.id))
        return custody

    def _content(self, context: Context, edition: Edition, custody: Custody, tables: Tables) -> dict[str, Any]:
        return report(
            run_id=context["run_id"],
            now=datetime.now(UTC),
            edition=edition,
            timezone=self.timezone,
            min_users=int(self.min_users),
            custody=custody,
            tables=tables,
            summaries=self._summaries(),
            taxonomy=read_yaml(self.taxonomy, Taxonomy),
            crosswalk=read_yaml(self.taxonomy.with_name("crosswalk.yaml"), Crosswalk),
        )

    def _publish(self, edition: Edition, tables: Tables, content: dict[str, Any]) -> dict[str, Any]:
        """Put the report, switch the views, put `current.json`; after a crash the next try does what is missing."""
        editions, folder = self._editions(), f"reports/edition={edition.id}"
        shown, told = editions.published(), self._told(folder, content)
        if not shown or shown.edition != edition.id:
            if shown and shown.time > edition.time:
                return self._overtaken(edition, "a newer snapshot is published and stays")
            self._put_report(folder, content, told)
            s3 = aws_client("s3", self.aws_conn_id)
            write_downloads(s3, self.result_bucket, folder, self._summaries(), tables, self._prefixes())
            bases: set[str | None] = {written["base"] for written in self.written}
            if len(bases) > 1 or not editions.switch(edition, bases.pop()):
                return self._overtaken(edition, "another edition was published meanwhile; the next run goes on from it")
        kept = ("edition", "run_id", "export_id", "export_time", "totals", "cost_micro_usd")
        current = {name: content[name] for name in kept}
        current |= {"report": f"{folder}/report.html", "tables": self._prefixes()}
        editions.put_current(current)
        self.log.info("published edition %s: %s", edition.id, content["totals"])
        return {"is_published": True, **current, "summary": told}

    def _put_report(self, folder: str, content: dict[str, Any], told: Mapping[str, str]) -> None:
        self._put(f"{folder}/report.json", compact_json(content), "application/json")
        self._put(f"{folder}/report.html", report_html(content), "text/html; charset=utf-8")
        for language, text in told.items():
            name = "summary.md" if language == LANGUAGES[0] else f"summary.{language}.md"
            self._put(f"{folder}/{name}", text, "text/markdown; charset=utf-8")

    def _told(self, folder: str, content: dict[str, Any]) -> dict[str, str]:
        """Return the summary by language, with where to read on."""
        place = f"s3://{self.result_bucket}/{folder}"
        airflow = conf.get("api", "base_url", fallback="")
        page = {"page": f"{airflow.rstrip('/')}/chatcensus/"} if airflow else {}
        places = {**page, "report": f"{place}/report.html", "tables": f"{place}/tables/readers/"}
        return {language: summary_markdown(content, language, places) for language in LANGUAGES}

    def _overtaken(self, edition: Edition, why: str) -> dict[str, Any]:
        self.log.warning("edition %s is not shown: %s", edition.id, why)
        return {"is_published": False, "edition": edition.id, "export_id": edition.export_id}

    def _prefixes(self) -> dict[str, str]:
        return {written["table"]: written["prefix"] for written in self.written}

    def _athena(self) -> Athena:
        return Athena(aws_client("athena", self.aws_conn_id), self.database, self.workgroup)

    def _editions(self) -> Editions:
        glue, s3 = (aws_client(service, self.aws_conn_id) for service in ("glue", "s3"))
        return Editions(glue, s3, self.database, self.result_bucket)

    def _put(self, key: str, text: str, content_type: str) -> None:
        aws_client("s3", self.aws_conn_id).put_object(
            Bucket=self.result_bucket, Key=key, Body=text.encode(), ContentType=content_type
        )
