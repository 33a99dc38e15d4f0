"""
The files of batch inference in S3: records that go in, and the answers that come out.

    batch/records/<run>/<round>-<try>/<job>/<segment>-<number>.jsonl          written by us, read by Bedrock
    batch/answers/<run>/<round>/<job>/<job id>/<segment>-<number>.jsonl.out   written by Bedrock, read by us

Both hold conversation text, because an output repeats its input; a rule of the bucket ends them.
Source: https://docs.aws.amazon.com/bedrock/latest/userguide/batch-inference-results.html
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from chatcensus.answer import Reply
from chatcensus.aws.batch_ledger import BatchJob, BatchLedger, Round
from chatcensus.aws.bedrock import read_reply
from chatcensus.aws.ledger import Ledger
from chatcensus.batch import LEAST_RECORDS, MOST_RECORDS, BatchReplies, Record
from chatcensus.job import Job
from chatcensus.partition import Segment

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# A file is in memory until it is full; Bedrock takes files of 1 GB, and jobs of 5 GB.
MAX_FILE_BYTES, MAX_JOB_BYTES = 32 * 2**20, 4 * 2**30
MANIFEST = "manifest.json.out"
# The turn is kept so long while a segment uses its answers: it may take the six hours that a task has.
JUDGING_HOURS = 7


def file_name(segment: Segment) -> str:
    """Return what the names of a segment's files begin with: its number, which all plans of one split give it."""
    return f"{int(segment.part.partition(':')[0]):04d}-"


class RecordFiles:
    """
    The records of one round, written as they come: a folder for each job, in it files of one segment each.

    Shape: *jobs* are those that are full or closed. Units: *left_micro_usd* and *left* are what the run may still spend
    and how many records it may still send; what does not fit is counted in *left_out*.
    """

    least, most = LEAST_RECORDS, MOST_RECORDS  # records of a job

    def __init__(self, s3: "S3Client", bucket: str, prefix: str, left_micro_usd: int, left: int) -> None:
        self.s3, self.bucket, self.prefix = s3, bucket, prefix
        self.left_micro_usd, self.left, self.left_out = left_micro_usd, left, 0
        self.jobs, self._lines = list[BatchJob](), bytearray()
        self._records = self._reserved = self._bytes = self._files = 0

    def add(self, name: str, record: Record) -> None:
        """Write a record of the segment whose files are called *name*, or leave it out."""
        if record.most_micro_usd > self.left_micro_usd or not self.left:
            self.left_out += 1
            return
        if self._records == self.most or self._bytes + len(record.line) > MAX_JOB_BYTES:
            self.end_file(name)
            self._end_job()
        if len(self._lines) + len(record.line) > MAX_FILE_BYTES:
            self.end_file(name)
        self._lines += record.line
        self._bytes += len(record.line)
        self._records += 1
        self._reserved += record.most_micro_usd
        self.left_micro_usd -= record.most_micro_usd
        self.left -= 1

    def end_file(self, name: str) -> None:
        """Write what there is of the segment; the next record begins another file."""
        if self._lines:
            key = f"{self.prefix}/{len(self.jobs):03d}/{name}{self._files:05d}.jsonl"
            self.s3.put_object(Bucket=self.bucket, Key=key, Body=bytes(self._lines))
            self._lines.clear()
            self._files += 1

    def close(self) -> tuple[BatchJob, ...]:
        """Return the jobs; the last records are left out where they are too few for one."""
        if self._records >= self.least:
            self._end_job()
        self.left_out += self._records
        return tuple(self.jobs)

    def _end_job(self) -> None:
        self.jobs.append(BatchJob(self._records, self._reserved))
        self._records = self._reserved = self._bytes = 0


class AnswerFiles:
    """The answers of one run's rounds, each file read line by line, without ever holding the text that it repeats."""

    def __init__(self, s3: "S3Client", rounds: Sequence[Round]) -> None:
        self.s3, self.rounds = s3, rounds
        self._wholes: dict[int, dict[str, Reply]] = {}

    def of_segment(self, segment: Segment) -> dict[str, Reply]:
        """
        Return the answers of a segment's records by their ids; those of all segments where the table was cut anew.

        About a kilobyte of memory each.
        """
        found: dict[str, Reply] = {}
        for round_ in self.rounds:
            if round_.split == segment.split:
                found |= dict(self.of_round(round_, file_name(segment)))
            else:
                if round_.number not in self._wholes:
                    self._wholes[round_.number] = dict(self.of_round(round_))
                found |= self._wholes[round_.number]
        return found

    def of_round(self, round_: Round, name: str = "") -> Iterator[tuple[str, Reply]]:
        """Yield record id and answer of every record that was answered, of files whose names begin with *name*."""
        for place, job in enumerate(round_.jobs):
            if job.is_made:
                yield from self._of_folder(round_, _folder(round_, place, job), name)

    def manifest(self, round_: Round, place: int) -> Mapping[str, Any]:
        """Return what Bedrock has counted of a job; empty where it has written nothing."""
        key = _folder(round_, place, round_.jobs[place]) + MANIFEST
        if key not in set(self._keys(round_.bucket, key)):
            return {}
        lines = list(self._lines(round_.bucket, key))
        return lines[0] if lines else {}

    def _of_folder(self, round_: Round, folder: str, name: str) -> Iterator[tuple[str, Reply]]:
        for key in self._keys(round_.bucket, folder + name):
            if not key.endswith(".jsonl.out"):
                continue
            for line in self._lines(round_.bucket, key):
                output, record = line.get("modelOutput"), line.get("recordId")
                if isinstance(record, str) and isinstance(output, dict) and isinstance(output.get("usage"), dict):
                    yield record, replace(read_reply(output, "prompt", round_.model), is_batch=True)

    def _keys(self, bucket: str, prefix: str) -> list[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def _lines(self, bucket: str, key: str) -> Iterator[dict[str, Any]]:
        """Yield the JSON objects of a file; a line that is none is as one that is missing."""
        for text in self.s3.get_object(Bucket=bucket, Key=key)["Body"].iter_lines(chunk_size=2**16):
            try:
                line = json.loads(text)
            except ValueError:
                continue
            if isinstance(line, dict):
                yield line


def _folder(round_: Round, place: int, job: BatchJob) -> str:
    return f"{round_.answers}/{place:03d}/{job.arn.rpartition('/')[2]}/"


def batch_replies(
    ledger: Ledger, table: str, segment: Segment, job: Job, s3: Callable[[], "S3Client"]
) -> BatchReplies | None:
    """
    Return the answers that batch inference has brought this run about a segment; None where it has sent nothing.

    Errors: SetupError while another run has sent the conversations of *table*, or when this one has sent them by
    another model or prompt.
    """
    batches = BatchLedger(ledger)
    batches.turn.check(table)
    rounds = batches.rounds()
    if not rounds:
        return None
    batches.check_asked_by(job.model_id, job.prompt_version)
    batches.turn.keep(table, JUDGING_HOURS)
    return BatchReplies(AnswerFiles(s3(), rounds).of_segment(segment), job)
