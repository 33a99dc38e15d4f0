"""What a statement is called, where its result lies, and what lies there."""

from collections.abc import Iterator
from typing import Any

import pytest

from local_aws.athena.api.statement_kinds import kind_of
from local_aws.aws_error import AwsError
from tests.sql.athena_harness import BUCKET, OUTPUT, Athena, running_athena


@pytest.fixture
def athena() -> Iterator[Athena]:
    with running_athena() as running:
        yield running


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("/* SHOW TABLES */ SELECT 1", "DML SELECT 7.csv"), ("( \nselect 1)", "DML SELECT 7.csv"),
        ("select(1)", "DML SELECT 7.csv"), ("WITH\"w\" as (select 1) select 2", "DML SELECT 7.csv"),
        ("values(1)", "DML SELECT 7.csv"), ("table t", "DML SELECT 7.csv"), ("insert into t values 1", "DML INSERT 7"),
        ("update t set n = 1", "DML UPDATE 7.csv"), ("delete from t", "DML DELETE 7.csv"),
        ("merge into t using u on true", "DML MERGE 7.csv"), ("explain(type io) select 1", "DML EXPLAIN 7.txt"),
        ("create table t as select 1 as n", "DDL CREATE_TABLE_AS_SELECT tables/7"),
        ("create table\"t\" with (format = 'ORC') as(select 1 as n)", "DDL CREATE_TABLE_AS_SELECT tables/7"),
        ("create /* c */ table if not exists d.t (n) as values 1", "DDL CREATE_TABLE_AS_SELECT tables/7"),
        ("create table t (n int) stored as parquet", "DDL CREATE_TABLE 7.txt"),
        ("create external /* as select */ table t (n int)", "DDL CREATE_TABLE 7.txt"),
        ("drop table if exists t", "DDL DROP_TABLE 7.txt"), ("-- c\ncreate database d", "DDL CREATE_DATABASE 7.txt"),
        ("drop schema d", "DDL DROP_DATABASE 7.txt"), ("create or replace view v as select 1", "DDL CREATE_VIEW 7.txt"),
        ("drop view v", "DDL DROP_VIEW 7.txt"), ("msck repair table t", "DDL MSCK_REPAIR 7.txt"),
        ("alter table d.t add columns (n int)", "DDL ALTER_TABLE_ADD_COLUMN 7.txt"),
        ("alter table t replace columns (n int)", "DDL ALTER_TABLE_REPLACE_COLUMN 7.txt"),
        ("alter table t change column n m int", "DDL ALTER_TABLE_CHANGE_COLUMN 7.txt"),
        ("ALTER TABLE `t` DROP COLUMN n", "DDL ALTER_TABLE_DROP_COLUMN 7.txt"),
        ("alter table t add if not exists partition (p = 1)", "DDL ALTER_TABLE_ADD_PARTITION 7.txt"),
        ("alter table t drop partition (p = 1)", "DDL ALTER_TABLE_DROP_PARTITION 7.txt"),
        ("alter table t rename to u", "DDL ALTER_TABLE_RENAME 7.txt"),
        ("alter table t set location 's3://b/'", "DDL ALTER_TABLE_SET_LOCATION 7.txt"),
        ("alter table t set tblproperties ('comment' = 'add column')", "DDL ALTER_TABLE_PROPERTIES 7.txt"),
        ("-- SELECT\nSHOW TABLES", "UTILITY SHOW_TABLES 7.txt"), ("show schemas", "UTILITY SHOW_DATABASES 7.txt"),
        ("show columns in t", "UTILITY SHOW_COLUMNS 7.txt"), ("show partitions t", "UTILITY SHOW_PARTITIONS 7.txt"),
        ("show tblproperties t", "UTILITY SHOW_TABLE_PROPERTIES 7.txt"),
        ("show create /* c */ table t", "UTILITY SHOW_CREATE_TABLE 7.txt"),
        ("show create view v", "UTILITY SHOW_CREATE_VIEW 7.txt"), ("show functions", "UTILITY SHOW_FUNCTIONS 7.csv"),
        ("desc t", "UTILITY DESCRIBE_TABLE 7.txt"),
    ],
)  # fmt: skip
def test_a_statement_is_classified_by_its_words_alone(sql: str, kind: str) -> None:
    found = kind_of(sql)

    assert f"{found.type} {found.substatement} {found.location('', '7')}" == kind


def ended(athena: Athena, sql: str) -> dict[str, Any]:
    return athena.wait(athena.start(sql))


def objects(athena: Athena, execution: dict[str, Any]) -> dict[str, bytes]:
    """Return what lies beside the results under an execution's id, without a table's own data."""
    execution_id = execution["QueryExecutionId"]
    found = [key for key in athena.keys("results/") if execution_id in key and f"{execution_id}/" not in key]
    bodies = {key: athena.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in found}
    return {key.removeprefix("results/").replace(execution_id, "7"): body for key, body in bodies.items()}


def test_writing_leaves_a_manifest_only_where_objects_of_a_hive_table_were_written(athena: Athena) -> None:
    made = ended(athena, "create table t as select 1 as n")
    added = ended(athena, "insert into t values 2")
    nothing = ended(athena, "insert into t select 3 where false")

    assert list(objects(athena, made)) == ["tables/7-manifest.csv"]
    assert list(objects(athena, added)) == ["7-manifest.csv"]
    assert objects(athena, nothing) == {}
    assert made["ResultConfiguration"]["OutputLocation"] == f"{OUTPUT}tables/{made['QueryExecutionId']}"
    assert made["Statistics"]["DataManifestLocation"] == f"{OUTPUT}tables/{made['QueryExecutionId']}-manifest.csv"
    assert (made["StatementType"], made["SubstatementType"]) == ("DDL", "CREATE_TABLE_AS_SELECT")
    assert "DataManifestLocation" not in nothing["Statistics"]


def test_ddl_leaves_an_empty_text(athena: Athena) -> None:
    assert objects(athena, ended(athena, "create database other")) == {"7.txt": b""}
    assert objects(athena, ended(athena, "drop table if exists nowhere")) == {"7.txt": b""}


@pytest.mark.parametrize(
    ("sql", "kind", "reason"),
    [
        ("drop table none", 1301, "FAILED: SemanticException [Error 10001]: Table not found d.none"),
        (
            "create database d",
            1006,
            (
                "FAILED: Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask. "
                "Database d already exists"
            ),
        ),
        (
            f"create external table t (n int) location 's3://{BUCKET}/t/'",
            1006,
            (
                "FAILED: Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask. "
                "AlreadyExistsException(message:Table t already exist)"
            ),
        ),
    ],
)
def test_what_hive_fails_leaves_its_words_and_an_empty_answer(athena: Athena, sql: str, kind: int, reason: str) -> None:
    athena.put_parquet_table("t", {"n": "int"}, [[1]])

    failed = ended(athena, sql)

    assert failed["Status"]["StateChangeReason"] == reason
    assert failed["Status"]["AthenaError"]["ErrorType"] == kind
    assert objects(athena, failed) == {"7.txt": reason.encode()}
    answer = athena.service.handle("GetQueryResults", {"QueryExecutionId": failed["QueryExecutionId"]})
    assert answer == {"ResultSet": {"Rows": []}}


def test_a_table_that_exists_has_its_own_explanation(athena: Athena) -> None:
    athena.put_parquet_table("t", {"n": "int"}, [[1]])

    failed = ended(athena, f"create external table t (n int) location 's3://{BUCKET}/t/'")

    assert failed["Status"]["AthenaError"]["ErrorMessage"] == "Table t already exists."


@pytest.mark.parametrize("sql", ["select 1/0", "create table t as select 1/0 as n", "insert into t values 'x'"])
def test_what_the_engine_fails_leaves_nothing(athena: Athena, sql: str) -> None:
    athena.put_parquet_table("t", {"n": "int"}, [[1]])

    failed = ended(athena, sql)

    assert objects(athena, failed) == {}
    with pytest.raises(AwsError, match="Final query state: FAILED"):
        athena.service.handle("GetQueryResults", {"QueryExecutionId": failed["QueryExecutionId"]})


def test_a_failed_write_says_what_it_may_have_left_behind(athena: Athena) -> None:
    athena.put_parquet_table("t", {"n": "int"}, [[1]])
    made, added = ended(athena, "create table t as select 1 as n"), ended(athena, "insert into t values 'x'")

    assert made["Status"]["StateChangeReason"] == (
        "TABLE_ALREADY_EXISTS: line 1:1: Destination table 'awsdatacatalog.d.t' already exists. You may need to "
        f"manually clean the data at location '{OUTPUT}tables/{made['QueryExecutionId']}' before retrying. "
        "Athena will not delete data in your account."
    )
    assert added["Status"]["StateChangeReason"].endswith(
        f". If a data manifest file was generated at '{OUTPUT}{added['QueryExecutionId']}-manifest.csv', you may need "
        "to manually clean the data from locations specified in the manifest. "
        "Athena will not delete data in your account."
    )
    for failed in (made, added):
        assert failed["Status"]["AthenaError"]["ErrorMessage"] == failed["Status"]["StateChangeReason"]


def test_the_catalog_is_given_back_in_lower_case(athena: Athena) -> None:
    execution = athena.wait(
        athena.start("select 1", QueryExecutionContext={"Catalog": "AwsDataCatalog", "Database": "D"})
    )

    assert execution["QueryExecutionContext"] == {"Catalog": "awsdatacatalog", "Database": "D"}
