"""wait: until the batch jobs of the run have ended, without holding a slot; then settle what they have cost."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import BaseSensorOperator, Context

from chatcensus.aws.batch_files import AnswerFiles
from chatcensus.aws.batch_inference import BatchInference
from chatcensus.aws.batch_ledger import BatchLedger
from chatcensus.batch import MOST_HOURS
from chatcensus.include import read_yaml
from chatcensus.model_catalog import ModelCatalog
from chatcensus.operators.aws_client import CONNECTION, airflow_errors, aws_client, run_ledger

# Often at first, then every five minutes; Bedrock ends every job before the last look.
_LOOKS: dict[str, Any] = {
    "poke_interval": 5,
    "exponential_backoff": True,
    "max_wait": timedelta(minutes=5),
    "timeout": timedelta(hours=MOST_HOURS + 24),
}


class AwaitBatchOperator(BaseSensorOperator):
    """
    Wait for the jobs that `submit` has made, until the deadline, and settle what they have cost.

    A task that is killed stops no job: its next try waits for the same ones.

    :param control_table: the table of the ledger (templated)
    :param models: file with the models and their prices
    :param aws_conn_id: the Airflow connection with credentials, role and Region
    """

    template_fields: Sequence[str] = ("control_table",)
    ui_color = "#dbe9f4"

    def __init__(self, *, control_table: str, models: Path, aws_conn_id: str = CONNECTION, **kwargs: Any) -> None:
        super().__init__(mode="reschedule", **_LOOKS, **kwargs)
        self.control_table, self.models, self.aws_conn_id = control_table, models, aws_conn_id

    def poke(self, context: Context) -> bool:
        """Return whether there is nothing to wait for any more."""
        with airflow_errors():
            ledger = BatchLedger(run_ledger(context, self.control_table, self.aws_conn_id))
            rounds, now = ledger.rounds(), datetime.now(UTC)
            if not rounds or rounds[-1].is_settled:
                return True
            model = read_yaml(self.models, ModelCatalog).model(rounds[-1].model)
            bedrock, s3 = (aws_client(service, self.aws_conn_id) for service in ("bedrock", "s3"))
            inference = BatchInference(bedrock, ledger, model)
            if not inference.has_ended(rounds[-1], now):
                return False
            inference.settle(rounds[-1], AnswerFiles(s3, rounds), model.last_price(now.date()))
            return True
