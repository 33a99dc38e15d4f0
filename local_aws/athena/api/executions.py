"""
Query executions: their states and times, how the API describes them, and the newest of them by id.

Source, beside the API reference: observed on the live service in September 2026: github.com/aoyagikouhei/athena-local,
docs/dev/measurements/result-files.md (failures), client-request-token.md (tokens).
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from local_aws.athena.api.statement_kinds import CREATE_TABLE_AS, StatementKind, kind_of
from local_aws.athena.failures import HIVE, StatementError, athena_error
from local_aws.aws_error import AwsError

if TYPE_CHECKING:
    import duckdb

    from local_aws.athena.api.stored_results import StoredResult
    from local_aws.athena.execution import Job
    from local_aws.athena.outcome import Outcome

FINISHED = ("SUCCEEDED", "FAILED", "CANCELLED")
# AWS keeps 45 days; a server on a laptop keeps as many as fit easily in memory.
_MOST_KEPT = 10_000
# Queued and running together. DDL as documented; DML varies by Region and account.
ACTIVE_QUOTAS = {"DML": 150, "DDL": 20}
_LEFT_BEHIND = {
    CREATE_TABLE_AS: ". You may need to manually clean the data at location '{}' before retrying. "
    "Athena will not delete data in your account.",
    "INSERT": ". If a data manifest file was generated at '{}-manifest.csv', you may need to manually clean the data "
    "from locations specified in the manifest. Athena will not delete data in your account.",
}


@dataclass
class Execution:
    """
    One query execution and all that the API tells about it.

    Units: *submitted* and *completed* are times of day; the other times are seconds of the monotonic clock.
    """

    id: str
    text: str
    workgroup: str
    context: dict[str, str]
    job: Job
    configuration: dict[str, Any]
    engine: dict[str, str] = field(default_factory=dict)
    reuse: dict[str, Any] | None = None
    token: str | None = None
    request: Any = None  # what the token stands for
    kind: StatementKind = field(default_factory=lambda: kind_of("select"))
    state: str = "QUEUED"
    reason: str | None = None
    error: dict[str, Any] | None = None
    submitted: datetime = field(default_factory=lambda: datetime.now(UTC))
    completed: datetime | None = None
    queued_at: float = field(default_factory=time.monotonic)
    started_at: float | None = None
    published_at: float | None = None  # the engine is done, its result is on the way to S3
    ended_at: float | None = None
    outcome: Outcome | None = None
    result: StoredResult | None = None
    connection: duckdb.DuckDBPyConnection | None = None

    def end(self, state: str, reason: str | None = None) -> None:
        """Give the execution its last state."""
        self.state, self.reason = state, reason
        self.ended_at = time.monotonic()
        self.completed = max(datetime.now(UTC), self.submitted)

    @property
    def location(self) -> str:
        """Return the OutputLocation."""
        return self.kind.location(self.job.output, self.id)

    @property
    def is_failed_by_hive(self) -> bool:
        """Tell whether Hive's words lie where the result would be."""
        return self.state == "FAILED" and str(self.reason).startswith(f"{HIVE}: ")

    def fail(self, problem: Exception) -> None:
        """Give the execution its error, with what Athena says about files that the statement may have left behind."""
        self.error, reason = athena_error(problem), str(problem)
        if isinstance(problem, StatementError) and self.kind.substatement in _LEFT_BEHIND:
            reason += _LEFT_BEHIND[self.kind.substatement].format(self.location)
            self.error["ErrorMessage"] = reason
        self.end("FAILED", reason)

    def times(self) -> dict[str, int]:
        """
        Return the API's times in milliseconds; what has not been reached yet counts as nothing.

        Planning is a part of the engine's time.
        """
        ended = self.ended_at if self.ended_at is not None else time.monotonic()
        started = self.started_at if self.started_at is not None else ended
        published = self.published_at if self.published_at is not None else ended
        return {
            "QueryQueueTimeInMillis": _milliseconds(started - self.queued_at),
            "QueryPlanningTimeInMillis": _milliseconds(self.job.progress.planning_seconds),
            "EngineExecutionTimeInMillis": _milliseconds(published - started),
            "ServiceProcessingTimeInMillis": _milliseconds(ended - published),
            "TotalExecutionTimeInMillis": _milliseconds(ended - self.queued_at),
        }


def _milliseconds(seconds: float) -> int:
    return max(0, int(seconds * 1000))


def described(entry: Execution) -> dict[str, Any]:
    """Return the QueryExecution of the API; like Athena's it leaves the values of parameters out."""
    outcome = entry.outcome
    status: dict[str, Any] = {"State": entry.state, "SubmissionDateTime": entry.submitted.timestamp()}
    if entry.completed is not None:
        status["CompletionDateTime"] = entry.completed.timestamp()
    if entry.reason is not None:
        status["StateChangeReason"] = entry.reason
    if entry.error is not None:
        status["AthenaError"] = entry.error
    statistics: dict[str, Any] = {
        **entry.times(),
        "DataScannedInBytes": entry.job.progress.scanned_bytes,
        "ResultReuseInformation": {"ReusedPreviousResult": False},
    }
    if entry.result is not None and entry.result.manifest is not None:
        statistics["DataManifestLocation"] = entry.result.manifest
    answer = {
        "QueryExecutionId": entry.id,
        "Query": entry.text,
        "StatementType": entry.kind.type,
        "ResultConfiguration": {**entry.configuration, "OutputLocation": entry.location},
        "QueryExecutionContext": {
            key: name.lower() if key == "Catalog" else name for key, name in entry.context.items()
        },
        "Status": status,
        "Statistics": statistics,
        "WorkGroup": entry.workgroup,
        "EngineVersion": entry.engine,
    }
    if entry.reuse is not None:
        answer["ResultReuseConfiguration"] = entry.reuse
    substatement = (outcome.substatement if outcome else "") or entry.kind.substatement
    if substatement:
        answer["SubstatementType"] = substatement
    return answer


class History:
    """
    The newest executions, in the order of their start; not safe for threads.

    The oldest that have ended are forgotten, so that a long life does not fill the memory.
    """

    def __init__(self, most_kept: int = _MOST_KEPT) -> None:
        self._most_kept = most_kept
        self._entries: dict[str, Execution] = {}
        self._tokens: dict[str, Execution] = {}

    def add(self, entry: Execution) -> None:
        """
        Keep an execution.

        Raises: AwsError TooManyRequestsException when as many of its kind are queued or running as an account may have.
        """
        quota = "DML" if entry.kind.is_query else "DDL"
        active = sum(other.kind.is_query == entry.kind.is_query for other in self.active())
        if active >= ACTIVE_QUOTAS[quota]:
            raise AwsError(
                "TooManyRequestsException",
                "You have exceeded the limit for the number of queries you can run concurrently. Reduce the number of "
                f"concurrent queries submitted by this account: {active} {quota} queries are active.",
                members={"Reason": "CONCURRENT_QUERY_LIMIT_EXCEEDED"},
            )
        while len(self._entries) >= self._most_kept:
            oldest = next((other for other in self._entries.values() if other.state in FINISHED), None)
            if oldest is None:
                break
            self._forget(oldest)
        self._entries[entry.id] = entry
        if entry.token is not None:
            self._tokens[entry.token] = entry

    def get(self, execution_id: str) -> Execution | None:
        return self._entries.get(execution_id)

    def of_token(self, token: str) -> Execution | None:
        """Return the execution that a ClientRequestToken started, in whatever workgroup."""
        return self._tokens.get(token)

    def of_workgroup(self, workgroup: str) -> list[Execution]:
        """Return a workgroup's executions, newest first."""
        return [entry for entry in reversed(self._entries.values()) if entry.workgroup == workgroup]

    def active(self) -> list[Execution]:
        """Return what is queued or running."""
        return [entry for entry in self._entries.values() if entry.state not in FINISHED]

    def forget_workgroup(self, workgroup: str) -> None:
        """Forget what ran in a workgroup that is gone."""
        for entry in self.of_workgroup(workgroup):
            self._forget(entry)

    def _forget(self, entry: Execution) -> None:
        del self._entries[entry.id]
        if entry.token is not None:
            self._tokens.pop(entry.token, None)
