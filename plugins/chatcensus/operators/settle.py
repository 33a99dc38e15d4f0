"""settle: add the tallies up; the gate through which no failed or incomplete classification passes."""

from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk import BaseOperator, Context

from chatcensus.answer import Reason
from chatcensus.aws.batch_ledger import BatchLedger
from chatcensus.aws.ledger import Ledger
from chatcensus.errors import SetupError
from chatcensus.operators.aws_client import CONNECTION, airflow_errors, run_ledger
from chatcensus.selection import MOST_UNREADABLE
from chatcensus.side_by_side import expected_micro_usd, scaled, table_lines
from chatcensus.tally import Tally
from chatcensus.usage_history import LEAST_CALLS, NOT_REJECTED, Used


class SettleRunOperator(BaseOperator):
    """
    Sum the segments' tallies, write the run's row to the ledger, and fail unless every segment ended well.

    :param segments: what `plan` returned (templated)
    :param tallies: what the `classify` tasks returned (templated)
    :param control_table: the table of the ledger (templated)
    :param max_rejection_percent: how many of the judged may have been quarantined for the model's answers, and how many
        of those read because the mapping does not fit them (templated)
    :param is_dry_run: true when the run only counts: then nothing is recorded (templated)
    :param aws_conn_id: the Airflow connection with credentials, role and Region
    """

    template_fields: Sequence[str] = ("segments", "tallies", "control_table", "max_rejection_percent", "is_dry_run")
    ui_color = "#dbe9f4"

    def __init__(
        self,
        *,
        segments: Any,
        tallies: Any,
        control_table: str,
        max_rejection_percent: str | float,
        is_dry_run: str = "false",
        aws_conn_id: str = CONNECTION,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.segments, self.tallies, self.control_table = segments, tallies, control_table
        self.max_rejection_percent, self.is_dry_run, self.aws_conn_id = max_rejection_percent, is_dry_run, aws_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the run's tally."""
        with airflow_errors():
            if not self.segments:
                raise SetupError("plan ended without segments: see its log, then clear plan and what follows")
            tallies = list(self.tallies[:]) if self.tallies else []  # a slice is one request to Airflow
            tally = Tally.total(tallies)
            if self.is_dry_run.lower() == "true":
                return self._forecast(context, tally, len(tallies))
            ledger = run_ledger(context, self.control_table, self.aws_conn_id)
            run = ledger.run()
            generation, paid = int(run.get("generation", 0)), int(run.get("spent_micro_usd", 0))
            # Clearing settle alone adds up the same tallies again; only another classification pays or counts. One that
            # died after its last write has paid, though its next try finds all of it written.
            has_written = tally.written and run.get("tally") != tally.as_dict()
            if not generation or has_written or run.get("settled_micro_usd") != paid:
                generation += 1  # something new to export: the next export is another one
            ended = {"segments_ended": len(tallies), "settled_micro_usd": paid}
            ledger.record(tally=tally.as_dict(), generation=generation, **ended)
            self.log.info("run total: %s", tally.as_dict())
            batch = BatchLedger(ledger)
            if not batch.rounds():  # whose calls have neither the tool nor the cache of those to come
                self._keep_usage(context, ledger, run, tally)
            if len(tallies) == len(self.segments):
                batch.end_turns()  # whatever batch inference has answered is used
            check_run(tally, len(tallies), len(self.segments), float(self.max_rejection_percent))
            return tally.as_dict()

    def _keep_usage(self, context: Context, ledger: Ledger, run: Mapping[str, Any], tally: Tally) -> None:
        """Say what the prompt cache has saved, and remember what the calls have taken: the next forecast goes by it."""
        if tally.cache_read_tokens:
            self.log.info(
                "cached %.0f %% of the input tokens, saved %.4f USD",
                *(100 * tally.cache_read_tokens / tally.input_tokens, tally.saved_micro_usd / 1e6),
            )
        elif run.get("has_cache") and tally.calls > LEAST_CALLS:
            self.log.warning(
                "%d calls read nothing from the prompt cache and wrote %d tokens to it: the instructions are too "
                "short for the model, or its calls too far apart",
                *(tally.calls, tally.cache_write_tokens),
            )
        version, guessed = run.get("prompt_version"), int(run.get("guessed_tokens", 0))
        if tally.calls and version and guessed:  # `plan` may have read nothing that it could guess by
            used = Used.of_run(tally, guessed)
            ledger.keep_usage(context["dag_run"].run_after.isoformat(), run["planned"]["model"], version, used)

    def _forecast(self, context: Context, tally: Tally, ended: int) -> dict[str, Any]:
        """Say what a real run would do, by the forecast of `plan` and the exact count; there is nothing to record."""
        check_ended(tally, ended, len(self.segments))
        forecast = context["ti"].xcom_pull(task_ids="plan", key="forecast")
        rows = scaled(forecast["models"], _times(tally, forecast))
        is_seen = forecast["guessed_micro_usd"] or not tally.forecast_micro_usd
        self.log.info(
            "dry run: %d conversations are due, about %.4f USD; no call was made and nothing was written: %s",
            *(tally.due, (expected_micro_usd(rows[0]) if is_seen else tally.forecast_micro_usd) / 1e6),
            tally.as_dict(),
        )
        if is_seen:
            self.log.info("%s", "\n".join(["what they would take, model by model:", *table_lines(rows)]))
        return tally.as_dict()


def _times(tally: Tally, forecast: Mapping[str, Any]) -> float:
    """Return how much more there is than `plan` has expected: both have guessed by `forecast.expected_usage`."""
    if not forecast["guessed_micro_usd"]:
        return 1.0
    times = float(tally.forecast_micro_usd / forecast["guessed_micro_usd"])
    if most := forecast["max_conversations"]:
        times *= min(1.0, most / max(1, tally.due)) / min(1.0, most / max(1, forecast["due"]))
    return times


def check_ended(tally: Tally, ended: int, segments: int) -> None:
    """Raise unless all segments ended and the tally adds up. Errors: SetupError, SnapshotIncomplete."""
    if ended < segments:
        raise SetupError(f"{ended} of {segments} segments ended well: clear the failed classify tasks only")
    tally.check()


def check_run(tally: Tally, ended: int, segments: int, max_percent: float) -> None:
    """
    Raise unless all segments ended, the tally adds up, and conversations and answers could mostly be read.

    Errors: SetupError, since no retry of this task can help: clear the failed segments, or correct prompt, model or
    mapping.
    """
    check_ended(tally, ended, segments)
    others = tally.skipped["other_item"]
    if not tally.read and tally.skipped.total() == others >= MOST_UNREADABLE:
        raise SetupError(
            f"none of {others} items fulfils `only` of include/table.yaml, so that nothing is a conversation: see "
            f"`chatcensus table check`, and correct it before publishing"
        )
    unreadable = tally.reasons[Reason.UNREADABLE]
    if tally.read and 100 * unreadable > max_percent * tally.read:
        raise SetupError(
            f"{unreadable} of {tally.read} conversations cannot be read, more than {max_percent} %: see "
            f"`chatcensus table check`, and correct include/table.yaml before publishing"
        )
    rejected = sum(count for reason, count in tally.reasons.items() if reason not in NOT_REJECTED)
    judged = rejected + tally.outcomes["evaluated"]
    if judged and 100 * rejected > max_percent * judged:
        raise SetupError(
            f"{rejected} of {judged} judged conversations were quarantined for the model's answers "
            f"({dict(tally.reasons)}), more than {max_percent} %: look at the prompt and the model before publishing"
        )
