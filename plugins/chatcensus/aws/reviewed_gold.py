"""The gold rows that reviews have left in the snapshot bucket: `gold/<taxonomy version>/<file>.jsonl`."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def reviewed_gold(s3: "S3Client", bucket: str, taxonomy_version: str) -> dict[str, str]:
    """Return the files of one taxonomy, each as its lines, by its place."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"gold/{taxonomy_version}/")
    keys = sorted(entry["Key"] for page in pages for entry in page.get("Contents", []))
    return {f"s3://{bucket}/{key}": s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode() for key in keys}
