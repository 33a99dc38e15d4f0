"""summarise: write one summary of the snapshot to Parquet, under a prefix that no other try has used."""

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from airflow.providers.amazon.aws.hooks.athena import AthenaHook
from airflow.providers.amazon.aws.operators.athena import AthenaOperator
from airflow.sdk import Context

from chatcensus.aws.athena import sql_string
from chatcensus.operators.aws_client import airflow_errors

if TYPE_CHECKING:
    import jinja2

PATIENCE = 8  # looks at a running statement, one a second, before its task is deferred


class SummariseTableOperator(AthenaOperator):
    """
    Run the SELECT of one summary as an UNLOAD, and return its table, prefix and query id.

    Failed UNLOADs may leave files that later queries would read, so every try writes to a prefix of its own and nothing
    is ever deleted here. Source: https://docs.aws.amazon.com/athena/latest/ug/unload.html (considerations).

    :param query: the file with the SELECT; the UI shows the whole statement that ran (templated)
    :param export_id: the snapshot, for the statement to pin (templated)
    :param result_bucket: where summaries lie (templated)
    The other parameters are those of AthenaOperator; database and workgroup are templated.
    """

    # The snapshot comes first, since the query's text asks for it.
    template_fields: Sequence[str] = ("export_id", "result_bucket", *AthenaOperator.template_fields)
    overwrite_rtif_after_execution = True
    ui_color = "#d9d3ea"

    def __init__(self, *, export_id: Any, result_bucket: str, sleep_time: int = 1, **kwargs: Any) -> None:
        super().__init__(sleep_time=sleep_time, log_query=False, **kwargs)
        self.export_id, self.result_bucket = export_id, result_bucket

    def render_template_fields(self, context: Context, jinja_env: "jinja2.Environment | None" = None) -> None:
        """Render as usual, with `export_id` known to the SQL."""
        export_id = self.export_id.resolve(context) if hasattr(self.export_id, "resolve") else self.export_id
        super().render_template_fields({**context, "export_id": export_id}, jinja_env)  # type: ignore[typeddict-unknown-key]

    def execute(self, context: Context) -> Any:
        """Start the statement; deferrable, so no slot is held while Athena works."""
        table = context["task"].task_id.rsplit(".", 1)[-1]
        prefix = f"s3://{self.result_bucket}/summaries/{table}/export_id={self.export_id}/try={uuid4().hex[:12]}/"
        with airflow_errors():
            self.query = (
                f"unload (\n{self.query.strip()}\n)\n"
                f"to {sql_string(prefix)}\nwith (format = 'PARQUET', compression = 'SNAPPY')"
            )
            # Covers a lost reply to StartQueryExecution; the prefix is new for each try, so the token is too.
            self.client_request_token = hashlib.sha256(self.query.encode()).hexdigest()
            context["ti"].xcom_push(key="summary", value={"table": table, "prefix": prefix})
            query_id = super().execute(context)
        return self._summary(context, query_id)

    def defer(self, **kwargs: Any) -> None:  # type: ignore[override] # it returns when there is no need
        """
        Defer, unless the statement is done within a few seconds, as most are.

        A task that comes back at once can be failed by a late event of its first half (Airflow 3.3.1, apache/airflow
        issue 72716), and two starts of a task take longer than such a statement.
        """
        state = self.hook.poll_query_status(str(self.query_execution_id), max_polling_attempts=PATIENCE, sleep_time=1)
        if state in AthenaHook.INTERMEDIATE_STATES:
            super().defer(**kwargs)

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> Any:
        """Return what was written, once Athena is done."""
        return self._summary(context, super().execute_complete(context, event))

    @staticmethod
    def _summary(context: Context, query_id: str | None) -> dict[str, Any]:
        ti = context["ti"]
        summary = ti.xcom_pull(task_ids=ti.task_id, key="summary")
        return {**summary, "query_execution_id": query_id}
