"""Rows into data files: one file a partition, as the table's partition spec says."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyiceberg.partitioning import PartitionFieldValue, PartitionKey
from pyiceberg.types import DateType, TimestampType

from local_aws.athena.failures import StatementError
from local_aws.athena.iceberg.data_files import write_file
from local_aws.athena.tables.arrow_types import relabelled

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pyiceberg.io import FileIO
    from pyiceberg.manifest import DataFile
    from pyiceberg.partitioning import PartitionField
    from pyiceberg.schema import Schema
    from pyiceberg.table.metadata import TableMetadata

MAX_PARTITIONS = 100


def stored_rows(rows: pa.Table, schema: Schema) -> pa.Table:
    """Return rows of the engine (one column for each of *schema*, in its order) in Iceberg's arrow types."""
    target = schema.as_arrow()
    columns = [relabelled(rows.column(index), field.type) for index, field in enumerate(target)]
    return pa.table(columns, schema=target)


def write(metadata: TableMetadata, io: FileIO, rows: pa.Table) -> list[DataFile]:
    """
    Write *rows* (of the table's own schema) and return the files, none for no rows.

    Raises: StatementError beyond 100 partitions (Athena user guide, Service quotas of INSERT and CTAS).
    """
    if not rows.num_rows:
        return []
    parts = _partitions(metadata, rows)
    if len(parts) > MAX_PARTITIONS:
        raise StatementError(
            "ICEBERG_TOO_MANY_OPEN_PARTITIONS", f"Exceeded limit of {MAX_PARTITIONS} open writers for partitions"
        )
    return [write_file(io, metadata, picked(rows, places), key) for key, places in parts]


def picked(rows: pa.Table | pa.ChunkedArray, places: Iterable[int]) -> pa.Table | pa.ChunkedArray:
    """Return the rows at *places*, in their order."""
    return rows.take(pa.array(places, pa.int64()))


def _partitions(metadata: TableMetadata, rows: pa.Table) -> list[tuple[PartitionKey | None, list[int]]]:
    spec, schema = metadata.spec(), metadata.schema()
    if spec.is_unpartitioned():
        return [(None, list(range(rows.num_rows)))]
    places: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for place, values in enumerate(zip(*(_values(field, schema, rows) for field in spec.fields), strict=True)):
        places[values].append(place)
    return [
        (
            PartitionKey(
                [PartitionFieldValue(field, value) for field, value in zip(spec.fields, values, strict=True)],
                spec,
                schema,
            ),
            found,
        )
        for values, found in places.items()
    ]


def _values(field: PartitionField, schema: Schema, rows: pa.Table) -> Iterator[Any]:
    source = schema.find_field(field.source_id)
    cells = rows.column(source.name)
    # Transforms take days and microseconds since 1970.
    if isinstance(source.field_type, DateType):
        cells = cells.cast(pa.int32())
    elif isinstance(source.field_type, TimestampType):
        cells = cells.cast(pa.int64())
    transform = field.transform.transform(source.field_type)
    return (None if value is None else transform(value) for value in cells.to_pylist())
