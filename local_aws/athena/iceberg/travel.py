"""
Which snapshot a query reads, and the metadata tables that list them.

Source: Athena user guide, Perform time travel and version travel queries, Query Iceberg table metadata; Trino's Iceberg
connector, IcebergMetadata.getSnapshotIdFromVersion, SnapshotsTable and HistoryTable.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import duckdb
from sqlglot import exp

from local_aws.athena.connections import connected
from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.iceberg.fields import is_unread, unread
from local_aws.athena.language.casts import quote
from local_aws.athena.language.expressions import only
from local_aws.athena.language.relation import Column, Relation
from local_aws.athena.language.scope import Scope
from local_aws.athena.language.trino_types import BIGINT, BOOLEAN, UTC_TIMESTAMP, VARCHAR, Type, trino_name

if TYPE_CHECKING:
    from pyiceberg.table import Table

    from local_aws.athena.language.queries import QueryCompiler
    from local_aws.athena.tables.catalog import TableName

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_POINTS_IN_TIME = ("date", "timestamp", "timestamp with time zone")


def chosen_snapshot(compiler: QueryCompiler, name: TableName, table: Table, version: exp.Version) -> int:
    """
    Return the id of the snapshot that FOR TIMESTAMP AS OF or FOR VERSION AS OF names.

    Raises: StatementError INVALID_ARGUMENTS when there is none.
    """
    only(version, "this", "kind", "expression")
    if version.args["kind"] != "AS OF":
        raise Unsupported(f"FOR {version.this} {version.args['kind']}")
    value, kind = _constant(compiler, version.expression)
    if version.this == "TIMESTAMP":
        if kind.name not in _POINTS_IN_TIME:
            raise StatementError("NOT_SUPPORTED", f"Unsupported type for temporal table version: {trino_name(kind)}")
        return _snapshot_at(name, table, value)
    if kind.name == "varchar":
        raise Unsupported("FOR VERSION AS OF a branch or tag")
    if kind != BIGINT:
        raise StatementError("NOT_SUPPORTED", f"Unsupported type for table version: {trino_name(kind)}")
    if table.metadata.snapshot_by_id(value) is None:
        raise StatementError("INVALID_ARGUMENTS", f"Iceberg snapshot ID does not exists: {value}")
    return value


def _constant(compiler: QueryCompiler, node: exp.Expression) -> tuple[Any, Type]:
    if node.find(exp.Query, exp.Column):
        raise Unsupported("time travel to something that is no constant")
    value = compiler.expressions.compile(node, Scope(clause="FOR clause"))
    sql = f"SELECT CAST({value.instant or value.sql} AS {'BIGINT' if value.type == BIGINT else 'VARCHAR'})"
    if value.type.name in _POINTS_IN_TIME:
        sql = f"SELECT CAST({value.instant or value.sql} AS TIMESTAMP)"
    with connected(compiler.helpers, sql) as connection:
        try:
            (found,) = connection.execute(sql).fetchone()
        except duckdb.Error as problem:
            raise Unsupported("this form of a time to travel to") from problem
    if found is None:
        raise StatementError("INVALID_ARGUMENTS", "Pointer value cannot be NULL")
    return found, value.type


def _snapshot_at(name: TableName, table: Table, moment: datetime) -> int:
    # The session's time zone of Athena is UTC, so a timestamp without zone and a date count in it too.
    milliseconds = (moment.replace(tzinfo=UTC) - _EPOCH) // timedelta(milliseconds=1)
    past = [entry for entry in table.history() if entry.timestamp_ms <= milliseconds]
    if not past:
        instant = _moment(milliseconds).isoformat(timespec="auto" if milliseconds % 1000 == 0 else "milliseconds")
        where = f"{name.database}.{name.name} at or before {instant.replace('+00:00', 'Z')}"
        raise StatementError("INVALID_ARGUMENTS", f"No version history table {where}")
    return max(past, key=lambda entry: entry.timestamp_ms).snapshot_id


def _moment(milliseconds: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=milliseconds)


def metadata_table(name: TableName, table: Table, suffix: str) -> Relation:
    """
    Return "table$snapshots" or "table$history".

    Raises: Unsupported for the metadata tables that show files, which are not Athena's here.
    """
    if suffix == "snapshots":
        # Row changes write other files than Athena's, so operation and summary may differ from Athena's as well.
        columns = {
            "committed_at": UTC_TIMESTAMP, "snapshot_id": BIGINT, "parent_id": BIGINT, "operation": unread("varchar"),
            "manifest_list": VARCHAR, "summary": unread("map(varchar, varchar)"),
        }  # fmt: skip
        rows = [
            (entry.timestamp_ms, entry.snapshot_id, entry.parent_snapshot_id, None, entry.manifest_list, None)
            for entry in table.snapshots()
        ]
        return _listed(columns, rows)
    if suffix == "history":
        columns = {
            "made_current_at": UTC_TIMESTAMP, "snapshot_id": BIGINT, "parent_id": BIGINT,
            "is_current_ancestor": BOOLEAN,
        }  # fmt: skip
        ancestors = _ancestors(table)
        return _listed(
            columns,
            [
                (
                    entry.timestamp_ms,
                    entry.snapshot_id,
                    _parent(table, entry.snapshot_id),
                    entry.snapshot_id in ancestors,
                )
                for entry in table.history()
            ],
        )
    raise Unsupported(f"{name.database}.{name.name}${suffix}")


def _ancestors(table: Table) -> set[int]:
    found: set[int] = set()
    current = table.metadata.current_snapshot_id
    while current is not None:
        found.add(current)
        current = _parent(table, current)
    return found


def _parent(table: Table, snapshot_id: int) -> int | None:
    snapshot = table.metadata.snapshot_by_id(snapshot_id)
    return snapshot and snapshot.parent_snapshot_id


def _listed(columns: dict[str, Type], rows: list[tuple[Any, ...]]) -> Relation:
    kinds = list(columns.values())
    lines = [[_cell(value, kind) for value, kind in zip(row, kinds, strict=True)] for row in rows]
    lines = lines or [[_cell(None, kind) for kind in kinds]]
    selects = (f"SELECT {', '.join(f'{cell} AS c{index}' for index, cell in enumerate(line))}" for line in lines)
    sql = " UNION ALL ".join(selects)
    listed = tuple(Column(label, kind) for label, kind in columns.items())
    return Relation(sql if rows else f"SELECT * FROM ({sql}) WHERE false", listed)


def _cell(value: Any, kind: Type) -> str:
    if is_unread(kind):
        return "NULL"
    if kind == UTC_TIMESTAMP and value is not None:
        value = _moment(value).replace(tzinfo=None).isoformat(sep=" ", timespec="milliseconds")
    name = {BIGINT: "BIGINT", BOOLEAN: "BOOLEAN", VARCHAR: "VARCHAR"}.get(kind, "TIMESTAMP")
    return f"CAST({'NULL' if value is None else quote(str(value))} AS {name})"
