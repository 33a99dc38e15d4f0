"""Tables as arrow: partitions chosen, files read by their format and kept by etag, columns named c0, c1, …"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from local_aws.athena.failures import Unsupported
from local_aws.athena.tables import csv_rows, delimited_rows, hive_json_rows, ion_rows, openx_json_rows, parquet_files
from local_aws.athena.tables.arrow_types import arrow_type
from local_aws.athena.tables.parsed_files import Column, FileFacts, FileKey, ParsedFiles
from local_aws.athena.tables.partitions import Condition, Partition, check_columns, read_partitions
from local_aws.athena.tables.serdes import (
    HIVE_JSON,
    HIVE_JSON_2,
    ION,
    LAZY_SIMPLE,
    OPEN_CSV,
    OPENX_JSON,
    PARQUET,
    serde_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from local_aws.athena.tables.catalog import Scan, Table
    from local_aws.athena.tables.store import Store

_LINE_READERS = {
    HIVE_JSON: hive_json_rows.read_rows,
    HIVE_JSON_2: hive_json_rows.read_rows,
    OPENX_JSON: openx_json_rows.read_rows,
    LAZY_SIMPLE: delimited_rows.read_rows,
    OPEN_CSV: csv_rows.read_rows,
}
_ROWS_AT_ONCE = 10_000
_NO_COLUMN = pa.schema([("c", pa.bool_())])


class TableFiles:
    """Load scans through a store, Glue's partitions and the cache; *scanned_bytes* counts what Athena would read."""

    def __init__(self, store: Store, glue: Any, parsed: ParsedFiles) -> None:
        self._store = store
        self._glue = glue
        self._parsed = parsed
        self.scanned_bytes = 0

    def load(self, scan: Scan, wanted: set[int], conditions: Mapping[str, Iterable[Condition]]) -> pa.Table:
        """
        Return one scan's rows; columns outside *wanted* (indexes) are left out.

        Shape: *conditions* are what the statement asks of partition keys; partitions that break one are not read.
        """
        if scan.load is not None:
            rows, read_bytes = scan.load(wanted)
            self.scanned_bytes += read_bytes
            return rows
        table = scan.table
        kinds = table.columns + table.partition_keys
        schema = pa.schema([(f"c{index}", arrow_type(kinds[index][1])) for index in sorted(wanted)])
        loaded: list[pa.Table] = []
        for partition in read_partitions(self._glue, table, conditions):
            loaded.extend(self._partition(table, partition, wanted, schema))
        return pa.concat_tables(loaded) if loaded else (schema or _NO_COLUMN).empty_table()

    def _partition(self, table: Table, partition: Partition, wanted: set[int], schema: pa.Schema) -> Iterable[pa.Table]:
        data = sorted(index for index in wanted if index < len(table.columns))
        serde = serde_of(table.glue, partition.storage)
        check_columns(table, partition.storage, data, is_by_name=serde.library == PARQUET)
        for entry in self._store.visible(partition.storage["Location"]):
            columns = [table.columns[index] for index in data]
            facts, cells = self._read(FileKey(entry, serde), columns)
            self.scanned_bytes += facts.read_bytes(columns)
            if not schema:
                yield pa.table([pa.nulls(facts.rows, pa.bool_())], schema=_NO_COLUMN)
                continue
            found = {f"c{index}": cells[table.columns[index]] for index in data}
            for index, value in enumerate(partition.values, start=len(table.columns)):
                if index in wanted:
                    found[f"c{index}"] = pa.repeat(pa.scalar(value, schema.field(f"c{index}").type), facts.rows)
            yield pa.table([found[field.name] for field in schema], schema=schema)

    def _read(self, key: FileKey, columns: list[Column]) -> tuple[FileFacts, dict[Column, pa.ChunkedArray]]:
        with self._parsed.reading(key):
            facts, cells = self._parsed.get(key, columns)
            missing = [column for column in columns if column not in cells]
            if facts is None or missing:
                facts, read = _parse(self._store.read(key.entry), key, missing)
                self._parsed.put(key, facts, read)
                cells |= read
        return facts, cells


def _parse(body: bytes, key: FileKey, columns: list[Column]) -> tuple[FileFacts, dict[Column, pa.ChunkedArray]]:
    library, name = key.serde.library, key.entry.key
    # Whatever a query asks of them, files of rows are read from end to end.
    if library == PARQUET:
        facts, cells = parquet_files.read_columns(body, name, columns)
    elif library == ION:
        rows, cells = ion_rows.read_columns(body, name, columns, key.serde)
        facts = FileFacts(rows, len(body))
    elif library in _LINE_READERS:
        rows, cells = _columns_of(_LINE_READERS[library](body, name, columns, key.serde), columns)
        facts = FileFacts(rows, len(body))
    else:
        raise Unsupported(f"SerDe {library or 'without a name'!r}")
    return facts, dict(zip(columns, cells, strict=True))


def _columns_of(rows: Iterator[list[Any]], columns: list[Column]) -> tuple[int, list[pa.ChunkedArray]]:
    parts: list[list[pa.Array]] = [[] for _ in columns]
    count = 0
    try:
        while batch := list(islice(rows, _ROWS_AT_ONCE)):
            count += len(batch)
            for part, values, (_, kind) in zip(parts, zip(*batch, strict=True), columns, strict=bool(columns)):
                part.append(pa.array(values, arrow_type(kind)))
    except UnicodeEncodeError as problem:
        raise Unsupported("half of a surrogate pair in a JSON text") from problem
    return count, [pa.chunked_array(part, arrow_type(kind)) for part, (_, kind) in zip(parts, columns, strict=True)]
