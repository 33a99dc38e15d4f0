"""
CSV files of OpenCSVSerde, where every column is text.

Source: Trino's CsvDeserializer (lib/trino-hive-formats); Athena user guide, "Open CSV SerDe for processing CSV".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.language.trino_types import VARCHAR, trino_name
from local_aws.athena.tables.text_lines import read_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local_aws.athena.tables.parsed_files import Column
    from local_aws.athena.tables.serdes import Serde

_DEFAULTS = {"separatorChar": ",", "quoteChar": '"', "escapeChar": "\\"}


def read_rows(body: bytes, key: str, columns: list[Column], serde: Serde) -> Iterator[list[str | None]]:
    """
    Yield the texts of *columns* of each line; a field that is missing is NULL, an empty one is not.

    Raises: StatementError for characters that cannot stand together; Unsupported for columns that are no string.
    """
    other = next((kind for _, kind in columns if kind != VARCHAR), None)
    if other is not None:
        raise Unsupported(f"OpenCSVSerde column of type {trino_name(other)}: declare it as string and cast it")
    separator, quote, escape = _characters(serde.parameters)
    places = [serde.names.index(name) for name, _ in columns]
    for line in read_lines(body, key, serde):
        fields = _fields(line, separator, quote, escape) if line else []
        yield [fields[place] if place < len(fields) else None for place in places]


def _characters(parameters: dict[str, str]) -> list[str]:
    unknown = sorted(set(parameters) - {*_DEFAULTS, "serialization.format"})
    if unknown:
        raise Unsupported(f"OpenCSVSerde parameter {unknown[0]!r}")
    chosen = [parameters.get(name, default)[:1] for name, default in _DEFAULTS.items()]
    if chosen[2] == '"':
        chosen[2] = "\\"  # the SerDe cannot be told to escape by a quote
    if "" in chosen or "\0" in chosen or len(set(chosen)) != len(chosen):
        raise StatementError("NOT_SUPPORTED", "CSV: separator, quote and escape must be three different characters")
    return chosen


def _fields(line: str, separator: str, quote: str, escape: str) -> list[str]:
    fields: list[str] = []
    text: list[str] = []
    is_quoted = is_inside = False
    place = 0
    while place < len(line):
        letter, after = line[place], line[place + 1 : place + 2]
        if letter == escape:
            if (is_quoted or is_inside) and after in (quote, escape) and after:
                text.append(after)
                place += 1
        elif letter == quote:
            if (is_quoted or is_inside) and after == quote:
                text.append(quote)
                place += 1
            else:
                if place > 2 and line[place - 1] != separator and after not in ("", separator):
                    if text and "".join(text).isspace():
                        text.clear()  # blanks before the opening quote
                    else:
                        text.append(quote)
                is_quoted = not is_quoted
            is_inside = not is_inside
        elif letter == separator and not is_quoted:
            fields.append("".join(text))
            text.clear()
            is_inside = False
        else:
            text.append(letter)
            is_inside = True
        place += 1
    return fields if is_quoted else [*fields, "".join(text)]  # a quote that is never closed leaves no value
