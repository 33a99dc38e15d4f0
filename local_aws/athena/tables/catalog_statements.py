"""
Statements about databases, partitions and names, run on Glue.

The answer of each SHOW is text in lines, of type string, as Hive calls it, without a header row.
Source: Athena user guide, "DDL statements", each statement's page with its results; observed on the live service in
September 2026: github.com/aoyagikouhei/athena-local, docs/dev/measurements/query-results.md and result-files.md.
"""

from __future__ import annotations

import re
from datetime import date
from functools import singledispatchmethod
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from local_aws.athena.failures import (
    StatementError,
    Unsupported,
    ddl_task_failure,
    hive_failure,
    iceberg_refusal,
    table_not_found,
)
from local_aws.athena.outcome import Listing, Outcome
from local_aws.athena.tables.catalog import Catalog, TableName, decode_view, is_iceberg
from local_aws.athena.tables.hive_description import DESCRIBED, columns_of, described, filled
from local_aws.athena.tables.hive_grammar import (
    AddPartitions,
    CreateDatabase,
    Describe,
    DropDatabase,
    DropPartitions,
    ShowColumns,
    ShowDatabases,
    ShowPartitions,
    ShowTables,
)
from local_aws.athena.tables.partitions import ESCAPED, NULL_PARTITION, partition_folder
from local_aws.athena.tables.store import split_uri

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from local_aws.athena.iceberg.statements import Iceberg
    from local_aws.athena.tables.hive_grammar import Statement

_WHOLE_NUMBERS = ("tinyint", "smallint", "int", "integer", "bigint")


def run(statement: Statement, glue: Any, database: str | None, iceberg: Callable[[], Iceberg]) -> Outcome:
    """
    Return what the statement gave; *database* is the current one.

    Raises: StatementError as Athena fails, Unsupported.
    """
    return _Runner(glue, database, iceberg).run(statement)


class _Runner:
    def __init__(self, glue: Any, database: str | None, iceberg: Callable[[], Iceberg]) -> None:
        self._glue = glue
        self._database = database
        self._iceberg = iceberg
        self._catalog = Catalog(glue, database)

    @singledispatchmethod
    def run(self, statement: Statement) -> Outcome:
        raise NotImplementedError(type(statement).__name__)

    @run.register
    def _(self, statement: CreateDatabase) -> Outcome:
        wanted: dict[str, Any] = {"Name": statement.name}
        if statement.comment:
            wanted["Description"] = statement.comment
        if statement.location:
            split_uri(statement.location)
            wanted["LocationUri"] = statement.location
        if statement.properties:
            wanted["Parameters"] = statement.properties
        try:
            self._glue.create_database(DatabaseInput=wanted)
        except ClientError as problem:
            if problem.response["Error"]["Code"] != "AlreadyExistsException":
                raise
            if not statement.is_optional:
                raise ddl_task_failure(f"Database {statement.name} already exists") from problem
        return Outcome()

    @run.register
    def _(self, statement: DropDatabase) -> Outcome:
        if not self._has_database(statement.name):
            if statement.is_optional:
                return Outcome()
            raise hive_failure(f"SemanticException [Error 10072]: Database does not exist: {statement.name}")
        tables = list(self._pages("get_tables", "TableList", DatabaseName=statement.name))
        if tables and not statement.is_cascading:
            message = f"Database {statement.name} is not empty. One or more tables exist."
            raise ddl_task_failure(f"InvalidOperationException(message:{message})")
        for table in tables:
            self._glue.delete_table(DatabaseName=statement.name, Name=table["Name"])
        self._glue.delete_database(Name=statement.name)
        return Outcome()

    @run.register
    def _(self, statement: AddPartitions) -> Outcome:
        name, table = self._table(statement.table)
        inputs = [self._partition(name, table, *partition) for partition in statement.partitions]
        is_known = [self._has_partition(name, entry["Values"]) for entry in inputs]
        if any(is_known) and not statement.is_optional:
            raise ddl_task_failure("AlreadyExistsException(message:Partition already exists.)")
        for entry, exists in zip(inputs, is_known, strict=True):
            if not exists:
                self._glue.create_partition(DatabaseName=name.database, TableName=name.name, PartitionInput=entry)
        return Outcome()

    @run.register
    def _(self, statement: DropPartitions) -> Outcome:
        name, table = self._table(statement.table)
        found = [_values(name, table, given) for given in statement.partitions]
        is_known = [self._has_partition(name, values) for values in found]
        if not all(is_known) and not statement.is_optional:
            raise hive_failure("SemanticException [Error 10006]: Partition not found")
        for values, exists in zip(found, is_known, strict=True):
            if exists:
                self._glue.delete_partition(DatabaseName=name.database, TableName=name.name, PartitionValues=values)
        return Outcome()

    @run.register
    def _(self, statement: ShowDatabases) -> Outcome:
        names = [entry["Name"] for entry in self._pages("get_databases", "DatabaseList")]
        return _listing("database_name", sorted(_matching_databases(names, statement.pattern)))

    @run.register
    def _(self, statement: ShowTables) -> Outcome:
        database = statement.database or self._database
        if database is None:
            raise StatementError("MISSING_SCHEMA_NAME", "Schema must be specified when session schema is not set")
        if not self._has_database(database):
            raise hive_failure(f"SemanticException [Error 10072]: Database does not exist: {database}")
        names = [table["Name"] for table in self._pages("get_tables", "TableList", DatabaseName=database)]
        return _listing("tab_name", sorted(_matching(names, statement.pattern)))

    @run.register
    def _(self, statement: ShowPartitions) -> Outcome:
        name, table = self._table(statement.table)
        keys = _keys(table)
        if not keys:
            raise ddl_task_failure(f"Table {name.name} is not a partitioned table")
        pages = self._pages("get_partitions", "Partitions", DatabaseName=name.database, TableName=name.name)
        found = [list(zip(keys, partition["Values"], strict=True)) for partition in pages]
        if any(ESCAPED.search(value) for values in found for _, value in values):
            raise Unsupported("SHOW PARTITIONS of values with characters that Hive escapes")
        return _listing("partition", ["/".join(f"{key}={value}" for key, value in values) for values in found])

    @run.register
    def _(self, statement: ShowColumns) -> Outcome:
        name, table = self._table(statement.table)
        if table.get("TableType") == "VIRTUAL_VIEW":
            return _columns_of_view(table)
        if is_iceberg(table):
            return _listing("field", self._iceberg().column_names(name))
        return _listing("field", [filled(column["Name"]) for column in columns_of(table)])

    @run.register
    def _(self, statement: Describe) -> Outcome:
        name, table = self._table(statement.table)
        if table.get("TableType") == "VIRTUAL_VIEW":
            return _columns_of_view(table)
        if is_iceberg(table):
            return Outcome(listing=Listing(DESCRIBED, self._iceberg().described(name)))
        return Outcome(listing=Listing(DESCRIBED, described(table), update_count=None))

    def _table(self, parts: tuple[str, ...]) -> tuple[TableName, dict[str, Any]]:
        name = self._catalog.name(list(parts))
        table = self._catalog.find(name)
        if table is None:
            raise table_not_found(f"{name.database}.{name.name}")
        return name, table

    def _partition(
        self, name: TableName, table: dict[str, Any], given: dict[str, str], location: str | None
    ) -> dict[str, Any]:
        values = _values(name, table, given)
        storage = table["StorageDescriptor"]
        if location is None:
            location = f"{storage['Location'].rstrip('/')}/{partition_folder(_keys(table), values)}".rstrip("/")
        split_uri(location)
        return {"Values": values, "StorageDescriptor": {**storage, "Location": location}}

    def _has_partition(self, name: TableName, values: list[str]) -> bool:
        return self._is_there(
            self._glue.get_partition, DatabaseName=name.database, TableName=name.name, PartitionValues=values
        )

    def _has_database(self, name: str) -> bool:
        return self._is_there(self._glue.get_database, Name=name)

    def _is_there(self, get: Any, **place: Any) -> bool:
        try:
            get(**place)
        except ClientError as problem:
            if problem.response["Error"]["Code"] != "EntityNotFoundException":
                raise
            return False
        return True

    def _pages(self, action: str, member: str, **request: Any) -> Iterator[dict[str, Any]]:
        for page in self._glue.get_paginator(action).paginate(**request):
            yield from page[member]


def _listing(column: str, lines: list[str]) -> Outcome:
    return Outcome(listing=Listing((column,), tuple(lines)))


def _columns_of_view(table: dict[str, Any]) -> Outcome:
    lines = tuple(f"{column['name']}\t{column['type']}" for column in decode_view(table)["columns"])
    return Outcome("DESC_VIEW", listing=Listing(("column", "type"), lines, "varchar"))


def _keys(table: dict[str, Any]) -> list[str]:
    return [key["Name"].lower() for key in table.get("PartitionKeys") or []]


def _values(name: TableName, table: dict[str, Any], given: dict[str, str]) -> list[str]:
    """Return a partition's values in the order of the table's keys, each checked against its key's type."""
    if is_iceberg(table):
        raise iceberg_refusal()
    keys = _keys(table)
    if not keys:
        raise hive_failure(f"SemanticException table is not partitioned but partition spec exists: {name.name}")
    if set(given) != set(keys):
        raise hive_failure(
            f"SemanticException partition spec of {name.name} must give each of its partition columns "
            f"({', '.join(keys)}), gives {', '.join(given)}"
        )
    for key in table["PartitionKeys"]:
        _check_value(key["Name"], key["Type"].lower(), given[key["Name"].lower()])
    return [given[key] for key in keys]


def _check_value(key: str, kind: str, value: str) -> None:
    try:
        if kind in _WHOLE_NUMBERS:
            plain = str(int(value))
        elif kind == "date":
            plain = date.fromisoformat(value).isoformat()
        elif kind == "string":
            plain = value or None
        else:
            raise Unsupported(f"ALTER TABLE … PARTITION with a key of type {kind}")
    except ValueError as problem:
        raise hive_failure(f"SemanticException the value of partition column {key} is no {kind}") from problem
    if plain != value or value == NULL_PARTITION:
        raise Unsupported(f"a value of partition column {key} that is empty, or not written plainly as {kind}")


def _matching(names: list[str], pattern: str | None) -> list[str]:
    """Return the tables that match: `*` (or `.*`) is any text, `|` a choice."""
    if pattern is None:
        return names
    plain = pattern.replace(".*", "*")
    if not re.fullmatch(r"[\w*|]+", plain):
        raise Unsupported("SHOW … with a pattern of more than letters, digits, _, * and |")
    return [name for name in names if re.fullmatch(plain.replace("*", ".*"), name, re.IGNORECASE)]


def _matching_databases(names: list[str], pattern: str | None) -> list[str]:
    """Return the databases that match: as a whole, as a regular expression of Java, but `*` alone is all of them."""
    if pattern in (None, "*"):
        return names
    if not re.fullmatch(r"[\w.*]+", pattern, re.ASCII) or "**" in pattern:
        raise Unsupported("SHOW DATABASES with a pattern of more than letters, digits, _, . and *")
    if pattern.startswith("*"):
        problem = f"java.util.regex.PatternSyntaxException: Dangling meta character '*' near index 0\n{pattern}\n^"
        raise ddl_task_failure(f"MetaException(message:Unable to get databases: {problem})")
    return [name for name in names if re.fullmatch(pattern, name)]
