"""submit: choose between realtime and batch inference, and send what is due where it is batch."""

import math
import secrets
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import BaseOperator, Context

from chatcensus.aws.batch_files import JUDGING_HOURS, AnswerFiles, RecordFiles, file_name
from chatcensus.aws.batch_inference import BatchInference, run_digest
from chatcensus.aws.batch_ledger import BatchLedger, Round
from chatcensus.aws.claims import SegmentClaim
from chatcensus.aws.conversation_store import ConversationStore
from chatcensus.aws.due import due
from chatcensus.batch import LEAST_HOURS, choose, record
from chatcensus.include import read_yaml
from chatcensus.interval import Window
from chatcensus.job import Job
from chatcensus.mapping import TableMapping
from chatcensus.model_catalog import ModelCatalog
from chatcensus.operators.aws_client import CONNECTION, airflow_errors, aws_client, run_ledger
from chatcensus.pacing import Quota
from chatcensus.partition import Segment
from chatcensus.pricing import Price, micro_usd
from chatcensus.reevaluation import Where
from chatcensus.routes import permitted, read_routes
from chatcensus.selection import Found
from chatcensus.taxonomy import Taxonomy

_READING_HOURS = 6  # the turn is kept so long while the table is read


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
            rounds = ledger.rounds()
            is_open = bool(rounds) and not rounds[-1].is_settled
            round_ = rounds[-1] if is_open else self._new_round(context, ledger, rounds)
            if round_:
                model = read_yaml(self.models, ModelCatalog).model(round_.model)
                bedrock, residency = aws_client("bedrock", self.aws_conn_id), read_routes(self.models).residency
                BatchInference(bedrock, ledger, model).make(round_, self.role, residency)

    def _new_round(self, context: Context, ledger: BatchLedger, rounds: Sequence[Round]) -> Round | None:
        """Choose, and write and begin a round of what is due; None when nothing is to be sent."""
        job = self._job(context)
        price = job.model.price(datetime.now(UTC).date())
        forecast = context["ti"].xcom_pull(task_ids="plan", key="forecast") if self.mode == "auto" else {}
        choice = choose(self.mode, job.model, price, forecast, float(self.deadline_hours), self.role)
        self.log.info("%s: %s", "batch" if choice.is_batch else "realtime", choice.why)
        if rounds or choice.is_batch:
            ledger.ask_by(job.model_id, job.prompt_version)
        if not choice.is_batch:
            return None
        bedrock = aws_client("bedrock", self.aws_conn_id)
        permitted(job.model, bedrock.meta.region_name, read_routes(self.models).residency)
        until = ledger.turn.take(self.table, _READING_HOURS)
        made, is_needed = None, bool(rounds)  # the answers of an earlier round may wait for `classify`
        try:
            files, is_needed = self._written(context, job, ledger, rounds, price)
            made = self._begun(job, ledger, files, len(rounds))
        finally:
            if not made and not is_needed:
                ledger.turn.end(self.table, until)
        return made

    def _written(
        self, context: Context, job: Job, ledger: BatchLedger, rounds: Sequence[Round], price: Price
    ) -> tuple[RecordFiles, bool]:
        """Write the records of what is due; return their files, and whether earlier answers are waited for."""
        s3, waiting = aws_client("s3", self.aws_conn_id), 0
        prefix = f"batch/records/{run_digest(ledger.run_id)}/{len(rounds):04d}-{secrets.token_hex(4)}"
        answers, files = AnswerFiles(s3, rounds), RecordFiles(s3, self.bucket, prefix, *ledger.left())
        for segment in map(Segment.model_validate, self.segments):
            known, name = answers.of_segment(segment), file_name(segment)
            for found in self._due(context, segment, job):
                made = record(found.conversation, job, price) if found.stored.has_room else None
                if made and made.record_id in known:
                    waiting += 1
                elif made:
                    files.add(name, made)
            files.end_file(name)
        jobs = files.close()
        self.log.info(
            "%d records in %d jobs; %d left out (too few for a job, or no budget for the most they can cost); "
            "%d were answered before",
            *(sum(each.records for each in jobs), len(jobs), files.left_out, waiting),
        )
        return files, waiting > 0

    def _begun(self, job: Job, ledger: BatchLedger, files: RecordFiles, number: int) -> Round | None:
        """Begin the round of *files*; None where there is nothing in them, or no money left for it."""
        if not files.jobs:
            return None
        hours = float(self.deadline_hours)
        round_ = Round(
            number=number,
            model=job.model_id,
            table=self.table,
            bucket=self.bucket,
            records=files.prefix,
            answers=f"batch/answers/{run_digest(ledger.run_id)}/{number:04d}",
            split=Segment.model_validate(self.segments[0]).split,
            conversations=sum(each.records for each in files.jobs) if int(self.max_conversations) else 0,
            hours=max(LEAST_HOURS, math.ceil(hours)),
            deadline=datetime.now(UTC) + timedelta(hours=hours),
            jobs=tuple(files.jobs),
        )
        if ledger.begin(round_, round_.hours + JUDGING_HOURS):
            return round_
        self.log.warning("nothing is sent: what the run may still spend or ask has gone elsewhere meanwhile")
        return None

    def _due(self, context: Context, segment: Segment, job: Job) -> Iterator[Found]:
        """Yield what is due in *segment*."""
        dynamodb, judged = aws_client("dynamodb", self.aws_conn_id), Window.from_dict(segment.window)
        s3 = aws_client("s3", self.aws_conn_id) if job.mapping.body else None
        store = ConversationStore(dynamodb, self.table, job.mapping, segment.read, judged, s3)
        owner = f"{context['dag'].dag_id}/{context['run_id']}/submit"
        named, attempt = f"{segment.part}/{segment.split}", context["ti"].try_number
        claim = SegmentClaim(dynamodb, self.control_table, self.table, named, self.model, owner, attempt)
        return due(store, claim, segment, job)

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
