"""The Athena API over the engine: executions, their states, results and pages."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
import traceback
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import duckdb
from botocore.exceptions import ClientError

from local_aws.athena import ddl
from local_aws.athena.engine import Engine, Outcome
from local_aws.athena.execution import Job
from local_aws.athena.executions import FINISHED, Execution, described
from local_aws.athena.failures import StatementError, SyntaxRejection, Unsupported
from local_aws.athena.parsing import MAX_STATEMENT_BYTES, parse_statement
from local_aws.athena.results import column_info, to_csv
from local_aws.athena.store import Store, split_uri
from local_aws.aws_error import AwsError

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)
MAX_PAGE = 1000
_QUERY_THREADS = 4


class AthenaService:
    """
    Answer Athena's query actions; *client* gives boto3 clients for athena, glue and s3.

    Executions live in memory; everything a statement stores goes through the clients.
    """

    def __init__(self, client: Callable[[str], Any]) -> None:
        self._athena = client("athena")
        self._glue = client("glue")
        self._store = Store(client("s3"))
        self._engine = Engine(client)
        self._executions: dict[str, Execution] = {}
        self._tokens: dict[tuple[str, str], tuple[Any, str]] = {}
        self._lock = threading.RLock()
        self._threads = ThreadPoolExecutor(_QUERY_THREADS, thread_name_prefix="athena-query")
        self._actions: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "StartQueryExecution": self._start,
            "GetQueryExecution": lambda body: {"QueryExecution": described(self._find(body))},
            "BatchGetQueryExecution": self._batch_get,
            "StopQueryExecution": self._stop,
            "GetQueryResults": self._results,
            "ListQueryExecutions": self._list,
            "GetQueryRuntimeStatistics": self._runtime_statistics,
            "GetTableMetadata": self._table_metadata,
        }

    @property
    def actions(self) -> frozenset[str]:
        """Return the names of the actions that handle() knows."""
        return frozenset(self._actions)

    def handle(self, action: str, body: dict[str, Any]) -> dict[str, Any]:
        """
        Return the answer to one action.

        Raises: AwsError as Athena would answer, e.g. InvalidRequestException.
        """
        if action not in self._actions:
            raise AwsError("UnknownOperationException", f"{action} is not an action of the query engine")
        return self._actions[action](body)

    def close(self) -> None:
        """Interrupt what runs and end the threads."""
        with self._lock:
            running = [entry for entry in self._executions.values() if entry.state not in FINISHED]
        for entry in running:
            self._stop({"QueryExecutionId": entry.id})
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _start(self, body: dict[str, Any]) -> dict[str, Any]:
        text = body.get("QueryString") or ""
        if not 1 <= len(text.encode()) <= MAX_STATEMENT_BYTES:
            raise _invalid(f"QueryString must have 1 to {MAX_STATEMENT_BYTES} bytes, has {len(text.encode())}")
        if body.get("ExecutionParameters"):
            raise _invalid("LOCAL_AWS_UNSUPPORTED: ExecutionParameters")
        token = body.get("ClientRequestToken")
        if token is not None and not 32 <= len(token) <= 128:
            raise _invalid(f"ClientRequestToken must have 32 to 128 characters, has {len(token)}")
        workgroup = body.get("WorkGroup") or "primary"
        context = dict(body.get("QueryExecutionContext") or {})
        with self._lock:
            if token is not None and (workgroup, token) in self._tokens:
                known, execution_id = self._tokens[workgroup, token]
                if known != (text, context, body.get("ResultConfiguration")):
                    raise _invalid(
                        "Idempotent parameters do not match: this ClientRequestToken was used with another request"
                    )
                return {"QueryExecutionId": execution_id}
            entry = self._prepared(body, text, workgroup, context)
            _check_syntax(text)
            self._executions[entry.id] = entry
            if token is not None:
                self._tokens[workgroup, token] = ((text, context, body.get("ResultConfiguration")), entry.id)
        self._threads.submit(self._run, entry)
        return {"QueryExecutionId": entry.id}

    def _prepared(self, body: dict[str, Any], text: str, workgroup: str, context: dict[str, str]) -> Execution:
        catalog = context.get("Catalog") or "AwsDataCatalog"
        if catalog.lower() != "awsdatacatalog":
            raise _invalid(f"LOCAL_AWS_UNSUPPORTED: catalog {catalog!r}")
        configuration, is_enforced = self._output(workgroup, body.get("ResultConfiguration") or {})
        execution_id = str(uuid.uuid4())
        database = context.get("Database")
        job = Job(
            text, database.lower() if database else None, configuration["OutputLocation"], is_enforced, execution_id
        )
        return Execution(execution_id, text, workgroup, context, job, configuration)

    def _output(self, workgroup: str, requested: dict[str, Any]) -> tuple[dict[str, Any], bool]:
        try:
            group = self._athena.get_work_group(WorkGroup=workgroup).get("WorkGroup")
        except ClientError as problem:
            raise _invalid(f"WorkGroup {workgroup} is not found.") from problem
        if not group:  # moto's answer for a workgroup that is not there
            raise _invalid(f"WorkGroup {workgroup} is not found.")
        if group.get("State", "ENABLED") != "ENABLED":
            raise _invalid(f"WorkGroup {workgroup} is disabled.")
        settings = group.get("Configuration") or {}
        own = settings.get("ResultConfiguration") or {}
        is_enforced = bool(settings.get("EnforceWorkGroupConfiguration", False)) and bool(own.get("OutputLocation"))
        chosen = dict(own if is_enforced or not requested.get("OutputLocation") else {**own, **requested})
        location = chosen.get("OutputLocation") or ""
        if not location:
            raise _invalid(
                "No output location provided. An output location is required either through the Workgroup result "
                "configuration setting or as an API input."
            )
        try:
            bucket, prefix = split_uri(location)
        except StatementError as problem:
            raise _invalid(f"OutputLocation is not a valid S3 path: {location}") from problem
        return {**chosen, "OutputLocation": f"s3://{bucket}/{prefix}"}, is_enforced

    def _run(self, entry: Execution) -> None:
        with self._lock:
            if entry.state != "QUEUED":
                return
            entry.state, entry.started_at = "RUNNING", time.monotonic()
        outcome, failure = None, None
        try:
            outcome = self._engine.run(entry.job, lambda connection: self._attach(entry, connection))
            self._store_result(entry, outcome)
        except (StatementError, Unsupported) as problem:
            failure = problem
        except Exception as problem:  # noqa: BLE001 - whatever happens, the execution must end in a state
            # Without the exception's text, which may quote a value of the data.
            place = traceback.extract_tb(problem.__traceback__)[-1]
            log.error("execution %s broke: %s at %s:%s", entry.id, type(problem).__name__, place.filename, place.lineno)  # noqa: TRY400
            failure = RuntimeError(f"INTERNAL_ERROR: {type(problem).__name__}")
        self._finish(entry, outcome, failure)

    def _attach(self, entry: Execution, connection: duckdb.DuckDBPyConnection) -> None:
        with self._lock:
            if entry.state == "CANCELLED":
                raise StatementError("USER_CANCELED", "Query was cancelled")
            entry.connection = connection

    def _finish(self, entry: Execution, outcome: Outcome | None, failure: Exception | None) -> None:
        with self._lock:
            entry.connection = None
            entry.seconds = time.monotonic() - entry.started_at
            if entry.state == "CANCELLED":
                return
            entry.completed = datetime.now(UTC)
            if failure is None:
                entry.outcome, entry.state = outcome, "SUCCEEDED"
                return
            category = {StatementError: 2, Unsupported: 3}.get(
                type(failure), 2 if isinstance(failure, StatementError) else 1
            )
            entry.reason = str(failure)
            entry.error = {
                "ErrorCategory": category,
                "ErrorType": {1: 100, 2: 1200, 3: 1999}[category],
                "Retryable": category == 1,
                "ErrorMessage": str(failure),
            }
            entry.state = "FAILED"

    def _store_result(self, entry: Execution, outcome: Outcome) -> None:
        folder = entry.job.output
        entry.result_location = f"{folder}{entry.id}" + (".csv" if outcome.substatement == "SELECT" else ".txt")
        if outcome.written_rows is not None:
            entry.result_location = f"{folder}{entry.id}"
            manifest = "".join(f"{uri}\n" for uri in outcome.written_objects)
            self._store.write(f"{folder}{entry.id}-manifest.csv", manifest.encode())
            return
        body = to_csv(outcome.result) if outcome.substatement == "SELECT" else b""
        self._store.write(entry.result_location, body)

    def _find(self, body: dict[str, Any]) -> Execution:
        execution_id = body.get("QueryExecutionId") or ""
        with self._lock:
            entry = self._executions.get(execution_id)
        if entry is None:
            raise _invalid(f"QueryExecution {execution_id} was not found")
        return entry

    def _batch_get(self, body: dict[str, Any]) -> dict[str, Any]:
        ids = body.get("QueryExecutionIds") or []
        if not 1 <= len(ids) <= 50:
            raise _invalid(f"QueryExecutionIds must hold 1 to 50 ids, holds {len(ids)}")
        with self._lock:
            found = [described(self._executions[key]) for key in ids if key in self._executions]
            missing = [key for key in ids if key not in self._executions]
        unprocessed = [
            {
                "QueryExecutionId": key,
                "ErrorCode": "QUERY_EXECUTION_NOT_FOUND",
                "ErrorMessage": f"QueryExecution {key} was not found",
            }
            for key in missing
        ]
        return {"QueryExecutions": found, "UnprocessedQueryExecutionIds": unprocessed}

    def _stop(self, body: dict[str, Any]) -> dict[str, Any]:
        entry = self._find(body)
        with self._lock:
            if entry.state not in FINISHED:
                entry.state, entry.completed = "CANCELLED", datetime.now(UTC)
                entry.reason = "Query was cancelled by the user"
                if entry.connection is not None:
                    with contextlib.suppress(duckdb.ConnectionException):  # it has just ended by itself
                        entry.connection.interrupt()
        return {}

    def _results(self, body: dict[str, Any]) -> dict[str, Any]:
        entry = self._find(body)
        size = body.get("MaxResults") or MAX_PAGE
        if not 1 <= size <= MAX_PAGE:
            raise _invalid(f"MaxResults must be between 1 and {MAX_PAGE}, is {size}")
        if entry.state != "SUCCEEDED" or entry.outcome is None:
            ended = "did not finish successfully. Final query state: " + entry.state
            raise _invalid(
                "Query " + (ended if entry.state in FINISHED else f"has not yet finished. Current state: {entry.state}")
            )
        result = entry.outcome.result
        first = _offset(entry.id, body.get("NextToken"))
        lines = [tuple(column.name for column in result.columns), *result.rows] if result.columns else []
        answer: dict[str, Any] = {
            "ResultSet": {
                "Rows": [_row(line) for line in lines[first : first + size]],
                "ResultSetMetadata": {"ColumnInfo": [column_info(column) for column in result.columns]},
            },
            "UpdateCount": entry.outcome.written_rows or 0,
        }
        if first + size < len(lines):
            answer["NextToken"] = f"{entry.id}:{first + size}"
        return answer

    def _list(self, body: dict[str, Any]) -> dict[str, Any]:
        workgroup = body.get("WorkGroup") or "primary"
        size = body.get("MaxResults") or 50
        with self._lock:
            ids = [entry.id for entry in reversed(self._executions.values()) if entry.workgroup == workgroup]
        first = _offset(workgroup, body.get("NextToken"))
        answer: dict[str, Any] = {"QueryExecutionIds": ids[first : first + size]}
        if first + size < len(ids):
            answer["NextToken"] = f"{workgroup}:{first + size}"
        return answer

    def _runtime_statistics(self, body: dict[str, Any]) -> dict[str, Any]:
        entry = self._find(body)
        outcome = entry.outcome
        rows = 0
        if outcome is not None:
            rows = len(outcome.result.rows) if outcome.written_rows is None else outcome.written_rows
        milliseconds = int(entry.seconds * 1000)
        return {
            "QueryRuntimeStatistics": {
                "Timeline": {"EngineExecutionTimeInMillis": milliseconds, "TotalExecutionTimeInMillis": milliseconds},
                "Rows": {"InputBytes": outcome.scanned_bytes if outcome else 0, "OutputRows": rows},
            }
        }

    def _table_metadata(self, body: dict[str, Any]) -> dict[str, Any]:
        database, name = body.get("DatabaseName") or "", body.get("TableName") or ""
        try:
            table = self._glue.get_table(DatabaseName=database, Name=name)["Table"]
        except ClientError as problem:
            raise AwsError("MetadataException", f"EntityNotFoundException: {database}.{name} is not found") from problem
        metadata: dict[str, Any] = {
            "Name": table["Name"],
            "TableType": table.get("TableType", "EXTERNAL_TABLE"),
            "Columns": (table.get("StorageDescriptor") or {}).get("Columns") or [],
            "PartitionKeys": table.get("PartitionKeys") or [],
            "Parameters": {
                **(table.get("Parameters") or {}),
                "location": (table.get("StorageDescriptor") or {}).get("Location") or "",
            },
        }
        if isinstance(table.get("CreateTime"), datetime):
            metadata["CreateTime"] = table["CreateTime"].timestamp()
        return {"TableMetadata": metadata}


def _check_syntax(text: str) -> None:
    """Refuse at once what is no statement; what is only unsupported becomes a failed execution."""
    try:
        if ddl.is_external_table(text):
            ddl.parse_external_table(text)
        else:
            parse_statement(text)
    except SyntaxRejection as problem:
        raise AwsError("InvalidRequestException", str(problem)) from problem
    except (StatementError, Unsupported):
        return


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidRequestException", message)


def _offset(prefix: str, token: str | None) -> int:
    if token is None:
        return 0
    owner, _, place = token.rpartition(":")
    if owner != prefix or not place.isdigit():
        raise _invalid("NextToken is not one of this request's")
    return int(place)


def _row(values: tuple[str | None, ...]) -> dict[str, Any]:
    return {"Data": [{} if value is None else {"VarCharValue": value} for value in values]}
