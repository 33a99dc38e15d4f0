"""Databases, partitions and SHOW: what Athena gives to Hive, over Glue."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.athena.failures import SyntaxRejection
from local_aws.athena.tables.hive_grammar import parse
from local_aws.aws_error import AwsError
from tests.sql.athena_harness import BUCKET, Athena, running_athena


@pytest.fixture
def athena() -> Iterator[Athena]:
    with running_athena() as running:
        yield running


@pytest.fixture
def days(athena: Athena) -> Athena:
    athena.rows(
        "create external table days (n int) partitioned by (day string, hour int) stored as parquet "
        f"location 's3://{BUCKET}/days/'"
    )
    return athena


def done(athena: Athena, sql: str) -> dict[str, Any]:
    execution = athena.wait(athena.start(sql))
    assert execution["Status"]["State"] == "SUCCEEDED", execution["Status"]
    return execution


def reason(athena: Athena, sql: str) -> str:
    status = athena.wait(athena.start(sql))["Status"]
    assert status["State"] == "FAILED"
    return status["StateChangeReason"]


def shown(athena: Athena, sql: str) -> tuple[str, list[str]]:
    """Return the column's name and its cells, after checking that nothing differs from Athena's form."""
    execution = done(athena, sql)
    answer = athena.service.handle("GetQueryResults", {"QueryExecutionId": execution["QueryExecutionId"]})
    (column,) = answer["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]
    cells = [row["Data"][0]["VarCharValue"] for row in answer["ResultSet"]["Rows"]]
    key = execution["ResultConfiguration"]["OutputLocation"].removeprefix(f"s3://{BUCKET}/")
    written = athena.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read().decode()
    assert execution["StatementType"] == "UTILITY"
    assert (column["Type"], column["Precision"], column["Scale"], column["CaseSensitive"]) == ("string", 0, 0, False)
    assert key.endswith(".txt")
    assert written == "\n".join(cells)
    assert answer["UpdateCount"] == 0
    return column["Name"], cells


def partitions(athena: Athena) -> dict[tuple[str, ...], str]:
    found = athena.glue.get_partitions(DatabaseName="d", TableName="days")["Partitions"]
    return {tuple(entry["Values"]): entry["StorageDescriptor"]["Location"] for entry in found}


def test_a_database_is_created_with_all_that_it_says(athena: Athena) -> None:
    execution = done(
        athena,
        "CREATE DATABASE IF NOT EXISTS `Census` COMMENT 'Site Foo' LOCATION 's3://b/census/' "
        "WITH DBPROPERTIES ('creator' = 'Jane D.', \"Dept.\" = 'Marketing');",
    )

    database = athena.glue.get_database(Name="census")["Database"]
    assert database["Description"] == "Site Foo"
    assert database["LocationUri"] == "s3://b/census/"
    assert database["Parameters"] == {"creator": "Jane D.", "Dept.": "Marketing"}
    assert execution["StatementType"] == "DDL"
    assert execution["Statistics"]["DataScannedInBytes"] == 0
    assert execution["ResultConfiguration"]["OutputLocation"].endswith(".txt")


def test_a_database_that_exists_is_created_again_only_if_it_may_be(athena: Athena) -> None:
    assert reason(athena, "create schema d").endswith("DDLTask. Database d already exists")
    done(athena, "create schema if not exists d")


def test_a_database_with_tables_is_dropped_only_in_cascade(days: Athena) -> None:
    assert "Database d is not empty" in reason(days, "drop database d restrict")
    done(days, "drop database d cascade")

    with pytest.raises(ClientError, match="EntityNotFoundException"):
        days.glue.get_database(Name="d")


def test_a_database_that_is_not_there_is_dropped_only_if_it_may_be_missing(athena: Athena) -> None:
    assert reason(athena, "drop schema nowhere").startswith("FAILED: SemanticException [Error 10072]")
    done(athena, "drop database if exists nowhere cascade")


def test_partitions_are_added_at_the_places_they_name_or_below_the_table(days: Athena) -> None:
    execution = done(
        days,
        "ALTER TABLE d.days ADD IF NOT EXISTS PARTITION (hour = 9, day = '2026-10-01') "
        f"LOCATION 's3://{BUCKET}/elsewhere/' PARTITION (`day` = '10:30/é', hour = 10)",
    )

    assert partitions(days) == {
        ("2026-10-01", "9"): f"s3://{BUCKET}/elsewhere/",
        ("10:30/é", "10"): f"s3://{BUCKET}/days/day=10%3A30%2Fé/hour=10",
    }
    assert execution["StatementType"] == "DDL"


def test_a_query_reads_a_partition_that_was_added(days: Athena) -> None:
    done(days, f"unload (select 7 as n) to 's3://{BUCKET}/there/' with (format = 'PARQUET')")
    done(days, f"alter table days add partition (day = 'x', hour = 1) location 's3://{BUCKET}/there/'")

    assert days.rows("select n, day, hour from days where day = 'x'") == [("7", "x", "1")]


def test_of_partitions_one_of_which_exists_none_is_added(days: Athena) -> None:
    done(days, "alter table days add partition (day = 'x', hour = 1)")
    both = "partition (day = 'y', hour = 1) partition (day = 'x', hour = 1)"

    message = reason(days, f"alter table days add {both}")

    assert message.startswith("FAILED: Execution Error, return code 1")
    assert message.endswith("AlreadyExistsException(message:Partition already exists.)")
    assert set(partitions(days)) == {("x", "1")}
    done(days, f"alter table days add if not exists {both}")
    assert set(partitions(days)) == {("x", "1"), ("y", "1")}


def test_partitions_are_dropped_together_or_not_at_all(days: Athena) -> None:
    done(days, "alter table days add partition (day = 'x', hour = 1) partition (day = 'y', hour = 1)")
    gone = "alter table days drop {} partition (day = 'x', hour = 1), partition (day = 'z', hour = 1)"

    assert "Partition not found" in reason(days, gone.format(""))
    assert len(partitions(days)) == 2
    done(days, gone.format("if exists"))
    assert set(partitions(days)) == {("y", "1")}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("day = 'x'", "must give each of its partition columns (day, hour), gives day"),
        ("day = 'x', hour = 1, minute = 2", "gives day, hour, minute"),
        ("day = 'x', hour = 'noon'", "the value of partition column hour is no int"),
        ("day = 'x', hour = 01", "LOCAL_AWS_UNSUPPORTED: a value of partition column hour"),
        ("day = '', hour = 1", "LOCAL_AWS_UNSUPPORTED: a value of partition column day"),
    ],
)
def test_a_partition_that_does_not_fit_the_table_is_refused(days: Athena, spec: str, message: str) -> None:
    assert message in reason(days, f"alter table days add partition ({spec})")
    assert partitions(days) == {}


def test_a_table_without_partitions_takes_none(athena: Athena) -> None:
    athena.put_parquet_table("t", {"n": "int"}, [])

    assert "table is not partitioned" in reason(athena, "alter table t add partition (day = 'x')")
    assert "not a partitioned table" in reason(athena, "show partitions t")


@pytest.mark.parametrize("value", ["null", "x", "'__HIVE_DEFAULT_PARTITION__'"])
def test_a_partition_value_that_is_no_plain_text_or_number_is_refused(days: Athena, value: str) -> None:
    assert days.ask(f"alter table days add partition (day = {value}, hour = 1)").kind == "unsupported"


@pytest.mark.parametrize(
    ("columns", "kind"),
    [
        ("(a int, A string)", "user"), ("(a int) partitioned by (a string)", "user"), ("(a varchar)", "user"),
        ("(a decimal(39,1))", "unsupported"), ("(a decimal(5,6))", "unsupported"), ("(a int not null)", "unsupported"),
        ("(a varchar(70000))", "unsupported"), ("(a char(256))", "unsupported"),
        ("(a struct<x:int,x:int>)", "unsupported"),
    ],
)  # fmt: skip
def test_a_table_is_not_made_with_columns_that_hive_cannot_have(athena: Athena, columns: str, kind: str) -> None:
    answer = athena.ask(f"create external table odd {columns} stored as parquet location 's3://{BUCKET}/odd/'")

    assert answer.kind == kind
    assert athena.glue.get_tables(DatabaseName="d")["TableList"] == []


@pytest.mark.parametrize("sql", ["alter table none add partition (day = 'x')", "show partitions none"])
def test_a_table_that_is_not_there_is_not_found(athena: Athena, sql: str) -> None:
    assert reason(athena, sql) == "FAILED: SemanticException [Error 10001]: Table not found d.none"


def test_databases_and_tables_are_shown_in_the_order_of_their_names(days: Athena) -> None:
    days.rows("create view hours as select 1 as n")
    done(days, "create database analytics")

    assert shown(days, "SHOW DATABASES") == ("database_name", ["analytics", "d"])
    assert shown(days, "show schemas like 'analytics'") == ("database_name", ["analytics"])
    assert shown(days, "show schemas like '*'") == ("database_name", ["analytics", "d"])
    for nothing in ("ana*", "Analytics"):
        assert shown(days, f"show databases like '{nothing}'") == ("database_name", [])
    assert "Dangling meta character '*' near index 0\n*lytics\n^" in reason(days, "show schemas like '*lytics'")
    assert days.ask("show schemas like 'ana%'").kind == "unsupported"
    assert shown(days, "show tables") == ("tab_name", ["days", "hours"])
    assert shown(days, "show tables in d '*our*|none'") == ("tab_name", ["hours"])
    assert shown(days, "show tables from d") == ("tab_name", ["days", "hours"])
    assert shown(days, "show tables in d like 'day*'") == ("tab_name", ["days"])
    assert shown(days, "show tables in analytics") == ("tab_name", [])
    assert "Database does not exist" in reason(days, "show tables in nowhere")
    assert days.ask("show tables 'h.urs'").kind == "unsupported"


def test_partitions_and_columns_are_shown_as_hive_prints_them(days: Athena) -> None:
    done(days, "alter table days add partition (day = '2026-10-01', hour = 9)")

    assert shown(days, "show partitions days") == ("partition", ["day=2026-10-01/hour=9"])
    columns = [name.ljust(20) for name in ("n", "day", "hour")]
    assert shown(days, "show columns in days") == ("field", columns)
    assert shown(days, "show columns from days from d") == ("field", columns)
    done(days, "alter table days add partition (day = '9:00', hour = 9)")
    assert days.ask("show partitions days").kind == "unsupported"


def test_lines_come_in_pages_without_a_header(days: Athena) -> None:
    done(days, "alter table days add " + " ".join(f"partition (day = '{n:03}', hour = 1)" for n in range(25)))
    request = {"QueryExecutionId": done(days, "show partitions days")["QueryExecutionId"], "MaxResults": 10}
    sizes = []

    while True:
        page = days.service.handle("GetQueryResults", request)
        sizes.append(len(page["ResultSet"]["Rows"]))
        if "NextToken" not in page:
            break
        request["NextToken"] = page["NextToken"]

    assert sizes == [10, 10, 5]


@pytest.mark.parametrize("sql", ["describe none", "desc nowhere.none", "show columns in none"])
def test_a_table_that_is_not_there_is_not_described(athena: Athena, sql: str) -> None:
    with pytest.raises(AwsError, match="Error Code: EntityNotFoundException; Request ID: ") as caught:
        athena.start(sql)
    assert caught.value.members["AthenaErrorCode"] == "INVALID_INPUT"


def described(athena: Athena, sql: str) -> tuple[dict[str, Any], list[tuple[str, str]], list[str]]:
    """Return the execution, the columns (name and type), and the lines of a DESCRIBE."""
    execution = done(athena, sql)
    answer = athena.service.handle("GetQueryResults", {"QueryExecutionId": execution["QueryExecutionId"]})
    info = answer["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]
    lines = [row["Data"][0]["VarCharValue"] for row in answer["ResultSet"]["Rows"]]
    assert all(len(row["Data"]) == 1 for row in answer["ResultSet"]["Rows"])
    execution["UpdateCount"] = answer.get("UpdateCount")
    return execution, [(column["Name"], column["Type"]) for column in info], lines


def test_a_table_of_hive_is_described_in_cells_of_twenty(athena: Athena) -> None:
    athena.rows(
        "create external table t (n int comment 'a\tb', c21_56789012345678901 struct<aa:int,bb:int> comment 'abc', "
        "d decimal(10,2)) partitioned by (p string comment 'pc') "
        f"location 's3://{BUCKET}/t/'"
    )

    for sql in ("describe t", "DESC `d`.t"):
        execution, columns, lines = described(athena, sql)

        key = "p".ljust(20) + "\tstring" + " " * 14 + "\tpc" + " " * 18
        assert columns == [("col_name", "string"), ("data_type", "string"), ("comment", "string")]
        assert lines == [
            "n".ljust(20) + "\tint" + " " * 17 + "\ta",
            "c21_56789012345678901\tstruct<aa:int,bb:int>\tabc" + " " * 17,
            "d".ljust(20) + "\tdecimal(10,2)" + " " * 7 + "\t" + " " * 20,
            key,
            "\t \t ",
            "# Partition Information\t \t ",
            "# col_name" + " " * 12 + "\tdata_type" + " " * 11 + "\tcomment" + " " * 13,
            "\t \t ",
            key,
        ]
        assert (execution["StatementType"], execution["SubstatementType"]) == ("UTILITY", "DESCRIBE_TABLE")
        assert execution["UpdateCount"] is None


@pytest.mark.parametrize("sql", ["describe v", "show columns from v"])
def test_a_view_is_described_in_two_columns(athena: Athena, sql: str) -> None:
    athena.rows("create view v as select 1 as n, 'a' as s")

    execution, columns, lines = described(athena, sql)

    assert columns == [("column", "varchar"), ("type", "varchar")]
    assert lines == ["n\tinteger", "s\tvarchar(1)"]
    assert (execution["SubstatementType"], execution["UpdateCount"]) == ("DESC_VIEW", 0)


def test_what_of_a_table_was_not_checked_is_not_described(days: Athena) -> None:
    days.rows(f"create external table t (n int) location 's3://{BUCKET}/t/'")

    for sql in ("describe days", "describe extended t", "describe t n", "describe /* c */ t"):
        assert days.ask(sql).kind == "unsupported", sql


@pytest.mark.parametrize(
    "sql",
    [
        "explain select 1", "show create table days", "show tblproperties days", "show views",
        "msck repair table days", "alter table days set location 's3://b/'", "alter table days rename to nights",
        "show functions", "describe formatted days",
    ],
)  # fmt: skip
def test_what_has_no_checked_form_is_refused_by_name(days: Athena, sql: str) -> None:
    answer = days.ask(sql)

    assert answer.kind == "unsupported"
    assert sql.split()[0].upper() in answer.message


@pytest.mark.parametrize(
    "sql",
    [
        "create database", "create database a b", "create database a comment b", "create database a with dbproperties",
        "drop database", "drop schema a restrict cascade", "alter table t add partition", "show columns t",
        "alter table t add partition (a = )", "alter table t add partition (a = 1, a = 2)", "show tables 'a' x",
        "show partitions", "alter table t drop partition (a > 1)", "show databases in d", "describe",
        'describe "days"',
    ],
)  # fmt: skip
def test_a_text_that_is_no_statement_of_hive_is_refused(sql: str) -> None:
    with pytest.raises(SyntaxRejection):
        parse(sql)


@pytest.mark.parametrize("sql", ["select 1", "", "  ", "create table t as select 1", "'show tables'", "drop view v"])
def test_other_statements_are_left_to_others(sql: str) -> None:
    assert parse(sql) is None
