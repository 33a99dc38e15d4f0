"""Ion files as rows: what path extractors find in exported items."""

from __future__ import annotations

import io
import re
from codecs import BOM_UTF8
from typing import TYPE_CHECKING, Any, BinaryIO

import pyarrow as pa
from amazon.ion import simpleion
from amazon.ion.core import IonType
from amazon.ion.exceptions import IonException
from amazon.ion.simpleion import IonPyValueModel

from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.tables.arrow_types import arrow_type
from local_aws.athena.tables.ion_values import column, ion_type, is_struct, matched
from local_aws.athena.tables.serdes import Serde, opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local_aws.athena.tables.parsed_files import Column

if not simpleion.c_ext:
    raise ImportError("amazon.ion without its C extension reads 34 items a second: install a wheel that has it")

_MODEL = IonPyValueModel.MAY_BE_BARE | IonPyValueModel.SYMBOL_AS_TEXT | IonPyValueModel.STRUCT_AS_STD_DICT
_LONGEST_TEXT = 1 << 20  # an item of DynamoDB holds 400 KB; by itself the reader refuses a text of more than 16 KB
_ROWS_AT_ONCE = 10_000
_MOST_LAYOUTS = 1_000
_READABLE_SETTINGS = {
    "ion.fail_on_overflow": {"true"},
    "ion.ignore_malformed": {"false"},
    "ion.path_extractor.case_sensitive": {"false"},
    "ion.encoding": {"text", "binary"},  # of what is written: a file says itself how it is encoded
}


def extractors(columns: list[str], parameters: dict[str, str]) -> dict[str, tuple[str, ...]]:
    """
    Return the path of each column, steps in lower case.

    Raises: Unsupported for wildcards, indexes, and SerDe settings away from their defaults.
    Source: Athena user guide, "Amazon Ion SerDe property reference" and "Use search paths in path extractors".
    """
    for key, text in parameters.items():
        is_path = re.fullmatch(r"ion\.\w+\.path_extractor", key) is not None
        if key.startswith("ion.") and not is_path and text.lower() not in _READABLE_SETTINGS.get(key, set()):
            raise Unsupported(f"SerDe parameter {key!r}")
    return {name: _path(parameters.get(f"ion.{name}.path_extractor", f"({name})")) for name in columns}


def _path(text: str) -> tuple[str, ...]:
    try:
        steps = simpleion.loads(text, value_model=IonPyValueModel.SYMBOL_AS_TEXT)
    except (IonException, ValueError):
        steps = None
    is_path = steps and getattr(steps, "ion_type", None) == IonType.SEXP
    is_names = is_path and all(ion_type(step) in ("symbol", "string") and not step.ion_annotations for step in steps)
    # Quoted or not, a star is a wildcard; a number is an index.
    if not is_names or "*" in steps:
        raise Unsupported(f"path extractor {text!r}")
    return tuple(step.lower() for step in steps)


def read_columns(body: bytes, key: str, columns: list[Column], serde: Serde) -> tuple[int, list[pa.ChunkedArray]]:
    """
    Return how many items one Ion file holds, and *columns* of them; the file is never uncompressed as a whole.

    Raises: StatementError HIVE_CURSOR_ERROR for bytes that are no Ion, HIVE_BAD_DATA for values that do not fit;
    Unsupported for what lies beyond the limits of the reader.
    """
    paths = extractors([name for name, _ in columns], serde.parameters)
    top = _Step()
    for place, (name, _) in enumerate(columns):
        top.add(paths[name], place)
    parts: list[list[pa.Array]] = [[] for _ in columns]
    count = 0
    for rows in _batches(top, len(columns), _items(opened(body, key), key)):
        count += len(rows)
        for part, values, (name, kind) in zip(parts, zip(*rows, strict=True), columns, strict=bool(columns)):
            part.append(column(values, kind, name, key))
    return count, [pa.chunked_array(part, arrow_type(kind)) for part, (_, kind) in zip(parts, columns, strict=True)]


class _Step:
    """One struct on the way to columns: which of its names lead to which columns, and which to further structs."""

    def __init__(self) -> None:
        self._columns: dict[str, list[int]] = {}
        self._below: dict[str, _Step] = {}
        self._layouts: dict[tuple[str, ...], tuple[list[tuple[str, int]], list[tuple[str, _Step]]]] = {}

    def add(self, path: tuple[str, ...], place: int) -> None:
        """Let *path* lead to the column at *place*."""
        first, *rest = path
        if rest:
            self._below.setdefault(first, _Step()).add(tuple(rest), place)
        else:
            self._columns.setdefault(first, []).append(place)

    def fill(self, item: dict[str, Any], row: list[Any]) -> None:
        """Put what *item* holds for columns into *row*; names are looked up once for all items that have the same."""
        names = tuple(item)
        layout = self._layouts.get(names)
        if layout is None:
            if len(self._layouts) >= _MOST_LAYOUTS:
                self._layouts.clear()
            layout = self._layouts[names] = self._layout(names)
        values, structs = layout
        for name, place in values:
            row[place] = item[name]
        for name, step in structs:
            if is_struct(item[name]):
                step.fill(item[name], row)

    def _layout(self, names: tuple[str, ...]) -> tuple[list[tuple[str, int]], list[tuple[str, _Step]]]:
        known = matched(names, {*self._columns, *self._below})
        return (
            [(known[name], place) for name, places in self._columns.items() if name in known for place in places],
            [(known[name], step) for name, step in self._below.items() if name in known],
        )


def _batches(top: _Step, width: int, items: Iterator[Any]) -> Iterator[list[list[Any]]]:
    rows: list[list[Any]] = []
    for item in items:
        row = [None] * width
        if is_struct(item):  # else every column is NULL
            top.fill(item, row)
        rows.append(row)
        if len(rows) == _ROWS_AT_ONCE:
            yield rows
            rows = []
    if rows:
        yield rows


def _items(stream: BinaryIO, key: str) -> Iterator[Any]:
    whole = io.BufferedReader(stream)
    try:
        if whole.peek(len(BOM_UTF8)).startswith(BOM_UTF8):
            raise Unsupported(f"{key}: a byte order mark")
        yield from simpleion.load(
            whole,
            single_value=False,
            parse_eagerly=False,
            value_model=_MODEL,
            text_buffer_size_limit=_LONGEST_TEXT,
        )
    except (IonException, ValueError, TypeError, UnicodeError, OSError, EOFError) as problem:
        if re.search("BUFFER_TOO_SMALL|TOO_MANY_ANNOTATIONS|recursion depth", str(problem)):
            raise Unsupported(
                f"{key}: an Ion text beyond {_LONGEST_TEXT} bytes, or values nested too deep"
            ) from problem
        raise StatementError("HIVE_CURSOR_ERROR", f"{key} cannot be read as Ion, or is no whole gzip file") from problem
