"""Run one statement: translate, load what it reads, execute in DuckDB, store what it makes."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from sqlglot import exp

from local_aws.athena import ddl, writing
from local_aws.athena.casts import coerce
from local_aws.athena.catalog import Catalog, TableName, read_table, view_input
from local_aws.athena.execution import Job, Run, Started
from local_aws.athena.expressions import only
from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.files import ParsedFiles
from local_aws.athena.parsing import Unload, parse_statement, view_query
from local_aws.athena.results import ResultColumn, ResultSet, text_of
from local_aws.athena.scope import Expression
from local_aws.athena.store import Store, split_uri
from local_aws.athena.trino_types import Type, duckdb_name

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

    from local_aws.athena.relation import Relation


@dataclass(frozen=True)
class Outcome:
    """What a statement gave: an answer, or the number of rows it wrote and the objects that hold them."""

    kind: str  # DML, DDL or UTILITY
    substatement: str
    result: ResultSet = field(default_factory=ResultSet)
    written_rows: int | None = None
    written_objects: tuple[str, ...] = ()
    scanned_bytes: int = 0


class Engine:
    """Statements over the objects of one S3 and the tables of one Glue."""

    def __init__(self, client: Callable[[str], Any]) -> None:
        self._glue = client("glue")
        self._store = Store(client("s3"))
        self._parsed = ParsedFiles()

    def run(self, job: Job, started: Started) -> Outcome:
        """
        Run one statement; *started* gets the connection, so that another thread may interrupt it.

        Raises: StatementError, Unsupported.
        """
        if ddl.is_external_table(job.text):
            return self._create_external_table(job)
        tree = parse_statement(job.text)
        run = Run(self._glue, self._store, self._parsed, job, started)
        if isinstance(tree, Unload):
            return self._unload(run, tree)
        if isinstance(tree, exp.Create):
            return self._create(run, tree)
        if isinstance(tree, exp.Drop):
            return self._drop(run, tree)
        if isinstance(tree, exp.Insert):
            return self._insert(run, tree)
        relation, columns, table = run.query(tree)
        labels = [column.name or f"_col{index}" for index, column in enumerate(relation.columns)]
        cells = [table[index] for index in range(len(columns))]
        rows = [
            tuple(text_of(value, kind) for value, kind in zip(row, columns, strict=True))
            for row in zip(*cells, strict=True)
        ]
        result = ResultSet(tuple(ResultColumn(*pair) for pair in zip(labels, columns, strict=True)), tuple(rows))
        return Outcome("DML", "SELECT", result, scanned_bytes=run.scanned_bytes)

    def _create_external_table(self, job: Job) -> Outcome:
        definition = ddl.parse_external_table(job.text)
        name = Catalog(self._glue, job.database).name(definition.parts)
        split_uri(definition.location)
        outcome = Outcome("DDL", "CREATE_TABLE")
        if Catalog(self._glue, None).find(name) is not None:
            if definition.has_if_not_exists:
                return outcome
            raise StatementError("TABLE_ALREADY_EXISTS", f"Table already exists: {name}")
        self._put_table(name, ddl.table_input(definition, name.name))
        return outcome

    def _put_table(self, name: TableName, table: dict[str, Any], *, replaces: bool = False) -> None:
        call = self._glue.update_table if replaces else self._glue.create_table
        try:
            call(DatabaseName=name.database, TableInput=table)
        except ClientError as problem:
            code = problem.response["Error"]["Code"]
            if code == "EntityNotFoundException":
                raise StatementError("SCHEMA_NOT_FOUND", f"Schema '{name.database}' does not exist") from problem
            raise StatementError("HIVE_METASTORE_ERROR", f"Glue refused {name}: {code}") from problem

    def _create(self, run: Run, tree: exp.Create) -> Outcome:
        only(tree, "this", "kind", "replace", "expression", "exists", "properties")
        query = tree.args.get("expression")
        if tree.args["kind"] not in ("VIEW", "TABLE") or not isinstance(tree.this, exp.Table) or query is None:
            raise Unsupported(f"CREATE {tree.args['kind']} of this form")
        name = run.catalog.name([part.name for part in tree.this.parts])
        existing = run.catalog.find(name)
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
        return Outcome("DDL", "CREATE_VIEW")

    def _create_table_as(
        self, run: Run, tree: exp.Create, name: TableName, query: exp.Expression, *, is_taken: bool
    ) -> Outcome:
        if tree.args.get("replace"):
            raise StatementError("SYNTAX_ERROR", "CREATE OR REPLACE TABLE is not supported")
        if is_taken:
            if tree.args.get("exists"):
                return Outcome("DDL", "CREATE_TABLE_AS_SELECT", written_rows=0)
            raise StatementError("TABLE_ALREADY_EXISTS", f"Table already exists: {name}")
        properties = _table_properties(tree)
        location = properties.get("external_location")
        if location is not None and run.job.is_output_enforced:
            raise StatementError(
                "INVALID_TABLE_PROPERTY", "external_location is refused: the workgroup enforces its own output location"
            )
        location = location or f"{run.job.output}tables/{run.job.execution_id}/"
        bucket, prefix = split_uri(location)
        location = f"s3://{bucket}/{prefix}"
        self._store.check_empty(location)
        compression = writing.codec(
            properties.get("write_compression") or properties.get("parquet_compression") or "gzip"
        )
        relation, kinds, table = run.query(query, as_arrow=True)
        columns = _stored_columns(relation, kinds)
        glue_table = ddl.parquet_table(name.name, columns, location)
        written = self._write(run, table, columns, location, compression)
        self._put_table(name, glue_table)
        return Outcome(
            "DDL",
            "CREATE_TABLE_AS_SELECT",
            written_rows=table.num_rows,
            written_objects=written,
            scanned_bytes=run.scanned_bytes,
        )

    def _write(
        self, run: Run, table: pa.Table, columns: list[tuple[str, Type]], location: str, compression: str
    ) -> tuple[str, ...]:
        body = writing.parquet(table, columns, compression)
        if not table.num_rows:
            return ()
        uri = f"{location}{datetime.now(UTC):%Y%m%d_%H%M%S}_{run.job.execution_id[:5]}_{uuid.uuid4()}"
        self._store.write(uri, body)
        return (uri,)

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
        bucket, prefix = split_uri(tree.location)
        location = f"s3://{bucket}/{prefix}"
        self._store.check_empty(location)
        relation, kinds, table = run.query(tree.query, as_arrow=True)
        columns = _stored_columns(relation, kinds)
        written = self._write(run, table, columns, location, writing.codec(compression))
        return Outcome(
            "DML", "UNLOAD", written_rows=table.num_rows, written_objects=written, scanned_bytes=run.scanned_bytes
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
        table = read_table(name, glue)
        serde = (glue["StorageDescriptor"].get("SerdeInfo") or {}).get("SerializationLibrary", "")
        if table.partition_keys or not serde.lower().endswith("parquethiveserde"):
            raise Unsupported("INSERT into a table that is partitioned, or not Parquet")
        kinds = dict(table.columns)
        names = listed or [label for label, _ in table.columns]
        if len(set(names)) != len(names) or not set(names) <= set(kinds):
            raise StatementError("COLUMN_NOT_FOUND", "INSERT names a column twice, or one that the table does not have")
        relation = run.translate(tree.expression)
        if len(relation.columns) != len(names):
            raise StatementError(
                "TYPE_MISMATCH", f"Insert query has {len(relation.columns)} columns, the table takes {len(names)}"
            )
        cells = {
            label: coerce(Expression(f"i.c{index}", column.type), kinds[label]).sql
            for index, (label, column) in enumerate(zip(names, relation.columns, strict=True))
        }
        outputs = ", ".join(
            f"{cells.get(label, f'CAST(NULL AS {duckdb_name(kind)})')} AS c{index}"
            for index, (label, kind) in enumerate(table.columns)
        )
        rows = run.execute(
            f"SELECT {outputs} FROM ({relation.sql}) AS i", [kind for _, kind in table.columns], as_arrow=True
        )
        bucket, prefix = split_uri(table.location)
        written = self._write(run, rows, list(table.columns), f"s3://{bucket}/{prefix}", "gzip")
        return Outcome(
            "DML", "INSERT", written_rows=rows.num_rows, written_objects=written, scanned_bytes=run.scanned_bytes
        )

    def _drop(self, run: Run, tree: exp.Drop) -> Outcome:
        only(tree, "tables", "kind", "exists", "this")
        targets = tree.args.get("tables") or [tree.this]
        kind = tree.args["kind"]
        if kind not in ("TABLE", "VIEW") or len(targets) != 1:
            raise Unsupported(f"DROP {kind}")
        name = run.catalog.name([part.name for part in targets[0].parts])
        existing = run.catalog.find(name)
        outcome = Outcome("DDL", f"DROP_{kind}")
        if existing is None:
            if tree.args.get("exists"):
                return outcome
            raise StatementError("TABLE_NOT_FOUND", f"{kind.title()} '{name}' does not exist")
        if (existing.get("TableType") == "VIRTUAL_VIEW") != (kind == "VIEW"):
            raise StatementError("NOT_SUPPORTED", f"'{name}' is not a {kind.lower()}")
        self._glue.delete_table(DatabaseName=name.database, Name=name.name)
        return outcome


def _table_properties(tree: exp.Create) -> dict[str, str]:
    properties: dict[str, str] = {}
    for part in tree.args["properties"].expressions if tree.args.get("properties") else []:
        name = (
            "format"
            if isinstance(part, exp.FileFormatProperty)
            else part.name.lower()
            if type(part) is exp.Property
            else part.key
        )
        value = part.this if isinstance(part, exp.FileFormatProperty) else part.args.get("value")
        if name not in ("format", "external_location", "write_compression", "parquet_compression") or not isinstance(
            value, exp.Literal
        ):
            raise Unsupported(f"CREATE TABLE AS with property {name}")
        properties[name] = value.this
    if properties.get("format", "PARQUET").upper() != "PARQUET":
        raise Unsupported(f"CREATE TABLE AS with format {properties['format']}")
    return properties


def _stored_columns(relation: Relation, kinds: list[Type]) -> list[tuple[str, Type]]:
    labels = [(column.name or "").lower() for column in relation.columns]
    if "" in labels:
        raise StatementError("MISSING_COLUMN_NAME", f"Column name not specified at position {labels.index('') + 1}")
    if len(set(labels)) != len(labels):
        raise StatementError("DUPLICATE_COLUMN_NAME", "a column name is specified more than once")
    return list(zip(labels, kinds, strict=True))
