"""
Batch inference: Converse over the lines of JSONL files in S3, answered by whoever answers Converse here.

A job is checked when it is made, then walks Submitted, Validating, Scheduled, InProgress in a thread of its own and
ends Completed, PartiallyCompleted (its time ran out), Expired (it never began), Stopped or Failed with a message. Its
output is one `<file>.out` for each input file, in no order, and `manifest.json.out`, both below the job's id.
Not here: the type InvokeModel, VPCs, keys. Jobs are not kept in the journal: after a restart they are unknown, and what
one wrote is whole or absent, because its files are put when it ends.
Source: user guide, batch-inference-data, -results and -monitor; API_CreateModelInvocationJob.
"""

import json
import logging
import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from local_aws.aws_error import AwsError
from local_aws.bedrock.batch_requests import check_job, jsonl_keys, model_input, records_of, s3_place
from local_aws.bedrock.model_directory import ACCOUNT, ModelDirectory
from local_aws.ids import new_id

log = logging.getLogger(__name__)

LEAST_RECORDS, MOST_RECORDS = 100, 50_000  # of a job; the defaults of Service Quotas, which AWS can change
MOST_OPEN = 10  # jobs of one model that have not ended; likewise
_AT_ONCE = 16
_MOST_LISTED = 1000
_OPEN = {"Submitted", "Validating", "Scheduled", "InProgress", "Stopping"}

Answer = dict[str, Any]
AnswerRecord = Callable[[str, dict[str, Any]], dict[str, Any]]


@dataclass
class _Record:
    file: str
    line: dict[str, Any]
    result: dict[str, Any] | None = None


@dataclass
class _Job:
    """What GetModelInvocationJob says of a job, and what only its thread needs."""

    description: Answer
    expires: datetime
    region: str
    records: list[_Record] = field(default_factory=list)
    is_stopped: bool = False


class BatchJobs:
    """
    All jobs of all Regions; safe for threads.

    Shape: *client* makes a boto3 client of a service in a Region; *answer* gives the reply to one record or raises
    AwsError. Units: *step_s* seconds in each state before a job begins, by *wait*; *models.now* decides what is late.
    """

    def __init__(
        self,
        models: ModelDirectory,
        client: Callable[[str, str], Any],
        answer: AnswerRecord,
        *,
        step_s: float = 0.3,
        least_records: int = LEAST_RECORDS,
        most_open: int = MOST_OPEN,
    ) -> None:
        self._models, self._client, self._answer = models, client, answer
        self._step_s, self._least, self._most_open = step_s, least_records, most_open
        self._jobs: dict[str, _Job] = {}
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._closing = threading.Event()

    def create(self, body: dict[str, Any], region: str) -> Answer:
        """Answer CreateModelInvocationJob. Raises: AwsError (ValidationException, ConflictException and others)."""
        check_job(self._models, body)
        with self._lock:
            for job in self._jobs.values():
                if job.region != region:
                    continue
                if (
                    body.get("clientRequestToken")
                    and job.description["clientRequestToken"] == body["clientRequestToken"]
                ):
                    return {"jobArn": job.description["jobArn"]}
                if job.description["jobName"] == body["jobName"]:
                    raise AwsError("ConflictException", f"There is a job named {body['jobName']!r} already.", 400)
            of_model = [job.description for job in self._jobs.values() if job.region == region]
            of_model = [each for each in of_model if each["modelId"] == body["modelId"] and each["status"] in _OPEN]
            if len(of_model) >= self._most_open:
                raise AwsError(
                    "ServiceQuotaExceededException",
                    f"The sum of in-progress and submitted jobs of this model is at its quota of {self._most_open}.",
                    400,
                )
            job = self._job(body, region)
            self._jobs[job.description["jobArn"]] = job
        thread = threading.Thread(target=self._run, args=(job,), name="batch-inference", daemon=True)
        self._threads.append(thread)
        thread.start()
        return {"jobArn": job.description["jobArn"]}

    def job(self, identifier: str, region: str) -> Answer:
        """Answer GetModelInvocationJob by id or ARN. Raises: AwsError (ResourceNotFoundException)."""
        with self._lock:
            return dict(self._find(identifier, region).description)

    def jobs(self, query: dict[str, str], region: str) -> Answer:
        """Answer ListModelInvocationJobs, the latest first unless asked otherwise."""
        with self._lock:
            listed = [dict(job.description) for job in self._jobs.values() if job.region == region]
        for name, keeps in _FILTERS.items():
            if name in query:
                listed = [job for job in listed if keeps(job, query[name])]
        if query.get("sortOrder", "Descending") == "Descending":
            listed.reverse()
        first, most = int(query.get("nextToken", 0)), int(query.get("maxResults", _MOST_LISTED))
        if first < 0 or not 1 <= most <= _MOST_LISTED:
            raise ValueError("no page")
        page = {"invocationJobSummaries": listed[first : first + most]}
        return {**page, "nextToken": str(first + most)} if first + most < len(listed) else page

    def stop(self, identifier: str, region: str) -> Answer:
        """Answer StopModelInvocationJob. Raises: AwsError (ConflictException) for a job that has ended."""
        with self._lock:
            job = self._find(identifier, region)
            if job.description["status"] not in _OPEN:
                raise AwsError(
                    "ConflictException", f"The job is {job.description['status']} and cannot be stopped.", 400
                )
            job.is_stopped = True
            self._set(job, "Stopping")
        return {}

    def wait(self) -> None:
        """Return when no job runs any more."""
        for thread in list(self._threads):
            thread.join()

    def close(self) -> None:
        """End every job where it stands; nothing more is written."""
        self._closing.set()
        self.wait()

    def _find(self, identifier: str, region: str) -> _Job:
        arn = identifier if identifier.startswith("arn:") else _arn(region, identifier)
        job = self._jobs.get(arn)
        if job is None or job.region != region:
            raise AwsError("ResourceNotFoundException", "The specified batch inference job was not found.", 404)
        return job

    def _job(self, body: dict[str, Any], region: str) -> _Job:
        now, hours = self._models.now(), body.get("timeoutDurationInHours", 24)
        expires = now + timedelta(hours=hours)
        kept = ("jobName", "roleArn", "modelId", "inputDataConfig", "outputDataConfig", "modelInvocationType")
        description = {name: body[name] for name in kept} | {
            "jobArn": _arn(region, new_id(12, "abcdefghijklmnopqrstuvwxyz0123456789")),
            "clientRequestToken": body.get("clientRequestToken") or new_id(32),
            "status": "Submitted",
            "submitTime": now.isoformat(),
            "lastModifiedTime": now.isoformat(),
            "timeoutDurationInHours": hours,
            "jobExpirationTime": expires.isoformat(),
            **dict.fromkeys(_COUNTS, 0),
        }
        return _Job(description, expires, region)

    def _set(self, job: _Job, status: str, message: str | None = None) -> None:
        now = self._models.now().isoformat()
        job.description |= {"status": status, "lastModifiedTime": now}
        if status not in _OPEN:
            job.description["endTime"] = now
        if message:
            job.description["message"] = message

    def _walk(self, job: _Job, status: str) -> bool:
        """Go on to *status* after a while, unless the job was stopped or the server closes."""
        is_closing = self._closing.wait(self._step_s)
        with self._lock:
            if is_closing or job.is_stopped:
                return False
            self._set(job, status)
            return True

    def _run(self, job: _Job) -> None:
        try:
            status, message = self._states(job)
        except AwsError as error:
            status, message = "Failed", error.message
        except Exception as error:  # noqa: BLE001  a job ends; the text of the error may hold a conversation
            log.error("%s in a batch job", type(error).__name__)  # noqa: TRY400
            status, message = "Failed", f"{type(error).__name__} in the local AWS"
        if not self._closing.is_set():
            with self._lock:
                self._set(job, status, message)

    def _states(self, job: _Job) -> tuple[str, str | None]:
        """Walk through the job and return how it ended. Raises: AwsError that says why it failed."""
        if not self._walk(job, "Validating"):
            return "Stopped", None
        job.records = self._read(job)
        if not self._walk(job, "Scheduled"):
            return "Stopped", None
        if self._models.now() >= job.expires:
            return "Expired", "The job did not begin before its timeout."
        if not self._walk(job, "InProgress"):
            return "Stopped", None
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(lambda record: self._work(job, record), job.records))
        if self._closing.is_set():
            return "Stopped", None
        self._write(job)
        if job.is_stopped:
            return "Stopped", None
        is_whole = all(record.result for record in job.records)
        return ("Completed", None) if is_whole else ("PartiallyCompleted", "The job's timeout was reached.")

    def _read(self, job: _Job) -> list[_Record]:
        """Return the records of the input. Raises: AwsError that says why the job cannot be."""
        place = job.description["inputDataConfig"]["s3InputDataConfig"]["s3Uri"]
        bucket, key = s3_place(place)
        s3 = self._client("s3", job.region)
        try:
            keys = [key] if key.endswith(".jsonl") else jsonl_keys(s3, bucket, f"{key.rstrip('/')}/" if key else "")
            contents = {name: s3.get_object(Bucket=bucket, Key=name)["Body"].read() for name in keys}
        except ClientError as error:
            raise AwsError(
                "ValidationException", f"{place} cannot be read: {error.response['Error']['Code']}"
            ) from None
        above = key.rpartition("/")[0] if key.endswith(".jsonl") else key.rstrip("/")
        records = [
            _Record(name[len(above) :].lstrip("/"), line) for name in keys for line in records_of(name, contents[name])
        ]
        if len(records) < self._least:
            raise AwsError(
                "ValidationException",
                f"Batch job {job.description['jobArn']} contains less records ({len(records)}) than the required "
                f"minimum of: {self._least}",
            )
        if len(records) > MOST_RECORDS:
            raise AwsError(
                "ValidationException",
                f"Batch job {job.description['jobArn']} contains more records ({len(records)}) than the allowed "
                f"maximum of: {MOST_RECORDS}",
            )
        with self._lock:
            job.description["totalRecordCount"] = len(records)
        return records

    def _work(self, job: _Job, record: _Record) -> None:
        if job.is_stopped or self._closing.is_set() or self._models.now() >= job.expires:
            return
        try:
            record.result = {"modelOutput": self._answer(job.description["modelId"], model_input(record.line))}
        except AwsError as error:
            record.result = {"error": {"errorCode": error.status, "errorMessage": error.message}}
        with self._lock:
            job.description["processedRecordCount"] += 1
            job.description["errorRecordCount" if "error" in record.result else "successRecordCount"] += 1

    def _write(self, job: _Job) -> None:
        description = job.description
        place = description["outputDataConfig"]["s3OutputDataConfig"]["s3Uri"]
        bucket, prefix = s3_place(place)
        folder = "/".join(part for part in (prefix.rstrip("/"), description["jobArn"].rpartition("/")[2]) if part)
        done = [record for record in job.records if record.result]
        random.Random(description["jobArn"]).shuffle(done)  # noqa: S311  AWS keeps no order, and nobody shall rely on it
        outputs: dict[str, list[str]] = {}
        for record in done:
            outputs.setdefault(f"{record.file}.out", []).append(json.dumps(record.line | (record.result or {})))
        usages = [record.result["modelOutput"]["usage"] for record in done if "modelOutput" in (record.result or {})]
        manifest = {name: description[name] for name in _COUNTS} | {
            "inputTokenCount": sum(usage["inputTokens"] for usage in usages),
            "outputTokenCount": sum(usage["outputTokens"] for usage in usages),
        }
        s3 = self._client("s3", job.region)
        try:
            for file, lines in [*outputs.items(), ("manifest.json.out", [json.dumps(manifest)])]:
                s3.put_object(
                    Bucket=bucket, Key=f"{folder}/{file}", Body="".join(f"{line}\n" for line in lines).encode()
                )
        except ClientError as error:
            raise AwsError(
                "ValidationException", f"{place} cannot be written: {error.response['Error']['Code']}"
            ) from None


_COUNTS = ("totalRecordCount", "processedRecordCount", "successRecordCount", "errorRecordCount")
_FILTERS: dict[str, Callable[[Answer, str], bool]] = {
    "statusEquals": lambda job, status: job["status"] == status,
    "nameContains": lambda job, part: part in job["jobName"],
    "submitTimeAfter": lambda job, time: _time(job["submitTime"]) > _time(time),
    "submitTimeBefore": lambda job, time: _time(job["submitTime"]) < _time(time),
}


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _arn(region: str, job_id: str) -> str:
    return f"arn:aws:bedrock:{region}:{ACCOUNT}:model-invocation-job/{job_id}"
