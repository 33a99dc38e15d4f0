"""DynamoDB's export to S3: the requests, their tokens and the states an export goes through."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from uuid import NAMESPACE_URL, uuid5

from botocore.exceptions import ClientError

from local_aws.aws_error import AwsError
from local_aws.dynamodb.export_contents import Contents, Items, contents_of
from local_aws.dynamodb.export_files import write_export
from local_aws.dynamodb.export_request import PARAMETERS, check_times, checked, resolved
from local_aws.ids import new_id
from local_aws.request_model import check_request

TOKEN_VALID = timedelta(hours=8)
_LISTED = timedelta(days=90)
_PAGE = 25
# Source: Amazon DynamoDB developer guide, "Quotas": 300 full and 300 incremental exports at a time, per Region.
_MOST_AT_A_TIME = 300


class Tables(Items, Protocol):
    """What an export needs of the tables: a lock, and reads that hold under it."""

    lock: AbstractContextManager[Any]

    def call(self, target: str, body: dict[str, Any], *, service: str, region: str) -> dict[str, Any]: ...


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
        self._unfinished: dict[str, Contents] = {}
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
                return _answer(self._find(body, region))
            if action == "ListExports":
                return self._list(body, region)
            return _answer(self._start(body, region))

    def restore(self, description: dict[str, Any]) -> None:
        """
        Take back a description of an earlier life, at its place in the order of all changes.

        The tables are now exactly as they were when the export was asked for; `resume` does it again from here when
        no later description says that it has ended.
        """
        with self._tables.lock:
            arn = description["ExportArn"]
            self._exports[arn] = description
            self._unfinished.pop(arn, None)
            if description["ExportStatus"] == "IN_PROGRESS":
                self._unfinished[arn] = contents_of(self._tables, description)

    def resume(self) -> None:
        """Do the exports again that were in progress when the process ended."""
        with self._tables.lock:
            for arn, contents in self._unfinished.items():
                self._run(self._exports[arn], contents)
            self._unfinished.clear()

    def wait(self) -> None:
        """Return when no export is in progress any more."""
        for thread in self._threads:
            thread.join()

    def close(self) -> None:
        """Give up what is still in progress and wait for it to notice."""
        self._stopping.set()
        self.wait()

    def _find(self, body: dict[str, Any], region: str) -> dict[str, Any]:
        check_request("dynamodb", "DescribeExport", body)
        arn = body["ExportArn"]
        if "/export/" not in arn:
            raise AwsError("ValidationException", "Invalid Export ARN")
        if arn not in self._exports or _region(self._exports[arn]) != region:
            raise AwsError("ExportNotFoundException", f"Export not found: {arn}")
        return self._exports[arn]

    def _list(self, body: dict[str, Any], region: str) -> dict[str, Any]:
        """Return one page, the latest export first."""
        check_request("dynamodb", "ListExports", body)
        since = (self._now() - _LISTED).timestamp()
        arns = [
            arn
            for arn, export in sorted(self._exports.items(), key=lambda entry: entry[1]["StartTime"], reverse=True)
            if body.get("TableArn") in (None, export["TableArn"])
            and _region(export) == region
            and export["StartTime"] >= since
        ]
        token = body.get("NextToken")
        if token and token not in arns:
            raise AwsError("ValidationException", "Invalid Request: Provided nextToken is invalid")
        first = arns.index(token) + 1 if token else 0
        page = arns[first : first + (body.get("MaxResults") or _PAGE)]
        keys = ("ExportArn", "ExportStatus", "ExportType")
        answer: dict[str, Any] = {"ExportSummaries": [{key: self._exports[arn][key] for key in keys} for arn in page]}
        if page and page[-1] != arns[-1]:
            answer["NextToken"] = page[-1]
        return answer

    def _start(self, body: dict[str, Any], region: str) -> dict[str, Any]:
        request = checked(body)
        table = self._table(request["TableArn"], region)
        known = self._by_token(request)
        if known:
            return known
        now = self._now()
        check_times(request, self._recovery(table["TableName"], region), now.timestamp())
        self._check_limit(request["ExportType"], region)
        description = _description(request, table, now)
        self._exports[description["ExportArn"]] = description
        self._remember(description)
        self.started += 1
        self._run(description, contents_of(self._tables, description))
        return description

    def _by_token(self, request: dict[str, Any]) -> dict[str, Any] | None:
        token = request.get("ClientToken")
        for export in self._exports.values():
            is_its_own = token and export.get("ClientToken") == token and _region(export) == _region(request)
            if not is_its_own or self._is_forgotten(export):
                continue
            asked = resolved(request, export["StartTime"])
            if any(asked.get(name) != (export.get(name) or None) for name in PARAMETERS):
                raise AwsError(
                    "ExportConflictException",
                    "Export conflict: Duplicate request detected with conflicting parameters: the ClientToken belongs "
                    f"to {export['ExportArn']}",
                )
            return export
        return None

    def _is_forgotten(self, export: dict[str, Any]) -> bool:
        ended = export.get("EndTime")
        return ended is not None and self._now().timestamp() - ended > TOKEN_VALID.total_seconds()

    def _table(self, arn: str, region: str) -> dict[str, Any]:
        try:
            table = self._ask("DescribeTable", {"TableName": arn.rpartition("/")[2]}, region)["Table"]
        except AwsError as error:
            raise AwsError("TableNotFoundException", f"Table not found: {arn}") from error
        if table["TableArn"] != arn:
            raise AwsError("TableNotFoundException", f"Table not found: {arn}")
        return dict(table)

    def _recovery(self, name: str, region: str) -> dict[str, Any]:
        backups = self._ask("DescribeContinuousBackups", {"TableName": name}, region)["ContinuousBackupsDescription"]
        recovery = backups["PointInTimeRecoveryDescription"]
        if recovery["PointInTimeRecoveryStatus"] != "ENABLED":
            raise AwsError(
                "PointInTimeRecoveryUnavailableException",
                f"Point in time recovery is not enabled for table '{name}'",
            )
        return dict(recovery)

    def _check_limit(self, kind: str, region: str) -> None:
        running = sum(
            (export["ExportStatus"], export["ExportType"], _region(export)) == ("IN_PROGRESS", kind, region)
            for export in self._exports.values()
        )
        if running >= _MOST_AT_A_TIME:
            raise AwsError(
                "LimitExceededException",
                f"{running} exports of type {kind} are in progress, {_MOST_AT_A_TIME} may be: wait for one to end",
            )

    def _run(self, description: dict[str, Any], contents: Contents) -> None:
        thread = threading.Thread(target=self._write, args=(description, contents), name="dynamodb-export", daemon=True)
        self._threads = [*(earlier for earlier in self._threads if earlier.is_alive()), thread]
        thread.start()

    def _write(self, description: dict[str, Any], contents: Contents) -> None:
        if self._stopping.wait(self._delay_s):
            return
        outcome = self._outcome(description, contents)
        with self._tables.lock:
            if self._stopping.is_set():
                return
            description.update(outcome, EndTime=self._now().timestamp())
            self._remember(description)

    def _outcome(self, description: dict[str, Any], contents: Contents) -> dict[str, Any]:
        account = description["TableArn"].split(":")[4]
        if description.get("S3BucketOwner", account) != account:
            return _failed("S3AccessDenied", "S3 refused: the bucket belongs to another account than S3BucketOwner")
        try:
            return write_export(self._client("s3", _region(description)), description, contents, self._now)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            return _failed(f"S3{code}", f"S3 refused: {code}")
        except Exception as error:  # noqa: BLE001  no export stays IN_PROGRESS for ever; its text may hold an item
            return _failed("UNKNOWN", type(error).__name__)

    def _ask(self, action: str, body: dict[str, Any], region: str) -> dict[str, Any]:
        return self._tables.call(f"DynamoDB_20120810.{action}", body, service="dynamodb", region=region)


def _answer(description: dict[str, Any]) -> dict[str, Any]:
    # The pinned model describes no filter, and no client of it could read one.
    told = {name: value for name, value in description.items() if name != "FilterSpecification"}
    return {"ExportDescription": told}


def _region(description: dict[str, Any]) -> str:
    return str(description["TableArn"].split(":")[3])


def _failed(code: str, message: str) -> dict[str, Any]:
    return {"ExportStatus": "FAILED", "FailureCode": code, "FailureMessage": message}


def _description(request: dict[str, Any], table: dict[str, Any], now: datetime) -> dict[str, Any]:
    export_id = f"{int(now.timestamp() * 1000):014d}-{new_id(8)}"
    arn = request["TableArn"]
    return {
        **resolved(request, now.timestamp()),
        **({"ClientToken": request["ClientToken"]} if request.get("ClientToken") else {}),
        "TableId": table.get("TableId") or str(uuid5(NAMESPACE_URL, arn)),  # moto gives tables no id
        "ExportArn": f"{arn}/export/{export_id}",
        "ExportStatus": "IN_PROGRESS",
        "StartTime": now.timestamp(),
    }
