"""classify: judge one segment; mapped over the segments, never over conversations."""

import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, Context

from chatcensus.aws.batch_files import batch_replies
from chatcensus.aws.claims import SegmentClaim
from chatcensus.aws.conversation_store import ConversationStore
from chatcensus.aws.judges import judges
from chatcensus.aws.progress import SegmentProgress
from chatcensus.census import Census
from chatcensus.include import read_yaml
from chatcensus.interval import Window
from chatcensus.job import Job
from chatcensus.mapping import TableMapping
from chatcensus.model_catalog import ModelCatalog
from chatcensus.operators.aws_client import CONNECTION, airflow_errors, aws_client, model_client, run_ledger
from chatcensus.operators.secret import read_secret
from chatcensus.pacing import Quota
from chatcensus.partition import Segment
from chatcensus.pricing import micro_usd
from chatcensus.reevaluation import Where
from chatcensus.taxonomy import Taxonomy

if TYPE_CHECKING:
    from chatcensus.batch import BatchReplies


class ClassifySegmentOperator(BaseOperator):
    """
    Judge every pending conversation of one segment and return the tally.

    :param segment: one element of what `plan` returned (mapped)
    :param table: the conversation table (templated)
    :param control_table: the table of the ledger (templated)
    :param model: the model_id that judges (templated)
    :param instructions: the prompt file; the rendered field is exactly what the model gets (templated)
    :param taxonomy: file with the categories
    :param mapping: file that says where the table keeps a conversation
    :param models: file with the models and their prices
    :param max_usd: the budget of the whole run; at it, the rest stays pending (templated)
    :param max_conversations: how many conversations the whole run may ask about; 0 for all (templated)
    :param in_flight: how many calls this task keeps under way at most (templated)
    :param quota: requests and tokens a minute that all tasks together may use of the model (templated); those of
        include/routes.yaml come in its place
    :param reevaluate: condition on what is judged again; empty for what is pending (templated)
    :param is_dry_run: true only counts what is due: no call, no write (templated)
    :param pseudonym_variable: Airflow Variable with the secret of the user pseudonyms
    :param aws_conn_id: the Airflow connection with credentials, role and Region
    """

    template_fields: Sequence[str] = (
        "segment",
        "table",
        "control_table",
        "model",
        "instructions",
        "max_usd",
        "max_conversations",
        "in_flight",
        "quota",
        "reevaluate",
        "is_dry_run",
    )
    template_ext: Sequence[str] = (".md",)
    template_fields_renderers = {"segment": "json", "instructions": "md"}  # noqa: RUF012 - as Airflow declares it
    ui_color = "#f9e3c4"

    def __init__(
        self,
        *,
        segment: Mapping[str, Any],
        table: str,
        control_table: str,
        model: str,
        instructions: str,
        taxonomy: Path,
        mapping: Path,
        models: Path,
        max_usd: str | float,
        max_conversations: str | int = 0,
        in_flight: str | int,
        quota: Mapping[str, str | float],
        reevaluate: str = "",
        is_dry_run: str = "false",
        pseudonym_variable: str = "chatcensus_pseudonym_secret",
        aws_conn_id: str = CONNECTION,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.segment, self.table, self.control_table, self.model = segment, table, control_table, model
        self.instructions, self.taxonomy, self.mapping, self.models = instructions, taxonomy, mapping, models
        self.max_usd, self.max_conversations = max_usd, max_conversations
        self.in_flight, self.quota, self.reevaluate, self.is_dry_run = in_flight, quota, reevaluate, is_dry_run
        self.pseudonym_variable, self.aws_conn_id = pseudonym_variable, aws_conn_id
        self._census: Census | None = None
        self._batch: BatchReplies | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the tally of the segment, as plain counts."""
        with airflow_errors():
            claim = self._claim(context)
            claim.take(time.sleep)
            try:
                self._census = self._build(context, claim)
                tally = self._census.run().as_dict()
                if self._batch:
                    self.log.info("%s", self._batch.told)
                return tally
            finally:
                claim.release()

    def on_kill(self) -> None:
        """Take nothing new; what is in flight is finished and written."""
        if self._census:
            self._census.stop.set()

    def _claim(self, context: Context) -> SegmentClaim:
        ti, segment = context["ti"], Segment.model_validate(self.segment)
        return SegmentClaim(
            aws_client("dynamodb", self.aws_conn_id),
            self.control_table,
            self.table,
            f"{segment.part}/{segment.split}",
            self.model,
            owner=f"{context['dag'].dag_id}/{context['run_id']}/{ti.map_index}",
            attempt=ti.try_number,
        )

    def _build(self, context: Context, claim: SegmentClaim) -> Census:
        mapping = read_yaml(self.mapping, TableMapping)
        taxonomy = read_yaml(self.taxonomy, Taxonomy)
        model = read_yaml(self.models, ModelCatalog).model(self.model)
        in_flight, segment = int(self.in_flight), Segment.model_validate(self.segment)
        judged = Window.from_dict(segment.window)
        dynamodb = aws_client("dynamodb", self.aws_conn_id, connections=in_flight + 4)
        job = Job(
            name=segment.name,
            run_id=context["run_id"],
            window=judged,
            mapping=mapping,
            instructions=self.instructions,
            taxonomy=taxonomy,
            model_id=self.model,
            model=model,
            quota=Quota(burndown=model.burndown, **{name: float(value) for name, value in self.quota.items()}),
            pseudonym_secret=read_secret(self.pseudonym_variable),
            in_flight=in_flight,
            expected=segment.expected,
            where=Where.parse(self.reevaluate) if self.reevaluate.strip() else None,
            is_dry_run=self.is_dry_run.strip().lower() == "true",
        )
        limits = micro_usd(self.max_usd), int(self.max_conversations)
        ledger = run_ledger(context, self.control_table, self.aws_conn_id, *limits)
        client = partial(model_client, self.aws_conn_id)
        s3 = aws_client("s3", self.aws_conn_id) if mapping.body else None
        if not job.is_dry_run:
            self._batch = batch_replies(ledger, self.table, segment, job, partial(aws_client, "s3", self.aws_conn_id))
        return Census(
            job,
            store=ConversationStore(dynamodb, self.table, mapping, segment.read, judged, s3),
            judge=judges(self.models, self.model, taxonomy, job.quota, in_flight, client),
            ledger=ledger,
            claim=claim,
            tell=None if job.is_dry_run else SegmentProgress(ledger, context["ti"].map_index or 0, segment).tell,
            batch=self._batch,
        )
