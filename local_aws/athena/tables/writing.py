"""
Answers written as Parquet: what CTAS, INSERT and UNLOAD leave in S3, one object for each partition.

Source: Athena user guide, "CREATE TABLE AS", "INSERT INTO", "UNLOAD"; Trino's HiveWriteUtils and HiveWriterFactory.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.language.trino_types import Type, hive_name
from local_aws.athena.tables.arrow_types import arrow_type
from local_aws.athena.tables.partitions import check_key_type, partition_folder, partition_text, read_partitions
from local_aws.athena.tables.store import folder_uri

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local_aws.athena.tables.catalog import Table
    from local_aws.athena.tables.store import Store

MOST_PARTITIONS = 100
_CODECS = {"snappy": "snappy", "gzip": "gzip", "zstd": "zstd", "lz4": "lz4", "none": "none", "uncompressed": "none"}
Values = tuple[str, ...]


@dataclass(frozen=True)
class Target:
    """
    Where and how rows are written.

    Shape: the last columns of the rows are the partition keys, as many as *keys*; *known* are partitions that Glue has,
    values -> S3 URI of their folder; *must_be_new* says that the folder of another one may not hold anything.
    """

    location: str
    columns: list[tuple[str, Type]]
    keys: list[str]
    compression: str
    known: Mapping[Values, str] = field(default_factory=dict)
    must_be_new: bool = False


@dataclass(frozen=True)
class Written:
    """The objects that were written, and the new partitions: values as Glue keeps them -> S3 URI of their folder."""

    objects: tuple[str, ...]
    partitions: Mapping[Values, str]


def codec(name: str) -> str:
    """Return pyarrow's name of a compression."""
    if name.lower() not in _CODECS:
        raise Unsupported(f"compression {name!r}")
    return _CODECS[name.lower()]


def check_keys(labels: list[str], keys: list[str]) -> None:
    """Raise StatementError unless partition keys are the last columns, in their order, and not all of them."""
    unknown = [key for key in keys if key not in labels]
    if unknown:
        raise StatementError("INVALID_TABLE_PROPERTY", f"Partition columns {unknown} not present in schema")
    if keys and len(keys) == len(labels):
        raise StatementError("INVALID_TABLE_PROPERTY", "Table contains only partition columns")
    if labels[len(labels) - len(keys) :] != keys:
        raise StatementError(
            "HIVE_COLUMN_ORDER_MISMATCH",
            "Partition keys must be the last columns in the table and in the same order as the table properties: "
            f"[{', '.join(keys)}]",
        )


def insert_target(table: Table, glue: Any) -> Target:
    """Return where INSERT writes: into the folders of partitions that are known, and beside them."""
    known = {}
    if table.partition_keys:
        for partition in read_partitions(glue, table, {}):
            known[tuple(map(partition_text, partition.values))] = folder_uri(partition.storage["Location"])
    return Target(
        folder_uri(table.location),
        list(table.columns + table.partition_keys),
        [key for key, _ in table.partition_keys],
        "gzip",
        known,
        must_be_new=bool(table.partition_keys),
    )


def write(store: Store, rows: pa.Table, target: Target, execution_id: str) -> Written:
    """
    Write *rows* (c0, c1, …); no rows leave no object.

    Raises: StatementError for more than 100 partitions, and for values that cannot be one; Unsupported.
    """
    width = len(target.columns) - len(target.keys)
    data = target.columns[:width]
    for _, kind in target.columns[width:]:
        check_key_type(kind)
    parquet(rows.select(range(width)).slice(0, 0), data, target.compression)  # refuses types that no row would show
    parts = _split(rows, target, width)
    folders = {values: target.known.get(values) or _new_folder(store, target, values) for values in parts}
    bodies = {values: parquet(part.select(range(width)), data, target.compression) for values, part in parts.items()}
    stem = f"{datetime.now(UTC):%Y%m%d_%H%M%S}_{execution_id[:5]}"
    uris = {values: f"{folders[values]}{stem}_{uuid.uuid4()}" for values in parts}
    for values, body in bodies.items():
        store.write(uris[values], body)
    new = {values: folder for values, folder in folders.items() if target.keys and values not in target.known}
    return Written(tuple(uris.values()), new)


def _split(rows: pa.Table, target: Target, width: int) -> dict[Values, pa.Table]:
    """Return the rows of each partition, by its values."""
    if not target.keys:
        return {(): rows} if rows.num_rows else {}
    keys = [[partition_text(value) for value in cells.to_pylist()] for cells in rows.columns[width:]]
    places: dict[Values, list[int]] = {}
    for place, values in enumerate(zip(*keys, strict=True)):
        places.setdefault(values, []).append(place)
    if len(places) > MOST_PARTITIONS:
        raise StatementError(
            "HIVE_TOO_MANY_OPEN_PARTITIONS",
            f"Exceeded limit of {MOST_PARTITIONS} open writers for partitions/buckets: the rows are of {len(places)}",
        )
    return {values: rows.take(found) for values, found in places.items()}


def _new_folder(store: Store, target: Target, values: Values) -> str:
    folder = target.location + partition_folder(target.keys, values)
    if target.must_be_new:
        store.check_empty(folder)
    return folder


def parquet(table: pa.Table, columns: list[tuple[str, Type]], compression: str) -> bytes:
    """
    Return *table* (c0, c1, …) as one Parquet file under the names and types of *columns*.

    Raises: StatementError for types that Hive has not; Unsupported for nested types with rows inside.
    """
    for name, kind in columns:
        hive_name(kind)
        if "row" in repr(kind):
            raise Unsupported(f"writing a row column ({name!r})")
    schema = pa.schema([(name, arrow_type(kind, "ms")) for name, kind in columns])
    out = BytesIO()
    pq.write_table(table.rename_columns([name for name, _ in columns]).cast(schema), out, compression=compression)
    return out.getvalue()
