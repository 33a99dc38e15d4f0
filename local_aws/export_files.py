"""The objects a finished export leaves in S3, in the order in which DynamoDB writes them."""

import base64
import gzip
import hashlib
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from local_aws.ion import ion_line
from local_aws.item_size import item_bytes

# Items are spread over this many files. Two more hold nothing: a gzip of nothing and an object of 0 bytes, because an
# internal partition without items gives an empty file, and readers must accept both.
_FILES_WITH_ITEMS = 3


def write_export(
    s3: Any, description: dict[str, Any], items: Sequence[dict[str, Any]], now: Callable[[], datetime]
) -> dict[str, Any]:
    """
    Write `_started`, the data files, both manifests and their checksums; return what DescribeExport then adds.

    Units: sizes in bytes.
    Raises: botocore ClientError when S3 refuses.
    Source: Amazon DynamoDB developer guide, "DynamoDB table export output format".
    """
    export_id = description["ExportArn"].rpartition("/")[2]
    prefix = description.get("S3Prefix", "")
    folder = f"{prefix}/AWSDynamoDB/{export_id}" if prefix else f"AWSDynamoDB/{export_id}"
    bucket = description["S3Bucket"]
    s3.put_object(Bucket=bucket, Key=f"{folder}/_started", Body=b"")

    files = [
        _write_data(s3, bucket, _data_key(folder, number, description), data, count)
        for number, (data, count) in enumerate(_data(description, items))
    ]
    files_key = _write_manifest(s3, bucket, f"{folder}/manifest-files", "".join(json.dumps(f) + "\n" for f in files))
    totals = {"BilledSizeBytes": sum(map(item_bytes, items)), "ItemCount": len(items)}
    summary = _summary(description, files_key, totals, now())
    summary_key = _write_manifest(s3, bucket, f"{folder}/manifest-summary", json.dumps(summary))
    return {"ExportStatus": "COMPLETED", "ExportManifest": summary_key, **totals}


def _data(description: dict[str, Any], items: Sequence[dict[str, Any]]) -> list[tuple[bytes, int]]:
    """Return each file's bytes and number of items."""
    line = ion_line if description["ExportFormat"] == "ION" else _json_line
    files = []
    for number in range(_FILES_WITH_ITEMS):
        mine = items[number::_FILES_WITH_ITEMS]
        text = "".join(line(item) + "\n" for item in mine)
        files.append((gzip.compress(text.encode(), mtime=0), len(mine)))
    return [*files, (gzip.compress(b"", mtime=0), 0), (b"", 0)]


def _json_line(item: dict[str, Any]) -> str:
    return json.dumps({"Item": item}, ensure_ascii=False)


def _data_key(folder: str, number: int, description: dict[str, Any]) -> str:
    # Drawn from the export's id: an export that is done again after a crash replaces its own files.
    name = hashlib.sha256(f"{folder}/{number}".encode()).hexdigest()[:26]
    return f"{folder}/data/{name}.{'ion' if description['ExportFormat'] == 'ION' else 'json'}.gz"


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
    return {
        "version": "2020-06-30",
        "exportArn": description["ExportArn"],
        "startTime": _iso(description["StartTime"]),
        "endTime": _iso(end.timestamp()),
        "tableArn": description["TableArn"],
        "tableId": description["TableId"],
        "exportTime": _iso(description["ExportTime"]),
        "s3Bucket": description["S3Bucket"],
        "s3Prefix": description.get("S3Prefix") or None,
        "s3SseAlgorithm": description["S3SseAlgorithm"],
        "s3SseKmsKeyId": description.get("S3SseKmsKeyId"),
        "manifestFilesS3Key": files_key,
        "billedSizeBytes": totals["BilledSizeBytes"],
        "itemCount": totals["ItemCount"],
        "outputFormat": description["ExportFormat"],
    }


def _md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
