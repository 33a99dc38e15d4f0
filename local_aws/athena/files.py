"""Tables as arrow: partitions chosen, files read by their format and kept by etag, columns named c0, c1, …"""

from __future__ import annotations

import threading
from collections import OrderedDict
from datetime import date
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from local_aws.athena import ion_rows
from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.trino_types import Type, is_integer, trino_name

if TYPE_CHECKING:
    from local_aws.athena.catalog import Scan, Table
    from local_aws.athena.store import Store, StoredObject

_ION = "com.amazon.ionhiveserde.ionhiveserde"
_PARQUET = "org.apache.hadoop.hive.ql.io.parquet.serde.parquethiveserde"
_NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"
_CACHE_BYTES = 256 * 1024 * 1024
_SIMPLE_ARROW = {
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
    return _SIMPLE_ARROW[kind.name]


class ParsedFiles:
    """Parsed files by (object, etag, columns): a second query over the same snapshot parses nothing."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[Any, ...], pa.Table] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, key: tuple[Any, ...]) -> pa.Table | None:
        """Return a parsed file, None when it is not known."""
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
            return self._known.get(key)

    def put(self, key: tuple[Any, ...], table: pa.Table) -> None:
        """Keep a parsed file; the longest unused go first."""
        with self._lock:
            if key in self._known:
                return
            self._known[key] = table
            self._bytes += table.nbytes
            while self._bytes > _CACHE_BYTES and len(self._known) > 1:
                self._bytes -= self._known.popitem(last=False)[1].nbytes


class TableFiles:
    """Load scans through a store, Glue's partitions and the cache."""

    def __init__(self, store: Store, glue: Any, parsed: ParsedFiles) -> None:
        self._store = store
        self._glue = glue
        self._parsed = parsed
        self.scanned_bytes = 0

    def load(self, scan: Scan, wanted: set[int], equalities: dict[str, set[str]]) -> pa.Table:
        """Return one scan's rows; columns outside *wanted* (indexes) are left out."""
        table = scan.table
        parts = self._partitions(table, equalities) if table.partition_keys else [(table.glue["StorageDescriptor"], [])]
        kinds = table.columns + table.partition_keys
        schema = pa.schema(
            [(f"c{index}", arrow_type(kinds[index][1])) for index in sorted(wanted)] or [("c", pa.bool_())]
        )
        loaded: list[pa.Table] = []
        for storage, values in parts:
            data = sorted(index for index in wanted if index < len(table.columns))
            for entry in self._store.visible(storage["Location"]):
                rows = self._file(entry, [table.columns[index] for index in data], storage)
                columns = {f"c{index}": rows.column(place) for place, index in enumerate(data)}
                for index in sorted(wanted - set(data)):
                    value = values[index - len(table.columns)]
                    kind = arrow_type(kinds[index][1])
                    columns[f"c{index}"] = (
                        pa.nulls(rows.num_rows, kind)
                        if value is None
                        else pa.repeat(pa.scalar(value, kind), rows.num_rows)
                    )
                columns = columns or {"c": pa.nulls(rows.num_rows, pa.bool_())}
                loaded.append(pa.table({field.name: columns[field.name] for field in schema}, schema=schema))
        return pa.concat_tables(loaded) if loaded else schema.empty_table()

    def _partitions(self, table: Table, equalities: dict[str, set[str]]) -> list[tuple[dict[str, Any], list[Any]]]:
        chosen: list[tuple[dict[str, Any], list[Any]]] = []
        pages = self._glue.get_paginator("get_partitions").paginate(
            DatabaseName=table.name.database, TableName=table.name.name
        )
        for page in pages:
            for partition in page["Partitions"]:
                texts = dict(zip((key for key, _ in table.partition_keys), partition["Values"], strict=True))
                kinds = dict(table.partition_keys)
                if any(
                    kinds[key].name == "varchar" and texts[key] not in allowed for key, allowed in equalities.items()
                ):
                    continue
                chosen.append(
                    (
                        partition["StorageDescriptor"],
                        [_partition_value(texts[key], kind) for key, kind in table.partition_keys],
                    )
                )
        return chosen

    def _file(self, entry: StoredObject, columns: list[tuple[str, Type]], storage: dict[str, Any]) -> pa.Table:
        serde = storage.get("SerdeInfo") or {}
        library = (serde.get("SerializationLibrary") or "").lower()
        parameters = dict(serde.get("Parameters") or {})
        self.scanned_bytes += entry.size
        key = (entry, library, tuple(columns), tuple(sorted(parameters.items())))
        known = self._parsed.get(key)
        if known is None:
            known = _read(self._store.read(entry), entry.key, columns, library, parameters)
            self._parsed.put(key, known)
        return known


def _read(body: bytes, key: str, columns: list[tuple[str, Type]], library: str, parameters: dict[str, str]) -> pa.Table:
    if library == _ION:
        values = ion_rows.read_rows(body, key, columns, parameters)
        if not columns:
            return pa.table({"c": pa.array(values[0], pa.bool_())})
        return pa.table(
            [pa.array(cells, arrow_type(kind)) for cells, (_, kind) in zip(values, columns, strict=True)],
            names=_names(columns),
        )
    if library == _PARQUET:
        return _read_parquet(body, key, columns)
    raise Unsupported(f"SerDe {library or 'without a name'!r}")


def _names(columns: list[tuple[str, Type]]) -> list[str]:
    return [f"c{index}" for index in range(len(columns))]


def _partition_value(text: str, kind: Type) -> Any:
    if text == _NULL_PARTITION:
        return None
    try:
        if is_integer(kind):
            return int(text)
        if kind.name == "date":
            return date.fromisoformat(text)
    except ValueError as problem:
        raise StatementError(
            "HIVE_INVALID_PARTITION_VALUE", f"partition value {text!r} is no {trino_name(kind)}"
        ) from problem
    if kind.name == "varchar":
        return text
    raise Unsupported(f"partition key of type {trino_name(kind)}")


def _read_parquet(body: bytes, key: str, columns: list[tuple[str, Type]]) -> pa.Table:
    try:
        file = pq.ParquetFile(BytesIO(body))
        stored = {name.lower(): name for name in file.schema_arrow.names}
        table = file.read(columns=[stored[name] for name, _ in columns if name in stored])
    except (pa.ArrowException, OSError) as problem:
        raise StatementError("HIVE_CANNOT_OPEN_SPLIT", f"{key} is no readable Parquet file") from problem
    rows = file.metadata.num_rows
    if not columns:
        return pa.table({"c": pa.nulls(rows, pa.bool_())})
    cells = [
        _fit(table.column(stored[name]), kind, name, key) if name in stored else pa.nulls(rows, arrow_type(kind))
        for name, kind in columns
    ]
    return pa.table(cells, names=_names(columns))


def _fit(cells: pa.ChunkedArray, kind: Type, name: str, key: str) -> pa.ChunkedArray:
    target = arrow_type(kind)
    if not _is_readable(cells.type, kind):
        raise StatementError(
            "HIVE_BAD_DATA", f"{key}: column {name!r} of type {cells.type} is incompatible with {trino_name(kind)}"
        )
    if pa.types.is_timestamp(cells.type):
        cells = cells.cast(pa.timestamp("us"), safe=False)
    if kind.name in ("row", "array", "map"):
        return pa.chunked_array([_renamed(chunk, kind) for chunk in cells.chunks], target)
    return cells.cast(target)


def _is_readable(stored: pa.DataType, kind: Type) -> bool:
    """Tell whether Athena reads a stored Parquet type as *kind*: the same type, or a wider one."""
    match kind.name:
        case "varchar" if kind.args[0] is None:
            return pa.types.is_string(stored) or pa.types.is_large_string(stored)
        case "tinyint" | "smallint" | "integer" | "bigint":
            return (
                pa.types.is_signed_integer(stored)
                and stored.bit_width <= {"tinyint": 32, "smallint": 32, "integer": 32, "bigint": 64}[kind.name]
            )
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
            labels = (
                [stored.field(index).name.lower() for index in range(stored.num_fields)]
                if pa.types.is_struct(stored)
                else []
            )
            return labels == [label for label, _ in kind.args] and all(
                _is_readable(stored.field(index).type, field) for index, (_, field) in enumerate(kind.args)
            )
        case "varchar" | "char":
            raise Unsupported(f"reading a Parquet column of type {trino_name(kind)}")
    return stored == arrow_type(kind)


def _renamed(cells: pa.Array, kind: Type) -> pa.Array:
    return pa.array(_python(cells.to_pylist(), kind), arrow_type(kind))


def _python(values: list[Any], kind: Type) -> list[Any]:
    if kind.name == "array":
        return [None if value is None else _python(value, kind.args[0]) for value in values]
    if kind.name == "row":
        return [
            None
            if value is None
            else {
                f"f{index}": _python([item], field)[0]
                for index, (item, (_, field)) in enumerate(zip(value.values(), kind.args, strict=True))
            }
            for value in values
        ]
    return values
