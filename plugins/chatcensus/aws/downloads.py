"""The files beside the report: every summary table as CSV and as Parquet."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from chatcensus.csv_file import csv_bytes
from chatcensus.summaries import Summary

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

AUDIENCES = ("readers", "operators")
CSV, PARQUET = "text/csv; charset=utf-8", "application/vnd.apache.parquet"


def write_downloads(
    s3: "S3Client",
    bucket: str,
    folder: str,
    summaries: Iterable[Summary],
    tables: Mapping[str, Sequence[Mapping[str, Any]]],
    prefixes: Mapping[str, str],
) -> dict[str, list[str]]:
    """
    Write each table of *summaries* under *folder* and return the keys of its files: the CSV, then the Parquet files.

    Shape: *tables* are the rows of each; *prefixes* the s3:// address in *bucket* to which Athena wrote each. A file is
    `<folder>/tables/<audience>/<table>.csv` or `.parquet`, then `-2.parquet` and so on where Athena wrote more than
    one; a table without rows has no Parquet. A folder for each audience lets a bucket policy keep them apart; tables
    that are `workings` are for nobody.
    Source: https://docs.aws.amazon.com/athena/latest/ug/unload.html; a copy by S3 itself takes up to 5 GB.
    """
    files: dict[str, list[str]] = {}
    for summary in (summary for summary in summaries if summary.audience in AUDIENCES):
        rows, path = tables[summary.table], f"{folder}/tables/{summary.audience}/{summary.table}"
        content = csv_bytes([column.name for column in summary.columns], rows)
        s3.put_object(Bucket=bucket, Key=f"{path}.csv", Body=content, ContentType=CSV)
        copies = _copy_parquet(s3, bucket, prefixes[summary.table], path) if rows else []
        files[summary.table] = [f"{path}.csv", *copies]
    return files


def _copy_parquet(s3: "S3Client", bucket: str, address: str, path: str) -> list[str]:
    prefix = address.removeprefix(f"s3://{bucket}/")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    found = sorted(each["Key"] for page in pages for each in page.get("Contents", []) if each["Size"])
    copies = [f"{path}.parquet", *(f"{path}-{number}.parquet" for number in range(2, len(found) + 1))][: len(found)]
    for source, copy in zip(found, copies, strict=True):
        s3.copy_object(
            Bucket=bucket,
            Key=copy,
            CopySource={"Bucket": bucket, "Key": source},
            ContentType=PARQUET,
            MetadataDirective="REPLACE",
        )
    return copies
