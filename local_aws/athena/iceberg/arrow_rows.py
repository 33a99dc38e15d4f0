"""Rows in arrow: some of them, and the same cells under another type's names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterable


def picked(rows: pa.Table | pa.ChunkedArray, places: Iterable[int]) -> pa.Table | pa.ChunkedArray:
    """Return the rows at *places*, in their order."""
    return rows.take(pa.array(places, pa.int64()))


def relabelled(cells: pa.Array, kind: pa.DataType) -> pa.Array:
    """Return *cells* as *kind*: the same values, while the fields of structs go by their place and not by name."""
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
