"""The arrow type that holds a table column of each Trino type."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from local_aws.athena.language.trino_types import Type

_SIMPLE = {
    "boolean": pa.bool_(), "tinyint": pa.int8(), "smallint": pa.int16(), "integer": pa.int32(), "bigint": pa.int64(),
    "real": pa.float32(), "double": pa.float64(), "varchar": pa.string(), "char": pa.string(),
    "varbinary": pa.binary(), "date": pa.date32(), "timestamp": pa.timestamp("us"),
}  # fmt: skip


def arrow_type(kind: Type) -> pa.DataType:
    """Return the arrow type of a table column; fields of rows are f0, f1, …"""
    match kind.name:
        case "decimal":
            return pa.decimal128(*kind.args)
        case "array":
            return pa.list_(arrow_type(kind.args[0]))
        case "map":
            return pa.map_(arrow_type(kind.args[0]), arrow_type(kind.args[1]))
        case "row":
            return pa.struct([(f"f{index}", arrow_type(field)) for index, (_, field) in enumerate(kind.args)])
    return _SIMPLE[kind.name]
