"""Iceberg tables end to end: made, changed, read at a time, and read back by another Iceberg reader."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from pyiceberg.catalog.noop import NoopCatalog
from pyiceberg.serializers import FromInputFile
from pyiceberg.table import StaticTable
from pyiceberg.types import NestedField, UUIDType

from local_aws.athena.execution import Job
from local_aws.athena.failures import StatementError, SyntaxRejection
from local_aws.athena.iceberg.objects import ObjectStore
from local_aws.athena.iceberg.tables import Tables, commit
from local_aws.athena.iceberg.vacuum import vacuum
from local_aws.athena.language.parsing import parse_statement
from local_aws.athena.tables.catalog import TableName
from tests.sql.athena_harness import BUCKET, OUTPUT, Athena, running_athena

NAME = TableName("d", "t")
# One row is deleted, one updated, one inserted, and one source row takes no clause.
MERGE = """
    merge into t using (values 1, 2, 8, 9) as s(x) on id = x
    when matched and x = 1 then delete
    when matched then update set score = 0
    when not matched and x = 9 then insert (id) values (x)
"""
PEOPLE = "(1, 'ann', 10), (2, 'bob', 20), (3, 'cid', 30)"


@pytest.fixture
def athena() -> Iterator[Athena]:
    with running_athena() as running:
        yield running


@pytest.fixture
def people(athena: Athena) -> Athena:
    create(athena, "t", "id int, name string, score bigint")
    athena.rows(f"insert into t values {PEOPLE}")
    return athena


def create(athena: Athena, name: str, columns: str, clause: str = "", properties: str = "") -> None:
    athena.rows(
        f"create table {name} ({columns}) {clause} location 's3://{BUCKET}/lake/{name}/' "
        f"tblproperties ('table_type' = 'ICEBERG'{properties})"
    )


def read_back(athena: Athena, name: str = "t") -> StaticTable:
    """Return the table as a reader sees it that knows only where Glue says its metadata is."""
    location = athena.glue.get_table(DatabaseName="d", Name=name)["Table"]["Parameters"]["metadata_location"]
    files = ObjectStore(athena.s3)
    metadata = FromInputFile.table_metadata(files.new_input(location))
    return StaticTable(("static", name), metadata, location, files, NoopCatalog("static"))


def everyone(athena: Athena) -> list[tuple[str | None, ...]]:
    return athena.rows("select id, name, score from t order by id")


def failure(athena: Athena, sql: str) -> str:
    """Return the message of a statement that Athena refuses too."""
    answer = athena.ask(sql)
    assert answer.kind == "user", answer
    return answer.message


def refusal(athena: Athena, sql: str) -> str:
    """Return the message of a statement that only this engine refuses."""
    answer = athena.ask(sql)
    assert answer.kind == "unsupported", answer
    return answer.message.removeprefix("LOCAL_AWS_UNSUPPORTED: ")


def snapshots(athena: Athena, name: str = "t") -> list[str]:
    return [row[0] for row in athena.rows(f'select snapshot_id from "{name}$history" order by made_current_at')]


# CREATE TABLE: Athena user guide, Create Iceberg tables


def test_a_new_table_is_empty_and_registered_as_iceberg(athena: Athena) -> None:
    create(athena, "t", "id int comment 'the key', name string", properties=", 'format' = 'parquet'")

    table = athena.glue.get_table(DatabaseName="d", Name="t")["Table"]
    assert athena.rows("select count(*) from t") == [("0",)]
    assert table["TableType"] == "EXTERNAL_TABLE"
    assert set(table["Parameters"]) == {"table_type", "metadata_location"}
    assert table["Parameters"]["table_type"] == "ICEBERG"
    assert [(column["Name"], column["Type"]) for column in table["StorageDescriptor"]["Columns"]] == [
        ("id", "int"), ("name", "string"),
    ]  # fmt: skip
    assert read_back(athena).metadata.format_version == 2
    assert read_back(athena).schema().find_field("id").doc == "the key"


def test_every_type_of_athenas_list_is_stored_and_read(athena: Athena) -> None:
    columns = {
        "a": ("boolean", "true"), "b": ("int", "7"), "c": ("bigint", "8"), "d": ("float", "cast(1.5 as real)"),
        "e": ("double", "2.5e0"), "f": ("decimal(6,2)", "1.25"), "g": ("string", "'日本'"),
        "h": ("date", "date '2026-01-02'"),
        "i": ("array<int>", "array[1, null]"), "j": ("map<string,int>", "map(array['k'], array[9])"),
        "k": ("struct<p:int,q:array<string>>", "cast(row(1, array['x']) as row(p integer, q array(varchar)))"),
        "l": ("binary", "to_utf8('z')"), "m": ("timestamp", "timestamp '2026-01-02 03:04:05.678'"),
    }  # fmt: skip
    create(athena, "t", ", ".join(f"{name} {kind}" for name, (kind, _) in columns.items()))

    athena.rows(f"insert into t select {', '.join(value for _, value in columns.values())}")

    (row,) = read_back(athena).scan().to_arrow().to_pylist()
    assert row == {
        "a": True, "b": 7, "c": 8, "d": 1.5, "e": 2.5, "f": Decimal("1.25"), "g": "日本", "h": date(2026, 1, 2),
        "i": [1, None], "j": [("k", 9)], "k": {"p": 1, "q": ["x"]}, "l": b"z",
        "m": datetime(2026, 1, 2, 3, 4, 5, 678000),  # noqa: DTZ001 - a timestamp without zone
    }  # fmt: skip
    assert athena.rows("select a, b, c, d, e, f, g, h, i, j, k, l from t") == [
        ("true", "7", "8", "1.5", "2.5", "1.25", "日本", "2026-01-02", "[1, null]", "{k=9}", "{p=1, q=[x]}", "7a")
    ]


def test_a_timestamp_is_timestamp_6_in_athena_and_refused_where_it_is_touched(athena: Athena) -> None:
    create(athena, "t", "id int, at timestamp")
    athena.rows("insert into t values (1, timestamp '2026-01-02 03:04:05'), (2, null)")

    for sql in ("select at from t", "select * from t", "table t", "select id from t where at is null"):
        assert refusal(athena, sql) == "column 'at' of type timestamp(6)"
    assert athena.rows("select id from t order by id") == [("1",), ("2",)]


def test_types_that_athenas_iceberg_tables_have_not_are_refused(athena: Athena) -> None:
    for kind in ("tinyint", "smallint", "char(3)", "varchar(3)", "timestamp(3)", "uuid", "array<tinyint>"):
        assert refusal(
            athena, f"create table t (a {kind}) location 's3://x/y' tblproperties ('table_type' = 'ICEBERG')"
        )


def test_a_table_needs_a_location(athena: Athena) -> None:
    assert "No location was specified for table" in failure(
        athena, "create table t (a int) tblproperties ('table_type' = 'ICEBERG')"
    )


def test_only_listed_table_properties_are_taken(athena: Athena) -> None:
    statement = "create table t (a int) location 's3://warehouse/t/' tblproperties ('table_type' = 'ICEBERG', {})"

    assert "Unsupported table property key: comment" in failure(athena, statement.format("'comment' = 'x'"))
    assert "vacuum_min_snapshots_to_keep" in failure(athena, statement.format("'vacuum_min_snapshots_to_keep' = 'x'"))
    assert refusal(athena, statement.format("'format' = 'orc'")) == "Iceberg data format orc"


def test_a_table_that_exists_is_not_made_again(people: Athena) -> None:
    statement = "create table {} t (a int) location 's3://warehouse/n/' tblproperties ('table_type' = 'ICEBERG')"

    assert failure(people, statement.format("")).startswith("TABLE_ALREADY_EXISTS")
    assert people.ask(statement.format("if not exists")).kind == "ok"
    assert len(everyone(people)) == 3


def test_a_table_of_a_database_that_is_gone_is_not_made(athena: Athena) -> None:
    statement = "create table x.t (a int) location 's3://warehouse/n/' tblproperties ('table_type' = 'ICEBERG')"

    assert failure(athena, statement).startswith("SCHEMA_NOT_FOUND")


def test_a_table_that_is_neither_external_nor_iceberg_is_refused(athena: Athena) -> None:
    assert athena.ask("create table t (a int) location 's3://warehouse/n/'").kind == "unsupported"


# Term of PARTITIONED BY, type, two values, their partitions. Hashes: Iceberg specification, Appendix B.
PARTITIONS = [
    ("a", "string", ("'x'", "null"), ("x", None)),
    ("b", "date", ("date '2026-01-02'", "null"), (20455, None)),
    ("year(c)", "date", ("date '2026-01-02'", "date '1969-12-31'"), (56, -1)),
    ("month(d)", "date", ("date '2026-01-02'", "date '2026-02-01'"), (672, 673)),
    ("day(e)", "timestamp", ("timestamp '1970-01-02 23:59:59.999'", "timestamp '1970-01-03 00:00:00'"), (1, 2)),
    ("hour(f)", "timestamp", ("timestamp '1970-01-01 01:30:00'", "timestamp '1969-12-31 23:00:00'"), (1, -1)),
    ("truncate(2, g)", "string", ("'日本語'", "'日'"), ("日本", "日")),
    ("truncate(10, h)", "int", ("-5", "15"), (-10, 10)),
    ("bucket(100, i)", "int", ("34", "null"), (2017239379 % 100, None)),
    ("bucket(100, j)", "string", ("'iceberg'", "null"), (1210000089 % 100, None)),
    ("bucket(100, k)", "date", ("date '2017-11-16'", "null"), ((-653330422 & 0x7FFFFFFF) % 100, None)),
    ("bucket(100, l)", "decimal(9,2)", ("14.20", "null"), ((-500754589 & 0x7FFFFFFF) % 100, None)),
]


def test_rows_are_partitioned_as_the_specification_says(athena: Athena) -> None:
    terms, kinds, values, parts = zip(*PARTITIONS, strict=True)
    columns = ", ".join(f"{name} {kind}" for name, kind in zip("abcdefghijkl", kinds, strict=True))
    create(athena, "t", columns, f"partitioned by ({', '.join(terms)})")

    rows = (", ".join(cells) for cells in zip(*values, strict=True))
    athena.rows(f"insert into t select * from (values {', '.join(f'({row})' for row in rows)}, ({'null, ' * 11}null))")

    found = {tuple(task.file.partition) for task in read_back(athena).scan().plan_files()}
    assert found == {*zip(*parts, strict=True), (None,) * 12}


def test_a_partition_column_must_be_one_of_the_table_and_of_a_listed_type(athena: Athena) -> None:
    statement = (
        "create table t (a int) partitioned by ({}) location 's3://warehouse/t' tblproperties ('table_type'='ICEBERG')"
    )

    assert failure(athena, statement.format("b")).startswith("COLUMN_NOT_FOUND")
    assert refusal(athena, statement.format("day(a)")) == "partitioning by day of int"
    assert refusal(athena, statement.format("a, bucket(2, a)")) == "partitioning by column 'a' twice"


def test_one_statement_writes_at_most_100_partitions(athena: Athena) -> None:
    create(athena, "t", "p bigint", "partitioned by (p)")

    problem = failure(athena, "insert into t select x from unnest(sequence(1, 101)) as u(x)")

    assert problem.startswith("ICEBERG_TOO_MANY_OPEN_PARTITIONS")
    assert athena.rows("select count(*) from t") == [("0",)]


# CREATE TABLE AS: Athena user guide, CREATE TABLE AS


def test_a_table_is_made_of_a_query(people: Athena) -> None:
    people.rows(
        "create table u with (table_type = 'ICEBERG', is_external = false, location = 's3://warehouse/lake/u/', "
        "partitioning = array['bucket(id, 4)'], write_compression = 'snappy') as select id, upper(name) as big from t"
    )

    assert people.rows("select * from u order by id") == [("1", "ANN"), ("2", "BOB"), ("3", "CID")]
    assert read_back(people, "u").scan().to_arrow().num_rows == 3
    assert [str(field.transform) for field in read_back(people, "u").spec().fields] == ["bucket[4]"]
    assert len(snapshots(people, "u")) == 1


NO_TABLES = [
    ("select now() as x", "NOT_SUPPORTED: Timestamp precision (3) not supported for Iceberg."),
    ("select localtimestamp as x", "NOT_SUPPORTED: Timestamp precision (3) not supported for Iceberg."),
    ("select cast(1 as tinyint) as x", "NOT_SUPPORTED: Type not supported for Iceberg: tinyint"),
    ("select row(1) as x", "NOT_SUPPORTED: Row type field does not have a name"),
    ("select 1", "MISSING_COLUMN_NAME"),
    ("select 1 as x, 2 as x", "DUPLICATE_COLUMN_NAME"),
    ("select 1 / x as x from (values 0) as t(x)", "DIVISION_BY_ZERO"),
]


def test_a_query_that_makes_no_iceberg_table_leaves_none(athena: Athena) -> None:
    settings = "table_type = 'ICEBERG', is_external = false, location = 's3://warehouse/lake/u/'"

    for query, code in NO_TABLES:
        assert failure(athena, f"create table u with ({settings}) as {query}").startswith(code), query
    assert failure(athena, "select * from u").startswith("TABLE_NOT_FOUND")
    assert athena.keys("lake/u/") == []


def test_a_query_makes_no_table_where_objects_are(athena: Athena) -> None:
    athena.s3.put_object(Bucket=BUCKET, Key="lake/u/old", Body=b"x")
    settings = "table_type = 'ICEBERG', is_external = false, location = 's3://warehouse/lake/u'"

    assert failure(athena, f"create table u with ({settings}) as select 1 as x").startswith("ICEBERG_FILESYSTEM_ERROR")


# INSERT


def test_rows_are_inserted_by_value_by_query_and_by_column(people: Athena) -> None:
    people.rows("insert into t (score, id) select score + 1, id + 10 from t where id = 1")

    assert everyone(people)[-1] == ("11", None, "11")
    assert len(snapshots(people)) == 2
    assert read_back(people).scan().to_arrow().num_rows == 4


def test_no_rows_make_no_snapshot(people: Athena) -> None:
    before = snapshots(people)

    people.rows("insert into t select * from t where id > 9")
    people.rows("update t set name = 'x' where id > 9")
    people.rows("delete from t where id > 9")
    people.rows("merge into t using (values 9) as s(id) on t.id = s.id when matched then delete")

    assert snapshots(people) == before


FAILING = [
    ("insert into t values ('abc', 'x', 1)", "TYPE_MISMATCH"),
    ("insert into t values (1, 'x')", "TYPE_MISMATCH"),
    ("insert into t values (9999999999, 'x', 1)", "TYPE_MISMATCH"),
    ("insert into t (id, nope) values (1, 2)", "COLUMN_NOT_FOUND"),
    ("insert into t (id, id) values (1, 2)", "DUPLICATE_COLUMN_NAME"),
    ("insert into t select 1 / (id - 1), name, score from t", "DIVISION_BY_ZERO"),
    ("update t set nope = 1", "COLUMN_NOT_FOUND: The UPDATE SET target column nope doesn't exist"),
    ("update t set id = 1, id = 2", "DUPLICATE_COLUMN_NAME"),
    ("update t set id = 'x'", "TYPE_MISMATCH"),
    ("update t set id = 1 / (id - 3)", "DIVISION_BY_ZERO"),
    ("update t set id = 1 where name", "TYPE_MISMATCH"),
    ("delete from t where nope = 1", "COLUMN_NOT_FOUND"),
    ("delete from t where 1 / (id - 3) = 1", "DIVISION_BY_ZERO"),
    ("delete from nope", "TABLE_NOT_FOUND"),
    ("merge into t using (values 1) as s(x) on id = x when matched then update set id = 'x'", "TYPE_MISMATCH"),
    ("merge into t using (values 1) as s(x) on id = x when matched then update set nope = 1", "COLUMN_NOT_FOUND"),
    (
        "merge into t using (values 1) as s(x) on id = x when not matched then insert (id) values (1, 2)",
        "TYPE_MISM",
    ),
    ("merge into t using nope on true when matched then delete", "TABLE_NOT_FOUND"),
]


def test_a_statement_that_fails_leaves_the_table_as_it_was(people: Athena) -> None:
    before = snapshots(people)

    for sql, code in FAILING:
        assert failure(people, sql).startswith(code), sql
    assert snapshots(people) == before
    assert everyone(people) == [("1", "ann", "10"), ("2", "bob", "20"), ("3", "cid", "30")]


# DELETE and UPDATE: Athena user guide, their pages for Iceberg tables; Trino's grammar


def test_rows_are_deleted_where_the_condition_is_true_and_not_where_it_is_null(people: Athena) -> None:
    people.rows("insert into t values (4, null, 40)")

    people.rows("delete from t where name <> 'ann'")

    assert everyone(people) == [("1", "ann", "10"), ("4", None, "40")]
    assert sorted(read_back(people).scan().to_arrow()["id"].to_pylist()) == [1, 4]


def test_a_delete_without_condition_empties_the_table_and_keeps_its_past(people: Athena) -> None:
    (first,) = snapshots(people)

    people.rows("delete from t")

    assert everyone(people) == []
    assert people.rows(f"select count(*) from t for version as of {first}") == [("3",)]
    assert read_back(people).current_snapshot().summary.operation.value == "delete"


def test_a_delete_may_ask_other_tables_and_the_table_itself(people: Athena) -> None:
    people.rows("delete from t where score = (select max(score) from t) or id in (select x from (values 1) as u(x))")

    assert everyone(people) == [("2", "bob", "20")]


def test_rows_are_updated_by_their_old_values(people: Athena) -> None:
    people.rows("update t set score = score + id, name = null where id > 1")

    assert everyone(people) == [("1", "ann", "10"), ("2", None, "22"), ("3", None, "33")]
    assert len(snapshots(people)) == 2


def test_an_update_moves_a_row_to_its_partition(athena: Athena) -> None:
    create(athena, "t", "id int, at timestamp, tags array<struct<k:string>>", "partitioned by (id, day(at))")
    tags = "array[cast(row('x') as row(k varchar))]"
    athena.rows(f"insert into t values (1, timestamp '2026-01-02 03:04:05', {tags}), (2, null, null)")

    athena.rows("update t set id = 3 where id = 1")

    moment = datetime(2026, 1, 2, 3, 4, 5)  # noqa: DTZ001 - a timestamp without zone
    kept = read_back(athena).scan(row_filter="id = 3").to_arrow().to_pylist()
    assert kept == [{"id": 3, "at": moment, "tags": [{"k": "x"}]}]
    assert athena.rows("select id, tags from t order by id") == [("2", None), ("3", "[{k=x}]")]
    assert {tuple(task.file.partition) for task in read_back(athena).scan().plan_files()} == {(2, None), (3, 20455)}


def test_a_change_keeps_untouched_files_and_the_totals_of_the_table(people: Athena) -> None:
    people.rows("insert into t values (4, 'dan', 40)")
    old = {task.file.file_path for task in read_back(people).scan().plan_files()}

    people.rows("update t set name = 'x' where id = 4")

    table = read_back(people)
    assert len(old & {task.file.file_path for task in table.scan().plan_files()}) == 1
    assert table.current_snapshot().summary["total-records"] == "4"
    assert "commit.retry.num-retries" not in table.properties


@pytest.mark.parametrize(
    "sql",
    [
        "update t as x set id = 1",
        "update t set t.id = 1",
        "delete from t as x where id = 1",
        "delete from t limit 1",
        "merge into t using u on true when not matched by source then delete",
        "merge into t using u on true when not matched then delete",
        "merge into t using u on true when matched then insert values (1)",
        "merge into t using u on true when matched then update set t.id = 1",
        "merge into t using u on true",
    ],
)
def test_what_trinos_grammar_has_not_is_no_statement(sql: str) -> None:
    with pytest.raises(SyntaxRejection):
        parse_statement(sql)


def test_rows_of_other_tables_are_not_changed(athena: Athena) -> None:
    athena.put_parquet_table("p", {"id": "int"}, [[1]])

    for sql in ("delete from p", "update p set id = 2", "merge into p using p as s on true when matched then delete"):
        assert failure(athena, sql).startswith("NOT_SUPPORTED: Modifying Hive table rows")


# MERGE: Trino documentation, MERGE


def test_a_merge_takes_for_each_row_the_first_clause_that_holds(people: Athena) -> None:
    people.rows(
        "merge into t using (values (1, 'gone', 0), (2, 'new', 5), (3, 'skip', 6), (7, 'seven', 70), (8, 'no', 80)) "
        "as s(id, name, score) on t.id = s.id "
        "when matched and s.name = 'gone' then delete "
        "when matched and s.id = 2 then update set name = s.name, score = t.score + s.score "
        "when not matched and s.name = 'no' then insert (id) values (s.id) "
        "when not matched then insert values (s.id, s.name, s.score)"
    )

    assert everyone(people) == [
        ("2", "new", "25"), ("3", "cid", "30"), ("7", "seven", "70"), ("8", None, None),
    ]  # fmt: skip
    assert len(snapshots(people)) == 2
    assert read_back(people).scan().to_arrow().num_rows == 4


def test_an_expression_is_evaluated_only_for_rows_of_its_clause(people: Athena) -> None:
    people.rows(
        "merge into t using (values (1, 0), (9, 3)) as s(id, d) on t.id = s.id "
        "when matched then update set score = 77 when not matched then insert values (s.id, 'x', 30 / s.d)"
    )

    assert people.rows("select score from t where id in (1, 9) order by id") == [("77",), ("10",)]


def test_a_target_row_that_several_source_rows_match_fails_the_merge(people: Athena) -> None:
    merge = "merge into t using (values (1, 'a'), (1, 'b')) as s(id, name) on t.id = s.id "

    problem = failure(people, merge + "when matched then update set name = s.name")

    assert problem.startswith("MERGE_TARGET_ROW_MULTIPLE_MATCHES")
    assert everyone(people)[0] == ("1", "ann", "10")
    people.rows(merge + "when matched and s.name = 'b' then update set name = s.name")
    assert everyone(people)[0] == ("1", "b", "10")


def test_source_rows_that_take_different_clauses_for_one_target_row_are_refused(people: Athena) -> None:
    merge = (
        "merge into t using (values (1, 'a'), (1, 'b')) as s(id, name) on t.id = s.id "
        "when matched and s.name = 'a' then delete when matched then update set name = s.name"
    )

    assert refusal(people, merge).startswith("MERGE in which several source rows")


def test_equal_source_rows_without_match_are_all_inserted(people: Athena) -> None:
    people.rows("merge into t using (values 9, 9) as s(x) on t.id = s.x when not matched then insert (id) values (x)")

    assert people.rows("select count(*) from t where id = 9") == [("2",)]


def test_a_merge_reads_its_own_target_as_it_was(people: Athena) -> None:
    people.rows(
        "merge into t using (select id + 1 as id, score from t) as s on t.id = s.id "
        "when matched then update set score = s.score when not matched then insert (id, score) values (s.id, s.score)"
    )

    assert people.rows("select id, score from t order by id") == [("1", "10"), ("2", "10"), ("3", "20"), ("4", "30")]


# What the API says of them


def test_the_api_tells_the_kind_of_statement_and_the_rows_it_changed(people: Athena) -> None:
    for sql, substatement, count in (
        ("insert into t values (4, 'x', 1), (5, 'y', 2)", "INSERT", 2),
        ("update t set score = 0 where id > 1", "UPDATE", 4),
        (MERGE, "MERGE", 3),
        ("delete from t where id > 5", "DELETE", 1),
        ("delete from t", "DELETE", 4),
        ("delete from t", "DELETE", 0),
    ):
        execution = people.wait(people.start(sql))
        assert (execution["StatementType"], execution["SubstatementType"]) == ("DML", substatement)
        answer = people.service.handle("GetQueryResults", {"QueryExecutionId": execution["QueryExecutionId"]})
        assert answer["UpdateCount"] == count, sql


def test_bytes_are_counted_for_the_columns_that_are_read(people: Athena) -> None:
    def scanned(sql: str) -> int:
        return people.wait(people.start(sql))["Statistics"]["DataScannedInBytes"]

    assert 0 < scanned("select id from t") < scanned("select id, name, score from t")
    assert scanned("select count(*) from t") == 0
    twice = scanned("select a.id from t as a join t as b on a.id = b.id")
    source = "(select id as x from t where id = 1)"
    assert scanned(f"merge into t using {source} as s on id = x when matched then update set name = 'x'") == twice


def test_views_unload_and_other_tables_read_iceberg_tables(people: Athena) -> None:
    people.rows("create view v as select id, name from t")
    people.rows("update t set name = 'x' where id = 1")
    people.rows("create table h as select v.id, v.name, t.score from v join t on v.id = t.id")

    assert people.rows("select * from h order by id")[:2] == [("1", "x", "10"), ("2", "bob", "20")]
    assert people.ask(f"unload (select * from t) to 's3://{BUCKET}/out/' with (format = 'PARQUET')").kind == "ok"


# Time travel: Athena user guide, Perform time travel and version travel queries


def test_a_query_reads_the_version_it_names_beside_the_present(people: Athena) -> None:
    (first,) = snapshots(people)
    people.rows("update t set name = 'x'")
    people.rows("alter table t add columns (extra int)")

    joined = f"select a.name, b.name from t as a join t for version as of {first} as b on a.id = b.id order by a.id"
    assert people.rows(joined) == [("x", "ann"), ("x", "bob"), ("x", "cid")]
    for version in snapshots(people):
        assert people.ask(f"select * from t for version as of {version}").columns == ("id", "name", "score")
    assert people.ask("select * from t").columns == ("id", "name", "score", "extra")


def test_a_query_reads_the_table_as_it_was_at_a_time(people: Athena) -> None:
    people.rows("delete from t")
    first, second = (
        datetime.strptime(row[0], "%Y-%m-%d %H:%M:%S.%f UTC").replace(tzinfo=UTC)
        for row in people.rows('select made_current_at from "t$history" order by 1')
    )

    def count(moment: datetime, zone: str) -> str | None:
        text = moment.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
        return people.rows(f"select count(*) from t for timestamp as of timestamp '{text}{zone}'")[0][0]

    assert count(first, " UTC") == "3"
    assert count(first + timedelta(hours=9), " Asia/Tokyo") == "3"
    assert count(second, "") == "0"  # without a zone it is UTC
    assert people.rows("select count(*) from t for timestamp as of (current_timestamp + interval '1' day)") == [("0",)]
    before = first - timedelta(milliseconds=1)
    problem = failure(people, f"select * from t for timestamp as of timestamp '{before:%Y-%m-%d %H:%M:%S} UTC'")
    assert problem.startswith("INVALID_ARGUMENTS: No version history table d.t at or before ")


def test_a_version_that_is_not_there_is_an_error(people: Athena) -> None:
    problem = failure(people, "select * from t for version as of 4611686018427387904")

    assert problem == "INVALID_ARGUMENTS: Iceberg snapshot ID does not exists: 4611686018427387904"
    assert failure(people, "select * from t for version as of 5").startswith("NOT_SUPPORTED: Unsupported type")
    assert people.ask("select * from t for version as of 'main'").kind == "unsupported"


def test_other_tables_have_no_versions(athena: Athena) -> None:
    athena.put_parquet_table("p", {"id": "int"}, [[1]])

    assert failure(athena, "select * from p for version as of 4611686018427387904").startswith("NOT_SUPPORTED")
    assert failure(athena, "select * from p for system_time as of now()")


def test_metadata_tables_list_snapshots_and_history(people: Athena) -> None:
    people.rows("update t set name = 'x' where id = 1")
    first, second = snapshots(people)

    history = 'select snapshot_id, parent_id, is_current_ancestor from "t$history" order by made_current_at'
    assert people.rows(history) == [(first, None, "true"), (second, first, "true")]
    assert people.rows('select snapshot_id, parent_id from "d"."t$snapshots" order by committed_at') == [
        (first, None), (second, first),
    ]  # fmt: skip


def test_what_would_show_files_is_refused_by_name(people: Athena) -> None:
    for suffix in ("files", "manifests", "partitions", "refs"):
        assert refusal(people, f'select * from "t${suffix}"') == f"d.t${suffix}"
    for name in ("t$", "$files"):
        assert refusal(people, f'select * from "{name}"') == f"table {name!r}"


def test_what_merge_on_read_would_tell_of_a_snapshot_is_refused(people: Athena) -> None:
    for column in ("operation", "summary"):
        assert refusal(people, f'select {column} from "t$snapshots"').startswith(f"column '{column}'")
    assert refusal(people, 'select "$path" from t') == "hidden column '$path'"


# Schema evolution: Athena user guide, Evolve Iceberg table schema


def test_columns_are_added_dropped_renamed_moved_and_widened_without_new_data(people: Athena) -> None:
    data = people.keys("lake/t/data/")

    people.rows("alter table t add columns (extra double comment 'more', list array<int>)")
    people.rows("alter table t drop column name")
    people.rows("alter table t change column id key bigint comment 'the key' after score")

    assert people.ask("select * from t").columns == ("score", "key", "extra", "list")
    assert people.ask("select * from t").types == ("bigint", "bigint", "double", "array")
    assert people.rows("select * from t order by key")[0] == ("10", "1", None, None)
    assert people.keys("lake/t/data/") == data
    people.rows("insert into t values (40, 4, 0.5, array[1])")
    people.rows("update t set extra = 1 where key = 1")
    assert people.rows("select key, extra, list from t where key in (1, 4) order by key") == [
        ("1", "1.0", None), ("4", "0.5", "[1]"),
    ]  # fmt: skip
    assert [field.name for field in read_back(people).schema().fields] == ["score", "key", "extra", "list"]
    columns = people.glue.get_table(DatabaseName="d", Name="t")["Table"]["StorageDescriptor"]["Columns"]
    assert [column["Name"] for column in columns] == ["score", "key", "extra", "list"]


def test_a_column_that_was_dropped_does_not_come_back_with_its_name(people: Athena) -> None:
    people.rows("alter table t drop column name")
    people.rows("alter table t add columns (name string)")

    assert people.rows("select name from t") == [(None,)] * 3


def test_listed_properties_of_a_table_are_set_in_its_metadata(people: Athena) -> None:
    sql = "alter table t set tblproperties ('vacuum_min_snapshots_to_keep' = '7', 'write_compression' = 'gzip')"
    execution = people.wait(people.start(sql))

    assert (execution["StatementType"], execution["SubstatementType"]) == ("DDL", "ALTER_TABLE_PROPERTIES")
    assert read_back(people).properties == {
        "vacuum_min_snapshots_to_keep": "7",
        "write.parquet.compression-codec": "gzip",
    }
    assert "previous_metadata_location" in people.glue.get_table(DatabaseName="d", Name="t")["Table"]["Parameters"]


IMPOSSIBLE_ALTERATIONS = [
    ("alter table t set tblproperties ('comment' = 'x')", "INVALID_TABLE_PROPERTY: Unsupported table property key"),
    ("alter table t add columns (id int)", "COLUMN_ALREADY_EXISTS"),
    ("alter table t drop column nope", "COLUMN_NOT_FOUND"),
    ("alter table t change column nope x int", "COLUMN_NOT_FOUND"),
    ("alter table t change column id name int", "COLUMN_ALREADY_EXISTS"),
    ("alter table t change score score int", "NOT_SUPPORTED"),
    ("alter table t change name name bigint", "NOT_SUPPORTED"),
    ("alter table nope add columns (x int)", "TABLE_NOT_FOUND"),
]


def test_an_alteration_that_cannot_be_leaves_the_schema(people: Athena) -> None:
    for sql, code in IMPOSSIBLE_ALTERATIONS:
        assert failure(people, sql).startswith(code), sql
    assert people.ask("select * from t").columns == ("id", "name", "score")


REFUSED = [
    "alter table t rename to u",
    "alter table t unset tblproperties ('write_compression')",
    "alter table t replace columns (id int)",
    "alter table t drop column if exists id",
    "optimize t rewrite data using bin_pack",
    "describe formatted t",
]


def test_what_is_not_done_is_refused_by_name(people: Athena) -> None:
    for sql in REFUSED:
        assert refusal(people, sql)


def test_a_column_that_partitions_the_table_is_not_dropped(athena: Athena) -> None:
    create(athena, "t", "id int, p int", "partitioned by (p)")

    assert refusal(athena, "alter table t drop column p").startswith("DROP COLUMN of 'p'")


# DROP TABLE: Athena user guide, DROP TABLE of Iceberg tables


def test_a_dropped_table_takes_its_data_with_it(people: Athena) -> None:
    people.s3.put_object(Bucket=BUCKET, Key="lake/t2/other", Body=b"x")

    people.rows("drop table t")

    assert people.keys("lake/t/") == []
    assert people.keys("lake/t2/") == ["lake/t2/other"]
    assert failure(people, "select * from t").startswith("TABLE_NOT_FOUND")
    assert people.ask("drop table if exists t").kind == "ok"


def test_a_table_at_the_root_of_a_bucket_is_refused(athena: Athena) -> None:
    statement = "create table t (a int) location 's3://warehouse/' tblproperties ('table_type' = 'ICEBERG')"

    assert refusal(athena, statement) == "an Iceberg table at the root of a bucket"


# VACUUM: Athena user guide, VACUUM


def test_a_vacuum_forgets_old_snapshots_and_removes_what_only_they_needed(people: Athena) -> None:
    people.rows("update t set score = 0")
    people.rows("insert into t values (4, 'dan', 40)")
    people.s3.put_object(Bucket=BUCKET, Key="lake/t/data/orphan", Body=b"x")
    first, *_, last = snapshots(people)
    tables = Tables(people.glue, people.s3)

    vacuum(tables.open(NAME), NAME, people.s3, datetime.now(UTC) + timedelta(days=6))

    assert snapshots(people) == [last]
    assert people.rows("select id, score from t order by id") == [("1", "0"), ("2", "0"), ("3", "0"), ("4", "40")]
    assert "does not exists" in failure(people, f"select * from t for version as of {first}")
    assert len(people.keys("lake/t/data/")) == len(list(read_back(people).scan().plan_files())) == 2


def test_a_vacuum_keeps_what_is_young_and_as_many_snapshots_as_it_is_told(athena: Athena) -> None:
    create(athena, "t", "id bigint", properties=", 'vacuum_min_snapshots_to_keep' = '2'")
    for number in (1, 2, 3):
        athena.rows(f"insert into t values {number}")
    versions = snapshots(athena)

    before = athena.keys("lake/t/")
    execution = athena.wait(athena.start("vacuum d.`t`"))
    assert (execution["SubstatementType"], athena.keys("lake/t/")) == ("VACUUM_TABLE", before)
    vacuum(Tables(athena.glue, athena.s3).open(NAME), NAME, athena.s3, datetime.now(UTC) + timedelta(days=6))

    assert snapshots(athena) == versions[1:]
    assert athena.rows(f"select count(*) from t for version as of {versions[1]}") == [("2",)]


# Commits


def during(athena: Athena, sql: str, other: str) -> None:
    """Run a statement, and another one from start to end once the first has read its tables."""
    others = [other]
    job = Job(sql, "d", OUTPUT, is_output_enforced=False, execution_id="0" * 36)
    athena.service._engine.run(job, lambda _: athena.rows(others.pop()) if others else None)


def test_a_change_of_rows_fails_when_the_table_has_changed_since_it_read_it(people: Athena) -> None:
    changes = ("update t set score = 0", "delete from t", "delete from t where id = 1", MERGE)

    for sql in changes:
        with pytest.raises(
            StatementError, match=r"^ICEBERG_COMMIT_ERROR: Failed to commit Iceberg update to table: d\.t$"
        ):
            during(people, sql, "insert into t values (4, 'dan', 40)")

    assert [row[2] for row in everyone(people)] == ["10", "20", "30", *["40"] * len(changes)]
    assert len(snapshots(people)) == 1 + len(changes)


def test_rows_are_appended_to_a_table_that_has_changed(people: Athena) -> None:
    during(people, "insert into t select 9, 'zoe', count(*) from t", "delete from t where id < 3")

    assert everyone(people) == [("3", "cid", "30"), ("9", "zoe", "3")]
    assert len(snapshots(people)) == 3


def test_a_commit_on_a_table_that_has_changed_is_refused_and_changes_nothing(people: Athena) -> None:
    tables = Tables(people.glue, people.s3)
    stale = tables.open(NAME).transaction()
    with stale.update_schema() as update:
        update.delete_column("name")
    people.rows("alter table t add columns (extra int)")

    with pytest.raises(StatementError, match=r"ICEBERG_COMMIT_ERROR: Failed to commit Iceberg update to table: d\.t"):
        commit(stale, NAME)

    assert people.ask("select * from t").columns == ("id", "name", "score", "extra")


def test_a_table_of_another_writer_is_read_and_its_other_types_are_refused(people: Athena) -> None:
    tables = Tables(people.glue, people.s3)
    with tables.open(NAME).update_schema() as update:
        update.add_column("Key", UUIDType())

    assert people.rows("select id from t order by id") == [("1",), ("2",), ("3",)]
    assert refusal(people, "select key from t") == "column 'key' of type Iceberg uuid"
    assert refusal(people, "delete from t") == "writing an Iceberg table with a uuid column"
    assert isinstance(tables.open(NAME).schema().find_field("Key"), NestedField)
