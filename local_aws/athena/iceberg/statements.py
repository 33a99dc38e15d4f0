"""The statements that make, change, read and drop Iceberg tables, each with at most one commit."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pyiceberg.exceptions import NoSuchNamespaceError, TableAlreadyExistsError
from pyiceberg.expressions import AlwaysTrue
from sqlglot import exp

from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.iceberg import alterations, changes, description, layout, reading, rewriting, travel, writing
from local_aws.athena.iceberg.definition import Vacuum
from local_aws.athena.iceberg.fields import Target
from local_aws.athena.iceberg.tables import Tables, commit
from local_aws.athena.iceberg.types import stored_type
from local_aws.athena.iceberg.vacuum import vacuum
from local_aws.athena.inserts import insert_query
from local_aws.athena.outcome import Outcome
from local_aws.athena.tables.catalog import named_columns
from local_aws.athena.tables.store import Store, split_uri

if TYPE_CHECKING:
    from pyiceberg.manifest import DataFile
    from pyiceberg.table import Table, Transaction

    from local_aws.athena.execution import Run
    from local_aws.athena.iceberg.definition import AlterTable, IcebergTable
    from local_aws.athena.language.queries import QueryCompiler
    from local_aws.athena.language.relation import Relation
    from local_aws.athena.language.trino_types import Type
    from local_aws.athena.tables.catalog import Catalog, TableName


class Iceberg:
    """Iceberg tables of one Glue and one S3."""

    def __init__(self, glue: Any, s3: Any) -> None:
        self._tables = Tables(glue, s3)
        self._store = Store(s3)
        self._s3 = s3

    def relation(
        self, compiler: QueryCompiler, catalog: Catalog, name: TableName, suffix: str, node: exp.Table
    ) -> Relation:
        """
        Return a table, at the snapshot that *node* asks for, or one of its metadata tables.

        One statement sees one state of a table, however often it names it.
        """
        table = catalog.opened.get(name)
        if table is None:
            table = catalog.opened[name] = self._tables.open(name)
        version = node.args.get("version")
        if suffix:
            if version is not None:
                raise Unsupported(f"time travel of {name.name}${suffix}")
            return travel.metadata_table(name, table, suffix)
        if version is None:
            snapshot = reading.now(table, has_row_numbers=isinstance(node, Target))
        else:
            snapshot = reading.past(table, travel.chosen_snapshot(compiler, name, table, version))
        return catalog.scanned(snapshot, snapshot.load)

    def create(self, name: TableName, definition: IcebergTable, *, is_taken: bool) -> Outcome:
        """Make an empty table."""
        if is_taken:
            if definition.has_if_not_exists:
                return Outcome()
            raise StatementError("TABLE_ALREADY_EXISTS", f"Table already exists: {name}")
        schema = layout.defined_schema(definition.columns)
        spec = layout.partition_spec(schema, definition.partitioning)
        properties = layout.stored_properties(definition.properties)
        location = _folder(definition.location)
        if self._store.listed(f"{location}/"):
            raise Unsupported(f"CREATE TABLE of an Iceberg table where objects are: {location}/")
        try:
            self._tables.create_table((name.database, name.name), schema, location, spec, properties=properties)
        except NoSuchNamespaceError as problem:
            raise StatementError("SCHEMA_NOT_FOUND", f"Schema '{name.database}' does not exist") from problem
        except TableAlreadyExistsError as problem:
            raise StatementError("TABLE_ALREADY_EXISTS", f"Table already exists: {name}") from problem
        return Outcome()

    def create_as(self, run: Run, name: TableName, query: exp.Expression, properties: dict[str, Any]) -> Outcome:
        """
        Make a table of a query's rows.

        Source: Athena user guide, CREATE TABLE AS, CTAS table properties.
        """
        settings = dict(properties)
        if str(settings.pop("is_external", "")).lower() != "false":
            raise Unsupported("CREATE TABLE AS of an Iceberg table without is_external = false")
        if "location" not in settings:
            raise Unsupported("CREATE TABLE AS of an Iceberg table without a location")
        location = _folder(settings.pop("location"))
        terms = tuple(settings.pop("partitioning", ()))
        stored = layout.stored_properties(settings)
        if self._store.listed(f"{location}/"):
            raise StatementError(
                "ICEBERG_FILESYSTEM_ERROR", f"Cannot create a table on a non-empty location: {location}/"
            )
        relation = run.translate(query)
        columns = named_columns(relation)
        schema = layout.query_schema(columns)
        spec = layout.partition_spec(schema, terms)
        rows = run.execute(relation.sql, [kind for _, kind in columns], as_arrow=True)
        transaction = self._tables.create_table_transaction(
            (name.database, name.name), schema, location, spec, properties=stored
        )
        metadata = transaction.table_metadata
        files = writing.write(metadata, self._tables.objects, writing.stored_rows(rows, metadata.schema()))
        if files:
            _append(transaction, files)
        commit(transaction, name)
        return _written(run, rows.num_rows)

    def insert(self, run: Run, name: TableName, query: exp.Expression, listed: list[str] | None) -> Outcome:
        """
        Append a query's rows; commits of others that only append do not stand in the way.

        Raises: StatementError; Unsupported for a table with columns that no statement may give values.
        """
        table = self._tables.open(name)
        kinds = _stored_kinds(table)
        sql = insert_query(run.translate(query), listed, kinds)
        rows = run.execute(sql, list(kinds.values()), as_arrow=True)
        files = writing.write(table.metadata, table.io, writing.stored_rows(rows, table.schema()))
        if files:
            transaction = table.transaction()
            _append(transaction, files)
            commit(transaction, name)
        return _written(run, rows.num_rows)

    def change(self, run: Run, name: TableName, tree: exp.Delete | exp.Update | exp.Merge) -> Outcome:
        """Run DELETE, UPDATE or MERGE: all of it in one commit, or none."""
        table = run.catalog.opened[name] = self._tables.open(name)
        kinds = _stored_kinds(table)
        if isinstance(tree, exp.Delete):
            change = changes.of_delete(run, tree)
        elif isinstance(tree, exp.Update):
            change = changes.of_update(run, tree, kinds)
        else:
            change = changes.of_merge(run, tree, kinds)
        is_all = isinstance(tree, exp.Delete) and not tree.args.get("where")
        if change.row_count:
            _commit_change(table, name, change, is_all=is_all)
        return _written(run, change.row_count)

    def alter(self, name: TableName, statement: AlterTable) -> Outcome:
        """Change the schema, or remove what is past."""
        table = self._tables.open(name)
        if isinstance(statement, Vacuum):
            vacuum(table, name, self._s3, datetime.now(UTC))
            return Outcome()
        alterations.alter(table, name, statement)
        return Outcome()

    def described(self, name: TableName) -> tuple[str, ...]:
        """Return the lines of DESCRIBE."""
        return description.described(self._tables.open(name))

    def column_names(self, name: TableName) -> list[str]:
        """Return the names of the columns there are now."""
        return [field.name for field in self._tables.open(name).schema().fields]

    def drop(self, name: TableName) -> None:
        """
        Remove a table and every object in its folder.

        Source: Athena user guide, DROP TABLE of Iceberg tables: they are managed tables, so their data goes too.
        """
        table = self._tables.open(name)
        self._tables.drop_table((name.database, name.name))
        for entry in self._store.listed(f"{_folder(table.location())}/"):
            self._s3.delete_object(Bucket=entry.bucket, Key=entry.key)


def _commit_change(table: Table, name: TableName, change: changes.Change, *, is_all: bool) -> None:
    snapshot = reading.now(table)
    # A commit in between may have added rows that this statement should have seen, so it is not tried again.
    properties = {**table.metadata.properties, "commit.retry.num-retries": "0"}
    table.metadata = table.metadata.model_copy(update={"properties": properties})
    replaced, files = ([], []) if is_all else rewriting.rewritten(snapshot, change)
    transaction = table.transaction()
    if is_all:
        with transaction.update_snapshot().delete() as delete:
            delete.delete_by_predicate(AlwaysTrue())
    else:
        with transaction.update_snapshot().overwrite() as overwrite:
            for file in replaced:
                overwrite.delete_data_file(file)
            for file in files:
                overwrite.append_data_file(file)
    commit(transaction, name)


def _append(transaction: Transaction, files: list[DataFile]) -> None:
    with transaction.update_snapshot().fast_append() as append:
        for file in files:
            append.append_data_file(file)


def _written(run: Run, rows: int) -> Outcome:
    return Outcome(written_rows=rows, scanned_bytes=run.scanned_bytes)


def _stored_kinds(table: Table) -> dict[str, Type]:
    kinds: dict[str, Type] = {}
    for field in table.schema().fields:
        kind = stored_type(field.field_type)
        if kind is None or field.required:
            word = "required" if field.required else str(field.field_type)
            raise Unsupported(f"writing an Iceberg table with a {word} column")
        kinds[field.name.lower()] = kind
    return kinds


def _folder(location: str) -> str:
    bucket, prefix = split_uri(location)
    if not prefix.strip("/"):
        raise Unsupported("an Iceberg table at the root of a bucket")
    return f"s3://{bucket}/{prefix.rstrip('/')}"
