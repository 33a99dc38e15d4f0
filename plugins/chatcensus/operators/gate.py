"""check: the gates between `summarise` and `publish`, as Airflow's own SQL checks over Athena."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.providers.common.sql.operators.sql import SQLCheckOperator
from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowFailException

from chatcensus.answer import Reason
from chatcensus.aws.athena import Athena
from chatcensus.include import read_yaml
from chatcensus.operators.aws_client import CONNECTION, airflow_errors, aws_client
from chatcensus.operators.lineage import athena_tables, lineage
from chatcensus.summaries import Summaries

try:
    from airflow.providers.common.sql.operators.sql import SQLCheckResult
except ImportError:  # Airflow 3.2's provider has none, and nothing there reads the results
    from types import SimpleNamespace as SQLCheckResult  # type: ignore[assignment]

if TYPE_CHECKING:
    import jinja2

_TABLES = re.compile(r"\b(?:from|join)\s+(evaluations|published|\w+_editions)\b")


class GateSql:
    """
    What Airflow's check operators ask of a database hook, over Athena: no other connection, no other driver.

    Shape: a gate's statement gives one row for each check: thing, actual, expected, is_passed, remedy.
    """

    def __init__(self, athena: Athena) -> None:
        self.athena = athena
        self.results: list[SQLCheckResult] = []

    def get_records(self, sql: str, parameters: Sequence[str] | None = None) -> list[SQLCheckResult]:
        """Run *sql* and return its checks in the order of their rows."""
        rows = self.athena.rows(sql, parameters=parameters or ())
        self.results = [
            SQLCheckResult(
                name=str(row["thing"]),
                check_type="gate",
                success=row["is_passed"] == "true",
                expected=row["expected"],
                actual=row["actual"],
                description=row["remedy"],
            )
            for row in rows
        ]
        return self.results

    def get_first(self, sql: str, parameters: Sequence[str] | None = None) -> list[bool]:
        """Run *sql* and return whether each check has passed; SQLCheckOperator wants all of them true."""
        return [result.success for result in self.get_records(sql, parameters)]


class CheckEditionOperator(SQLCheckOperator):
    """
    Let an edition pass only if every check of one statement does; no retry follows, since none could help.

    :param sql: the gate's statement, `include/sql/gates/<gate>.sql` (templated)
    :param edition: what `register` returned, for the statement to pin (templated)
    :param database: the Glue database (templated)
    :param workgroup: the Athena workgroup (templated)
    :param summaries: file that describes the summary tables
    :param aws_conn_id: the Airflow connection with credentials, role and Region
    """

    # The edition comes first, since the statement's text asks for it.
    template_fields: Sequence[str] = ("edition", "workgroup", *SQLCheckOperator.template_fields)
    template_fields_renderers = {"edition": "json", "sql": "sql"}  # noqa: RUF012 - as Airflow declares it
    ui_color = "#f6e7b0"

    def __init__(
        self,
        *,
        sql: str,
        edition: Any,
        database: str,
        workgroup: str,
        summaries: Path,
        aws_conn_id: str = CONNECTION,
        **kwargs: Any,
    ) -> None:
        super().__init__(sql=sql, database=database, retry_on_failure=False, **kwargs)
        self.edition: Mapping[str, Any] = edition
        self.workgroup, self.summaries, self.aws_conn_id = workgroup, summaries, aws_conn_id
        self._gate: GateSql | None = None

    def render_template_fields(self, context: Context, jinja_env: "jinja2.Environment | None" = None) -> None:
        """Render as usual, with `edition`, `summaries`, `reasons` of a quarantine and `checked_at` known to the SQL."""
        with airflow_errors():
            edition = self.edition.resolve(context) if hasattr(self.edition, "resolve") else self.edition
            tables = read_yaml(self.summaries, Summaries).summaries
            moment = context["ti"].start_date.isoformat()  # of this try: a cleared task looks at the clock again
            known: Any = {
                **context,
                "edition": edition,
                "summaries": tables,
                "reasons": list(Reason),
                "checked_at": moment,
            }
            super().render_template_fields(known, jinja_env)

    def get_db_hook(self) -> Any:
        """Return what stands for a database hook: Athena, by the connection of all other tasks."""
        if self._gate is None:
            self._gate = GateSql(Athena(aws_client("athena", self.aws_conn_id), self.database or "", self.workgroup))
        return self._gate

    def execute(self, context: Context) -> None:
        """Raise AirflowFailException with the first check that did not pass, both numbers and what to do."""
        with airflow_errors():
            try:
                super().execute(context)
            except AirflowFailException:  # its message would be the whole statement
                raise AirflowFailException(self._verdict()) from None
            finally:
                self.check_results = self.get_db_hook().results
                for each in self.check_results:
                    state = "passed" if each.success else "FAILED"
                    self.log.info("%s: %s: %s, expected: %s", state, each.name, each.actual, each.expected)

    def _verdict(self) -> str:
        gate, kept = self.task_id.rsplit(".", 1)[-1], "nothing is published, and readers keep the edition before"
        failed = [each for each in self.get_db_hook().results if not each.success]
        if not failed:
            return f"gate {gate}: its statement gives no row, and a check is a row; {kept}: correct the statement"
        first, others = failed[0], f" ({len(failed) - 1} more in the log)" if len(failed) > 1 else ""
        numbers = f"{first.actual}, expected: {first.expected}{others}"
        return f"gate {gate}: {first.name}: {numbers}; {kept}: {first.description}"

    def get_openlineage_facets_on_start(self) -> Any:
        """Return the tables that the statement reads; on completion Airflow adds what the checks have found."""
        arn = self.edition["snapshot"]["layers"][0]["export_arn"]
        return lineage(inputs=athena_tables(arn, self.database or "", sorted(set(_TABLES.findall(self.sql)))))
