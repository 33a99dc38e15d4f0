"""
The Athena API over the engine: executions, their states, results and pages.

Source of wording, codes and order of checks: observed on the live service in September 2026:
github.com/aoyagikouhei/athena-local, docs/dev/measurements/query-results.md, result-files.md, client-request-token.md.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import duckdb

from local_aws.athena.api.executions import FINISHED, Execution, History, described
from local_aws.athena.api.metadata import Metadata
from local_aws.athena.api.stored_results import StoredResult, not_found, read_page, store_result
from local_aws.athena.api.submission import Submissions
from local_aws.athena.api.validation import checked, invalid
from local_aws.athena.engine import Engine
from local_aws.athena.failures import HIVE, ScanLimitExceeded, StatementError, Unsupported
from local_aws.athena.results import ResultSet
from local_aws.athena.tables.store import Store
from local_aws.aws_error import AwsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from local_aws.athena.outcome import Outcome

log = logging.getLogger(__name__)
_MOST_ROWS = 1000
_MOST_IDS = 50
_QUERY_THREADS = 4
_INTERRUPT_SECONDS = 0.02


class AthenaService:
    """
    Answer Athena's query actions; *client* gives boto3 clients for athena, glue and s3.

    Executions live in memory, their results in S3; everything a statement stores goes through the clients.
    """

    def __init__(self, client: Callable[[str], Any]) -> None:
        self._s3 = client("s3")
        self._store = Store(self._s3)
        self._submissions = Submissions(client("athena"), self._s3, client("glue"))
        self._engine = Engine(client)
        self._history = History()
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
            **Metadata(client("glue")).actions,
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
            raise AwsError("UnknownOperationException", f"The local AWS does not answer Athena's {action}")
        return self._actions[action](checked(action, body))

    def check_deletion(self, body: dict[str, Any]) -> None:
        """Raise AwsError for a DeleteWorkGroup that would lose executions without RecursiveDeleteOption."""
        name = body.get("WorkGroup") or ""
        with self._lock:
            if self._history.of_workgroup(name) and not body.get("RecursiveDeleteOption"):
                raise invalid(f"WorkGroup {name} is not empty")

    def forget_workgroup(self, name: str) -> None:
        """Stop and forget the executions of a workgroup that is gone."""
        with self._lock:
            for entry in self._history.of_workgroup(name):
                self._cancel(entry)
            self._history.forget_workgroup(name)

    def close(self) -> None:
        """Interrupt what runs and end the threads."""
        with self._lock:
            for entry in self._history.active():
                self._cancel(entry)
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _start(self, body: dict[str, Any]) -> dict[str, Any]:
        entry = self._submissions.execution(body)
        with self._lock:
            known = self._history.of_token(body["ClientRequestToken"])
            if known is not None:
                if known.request != entry.request:
                    raise invalid("Idempotent parameters do not match", "IDEMPOTENT_PARAMETER_MISMATCH")
                return {"QueryExecutionId": known.id}
            self._history.add(entry)
        self._threads.submit(self._run, entry)
        return {"QueryExecutionId": entry.id}

    def _run(self, entry: Execution) -> None:
        with self._lock:
            if entry.state != "QUEUED":
                return
            entry.state, entry.started_at = "RUNNING", time.monotonic()
        outcome, result, failure = None, None, None
        try:
            outcome = self._engine.run(entry.job.bound(), lambda connection: self._attach(entry, connection))
            entry.published_at = time.monotonic()
            result = store_result(self._store, entry.location, outcome)
        except (StatementError, Unsupported, ScanLimitExceeded) as problem:
            failure = problem
            if isinstance(problem, StatementError) and problem.code == HIVE:
                with contextlib.suppress(StatementError):  # the failure is told without the object too
                    self._store.write(entry.location, str(problem).encode())
        except Exception as problem:  # noqa: BLE001 - whatever happens, the execution must end in a state
            # Without the exception's text, which may quote a value of the data.
            place = traceback.extract_tb(problem.__traceback__)[-1]
            log.error("execution %s broke: %s at %s:%s", entry.id, type(problem).__name__, place.filename, place.lineno)  # noqa: TRY400
            failure = RuntimeError(f"INTERNAL_ERROR: {type(problem).__name__}")
        self._finish(entry, outcome, result, failure)

    def _attach(self, entry: Execution, connection: duckdb.DuckDBPyConnection) -> None:
        with self._lock:
            if entry.state == "CANCELLED":
                raise StatementError("USER_CANCELED", "Query was cancelled")
            entry.connection = connection

    def _finish(
        self, entry: Execution, outcome: Outcome | None, result: StoredResult | None, failure: Exception | None
    ) -> None:
        with self._lock:
            entry.connection = None
            if entry.state == "CANCELLED":
                return
            if isinstance(failure, ScanLimitExceeded):
                entry.end("CANCELLED", str(failure))
            elif failure is not None:
                entry.fail(failure)
            elif outcome is not None:
                # The rows are in S3 now; memory would keep them for as long as the server lives.
                entry.outcome, entry.result = replace(outcome, result=ResultSet(), listing=None), result
                entry.end("SUCCEEDED")

    def _find(self, body: dict[str, Any]) -> Execution:
        execution_id = body["QueryExecutionId"]
        with self._lock:
            entry = self._history.get(execution_id)
        if entry is None:
            raise invalid(f"QueryExecution {execution_id} was not found", "QUERY_EXECUTION_NOT_FOUND")
        return entry

    def _batch_get(self, body: dict[str, Any]) -> dict[str, Any]:
        ids = body["QueryExecutionIds"]
        with self._lock:
            found = {key: self._history.get(key) for key in ids}
        unprocessed = [
            {
                "QueryExecutionId": key,
                "ErrorCode": "QUERY_EXECUTION_NOT_FOUND",
                "ErrorMessage": f"QueryExecution {key} was not found",
            }
            for key, entry in found.items()
            if entry is None
        ]
        known = [described(entry) for entry in found.values() if entry is not None]
        return {"QueryExecutions": known, "UnprocessedQueryExecutionIds": unprocessed}

    def _stop(self, body: dict[str, Any]) -> dict[str, Any]:
        entry = self._find(body)
        with self._lock:
            self._cancel(entry)
        return {}

    def _cancel(self, entry: Execution) -> None:
        """End what is queued or running; what has ended stays as it is."""
        if entry.state in FINISHED:
            return
        entry.end("CANCELLED", "Query was cancelled by the user")
        if entry.connection is not None:
            threading.Thread(target=_interrupt, args=(entry,), daemon=True).start()

    def _results(self, body: dict[str, Any]) -> dict[str, Any]:
        entry = self._find(body)
        size = body.get("MaxResults", _MOST_ROWS)
        if size > _MOST_ROWS:
            raise invalid(f"MaxResults is more than maximum allowed length {_MOST_ROWS}")
        if body.get("QueryResultType", "DATA_ROWS") != "DATA_ROWS":
            raise invalid(f"LOCAL_AWS_UNSUPPORTED: QueryResultType {body['QueryResultType']}")
        if entry.is_failed_by_hive:
            return {"ResultSet": {"Rows": []}}
        result = entry.result
        if result is None:
            raise _no_results(entry)
        token = body.get("NextToken") if result.size else None  # where there are no rows, no token is looked at
        start = _offset(entry.id, token, f"Malformed nextPageToken {token}")
        rows, following = read_page(self._s3, result, start, size)
        cells = [[{} if text is None else {"VarCharValue": text} for text in row] for row in rows]
        answer: dict[str, Any] = {
            "ResultSet": {
                "Rows": [{"Data": row} for row in cells],
                "ResultSetMetadata": {"ColumnInfo": list(result.columns)},
            }
        }
        if result.update_count is not None:
            answer["UpdateCount"] = result.update_count
        if following is not None:
            answer["NextToken"] = f"{entry.id}:{following}"
        return answer

    def _list(self, body: dict[str, Any]) -> dict[str, Any]:
        workgroup = body.get("WorkGroup") or "primary"
        size = body.get("MaxResults", _MOST_IDS)
        token = body.get("NextToken")
        first = _offset(workgroup, token, f"The nextPageToken is malformed: {token}")
        self._submissions.workgroup(workgroup)
        with self._lock:
            ids = [entry.id for entry in self._history.of_workgroup(workgroup)]
        answer: dict[str, Any] = {"QueryExecutionIds": ids[first : first + size]}
        if first + size < len(ids):
            answer["NextToken"] = f"{workgroup}:{first + size}"
        return answer

    def _runtime_statistics(self, body: dict[str, Any]) -> dict[str, Any]:
        entry = self._find(body)
        rows = {
            "InputBytes": entry.job.progress.scanned_bytes,
            "OutputRows": entry.result.rows if entry.result else 0,
        }
        return {"QueryRuntimeStatistics": {"Timeline": entry.times(), "Rows": rows}}


def _interrupt(entry: Execution) -> None:
    """Interrupt until the query has ended: DuckDB forgets an interrupt that comes just before a query begins."""
    while (connection := entry.connection) is not None:
        with contextlib.suppress(duckdb.ConnectionException):  # it has just ended by itself
            connection.interrupt()
        time.sleep(_INTERRUPT_SECONDS)


def _no_results(entry: Execution) -> AwsError:
    if entry.state == "CANCELLED" or (entry.state == "FAILED" and entry.kind.substatement.startswith("ALTER_TABLE")):
        return not_found()
    if entry.state in FINISHED:
        message = f"Query did not finish successfully. Final query state: {entry.state}"
    else:
        message = f"Query has not yet finished. Current state: {entry.state}"
    return invalid(message, "INVALID_QUERY_EXECUTION_STATE")


def _offset(prefix: str, token: str | None, malformed: str) -> int:
    if token is None:
        return 0
    owner, _, place = token.rpartition(":")
    if owner != prefix or not (place.isascii() and place.isdigit()):
        raise invalid(malformed)
    return int(place)
