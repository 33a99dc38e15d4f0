"""
Parquet files as rows: columns by name, in the types Athena reads them as.

Source: Athena user guide, "Handle schema updates" (Parquet columns are found by name), Trino's ParquetReader.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.language.trino_types import Type, trino_name
from local_aws.athena.tables.arrow_types import arrow_type
from local_aws.athena.tables.parsed_files import Column, FileFacts

_MAGIC_AND_LENGTH_BYTES = 8


def read_columns(body: bytes, key: str, columns: list[Column]) -> tuple[FileFacts, list[pa.ChunkedArray]]:
    """
    Return what a file holds of *columns*; a column that it has not is NULL.

    Units: what is read are the footer and the columns' own chunks, compressed.
    Raises: StatementError HIVE_CANNOT_OPEN_SPLIT for bytes that are no Parquet, HIVE_BAD_DATA for other types.
    """
    try:
        file = pq.ParquetFile(BytesIO(body))
        stored = {name.lower(): name for name in file.schema_arrow.names}
        if len(stored) != len(file.schema_arrow.names):
            raise Unsupported(f"{key}: a Parquet file with two columns whose names differ only in case")
        table = file.read(columns=[stored[name] for name, _ in columns if name in stored])
    except (pa.ArrowException, OSError) as problem:
        raise StatementError("HIVE_CANNOT_OPEN_SPLIT", f"{key} is no readable Parquet file") from problem
    cells = [
        _fit(table.column(stored[name]), kind, name, key)
        if name in stored
        else pa.chunked_array([pa.nulls(file.metadata.num_rows, arrow_type(kind))])
        for name, kind in columns
    ]
    return _facts(file.metadata), cells


def _facts(footer: pq.FileMetaData) -> FileFacts:
    by_column: dict[str, int] = {}
    for group in range(footer.num_row_groups):
        for place in range(footer.num_columns):
            chunk = footer.row_group(group).column(place)
            name = chunk.path_in_schema.split(".")[0].lower()
            by_column[name] = by_column.get(name, 0) + chunk.total_compressed_size
    return FileFacts(footer.num_rows, footer.serialized_size + _MAGIC_AND_LENGTH_BYTES, by_column)


def _fit(cells: pa.ChunkedArray, kind: Type, name: str, key: str) -> pa.ChunkedArray:
    if not _is_readable(cells.type, kind):
        raise StatementError(
            "HIVE_BAD_DATA", f"{key}: column {name!r} of type {cells.type} is incompatible with {trino_name(kind)}"
        )
    try:
        if kind.name == "timestamp":
            cells = cells.cast(pa.timestamp("ms"))
        if kind.name == "varchar" and kind.args[0] is not None and _longest(cells) > kind.args[0]:
            raise Unsupported(f"{key}: column {name!r} holds text that is too long for {trino_name(kind)}")
        if kind.name in ("row", "array", "map"):
            return pa.chunked_array([pa.array(_renamed(cells.to_pylist(), kind), arrow_type(kind))])
        return cells.cast(arrow_type(kind))
    except pa.ArrowInvalid as problem:
        # Times finer than milliseconds are rounded, numbers too large are cut, by rules that were not compared.
        raise Unsupported(f"{key}: column {name!r} holds what {trino_name(kind)} cannot hold exactly") from problem


def _longest(cells: pa.ChunkedArray) -> int:
    return pc.max(pc.utf8_length(cells)).as_py() or 0


def _is_readable(stored: pa.DataType, kind: Type) -> bool:
    """Tell whether Athena reads a stored Parquet type as *kind*: the same type, or a wider one."""
    match kind.name:
        case "varchar":
            return pa.types.is_string(stored) or pa.types.is_large_string(stored)
        case "tinyint" | "smallint" | "integer":
            return pa.types.is_signed_integer(stored) and stored.bit_width <= 32
        case "bigint":
            return pa.types.is_signed_integer(stored)
        case "real" | "double":
            return pa.types.is_float32(stored) or (kind.name == "double" and pa.types.is_float64(stored))
        case "decimal":
            return pa.types.is_decimal(stored) and stored.scale == kind.args[1] and stored.precision <= kind.args[0]
        case "timestamp":
            return pa.types.is_timestamp(stored)
        case "array":
            return pa.types.is_list(stored) and _is_readable(stored.value_type, kind.args[0])
        case "map":
            return (
                pa.types.is_map(stored)
                and _is_readable(stored.key_type, kind.args[0])
                and _is_readable(stored.item_type, kind.args[1])
            )
        case "row":
            labels = [field.name.lower() for field in stored] if pa.types.is_struct(stored) else []
            return labels == [label for label, _ in kind.args] and all(
                _is_readable(stored.field(index).type, field) for index, (_, field) in enumerate(kind.args)
            )
        case "char":
            raise Unsupported(f"reading a Parquet column of type {trino_name(kind)}")
    return stored == arrow_type(kind)


def _renamed(values: list[Any], kind: Type) -> list[Any]:
    """Return nested values with the fields of rows named f0, f1, …"""
    match kind.name:
        case "array":
            return [value if value is None else _renamed(value, kind.args[0]) for value in values]
        case "map":
            return [
                value if value is None else [(name, _renamed([item], kind.args[1])[0]) for name, item in value]
                for value in values
            ]
        case "row":
            return [
                value
                if value is None
                else {
                    f"f{index}": _renamed([item], field)[0]
                    for index, (item, (_, field)) in enumerate(zip(value.values(), kind.args, strict=True))
                }
                for value in values
            ]
    return values
