"""submit: choose between realtime and batch inference, and send what is due where it is batch."""

import math
import secrets
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import BaseOperator, Context

from chatcensus.aws.batch_files import AnswerFiles, RecordFiles, file_name
from chatcensus.aws.batch_inference import BatchInference, run_digest
from chatcensus.aws.batch_ledger import BatchLedger, Round
from chatcensus.aws.claims import SegmentClaim
from chatcensus.aws.conversation_store import ConversationStore
from chatcensus.batch import LEAST_HOURS, choose, record
from chatcensus.conversation import estimated_tokens
from chatcensus.errors import StoreBusy
from chatcensus.include import read_yaml
from chatcensus.interval import Window
from chatcensus.job import Job
from chatcensus.mapping import TableMapping
from chatcensus.model_catalog import ModelCatalog
from chatcensus.operators.aws_client import CONNECTION, airflow_errors, aws_client, run_ledger
from chatcensus.pacing import Quota
from chatcensus.partition import Segment
from chatcensus.pricing import micro_usd
from chatcensus.reevaluation import Where
from chatcensus.routes import permitted, read_routes
from chatcensus.selection import Found, Selection
from chatcensus.taxonomy import Taxonomy

# The turn is kept while the table is read, and, beyond the timeout of the jobs, while `classify` uses their answers.
_READING_HOURS, _JUDGING_HOURS = 6, 6
_RENEW_EVERY_S = 20.0


class SubmitBatchOperator(BaseOperator):
    """
    Choose between realtime and batch inference; for batch, send what is pending and remember its jobs in the ledger.

    :param segments: what `plan` returned (templated)
    :param table: the conversation table (templated)
    :param control_table: the table of the ledger (templated)
    :param bucket: the bucket of the records and answers, which hold conversation text (templated)
    :param role: the role under which Bedrock reads and writes them; empty for no batch inference (templated)
    :param mode: realtime, batch or auto (templated)
    :param deadline_hours: how long the run may wait for its jobs (templated)
    :param model: the model_id that judges (templated)
    :param instructions: the prompt file (templated)
    :param taxonomy: file with the categories
    :param mapping: file that says where the table keeps a conversation
    :param models: file with the models and their prices
    :param max_usd: the budget of the whole run, of which the most that the answers can cost is reserved (templated)
    :param max_conversations: how many conversations the whole run may ask about; 0 for all (templated)
    :param quota: requests and tokens a minute of the model, which batch inference does not use (templated)
    :param reevaluate: condition on what is judged again; empty for what is pending (templated)
    :param is_dry_run: true sends nothing (templated)
    :param aws_conn_id: the Airflow connection with credentials, role and Region
    """

    template_fields: Sequence[str] = (
        "segments",
        "table",
        "control_table",
        "bucket",
        "role",
        "mode",
        "deadline_hours",
        "model",
        "instructions",
        "max_usd",
        "max_conversations",
        "quota",
        "reevaluate",
        "is_dry_run",
    )
    template_ext: Sequence[str] = (".md",)
    template_fields_renderers = {"instructions": "md"}  # noqa: RUF012 - as Airflow declares it
    ui_color = "#dbe9f4"

    def __init__(
        self,
        *,
        segments: Any,
        table: str,
        control_table: str,
        bucket: str,
        role: str,
        mode: str,
        deadline_hours: str | float,
        model: str,
        instructions: str,
        taxonomy: Path,
        mapping: Path,
        models: Path,
        max_usd: str | float,
        max_conversations: str | int = 0,
        quota: Mapping[str, str | float],
        reevaluate: str = "",
        is_dry_run: str = "false",
        aws_conn_id: str = CONNECTION,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.segments, self.table, self.control_table, self.bucket = segments, table, control_table, bucket
        self.role, self.mode, self.deadline_hours = role, mode, deadline_hours
        self.model, self.instructions, self.taxonomy = model, instructions, taxonomy
        self.mapping, self.models, self.max_usd, self.max_conversations = mapping, models, max_usd, max_conversations
        self.quota, self.reevaluate, self.is_dry_run, self.aws_conn_id = quota, reevaluate, is_dry_run, aws_conn_id

    def execute(self, context: Context) -> None:
        """Send nothing, or make the jobs of the run's present round."""
        with airflow_errors():
            if self.is_dry_run.strip().lower() == "true":
                return
            limits = micro_usd(self.max_usd), int(self.max_conversations)
            ledger = BatchLedger(run_ledger(context, self.control_table, self.aws_conn_id, *limits))
            ledger.turn.check(self.table)
            job, rounds = self._job(context), ledger.rounds()
            price = job.model.price(datetime.now(UTC).date())
            is_open = bool(rounds) and not rounds[-1].is_settled
            round_ = rounds[-1] if is_open else self._new_round(context, job, ledger, rounds)
            if round_:
                bedrock = aws_client("bedrock", self.aws_conn_id)
                BatchInference(bedrock, ledger, job.model, price).make(round_, self.role)

    def _new_round(self, context: Context, job: Job, ledger: BatchLedger, rounds: Sequence[Round]) -> Round | None:
        """Choose, and write and begin a round of what is due; None when nothing is to be sent."""
        price = job.model.price(datetime.now(UTC).date())
        forecast = context["ti"].xcom_pull(task_ids="plan", key="forecast") if self.mode == "auto" else {}
        tokens = estimated_tokens(self.instructions)
        choice = choose(self.mode, job.model, price, forecast, tokens, float(self.deadline_hours), self.role)
        self.log.info("%s: %s", "batch" if choice.is_batch else "realtime", choice.why)
        if not choice.is_batch:
            return None
        s3 = aws_client("s3", self.aws_conn_id)
        permitted(job.model, s3.meta.region_name, read_routes(self.models).residency)
        ledger.turn.take(self.table, _READING_HOURS)
        is_needed = bool(rounds)  # the answers of an earlier round may wait for `classify`
        try:
            made, is_needed = self._written(context, job, ledger, rounds)
            if made and not ledger.begin(made, made.hours + _JUDGING_HOURS):
                self.log.warning("nothing is sent: what the run may still spend or ask has gone elsewhere meanwhile")
                made, is_needed = None, bool(rounds)
        finally:
            if not is_needed:
                ledger.turn.end(self.table)
        return made

    def _written(
        self, context: Context, job: Job, ledger: BatchLedger, rounds: Sequence[Round]
    ) -> tuple[Round | None, bool]:
        """Write the records of what is due; return their round, if any, and whether the run has answers to come."""
        s3, price = aws_client("s3", self.aws_conn_id), job.model.price(datetime.now(UTC).date())
        number, run, answers = len(rounds), run_digest(ledger.run_id), AnswerFiles(s3, rounds, self.model)
        prefix = f"batch/records/{run}/{number:04d}-{secrets.token_hex(4)}"
        files, waiting = RecordFiles(s3, self.bucket, prefix, *ledger.left()), 0
        for segment in map(Segment.model_validate, self.segments):
            known, name = answers.of_segment(segment), file_name(segment)
            for found in self._due(context, segment, job):
                made = record(found.conversation, job, price) if found.stored.has_room else None
                if made and made.record_id in known:
                    waiting += 1
                elif made:
                    files.add(name, made)
            files.end_file(name)
        jobs, hours = files.close(), float(self.deadline_hours)
        self.log.info(
            "%d records in %d jobs; %d left out (too few for a job, or no budget for the most they can cost); "
            "%d were answered before",
            *(sum(each.records for each in jobs), len(jobs), files.left_out, waiting),
        )
        if not jobs:
            return None, waiting > 0
        round_ = Round(
            number=number,
            table=self.table,
            bucket=self.bucket,
            records=prefix,
            answers=f"batch/answers/{run}/{number:04d}",
            split=Segment.model_validate(self.segments[0]).split,
            conversations=sum(each.records for each in jobs) if int(self.max_conversations) else 0,
            hours=max(LEAST_HOURS, math.ceil(hours)),
            deadline=datetime.now(UTC) + timedelta(hours=hours),
            jobs=jobs,
        )
        return round_, True

    def _due(self, context: Context, segment: Segment, job: Job) -> Iterator[Found]:
        """Yield what `classify` would ask about now, under the claim that it would have."""
        dynamodb, judged = aws_client("dynamodb", self.aws_conn_id), Window.from_dict(segment.window)
        s3 = aws_client("s3", self.aws_conn_id) if job.mapping.body else None
        store = ConversationStore(dynamodb, self.table, job.mapping, segment.read, judged, s3)
        selection = Selection(job, Counter(), lambda: datetime.now(UTC))
        owner = f"{context['dag'].dag_id}/{context['run_id']}/submit"
        named, attempt = f"{segment.part}/{segment.split}", context["ti"].try_number
        claim = SegmentClaim(dynamodb, self.control_table, self.table, named, self.model, owner, attempt)
        claim.take(time.sleep)
        renew_at = time.monotonic() + _RENEW_EVERY_S
        try:
            for stored in store.read():
                if time.monotonic() >= renew_at:
                    renew_at = time.monotonic() + _RENEW_EVERY_S
                    if claim.renew(0) is None:
                        raise StoreBusy(f"{segment.name} was claimed by another run while it was read: try again")
                yield from (found for found in (selection.take(stored) if stored else ()) if found.is_due)
            yield from (found for found in selection.rest() if found.is_due)
        finally:
            claim.release()

    def _job(self, context: Context) -> Job:
        model = read_yaml(self.models, ModelCatalog).model(self.model)
        return Job(
            name="submit",
            run_id=context["run_id"],
            window=Window.from_dict(Segment.model_validate(self.segments[0]).window),
            mapping=read_yaml(self.mapping, TableMapping),
            instructions=self.instructions,
            taxonomy=read_yaml(self.taxonomy, Taxonomy),
            model_id=self.model,
            model=model,
            quota=Quota(burndown=model.burndown, **{name: float(value) for name, value in self.quota.items()}),
            pseudonym_secret="",  # no evaluation is made here
            in_flight=1,
            where=Where.parse(self.reevaluate) if self.reevaluate.strip() else None,
        )
