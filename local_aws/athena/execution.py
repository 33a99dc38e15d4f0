"""One query in DuckDB: translated, its tables loaded, executed, its errors explained without quoting data."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import duckdb

from local_aws.athena.api.parameters import bound
from local_aws.athena.connections import connected
from local_aws.athena.failures import UNSUPPORTED, ScanLimitExceeded, StatementError, Unsupported
from local_aws.athena.language.helpers import Helpers
from local_aws.athena.language.queries import Context, QueryCompiler
from local_aws.athena.language.trino_types import Type, duckdb_name, is_nested, trino_name
from local_aws.athena.tables.catalog import Catalog, Scan
from local_aws.athena.tables.files import TableFiles
from local_aws.athena.tables.partitions import Condition

if TYPE_CHECKING:
    import pyarrow as pa
    from sqlglot import exp

    from local_aws.athena.language.relation import Relation
    from local_aws.athena.tables.parsed_files import ParsedFiles
    from local_aws.athena.tables.store import Store

Started = Callable[[duckdb.DuckDBPyConnection], None]


@dataclass
class Progress:
    """How far a statement came, whether it ended well or not."""

    planning_seconds: float = 0.0
    scanned_bytes: int = 0


@dataclass(frozen=True)
class Job:
    """
    One statement and where it runs; *output* is the folder of its results, ending in /.

    *scan_limit* is in bytes; a query that reads more ends.
    """

    text: str
    database: str | None
    output: str
    is_output_enforced: bool
    execution_id: str
    parameters: tuple[str, ...] = ()
    scan_limit: int | None = None
    progress: Progress = field(default_factory=Progress)

    def bound(self) -> Job:
        """Return the job with its parameters in the text; raises what `parameters.bound` raises."""
        return replace(self, text=bound(self.text, self.parameters), parameters=())


class Run:
    """Translation and execution of the query inside one statement."""

    def __init__(self, glue: Any, store: Store, parsed: ParsedFiles, job: Job, started: Started) -> None:
        self.job = job
        self.catalog = Catalog(glue, job.database)
        self._files = TableFiles(store, glue, parsed)
        self._helpers = Helpers()
        self._started = started
        now = datetime.now(UTC).replace(tzinfo=None)
        self._context = Context(self.catalog, self._helpers, now.isoformat(sep=" ", timespec="milliseconds"))

    @property
    def scanned_bytes(self) -> int:
        """Return the size of the objects that were read."""
        return self._files.scanned_bytes

    def translate(self, tree: exp.Expression) -> Relation:
        """Return a query as DuckDB text and columns."""
        begun = time.monotonic()
        try:
            return QueryCompiler(self._context).compile(tree)
        except RecursionError as problem:
            raise Unsupported("a statement nested that deep") from problem
        finally:
            self.job.progress.planning_seconds += time.monotonic() - begun

    def query(self, tree: exp.Expression, *, as_arrow: bool = False) -> tuple[Relation, Any]:
        """Return a query's relation, and its rows as execute() does."""
        relation = self.translate(tree)
        return relation, self.execute(relation.sql, [column.type for column in relation.columns], as_arrow=as_arrow)

    def execute(self, sql: str, kinds: list[Type], *, as_arrow: bool = False) -> Any:
        """
        Return the rows of DuckDB text (tuples, or an arrow table), after checking that its types are those we derived.

        Raises: StatementError, Unsupported; ScanLimitExceeded once more is read than the job may read.
        """
        try:
            with connected(self._helpers, sql) as connection:
                for scan in sorted(
                    self.catalog.scans, key=lambda scan: any(asked.subquery for _, asked in self._asked(scan))
                ):
                    connection.register(f"scan_{scan.number}", self._load(connection, scan, sql))
                self._started(connection)
                relation = connection.sql(sql)
                _check_types(relation.description, kinds)
                rows = relation.to_arrow_table() if as_arrow else relation.fetchall()
        except duckdb.Error as problem:
            raise self._helpers.refusal or _explained(problem) from None
        if self._helpers.refusal is not None:
            raise self._helpers.refusal
        return rows

    def _asked(self, scan: Scan) -> list[tuple[str, Condition]]:
        found = self._context.conditions.items()
        return [
            (origin.column, asked) for origin, all_asked in found if origin.scan == scan.number for asked in all_asked
        ]

    def _load(self, connection: duckdb.DuckDBPyConnection, scan: Scan, sql: str) -> pa.Table:
        aliases = self._context.mentions.get(scan.number, [])
        count = len(scan.table.columns) + len(scan.table.partition_keys)
        wanted = {
            index
            for index in range(count)
            if not aliases or any(re.search(rf"\b{alias}\.c{index}\b", sql) for alias in aliases)
        }
        conditions: dict[str, list[Condition]] = {}
        for column, asked in self._asked(scan):
            if (known := _answered(connection, asked)) is not None:
                conditions.setdefault(column, []).append(known)
        table = self._files.load(scan, wanted, conditions)
        self._count(self._files.scanned_bytes)
        return table

    def _count(self, scanned_bytes: int) -> None:
        job = self.job
        if job.scan_limit is not None and scanned_bytes > job.scan_limit:
            job.progress.scanned_bytes = job.scan_limit  # where Athena ends it
            raise ScanLimitExceeded
        job.progress.scanned_bytes = scanned_bytes


def _answered(connection: duckdb.DuckDBPyConnection, asked: Condition) -> Condition | None:
    """Return the condition with the values of its subquery; None when that asks for more than what is loaded so far."""
    if asked.subquery is None:
        return asked
    try:
        rows = connection.execute(asked.subquery).fetchall()
    except duckdb.Error:
        return None
    return Condition(asked.comparison, tuple(value for (value,) in rows))


def _check_types(description: list[Any], kinds: list[Type]) -> None:
    for index, (column, kind) in enumerate(zip(description, kinds, strict=True)):
        if not is_nested(kind) and str(column[1]) != duckdb_name(kind):
            raise Unsupported(f"column {index}: DuckDB gives {column[1]} where {trino_name(kind)} is expected")


_CODE_IN_UDF = re.compile(rf"\w+: ((?:{UNSUPPORTED}|[A-Z_]{{6,}}): .*)", re.DOTALL)


def _explained(problem: duckdb.Error) -> Exception:
    """Return what a DuckDB error means, without quoting values of the data."""
    text = str(problem)
    if isinstance(problem, duckdb.InterruptException):
        return StatementError("USER_CANCELED", "Query was cancelled")
    ours = _CODE_IN_UDF.search(text)
    if "executing the UDF" in text and ours:
        code, _, message = ours[1].strip().partition(": ")
        return Unsupported(message) if code == UNSUPPORTED else StatementError(code, message)
    if "ivision by zero" in text:
        return StatementError("DIVISION_BY_ZERO", "Division by zero")
    if "More than one row returned by a subquery" in text:
        return StatementError("SUBQUERY_MULTIPLE_ROWS", "Scalar sub-query has returned multiple rows")
    if isinstance(problem, duckdb.BinderException) and "GROUP BY" in text:
        return StatementError(
            "EXPRESSION_NOT_AGGREGATE", "an expression must be an aggregate expression or appear in GROUP BY clause"
        )
    if isinstance(problem, duckdb.ConversionException) and "field value out of range" in text:
        return StatementError("INVALID_CAST_ARGUMENT", "a text is no date or timestamp: there is no such day or time")
    if isinstance(problem, duckdb.OutOfRangeException) or "out of range" in text or "Overflow" in text:
        return StatementError("NUMERIC_VALUE_OUT_OF_RANGE", "a number is out of range")
    if isinstance(problem, duckdb.ConversionException):
        return StatementError("INVALID_CAST_ARGUMENT", "a value cannot be cast")
    if "cannot take logarithm" in text or "square root of a negative" in text:
        return Unsupported("NaN")
    return Unsupported(f"this combination of constructs ({type(problem).__name__})")
