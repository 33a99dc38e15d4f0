"""The button on a task that leads to what the dashboard tells of the task's run."""

from urllib.parse import quote

from airflow.sdk import BaseOperator, BaseOperatorLink
from airflow.sdk.types import TaskInstanceKey


class RunLink(BaseOperatorLink):
    """A link to the run page: relative, since Airflow may live below a path; named once for all languages."""

    name = "Report of this run"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:  # noqa: ARG002 - as Airflow calls it
        """Return the address of the run page for the run of *ti_key*."""
        return f"chatcensus/run?run_id={quote(ti_key.run_id, safe='')}"
