"""compare: what a trial has shown, as a page, a table and one sentence for each pair of contenders."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import BaseOperator, Context

from chatcensus.aws.catalog import upsert_table
from chatcensus.aws.trials import TrialFiles, results_table
from chatcensus.errors import SetupError
from chatcensus.operators.aws_client import CONNECTION, airflow_errors, aws_client
from chatcensus.trial_report import Trial, compared


class CompareTrialOperator(BaseOperator):
    """
    Compare what the contenders of a trial have said, and publish it.

    :param contenders: what `sample` returned (templated)
    :param result_bucket: where the files of the trial lie (templated)
    :param database: the Glue database of the table `model_trials` (templated)
    :param aws_conn_id: the Airflow connection with credentials, role and Region
    """

    template_fields: Sequence[str] = ("contenders", "result_bucket", "database")
    ui_color = "#dbe9f4"

    def __init__(
        self,
        *,
        contenders: Any,
        result_bucket: str,
        database: str,
        aws_conn_id: str = CONNECTION,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.contenders, self.result_bucket, self.database = contenders, result_bucket, database
        self.aws_conn_id = aws_conn_id

    def execute(self, context: Context) -> dict[str, Any]:  # noqa: ARG002 - as Airflow declares it
        """Return the name of the trial, and of each pair the answer and the sentence."""
        with airflow_errors():
            name = self.contenders[0]["trial"]
            files = TrialFiles(aws_client("s3", self.aws_conn_id), self.result_bucket, name)
            plan, drawn = files.plan()
            answers = {each["name"]: files.answers(each["file"], drawn) for each in plan["contenders"]}
            trial = Trial(drawn, plan["strata"], answers)
            if not trial.common:
                raise SetupError(
                    f"trial {name!r}: none of {len(drawn)} conversations was judged by all contenders "
                    f"({trial.left_out()}): see the logs of judge, and allow more max_usd"
                )
            report = _report(plan, compared(trial))
            verdicts = {f"{pair['cheaper']} / {pair['dearer']}": pair["answer"] for pair in report["pairs"]}
            shared = ("trial", "made_at", "conversations", "gold_rows")
            listed = {**{key: report[key] for key in shared}, "contenders": list(answers), "verdicts": verdicts}
            files.publish(report, listed)
            upsert_table(aws_client("glue", self.aws_conn_id), self.database, results_table(self.result_bucket))
        for pair in report["pairs"]:
            self.log.info("%s", pair["sentence"]["en"])
        return {"trial": name, "verdicts": verdicts, "sentences": [pair["sentence"]["en"] for pair in report["pairs"]]}


def _report(plan: dict[str, Any], figures: dict[str, Any]) -> dict[str, Any]:
    """Return *figures* with what was planned of each contender."""
    planned = {each["name"]: each for each in plan["contenders"]}
    kept = ("model", "output_modes", "prompt_version", "forecast_micro_usd", "max_micro_usd")
    rows = [
        {"contender": row["contender"], **{name: planned[row["contender"]][name] for name in kept}, **row}
        for row in figures["contenders"]
    ]
    shared = {name: plan[name] for name in ("trial", "seed", "taxonomy_version", "wanted", "max_micro_usd")}
    return {**shared, "made_at": datetime.now(UTC).isoformat(timespec="seconds"), **figures, "contenders": rows}
