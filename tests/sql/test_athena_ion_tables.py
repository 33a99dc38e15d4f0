"""Ion files: what each value means in a column of each type, where both of Athena's readers agree."""

from collections.abc import Iterator

import pytest

from local_aws.athena.failures import Unsupported
from local_aws.athena.tables.serdes import ION
from tests.sql.athena_harness import Athena, running_athena
from tests.sql.stored_file import read_texts


@pytest.fixture
def athena() -> Iterator[Athena]:
    with running_athena() as running:
        yield running


@pytest.mark.parametrize(
    ("kind", "value", "shown"),
    [
        pytest.param("decimal(5,1)", "1.50", "1.5", id="zeros at the end need no place"),
        pytest.param("decimal(3,0)", "0d5", "0", id="zero with an exponent"),
        pytest.param("decimal(38,0)", "1d37", "1" + "0" * 37, id="the longest decimal"),
        pytest.param("decimal(5,1)", "7", "7.0", id="an int in a decimal column"),
        pytest.param("decimal(5,1)", "$dynamodb_x::2.5", "2.5", id="an annotation says nothing"),
        pytest.param("int", "-7", "-7", id="an int"),
        pytest.param("double", "1.5e0", "1.5", id="a float"),
        pytest.param("string", "symbol", "symbol", id="a symbol is text"),
        pytest.param("string", "null.int", None, id="a text column takes the null of any type"),
        pytest.param("int", "null", None, id="null"),
        pytest.param("int", "null.int", None, id="the null of its type"),
        pytest.param("varchar(3)", '"abc"', "abc", id="text of limited length"),
        pytest.param("timestamp", "2026-10-01T09:00:00.120+09:00", "2026-10-01 00:00:00.120", id="a time, in UTC"),
        pytest.param("timestamp", "2026T", "2026-01-01 00:00:00.000", id="a year is its start"),
        pytest.param("date", "2026-10-01T01:00+09:00", "2026-09-30", id="a day, in UTC"),
        pytest.param("array<int>", "[1,null,2]", "[1, null, 2]", id="a list"),
        pytest.param("array<int>", "(1 2)", "[1, 2]", id="an s-expression"),
        pytest.param("array<array<string>>", '[["a"],[]]', "[[a], []]", id="lists in a list"),
        pytest.param("map<string,int>", "{Ab:1}", "{Ab=1}", id="a struct as a map keeps its names"),
        pytest.param("struct<a:int,b:string>", '{B:"x"}', "{a=null, b=x}", id="a struct, whatever the case"),
    ],
)
def test_an_ion_value_is_read_as_both_readers_read_it(kind: str, value: str, shown: str | None) -> None:
    assert read_texts({"v": kind}, f"{{v:{value}}}", ION) == [(shown,)]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        pytest.param("int", "null.string", id="the null of another type"),
        pytest.param("decimal(3,1)", "1e0", id="a float in a decimal column"),
        pytest.param("timestamp", "2026-10-01T09:00:00.1234Z", id="finer than milliseconds"),
        pytest.param("varchar(2)", '"abc"', id="text that is too long"),
        pytest.param("varchar(9)", "1.5", id="a number in a varchar column"),
        pytest.param("string", "x::1.5", id="an annotated number in a string column"),
        pytest.param("double", "nan", id="not a number"),
        pytest.param("binary", "{{YWI=}}", id="binary"),
    ],
)
def test_an_ion_value_that_the_readers_read_differently_is_refused(kind: str, value: str) -> None:
    with pytest.raises(Unsupported):
        read_texts({"v": kind}, f"{{v:{value}}}", ION)


def test_a_top_level_ion_value_that_is_no_struct_is_a_row_of_nulls(athena: Athena) -> None:
    athena.put_ion_table({"v": ("string", "(Item v)")})
    athena.put_snapshot("e1", '[1, 2]\n5\n{Item:{v:"a"}}\n{Item:7}')

    assert athena.rows("select v, count(*) from raw group by v order by v") == [("a", "1"), (None, "3")]


def test_names_that_differ_only_in_case_matter_only_where_a_column_asks_for_them() -> None:
    assert read_texts({"v": "int"}, "{v:1,other:{a:1,A:2},OTHER:3}", ION) == [("1",)]

    with pytest.raises(Unsupported):
        read_texts({"other": "struct<a:int>"}, "{other:{a:1,A:2}}", ION)


@pytest.mark.parametrize(
    "item",
    [
        pytest.param("\ufeff{v:1}", id="byte-order-mark"),
        pytest.param('{v:1,other:"' + "x" * 2_000_000 + '"}', id="text-longer-than-the-reader-takes"),
        pytest.param("{v:1,other:" + "[" * 100_000 + "]" * 100_000 + "}", id="nested-deeper-than-the-reader-goes"),
    ],
)
def test_a_file_beyond_the_limits_of_the_reader_is_refused_and_not_called_broken(item: str) -> None:
    with pytest.raises(Unsupported):
        read_texts({"v": "int"}, item, ION)


@pytest.mark.parametrize(
    "path", ["(Item *)", "(Item '*')", "(Item 0)", "(Item $ion_extractor_field::v)", "()", "(Item", "Item"]
)
def test_paths_that_are_not_names_are_refused(path: str) -> None:
    with pytest.raises(Unsupported, match="path extractor"):
        read_texts({"v": "string"}, "{v:1}", ION, ion__v__path_extractor=path)


def test_a_failure_names_the_file_and_the_column_but_no_value(athena: Athena) -> None:
    athena.put_ion_table({"v": ("decimal(3,0)", "(Item v)")})
    athena.put_snapshot("e1", "{Item:{v:1.}}\n{Item:{v:98765.}}")

    message = athena.ask("select v from raw").message

    assert message.startswith("HIVE_BAD_DATA: exports/AWSDynamoDB/e1/data/0.ion.gz: column 'v' of type decimal(3,0)")
    assert "98765" not in message


def test_ion_items_of_many_layouts_and_batches_are_all_read(athena: Athena) -> None:
    athena.put_ion_table({"v": ("decimal(38,0)", "(Item v)")})
    items = (f"{{Item:{{a{number % 1_700}:1.,{'V' if number % 2 else 'v'}:{number}.}}}}\n" for number in range(23_000))
    athena.put_snapshot("e1", "".join(items))

    assert athena.rows("select count(v), cast(sum(v) as bigint) from raw") == [("23000", str(sum(range(23_000))))]
