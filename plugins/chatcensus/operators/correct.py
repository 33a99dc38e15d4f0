"""correct: write each category's share as counted, and corrected for the judge's errors where a gold set allows."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from airflow.sdk import BaseOperator, Context

from chatcensus.aws.athena import Athena, sql_string, unload
from chatcensus.aws.editions import Editions
from chatcensus.edition import Edition
from chatcensus.gold import misfit, read_gold
from chatcensus.include import read_yaml
from chatcensus.operators.aws_client import CONNECTION, airflow_errors, aws_client
from chatcensus.shares import Share, corrected_shares, refusal
from chatcensus.summaries import POOLED, Column, Summaries, Summary, Value
from chatcensus.taxonomy import Taxonomy

Rows = list[dict[str, Value]]


class CorrectSharesOperator(BaseOperator):
    """
    Write the summary that is named as the task, from two summaries of its edition, and make it a partition of it.

    It reads what readers are told and nothing else of the conversations: so it tells them of no smaller group.

    :param edition: what `register` returned (templated)
    :param result_bucket: where summaries lie (templated)
    :param database: the Glue database (templated)
    :param workgroup: the Athena workgroup (templated)
    :param summaries: file that describes the tables
    :param gold: file with the gold set; without it nothing is corrected
    :param taxonomy: file with the categories
    :param aws_conn_id: the Airflow connection with credentials, role and Region
    """

    template_fields: Sequence[str] = ("edition", "result_bucket", "database", "workgroup")
    template_fields_renderers = {"edition": "json"}  # noqa: RUF012 - as Airflow declares it
    ui_color = "#d9d3ea"

    def __init__(
        self,
        *,
        edition: Any,
        result_bucket: str,
        database: str,
        workgroup: str,
        summaries: Path,
        gold: Path,
        taxonomy: Path,
        aws_conn_id: str = CONNECTION,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.edition: Mapping[str, Any] = edition
        self.result_bucket, self.database, self.workgroup = result_bucket, database, workgroup
        self.summaries, self.gold, self.taxonomy, self.aws_conn_id = summaries, gold, taxonomy, aws_conn_id

    def execute(self, context: Context) -> dict[str, str | None]:
        """Return the table, where its rows of this edition lie, and the edition that readers saw meanwhile (`base`)."""
        with airflow_errors():
            table = context["task"].task_id.rsplit(".", 1)[-1]
            edition = Edition.from_dict(self.edition)
            summaries = {summary.table: summary for summary in read_yaml(self.summaries, Summaries).summaries}
            athena = Athena(aws_client("athena", self.aws_conn_id), self.database, self.workgroup)
            glue, s3 = aws_client("glue", self.aws_conn_id), aws_client("s3", self.aws_conn_id)
            editions = Editions(glue, s3, self.database, self.result_bucket)
            if kept := editions.kept(summaries[table], edition.id):
                return {"table": table, "prefix": kept, "base": edition.id}
            shown = editions.published()
            counted = _staged(athena, summaries["category_counts"], edition)
            quality = _staged(athena, summaries["evaluation_quality"], edition)
            rows = share_rows(counted, self._corrected(counted, quality))
            prefix = f"s3://{self.result_bucket}/{summaries[table].folder}edition={edition.id}/try={uuid4().hex[:12]}/"
            athena.rows(unload_sql(summaries[table].columns, rows, prefix))
            editions.stage(summaries[table], edition.id, prefix)
            return {"table": table, "prefix": prefix, "base": shown.edition if shown else None}

    def _corrected(self, counted: Rows, quality: Rows) -> tuple[dict[str, Share], int] | None:
        """Return the corrected shares and the number of labels behind them; None, and say why, when there are none."""
        taxonomy = read_yaml(self.taxonomy, Taxonomy)
        gold = read_gold(self.gold, taxonomy)
        counts = {str(row["category"]): int(row["conversations"] or 0) for row in counted}
        if gold is None:
            why: str | None = f"there is no {self.gold.name}"
        else:
            why = misfit(gold, _judged(quality), taxonomy) or _untold(counted) or refusal(counts, gold.counts)
        if gold is None or why:
            self.log.info("shares are as counted, none is corrected: %s", why)
            return None
        self.log.info("shares of %d conversations are corrected by %d labels", sum(counts.values()), gold.size)
        return corrected_shares(counts, gold.counts), gold.size


def share_rows(counted: Rows, corrected: tuple[dict[str, Share], int] | None) -> Rows:
    """
    Return the rows of the table, most counted first.

    Shape: *counted* is the rows of `category_counts`. What the judge never counted and people did is in `(few)`.
    """
    rows = {
        row["category"]: {name: row[name] for name in ("category", "conversations", "users", "share")}
        for row in counted
    }
    shares, labels = corrected or ({}, None)
    if POOLED in shares and POOLED not in rows:
        rows[POOLED] = {"category": POOLED, "conversations": 0, "users": 0, "share": 0.0}
    for category, row in rows.items():
        share = shares.get(str(category))
        row["corrected_share"] = share.estimate if share else None
        row["corrected_low"] = share.low if share else None
        row["corrected_high"] = share.high if share else None
        row["gold_size"] = labels
    return sorted(rows.values(), key=lambda row: (-int(row["conversations"] or 0), str(row["category"])))


def unload_sql(columns: Sequence[Column], rows: Rows, prefix: str) -> str:
    """Return the UNLOAD that writes *rows*, each value cast to the type of its column, under *prefix*."""
    casts = ", ".join(f"cast({c.name} as {c.athena_type}) as {c.name}" for c in columns)
    # A VALUES has at least one row: of no rows, this one is filtered away.
    lines = [", ".join(_literal(row[column.name]) for column in columns) for row in rows] or [
        ", ".join("null" for _ in columns)
    ]
    values = ",\n    ".join(f"({line})" for line in lines)
    names = ", ".join(column.name for column in columns)
    select = f"select {casts}\nfrom (values\n    {values}\n) as given ({names})\nwhere {'true' if rows else 'false'}"
    return unload(select, prefix)


def _literal(value: Value) -> str:
    if value is None:
        return "null"
    if isinstance(value, float):
        return f"{value:.16e}"  # with an exponent it is a double: without one it would be a decimal
    if isinstance(value, int):
        return str(value)
    return f"'{POOLED}'" if value == POOLED else sql_string(value)


def _staged(athena: Athena, summary: Summary, edition: Edition) -> Rows:
    names = ", ".join(column.name for column in summary.columns)
    query = f"select {names} from {summary.table}_editions where edition = {sql_string(edition.id)}"  # noqa: S608 - names from our own file, and quoted
    return [dict(row) for row in summary.read(athena.rows(query))]


def _judged(quality: Rows) -> dict[tuple[str | None, str | None], int]:
    """Return how many conversations each model and prompt version evaluated."""
    judged: dict[Any, int] = {}
    for row in quality:
        if row["outcome"] == "evaluated":
            judge = (row["model"], row["prompt_version"])
            judged[judge] = judged.get(judge, 0) + int(row["conversations"] or 0)
    return judged


def _untold(counted: Rows) -> str | None:
    """Return why *counted* cannot be corrected when readers are not told of all conversations, by any row."""
    told = sum(float(row["share"] or 0) for row in counted)
    if abs(told - 1) < 1e-6:
        return None
    return f"the rows of category_counts hold {told:.1%} of the conversations" if counted else "nothing is counted yet"
