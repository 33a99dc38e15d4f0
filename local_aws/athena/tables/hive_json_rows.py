"""
JSON files of Hive's JsonSerDe: strict JSON, values of the wrong type fail the query.

Source: Trino's JsonDeserializer (lib/trino-hive-formats); Athena user guide, "Hive JSON SerDe".
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.language.trino_types import Type, trino_name
from local_aws.athena.tables.hive_text import INTEGER_BITS, fits, read_date, read_decimal, read_timestamp
from local_aws.athena.tables.json_lines import JsonObject, Number, parse
from local_aws.athena.tables.text_lines import read_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local_aws.athena.tables.parsed_files import Column
    from local_aws.athena.tables.serdes import Serde

_EXACT_IN_A_DOUBLE = 2**53
Decoder = Callable[[Any], Any]


def read_rows(body: bytes, key: str, columns: list[Column], serde: Serde) -> Iterator[list[Any]]:
    """
    Yield the values of *columns* of each line; names ignore case, what is missing is NULL.

    Raises: StatementError HIVE_BAD_DATA for lines that are no JSON object and values that do not fit.
    """
    unknown = sorted(set(serde.parameters) - {"serialization.format", "paths"})  # a crawler's note
    if unknown:
        raise Unsupported(f"Hive JsonSerDe parameter {unknown[0]!r}")
    decoders = [(name, _decoder(kind, f"{key}: column {name!r} of type {trino_name(kind)}")) for name, kind in columns]
    for line in read_lines(body, key, serde):
        try:
            item = parse(line)
        except (json.JSONDecodeError, RecursionError) as problem:
            raise StatementError("HIVE_BAD_DATA", f"{key}: a line is no JSON object") from problem
        if not isinstance(item, JsonObject):
            raise StatementError("HIVE_BAD_DATA", f"{key}: a line is no JSON object")
        found = _fields(item)
        yield [decode(found.get(name)) for name, decode in decoders]


def _fields(item: JsonObject) -> dict[str, Any]:
    found = item.by_name()
    if any(re.fullmatch(r"_col[0-9]+", name) for name in found):
        raise Unsupported("a JSON name such as _col0, which stands for a column's place")
    return found


def _decoder(kind: Type, where: str) -> Decoder:
    decode = _nested(kind, where) if kind.name in ("array", "map", "row") else _scalar(kind, where)
    return lambda value: None if value is None else decode(value)


def _bad(where: str, value: Any) -> StatementError:
    kind = {bool: "a boolean", Number: "a number", str: "a text", list: "an array", JsonObject: "an object"}
    return StatementError("HIVE_BAD_DATA", f"{where}: {kind[type(value)]} does not fit")


def _scalar(kind: Type, where: str) -> Decoder:
    from_text = {
        "varchar": lambda text: text[: kind.args[0]],
        "boolean": lambda text: text.lower() == "true",
        "decimal": lambda text: read_decimal(text, kind),
        "date": read_date,
        "timestamp": read_timestamp,
    }.get(kind.name)
    if from_text is None and kind.name not in (*INTEGER_BITS, "double"):
        raise Unsupported(f"JSON column of type {trino_name(kind)}")

    def decode(value: Any) -> Any:
        if isinstance(value, list) or (from_text is None and not isinstance(value, Number)):
            raise _bad(where, value)
        if from_text is None:
            found = float(value) if kind.name == "double" else _integer(value, kind)
        else:
            found = from_text({True: "true", False: "false"}[value] if isinstance(value, bool) else str(value))
        if found is None:
            raise _bad(where, value)
        if found in (float("inf"), float("-inf")):
            raise Unsupported("a JSON number that is too large for a double")
        return found

    return decode


def _integer(text: Number, kind: Type) -> int | None:
    if re.fullmatch(r"-?[0-9]+", text):
        number = int(text)
    elif abs(float(text)) < _EXACT_IN_A_DOUBLE:
        number = int(float(text))  # Jackson cuts the fraction
    else:
        raise Unsupported("a JSON number with a fraction or an exponent that is too large for an integer column")
    if kind.name == "tinyint" and 127 < number <= 255:
        raise Unsupported("a JSON number from 128 to 255 in a tinyint column")  # Jackson takes it for a byte
    return number if fits(number, kind) else None


def _nested(kind: Type, where: str) -> Decoder:
    if kind.name == "array":
        element = _decoder(kind.args[0], where)
        return lambda value: [element(item) for item in _as(list, value, where)]
    if kind.name == "map":
        if kind.args[0].name != "varchar" or kind.args[0].args[0] is not None:
            raise Unsupported(f"JSON column of type {trino_name(kind)}")
        entry = _decoder(kind.args[1], where)
        return lambda value: _entries(_as(JsonObject, value, where), entry)
    fields = [(str(label), _decoder(field, where)) for label, field in kind.args]

    def decode(value: Any) -> dict[str, Any]:
        found = _fields(_as(JsonObject, value, where))
        return {f"f{index}": read(found.get(label)) for index, (label, read) in enumerate(fields)}

    return decode


def _entries(pairs: JsonObject, entry: Decoder) -> list[tuple[str, Any]]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise Unsupported("a JSON object with one name twice in a map column")
    return [(name, entry(item)) for name, item in pairs]


def _as(form: type, value: Any, where: str) -> Any:
    if type(value) is not form:
        raise _bad(where, value)
    return value
