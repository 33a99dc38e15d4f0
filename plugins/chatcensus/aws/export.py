"""A snapshot: one point-in-time export of the table to S3, and the check of what arrived."""

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from chatcensus.errors import SnapshotIncomplete

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True)
class Snapshot:
    """One export: *data_prefix* is where its data files lie in *bucket*, *export_time* an ISO 8601 text in UTC."""

    export_id: str
    export_arn: str
    export_time: str
    bucket: str
    data_prefix: str
    manifest_key: str
    item_count: int

    def as_dict(self) -> dict[str, Any]:
        """Return the snapshot as plain values, for an XCom or the ledger."""
        return asdict(self)


def client_token(run_id: str, generation: int) -> str:
    """
    Return the ClientToken of one export of a run: a retry with the same token attaches to the export it began.

    Source: the API page of ExportTableToPointInTime in the DynamoDB reference; a token is good for 8 hours.
    """
    return hashlib.sha256(f"{run_id}\n{generation}".encode()).hexdigest()


def read_snapshot(dynamodb: "DynamoDBClient", s3: "S3Client", export_arn: str) -> Snapshot:
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
    files = _read(s3, bucket, summary["manifestFilesS3Key"], _json_lines)
    for file in files:
        _check_file(s3, bucket, file)
    counts = {sum(file["itemCount"] for file in files), summary["itemCount"], description["ItemCount"]}
    if len(counts) > 1:
        raise SnapshotIncomplete(
            f"export {export_arn}: its files hold {sum(file['itemCount'] for file in files)} items, its manifest says "
            f"{summary['itemCount']}, DynamoDB says {description['ItemCount']}: export again"
        )
    return Snapshot(
        export_id=export_arn.rsplit("/", 1)[-1],
        export_arn=export_arn,
        export_time=description["ExportTime"].astimezone(UTC).isoformat(),
        bucket=bucket,
        data_prefix=manifest_key.rsplit("/", 1)[0] + "/data/",
        manifest_key=manifest_key,
        item_count=counts.pop(),
    )


def _read(s3: "S3Client", bucket: str, key: str, parse: Callable[[bytes], Any]) -> Any:
    try:
        return parse(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    except ClientError as error:
        code = error.response["Error"]["Code"]
        raise SnapshotIncomplete(f"s3://{bucket}/{key} of the export cannot be read ({code}): export again") from error
    except ValueError as error:
        raise SnapshotIncomplete(f"s3://{bucket}/{key} of the export is cut short or damaged: export again") from error


def _json_lines(text: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines() if line]


def _check_file(s3: "S3Client", bucket: str, file: dict[str, Any]) -> None:
    """Compare one data file with its line in the manifest, without holding it in memory."""
    key = file["dataFileS3Key"]
    try:
        body = s3.get_object(Bucket=bucket, Key=key)["Body"]
    except ClientError as error:
        code = error.response["Error"]["Code"]
        raise SnapshotIncomplete(f"s3://{bucket}/{key} is in the manifest but cannot be read ({code})") from error
    md5 = hashlib.md5(usedforsecurity=False)  # the manifest's own checksum
    for chunk in body.iter_chunks(1 << 20):
        md5.update(chunk)
    if base64.b64encode(md5.digest()).decode() != file["md5Checksum"]:
        raise SnapshotIncomplete(f"s3://{bucket}/{key} is not the file that the manifest describes (md5 differs)")
