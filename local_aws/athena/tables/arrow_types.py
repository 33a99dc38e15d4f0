"""The arrow type that holds a table column of each Trino type, and cells under another type's names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from local_aws.athena.language.trino_types import Type

_SIMPLE = {
    "boolean": pa.bool_(), "tinyint": pa.int8(), "smallint": pa.int16(), "integer": pa.int32(), "bigint": pa.int64(),
    "real": pa.float32(), "double": pa.float64(), "varchar": pa.string(), "char": pa.string(),
    "varbinary": pa.binary(), "date": pa.date32(),
}  # fmt: skip


def arrow_type(kind: Type, unit: str = "us") -> pa.DataType:
    """Return the arrow type of a table column; fields of rows are f0, f1, …, timestamps count in *unit*."""
    match kind.name:
        case "timestamp":
            return pa.timestamp(unit)
        case "decimal":
            return pa.decimal128(*kind.args)
        case "array":
            return pa.list_(arrow_type(kind.args[0], unit))
        case "map":
            return pa.map_(arrow_type(kind.args[0], unit), arrow_type(kind.args[1], unit))
        case "row":
            return pa.struct([(f"f{index}", arrow_type(field, unit)) for index, (_, field) in enumerate(kind.args)])
    return _SIMPLE[kind.name]


def relabelled(cells: pa.Array | pa.ChunkedArray, kind: pa.DataType) -> pa.Array:
    """
    Return *cells* as *kind*: the same values, while the fields of structs go by their place and not by name.

    Raises: pa.ArrowInvalid for a value that *kind* cannot hold exactly.
    """
    if isinstance(cells, pa.ChunkedArray):
        cells = cells.combine_chunks()
    if pa.types.is_struct(kind):
        fields = [relabelled(cells.field(index), field.type) for index, field in enumerate(kind)]
        return pa.StructArray.from_arrays(fields, fields=list(kind), mask=cells.is_null())
    if pa.types.is_map(kind):
        keys, items = relabelled(cells.keys, kind.key_type), relabelled(cells.items, kind.item_type)
        return pa.MapArray.from_arrays(cells.offsets, keys, items, type=kind, mask=cells.is_null())
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        make = pa.ListArray if pa.types.is_list(kind) else pa.LargeListArray
        return make.from_arrays(
            cells.offsets, relabelled(cells.values, kind.value_type), type=kind, mask=cells.is_null()
        )
    return cells.cast(kind)
