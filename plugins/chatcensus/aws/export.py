"""One point-in-time export of the table to S3, full or incremental, and the check of what arrived."""

import base64
import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from chatcensus.errors import SetupError, SnapshotIncomplete
from chatcensus.snapshot import Export, Recovery

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client


def client_token(run_id: str, generation: int, window: str = "") -> str:
    """
    Return the ClientToken of one export of a run: a retry with the same token attaches to the export it began.

    Shape: *window* tells the increments of a generation apart.

    Source: the API page of ExportTableToPointInTime in the DynamoDB reference; a token is good for 8 hours.
    """
    return hashlib.sha256(f"{run_id}\n{generation}{window}".encode()).hexdigest()


def read_recovery(dynamodb: "DynamoDBClient", table_name: str) -> tuple[Recovery, datetime]:
    """Return what can be exported of the table, and the latest time that can be restored, in UTC."""
    table = dynamodb.describe_table(TableName=table_name)["Table"]
    backups = dynamodb.describe_continuous_backups(TableName=table_name)["ContinuousBackupsDescription"]
    window = backups.get("PointInTimeRecoveryDescription", {})
    if "LatestRestorableDateTime" not in window:
        raise SetupError(f"point-in-time recovery of table {table_name!r} is off: switch it on")
    keys = {key["AttributeName"] for key in table["KeySchema"]}
    recovery = Recovery(
        # Another table of the same name has another creation time.
        table=f"{table['TableArn']} of {table['CreationDateTime'].astimezone(UTC).isoformat()}",
        earliest=window["EarliestRestorableDateTime"].astimezone(UTC),
        key_types={
            a["AttributeName"]: a["AttributeType"] for a in table["AttributeDefinitions"] if a["AttributeName"] in keys
        },
    )
    return recovery, window["LatestRestorableDateTime"].astimezone(UTC)


def read_export(dynamodb: "DynamoDBClient", s3: "S3Client", export_arn: str) -> Export:
    """
    Return the finished export *export_arn*, after checking that every file of its manifest is there and whole.

    Errors: SnapshotIncomplete that names the file, or the counts that disagree.
    """
    description = dynamodb.describe_export(ExportArn=export_arn)["ExportDescription"]
    if description["ExportStatus"] != "COMPLETED":
        reason = description.get("FailureMessage", "it has not ended")
        raise SnapshotIncomplete(f"export {export_arn} is {description['ExportStatus']}: {reason}")
    bucket, manifest_key = description["S3Bucket"], description["ExportManifest"]
    summary = _read(s3, bucket, manifest_key, json.loads)
    if summary["exportArn"] != export_arn:
        raise SnapshotIncomplete(f"s3://{bucket}/{manifest_key} is the manifest of {summary['exportArn']}, not its own")
    files = _read(s3, bucket, summary["manifestFilesS3Key"], _json_lines)
    for file in files:
        _check_file(s3, bucket, file)
    window = description.get("IncrementalExportSpecification")
    counts = {sum(file["itemCount"] for file in files), summary["itemCount"], description["ItemCount"]}
    if len(counts) > 1:
        raise SnapshotIncomplete(
            f"export {export_arn}: its files hold {sum(file['itemCount'] for file in files)} items, its manifest says "
            f"{summary['itemCount']}, DynamoDB says {description['ItemCount']}"
        )
    return Export(
        export_id=export_arn.rsplit("/", 1)[-1],
        export_arn=export_arn,
        export_time=(window["ExportToTime"] if window else description["ExportTime"]).astimezone(UTC).isoformat(),
        bucket=bucket,
        # The files of all increments under one prefix share a folder; each of ours has a prefix of its own.
        data_prefix=manifest_key.rsplit("/", 2 if window else 1)[0] + "/data/",
        item_count=counts.pop(),
        from_time=window["ExportFromTime"].astimezone(UTC).isoformat() if window else None,
    )


def _read(s3: "S3Client", bucket: str, key: str, parse: Callable[[bytes], Any]) -> Any:
    try:
        return parse(_body(s3, bucket, key).read())
    except ValueError as error:
        raise SnapshotIncomplete(f"s3://{bucket}/{key} of the export is cut short or damaged") from error


def _body(s3: "S3Client", bucket: str, key: str) -> Any:
    """Return a file of the export; an error but for one that is not there is S3's: another export does not help."""
    try:
        return s3.get_object(Bucket=bucket, Key=key)["Body"]
    except s3.exceptions.NoSuchKey as error:
        raise SnapshotIncomplete(f"s3://{bucket}/{key} of the export is not there") from error


def _json_lines(text: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines() if line]


def _check_file(s3: "S3Client", bucket: str, file: dict[str, Any]) -> None:
    """Compare one data file with its line in the manifest, without holding it in memory."""
    key = file["dataFileS3Key"]
    md5 = hashlib.md5(usedforsecurity=False)  # the manifest's own checksum
    for chunk in _body(s3, bucket, key).iter_chunks(1 << 20):
        md5.update(chunk)
    if base64.b64encode(md5.digest()).decode() != file["md5Checksum"]:
        raise SnapshotIncomplete(f"s3://{bucket}/{key} is not the file that the manifest describes (md5 differs)")
