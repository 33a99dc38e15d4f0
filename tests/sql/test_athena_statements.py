"""Statements end to end: Ion snapshots, views, UNLOAD, CTAS, INSERT, external tables."""

import base64
import gzip
import json
from collections.abc import Iterator

import pytest

from tests.sql.athena_harness import BUCKET, Athena, running_athena

COLUMNS = {
    "id": ("string", "(Item conversation_id)"),
    "created_at": ("string", "(Item created_at)"),
    "category": ("string", "(Item evaluation category)"),
    "score": ("decimal(38,0)", "(Item evaluation inquiry_score)"),
    "is_clipped": ("boolean", "(Item evaluation is_clipped)"),
    "tags": ("array<string>", "(Item tags)"),
}
SNAPSHOT = """\
$ion_1_0 {Item:{conversation_id:"a",created_at:"2026-10-01T14:59:59Z",
  evaluation:{category:"coding",inquiry_score:5.,is_clipped:false}}}
$ion_1_0 {Item:{conversation_id:"b",created_at:"2026-10-01T15:00:00Z",
  evaluation:{category:"coding",inquiry_score:4.,is_clipped:true}}}
$ion_1_0 {Item:{conversation_id:"c",tags:$dynamodb_SS::["x","y"],evaluation:{category:"office",inquiry_score:2.}}}
$ion_1_0 {Item:{conversation_id:"d"}}
"""
VIEW = """
-- a casting view
create or replace view judged as
select
    id,
    category,
    cast(score as integer) as score,
    date(from_iso8601_timestamp(created_at) at time zone 'Asia/Tokyo') as day,
    export_id
from raw
"""


@pytest.fixture
def athena() -> Iterator[Athena]:
    with running_athena() as running:
        yield running


@pytest.fixture
def census(athena: Athena) -> Athena:
    athena.put_ion_table(COLUMNS)
    athena.put_snapshot("e1", SNAPSHOT, "", b"")
    athena.rows(VIEW)
    return athena


def test_a_snapshot_goes_through_the_view_and_unload_into_a_parquet_table(census: Athena) -> None:
    target = f"s3://{BUCKET}/summary/run=1/"
    summary = """
        select category, count(*) as n, count_if(score >= 5) as best, avg(cast(score as double)) as mean,
            max(day) as last_day
        from judged where export_id = 'e1' group by 1
    """

    census.rows(f"unload ({summary}) to '{target}' with (format = 'PARQUET', compression = 'SNAPPY')")
    census.rows(
        "create external table summary (category string, n bigint, best bigint, mean double, last_day date) "
        f"stored as parquet location '{target}'"
    )

    assert census.rows("select * from summary order by n desc, category") == [
        ("coding", "2", "1", "4.5", "2026-10-02"),
        ("office", "1", "0", "2.0", None),
        (None, "1", "0", None, None),
    ]


def test_missing_attributes_sets_and_booleans_are_read_as_the_serde_reads_them(census: Athena) -> None:
    assert census.rows("select id, score, is_clipped, tags from raw order by id") == [
        ("a", "5", "false", None),
        ("b", "4", "true", None),
        ("c", "2", None, "[x, y]"),
        ("d", None, None, None),
    ]


def test_a_number_in_a_string_column_is_its_ion_text(athena: Athena) -> None:
    athena.put_ion_table({"n": ("string", "(Item n)")})
    athena.put_snapshot("e1", "{Item:{n:103.}}\n{Item:{n:6d2}}\n{Item:{n:-12.5}}\n{Item:{n:1d-10}}\n{Item:{n:true}}\n")

    assert athena.rows("select n from raw order by n") == [("-12.5",), ("103.",), ("1d-10",), ("6d2",), ("true",)]


def test_anything_in_a_string_column_is_its_ion_text(athena: Athena) -> None:
    athena.put_ion_table({"v": ("string", "(Item v)")})
    values = ('[1., "a"]', "{a: \"b c\", 'it\\'s': [true, null]}", '$dynamodb_SS::["x"]', "{{YWI=}}", "null")
    athena.put_snapshot("e1", "".join(f"{{Item:{{v:{value}}}}}\n" for value in values))

    assert athena.rows("select v from raw order by v") == [
        ('$dynamodb_SS::["x"]',),
        ('[1.,"a"]',),
        ("{a:\"b c\",'it\\'s':[true,null]}",),
        ("{{YWI=}}",),
        (None,),
    ]


def test_names_in_paths_ignore_case(athena: Athena) -> None:
    athena.put_ion_table({"n": ("string", "(item KEY)")})
    athena.put_snapshot("e1", '{Item:{Key:"x"}}')

    assert athena.rows("select n from raw") == [("x",)]


@pytest.mark.parametrize(
    ("kind", "item"),
    [
        pytest.param("bigint", "{Item:{n:103.}}", id="a decimal in a bigint column"),
        pytest.param("double", "{Item:{n:1.5}}", id="a decimal in a double column"),
        pytest.param("decimal(38,0)", "{Item:{n:1.5}}", id="more fraction digits than the scale"),
        pytest.param("decimal(3,0)", "{Item:{n:1d3}}", id="more digits than the precision"),
        pytest.param("decimal(38,0)", '{Item:{n:"1"}}', id="a text in a decimal column"),
        pytest.param("boolean", '{Item:{n:"true"}}', id="a text in a boolean column"),
        pytest.param("array<string>", '{Item:{n:"x"}}', id="a text in an array column"),
    ],
)
def test_a_value_that_does_not_fit_its_column_fails_the_query(athena: Athena, kind: str, item: str) -> None:
    athena.put_ion_table({"n": (kind, "(Item n)"), "id": ("string", "(Item id)")})
    athena.put_snapshot("e1", item)

    answer = athena.ask("select n from raw")

    assert answer.kind == "user"
    assert answer.message.startswith("HIVE_BAD_DATA")
    assert athena.rows("select count(id) from raw") == [("0",)]  # a column that is not read cannot fail


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(gzip.compress(SNAPSHOT.encode())[:-20], id="a gzip cut short"),
        pytest.param(b"no gzip at all", id="no gzip"),
        pytest.param(gzip.compress(b"{Item:{conversation_id:"), id="Ion cut short"),
        pytest.param(gzip.compress(b"\xff\xfe\x00"), id="bytes that are no text"),
    ],
)
def test_a_file_that_is_no_ion_fails_the_query_and_says_which(athena: Athena, body: bytes) -> None:
    athena.put_ion_table(COLUMNS)
    athena.put_snapshot("e1", body)

    answer = athena.ask("select id from raw")

    assert answer.kind == "user"
    assert answer.message.startswith("HIVE_CURSOR_ERROR: exports/AWSDynamoDB/e1/data/0.ion.gz")


def test_two_names_that_differ_only_in_case_are_refused_and_not_drawn(athena: Athena) -> None:
    athena.put_ion_table({"n": ("string", "(Item n)")})
    athena.put_snapshot("e1", '{Item:{n:"x",N:"y"}}')

    assert athena.ask("select n from raw").kind == "unsupported"


def test_hidden_files_are_invisible(census: Athena) -> None:
    for name in ("_started", ".hidden.ion.gz", "_temporary/0.ion.gz"):
        census.s3.put_object(Bucket=BUCKET, Key=f"exports/AWSDynamoDB/e1/data/{name}", Body=b"garbage")

    assert census.rows("select count(*) from raw") == [("4",)]


def test_a_filter_on_the_partition_reads_that_partition_alone(census: Athena) -> None:
    census.put_snapshot("broken", b"garbage")

    assert census.rows("select count(*) from judged where export_id = 'e1'") == [("4",)]
    assert census.rows("select count(*) from judged where export_id in ('e1', 'none') and category = 'coding'") == [
        ("2",)
    ]
    assert census.ask("select count(id) from judged").kind == "user"


def test_a_filter_on_one_mention_does_not_prune_another(census: Athena) -> None:
    census.put_snapshot("e2", '{Item:{conversation_id:"z"}}')

    both = "with r as (select id, export_id from raw) select count(*) from r as a, r as b where a.export_id = 'e2'"
    outer = "select count(*) from raw as a left join raw as b on a.id = b.id and b.export_id = 'e2'"
    inside = "select count(*) from raw where exists (select 1 from (values 1) as t(x) where raw.export_id = 'e2')"
    windowed = "select n from (select export_id, count(*) over () as n from raw) as t where export_id = 'e2'"

    assert census.rows(both) == [("5",)]
    assert census.rows(outer) == [("5",)]
    assert census.rows(inside) == [("1",)]
    assert census.rows(windowed) == [("5",)]


def test_a_changed_file_is_read_again(census: Athena) -> None:
    assert census.rows("select count(id) from raw") == [("4",)]

    census.s3.put_object(
        Bucket=BUCKET, Key="exports/AWSDynamoDB/e1/data/0.ion.gz", Body=gzip.compress(b'{Item:{conversation_id:"new"}}')
    )

    assert census.rows("select id from raw") == [("new",)]


def test_a_view_is_stored_as_athena_stores_it(census: Athena) -> None:
    table = census.glue.get_table(DatabaseName="d", Name="judged")["Table"]
    encoded = table["ViewOriginalText"].removeprefix("/* Presto View: ").removesuffix(" */")
    definition = json.loads(base64.b64decode(encoded))

    assert table["TableType"] == "VIRTUAL_VIEW"
    assert table["Parameters"]["presto_view"] == "true"
    assert definition["originalSql"].startswith("select\n    id,")
    assert definition["columns"][2:] == [
        {"name": "score", "type": "integer"},
        {"name": "day", "type": "date"},
        {"name": "export_id", "type": "varchar"},
    ]


def test_a_view_whose_table_changed_is_stale(athena: Athena) -> None:
    athena.put_parquet_table("t", {"x": "int"}, [[1]])
    athena.rows("create view v as select x from t")
    athena.rows("drop table t")
    athena.put_parquet_table("t", {"x": "bigint"}, [[1]])

    assert athena.ask("select * from v").message.startswith("VIEW_IS_STALE")


def test_a_view_of_a_zoned_time_is_refused_as_athena_refuses_it(athena: Athena) -> None:
    answer = athena.ask("create view v as select from_iso8601_timestamp('2026-10-01T00:00:00Z') as t")

    assert answer.kind == "user"
    assert "timestamp(3) with time zone" in answer.message


def test_create_view_twice_needs_or_replace(athena: Athena) -> None:
    athena.rows("create view v as select 1 as x")

    assert athena.ask("create view v as select 2 as x").message.startswith("TABLE_ALREADY_EXISTS")
    athena.rows("create or replace view v as select 2 as x")
    assert athena.rows("select x from v") == [("2",)]
    athena.rows("drop view v")
    assert athena.ask("drop view v").kind == "user"
    athena.rows("drop view if exists v")


def test_unload_refuses_a_target_that_holds_anything(athena: Athena) -> None:
    athena.s3.put_object(Bucket=BUCKET, Key="full/x", Body=b"")

    answer = athena.ask(f"unload (select 1 as x) to 's3://{BUCKET}/full/' with (format = 'PARQUET')")

    assert answer.kind == "user"
    assert answer.message.startswith("HIVE_PATH_ALREADY_EXISTS")


def test_unload_of_no_rows_writes_no_object(athena: Athena) -> None:
    athena.rows(f"unload (select 1 as x where false) to 's3://{BUCKET}/none' with (format = 'PARQUET')")

    assert athena.keys("none") == []


def test_unload_writes_nothing_when_the_query_fails(athena: Athena) -> None:
    answer = athena.ask(f"unload (select 1/0 as x) to 's3://{BUCKET}/none/' with (format = 'PARQUET')")

    assert answer.message.startswith("DIVISION_BY_ZERO")
    assert athena.keys("none/") == []


@pytest.mark.parametrize(
    "sql",
    [
        "unload (select 1 as x) to 's3://warehouse/u/' with (format = 'JSON')",
        "create table t with (format = 'ORC') as select 1 as x",
        "msck repair table t",
        "explain select 1",
    ],
)
def test_what_the_engine_does_not_write_or_show_is_refused_by_name(athena: Athena, sql: str) -> None:
    answer = athena.ask(sql)

    assert answer.kind == "unsupported"
    assert answer.message.startswith("LOCAL_AWS_UNSUPPORTED: ")


@pytest.mark.parametrize(
    "query",
    ["select 1", "select 1 as x, 2 as x", "select now() as t", "select null as x"],
    ids=["no name", "one name twice", "zoned time", "unknown type"],
)
def test_ctas_refuses_columns_that_no_table_can_have(athena: Athena, query: str) -> None:
    assert athena.ask(f"create table t as {query}").kind == "user"
    assert athena.ask("select * from t").message.startswith("TABLE_NOT_FOUND")


@pytest.mark.parametrize(
    "properties", ["", f"with (table_type = 'ICEBERG', is_external = false, location = 's3://{BUCKET}/results/i/')"]
)
def test_ctas_into_a_database_that_is_gone_writes_nothing(athena: Athena, properties: str) -> None:
    answer = athena.ask(f"create table gone.t {properties} as select 1 as x")

    assert answer.message.startswith("SCHEMA_NOT_FOUND")
    assert athena.keys("results/") == []


def test_ctas_writes_below_the_output_location_and_insert_adds_to_it(athena: Athena) -> None:
    athena.rows("create table t as select 1 as n, cast('a' as varchar) as s, timestamp '2026-10-01 01:02:03.004' as at")
    athena.rows("insert into t select 2, 'b', timestamp '2026-10-02 00:00:00'")
    athena.rows("insert into t (s) values ('c')")

    assert athena.rows("select n, s, at from t order by s") == [
        ("1", "a", "2026-10-01 01:02:03.004"),
        ("2", "b", "2026-10-02 00:00:00.000"),
        (None, "c", None),
    ]
    assert athena.ask("create table t as select 1 as n").message.startswith("TABLE_ALREADY_EXISTS")
    assert athena.ask("insert into t select 'x', 'b', null").message.startswith("TYPE_MISMATCH")
    assert athena.ask("insert into t select 1").message.startswith("TYPE_MISMATCH")


def test_drop_table_leaves_the_objects(athena: Athena) -> None:
    athena.put_parquet_table("t", {"x": "int"}, [[1]])

    athena.rows("drop table t")

    assert athena.ask("select * from t").message.startswith("TABLE_NOT_FOUND")
    assert athena.keys("tables/t/") == ["tables/t/part"]


def test_a_parquet_column_of_another_type_fails_the_query(athena: Athena) -> None:
    athena.put_parquet_table("t", {"x": "int"}, [[1]])
    athena.rows(f"create external table u (x string) stored as parquet location 's3://{BUCKET}/tables/t/'")
    athena.rows(f"create external table w (x bigint, y string) stored as parquet location 's3://{BUCKET}/tables/t/'")

    assert athena.ask("select x from u").message.startswith("HIVE_BAD_DATA")
    assert athena.rows("select x, y from w") == [("1", None)]


def test_nested_turns_are_read_from_ion(athena: Athena) -> None:
    athena.put_ion_table({"turns": ("array<struct<role:string,content:string>>", "(Item turns)")})
    athena.put_snapshot("e1", '{Item:{turns:[{role:"user",content:"改行\\n"},{content:"x",role:"assistant"}]}}')

    sql = "select role, length(content) from raw cross join unnest(turns) as t(role, content) order by role"

    assert athena.rows(sql) == [("assistant", "1"), ("user", "3")]
