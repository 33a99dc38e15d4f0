"""Statements take the same DuckDB one after the other: nothing of one is there for the next."""

import threading

import duckdb
import pytest

from local_aws.athena import connections
from local_aws.athena.connections import connected
from local_aws.athena.language.helpers import Helpers
from local_aws.athena.language.trino_types import BIGINT


@pytest.fixture(autouse=True)
def idle(monkeypatch: pytest.MonkeyPatch):
    """The instances that nobody uses: none at first."""
    monkeypatch.setattr(connections, "_idle", type(connections._idle)())
    yield connections._idle
    for instance in connections._idle:
        instance.close()


def plus(number: int) -> tuple[Helpers, str]:
    """A helper that adds *number*, and its name."""
    helpers = Helpers()
    return helpers, helpers.function("plus", lambda value: value + number, [BIGINT], BIGINT)


def test_the_next_statement_takes_the_same_instance_with_functions_of_its_own(idle):
    for number in (1, 2, 3):
        helpers, name = plus(number)
        sql = f"SELECT {name}(40), t_sqrt(4)"

        with connected(helpers, sql) as connection:
            assert connection.execute(sql).fetchall() == [(40 + number, 2)]

    assert len(idle) == 1


@pytest.mark.parametrize("left", ["{name}(1)", "t_sqrt(4)", "* FROM scan_1"], ids=["function", "macro", "table"])
def test_nothing_of_a_statement_is_left_for_the_next(idle, left):
    helpers, name = plus(1)
    with connected(helpers, f"{name}( t_sqrt(") as connection:
        connection.execute("CREATE TEMP VIEW scan_1 AS SELECT 1")
        connection.execute(f"SELECT {left.format(name=name)}")
        connection.execute("SET TimeZone = 'Asia/Tokyo'")

    with connected(Helpers(), "") as connection:
        with pytest.raises(duckdb.CatalogException):
            connection.execute(f"SELECT {left.format(name=name)}")
        assert connection.execute("SELECT current_setting('TimeZone')").fetchall() == [("UTC",)]
    assert len(idle) == 1


def test_a_statement_that_failed_leaves_the_instance_as_it_was(idle):
    helpers = Helpers()
    sql = "SELECT t_fail('DIVISION_BY_ZERO: by nothing')"
    with pytest.raises(duckdb.Error), connected(helpers, sql) as connection:
        connection.execute(sql)

    helpers, name = plus(2)
    with connected(helpers, f"{name}(") as connection:
        assert connection.execute(f"SELECT {name}(1)").fetchall() == [(3,)]
    assert len(idle) == 1


def test_statements_at_once_have_an_instance_each(idle):
    together, answers = threading.Barrier(4), {}

    def run(number: int) -> None:
        helpers, name = plus(number)
        with connected(helpers, f"{name}(") as connection:
            together.wait(10)
            answers[number] = connection.execute(f"SELECT {name}(10)").fetchall()
            together.wait(10)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert answers == {number: [(10 + number,)] for number in range(4)}
    assert len(idle) == 4


def test_an_instance_that_no_longer_answers_is_not_used_again(idle):
    with connected(Helpers(), "") as connection:
        connection.close()

    assert len(idle) == 0
    with connected(Helpers(), "") as connection:
        assert connection.execute("SELECT 1").fetchall() == [(1,)]
