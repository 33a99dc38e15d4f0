"""Run one statement: translate, load what it reads, execute in DuckDB, store what it makes."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from sqlglot import exp

from local_aws.athena.execution import Job, Run, Started
from local_aws.athena.failures import StatementError, Unsupported, ddl_task_failure, table_not_found
from local_aws.athena.iceberg.definition import AlterTable, IcebergTable, ctas_properties
from local_aws.athena.inserts import insert_query
from local_aws.athena.language.expressions import only
from local_aws.athena.language.parsing import Unload, parse_statement, view_query
from local_aws.athena.outcome import Listing, Outcome
from local_aws.athena.results import ResultColumn, ResultSet, text_of
from local_aws.athena.tables import catalog_statements, ddl, hive_grammar, writing
from local_aws.athena.tables.catalog import Catalog, TableName, is_iceberg, named_columns, read_table, view_input
from local_aws.athena.tables.parsed_files import ParsedFiles
from local_aws.athena.tables.store import Store, folder_uri, split_uri

if TYPE_CHECKING:
    from collections.abc import Callable

    from local_aws.athena.iceberg.statements import Iceberg


class Engine:
    """Statements over the objects of one S3 and the tables of one Glue."""

    def __init__(self, client: Callable[[str], Any]) -> None:
        self._glue = client("glue")
        self._s3 = client("s3")
        self._store = Store(self._s3)
        self._parsed = ParsedFiles()

    def run(self, job: Job, started: Started) -> Outcome:
        """
        Run one statement; *started* gets the connection, so that another thread may interrupt it.

        Raises: StatementError, Unsupported, ScanLimitExceeded.
        """
        if ddl.is_external_table(job.text):
            return self._create_external_table(job)
        hive = hive_grammar.parse(job.text)
        if hive is not None:
            return catalog_statements.run(hive, self._glue, job.database, lambda: self._iceberg)
        tree = parse_statement(job.text)
        run = Run(self._glue, self._store, self._parsed, job, started)
        run.catalog.iceberg = lambda: self._iceberg
        if isinstance(tree, Unload):
            return self._unload(run, tree)
        if isinstance(tree, IcebergTable | AlterTable | exp.Delete | exp.Update | exp.Merge):
            return self._change_iceberg(run, tree)
        if isinstance(tree, exp.Create):
            return self._create(run, tree)
        if isinstance(tree, exp.Drop):
            return self._drop(run, tree)
        if isinstance(tree, exp.Insert):
            return self._insert(run, tree)
        relation, rows = run.query(tree)
        kinds = [column.type for column in relation.columns]
        columns = (
            ResultColumn(column.name or f"_col{index}", column.type) for index, column in enumerate(relation.columns)
        )
        texts = (tuple(text_of(value, kind) for value, kind in zip(row, kinds, strict=True)) for row in rows)
        return Outcome("SELECT", ResultSet(tuple(columns), tuple(texts)), scanned_bytes=run.scanned_bytes)

    @cached_property
    def _iceberg(self) -> Iceberg:
        from local_aws.athena.iceberg.statements import Iceberg  # takes a second, and most statements need none

        return Iceberg(self._glue, self._s3)

    def _change_iceberg(
        self, run: Run, tree: IcebergTable | AlterTable | exp.Delete | exp.Update | exp.Merge
    ) -> Outcome:
        is_tree = isinstance(tree, exp.Expression)
        tree = tree.copy() if is_tree else tree  # parts of it become parts of other trees
        name = run.catalog.name([part.name for part in tree.this.parts] if is_tree else tree.parts)
        glue = run.catalog.find(name)
        if isinstance(tree, IcebergTable):
            return self._iceberg.create(name, tree, is_taken=glue is not None)
        if glue is None:
            raise StatementError("TABLE_NOT_FOUND", f"Table '{name}' does not exist")
        if is_tree and not is_iceberg(glue):
            raise StatementError(
                "NOT_SUPPORTED", "Modifying Hive table rows is only supported for transactional tables"
            )
        if not is_iceberg(glue):
            raise Unsupported("ALTER TABLE … COLUMN, or VACUUM, of a table that is not Iceberg")
        return self._iceberg.change(run, name, tree) if is_tree else self._iceberg.alter(name, tree)

    def _create_external_table(self, job: Job) -> Outcome:
        definition = ddl.parse_external_table(job.text)
        name = Catalog(self._glue, job.database).name(definition.parts)
        split_uri(definition.location)
        if Catalog(self._glue, None).find(name) is not None:
            if definition.has_if_not_exists:
                return Outcome()
            raise ddl_task_failure(
                f"AlreadyExistsException(message:Table {name.name} already exist)",
                f"Table {name.name} already exists.",
            )
        self._put_table(name, ddl.table_input(definition, name.name))
        return Outcome()

    def _put_table(self, name: TableName, table: dict[str, Any], *, replaces: bool = False) -> None:
        call = self._glue.update_table if replaces else self._glue.create_table
        try:
            call(DatabaseName=name.database, TableInput=table)
        except ClientError as problem:
            code = problem.response["Error"]["Code"]
            if code == "EntityNotFoundException":
                raise StatementError("SCHEMA_NOT_FOUND", f"Schema '{name.database}' does not exist") from problem
            if code == "AlreadyExistsException":  # another statement was faster
                raise StatementError("TABLE_ALREADY_EXISTS", f"Table already exists: {name}") from problem
            raise StatementError("HIVE_METASTORE_ERROR", f"Glue refused {name}: {code}") from problem

    def _create(self, run: Run, tree: exp.Create) -> Outcome:
        only(tree, "this", "kind", "replace", "expression", "exists", "properties")
        query = tree.args.get("expression")
        if tree.args["kind"] not in ("VIEW", "TABLE") or not isinstance(tree.this, exp.Table) or query is None:
            raise Unsupported(f"CREATE {tree.args['kind']} of this form")
        name = run.catalog.name([part.name for part in tree.this.parts])
        existing = run.catalog.find(name)
        if existing is None:
            run.catalog.check_database(name)
        if tree.args["kind"] == "TABLE":
            return self._create_table_as(run, tree, name, query, is_taken=existing is not None)
        if tree.args.get("properties") or tree.args.get("exists"):
            raise Unsupported("CREATE VIEW with properties or IF NOT EXISTS")
        if existing is not None and not (tree.args.get("replace") and existing.get("TableType") == "VIRTUAL_VIEW"):
            raise StatementError("TABLE_ALREADY_EXISTS", f"View already exists: {name}")
        relation = run.translate(query)
        sql = view_query(run.job.text)
        table = view_input(TableName(run.job.database or name.database, name.name), sql, relation)
        self._put_table(name, table, replaces=existing is not None)
        return Outcome()

    def _create_table_as(
        self, run: Run, tree: exp.Create, name: TableName, query: exp.Expression, *, is_taken: bool
    ) -> Outcome:
        if tree.args.get("replace"):
            raise StatementError("SYNTAX_ERROR", "CREATE OR REPLACE TABLE is not supported")
        if is_taken:
            if tree.args.get("exists"):
                return Outcome(written_rows=0)
            raise StatementError("TABLE_ALREADY_EXISTS", f"line 1:1: Destination table '{name}' already exists")
        iceberg = ctas_properties(tree)
        if iceberg is not None:
            return self._iceberg.create_as(run, name, query, iceberg)
        properties = _table_properties(tree)
        location = properties.get("external_location")
        if location is not None and run.job.is_output_enforced:
            raise StatementError(
                "INVALID_TABLE_PROPERTY", "external_location is refused: the workgroup enforces its own output location"
            )
        location = folder_uri(location or f"{run.job.output}tables/{run.job.execution_id}/")
        self._store.check_empty(location)
        compression = writing.codec(
            properties.get("write_compression") or properties.get("parquet_compression") or "gzip"
        )
        keys = properties.get("partitioned_by", [])
        relation, table = run.query(query, as_arrow=True)
        columns = named_columns(relation)
        writing.check_keys([label for label, _ in columns], keys)
        width = len(columns) - len(keys)
        glue_table = ddl.parquet_table(name.name, columns[:width], location, columns[width:])
        target = writing.Target(location, columns, keys, compression)
        written = writing.write(self._store, table, target, run.job.execution_id)
        self._put_table(name, glue_table)
        self._add_partitions(name, glue_table["StorageDescriptor"], written)
        return Outcome(written_rows=table.num_rows, written_objects=written.objects, scanned_bytes=run.scanned_bytes)

    def _add_partitions(self, name: TableName, storage: dict[str, Any], written: writing.Written) -> None:
        added = [
            {"Values": list(values), "StorageDescriptor": {**storage, "Location": folder}}
            for values, folder in written.partitions.items()
        ]
        if added:
            self._glue.batch_create_partition(DatabaseName=name.database, TableName=name.name, PartitionInputList=added)

    def _unload(self, run: Run, tree: Unload) -> Outcome:
        properties = dict(tree.properties)
        file_format = properties.pop("format", "").upper()
        compression = properties.pop("compression", "gzip")
        if properties:
            raise Unsupported(f"UNLOAD property {next(iter(properties))}")
        if not file_format:
            raise StatementError("INVALID_TABLE_PROPERTY", "UNLOAD needs a format")
        if file_format != "PARQUET":
            raise Unsupported(f"UNLOAD format {file_format}")
        location = folder_uri(tree.location)
        keys = list(tree.partitioned_by)
        if not keys:  # with partitions Athena does not look: a second run adds to the first
            self._store.check_empty(location)
        relation, table = run.query(tree.query, as_arrow=True)
        columns = named_columns(relation)
        writing.check_keys([label for label, _ in columns], keys)
        target = writing.Target(location, columns, keys, writing.codec(compression))
        written = writing.write(self._store, table, target, run.job.execution_id)
        return Outcome(
            "UNLOAD", written_rows=table.num_rows, written_objects=written.objects, scanned_bytes=run.scanned_bytes
        )

    def _insert(self, run: Run, tree: exp.Insert) -> Outcome:
        only(tree, "this", "expression")
        target = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
        listed = [part.name.lower() for part in tree.this.expressions] if isinstance(tree.this, exp.Schema) else None
        name = run.catalog.name([part.name for part in target.parts])
        glue = run.catalog.find(name)
        if glue is None:
            raise StatementError("TABLE_NOT_FOUND", f"Table '{name}' does not exist")
        if glue.get("TableType") == "VIRTUAL_VIEW":
            raise StatementError("NOT_SUPPORTED", f"Cannot insert into view '{name}'")
        if is_iceberg(glue):
            return self._iceberg.insert(run, name, tree.expression, listed)
        table = read_table(name, glue)
        serde = (glue["StorageDescriptor"].get("SerdeInfo") or {}).get("SerializationLibrary", "")
        if not serde.lower().endswith("parquethiveserde"):
            raise Unsupported("INSERT into a table that is not Parquet")
        kinds = dict(table.columns + table.partition_keys)
        sql = insert_query(run.translate(tree.expression), listed, kinds)
        rows = run.execute(sql, list(kinds.values()), as_arrow=True)
        target = writing.insert_target(table, self._glue)
        written = writing.write(self._store, rows, target, run.job.execution_id)
        self._add_partitions(name, glue["StorageDescriptor"], written)
        return Outcome(written_rows=rows.num_rows, written_objects=written.objects, scanned_bytes=run.scanned_bytes)

    def _drop(self, run: Run, tree: exp.Drop) -> Outcome:
        only(tree, "tables", "kind", "exists", "this")
        targets = tree.args.get("tables") or [tree.this]
        kind = tree.args["kind"]
        if kind not in ("TABLE", "VIEW") or len(targets) != 1:
            raise Unsupported(f"DROP {kind}")
        name = run.catalog.name([part.name for part in targets[0].parts])
        existing = run.catalog.find(name)
        if existing is None:
            if tree.args.get("exists"):
                return Outcome()
            if kind == "TABLE":
                raise table_not_found(f"{name.database}.{name.name}")
            raise StatementError("TABLE_NOT_FOUND", f"View '{name}' does not exist")
        if (existing.get("TableType") == "VIRTUAL_VIEW") != (kind == "VIEW"):
            raise StatementError("NOT_SUPPORTED", f"'{name}' is not a {kind.lower()}")
        if is_iceberg(existing):
            self._iceberg.drop(name)
            return Outcome(listing=Listing((), ("", ""), update_count=None))  # two empty rows, for whatever reason
        self._glue.delete_table(DatabaseName=name.database, Name=name.name)
        return Outcome()


def _table_properties(tree: exp.Create) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    for part in tree.args["properties"].expressions if tree.args.get("properties") else []:
        name = (
            "format"
            if isinstance(part, exp.FileFormatProperty)
            else part.name.lower()
            if type(part) is exp.Property
            else part.key
        )
        value = part.this if isinstance(part, exp.FileFormatProperty) else part.args.get("value")
        if isinstance(part, exp.PartitionedByProperty):
            properties["partitioned_by"] = _texts(part.this)
            continue
        if name not in ("format", "external_location", "write_compression", "parquet_compression") or not isinstance(
            value, exp.Literal
        ):
            raise Unsupported(f"CREATE TABLE AS with property {name}")
        properties[name] = value.this
    if properties.get("format", "PARQUET").upper() != "PARQUET":
        raise Unsupported(f"CREATE TABLE AS with format {properties['format']}")
    return properties


def _texts(node: exp.Expression) -> list[str]:
    """Return the column names of ARRAY['a', 'b'] as a table property."""
    found = node.expressions if isinstance(node, exp.Array | exp.Schema) else []
    texts = [part.name.lower() for part in found]
    if not texts or not all(isinstance(part, exp.Literal) and part.is_string for part in found):
        raise StatementError("INVALID_TABLE_PROPERTY", "partitioned_by needs ARRAY['column', …]")
    return texts
