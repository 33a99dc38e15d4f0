"""Changed rows as files: the touched files without the rows that go, and the rows that come."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from local_aws.athena.iceberg import writing
from local_aws.athena.iceberg.writing import picked
from local_aws.athena.tables.arrow_types import relabelled

if TYPE_CHECKING:
    from pyiceberg.manifest import DataFile
    from pyiceberg.schema import Schema

    from local_aws.athena.iceberg.changes import Change, Written
    from local_aws.athena.iceberg.reading import Snapshot


def rewritten(snapshot: Snapshot, change: Change) -> tuple[list[DataFile], list[DataFile]]:
    """Return the files that a change replaces, and the files written in their place."""
    metadata, io = snapshot.table.metadata, snapshot.table.io
    names = [field.name for field in snapshot.schema.fields]
    gone = set(change.deleted)
    replaced: list[DataFile] = []
    files: list[DataFile] = []
    old_rows: list[pa.Table] = []
    places: dict[int, int] = {}  # row number -> place among old_rows
    first = 0
    for task in snapshot.tasks:
        numbers = range(first, first + task.file.record_count)
        first = numbers.stop
        going = [number for number in numbers if number in gone]
        if not going:
            continue
        rows = snapshot.rows([task], names)
        places.update((number, len(places)) for number in going)
        old_rows.append(picked(rows, [number - numbers.start for number in going]))
        staying = picked(rows, [number - numbers.start for number in numbers if number not in gone])
        replaced.append(task.file)
        files += writing.write(metadata, io, staying)
    old = pa.concat_tables(old_rows) if old_rows else None
    new = [_rows(snapshot.schema, part, old, places) for part in change.written]
    return replaced, files + (writing.write(metadata, io, pa.concat_tables(new)) if new else [])


def _rows(schema: Schema, part: Written, old: pa.Table | None, places: dict[int, int]) -> pa.Table:
    base = picked(old, [places[number] for number in part.old]) if part.old is not None and old is not None else None
    target = schema.as_arrow()
    columns = []
    for field in target:
        cells = part.cells.get(field.name.lower())
        if cells is not None:
            columns.append(relabelled(cells, field.type))
        else:
            columns.append(base.column(field.name) if base is not None else pa.nulls(part.count, field.type))
    return pa.table(columns, schema=target)
