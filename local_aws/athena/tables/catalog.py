"""The Glue catalog as SQL sees it: tables with their columns and partitions, and views as stored by Athena."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.language.parsing import parse_query
from local_aws.athena.language.queries import QueryCompiler
from local_aws.athena.language.relation import Column, Relation
from local_aws.athena.language.scope import Origin
from local_aws.athena.language.trino_types import Type, hive_name, trino_name
from local_aws.athena.tables.hive_columns import repeated, typed_columns

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa
    from sqlglot import exp

    from local_aws.athena.iceberg.statements import Iceberg

CATALOG = "awsdatacatalog"
_VIEW_PREFIX, _VIEW_SUFFIX = "/* Presto View: ", " */"


@dataclass(frozen=True)
class TableName:
    """A table's place: database and name, both in lower case as Glue keeps them."""

    database: str
    name: str

    def __str__(self) -> str:
        return f"{CATALOG}.{self.database}.{self.name}"


@dataclass(frozen=True)
class Table:
    """A Glue table: data columns, then partition keys, each with its Trino type."""

    name: TableName
    columns: tuple[tuple[str, Type], ...]
    partition_keys: tuple[tuple[str, Type], ...]
    glue: dict[str, Any] = field(hash=False, compare=False)

    @property
    def location(self) -> str:
        """Return the S3 URI of an unpartitioned table's folder."""
        return self.glue["StorageDescriptor"]["Location"]


@dataclass(frozen=True)
class Scan:
    """One mention of a table in a statement; *load* reads it where Glue's partitions do not tell its files."""

    number: int
    table: Table
    load: Callable[[set[int]], tuple[pa.Table, int]] | None = None


class Catalog:
    """Resolve names for one statement; *scans* collects the tables it reads."""

    def __init__(self, glue: Any, database: str | None) -> None:
        self._glue = glue
        self._database = database
        self._views: list[TableName] = []
        self._met: dict[TableName, dict[str, Any] | None] = {}
        self.scans: list[Scan] = []
        self.opened: dict[TableName, Any] = {}  # Iceberg tables as this statement sees them
        self.iceberg: Callable[[], Iceberg] | None = None

    def name(self, parts: list[str]) -> TableName:
        """
        Return the full name of [catalog.][database.]table.

        Raises: StatementError without a database, Unsupported for other catalogs and information_schema.
        """
        lowered = [part.lower() for part in parts]
        if len(lowered) == 3 and lowered[0] not in (CATALOG, "hive"):
            raise Unsupported(f"catalog {parts[0]!r}")
        database = lowered[-2] if len(lowered) > 1 else self._database
        if database is None:
            raise StatementError("MISSING_SCHEMA_NAME", "Schema must be specified when session schema is not set")
        if database == "information_schema" or "$" in lowered[-1]:
            raise Unsupported(f"{database}.{lowered[-1]}")
        return TableName(database.lower(), lowered[-1])

    def find(self, name: TableName) -> dict[str, Any] | None:
        """Return Glue's record of a table or view, None when there is none."""
        try:
            return self._glue.get_table(DatabaseName=name.database, Name=name.name)["Table"]
        except ClientError as problem:
            if problem.response["Error"]["Code"] == "EntityNotFoundException":
                return None
            raise

    def check_database(self, name: TableName) -> None:
        """Raise StatementError SCHEMA_NOT_FOUND unless the database of a table is there."""
        try:
            self._glue.get_database(Name=name.database)
        except ClientError as problem:
            if problem.response["Error"]["Code"] != "EntityNotFoundException":
                raise
            raise StatementError("SCHEMA_NOT_FOUND", f"Schema '{name.database}' does not exist") from problem

    def relation(self, compiler: QueryCompiler, parts: list[str], node: exp.Table) -> Relation:
        """Return a table or view as a relation."""
        plain, dollar, suffix = parts[-1].partition("$")
        name = self.name([*parts[:-1], plain])
        if dollar and not (plain and suffix):
            raise Unsupported(f"table {parts[-1]!r}")
        # A statement meets one version of a table, however often it names it.
        # Source: Trino, hive.per-transaction-metastore-cache-maximum-size.
        if name not in self._met:
            self._met[name] = self.find(name)
        glue = self._met[name]
        if glue is None:
            raise StatementError("TABLE_NOT_FOUND", f"Table '{name}' does not exist")
        if is_iceberg(glue) and self.iceberg is not None:
            return self.iceberg().relation(compiler, self, name, suffix, node)
        if dollar:
            raise Unsupported(f"{name.database}.{parts[-1].lower()}")
        if node.args.get("version"):
            raise StatementError("NOT_SUPPORTED", "This connector does not support versioned tables")
        if glue.get("TableType") == "VIRTUAL_VIEW":
            return self._view(compiler, name, glue)
        return self.scanned(read_table(name, glue))

    def scanned(self, table: Table, load: Callable[[set[int]], tuple[pa.Table, int]] | None = None) -> Relation:
        """Return one mention of a table as a relation."""
        scan = Scan(len(self.scans), table, load)
        self.scans.append(scan)
        keys = {key for key, _ in scan.table.partition_keys}
        columns = tuple(
            Column(label, kind, Origin(scan.number, label) if label in keys else None)
            for label, kind in scan.table.columns + scan.table.partition_keys
        )
        return Relation(f"SELECT * FROM scan_{scan.number}", columns, scan=scan.number)

    def _view(self, compiler: QueryCompiler, name: TableName, glue: dict[str, Any]) -> Relation:
        if name in self._views:
            raise StatementError("INVALID_VIEW", f"View '{name}' is recursive")
        if len(self._views) > 20:
            raise Unsupported("views nested deeper than 20")
        definition = decode_view(glue)
        self._views.append(name)
        database, self._database = self._database, definition.get("schema") or name.database
        try:
            relation = QueryCompiler(compiler.context).compile(parse_query(definition["originalSql"]))
        finally:
            self._views.pop()
            self._database = database
        stored = [(column["name"], column["type"]) for column in definition["columns"]]
        actual = [(column.name, trino_name(column.type)) for column in relation.columns]
        if [(label.lower(), kind) for label, kind in stored] != [
            ((label or "").lower(), kind) for label, kind in actual
        ]:
            raise StatementError("VIEW_IS_STALE", f"View '{name}' is stale or in invalid state; it must be re-created")
        return relation


def is_iceberg(glue: dict[str, Any]) -> bool:
    """Tell whether Glue's record is of an Iceberg table."""
    return str((glue.get("Parameters") or {}).get("table_type", "")).lower() == "iceberg"


def read_table(name: TableName, glue: dict[str, Any]) -> Table:
    """
    Return a Glue table with Trino types.

    Raises: Unsupported for Iceberg and other open table formats, partition projection, tables without a location, and
    columns that cannot be.
    """
    parameters = {key.lower(): str(text).lower() for key, text in (glue.get("Parameters") or {}).items()}
    if parameters.get("table_type") in ("iceberg", "delta", "hudi") or "spark.sql.sources.provider" in parameters:
        raise Unsupported(f"table format of {name}")
    if parameters.get("projection.enabled") == "true":
        raise Unsupported(f"partition projection of {name}")
    if not (glue.get("StorageDescriptor") or {}).get("Location"):
        raise Unsupported(f"table {name}, which has no location in Glue")
    columns = typed_columns(glue["StorageDescriptor"].get("Columns") or [])
    keys = typed_columns(glue.get("PartitionKeys") or [])
    if twice := repeated(label for label, _ in columns + keys):
        raise Unsupported(f"table {name}, which has two columns {twice!r}")
    return Table(name, columns, keys, glue)


def decode_view(glue: dict[str, Any]) -> dict[str, Any]:
    """Return what Athena keeps of a view: originalSql, catalog, schema, columns."""
    text = glue.get("ViewOriginalText") or ""
    if not (text.startswith(_VIEW_PREFIX) and text.endswith(_VIEW_SUFFIX)):
        raise Unsupported(f"view {glue['Name']!r} that is no Presto view")
    try:
        return json.loads(base64.b64decode(text[len(_VIEW_PREFIX) : -len(_VIEW_SUFFIX)]))
    except ValueError as problem:
        raise StatementError("INVALID_VIEW", f"View {glue['Name']!r} cannot be read") from problem


def named_columns(relation: Relation) -> list[tuple[str, Type]]:
    """
    Return the columns of a query that makes a table or view.

    Raises: StatementError for one without a name, and for a name that stands twice.
    """
    labels = [(column.name or "").lower() for column in relation.columns]
    if "" in labels:
        raise StatementError("MISSING_COLUMN_NAME", f"Column name not specified at position {labels.index('') + 1}")
    if twice := repeated(labels):
        raise StatementError("DUPLICATE_COLUMN_NAME", f"Column name '{twice}' specified more than once")
    return [(label, column.type) for label, column in zip(labels, relation.columns, strict=True)]


def _check_view_type(label: str, kind: Type) -> None:
    try:
        hive_name(kind)
    except StatementError as problem:
        raise StatementError("NOT_SUPPORTED", f"Invalid column type for column {label}: {problem}") from problem


def view_input(name: TableName, sql: str, relation: Relation) -> dict[str, Any]:
    """
    Return the TableInput of a view, in the form Athena stores.

    Raises: StatementError for columns without a name, with one name twice, or of a type Hive has not (zoned times).
    """
    named = named_columns(relation)
    for label, kind in named:
        _check_view_type(label, kind)
    columns = [{"name": label, "type": trino_name(kind)} for label, kind in named]
    definition = {"originalSql": sql, "catalog": CATALOG, "schema": name.database, "columns": columns}
    encoded = base64.b64encode(json.dumps(definition, ensure_ascii=False).encode()).decode()
    return {
        "Name": name.name,
        "TableType": "VIRTUAL_VIEW",
        "Parameters": {"presto_view": "true", "comment": "Presto View"},
        "PartitionKeys": [],
        "ViewOriginalText": f"{_VIEW_PREFIX}{encoded}{_VIEW_SUFFIX}",
        "ViewExpandedText": "/* Presto View */",
        "StorageDescriptor": {
            "Columns": [{"Name": label, "Type": hive_name(kind)} for label, kind in named],
            "Location": "",
            "SerdeInfo": {},
        },
    }
