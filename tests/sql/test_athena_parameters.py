"""Values for the `?` of a statement: bound as one literal each, or refused."""

from collections.abc import Iterator
from typing import Any

import pytest

from local_aws.athena.api.parameters import bound, execution_of_prepared
from local_aws.athena.failures import StatementError, SyntaxRejection, Unsupported
from local_aws.aws_error import AwsError
from tests.sql.athena_harness import BUCKET, Athena, client, running_athena

PEOPLE = "select n from (values ('a', 1, date '2026-10-01'), ('b''', -2, date '2026-10-02')) as t(name, n, day)"


@pytest.fixture
def athena() -> Iterator[Athena]:
    with running_athena() as running:
        yield running


def rows(athena: Athena, execution_id: str) -> list[str | None]:
    status = athena.wait(execution_id)["Status"]
    assert status["State"] == "SUCCEEDED", status
    page = athena.service.handle("GetQueryResults", {"QueryExecutionId": execution_id})
    return [row["Data"][0].get("VarCharValue") for row in page["ResultSet"]["Rows"][1:]]


def failure(athena: Athena, sql: str, *values: str) -> dict[str, Any]:
    status = athena.wait(athena.start(sql, ExecutionParameters=list(values)))["Status"]
    assert status["State"] == "FAILED"
    return status["AthenaError"]


@pytest.mark.parametrize(
    ("condition", "values", "expected"),
    [
        ("name = ?", ["'a'"], ["1"]),
        ("name = ?", ["'b'''"], ["-2"]),
        ("n = ? and name = ?", ["1", "'a'"], ["1"]),
        ("n = ?", ["-2"], ["-2"]),
        ("n -? = 3", ["-2"], ["1"]),
        ("n in (?, ?)", ["1", " -2 "], ["1", "-2"]),
        ("n between ? and ?", ["0", "1.5"], ["1"]),
        ("name like ?", ["'%a%'"], ["1"]),
        ("day > ?", ["DATE '2026-10-01'"], ["-2"]),
        ("(n > 0) = ?", ["true"], ["1"]),
        ("n = ?", ["null"], []),
        ("n > ? -- and ? here\n and name <> '?'", ["0"], ["1"]),
    ],
)
def test_a_value_takes_the_place_of_its_question_mark(
    athena: Athena, condition: str, values: list[str], expected: list[str]
) -> None:
    execution_id = athena.start(f"{PEOPLE} where {condition}", ExecutionParameters=values)

    assert sorted(rows(athena, execution_id)) == sorted(expected)


def test_insert_create_table_as_and_unload_take_parameters(athena: Athena) -> None:
    athena.put_parquet_table("t", {"n": "int"}, [])
    statements = {
        "insert into t select n from (values 1, 2, 3) as v(n) where n > ?": 2,
        f"create table u with (external_location = 's3://{BUCKET}/u/') as select n from t where n > ?": 2,
        f"unload (select n from t where n > ?) to 's3://{BUCKET}/w/' with (format = 'PARQUET')": 2,
    }

    for sql, written in statements.items():
        execution_id = athena.start(sql, ExecutionParameters=["1"])
        assert athena.wait(execution_id)["Status"]["State"] == "SUCCEEDED"
        answer = athena.service.handle("GetQueryResults", {"QueryExecutionId": execution_id})
        assert answer["UpdateCount"] == written


@pytest.mark.parametrize(
    "value",
    [
        "a", "'a' or true", "1 or 1=1", "1; drop table t", "'a', 'b'", "(1)", "1 -- x", "1 /* x */", "select 1", "n",
        "''' or 1=1 --", "array[1]", "?", "1 union select 2", "'a' --", "x'00'", "cast('1' as integer)", " ",
    ],
)  # fmt: skip
def test_a_value_that_is_more_than_one_literal_is_refused_and_not_quoted(athena: Athena, value: str) -> None:
    error = failure(athena, f"{PEOPLE} where name = ?", value)

    assert error["ErrorCategory"] == 3
    assert error["ErrorMessage"].startswith("LOCAL_AWS_UNSUPPORTED: execution parameter 1")
    assert "or " not in error["ErrorMessage"]


@pytest.mark.parametrize(("marks", "values"), [("n = ?", ["1", "2"]), ("n = ? and n = ?", ["1"]), ("n = 1", ["1"])])
def test_a_wrong_number_of_values_fails_as_trino_does(athena: Athena, marks: str, values: list[str]) -> None:
    error = failure(athena, f"{PEOPLE} where {marks}", *values)

    expected = f"expected {marks.count('?')} but found {len(values)}"
    assert error["ErrorCategory"] == 2
    assert error["ErrorMessage"] == f"INVALID_PARAMETER_USAGE: line 1:1: Incorrect number of parameters: {expected}"


def test_a_question_mark_without_a_value_fails_as_trino_does(athena: Athena) -> None:
    status = athena.wait(athena.start(f"{PEOPLE} where n = ?"))["Status"]

    assert "expected 1 but found 0" in status["StateChangeReason"]


@pytest.mark.parametrize(
    ("sql", "construct"),
    [
        ("select ?", "outside WHERE"),
        ("select 1 limit ?", "outside WHERE"),
        ("select * from ?", "outside WHERE"),
        ("select 1 from (values 1) as t(n) where t.? = 1", "as a part of Column"),
        ("select 1 from (values 1) as t(n) where n like 'a' escape ?", "as a part of Escape"),
        ("drop table ?", "in a statement other than"),
        ("create view v as select 1 as n where 1 = ?", "in a statement other than"),
    ],
)
def test_a_question_mark_that_is_no_operand_of_a_where_is_refused(sql: str, construct: str) -> None:
    with pytest.raises(Unsupported, match=construct):
        bound(sql, ["1"])


@pytest.mark.parametrize("sql", ["select 1 where date ? > n", "select 1 where interval ? day > n", "select ?1"])
def test_a_question_mark_that_trino_cannot_read_is_a_syntax_error(sql: str) -> None:
    with pytest.raises(SyntaxRejection):
        bound(sql, ["'2'"] * sql.count("?"))


def test_ddl_has_no_parameters() -> None:
    with pytest.raises((Unsupported, StatementError)):
        bound("create external table t (n int) stored as parquet location ?", ["'s3://b/'"])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], "greater than or equal to 1"),
        (["x" * 1025], "1 to 1024 characters"),
        (["1", ""], "1 to 1024 characters each, 2 has 0"),
    ],
)
def test_values_have_the_sizes_of_the_api(athena: Athena, values: list[str], message: str) -> None:
    with pytest.raises(AwsError, match=message):
        athena.start(f"{PEOPLE} where n = ?", ExecutionParameters=values)


def test_the_values_are_not_told_by_the_execution(athena: Athena) -> None:
    execution = athena.wait(athena.start(f"{PEOPLE} where name = ?", ExecutionParameters=["'secret'"]))

    assert "secret" not in str(execution)
    assert execution["Query"].endswith("name = ?")


def test_a_prepared_statement_is_executed_with_values_of_either_kind(athena: Athena) -> None:
    client("athena").create_prepared_statement(
        StatementName="People_1", WorkGroup="primary", QueryStatement=f"{PEOPLE} where name = ? and n = ?"
    )

    assert rows(athena, athena.start("EXECUTE People_1 USING 'a', 1;")) == ["1"]
    assert rows(athena, athena.start("execute People_1", ExecutionParameters=["'a'", "1"])) == ["1"]
    status = athena.wait(athena.start("execute People_1"))["Status"]
    assert "expected 2 but found 0" in status["StateChangeReason"]


def test_a_prepared_statement_that_cannot_be_executed_starts_nothing(athena: Athena) -> None:
    client("athena").create_prepared_statement(StatementName="one", WorkGroup="primary", QueryStatement="select 1")

    with pytest.raises(AwsError, match="PreparedStatement none was not found in workGroup primary"):
        athena.start("execute none")
    with pytest.raises(AwsError, match="give them once"):
        athena.start("execute one using 1", ExecutionParameters=["1"])
    with pytest.raises(AwsError, match="a value that is no literal"):
        athena.start("execute one using 1 + 1")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("execute p", ("p", ())),
        (" EXECUTE p using 'a, b' , -1.5,null ; ", ("p", ("'a, b'", "-1.5", "null"))),
        ("execute p using date '2026-01-01'", ("p", ("date '2026-01-01'",))),
        ("select 1", None),
    ],
)
def test_execute_is_read_into_name_and_values(text: str, expected: tuple[str, tuple[str, ...]] | None) -> None:
    assert execution_of_prepared(text) == expected


@pytest.mark.parametrize(
    "text", ["execute p using x", "execute p using 1,", "execute p using 1 2", "execute p using ,"]
)
def test_execute_with_anything_but_literals_is_refused(text: str) -> None:
    with pytest.raises(Unsupported):
        execution_of_prepared(text)


@pytest.mark.parametrize("sql", ["prepare p from select 1", "deallocate prepare p"])
def test_prepare_and_deallocate_are_refused_by_name(athena: Athena, sql: str) -> None:
    assert athena.ask(sql).kind == "unsupported"
