"""
Parquet files as rows: columns by name, in the types Athena reads them as.

Source: Athena user guide, "Handle schema updates" (Parquet columns are found by name), Trino's ParquetReader.
"""

from __future__ import annotations

from io import BytesIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.language.trino_types import VARCHAR, Type, trino_name
from local_aws.athena.tables.arrow_types import arrow_type, relabelled
from local_aws.athena.tables.parsed_files import Column, FileFacts

_MAGIC_AND_LENGTH_BYTES = 8


def read_columns(body: bytes, key: str, columns: list[Column]) -> tuple[FileFacts, list[pa.ChunkedArray]]:
    """
    Return what a file holds of *columns*; a column that it has not is NULL.

    Units: what is read are the footer and the columns' own chunks, compressed.
    Raises: StatementError HIVE_CANNOT_OPEN_SPLIT for bytes that are no Parquet, HIVE_BAD_DATA for other types.
    """
    try:
        file = pq.ParquetFile(BytesIO(_without_arrow_schema(body)))
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


def _without_arrow_schema(body: bytes) -> bytes:
    """Return a file without arrow's own types in its footer (dictionaries, views, …): Athena sees those of Parquet."""
    footer = max(0, len(body) - _MAGIC_AND_LENGTH_BYTES - int.from_bytes(body[-8:-4], "little"))
    return body[:footer] + body[footer:].replace(b"ARROW:schema", b"arrow.unread")


def _facts(footer: pq.FileMetaData) -> FileFacts:
    by_column: dict[str, int] = {}
    for group in range(footer.num_row_groups):
        for place in range(footer.num_columns):
            chunk = footer.row_group(group).column(place)
            name = chunk.path_in_schema.split(".")[0].lower()
            by_column[name] = by_column.get(name, 0) + chunk.total_compressed_size
    return FileFacts(footer.num_rows, footer.serialized_size + _MAGIC_AND_LENGTH_BYTES, by_column)


def _fit(cells: pa.ChunkedArray, kind: Type, name: str, key: str) -> pa.ChunkedArray:
    is_bounded = kind.name == "varchar" and kind.args[0] is not None
    if not _is_readable(cells.type, VARCHAR if is_bounded else kind):
        what = f"{key}: column {name!r} of type {cells.type}"
        if _family(cells.type) in ("", _family(arrow_type(kind, "ms"))):
            raise Unsupported(f"{what} in a Parquet file as {trino_name(kind)}")  # Trino converts some of these
        raise StatementError("HIVE_BAD_DATA", f"{what} is incompatible with {trino_name(kind)}")
    try:
        exact = relabelled(cells, arrow_type(kind, "ms"))
        if is_bounded and (pc.max(pc.utf8_length(exact)).as_py() or 0) > kind.args[0]:
            raise Unsupported(f"{key}: column {name!r} holds text that is too long for {trino_name(kind)}")
        return pa.chunked_array([relabelled(exact, arrow_type(kind))])
    except pa.ArrowInvalid as problem:
        # Times finer than milliseconds are rounded, numbers too large are cut, by rules that were not compared.
        raise Unsupported(f"{key}: column {name!r} holds what {trino_name(kind)} cannot hold exactly") from problem


def _family(stored: pa.DataType) -> str:
    """Return what a type is stored as; nothing where Parquet stores it in several ways."""
    if pa.types.is_decimal(stored) or pa.types.is_null(stored) or isinstance(stored, pa.BaseExtensionType):
        return ""
    if pa.types.is_string(stored) or pa.types.is_binary(stored) or pa.types.is_fixed_size_binary(stored):
        return "text"
    if pa.types.is_nested(stored) or pa.types.is_boolean(stored):
        return "nested" if pa.types.is_nested(stored) else "boolean"
    return "number"  # times are numbers too


def _is_readable(stored: pa.DataType, kind: Type) -> bool:
    """Tell whether Athena reads a stored Parquet type as *kind*: the same type, or a wider one."""
    match kind.name:
        case "varchar" if kind.args[0] is None:
            return pa.types.is_string(stored)
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
        case "char" | "varchar":
            raise Unsupported(f"reading a Parquet column with {trino_name(kind)} in it")
    return stored == arrow_type(kind)
