"""The sheet of a review: what a spreadsheet does to it comes back, and what a person got wrong is said by its row."""

import csv
import io

import pytest

from chatcensus.conversation import MAX_TRANSCRIPT_TOKENS, Turn, transcript
from chatcensus.errors import SetupError
from chatcensus.review import Candidate
from chatcensus.review_sheet import (
    LONGEST_CELL,
    RETURNED,
    SHEET,
    Reviewed,
    categories_bytes,
    read_column,
    read_reviewed,
    returned_bytes,
    sheet_bytes,
)
from tests.fakes import TAXONOMY

CANARY = "canary-0815"
TEXTS = [
    '=HYPERLINK("http://evil.example","x")\n+1\n@sum',
    '改行\r\nと「引用符"」、タブ\tと絵文字👩‍💻',
    "a,b;c\n\n'quoted'",
    f"{CANARY} " * 3000,
]
ROWS = [
    (
        Candidate(f"=c{number}", "0" * 32, "random", "ja", TAXONOMY.version, "writing", 2),
        transcript([Turn("user", text), Turn("assistant", text)]),
    )
    for number, text in enumerate(TEXTS)
]
NAMES = [candidate.row for candidate, _ in ROWS]
SHEET_BYTES = sheet_bytes(ROWS)


def cells(file: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(file.decode("utf-8-sig"), newline="")))


def saved(rows: list[dict[str, str]], encoding: str = "utf-8-sig", **dialect: str) -> bytes:
    """The sheet as a spreadsheet saves it."""
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, SHEET, **dialect)
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue().encode(encoding)


def filled_in(*changes: dict[str, str], **dialect: str) -> bytes:
    """The sheet with each row answered, and the first rows changed."""
    rows = [row | {"category": "coding", "inquiry_score": "4", "reviewed_by": "h"} for row in cells(SHEET_BYTES)]
    return saved(
        [{**row, **change} for row, change in zip(rows, [*changes, *[{}] * len(rows)], strict=False)], **dialect
    )


def read(file: bytes) -> list[Reviewed]:
    return read_reviewed(file, NAMES, TAXONOMY.keys)


def fault(file: bytes) -> str:
    with pytest.raises(SetupError) as raised:
        read(file)
    assert CANARY not in str(raised.value)
    return str(raised.value)


def test_the_sheet_shows_the_transcript_and_nothing_that_the_judge_said():
    first = cells(SHEET_BYTES)[0]

    assert list(first) == list(SHEET)
    assert first["drawn_for"] == "random"
    assert first["transcript"].startswith("[user] =HYPERLINK")
    assert {first[name] for name in ("category", "inquiry_score", "comment", "reviewed_by")} == {""}
    assert "writing" not in SHEET_BYTES.decode()
    assert SHEET_BYTES.startswith("\ufeff".encode())


def test_no_cell_is_a_formula_and_none_is_longer_than_a_spreadsheet_takes():
    long = transcript([Turn("user", "\n".join(["=1"] * (MAX_TRANSCRIPT_TOKENS * 4 // 3 - 1)))])
    assert not long.is_clipped
    sheet = sheet_bytes([*ROWS, (ROWS[0][0], long)])

    for row in cells(sheet):
        for cell in row.values():
            assert len(cell) <= LONGEST_CELL
            assert not any(line.startswith(("=", "+", "-", "@")) for line in cell.splitlines())
    assert "characters omitted" in cells(sheet)[-1]["transcript"]


def test_a_quarantined_one_shows_its_reason():
    candidate = Candidate("c", "0" * 32, "quarantined", None, "a" * 12, reason="not_json")

    assert cells(sheet_bytes([(candidate, ROWS[0][1])]))[0]["drawn_for"] == "quarantined: not_json"


def test_the_categories_are_all_of_the_taxonomy():
    assert read_column(categories_bytes(TAXONOMY), "category") == [each.key for each in TAXONOMY.categories]


@pytest.mark.parametrize("end", ["\r\n", "\n"])
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
def test_what_a_person_filled_in_comes_back_through_a_spreadsheet(end: str, quoting: int):
    answers = read(filled_in(lineterminator=end, quoting=quoting))

    assert answers == [Reviewed(name, "coding", 4, "h") for name in NAMES]


def test_what_is_returned_holds_no_transcript_and_reads_the_same():
    file = filled_in({"comment": "=1", "reviewed_by": "花子"})

    returned = returned_bytes(file)

    assert CANARY not in returned.decode()
    assert list(cells(returned)[0]) == list(RETURNED)
    assert cells(returned)[0]["comment"] == "'=1"
    assert read(returned) == read(file)


def test_the_way_of_writing_does_not_matter():
    first, *others = read(filled_in({"category": " Ｃｏｄｉｎｇ ", "inquiry_score": "３"}))

    assert (first.category, first.inquiry_score) == ("coding", 3)
    assert len(others) == 3


def test_an_empty_row_is_left_out_and_a_category_may_have_no_score():
    empty = {"category": "", "inquiry_score": " ", "reviewed_by": ""}

    answers = read(filled_in({"inquiry_score": ""}, empty))

    assert [answer.row for answer in answers] == [NAMES[0], *NAMES[2:]]
    assert answers[0].inquiry_score is None


def test_who_answered_holds_until_somebody_else_is_named():
    answers = read(filled_in({"reviewed_by": "a"}, {"reviewed_by": ""}, {"reviewed_by": "b"}, {"reviewed_by": ""}))

    assert [answer.reviewed_by for answer in answers] == ["a", "a", "b", "b"]


def test_rows_may_be_sorted_and_columns_moved_or_added():
    rows = cells(filled_in())[::-1]
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, ["mine", *reversed(SHEET)])
    writer.writeheader()
    writer.writerows([row | {"mine": "x"} for row in rows])

    assert {answer.row for answer in read(file.getvalue().encode())} == set(NAMES)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"category": CANARY}, "row 2: `category` is none of categories.csv"),
        ({"category": ""}, "row 2: a score without a category"),
        ({"inquiry_score": "6"}, "row 2: `inquiry_score` is no whole number from 1 to 5"),
        ({"inquiry_score": "0"}, "row 2: `inquiry_score` is no whole number"),
        ({"inquiry_score": "3.5"}, "row 2: `inquiry_score` is no whole number"),
        ({"inquiry_score": CANARY}, "row 2: `inquiry_score` is no whole number"),
        ({"reviewed_by": " "}, "row 2: `reviewed_by` is empty"),
        ({"reviewed_by": CANARY * 10}, "row 2: `reviewed_by` is no name"),
        ({"reviewed_by": f"me\n{CANARY}"}, "row 2: `reviewed_by` is no name"),
        ({"row": CANARY}, "row 2: its `row` is none of this sheet"),
        ({"row": NAMES[1]}, "row 3: its `row` stands in the file twice"),
    ],
)
def test_a_wrong_cell_is_told_by_its_row_and_never_quoted(change: dict[str, str], said: str):
    assert said in fault(filled_in(change))


def test_a_missing_row_is_told():
    rows = cells(filled_in())[1:]

    assert "1 of 4 rows are missing" in fault(saved(rows))


def test_all_faults_are_told_at_once():
    told = fault(filled_in({"category": "x"}, {"inquiry_score": "9"}))

    assert "row 2: `category`" in told
    assert "row 3: `inquiry_score`" in told


@pytest.mark.parametrize(
    ("file", "said"),
    [
        (filled_in(delimiter=";"), "separated by something else than commas"),
        (filled_in(delimiter="\t"), "separated by something else than commas"),
        (filled_in({"transcript": "改行"}).decode("utf-8-sig").replace("👩‍💻", "").encode("cp932", "ignore"), "UTF-8"),
        (filled_in().decode("utf-8-sig").encode("utf-16"), "UTF-8"),
        (b"", "needs a header"),
        (b"row,category\r\nr-1,coding\r\n", "inquiry_score, comment, reviewed_by are not so"),
        (b"row,category,category,inquiry_score,comment,reviewed_by\r\n", "category is not so"),
        (b'row,category,inquiry_score,comment,reviewed_by\r\n"r-1,coding', "no CSV file"),
        (b"PK\x03\x04\xff\xfe", "UTF-8"),
    ],
)
def test_a_file_that_is_no_such_sheet_is_told_with_what_to_do(file: bytes, said: str):
    told = fault(file)

    assert said in told
    assert "save the sheet as CSV UTF-8" in told
