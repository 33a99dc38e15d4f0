"""CSV files: what goes in comes out, and no spreadsheet calculates any of it."""

import csv
import io
import math
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcensus.csv_file import csv_bytes, harmless

FORMULA = "=1+1"
DANGEROUS = "=+-@\t\r＝＋－＠"
text = st.text(alphabet=st.one_of(st.characters(codec="utf-8"), st.sampled_from(DANGEROUS + " \n\u3000,\"'1e.")))
value = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.dates(), text)


def read(file: bytes) -> list[list[str]]:
    """The cells as a reader of CSV finds them."""
    return list(csv.reader(io.StringIO(file.decode("utf-8-sig"), newline="")))


def one_cell(content: object) -> str:
    [[header], [cell]] = read(csv_bytes(["column"], [{"column": content}]))
    assert header == "column"
    return cell


def looks_like_a_number(cell: str) -> bool:
    try:
        return math.isfinite(float(cell)) or "e" in cell.lower()
    except ValueError:
        return False


def test_a_file_is_a_header_and_a_line_for_each_row():
    rows = [
        {"category": "coding", "users": 7, "share": 0.1, "day": date(2026, 10, 1), "is_new": True},
        {"category": 'say "hi", you', "users": None, "share": -1e-07, "day": "2026-10-02", "is_new": False},
    ]

    file = csv_bytes(list(rows[0]), rows)

    assert file.decode("utf-8") == (
        "\ufeffcategory,users,share,day,is_new\r\n"
        "coding,7,0.1,2026-10-01,true\r\n"
        '"say ""hi"", you",,-1e-07,2026-10-02,false\r\n'
    )


def test_a_table_without_rows_is_a_header():
    assert csv_bytes(["a", "b"], []) == b"\xef\xbb\xbfa,b\r\n"


def test_columns_are_written_in_the_order_asked_for_and_no_others():
    assert read(csv_bytes(["b", "a"], [{"a": 1, "b": 2, "c": 3}])) == [["b", "a"], ["2", "1"]]


def test_a_row_without_a_column_is_an_error_and_no_empty_cell():
    with pytest.raises(KeyError, match="b"):
        csv_bytes(["a", "b"], [{"a": 1}])


@given(st.lists(st.tuples(value, value)))
def test_what_was_written_is_read_back(rows):
    found = read(csv_bytes(["a", "b"], [{"a": first, "b": second} for first, second in rows]))

    assert found[0] == ["a", "b"]
    for cells, values in zip(found[1:], rows, strict=True):
        for cell, content in zip(cells, values, strict=True):
            if isinstance(content, float):
                assert float(cell) == content
            elif isinstance(content, bool):
                assert cell == str(content).lower()
            elif isinstance(content, str):
                assert cell == harmless(content)
            else:
                assert cell == ("" if content is None else str(content))


@given(text)
def test_apostrophes_are_all_that_is_added_to_a_text(content):
    lines, kept = harmless(content).splitlines(keepends=True), content.splitlines(keepends=True)

    assert [line.removeprefix("'") for line in lines] == [line.removeprefix("'") for line in kept]


@given(text)
def test_no_line_of_a_cell_begins_a_formula_unless_the_cell_is_a_number(content):
    cell = one_cell(content)

    if not looks_like_a_number(cell):
        for line in cell.splitlines(keepends=True):
            assert not line.strip(" \u3000\n").startswith(tuple("=+-@＝＋－＠"))
            assert not line.startswith(("\t", "\r"))


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        pytest.param(FORMULA, "'=1+1", id="equals"),
        pytest.param("+A1", "'+A1", id="plus"),
        pytest.param("-A1", "'-A1", id="minus"),
        pytest.param("@SUM(A1)", "'@SUM(A1)", id="at"),
        pytest.param("\t=1", "'\t=1", id="tab"),
        pytest.param("\r=1", "'\r'=1", id="carriage return"),
        pytest.param("  =1", "'  =1", id="after spaces"),
        pytest.param("\u3000=1", "'\u3000=1", id="after a full-width space"),
        pytest.param("\u00a0\u200b\ufeff=1", "'\u00a0\u200b\ufeff=1", id="after what is not seen"),
        pytest.param("a\n=1", "a\n'=1", id="in the second line"),
        pytest.param("a\r\n =1\r\nb", "a\r\n' =1\r\nb", id="in the middle of lines"),
        pytest.param("＝1", "'＝1", id="full width"),
        pytest.param("-1+cmd|' /C calc'!A0", "'-1+cmd|' /C calc'!A0", id="begins like a number"),
        pytest.param("1\n=1", "1\n'=1", id="a number in the first line only"),
        pytest.param("-", "'-", id="a sign alone"),
        pytest.param("-1", "-1", id="a number"),
        pytest.param("+1.50e-3", "+1.50e-3", id="a number with an exponent"),
        pytest.param("a=1", "a=1", id="an equals sign inside"),
        pytest.param("2026-10-01", "2026-10-01", id="a day"),
        pytest.param("(few)", "(few)", id="the pooled row"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_a_formula_is_shown_as_the_text_it_is(content: str, shown: str):
    assert one_cell(content) == shown
