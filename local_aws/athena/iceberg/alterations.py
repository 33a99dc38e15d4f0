"""
ALTER TABLE of an Iceberg table: changes of its metadata alone, without touching a file of data.

Source: Athena user guide, Evolve Iceberg table schema, and ALTER TABLE SET TBLPROPERTIES of Iceberg tables.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from pyiceberg.exceptions import ValidationError

from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.iceberg.definition import AddColumns, AlterTable, ChangeColumn, DropColumn, SetProperties
from local_aws.athena.iceberg.layout import stored_properties
from local_aws.athena.iceberg.tables import commit
from local_aws.athena.iceberg.types import defined_type, stored_type

if TYPE_CHECKING:
    from pyiceberg.table import Table
    from pyiceberg.table.update.schema import UpdateSchema
    from pyiceberg.types import NestedField

    from local_aws.athena.tables.catalog import TableName


def alter(table: Table, name: TableName, statement: AlterTable) -> None:
    """
    Commit a change of schema or properties.

    Raises: StatementError for columns that are not there or are there already, and for types that cannot be widened so.
    """
    transaction = table.transaction()
    if isinstance(statement, SetProperties):
        transaction.set_properties(stored_properties(statement.properties))
        commit(transaction, name)
        return
    with transaction.update_schema() as update:
        match statement:
            case AddColumns():
                _add(table, update, statement)
            case DropColumn():
                _drop(table, update, statement)
            case ChangeColumn():
                _change(table, update, statement)
    commit(transaction, name)


def _add(table: Table, update: UpdateSchema, statement: AddColumns) -> None:
    names = [field.name.lower() for field in table.schema().fields]
    for column in statement.columns:
        if column.name in names:
            raise StatementError("COLUMN_ALREADY_EXISTS", f"Column '{column.name}' already exists")
        names.append(column.name)
        update.add_column(column.name, defined_type(column.type, itertools.count(1)), column.comment)


def _drop(table: Table, update: UpdateSchema, statement: DropColumn) -> None:
    field = _field(table, statement.name)
    if any(part.source_id == field.field_id for spec in table.specs().values() for part in spec.fields):
        raise Unsupported(f"DROP COLUMN of {statement.name!r}, by which the table is partitioned")
    if len(table.schema().fields) == 1:
        raise Unsupported("DROP COLUMN of the only column")
    update.delete_column(field.name)


def _change(table: Table, update: UpdateSchema, statement: ChangeColumn) -> None:
    field = _field(table, statement.old)
    new = statement.new
    kind = defined_type(new.type, itertools.count(1))
    if stored_type(kind) != stored_type(field.field_type):
        if not (kind.is_primitive and field.field_type.is_primitive):
            raise Unsupported(f"CHANGE COLUMN of a type inside {statement.old!r}")
        try:
            update.update_column(field.name, field_type=kind)
        except ValidationError as problem:
            text = f"Cannot change column {statement.old} from {field.field_type} to {kind}"
            raise StatementError("NOT_SUPPORTED", text) from problem
    if new.comment is not None:
        update.update_column(field.name, doc=new.comment)
    if statement.after == "":
        update.move_first(field.name)
    elif statement.after is not None:
        if statement.after == statement.old:
            raise StatementError("NOT_SUPPORTED", f"Cannot move column {statement.old} after itself")
        update.move_after(field.name, _field(table, statement.after).name)
    if new.name != statement.old:
        if any(other.name.lower() == new.name for other in table.schema().fields):
            raise StatementError("COLUMN_ALREADY_EXISTS", f"Column '{new.name}' already exists")
        update.rename_column(field.name, new.name)


def _field(table: Table, name: str) -> NestedField:
    found = next((field for field in table.schema().fields if field.name.lower() == name), None)
    if found is None:
        raise StatementError("COLUMN_NOT_FOUND", f"Column '{name}' does not exist")
    return found
