"""DynamoDB's export to S3: the requests, their tokens and the states an export goes through."""

import logging
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from uuid import uuid4

from botocore.exceptions import ClientError

from local_aws.aws_error import AwsError
from local_aws.export_files import write_export

log = logging.getLogger(__name__)

TOKEN_VALID = timedelta(hours=8)
_PAGE = 25
# What of a request makes it the same request; the token itself is not part of it.
_PARAMETERS = ("TableArn", "S3Bucket", "S3Prefix", "S3BucketOwner", "S3SseAlgorithm", "S3SseKmsKeyId", "ExportFormat")


class Tables(Protocol):
    """What an export needs of the tables: a lock, and reads that hold under it."""

    lock: AbstractContextManager[Any]

    def call(self, target: str, body: dict[str, Any], *, service: str, region: str) -> dict[str, Any]: ...

    def all_items(self, region: str, table: str) -> list[dict[str, Any]]: ...


class DynamoDBExports:
    """
    Answer ExportTableToPointInTime, DescribeExport and ListExports.

    *remember* is called under the lock with every new state of a description, so that it outlives the process;
    *delay_s* is how long an export stays IN_PROGRESS at least.
    """

    ACTIONS = frozenset({"ExportTableToPointInTime", "DescribeExport", "ListExports"})

    def __init__(
        self,
        tables: Tables,
        client: Callable[[str, str], Any],
        *,
        remember: Callable[[dict[str, Any]], None] = lambda _description: None,
        delay_s: float = 0.3,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._tables = tables
        self._client = client
        self._remember = remember
        self._delay_s = delay_s
        self._now = now
        self._exports: dict[str, dict[str, Any]] = {}
        self._threads: list[threading.Thread] = []
        self._stopping = threading.Event()
        self.started = 0

    def handle(self, action: str, body: dict[str, Any], region: str) -> dict[str, Any]:
        """
        Answer one action.

        Raises: AwsError with the code of DynamoDB's API model.
        """
        with self._tables.lock:
            if action == "DescribeExport":
                return {"ExportDescription": dict(self._find(body["ExportArn"]))}
            if action == "ListExports":
                return self._list(body)
            return {"ExportDescription": dict(self._start(body, region))}

    def restore(self, description: dict[str, Any], *, is_last: bool) -> None:
        """
        Take back a description of an earlier life, at its place in the order of all changes.

        An export that was still in progress when the process ended is done again from here: the tables are now
        exactly as they were when it was asked for.
        """
        with self._tables.lock:
            self._exports[description["ExportArn"]] = description
            if is_last and description["ExportStatus"] == "IN_PROGRESS":
                self._run(description)

    def wait(self) -> None:
        """Return when no export is in progress any more."""
        for thread in self._threads:
            thread.join()

    def close(self) -> None:
        """Give up what is still in progress and wait for it to notice."""
        self._stopping.set()
        self.wait()

    def _find(self, arn: str) -> dict[str, Any]:
        if arn not in self._exports:
            raise AwsError("ExportNotFoundException", f"Export not found: {arn}")
        return self._exports[arn]

    def _list(self, body: dict[str, Any]) -> dict[str, Any]:
        wanted = body.get("TableArn")
        arns = sorted(arn for arn, export in self._exports.items() if wanted in (None, export["TableArn"]))
        first = arns.index(body["NextToken"]) + 1 if body.get("NextToken") in arns else 0
        page = arns[first : first + min(body.get("MaxResults") or _PAGE, _PAGE)]
        keys = ("ExportArn", "ExportStatus", "ExportType")
        answer: dict[str, Any] = {"ExportSummaries": [{key: self._exports[arn][key] for key in keys} for arn in page]}
        if page and page[-1] != arns[-1]:
            answer["NextToken"] = page[-1]
        return answer

    def _start(self, body: dict[str, Any], region: str) -> dict[str, Any]:
        request = _checked(body)
        known = self._by_token(request)
        if known:
            return known
        table = self._table(request["TableArn"], region)
        description = _description(request, table, self._now())
        self._exports[description["ExportArn"]] = description
        self._remember(description)
        self.started += 1
        self._run(description)
        return description

    def _by_token(self, request: dict[str, Any]) -> dict[str, Any] | None:
        token = request.get("ClientToken")
        for export in self._exports.values():
            if not token or export.get("ClientToken") != token or self._is_forgotten(export):
                continue
            if any((request.get(name) or None) != (export.get(name) or None) for name in _PARAMETERS):
                raise AwsError(
                    "ExportConflictException",
                    f"The ClientToken was used with other parameters by {export['ExportArn']}",
                )
            return export
        return None

    def _is_forgotten(self, export: dict[str, Any]) -> bool:
        ended = export.get("EndTime")
        return ended is not None and self._now().timestamp() - ended > TOKEN_VALID.total_seconds()

    def _table(self, arn: str, region: str) -> dict[str, Any]:
        name = arn.rpartition("/")[2]
        try:
            table = self._ask("DescribeTable", {"TableName": name}, region)["Table"]
        except AwsError as error:
            raise AwsError("TableNotFoundException", f"Table not found: {name}") from error
        backups = self._ask("DescribeContinuousBackups", {"TableName": name}, region)["ContinuousBackupsDescription"]
        if backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] != "ENABLED":
            raise AwsError(
                "PointInTimeRecoveryUnavailableException",
                f"Point in time recovery is not enabled for table '{name}'",
            )
        return dict(table)

    def _run(self, description: dict[str, Any]) -> None:
        arn = description["TableArn"]
        items = self._tables.all_items(arn.split(":")[3], arn.rpartition("/")[2])
        thread = threading.Thread(target=self._write, args=(description, items), name="dynamodb-export", daemon=True)
        self._threads = [*(earlier for earlier in self._threads if earlier.is_alive()), thread]
        thread.start()

    def _write(self, description: dict[str, Any], items: list[dict[str, Any]]) -> None:
        if self._stopping.wait(self._delay_s):
            return
        try:
            region = description["TableArn"].split(":")[3]
            outcome = write_export(self._client("s3", region), description, items, self._now)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            outcome = {"ExportStatus": "FAILED", "FailureCode": f"S3{code}", "FailureMessage": f"S3 refused: {code}"}
        except Exception as error:  # noqa: BLE001  no export stays IN_PROGRESS for ever; its text may hold an item
            name = type(error).__name__
            outcome = {"ExportStatus": "FAILED", "FailureCode": "UNKNOWN", "FailureMessage": name}
        with self._tables.lock:
            if self._stopping.is_set():
                return
            description.update(outcome, EndTime=self._now().timestamp())
            self._remember(description)

    def _ask(self, action: str, body: dict[str, Any], region: str) -> dict[str, Any]:
        return self._tables.call(f"DynamoDB_20120810.{action}", body, service="dynamodb", region=region)


def _checked(body: dict[str, Any]) -> dict[str, Any]:
    """Return the request with its defaults, or say what the local AWS cannot do."""
    if body.get("ExportType", "FULL_EXPORT") != "FULL_EXPORT" or body.get("IncrementalExportSpecification"):
        raise AwsError("ValidationException", "The local AWS makes full exports only: leave ExportType out")
    if body.get("ExportTime") is not None:
        raise AwsError("InvalidExportTimeException", "The local AWS exports the present only: leave ExportTime out")
    wanted = body.get("ExportFormat", "DYNAMODB_JSON")
    if wanted not in {"DYNAMODB_JSON", "ION"}:
        raise AwsError("ValidationException", f"ExportFormat must be DYNAMODB_JSON or ION, not {wanted!r}")
    return {"ExportFormat": "DYNAMODB_JSON", "S3SseAlgorithm": "AES256", **body}


def _description(request: dict[str, Any], table: dict[str, Any], now: datetime) -> dict[str, Any]:
    export_id = f"{int(now.timestamp() * 1000):014d}-{uuid4().hex[:8]}"
    return {
        **{name: request[name] for name in (*_PARAMETERS, "ClientToken") if request.get(name) is not None},
        "TableArn": table["TableArn"],
        "TableId": table.get("TableId", str(uuid4())),
        "ExportArn": f"{table['TableArn']}/export/{export_id}",
        "ExportType": "FULL_EXPORT",
        "ExportStatus": "IN_PROGRESS",
        "ExportTime": now.timestamp(),
        "StartTime": now.timestamp(),
    }
