"""
Rows of an Iceberg table at one snapshot, as the engine's columns c0, c1, …

Source: Iceberg specification, Scan planning (done by pyiceberg).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import pyarrow as pa
from pyiceberg.manifest import ManifestContent

from local_aws.athena.failures import Unsupported
from local_aws.athena.iceberg.data_files import read_file
from local_aws.athena.iceberg.fields import ROW_NUMBER, is_unread
from local_aws.athena.iceberg.types import read_type
from local_aws.athena.tables.arrow_types import arrow_type, relabelled

if TYPE_CHECKING:
    from pyiceberg.schema import Schema
    from pyiceberg.table import FileScanTask, Table

    from local_aws.athena.language.trino_types import Type


def now(table: Table, *, has_row_numbers: bool = False) -> Snapshot:
    """Return a table as it is: the columns of today, though no snapshot may have been written with them."""
    return Snapshot(table, table.metadata.current_snapshot_id, table.schema(), has_row_numbers)


def past(table: Table, snapshot_id: int) -> Snapshot:
    """Return a table as it was, with the columns it had then (Trino's IcebergMetadata.getTableHandle)."""
    schema_id = table.metadata.snapshot_by_id(snapshot_id).schema_id
    return Snapshot(table, snapshot_id, table.schemas()[schema_id])


@dataclass(frozen=True)
class Snapshot:
    """
    A table's rows at one of its snapshots (None: it has none yet), in the columns of *schema*.

    It stands in the place of a catalog.Table. *has_row_numbers* adds a column that says which row it is, over all files
    in the order of *tasks*.
    """

    table: Table
    snapshot_id: int | None
    schema: Schema
    has_row_numbers: bool = False
    partition_keys: tuple[tuple[str, Type], ...] = ()

    @cached_property
    def columns(self) -> tuple[tuple[str, Type], ...]:
        """Return names and types as a query sees them."""
        return tuple((field.name.lower(), read_type(field.field_type)) for field in self.schema.fields)

    @cached_property
    def tasks(self) -> list[FileScanTask]:
        """
        Return the data files.

        Raises: Unsupported for delete files, which only other writers leave here.
        """
        if self.snapshot_id is None:
            return []
        snapshot = self.table.metadata.snapshot_by_id(self.snapshot_id)
        if any(manifest.content == ManifestContent.DELETES for manifest in snapshot.manifests(self.table.io)):
            raise Unsupported("an Iceberg table with delete files")
        return list(self.table.scan(snapshot_id=self.snapshot_id).plan_files())

    def load(self, wanted: set[int]) -> tuple[pa.Table, int]:
        """Return the columns of those indexes (and row numbers), and how many bytes they have in the files."""
        wanted = {index for index in wanted if not is_unread(self.columns[index][1])}
        rows = self.rows(self.tasks, [self.schema.fields[index].name for index in sorted(wanted)])
        columns = {
            f"c{index}": relabelled(rows.column(place), arrow_type(self.columns[index][1]))
            for place, index in enumerate(sorted(wanted))
        }
        if self.has_row_numbers:
            columns[ROW_NUMBER] = pa.array(range(rows.num_rows), pa.int64())
        return pa.table(columns or {"c": pa.nulls(rows.num_rows, pa.bool_())}), self._scanned_bytes(wanted)

    def _scanned_bytes(self, wanted: set[int]) -> int:
        """Return the size of those columns in the data files, as Athena counts columns of Parquet."""
        read = self.schema.select(*(self.schema.fields[index].name for index in wanted)).field_ids if wanted else ()
        sizes = (task.file.column_sizes or {} for task in self.tasks)
        return sum(size for columns in sizes for field_id, size in columns.items() if field_id in read)

    def rows(self, tasks: list[FileScanTask], names: list[str]) -> pa.Table:
        """Return columns of some files, file after file, in Iceberg's own arrow types."""
        # With no column asked for, one is read all the same: the number of rows is wanted.
        schema = self.schema.select(*(names or [self.schema.fields[0].name]))
        loaded = [read_file(self.table.io, task.file, schema) for task in tasks]
        rows = pa.concat_tables(loaded) if loaded else schema.as_arrow().empty_table()
        return rows.select(names) if names else rows
