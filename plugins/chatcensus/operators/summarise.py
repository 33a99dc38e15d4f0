"""summarise: write one summary of an edition to Parquet, under a prefix that no other try has used."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from airflow.providers.amazon.aws.hooks.athena import AthenaHook
from airflow.providers.amazon.aws.operators.athena import AthenaOperator
from airflow.sdk import Context

from chatcensus.aws.athena import unload
from chatcensus.aws.editions import Editions
from chatcensus.errors import SetupError
from chatcensus.include import read_yaml
from chatcensus.operators.aws_client import CONNECTION, airflow_errors, aws_client
from chatcensus.summaries import Summaries, Summary

if TYPE_CHECKING:
    import jinja2

PATIENCE, PAUSE_S = 32, 0.25  # looks at a running statement, and the time between, before its task is deferred


class SummariseTableOperator(AthenaOperator):
    """
    Run the SELECT of one summary as an UNLOAD, make it a partition of its edition, and return what was written.

    That is its table, prefix and query id, and `base`, the edition that readers saw when the statement began. Failed
    UNLOADs may leave files that later queries would read, so every try writes to a prefix of its own and nothing is
    ever deleted here. Source: https://docs.aws.amazon.com/athena/latest/ug/unload.html (considerations).

    :param query: the file with the SELECT; the UI shows the whole statement that ran (templated)
    :param edition: what `register` returned, for the statement to pin (templated)
    :param result_bucket: where summaries lie (templated)
    :param min_users: readers are told of no fewer people than this, a whole number (templated)
    :param per_user_table: `true` to tell readers of single users, by pseudonym; else `false` (templated)
    :param summaries: file that describes the summary tables
    The other parameters are those of AthenaOperator; database and workgroup are templated.
    """

    # What the query's text asks for comes first.
    template_fields: Sequence[str] = (
        "edition", "min_users", "per_user_table", "result_bucket", *AthenaOperator.template_fields,
    )  # fmt: skip
    template_fields_renderers = {**AthenaOperator.template_fields_renderers, "edition": "json"}  # noqa: RUF012 - as Airflow declares it
    overwrite_rtif_after_execution = True
    ui_color = "#d9d3ea"

    def __init__(
        self,
        *,
        edition: Any,
        result_bucket: str,
        min_users: str,
        per_user_table: str,
        summaries: Path,
        sleep_time: int = 1,
        aws_conn_id: str = CONNECTION,
        **kwargs: Any,
    ) -> None:
        super().__init__(sleep_time=sleep_time, log_query=False, aws_conn_id=aws_conn_id, **kwargs)
        self.edition: Mapping[str, Any] = edition
        self.min_users, self.per_user_table = min_users, per_user_table
        self.result_bucket, self.summaries = result_bucket, summaries

    def render_template_fields(self, context: Context, jinja_env: "jinja2.Environment | None" = None) -> None:
        """Render as usual, with `edition`, `min_users` and `per_user_table` known to the SQL."""
        with airflow_errors():
            known: Any = {
                **context,
                "edition": self.edition.resolve(context) if hasattr(self.edition, "resolve") else self.edition,
                "min_users": _whole_number(self.render_template(self.min_users, context)),
                "per_user_table": _yes_or_no(self.render_template(self.per_user_table, context)),
            }
            super().render_template_fields(known, jinja_env)

    def execute(self, context: Context) -> Any:
        """Start the statement; deferrable, so no slot is held while Athena works."""
        with airflow_errors():
            summary, editions = self._summary(context), self._editions()
            if kept := editions.kept(summary, self.edition["id"]):
                self.log.info("edition %s is published and never changes: nothing is written", self.edition["id"])
                return {"table": summary.table, "prefix": kept, "base": self.edition["id"]}
            prefix = f"s3://{self.result_bucket}/{summary.folder}edition={self.edition['id']}/try={uuid4().hex[:12]}/"
            self.query = unload(self.query.strip(), prefix)
            # Covers a lost reply to StartQueryExecution; the prefix is new for each try, so the token is too.
            self.client_request_token = hashlib.sha256(self.query.encode()).hexdigest()
            # Asked before it begins: the statement may see a later edition, and never an earlier one.
            shown = editions.published()
            written = {"table": summary.table, "prefix": prefix, "base": shown and shown.edition}
            context["ti"].xcom_push(key="summary", value=written)
            query_id = super().execute(context)
            return self._stage(context, editions, query_id)

    def defer(self, **kwargs: Any) -> None:  # type: ignore[override] # it returns when there is no need
        """
        Defer, unless the statement is done within a few seconds, as most are.

        A task that comes back at once can be failed by a late event of its first half (Airflow 3.3.1, apache/airflow
        issue 72716), and two starts of a task take longer than such a statement.
        """
        state = self.hook.poll_query_status(
            str(self.query_execution_id),
            max_polling_attempts=PATIENCE,
            sleep_time=PAUSE_S,  # type: ignore[arg-type] # it is handed to time.sleep
        )
        if state in AthenaHook.INTERMEDIATE_STATES:
            super().defer(**kwargs)

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> Any:
        """Return what was written, once Athena is done."""
        query_id = super().execute_complete(context, event)
        with airflow_errors():
            return self._stage(context, self._editions(), query_id)

    def _stage(self, context: Context, editions: Editions, query_id: str | None) -> dict[str, Any]:
        ti = context["ti"]
        written = ti.xcom_pull(task_ids=ti.task_id, key="summary")
        editions.stage(self._summary(context), self.edition["id"], written["prefix"])
        return {**written, "query_execution_id": query_id}

    def _summary(self, context: Context) -> Summary:
        table = context["task"].task_id.rsplit(".", 1)[-1]
        for summary in read_yaml(self.summaries, Summaries).summaries:
            if summary.table == table:
                return summary
        raise SetupError(f"table {table!r} is not described in {self.summaries}: describe it there")

    def _editions(self) -> Editions:
        glue, s3 = (aws_client(service, self.aws_conn_id) for service in ("glue", "s3"))
        return Editions(glue, s3, str(self.database), self.result_bucket)


def _whole_number(min_users: str) -> str:
    """Return the text as it enters a statement. Errors: SetupError for anything but digits."""
    if not re.fullmatch(r"[0-9]{1,9}", min_users):
        raise SetupError(f"the Variable chatcensus_min_users is a whole number from 0 on, this is {min_users!r}")
    return min_users


def _yes_or_no(per_user_table: str) -> str:
    if per_user_table not in ("true", "false"):
        raise SetupError(f"the Variable chatcensus_per_user_table is true or false, this is {per_user_table!r}")
    return per_user_table
