"""How a run comes to its snapshot: a full export, or increments after the last one; never twice what was begun."""

import hashlib
import json
import logging
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from chatcensus.aws.export import client_token, read_export, read_recovery
from chatcensus.aws.ledger import Ledger
from chatcensus.errors import SnapshotIncomplete
from chatcensus.snapshot import Export, Recovery, Snapshot, Watermark, windows

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

log = logging.getLogger(__name__)

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
# DynamoDB says that what can be restored lags by about five minutes.
LONGEST_LAG_S, LAG_PAUSE_S = 1800.0, 15.0
TOKEN_LIFE = timedelta(hours=7)  # DynamoDB keeps a ClientToken for 8; later the same request is another export


class Exporter:
    """
    Makes the exports of one run.

    Shape: what was begun is in the run's row of the ledger, by generation, which settle raises when something new was
    written: a retry attaches to it. *prefix* is where exports lie in *bucket*. *attributes* are those that the layers
    are made of, the keys among them: where boto3 lets an export be filtered, it holds these alone, and no text.
    Without them it holds whole items.
    """

    def __init__(
        self,
        dynamodb: "DynamoDBClient",
        s3: "S3Client",
        ledger: Ledger,
        table_name: str,
        bucket: str,
        prefix: str,
        timeout_s: float,
        attributes: Sequence[str] = (),
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.dynamodb, self.s3, self.ledger, self.table_name = dynamodb, s3, ledger, table_name
        self.bucket, self.prefix, self.timeout_s, self.sleep, self.now = bucket, prefix, timeout_s, sleep, now
        self.filter = _filter(dynamodb, attributes)

    def full(self) -> Snapshot:
        """Return a full export of the table as it is now; that of an earlier try when nothing was written since."""
        run = self.ledger.run()
        export = run.get("export", {})
        if export.get("generation") != run["generation"]:
            export = {
                "generation": run["generation"],
                "arn": self._start(int(run["generation"]), {"ExportFormat": "ION"}, _named(self.filter)),
            }
            self.ledger.record(export=export)
        else:
            log.info("nothing was written since export %s: attaching to it", export["arn"])
        made = self._finished(export["arn"])
        if isinstance(made, str):
            self._raise_generation(is_repeat=self._is_repeated(run))
            raise SnapshotIncomplete(f"{made}; the next try makes another export")
        recovery, _ = read_recovery(self.dynamodb, self.table_name)
        return Snapshot(made.export_id, made.export_time, recovery.key_types, (made,))

    @property
    def has_repeated(self) -> bool:
        """True when what the run has written was exported once more, or was begun to be."""
        return self._is_repeated(self.ledger.run())

    def again(self, database: str, columns: str | None) -> Snapshot:
        """
        Return a full export made once more, of a moment when all that the run has written can be restored for sure.

        Shape: *columns* is `columns_version` of the mapping where exports are incremental, else None. An increment
        would not do: it begins where the last snapshot ends. Once for what was written: a later call returns the same.
        Errors: SnapshotIncomplete, as of the export it makes.
        """
        if not self.has_repeated:
            self._raise_generation(is_repeat=True)
        self._recoverable_after(self._written(self.ledger.run()))
        if columns is None:
            return self.full()
        return self.incremental(database, columns, full_because="the last snapshot lacks what this run has written")

    def _raise_generation(self, *, is_repeat: bool) -> None:
        """Let the next export be another one: the same token would return the old one for ever."""
        generation = int(self.ledger.run()["generation"]) + 1
        self.ledger.record(generation=generation, **({"repeat": generation} if is_repeat else {}))

    @staticmethod
    def _is_repeated(run: dict[str, Any]) -> bool:
        return bool(run.get("repeat") == run["generation"])

    def incremental(self, database: str, columns: str, *, full_because: str | None = None) -> Snapshot:
        """
        Return the last snapshot of *database* with what has changed since; a full one where that does not do.

        Shape: *columns* is `columns_version` of the mapping; *full_because* is why a full export is wanted, if it is.
        Errors: SnapshotIncomplete; after an increment that failed the next try makes a full export.
        """
        run = self.ledger.run()
        if run.get("snapshot", {}).get("generation") == run["generation"]:
            log.info("nothing was written since snapshot %s of this run", run["snapshot"]["export_id"])
            return Snapshot.from_dict(run["snapshot"])
        written = self._written(run)
        full_because = full_because or run.get("full_because")
        while True:
            watermark = self.ledger.watermark(database)
            recovery, latest = read_recovery(self.dynamodb, self.table_name)
            snapshot = self._next(watermark, recovery, columns, max(latest, written), written, full_because)
            if watermark and snapshot.time <= watermark.snapshot.time and watermark.table == recovery.table:
                break  # what another run has exported in the meantime is newer, or this very snapshot
            version = watermark.version + 1 if watermark else 1
            if self.ledger.move_watermark(database, Watermark(snapshot, recovery.table, columns, version)):
                break
            log.info("another run has moved the watermark in the meantime: going on from there")
        self.ledger.record(snapshot={**snapshot.as_dict(), "generation": run["generation"]})
        return snapshot

    def _written(self, run: dict[str, Any]) -> datetime:
        """Return by when everything of this generation had been written: when its export was first asked for."""
        written = run.get("written", {})
        if written.get("generation") != run["generation"]:
            written = {"generation": run["generation"], "until": self.now().isoformat()}
            self.ledger.record(written=written)
        return datetime.fromisoformat(written["until"])

    def _next(
        self,
        watermark: Watermark | None,
        recovery: Recovery,
        columns: str,
        to: datetime,
        written: datetime,
        full_because: str | None,
    ) -> Snapshot:
        if not watermark:
            full_because = full_because or "there has been none"
        elif not full_because:
            full_because = watermark.why_full(recovery, columns, to)
        if full_because or not watermark:
            log.info("making a full export: %s", full_because)
            return self.full()
        if watermark.snapshot.time > written:
            log.info("snapshot %s already holds what this run has written", watermark.snapshot.export_id)
            return watermark.snapshot
        return self._increments(watermark, written)

    def _increments(self, watermark: Watermark, written: datetime) -> Snapshot:
        """Export what was written since the watermark, in as many windows as it takes."""
        plan = self._plan(watermark, written)
        for begin, end in plan["windows"][len(plan["arns"]) :]:
            plan["arns"].append(self._start_increment(plan, int(begin), int(end)))
            self.ledger.record(increments=plan)  # at once: a retry may come when the token is forgotten
        snapshot = watermark.snapshot
        for arn in plan["arns"]:
            increment = self._finished(arn)
            if isinstance(increment, str):
                self.ledger.record(full_because=f"increment {arn} is not whole")
                raise SnapshotIncomplete(f"{increment}; the next try makes a full export")
            log.info("increment %s: %d items since %s", increment.export_id, increment.item_count, increment.from_time)
            snapshot = snapshot.extended(increment)
        return snapshot

    def _plan(self, watermark: Watermark, written: datetime) -> dict[str, Any]:
        """Return the windows to export and what of them was begun: those of an earlier try while they will do."""
        run = self.ledger.run()
        generation, after = run["generation"], watermark.snapshot.export_id
        plan: dict[str, Any] = run.get("increments", {})
        if (plan.get("generation"), plan.get("after")) == (generation, after):
            is_recent = self.now() - datetime.fromisoformat(plan["planned"]) < TOKEN_LIFE
            if is_recent or len(plan["arns"]) == len(plan["windows"]):
                return plan
        to = self._recoverable_after(written)
        borders = [
            [int(begin.timestamp()), int(end.timestamp())] for begin, end in windows(watermark.snapshot.time, to)
        ]
        planned = self.now().isoformat()
        plan = {"generation": generation, "after": after, "planned": planned, "windows": borders, "arns": []}
        self.ledger.record(increments=plan)
        return plan

    def _recoverable_after(self, written: datetime) -> datetime:
        waited = 0.0
        while True:
            _, latest = read_recovery(self.dynamodb, self.table_name)
            second = latest.replace(microsecond=0)  # an export ends with a whole one
            if second > written:
                return second
            if waited == 0:
                log.info(
                    "waiting until the table can be restored to %s, when this run had written everything; now to %s",
                    written.isoformat(timespec="seconds"),
                    latest.isoformat(timespec="seconds"),
                )
            if waited > LONGEST_LAG_S:
                raise SnapshotIncomplete(
                    f"the table can be restored to {latest.isoformat()} only, {LONGEST_LAG_S:.0f} s after this run had "
                    f"written everything at {written.isoformat()}; a retry waits on"
                )
            self.sleep(LAG_PAUSE_S)
            waited += LAG_PAUSE_S

    def _start_increment(self, plan: dict[str, Any], begin: int, end: int) -> str:
        generation, window = int(plan["generation"]), f" {plan['planned']} {begin}-{end}{_named(self.filter)}"
        # All increments under one prefix share a folder, and a Glue partition is a folder: each has one of its own.
        folder = client_token(self.ledger.run_id, generation, window)[:16]
        asked = {
            "ExportFormat": "DYNAMODB_JSON",  # AWS documents no sample of an increment in Ion
            "ExportType": "INCREMENTAL_EXPORT",
            "IncrementalExportSpecification": {
                "ExportFromTime": datetime.fromtimestamp(begin, UTC),
                "ExportToTime": datetime.fromtimestamp(end, UTC),
                "ExportViewType": "NEW_IMAGE",
            },
            "S3Prefix": f"{self.prefix}/increments/{folder}",
        }
        return self._start(generation, asked, window)

    def _finished(self, arn: str) -> Export | str:
        """Wait for an export and return it, or why nothing can be made of it."""
        if failure := self._wait(arn):
            return failure
        try:
            return read_export(self.dynamodb, self.s3, arn)
        except SnapshotIncomplete as damage:
            return str(damage)

    def _start(self, generation: int, asked: dict[str, Any], window: str = "") -> str:
        if self.filter:
            log.info("the export holds only %s", ", ".join(self.filter["ExpressionAttributeNames"].values()))
            asked = asked | {"FilterSpecification": self.filter}
        else:
            log.info("the export holds whole items, text included: boto3 must know FilterSpecification to leave it out")
        table = self.dynamodb.describe_table(TableName=self.table_name)["Table"]
        request: dict[str, Any] = {
            "TableArn": table["TableArn"],
            "S3Bucket": self.bucket,
            "S3Prefix": self.prefix,
            "ClientToken": client_token(self.ledger.run_id, generation, window),
        }
        started = self.dynamodb.export_table_to_point_in_time(**request | asked)
        return str(started["ExportDescription"]["ExportArn"])

    def _wait(self, arn: str) -> str | None:
        """Wait for an export; return why it failed, None when it did not."""
        waited, pause = 0.0, FIRST_PAUSE_S
        while True:
            description = self.dynamodb.describe_export(ExportArn=arn)["ExportDescription"]
            if description["ExportStatus"] == "COMPLETED":
                return None
            if description["ExportStatus"] == "FAILED":
                return f"export {arn} failed: {description.get('FailureMessage', 'no reason given')}"
            if waited > self.timeout_s:
                raise SnapshotIncomplete(f"export {arn} takes more than {self.timeout_s:.0f} s; a retry waits on")
            self.sleep(pause)
            waited, pause = waited + pause, min(LONGEST_PAUSE_S, pause * 1.5)


def _filter(dynamodb: "DynamoDBClient", attributes: Sequence[str]) -> dict[str, Any]:
    """
    Return the FilterSpecification that asks for *attributes* alone; an empty one where boto3 knows no such member.

    Source: Amazon DynamoDB developer guide, "Filtering a table export"; botocore has it after 1.43.56.
    """
    request = dynamodb.meta.service_model.operation_model("ExportTableToPointInTime").input_shape
    if not attributes or request is None or "FilterSpecification" not in request.members:
        return {}
    names = {f"#a{number}": attribute for number, attribute in enumerate(attributes)}
    return {"ProjectionExpression": ", ".join(names), "ExpressionAttributeNames": names}


def _named(specification: dict[str, Any]) -> str:
    """Return a text that tells filters apart: with another one, the same ClientToken would be refused."""
    if not specification:
        return ""
    return " " + hashlib.sha256(json.dumps(specification, sort_keys=True).encode()).hexdigest()[:12]
