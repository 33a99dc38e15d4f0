"""
One data file: columns found by field id, as the Iceberg specification says (Column projection), and rows written so.

pyiceberg's own reading and writing of rows turns a NULL list of structs into an empty one, so neither is used.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.io.pyarrow import ParquetFormatWriter
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
from pyiceberg.table.locations import load_location_provider
from pyiceberg.typedef import Record

from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.tables.arrow_types import relabelled

if TYPE_CHECKING:
    from pyiceberg.io import FileIO
    from pyiceberg.partitioning import PartitionKey
    from pyiceberg.schema import Schema
    from pyiceberg.table.metadata import TableMetadata

_FIELD_ID = b"PARQUET:field_id"


def read_file(io: FileIO, file: DataFile, schema: Schema) -> pa.Table:
    """
    Return the columns of *schema*; one that the file has not is NULL, and an older type becomes the present one.

    Raises: StatementError; Unsupported for other formats, files without field ids and structs whose fields changed.
    """
    if file.file_format != FileFormat.PARQUET:
        raise Unsupported(f"an Iceberg data file in {file.file_format.value}")
    try:
        parquet = pq.ParquetFile(io.new_input(file.file_path).open())
    except (pa.ArrowException, OSError) as problem:
        raise StatementError("ICEBERG_CANNOT_OPEN_SPLIT", f"Error opening Iceberg split {file.file_path}") from problem
    stored = {_field_id(field): field for field in parquet.schema_arrow}
    if None in stored:
        raise Unsupported("an Iceberg data file without field ids")
    target = schema.as_arrow()
    wanted = [field for field in target if _field_id(field) in stored]
    cells = parquet.read(columns=[stored[_field_id(field)].name for field in wanted])
    columns = {
        field.name: _fitted(cells.column(place), cells.field(place), field) for place, field in enumerate(wanted)
    }
    missing = {field.name: pa.nulls(file.record_count, field.type) for field in target if field not in wanted}
    return pa.table({field.name: {**columns, **missing}[field.name] for field in target}, schema=target)


def _fitted(cells: pa.ChunkedArray, stored: pa.Field, target: pa.Field) -> pa.Array:
    if not _is_same_shape(stored, target):
        raise Unsupported(f"Iceberg column {target.name!r}, whose inner fields have changed")
    return relabelled(cells, target.type)


def _is_same_shape(stored: pa.Field, target: pa.Field) -> bool:
    pairs = zip(_inner(stored.type), _inner(target.type), strict=False)
    return (
        _field_id(stored) == _field_id(target)
        and len(_inner(stored.type)) == len(_inner(target.type))
        and all(_is_same_shape(old, new) for old, new in pairs)
    )


def _inner(kind: pa.DataType) -> list[pa.Field]:
    if pa.types.is_struct(kind):
        return list(kind)
    if pa.types.is_map(kind):
        return [kind.key_field, kind.item_field]
    return [kind.value_field] if pa.types.is_list(kind) or pa.types.is_large_list(kind) else []


def _field_id(field: pa.Field) -> int | None:
    text = (field.metadata or {}).get(_FIELD_ID)
    return int(text) if text is not None else None


def write_file(io: FileIO, metadata: TableMetadata, rows: pa.Table, key: PartitionKey | None) -> DataFile:
    """Write rows of the table's own schema, all of one partition."""
    place = load_location_provider(metadata.location, metadata.properties)
    path = place.new_data_location(f"{uuid.uuid4()}.parquet", key)
    output = io.new_output(path)
    writer = ParquetFormatWriter(output, metadata.schema(), metadata.properties)
    writer.write(rows)
    statistics = writer.close()
    return DataFile.from_args(
        content=DataFileContent.DATA,
        file_path=path,
        file_format=FileFormat.PARQUET,
        partition=key.partition if key else Record(),
        file_size_in_bytes=len(output),
        sort_order_id=None,
        spec_id=metadata.default_spec_id,
        equality_ids=None,
        key_metadata=None,
        **statistics.to_serialized_dict(),
    )
