"""The sheet that a person fills in, and what comes back: CSV both ways, through whatever spreadsheet there is."""

import csv
import io
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from chatcensus.conversation import Transcript
from chatcensus.csv_file import csv_bytes
from chatcensus.errors import SetupError
from chatcensus.review import Candidate
from chatcensus.taxonomy import Taxonomy

ANSWERS = ("category", "inquiry_score", "comment", "reviewed_by")  # what a person fills in
SHEET = ("row", "conversation_id", "drawn_for", "transcript", *ANSWERS)
RETURNED = ("row", *ANSWERS)
CATEGORIES = ("category", "label_en", "label_ja", "definition_en", "definition_ja")
# Excel spills what is longer into other rows. https://support.microsoft.com/en-us/office/1672b34d-7043-467e-8e27-269d656771c3
LONGEST_CELL = 32_767
_ROOM = 400  # of a cell, for apostrophes and the mark
_SCORES = {str(score): score for score in range(1, 6)}
_MOST_FAULTS = 20
_LONGEST_NAME = 100  # of who has answered: a gold row stays for ever, and no text shall slip into it
_SAVE_AS = "save the sheet as CSV UTF-8, separated by commas"


@dataclass(frozen=True)
class Reviewed:
    """What a person says of the conversation of one row."""

    row: str
    category: str
    inquiry_score: int | None
    reviewed_by: str


def sheet_bytes(rows: Iterable[tuple[Candidate, Transcript]]) -> bytes:
    """Return the sheet: each conversation as a model reads it, and empty cells; nothing of what the judge said."""
    return csv_bytes(
        SHEET,
        (
            {
                "row": candidate.row,
                "conversation_id": candidate.conversation_id,
                "drawn_for": f"quarantined: {candidate.reason}" if candidate.reason else candidate.why,
                "transcript": _cell(transcript),
                **dict.fromkeys(ANSWERS),
            }
            for candidate, transcript in rows
        ),
    )


def _cell(transcript: Transcript) -> str:
    text = "\n".join(f"[{role}] {text}" if role else text for role, text in transcript.parts)
    # A line that begins a formula gets an apostrophe, which takes room too.
    most = LONGEST_CELL - _ROOM - text.count("\n")
    if len(text) <= most:
        return text
    head, tail = most * 3 // 4, len(text) - most // 4
    return f"{text[:head]}[... {tail - head} characters omitted ...]{text[tail:]}"


def categories_bytes(taxonomy: Taxonomy) -> bytes:
    """Return the keys that may be written, with what each of them means."""
    return csv_bytes(
        CATEGORIES,
        (
            {
                "category": category.key,
                "label_en": category.label.en,
                "label_ja": category.label.ja,
                "definition_en": category.definition.en,
                "definition_ja": category.definition.ja,
            }
            for category in taxonomy.categories
        ),
    )


def read_column(file: bytes, column: str) -> list[str]:
    """Return the cells of one *column* of a file of ours. Errors: SetupError when it is none."""
    return [cells[column] for _, cells in _rows(file, (column,))]


def returned_bytes(file: bytes) -> bytes:
    """Return what a person has filled in, and no transcript. Errors: SetupError when *file* is no such sheet."""
    return csv_bytes(RETURNED, (cells for _, cells in _rows(file, RETURNED)))


def read_reviewed(file: bytes, rows: Collection[str], categories: Collection[str]) -> list[Reviewed]:
    """
    Return what a person has filled in; a row without category and score is one that they left out.

    Shape: *rows* and *categories* are what the sheet was handed out with. Where `reviewed_by` is empty, that of the row
    above holds. Letters of full width and capitals count as what they stand for.
    Errors: SetupError that names the row of each fault, never what stands in it.
    """
    reviewed, faults, seen, by = list[Reviewed](), list[str](), set[str](), ""
    for number, cells in _rows(file, RETURNED):
        row, by = cells["row"].strip(), cells["reviewed_by"].strip() or by
        where = f"row {number}"
        if row not in rows:
            faults.append(f"{where}: its `row` is none of this sheet: leave that column as it was")
            continue
        if row in seen:
            faults.append(f"{where}: its `row` stands in the file twice")
            continue
        seen.add(row)
        category, score = _plain(cells["category"]), _plain(cells["inquiry_score"])
        if not category and not score:
            continue
        wrong = _wrong(category, score, by, categories)
        faults += [f"{where}: {fault}" for fault in wrong]
        if not wrong:
            reviewed.append(Reviewed(row, category, _SCORES.get(score), by))
    if missing := len(set(rows) - seen):
        faults.append(f"{missing} of {len(rows)} rows are missing: leave a row that nobody can answer empty")
    if faults:
        more = f"; and {len(faults) - _MOST_FAULTS} more" if len(faults) > _MOST_FAULTS else ""
        raise SetupError(
            f"the answers of this review cannot be taken, {'; '.join(faults[:_MOST_FAULTS])}{more}. Correct the sheet, "
            "return it again, and clear collect if it is red"
        )
    return reviewed


def _wrong(category: str, score: str, by: str, categories: Collection[str]) -> list[str]:
    wrong = []
    if not category:
        wrong.append("a score without a category")
    elif category not in categories:
        wrong.append("`category` is none of categories.csv")
    if score and score not in _SCORES:
        wrong.append("`inquiry_score` is no whole number from 1 to 5")
    if not by:
        wrong.append("`reviewed_by` is empty, and in all rows above: a pseudonym will do")
    if len(by) > _LONGEST_NAME or not by.isprintable():
        wrong.append(f"`reviewed_by` is no name: one line of at most {_LONGEST_NAME} characters")
    return wrong


def _plain(cell: str) -> str:
    """Return *cell* as it was meant, whatever the keyboard made of it."""
    return unicodedata.normalize("NFKC", cell).strip().lower()


def _rows(file: bytes, columns: Collection[str]) -> list[tuple[int, Mapping[str, str]]]:
    """Return the rows of a CSV file, each with its number in a spreadsheet and the cells of *columns*."""
    try:
        text = file.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SetupError(f"the sheet is not in UTF-8: {_SAVE_AS}") from None
    first = text.partition("\n")[0]
    if "," not in first and any(separator in first for separator in ";\t"):
        raise SetupError(f"the sheet is separated by something else than commas: {_SAVE_AS}")
    try:
        header, *lines = list(csv.reader(io.StringIO(text, newline=""), strict=True)) or [[]]
    except csv.Error:
        raise SetupError(f"the sheet is no CSV file: {_SAVE_AS}") from None
    names = [name.strip().lower() for name in header]
    if missing := [column for column in columns if names.count(column) != 1]:
        raise SetupError(
            f"the sheet needs a header that names each of {', '.join(columns)} once, and {', '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} not so: {_SAVE_AS}, with all of its columns"
        )
    places = {column: names.index(column) for column in columns}
    return [
        (number, {column: line[place] if place < len(line) else "" for column, place in places.items()})
        for number, line in enumerate(lines, start=2)
        if any(cell.strip() for cell in line)
    ]
