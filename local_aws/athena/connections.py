"""DuckDB for one statement after the other: an instance takes 17 ms to make, one more connection to it less than 1."""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING

import duckdb

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local_aws.athena.language.helpers import Helpers

_CONFIG = {"threads": 2, "autoinstall_known_extensions": False, "autoload_known_extensions": False}
# Of this process, as many as statements were ever executed at once; what a statement registers is gone when it ends.
_idle: deque[duckdb.DuckDBPyConnection] = deque()


@contextmanager
def connected(helpers: Helpers, sql: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a connection that knows the *helpers* of *sql*, to an instance that no other statement uses meanwhile."""
    try:
        instance = _idle.pop()
    except IndexError:
        instance = duckdb.connect(":memory:", config=_CONFIG)
    connection = instance.cursor()  # settings, macros and views are its own; functions are the instance's
    try:
        connection.execute("SET TimeZone = 'UTC'")
        # Folding would evaluate constants in branches that are never taken, and so refuse or fail for nothing.
        connection.execute("SET disabled_optimizers = 'expression_rewriter,statistics_propagation'")
        helpers.install(connection, sql)
        yield connection
    finally:
        _give_back(instance, connection, helpers)


def _give_back(instance: duckdb.DuckDBPyConnection, connection: duckdb.DuckDBPyConnection, helpers: Helpers) -> None:
    try:
        helpers.remove(connection)
        connection.execute("SELECT 1")
    except duckdb.Error:  # an interrupt that came late, so that functions may be left; or DuckDB itself broke
        instance.close()
    else:
        _idle.append(instance)
    finally:
        connection.close()
