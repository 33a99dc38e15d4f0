"""Query executions as the API describes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb

    from local_aws.athena.engine import Outcome
    from local_aws.athena.execution import Job

FINISHED = ("SUCCEEDED", "FAILED", "CANCELLED")


@dataclass
class Execution:
    """One query execution and all that the API tells about it."""

    id: str
    text: str
    workgroup: str
    context: dict[str, str]
    job: Job
    configuration: dict[str, Any]
    state: str = "QUEUED"
    reason: str | None = None
    error: dict[str, Any] | None = None
    submitted: datetime = field(default_factory=lambda: datetime.now(UTC))
    completed: datetime | None = None
    started_at: float = 0.0
    seconds: float = 0.0
    outcome: Outcome | None = None
    result_location: str = ""
    connection: duckdb.DuckDBPyConnection | None = None


def described(entry: Execution) -> dict[str, Any]:
    """Return the QueryExecution of the API."""
    outcome = entry.outcome
    status: dict[str, Any] = {"State": entry.state, "SubmissionDateTime": entry.submitted.timestamp()}
    if entry.completed is not None:
        status["CompletionDateTime"] = entry.completed.timestamp()
    if entry.reason is not None:
        status["StateChangeReason"] = entry.reason
    if entry.error is not None:
        status["AthenaError"] = entry.error
    milliseconds = int(entry.seconds * 1000)
    statistics: dict[str, Any] = {
        "EngineExecutionTimeInMillis": milliseconds,
        "DataScannedInBytes": outcome.scanned_bytes if outcome else 0,
        "TotalExecutionTimeInMillis": milliseconds,
        "QueryQueueTimeInMillis": 0,
        "ServiceProcessingTimeInMillis": 0,
    }
    if outcome is not None and outcome.written_rows is not None:
        statistics["DataManifestLocation"] = f"{entry.job.output}{entry.id}-manifest.csv"
    return {
        "QueryExecutionId": entry.id,
        "Query": entry.text,
        "StatementType": outcome.kind if outcome else _statement_type(entry.text),
        "SubstatementType": outcome.substatement if outcome else "",
        "ResultConfiguration": {
            **entry.configuration,
            "OutputLocation": entry.result_location or f"{entry.job.output}{entry.id}.csv",
        },
        "QueryExecutionContext": entry.context,
        "Status": status,
        "Statistics": statistics,
        "WorkGroup": entry.workgroup,
        "EngineVersion": {"SelectedEngineVersion": "AUTO", "EffectiveEngineVersion": "Athena engine version 3"},
    }


def _statement_type(text: str) -> str:
    return "DDL" if text.lstrip().lower().startswith(("create", "drop")) else "DML"
