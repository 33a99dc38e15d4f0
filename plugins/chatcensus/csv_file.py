"""CSV files that a spreadsheet opens as they are, Japanese included, and in which no cell is ever a formula."""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

BOM = "\N{ZERO WIDTH NO-BREAK SPACE}"  # Excel in Japan reads a file without it as Shift_JIS
APOSTROPHE = "'"  # tells a spreadsheet that text follows

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
# What begins a formula, as spreadsheets take it: half or full width, also after what they trim or do not show.
_FORMULA = re.compile(r"(?:(?![\t\r])[\s\x00-\x1f\x7f\u200b-\u200f\u2060\ufeff])*[=+\-@＝＋－＠\t\r]")


def csv_bytes(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> bytes:
    """
    Return *rows* as a CSV file: a header of *columns*, then one line for each row.

    Shape: UTF-8 with BOM; days in ISO 8601, booleans `true` and `false`, doubles as short as they stay exact, null
    empty. A text that a spreadsheet would calculate gets an apostrophe before each line of it that begins a formula.
    Errors: KeyError for a row without one of *columns*.
    Source: RFC 4180; https://owasp.org/www-community/attacks/CSV_Injection.
    """
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([_cell(row[column]) for column in columns] for row in rows)
    return (BOM + file.getvalue()).encode()


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case float():
            return repr(value)
        case date():
            return value.isoformat()
        case str():
            return harmless(value)
        case _:
            return str(value)


def harmless(text: str) -> str:
    """Return *text* so that none of its lines begins a formula; a number is left as it is."""
    if _NUMBER.fullmatch(text):
        return text
    lines = text.splitlines(keepends=True)
    return "".join(APOSTROPHE + line if _FORMULA.match(line) else line for line in lines)
