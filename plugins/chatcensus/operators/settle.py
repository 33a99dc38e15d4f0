"""settle: add the tallies up; the gate through which no failed or incomplete classification passes."""

from collections.abc import Sequence
from typing import Any

from airflow.sdk import BaseOperator, Context

from chatcensus.answer import Reason
from chatcensus.errors import SetupError
from chatcensus.operators.aws_client import airflow_errors, run_ledger
from chatcensus.tally import Tally

# Not the model's doing: nothing was said, or there was no room for an evaluation.
_NOT_REJECTED = (Reason.EMPTY, Reason.TOO_LARGE)


class SettleRunOperator(BaseOperator):
    """
    Sum the segments' tallies, write the run's row to the ledger, and fail unless every segment ended well.

    :param segments: what `plan` returned (templated)
    :param tallies: what the `classify` tasks returned (templated)
    :param control_table: the table of the ledger (templated)
    :param max_rejection_percent: how many of the judged may have been quarantined for the model's answers (templated)
    :param aws_conn_id: the Airflow connection with credentials, role and Region
    """

    template_fields: Sequence[str] = ("segments", "tallies", "control_table", "max_rejection_percent")
    ui_color = "#dbe9f4"

    def __init__(
        self,
        *,
        segments: Any,
        tallies: Any,
        control_table: str,
        max_rejection_percent: str | float,
        aws_conn_id: str = "aws_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.segments, self.tallies, self.control_table = segments, tallies, control_table
        self.max_rejection_percent, self.aws_conn_id = max_rejection_percent, aws_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the run's tally."""
        with airflow_errors():
            if not self.segments:
                raise SetupError("plan ended without segments: see its log, then clear plan and what follows")
            tallies = list(self.tallies[:]) if self.tallies else []  # a slice is one request to Airflow
            tally = Tally.total(tallies)
            ledger = run_ledger(context, self.control_table, self.aws_conn_id)
            generation = int(ledger.run().get("generation", 0))
            if tally.written or not generation:
                generation += 1  # something new to export: the next export is another one
            ledger.record(tally=tally.as_dict(), generation=generation, segments_ended=len(tallies))
            self.log.info("run total: %s", tally.as_dict())
            check_run(tally, len(tallies), len(self.segments), float(self.max_rejection_percent))
            return tally.as_dict()


def check_run(tally: Tally, ended: int, segments: int, max_percent: float) -> None:
    """
    Raise unless all segments ended, the tally adds up, and the model's answers were mostly good.

    Errors: SetupError, since no retry of this task can help: clear the failed segments, or correct prompt or model.
    """
    if ended < segments:
        raise SetupError(f"{ended} of {segments} segments ended well: clear the failed classify tasks only")
    tally.check()
    rejected = sum(count for reason, count in tally.reasons.items() if reason not in _NOT_REJECTED)
    judged = rejected + tally.outcomes["evaluated"]
    if judged and 100 * rejected > max_percent * judged:
        raise SetupError(
            f"{rejected} of {judged} judged conversations were quarantined for the model's answers "
            f"({dict(tally.reasons)}), more than {max_percent} %: look at the prompt and the model before publishing"
        )
