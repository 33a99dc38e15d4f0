"""Jobs of batch inference at Bedrock: make those of a round, wait for them, and settle what they have cost."""

import hashlib
import logging
from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from chatcensus.aws.batch_files import AnswerFiles
from chatcensus.aws.batch_ledger import ASKED, REFUSED, BatchJob, BatchLedger, Round
from chatcensus.errors import SetupError
from chatcensus.model_catalog import Model
from chatcensus.pricing import Price, Usage, cost_micro_usd
from chatcensus.routes import Residency, permitted

if TYPE_CHECKING:
    from mypy_boto3_bedrock import BedrockClient

log = logging.getLogger(__name__)

# After these a job changes no more. Source: API_GetModelInvocationJob.
ENDED = {"Completed", "PartiallyCompleted", "Expired", "Failed", "Stopped"}
# What Bedrock answers before it has made a job, whoever asks again.
_REFUSALS = {"AccessDeniedException", "ResourceNotFoundException", "ValidationException"}


def run_digest(run_id: str) -> str:
    """Return 16 hex digits that stand for a run in names in which its own characters may not be."""
    return hashlib.sha256(run_id.encode()).hexdigest()[:16]


class BatchInference:
    """
    The jobs of one run; each method may be called again after its process died, and does nothing twice.

    Shape: *model* is that of the round. Errors: those of boto3.
    """

    def __init__(self, bedrock: "BedrockClient", ledger: BatchLedger, model: Model) -> None:
        self.bedrock, self.ledger, self.model = bedrock, ledger, model

    def make(self, round_: Round, role: str, residency: Residency | None) -> None:
        """
        Make the jobs of *round_* that were not made yet.

        Name and token of a job come from the run and its place, so that a second try is given the job of the first.
        One that the account has no room for is left out. When Bedrock refuses the first of all, the round is undone;
        but not where an earlier try had asked for it, and may have been given it.
        Errors: SetupError where *residency* does not allow it.
        """
        permitted(self.model, self.bedrock.meta.region_name, residency)
        jobs = list(round_.jobs)
        for place, job in enumerate(jobs):
            if job.arn not in ("", ASKED):
                continue
            if not job.arn:
                self.ledger.made(round_, place, ASKED)
            try:
                arn = self._made(round_, place, role)
            except ClientError as error:
                code = error.response["Error"]["Code"]
                if code in _REFUSALS and not any(each.arn for each in jobs):
                    self._undo(round_)
                if code != "ServiceQuotaExceededException":
                    raise
                log.warning("job %d of %d is left to realtime: the account has no room for it", place + 1, len(jobs))
                arn = REFUSED
            self.ledger.made(round_, place, arn)
            jobs[place] = BatchJob(job.records, job.reserved_micro_usd, arn)
            log.info("job %d of %d with %d records: %s", place + 1, len(jobs), job.records, arn)

    def _undo(self, round_: Round) -> None:
        self.ledger.settle(round_, 0, 0)
        if not round_.number:  # else answers of earlier rounds wait for `classify`
            self.ledger.turn.end(round_.table)

    def _made(self, round_: Round, place: int, role: str) -> str:
        name = f"chatcensus-{run_digest(self.ledger.run_id)}-{round_.number}-{place}"
        records, answers = (
            f"s3://{round_.bucket}/{prefix}/{place:03d}/" for prefix in (round_.records, round_.answers)
        )
        return self.bedrock.create_model_invocation_job(
            jobName=name,
            clientRequestToken=name,
            roleArn=role,
            modelId=self.model.model_id,
            modelInvocationType="Converse",
            inputDataConfig={"s3InputDataConfig": {"s3Uri": records, "s3InputFormat": "JSONL"}},
            outputDataConfig={"s3OutputDataConfig": {"s3Uri": answers}},
            timeoutDurationInHours=round_.hours,
        )["jobArn"]

    def has_ended(self, round_: Round, now: datetime) -> bool:
        """
        Return whether every job has ended, well or not; one that goes on after the deadline is told to stop.

        Errors: SetupError where `make` has not come to its end: there may be a job that nobody knows of.
        """
        if unknown := sum(job.arn in ("", ASKED) for job in round_.jobs):
            raise SetupError(f"{unknown} of {len(round_.jobs)} batch jobs may or may not be there: clear submit")
        described = [self._job(job) for job in round_.jobs if job.is_made]
        running = [each for each in described if each["status"] not in ENDED]
        states = Counter(str(each["status"]) for each in described)
        processed = sum(each.get("processedRecordCount", 0) for each in described)
        log.info(
            "%s; %d of %d records processed, until %s at most",
            ", ".join(f"{count} {state}" for state, count in sorted(states.items())) or "no job was made",
            *(processed, sum(job.records for job in round_.jobs), round_.deadline.isoformat(timespec="minutes")),
        )
        for each in running if now >= round_.deadline else ():
            if each["status"] != "Stopping":
                self._stop(each["jobArn"])
        return not running

    def settle(self, round_: Round, answers: AnswerFiles, price: Price) -> None:
        """
        Put what the answers have cost in the place of what was reserved; what is missing is asked by realtime.

        Where Bedrock has counted more tokens than the answers have, that is what was paid.
        """
        paid = answered = tokens = 0
        for _, reply in answers.of_round(round_):
            paid += cost_micro_usd(reply.usage, price, is_batch=True)
            tokens += reply.usage.all_input_tokens + reply.usage.output_tokens
            answered += 1
        manifests = [answers.manifest(round_, place) for place, job in enumerate(round_.jobs) if job.is_made]
        counted = Usage(*(sum(each.get(f"{way}TokenCount", 0) for each in manifests) for way in ("input", "output")))
        if counted.input_tokens + counted.output_tokens != tokens:
            log.warning(
                "the answers have %d tokens, Bedrock's manifests say %d: compare the bill",
                *(tokens, counted.input_tokens + counted.output_tokens),
            )
            paid = max(paid, cost_micro_usd(counted, price, is_batch=True))
        self.ledger.settle(round_, paid, answered)
        records = sum(job.records for job in round_.jobs)
        log.info(
            "%d of %d records were answered for %.4f USD, %.4f USD had been reserved; realtime asks about the other %d",
            *(answered, records, paid / 1e6, round_.reserved_micro_usd / 1e6, records - answered),
        )

    def _job(self, job: BatchJob) -> Any:
        return self.bedrock.get_model_invocation_job(jobIdentifier=job.arn)

    def _stop(self, arn: str) -> None:
        log.warning("the deadline is over: %s is stopped, and what it has answered is used", arn)
        try:
            self.bedrock.stop_model_invocation_job(jobIdentifier=arn)
        except ClientError as error:
            if error.response["Error"]["Code"] not in {"ConflictException", "ValidationException"}:  # it has ended
                raise
