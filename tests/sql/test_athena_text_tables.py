"""Files of lines: delimited text, CSV and JSON, as Athena's native readers read them."""

import gzip
from collections.abc import Iterator

import pytest

from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.functions import json_text
from local_aws.athena.tables.serdes import HIVE_JSON, LAZY_SIMPLE, OPENX_JSON
from local_aws.athena.tables.serdes import OPEN_CSV as CSV
from tests.sql.athena_harness import BUCKET, Athena, running_athena
from tests.sql.stored_file import read_texts


@pytest.fixture
def athena() -> Iterator[Athena]:
    with running_athena() as running:
        yield running


def put_text_table(athena: Athena, columns: str, row_format: str, text: str, more: str = "") -> None:
    """Make a table `t` of one text file."""
    athena.s3.put_object(Bucket=BUCKET, Key="text/0.txt", Body=text.encode())
    athena.rows(f"create external table t ({columns}) {row_format} location 's3://{BUCKET}/text/' {more}")


def serde(name: str, **parameters: str) -> str:
    """Return ROW FORMAT SERDE with its properties."""
    pairs = ", ".join(f"'{key.replace('__', '.')}' = '{value}'" for key, value in parameters.items())
    return f"row format serde '{name}'" + (f" with serdeproperties ({pairs})" if pairs else "")


def test_delimited_text_is_read_as_lazy_simple_serde_reads_it(athena: Athena) -> None:
    text = "1,a,true,1.5,2026-10-01\r\n\\N,\\N,no,x,-\n99999999999,,TRUE,1e2,2026-1-2,more\n\n7\n"
    put_text_table(
        athena,
        "i int, s string, b boolean, d double, day date",
        "row format delimited fields terminated by ','",
        text,
    )

    assert athena.rows("select * from t") == [
        ("1", "a", "true", "1.5", "2026-10-01"),
        (None, None, None, None, None),
        (None, "", "true", "100.0", "2026-01-02"),
        (None, None, None, None, None),
        ("7", None, None, None, None),
    ]


def test_a_line_of_json_is_one_column_and_its_values_are_taken_by_path(athena: Athena) -> None:
    lines = (
        '{"Keys":{"id":{"S":"a"}},"NewImage":{"created-at":{"S":"2026-10-01"},"evaluation":{"M":{"score":{"N":"3"}}}}}',
        '{"Keys":{"id":{"S":"改\\n"}},"NewImage":{"list":{"L":[{"S":"x"},{"NULL":true}]}}}',
        '{"Keys":{"id":{"S":"gone"}}}',
    )
    body = gzip.compress("\n".join(lines).encode())
    athena.s3.put_object(Bucket=BUCKET, Key="lines/0.json.gz", Body=body)
    athena.rows(
        "create external table changes (line string) row format delimited fields terminated by '\\001' "
        f"stored as textfile location 's3://{BUCKET}/lines/'"
    )
    paths = [
        "$.Keys.id.S",
        '$.NewImage["created-at"]["S"]',
        '$["NewImage"]["evaluation"]["M"]["score"]["N"]',
        "$.NewImage.list.L[1].NULL",
        "$.NewImage",
    ]
    columns = ", ".join(f"json_extract_scalar(line, '{path}')" for path in paths)
    sql = f"select {columns}, json_extract(line, '$.NewImage') is null from changes"

    assert athena.rows(sql) == [
        ("a", "2026-10-01", "3", None, None, "false"),
        ("改\n", None, None, "true", None, "false"),
        ("gone", None, None, None, None, "true"),
    ]
    assert athena.wait(athena.start(sql))["Statistics"]["DataScannedInBytes"] == len(body)


def test_documents_that_were_parsed_are_kept_and_given_up_again() -> None:
    parsed = json_text._Parsed()
    parsed.MOST_LETTERS = 100
    texts = [f'{{"n":{number}}}' for number in range(50)]

    assert parsed.load(texts[0]) is parsed.load(texts[0])
    assert [parsed.load(text) for text in texts] == [{"n": str(number)} for number in range(50)]
    assert parsed._letters <= 100 + len(texts[-1])


@pytest.mark.parametrize(
    ("kind", "text", "shown"),
    [
        pytest.param("int", "1.9", "1", id="a fraction is cut"),
        pytest.param("int", "+7", "7", id="a sign"),
        pytest.param("int", "2147483648", None, id="a number that is too large"),
        pytest.param("tinyint", "-129", None, id="a small number that is too large"),
        pytest.param("int", " 7", None, id="a blank"),
        pytest.param("decimal(4,1)", "12.25", "12.3", id="a decimal is rounded half up"),
        pytest.param("decimal(3,1)", "123", None, id="a decimal that is too large"),
        pytest.param("decimal(3,1)", "", None, id="no decimal"),
        pytest.param("timestamp", "2026-10-01 01:02:03.5", "2026-10-01 01:02:03.500", id="a timestamp"),
        pytest.param("timestamp", "yesterday", None, id="no timestamp"),
        pytest.param("date", "2026-10-01 01:02", "2026-10-01", id="a time of day behind a date"),
        pytest.param("varchar(2)", "abc", "ab", id="text is cut"),
        pytest.param("string", "", "", id="empty text"),
    ],
)
def test_a_text_becomes_a_value_of_its_column(kind: str, text: str, shown: str | None) -> None:
    rows = read_texts({"v": kind, "w": "string"}, f"{text}|x\n", LAZY_SIMPLE, field__delim="|")

    assert rows == [(shown, "x")]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        pytest.param("date", "2026-13-01", id="month 13 rolls over in Java"),
        pytest.param("date", "12026-01-01", id="a year of five digits"),
        pytest.param("timestamp", "2026-10-01T01:02:03", id="ISO 8601"),
        pytest.param("timestamp", "2026-10-01 01:02:03.1234", id="finer than milliseconds"),
        pytest.param("double", "NaN", id="not a number"),
        pytest.param("double", "1d", id="a number in Java alone"),
        pytest.param("float", "1", id="real"),
        pytest.param("binary", "YWI=", id="binary"),
    ],
)
def test_a_text_whose_reading_was_not_checked_is_refused(kind: str, text: str) -> None:
    with pytest.raises(Unsupported):
        read_texts({"v": kind}, f"{text}\n", LAZY_SIMPLE)


def test_nested_and_escaped_text_follows_its_delimiters(athena: Athena) -> None:
    row_format = (
        "row format delimited fields terminated by '\\t' escaped by '\\\\' collection items terminated by '|' "
        "map keys terminated by ':' null defined as '-'"
    )
    columns = "s string, a array<int>, m map<string,int>, r struct<x:int,y:string>"
    put_text_table(athena, columns, row_format, "a\\\tb\t1|-|3\tk:1|l\t7|z\n-\t\t\t-\n")

    assert athena.rows("select * from t") == [
        ("a\tb", "[1, null, 3]", "{k=1, l=null}", "{x=7, y=z}"),
        (None, "[]", "{}", None),
    ]


def test_a_table_without_a_row_format_has_control_characters_as_delimiters(athena: Athena) -> None:
    put_text_table(athena, "a string, b array<string>", "stored as textfile", "x\x01y\x02z\n")

    assert athena.rows("select * from t") == [("x", "[y, z]")]
    assert athena.glue.get_table(DatabaseName="d", Name="t")["Table"]["StorageDescriptor"]["SerdeInfo"] == {
        "SerializationLibrary": "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe",
        "Parameters": {"serialization.format": "1"},
    }


@pytest.mark.parametrize("count", [0, 1, 2, 9])
def test_header_lines_are_no_rows(athena: Athena, count: int) -> None:
    more = f"tblproperties ('skip.header.line.count' = '{count}')"
    put_text_table(athena, "a string", "row format delimited fields terminated by ','", "h\n1\n2\n", more)

    assert athena.rows("select a from t") == [("h",), ("1",), ("2",)][count:]


def test_a_compressed_text_file_is_known_by_its_name(athena: Athena) -> None:
    put_text_table(athena, "a string", "row format delimited fields terminated by ','", "1\n")
    athena.s3.put_object(Bucket=BUCKET, Key="text/1.csv.gz", Body=gzip.compress(b"2\n"))

    assert athena.rows("select a from t order by a") == [("1",), ("2",)]

    athena.s3.put_object(Bucket=BUCKET, Key="text/2.csv.gz", Body=b"no gzip")
    assert athena.ask("select a from t").message.startswith("HIVE_CURSOR_ERROR: text/2.csv.gz")


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        pytest.param('a,"b,c",d', ("a", "b,c", "d"), id="a separator in quotes"),
        pytest.param('"a ""b""",c,d', ('a "b"', "c", "d"), id="a quote twice"),
        pytest.param('"a \\"b\\"",c,d', ('a "b"', "c", "d"), id="a quote escaped"),
        pytest.param("a,,c", ("a", "", "c"), id="an empty field is no NULL"),
        pytest.param("a", ("a", None, None), id="missing fields are NULL"),
        pytest.param("", (None, None, None), id="an empty line"),
        pytest.param("a,b,c,d", ("a", "b", "c"), id="fields too many"),
        pytest.param('a,b,"c', ("a", "b", None), id="a quote that is never closed"),
        pytest.param('abc, "d",e', ("abc", "d", "e"), id="a blank before a quote"),
        pytest.param("改行,é,😀", ("改行", "é", "😀"), id="other scripts"),
    ],
)
def test_csv_is_read_as_open_csv_serde_reads_it(line: str, fields: tuple[str | None, ...]) -> None:
    assert read_texts({"a": "string", "b": "string", "c": "string"}, line + "\n", CSV) == [fields]


def test_csv_characters_can_be_chosen(athena: Athena) -> None:
    row_format = serde(CSV, separatorChar=";", quoteChar="|", escapeChar="#")
    put_text_table(athena, "a string, b string", row_format, "|x;y|;z\n")

    assert athena.rows("select b, a from t") == [("z", "x;y")]


def test_csv_columns_that_are_no_string_are_refused(athena: Athena) -> None:
    put_text_table(athena, "a int, b string", serde(CSV), "1,x\n")

    assert athena.ask("select a from t").kind == "unsupported"
    assert athena.rows("select b from t") == [("x",)]


@pytest.mark.parametrize("library", [HIVE_JSON, OPENX_JSON])
def test_json_lines_are_rows(athena: Athena, library: str) -> None:
    columns = (
        "id string, n bigint, d decimal(5,2), x double, ok boolean, day date, at timestamp, tags array<string>, "
        "m map<string,int>, r struct<a:int,b:array<struct<c:string>>>"
    )
    line = (
        '{"ID":"改\\n行","n":-7,"d":1.255,"x":1e2,"ok":true,"day":"2026-10-01","at":"2026-10-01 01:02:03.004",'
        '"tags":["a",null],"m":{"K":1},"r":{"A":1,"b":[{"c":"x"},{}]},"unknown":{"deep":[1]}}'
    )
    put_text_table(athena, columns, serde(library), line + "\n{}\n" + '{"n":null}\n')

    nothing = (None,) * 10
    assert athena.rows("select * from t") == [
        (
            "改\n行",
            "-7",
            "1.26",
            "100.0",
            "true",
            "2026-10-01",
            "2026-10-01 01:02:03.004",
            "[a, null]",
            "{K=1}",
            "{a=1, b=[{c=x}, {c=null}]}",
        ),
        nothing,
        nothing,
    ]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("int", '"7"'),
        ("int", "true"),
        ("int", "2147483648"),
        ("int", "[1]"),
        ("double", '"1.5"'),
        ("decimal(2,0)", "100"),
        ("decimal(2,0)", '"x"'),
        ("date", '"yesterday"'),
        ("string", '{"a":1}'),
        ("array<int>", "1"),
        ("map<string,int>", "[1]"),
        ("struct<a:int>", '"x"'),
    ],
)
def test_hive_json_fails_on_a_value_of_another_type(kind: str, value: str) -> None:
    with pytest.raises(StatementError, match=r"^HIVE_BAD_DATA: 0\.txt: column 'v'"):
        read_texts({"v": kind}, f'{{"v":{value}}}\n', HIVE_JSON)


@pytest.mark.parametrize(
    ("kind", "value", "shown"),
    [
        ("int", "1.9", "1"),
        ("string", "1.50", "1.50"),
        ("string", "true", "true"),
        ("boolean", '"True"', "true"),
        ("boolean", "1", "false"),
        ("decimal(3,1)", '"1.25"', "1.3"),
        ("varchar(2)", '"abc"', "ab"),
    ],
)
def test_hive_json_converts_what_jackson_converts(kind: str, value: str, shown: str) -> None:
    assert read_texts({"v": kind}, f'{{"v":{value}}} what follows is not read\n', HIVE_JSON) == [(shown,)]


@pytest.mark.parametrize("line", ["", "[1]", "1", "{'a':1}", '{"a":1', '{"a":01}', '{"a":NaN}', '{"a":"\t"}'])
def test_a_line_that_is_no_json_object_fails_hive_json(line: str) -> None:
    with pytest.raises(StatementError, match=r"^HIVE_BAD_DATA: 0\.txt: a line is no JSON object$"):
        read_texts({"a": "int"}, f'{{"a":1}}\n{line}\n', HIVE_JSON)


@pytest.mark.parametrize(
    ("kind", "value", "shown"),
    [
        ("int", '"7"', "7"),
        ("int", "1.9", "1"),
        ("double", '"1.5"', "1.5"),
        ("string", "1.50", "1.50"),
        ("string", "1e5", "1E+5"),
        ("string", '{"A":[1,null,"x/</y"],"b":{"c":true}}', '{"A":[1,null,"x/<\\/y"],"b":{"c":true}}'),
        ("boolean", '"TRUE"', "true"),
        ("array<int>", "7", "[7]"),
        ("array<int>", '""', None),
        ("map<string,int>", '" "', None),
        ("struct<a:int,b:int>", "[1]", "{a=1, b=null}"),
        ("timestamp", '"2026-10-01T09:00:00.5+09:00"', "2026-10-01 00:00:00.500"),
        ("timestamp", "1790812800", "2026-10-01 00:00:00.000"),
        ("timestamp", "1790812800123", "2026-10-01 00:00:00.123"),
    ],
)
def test_openx_json_bends_values_into_their_columns(kind: str, value: str, shown: str | None) -> None:
    assert read_texts({"v": kind}, f'{{"v":{value}}}\n', OPENX_JSON) == [(shown,)]


@pytest.mark.parametrize(
    ("kind", "value"),
    [("int", '"x"'), ("int", "2147483648"), ("int", '"010"'), ("decimal(2,0)", "100"), ("date", '"x"')],
)
def test_openx_json_texts_that_versions_read_differently_are_refused(kind: str, value: str) -> None:
    with pytest.raises(Unsupported):
        read_texts({"v": kind}, f'{{"v":{value}}}\n', OPENX_JSON)


def test_malformed_openx_json_fails_unless_it_is_to_be_ignored(athena: Athena) -> None:
    text = '{"a":1}\n{"a":2\n\n{"a":"x\n[7]\n'
    put_text_table(athena, "a int", serde(OPENX_JSON), text)
    athena.rows(
        f"create external table u (a int) {serde(OPENX_JSON, ignore__malformed__json='true')} "
        f"location 's3://{BUCKET}/text/'"
    )

    assert athena.ask("select a from t").message == "HIVE_BAD_DATA: text/0.txt: a line is no whole JSON object"
    assert athena.rows("select a from u") == [("1",), (None,), (None,), (None,), ("7",)]


def test_openx_json_that_only_its_own_parser_reads_is_refused() -> None:
    with pytest.raises(Unsupported):
        read_texts({"a": "int"}, "{a=1}\n", OPENX_JSON, ignore__malformed__json="true")


def test_openx_json_names_can_be_mapped() -> None:
    rows = read_texts({"day": "string"}, '{"The-day":"x"}\n', OPENX_JSON, mapping__day="the-Day")

    assert rows == [("x",)]


@pytest.mark.parametrize("library", [HIVE_JSON, OPENX_JSON])
def test_a_json_name_that_stands_twice_is_refused(library: str) -> None:
    with pytest.raises(Unsupported):
        read_texts({"a": "int"}, '{"a":1,"A":2}\n', library)


@pytest.mark.parametrize(
    "row_format",
    [
        serde(HIVE_JSON, timestamp__formats="yyyy"),
        serde(OPENX_JSON, dots__in__keys="true"),
        serde(CSV, quoteCharacter="x"),
        serde("org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe", serialization__last__column__takes__rest="true"),
        "row format delimited fields terminated by '||'",
        "row format delimited fields terminated by ',' lines terminated by ';'",
    ],
)
def test_settings_that_were_not_checked_are_refused_by_name(athena: Athena, row_format: str) -> None:
    put_text_table(athena, "a string", row_format, '{"a":"1"}\n')

    answer = athena.ask("select a from t")

    assert answer.kind == "unsupported"


def test_other_formats_and_serdes_are_refused_at_the_start(athena: Athena) -> None:
    for more in ("stored as orc", "row format serde 'com.example.SerDe'", f"{serde(CSV)} stored as parquet"):
        answer = athena.ask(f"create external table t (a string) {more} location 's3://{BUCKET}/x/'")

        assert answer.kind == "unsupported"
