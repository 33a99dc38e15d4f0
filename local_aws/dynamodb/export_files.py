"""The objects a finished export leaves in S3, in the order in which DynamoDB writes them."""

import base64
import gzip
import hashlib
import io
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from local_aws.dynamodb.export_contents import Contents

# Lines are spread over this many files, or more where one would be too large. Two more hold nothing: a gzip of nothing
# and an object of 0 bytes. An internal partition without items gives an empty file, and readers must accept both.
_FEWEST_FILES = 3
_LARGEST_BYTES = 64 * 1024 * 1024
# The default, 9, takes twice the time and saves 4 % of the space.
_GZIP_LEVEL = 4
_LINES_AT_ONCE = 500


def write_export(
    s3: Any, description: dict[str, Any], contents: Contents, now: Callable[[], datetime]
) -> dict[str, Any]:
    """
    Write `_started`, the data files, both manifests and their checksums; return what DescribeExport then adds.

    An incremental export's data files lie in the folder that all incremental exports share.
    Raises: botocore ClientError when S3 refuses.
    Source: Amazon DynamoDB developer guide, "DynamoDB table export output format" (S3DataExport.Output).
    """
    bucket, prefix = description["S3Bucket"], description.get("S3Prefix", "").removesuffix("/")
    top = f"{prefix}/AWSDynamoDB" if prefix else "AWSDynamoDB"
    folder = f"{top}/{description['ExportArn'].rpartition('/')[2]}"
    data_folder = f"{top}/data" if description["ExportType"] == "INCREMENTAL_EXPORT" else f"{folder}/data"
    extension = "ion" if description["ExportFormat"] == "ION" else "json"
    s3.put_object(Bucket=bucket, Key=f"{folder}/_started", Body=b"")

    files = []
    for number, rows in enumerate(_shares(contents)):
        # Drawn from the export's id: an export that is done again after a crash replaces its own files.
        name = hashlib.sha256(f"{folder}/{number}".encode()).hexdigest()[:26]
        data = b"" if rows is None else _compressed(rows, contents.line)
        files.append(_write_data(s3, bucket, f"{data_folder}/{name}.{extension}.gz", data, len(rows or ())))
    files_key = _write_manifest(s3, bucket, f"{folder}/manifest-files", "".join(json.dumps(f) + "\n" for f in files))
    totals = {"BilledSizeBytes": contents.billed_bytes, "ItemCount": len(contents.rows)}
    summary = _summary(description, files_key, totals, now())
    summary_key = _write_manifest(s3, bucket, f"{folder}/manifest-summary", json.dumps(summary))
    return {"ExportStatus": "COMPLETED", "ExportManifest": summary_key, **totals}


def _shares(contents: Contents) -> list[Sequence[Any] | None]:
    """Return each file's rows; None stands for a file of 0 bytes."""
    count = max(_FEWEST_FILES, -(-contents.billed_bytes // _LARGEST_BYTES))
    return [*(contents.rows[number::count] for number in range(count)), [], None]


def _compressed(rows: Sequence[Any], line: Callable[[Any], bytes]) -> bytes:
    """Compress as the lines come, so that no more than one file is ever in memory."""
    if not rows:
        return gzip.compress(b"", mtime=0)
    target, left = io.BytesIO(), iter(rows)
    with gzip.GzipFile(fileobj=target, mode="wb", compresslevel=_GZIP_LEVEL, mtime=0) as file:
        while lines := [line(row) for row in islice(left, _LINES_AT_ONCE)]:
            file.write(b"\n".join(lines) + b"\n")
    return target.getvalue()


def _write_data(s3: Any, bucket: str, key: str, data: bytes, count: int) -> dict[str, Any]:
    """Upload in one part, as DynamoDB does: the ETag ends in `-1` and is no MD5 of the object."""
    upload = s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=1, Body=data)
    done = s3.complete_multipart_upload(
        Bucket=bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    )
    return {
        "itemCount": count,
        "md5Checksum": _md5(data),
        "etag": done["ETag"].strip('"'),
        "dataFileS3Key": key,
    }


def _write_manifest(s3: Any, bucket: str, stem: str, text: str) -> str:
    body = text.encode()
    s3.put_object(Bucket=bucket, Key=f"{stem}.json", Body=body, ContentType="application/json")
    s3.put_object(Bucket=bucket, Key=f"{stem}.checksum", Body=_md5(body).encode())
    return f"{stem}.json"


def _summary(description: dict[str, Any], files_key: str, totals: dict[str, int], end: datetime) -> dict[str, Any]:
    window = description.get("IncrementalExportSpecification")
    if window:
        version, times = (
            "2023-08-01",
            {"exportFromTime": window["ExportFromTime"], "exportToTime": window["ExportToTime"]},
        )
        kind = {"outputView": window["ExportViewType"], "exportType": description["ExportType"]}
    else:
        version, times, kind = "2020-06-30", {"exportTime": description["ExportTime"]}, {}
    return {
        "version": version,
        "exportArn": description["ExportArn"],
        "startTime": _iso(description["StartTime"]),
        "endTime": _iso(end.timestamp()),
        "tableArn": description["TableArn"],
        "tableId": description["TableId"],
        **{name: _iso(seconds) for name, seconds in times.items()},
        "s3Bucket": description["S3Bucket"],
        "s3Prefix": description.get("S3Prefix") or None,
        "s3SseAlgorithm": description["S3SseAlgorithm"],
        "s3SseKmsKeyId": description.get("S3SseKmsKeyId"),
        "manifestFilesS3Key": files_key,
        "billedSizeBytes": totals["BilledSizeBytes"],
        "itemCount": totals["ItemCount"],
        "outputFormat": description["ExportFormat"],
        **kind,
    }


def _md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
