"""Athena: run one statement and wait for it, and put values into SQL safely."""

import re
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from chatcensus.errors import SetupError, SnapshotIncomplete

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient

_PLAIN_TEXT = re.compile(r"[A-Za-z0-9_./:=+-]{1,300}")
# Reasons that may quote a value of the data: a file that cannot be read, a cast, a function that refuses its argument.
_QUOTES_DATA = ("GENERIC_", "HIVE_", "ICEBERG_", "INVALID_CAST_ARGUMENT", "INVALID_FUNCTION_ARGUMENT")


def sql_string(value: str) -> str:
    """
    Return *value* as an SQL string literal; the one way in which a value enters our SQL.

    Errors: SetupError for anything but letters, digits and `_ . / : = + -`, all that ids, zones and prefixes need.
    """
    if not isinstance(value, str) or not _PLAIN_TEXT.fullmatch(value):
        raise SetupError(f"a value for SQL is 1 to 300 letters, digits and _ . / : = + -, this is {value!r}")
    return f"'{value}'"


def unload(select: str, prefix: str) -> str:
    """Return the statement that writes the rows of *select* as Parquet under *prefix*, an s3:// address."""
    return f"unload (\n{select}\n)\nto {sql_string(prefix)}\nwith (format = 'PARQUET', compression = 'SNAPPY')"


class Athena:
    """One workgroup and database."""

    def __init__(
        self, client: "AthenaClient", database: str, workgroup: str, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.client, self.database, self.workgroup, self.sleep = client, database, workgroup, sleep

    def rows(self, sql: str, timeout_s: float = 600, parameters: Sequence[str] = ()) -> list[dict[str, str | None]]:
        """
        Run *sql* and return its rows as texts by column name, as Athena prints them.

        Shape: *parameters* are SQL literals, one for each `?`.
        Errors: SnapshotIncomplete when the query fails or takes longer than *timeout_s*, with Athena's own reason.
        """
        return self.result(sql, timeout_s, parameters)[1]

    def result(
        self, sql: str, timeout_s: float = 600, parameters: Sequence[str] = ()
    ) -> tuple[dict[str, str], list[dict[str, str | None]]]:
        """Run *sql* and return the Trino type of each column, and the rows; as `rows` in all else."""
        more: Any = {"ExecutionParameters": list(parameters)} if parameters else {}
        query_id = self.client.start_query_execution(
            QueryString=sql, QueryExecutionContext={"Database": self.database}, WorkGroup=self.workgroup, **more
        )["QueryExecutionId"]
        self._wait(query_id, timeout_s)
        pages = list(self.client.get_paginator("get_query_results").paginate(QueryExecutionId=query_id))
        columns = pages[0]["ResultSet"].get("ResultSetMetadata", {}).get("ColumnInfo", [])
        table = [
            [cell.get("VarCharValue") for cell in row["Data"]] for page in pages for row in page["ResultSet"]["Rows"]
        ]
        types = {column["Name"]: column["Type"] for column in columns}
        return types, [dict(zip(table[0], row, strict=True)) for row in table[1:]]  # type: ignore[arg-type]

    def _wait(self, query_id: str, timeout_s: float) -> None:
        waited, pause = 0.0, 0.1
        while True:
            status = self.client.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]["Status"]
            if status["State"] == "SUCCEEDED":
                return
            if status["State"] in ("FAILED", "CANCELLED"):
                reason = _told(status.get("StateChangeReason", "no reason given"))
                raise SnapshotIncomplete(f"Athena query {query_id} ended {status['State']}: {reason}")
            if waited > timeout_s:
                self.client.stop_query_execution(QueryExecutionId=query_id)
                raise SnapshotIncomplete(f"Athena query {query_id} took more than {timeout_s:.0f} s and was stopped")
            self.sleep(pause)
            waited, pause = waited + pause, min(2.0, pause * 1.5)


def _told(reason: str) -> str:
    """Return Athena's *reason*; of one that may quote a value of the data, its code alone."""
    return f"{reason.partition(':')[0]}, see the query in Athena" if reason.startswith(_QUOTES_DATA) else reason
