"""Which files of a table are read, what of them is scanned and kept, and what is written into partitions."""

import io
from collections.abc import Iterator
from datetime import date, timedelta
from random import Random

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from local_aws.athena.language.helpers import Helpers
from local_aws.athena.language.parsing import parse_statement
from local_aws.athena.language.queries import Context, QueryCompiler
from local_aws.athena.language.relation import Column, Relation
from local_aws.athena.language.scope import Origin
from local_aws.athena.language.trino_types import VARCHAR, from_hive
from local_aws.athena.tables.arrow_types import arrow_type
from local_aws.athena.tables.files import TableFiles
from local_aws.athena.tables.parsed_files import FileFacts, FileKey, ParsedFiles
from local_aws.athena.tables.partitions import Condition
from local_aws.athena.tables.serdes import ION, PARQUET, Serde
from local_aws.athena.tables.store import Store, StoredObject
from tests.sql.athena_harness import BUCKET, Athena, running_athena
from tests.sql.stored_file import OneFile, a_scan


@pytest.fixture
def athena() -> Iterator[Athena]:
    with running_athena() as running:
        yield running


def test_a_parquet_time_finer_than_milliseconds_is_refused(athena: Athena) -> None:
    out = io.BytesIO()
    pq.write_table(pa.table({"at": pa.array([1_000_001], pa.timestamp("us"))}), out)
    athena.s3.put_object(Bucket=BUCKET, Key="p/0", Body=out.getvalue())
    athena.rows(f"create external table p (at timestamp) stored as parquet location 's3://{BUCKET}/p/'")

    assert athena.ask("select at from p").kind == "unsupported"


def test_only_the_chunks_of_the_columns_of_a_parquet_file_are_scanned(athena: Athena) -> None:
    athena.put_parquet_table("p", {"small": "int", "large": "string"}, [[n, "x" * n] for n in range(2_000)])
    size = athena.s3.head_object(Bucket=BUCKET, Key="tables/p/part")["ContentLength"]

    count, small, both = (
        scanned(athena, sql)
        for sql in ("select count(*) from p", "select sum(small) from p", "select max(large) from p")
    )
    everything = scanned(athena, "select max(small), max(large) from p")

    assert 0 < count < small < everything <= size
    assert small + both - count == everything
    assert scanned(athena, "select max(small), max(large) from p") == everything  # also when nothing is parsed again


def scanned(athena: Athena, sql: str) -> int:
    """Run a statement and return DataScannedInBytes."""
    return athena.wait(athena.start(sql))["Statistics"]["DataScannedInBytes"]


DAYS = [date(2026, 9, 1) + timedelta(days=9 * number) for number in range(8)]
KEYS = {
    "string": ["10", "9", "a", "B", "ä", None],
    "int": [-3, 0, 7, 10, 100, None],
    "date": [*DAYS, None],
}
TEXT = {
    "string": lambda value: f"'{value}'",
    "int": str,
    "date": lambda value: f"date '{value}'",
}


def put_partitioned_table(athena: Athena, kind: str, *, name: str = "t") -> None:
    """Make a table with one row in each partition of KEYS[kind]."""
    athena.rows(
        f"create external table {name} (v string) partitioned by (k {kind}) row format delimited "
        f"fields terminated by ',' location 's3://{BUCKET}/{name}/'"
    )
    storage = athena.glue.get_table(DatabaseName="d", Name=name)["Table"]["StorageDescriptor"]
    for number, value in enumerate(KEYS[kind]):
        folder = f"{name}/{number}/"
        athena.s3.put_object(Bucket=BUCKET, Key=f"{folder}0", Body=b"row\n")
        text = "__HIVE_DEFAULT_PARTITION__" if value is None else str(value)
        partition = {"Values": [text], "StorageDescriptor": {**storage, "Location": f"s3://{BUCKET}/{folder}"}}
        athena.glue.create_partition(DatabaseName="d", TableName=name, PartitionInput=partition)


def a_condition(random: Random, kind: str) -> str:
    """Return a condition on k that partitions can be chosen by, or not."""
    literal = lambda: TEXT[kind](random.choice([value for value in KEYS[kind] if value is not None]))  # noqa: E731
    operator = random.choice(("=", "<", "<=", ">", ">=", "<>"))
    return random.choice(
        (
            f"k {operator} {literal()}",
            f"{literal()} {operator} k",
            f"k in ({literal()}, {literal()})",
            f"k not in ({literal()})",
            f"k between {literal()} and {literal()}",
            f"k not between {literal()} and {literal()}",
            "k is null",
            f"(k = {literal()} or k = {literal()})",
            f"not (k = {literal()})",
            f"coalesce(k, {literal()}) >= {literal()}",
        )
    )


class KeyedTable:
    """A catalog of one table, whose only column is the partition key `k`."""

    def __init__(self, kind: str) -> None:
        self.column = Column("k", from_hive(kind), Origin(0, "k"))

    def relation(self, *_: object) -> Relation:
        """Return the table."""
        return Relation("SELECT * FROM scan_0", (self.column,), scan=0)


@pytest.mark.parametrize("kind", ["string", "int", "date"])
def test_a_partition_that_holds_a_row_of_the_answer_is_never_left_out(kind: str) -> None:
    random = Random(kind)
    keys = pa.table({"c0": pa.array(KEYS[kind], arrow_type(from_hive(kind)))})
    left_out = 0

    for _ in range(50):
        where = random.choice((" and ", " or ")).join(a_condition(random, kind) for _ in range(random.randint(1, 3)))
        context = Context(KeyedTable(kind), Helpers(), "2026-10-01 00:00:00.000")
        relation = QueryCompiler(context).compile(parse_statement(f"select k from t where {where}"))
        with duckdb.connect() as connection:
            context.helpers.install(connection, relation.sql)
            connection.register("scan_0", keys)
            answer = {key for (key,) in connection.sql(relation.sql).fetchall()}
        asked = context.conditions.get(Origin(0, "k"), [])
        read = {value for value in KEYS[kind] if all(condition.holds(value) for condition in asked)}

        assert answer <= read, where
        left_out += len(KEYS[kind]) - len(read)

    assert left_out > 50


@pytest.mark.parametrize(
    ("kind", "where", "count"),
    [
        ("string", "k = '9'", 1),
        ("string", "k >= 'a'", 2),
        ("string", "k in ('9', 'a', 'none')", 2),
        ("int", "k between 0 and 10", 3),
        ("int", "k < -1", 1),
        ("int", "7 = k", 1),
        ("int", "k > 5 and (k <= 100) and v = 'row'", 3),
        ("date", "k >= date '2026-10-01'", 4),
        ("date", "k = cast('2026-09-10' as date)", 1),
        ("int", "k + 1 = 8", len(KEYS["int"])),
        ("int", "k = 7 or v = 'none'", len(KEYS["int"])),
    ],
)
def test_partitions_that_cannot_answer_are_not_scanned(athena: Athena, kind: str, where: str, count: int) -> None:
    put_partitioned_table(athena, kind)

    sql = f"select count(v) from t where {where}"

    assert scanned(athena, sql) == count * len(b"row\n")


def test_a_folder_that_is_no_partition_in_glue_is_not_read(athena: Athena) -> None:
    put_partitioned_table(athena, "int")
    athena.s3.put_object(Bucket=BUCKET, Key="t/k=5/0", Body=b"row\n")

    assert athena.rows("select count(*), count(k) from t") == [("6", "5")]


def test_a_partition_value_that_is_no_value_fails_without_being_shown(athena: Athena) -> None:
    put_partitioned_table(athena, "int")
    athena.glue.create_partition(
        DatabaseName="d",
        TableName="t",
        PartitionInput={"Values": ["secret"], "StorageDescriptor": {"Location": f"s3://{BUCKET}/t/9/"}},
    )

    message = athena.ask("select k from t").message

    assert message.startswith("HIVE_INVALID_PARTITION_VALUE")
    assert "secret" not in message


@pytest.mark.parametrize("replaced", [b'{"x":"new"}', None], ids=["replaced", "gone"])
def test_a_file_that_changes_while_it_is_read_fails_the_query_and_is_not_kept(
    athena: Athena, replaced: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    athena.s3.put_object(Bucket=BUCKET, Key="t/0", Body=b'{"x":"old"}')
    serde = "row format serde 'org.openx.data.jsonserde.JsonSerDe'"
    athena.rows(f"create external table t (x string) {serde} location 's3://{BUCKET}/t/'")
    listed = Store.visible

    def changed(store: Store, uri: str) -> list[StoredObject]:
        found = listed(store, uri)
        athena.s3.delete_object(Bucket=BUCKET, Key="t/0")
        if replaced:
            athena.s3.put_object(Bucket=BUCKET, Key="t/0", Body=replaced)
        return found

    with monkeypatch.context() as patched:
        patched.setattr(Store, "visible", changed)
        assert athena.ask("select x from t").message.startswith("HIVE_CANNOT_OPEN_SPLIT")
    athena.s3.put_object(Bucket=BUCKET, Key="t/0", Body=b'{"x":"old"}')

    assert athena.rows("select x from t") == [("old",)]


@pytest.mark.parametrize(
    ("storage", "refusal"),
    [
        ({"InputFormat": "org.apache.hadoop.hive.ql.io.SymlinkTextInputFormat"}, "input format"),
        ({"Location": ""}, "which has no location"),
        ({"Columns": [{"Name": "x", "Type": "int"}, {"Name": "X", "Type": "int"}]}, "two columns 'x'"),
        ({"Columns": [{"Name": "x", "Type": "decimal(39,1)"}]}, "column type"),
        ({"Columns": [{"Name": "x", "Type": "struct<a:int,A:int>"}]}, "column type"),
    ],
)
def test_a_table_that_glue_describes_otherwise_than_hive_would_is_refused(
    athena: Athena, storage: dict[str, object], refusal: str
) -> None:
    athena.put_parquet_table("t", {"x": "int"}, [[1]])
    known = athena.glue.get_table(DatabaseName="d", Name="t")["Table"]["StorageDescriptor"]
    athena.glue.create_table(DatabaseName="d", TableInput={"Name": "u", "StorageDescriptor": {**known, **storage}})

    answer = athena.ask("select x from u")

    assert (answer.kind, refusal in answer.message) == ("unsupported", True), answer.message


def test_a_text_is_not_cut_to_the_length_of_the_column_it_is_inserted_into(athena: Athena) -> None:
    athena.put_parquet_table("t", {"x": "varchar(3)"}, [])

    assert athena.ask("insert into t select 'abcd'").kind == "unsupported"
    athena.rows("insert into t select 'abc' union all select null")

    assert sorted(athena.rows("select x from t"), key=str) == [("abc",), (None,)]


def test_columns_that_a_partition_declares_otherwise_are_refused(athena: Athena) -> None:
    put_partitioned_table(athena, "int")
    storage = athena.glue.get_table(DatabaseName="d", Name="t")["Table"]["StorageDescriptor"]
    athena.glue.create_partition(
        DatabaseName="d",
        TableName="t",
        PartitionInput={"Values": ["55"], "StorageDescriptor": {**storage, "Columns": [{"Name": "w", "Type": "int"}]}},
    )

    assert athena.ask("select v from t where k = 55").kind == "unsupported"
    assert athena.rows("select v from t where k = 7") == [("row",)]


def test_ctas_writes_partitions_and_registers_them(athena: Athena) -> None:
    rows = "(values (1, date '2026-10-01', 'a b/c'), (2, date '2026-10-01', 'x'), (3, null, 'x')) as v(n, day, kind)"
    properties = f"external_location = 's3://{BUCKET}/c/', partitioned_by = array['day', 'kind']"
    athena.rows(f"create table t with ({properties}) as select * from {rows}")

    partitions = athena.glue.get_partitions(DatabaseName="d", TableName="t")["Partitions"]
    folders = {
        tuple(p["Values"]): p["StorageDescriptor"]["Location"].removeprefix(f"s3://{BUCKET}/") for p in partitions
    }
    assert folders == {
        ("2026-10-01", "a b/c"): "c/day=2026-10-01/kind=a b%2Fc/",
        ("2026-10-01", "x"): "c/day=2026-10-01/kind=x/",
        ("__HIVE_DEFAULT_PARTITION__", "x"): "c/day=__HIVE_DEFAULT_PARTITION__/kind=x/",
    }
    assert sorted(key.rpartition("/")[0] + "/" for key in athena.keys("c/")) == sorted(folders.values())
    assert athena.rows("select n, day, kind from t order by n") == [
        ("1", "2026-10-01", "a b/c"),
        ("2", "2026-10-01", "x"),
        ("3", None, "x"),
    ]
    assert athena.rows("select n from t where day = date '2026-10-01' and kind = 'x'") == [("2",)]


def test_insert_adds_to_known_partitions_and_makes_new_ones(athena: Athena) -> None:
    athena.rows("create table t with (partitioned_by = array['k']) as select 1 as n, 'a' as k")
    athena.rows("insert into t select 2, 'a'")
    athena.rows("insert into t (k, n) values ('b', 3)")

    assert athena.rows("select n, k from t order by n") == [("1", "a"), ("2", "a"), ("3", "b")]
    assert len(athena.glue.get_partitions(DatabaseName="d", TableName="t")["Partitions"]) == 2


def test_insert_refuses_a_new_partition_whose_folder_holds_anything(athena: Athena) -> None:
    athena.rows(
        f"create table t with (external_location = 's3://{BUCKET}/c/', partitioned_by = array['k']) as "
        "select 1 as n, 'a' as k"
    )
    athena.s3.put_object(Bucket=BUCKET, Key="c/k=b/left", Body=b"x")

    answer = athena.ask("insert into t values (2, 'b')")

    assert answer.message.startswith("HIVE_PATH_ALREADY_EXISTS")
    assert athena.keys("c/k=b/") == ["c/k=b/left"]


def test_more_than_100_partitions_are_refused_and_nothing_is_written(athena: Athena) -> None:
    query = "select 1 as n, k from unnest(sequence(1, 101)) as s(k)"

    answer = athena.ask(
        f"unload ({query}) to 's3://{BUCKET}/u/' with (format = 'PARQUET', partitioned_by = array['k'])"
    )

    assert answer.message.startswith("HIVE_TOO_MANY_OPEN_PARTITIONS: Exceeded limit of 100 open writers")
    assert athena.keys("u/") == []


def test_unload_with_partitions_does_not_look_whether_its_target_is_empty(athena: Athena) -> None:
    sql = (
        f"unload (select 1 as n, 'x' as k) to 's3://{BUCKET}/u/' with (partitioned_by = array['k'], format = 'PARQUET')"
    )

    athena.rows(sql)
    athena.rows(sql)

    assert [key.rpartition("/")[0] for key in athena.keys("u/")] == ["u/k=x", "u/k=x"]
    body = athena.s3.get_object(Bucket=BUCKET, Key=athena.keys("u/")[0])["Body"].read()
    assert pq.read_table(io.BytesIO(body)).column_names == ["n"]


@pytest.mark.parametrize(
    ("query", "keys", "code"),
    [
        ("select 'a' as k, 1 as n", "'k'", "HIVE_COLUMN_ORDER_MISMATCH"),
        ("select 1 as n, 2 as a, 3 as b", "'b', 'a'", "HIVE_COLUMN_ORDER_MISMATCH"),
        ("select 1 as n", "'k'", "INVALID_TABLE_PROPERTY"),
        ("select 1 as k", "'k'", "INVALID_TABLE_PROPERTY"),
        ("select 1 as n, '鍵' as k", "'k'", "HIVE_INVALID_PARTITION_VALUE"),
        ("select 1 as n, '' as k", "'k'", "LOCAL_AWS_UNSUPPORTED"),
        ("select 1 as n, 1.5 as k", "'k'", "LOCAL_AWS_UNSUPPORTED"),
    ],
)
def test_partition_keys_that_cannot_be_are_refused(athena: Athena, query: str, keys: str, code: str) -> None:
    answer = athena.ask(f"create table t with (partitioned_by = array[{keys}]) as {query}")

    assert answer.message.startswith(code)
    assert athena.ask("select * from t").message.startswith("TABLE_NOT_FOUND")


def test_a_second_query_parses_only_the_columns_that_the_first_did_not() -> None:
    store, parsed = OneFile(b'{a:"x",b:1.}\n{a:"y",b:2.}'), ParsedFiles()
    scan = a_scan({"a": "string", "b": "decimal(3,0)"}, ION)
    ask = lambda *wanted: TableFiles(store, None, parsed).load(scan, set(wanted), {}).to_pydict()  # noqa: E731

    assert ask(0) == {"c0": ["x", "y"]}
    assert ask(0, 1)["c0"] == ["x", "y"]
    assert ask(1) == ask(1)
    assert len(ask()["c"]) == 2
    assert store.reads == 2

    store.body = b'{a:"z"}'
    assert ask(0, 1) == {"c0": ["z"], "c1": [None]}


def test_another_type_or_other_parameters_are_not_the_same_column() -> None:
    store, parsed = OneFile(b"{a:1}"), ParsedFiles()

    for kind, value in (("int", 1), ("bigint", 1), ("string", "1")):
        assert TableFiles(store, None, parsed).load(a_scan({"a": kind}, ION), {0}, {}).to_pydict() == {"c0": [value]}

    assert store.reads == 3


def test_the_cache_stays_within_its_limit_and_keeps_what_was_used_last() -> None:
    parsed = ParsedFiles(limit=100_000)
    keys = [FileKey(StoredObject("b", str(number), "e", 1), Serde(PARQUET)) for number in range(10)]
    cells = pa.chunked_array([pa.array(["x" * 40_000])])

    for key in keys:
        parsed.put(key, FileFacts(1, 1), {("a", VARCHAR): cells})
        assert parsed.get(keys[0], [("a", VARCHAR)])[1]

    kept = [number for number, key in enumerate(keys) if parsed.get(key, [("a", VARCHAR)])[1]]
    assert kept == [0, 9]
    assert parsed.get(keys[5], [])[0] == FileFacts(1, 1)


def test_a_null_never_fulfils_a_condition() -> None:
    assert not Condition("=", ("a",)).holds(None)
    assert Condition("=", ("a", "b")).holds("b")
