"""
VACUUM: snapshots past their age are forgotten, and what only they, or nobody, needed is removed.

Source: Athena user guide, VACUUM; Iceberg's RemoveSnapshots, which keeps the newest ancestors of the current snapshot
up to the number that is to be kept, and beyond it those that are young enough.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from pyiceberg.table.update.snapshot import ExpireSnapshots

from local_aws.athena.iceberg.tables import commit
from local_aws.athena.tables.store import split_uri

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyiceberg.table import Table

    from local_aws.athena.tables.catalog import TableName

_DEFAULT_AGE_SECONDS = 5 * 24 * 60 * 60
_DEFAULT_KEPT = 1


def vacuum(table: Table, name: TableName, s3: Any, now: datetime) -> None:
    """
    Expire snapshots in one commit, then remove files; those younger than the age may belong to a running statement.

    Raises: StatementError ICEBERG_COMMIT_ERROR.
    """
    age = int(table.properties.get("vacuum_max_snapshot_age_seconds", _DEFAULT_AGE_SECONDS))
    oldest = now - timedelta(seconds=age)
    before = set(_files(table))
    expired = _expired(table, oldest)
    if expired:
        transaction = table.transaction()
        ExpireSnapshots(transaction).by_ids(expired).commit()
        commit(transaction, name)
    kept = set(_files(table.refresh()))
    bucket, prefix = split_uri(table.location())
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for entry in page.get("Contents", []):
            uri = f"s3://{bucket}/{entry['Key']}"
            if uri not in kept and (uri in before or entry["LastModified"] < oldest):
                s3.delete_object(Bucket=bucket, Key=entry["Key"])


def _expired(table: Table, oldest: datetime) -> list[int]:
    at_least = int(table.properties.get("vacuum_min_snapshots_to_keep", _DEFAULT_KEPT))
    kept: set[int] = set()
    snapshot = table.current_snapshot()
    while snapshot is not None and (len(kept) < at_least or _is_young(snapshot.timestamp_ms, oldest)):
        kept.add(snapshot.snapshot_id)
        snapshot = table.metadata.snapshot_by_id(snapshot.parent_snapshot_id) if snapshot.parent_snapshot_id else None
    return [entry.snapshot_id for entry in table.snapshots() if entry.snapshot_id not in kept]


def _is_young(timestamp_ms: int, oldest: datetime) -> bool:
    return timestamp_ms >= oldest.timestamp() * 1000


def _files(table: Table) -> Iterator[str]:
    """Return every object that the table's present metadata leads to."""
    yield table.metadata_location
    yield from (entry.metadata_file for entry in table.metadata.metadata_log)
    for snapshot in table.snapshots():
        yield snapshot.manifest_list
        for manifest in snapshot.manifests(table.io):
            yield manifest.manifest_path
            yield from (entry.data_file.file_path for entry in manifest.fetch_manifest_entry(table.io))
