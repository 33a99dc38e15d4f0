"""Objects in S3 as a table's files: what a reader sees of a folder, and folders that must be empty."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from local_aws.athena.failures import StatementError


@dataclass(frozen=True)
class StoredObject:
    """One object; *etag* changes whenever its bytes do."""

    bucket: str
    key: str
    etag: str
    size: int


def split_uri(uri: str) -> tuple[str, str]:
    """
    Return bucket and key prefix (ending in / or empty) of an s3:// URI.

    Raises: StatementError for anything else.
    """
    scheme, _, rest = uri.partition("://")
    bucket, _, prefix = rest.partition("/")
    if scheme not in ("s3", "s3a", "s3n") or not bucket:
        raise StatementError("INVALID_TABLE_PROPERTY", f"not an S3 location: {uri!r}")
    return bucket, prefix if not prefix or prefix.endswith("/") else prefix + "/"


def folder_uri(uri: str) -> str:
    """Return the URI of a folder, ending in /; raises what split_uri raises."""
    bucket, prefix = split_uri(uri)
    return f"s3://{bucket}/{prefix}"


class Store:
    """Read and write objects through an S3 client."""

    def __init__(self, s3: Any) -> None:
        self._s3 = s3

    def listed(self, uri: str) -> list[StoredObject]:
        """Return every object below a folder, in key order."""
        bucket, prefix = split_uri(uri)
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        try:
            return [
                StoredObject(bucket, entry["Key"], entry["ETag"], entry["Size"])
                for page in pages
                for entry in page.get("Contents", [])
            ]
        except ClientError as problem:
            raise StatementError(
                "HIVE_METASTORE_ERROR", f"cannot list {uri}: {problem.response['Error']['Code']}"
            ) from problem

    def visible(self, uri: str) -> list[StoredObject]:
        """Return the objects that a query reads: nothing empty, nothing whose name or folder begins with _ or a dot."""
        prefix = split_uri(uri)[1]
        return [
            entry
            for entry in self.listed(uri)
            if entry.size and not any(part.startswith(("_", ".")) for part in entry.key[len(prefix) :].split("/"))
        ]

    def check_empty(self, uri: str) -> None:
        """Raise HIVE_PATH_ALREADY_EXISTS when a target folder holds anything."""
        if self.listed(uri):
            raise StatementError("HIVE_PATH_ALREADY_EXISTS", f"Target directory for table already exists: {uri}")

    def read(self, entry: StoredObject) -> bytes:
        """
        Return the bytes of an object as it was listed.

        Raises: StatementError HIVE_CANNOT_OPEN_SPLIT when it is gone or was replaced since.
        """
        try:
            return self._s3.get_object(Bucket=entry.bucket, Key=entry.key, IfMatch=entry.etag)["Body"].read()
        except ClientError as problem:
            raise StatementError(
                "HIVE_CANNOT_OPEN_SPLIT", f"cannot read {entry.key}: {problem.response['Error']['Code']}"
            ) from problem

    def write(self, uri: str, body: bytes) -> str:
        """Put one object and return its etag."""
        bucket, _, key = uri.partition("://")[2].partition("/")
        try:
            return self._s3.put_object(Bucket=bucket, Key=key, Body=body)["ETag"]
        except ClientError as problem:
            raise StatementError(
                "HIVE_WRITER_OPEN_ERROR", f"cannot write {uri}: {problem.response['Error']['Code']}"
            ) from problem
