"""
Text files with delimiters: LazySimpleSerDe, where a text that is no value of its column's type is NULL.

Source: Trino's SimpleDeserializer and encodings/text (lib/trino-hive-formats); Athena user guide, "Lazy Simple SerDe".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from local_aws.athena.failures import Unsupported
from local_aws.athena.language.trino_types import Type, trino_name
from local_aws.athena.tables.hive_text import INTEGER_BITS, fits, read_date, read_decimal, read_double, read_timestamp
from local_aws.athena.tables.text_lines import read_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local_aws.athena.tables.parsed_files import Column
    from local_aws.athena.tables.serdes import Serde

_INTEGER = re.compile(r"([+-]?)(\d*)(?:\.\d*)?", re.ASCII)
_DEFAULT_SEPARATORS = "\x01\x02\x03\x04\x05\x06\x07\x08"
# Parameter -> depth of the separator. Hive before 3 spells the second one so (HIVE-16922).
_SEPARATORS = {"field.delim": 0, "collection.delim": 1, "colelction.delim": 1, "mapkey.delim": 2}
_KNOWN = {*_SEPARATORS, "serialization.format", "serialization.null.format", "escape.delim", "line.delim"}
Decoder = Callable[[str], Any]


def read_rows(body: bytes, key: str, columns: list[Column], serde: Serde) -> Iterator[list[Any]]:
    """
    Yield the values of *columns* of each line.

    Raises: Unsupported for SerDe parameters, types and texts whose reading was not checked.
    """
    layout = _Layout(serde.parameters)
    places = [serde.names.index(name) for name, _ in columns]
    decoders = [layout.decoder(kind, 1) for _, kind in columns]
    for line in read_lines(body, key, serde):
        fields = layout.split(line)
        yield [
            decode(fields[place]) if place < len(fields) else None
            for place, decode in zip(places, decoders, strict=True)
        ]


class _Layout:
    """Separators, escape and NULL of one table."""

    def __init__(self, parameters: dict[str, str]) -> None:
        unknown = sorted(set(parameters) - _KNOWN)
        if unknown:
            raise Unsupported(f"LazySimpleSerDe parameter {unknown[0]!r}")
        if parameters.get("line.delim", "\n") != "\n":
            raise Unsupported("lines that do not end in a line feed")
        separators = list(_DEFAULT_SEPARATORS)
        separators[0] = _byte(parameters.get("serialization.format"), separators[0])
        for name, depth in _SEPARATORS.items():
            separators[depth] = _byte(parameters.get(name), separators[depth])
        self._separators = separators
        self._null = parameters.get("serialization.null.format", "\\N")
        escape = parameters.get("escape.delim")
        self._escape = None if escape is None else _byte(escape, "\\")
        self._unescape = re.compile(f"{re.escape(self._escape or '')}(.)", re.DOTALL)

    def split(self, line: str) -> list[str]:
        """Return the fields of a line, still escaped."""
        separator, escape = self._separators[0], self._escape
        if escape is None or escape not in line:
            return line.split(separator)
        return _split_escaped(line, separator, escape)

    def decoder(self, kind: Type, depth: int) -> Decoder:
        """Return what reads a value of *kind* whose own separators stand at *depth*."""
        read = self._nested(kind, depth) if kind.name in ("array", "map", "row") else self._scalar(kind)
        return lambda text: None if text == self._null else read(text)

    def _scalar(self, kind: Type) -> Decoder:
        if kind.name in INTEGER_BITS:
            return lambda text: _integer(text, kind)
        match kind.name:
            case "varchar":
                return lambda text: self._text(text)[: kind.args[0]]
            case "boolean":
                return lambda text: {"true": True, "false": False}.get(text.lower() if text.isascii() else text)
            case "decimal":
                return lambda text: read_decimal(text, kind)
            case "double":
                return read_double
            case "date":
                return read_date
            case "timestamp":
                return read_timestamp
        raise Unsupported(f"LazySimpleSerDe column of type {trino_name(kind)}")

    def _text(self, text: str) -> str:
        return text if self._escape is None else self._unescape.sub(r"\1", text)

    def _nested(self, kind: Type, depth: int) -> Decoder:
        if depth + (kind.name == "map") >= len(self._separators):
            raise Unsupported("LazySimpleSerDe columns nested that deep")
        if kind.name == "map" and kind.args[0].name != "varchar":
            raise Unsupported(f"LazySimpleSerDe column of type {trino_name(kind)}")
        separator = self._separators[depth]
        below = depth + (2 if kind.name == "map" else 1)
        kinds = [field for _, field in kind.args] if kind.name == "row" else list(kind.args)
        inner = [self.decoder(field, below) for field in kinds]

        def read(text: str) -> Any:
            if self._escape is not None and self._escape in text:
                raise Unsupported("an escape within a nested value of a text file")
            parts = text.split(separator) if text or kind.name == "row" else []
            if kind.name == "array":
                return [inner[0](part) for part in parts]
            if kind.name == "map":
                return _entries([part.partition(self._separators[depth + 1]) for part in parts], inner)
            parts += [self._null] * (len(inner) - len(parts))
            return {f"f{index}": decode(part) for index, (decode, part) in enumerate(zip(inner, parts))}  # noqa: B905

        return read


def _entries(parts: list[tuple[str, str, str]], inner: list[Decoder]) -> list[tuple[Any, Any]]:
    keys = [inner[0](key) for key, _, _ in parts]
    if None in keys or len(set(keys)) != len(keys):
        raise Unsupported("a map in a text file with a key twice, or NULL as a key")
    return [(key, inner[1](text) if mark else None) for key, (_, mark, text) in zip(keys, parts, strict=True)]


def _split_escaped(line: str, separator: str, escape: str) -> list[str]:
    fields: list[str] = []
    start = place = 0
    while place < len(line):
        if line[place] == separator:
            fields.append(line[start:place])
            start = place + 1
        elif line[place] == escape:
            place += 1  # the character after it is no separator
        place += 1
    return [*fields, line[start:]]


def _integer(text: str, kind: Type) -> int | None:
    found = _INTEGER.fullmatch(text)
    if found is None or text == found[1]:
        return None
    number = int(f"{found[1]}{found[2] or 0}")
    return number if fits(number, kind) else None


def _byte(text: str | None, default: str) -> str:
    """Return the character of a parameter: itself, or its code as a number."""
    if not text:
        return default
    character = chr(int(text)) if text.isdecimal() and text.isascii() and int(text) < 128 else text
    if len(character) != 1 or not character.isascii():
        raise Unsupported("a LazySimpleSerDe delimiter that is not one ASCII character")
    return character
