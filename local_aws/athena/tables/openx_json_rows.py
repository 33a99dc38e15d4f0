"""
JSON files of OpenX's JsonSerDe, which bends values into the columns' types.

Its parser takes more than JSON. A line that is not strict JSON is malformed for certain when it only ends too early;
others are refused by name. So are texts that are no number in a number column: NULL in some versions of Trino, a failed
query in others. Source: Trino's OpenXJsonDeserializer and JsonWriter (lib/trino-hive-formats); Athena user guide,
"OpenX JSON SerDe".
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.language.trino_types import Type, trino_name
from local_aws.athena.tables.hive_text import INTEGER_BITS, fits, read_date, read_decimal, read_double, read_timestamp
from local_aws.athena.tables.json_lines import JsonObject, Number, parse
from local_aws.athena.tables.text_lines import read_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local_aws.athena.tables.parsed_files import Column
    from local_aws.athena.tables.serdes import Serde

_DEFAULTS = {"case.insensitive": "true", "dots.in.keys": "false", "explicit.null": "false", "strict.parsing": "true"}
_MILLISECOND_DIGITS = 13
_ZONED = re.compile(r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,3})?)(Z|[+-]\d{2}:?\d{2})", re.ASCII)
Decoder = Callable[[Any], Any]


def read_rows(body: bytes, key: str, columns: list[Column], serde: Serde) -> Iterator[list[Any]]:
    """
    Yield the values of *columns* of each line; a line that is neither object nor array is a row of NULLs.

    Raises: StatementError HIVE_BAD_DATA for a malformed line and values that do not fit; Unsupported.
    """
    _check(serde.parameters)
    is_forgiving = serde.parameters.get("ignore.malformed.json", "false").lower() == "true"
    names = {name: serde.parameters.get(f"mapping.{name}", name).lower() for name in serde.names}
    decoders = [
        (names[name], serde.names.index(name), _decoder(kind, f"{key}: column {name!r} of type {trino_name(kind)}"))
        for name, kind in columns
    ]
    for line in read_lines(body, key, serde):
        item = _item(line.strip(), key, is_forgiving=is_forgiving)
        if isinstance(item, JsonObject):
            found = item.by_name()
            yield [decode(found.get(name)) for name, _, decode in decoders]
        else:
            yield [decode(item[place]) if place < len(item) else None for _, place, decode in decoders]


def _check(parameters: dict[str, str]) -> None:
    for name, text in parameters.items():
        is_known = name in ("serialization.format", "ignore.malformed.json", "paths") or name.startswith("mapping.")
        if not is_known and _DEFAULTS.get(name) != text.lower():
            raise Unsupported(f"OpenX JsonSerDe parameter {name!r}")


def _item(line: str, key: str, *, is_forgiving: bool) -> list[Any]:
    if not line.startswith(("{", "[")):
        return []
    try:
        return parse(line)
    except json.JSONDecodeError as problem:
        if problem.pos < len(line) and not problem.msg.startswith("Unterminated string"):
            raise Unsupported(f"{key}: a line that is no strict JSON") from problem
        if is_forgiving:
            return []
        raise StatementError("HIVE_BAD_DATA", f"{key}: a line is no whole JSON object") from problem


def _decoder(kind: Type, where: str) -> Decoder:
    decode = _nested(kind, where) if kind.name in ("array", "map", "row") else _scalar(kind, where)
    return lambda value: None if value is None else decode(value)


def _scalar(kind: Type, where: str) -> Decoder:
    if kind.name == "varchar":
        return lambda value: json_text(value)[: kind.args[0]]
    from_text = {
        "boolean": lambda text: text.lower() == "true",
        "decimal": lambda text: read_decimal(text, kind),
        "double": read_double,
        "date": read_date,
        "timestamp": _timestamp,
        **dict.fromkeys(INTEGER_BITS, lambda text: _integer(text, kind)),
    }.get(kind.name)
    if from_text is None:
        raise Unsupported(f"JSON column of type {trino_name(kind)}")

    def decode(value: Any) -> Any:
        if isinstance(value, list):
            raise StatementError("HIVE_BAD_DATA", f"{where}: an array or object does not fit")
        found = from_text({True: "true", False: "false"}[value] if isinstance(value, bool) else str(value))
        if found is None:
            raise Unsupported(f"a JSON text that is no {trino_name(kind)} in a column of that type")
        return found

    return decode


def _integer(text: str, kind: Type) -> int | None:
    if re.fullmatch(r"0[0-9xX].*", text, re.DOTALL):
        raise Unsupported("an octal or hexadecimal number in a JSON text")
    if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?", text):
        return None
    number = int(Decimal(text))  # the fraction is cut
    return number if fits(number, kind) else None


def _timestamp(text: str) -> datetime | None:
    zoned = _ZONED.fullmatch(text)
    try:
        if zoned:
            return datetime.fromisoformat(text).astimezone(UTC).replace(tzinfo=None)
        if re.fullmatch(r"-?[0-9]+", text):
            unit = timedelta(milliseconds=1) if len(text) >= _MILLISECOND_DIGITS else timedelta(seconds=1)
            return datetime(1970, 1, 1) + unit * int(text)  # noqa: DTZ001 - a timestamp has no zone
    except (ValueError, OverflowError):
        return None
    return read_timestamp(text)


def _nested(kind: Type, where: str) -> Decoder:
    if kind.name == "array":
        element = _decoder(kind.args[0], where)
        return lambda value: _elements(value, element)
    if kind.name == "map":
        if kind.args[0].name != "varchar" or kind.args[0].args[0] is not None:
            raise Unsupported(f"JSON column of type {trino_name(kind)}")
        entry = _decoder(kind.args[1], where)
        return lambda value: _entries(value, entry, where)
    fields = [(str(label), _decoder(field, where)) for label, field in kind.args]
    return lambda value: _row(value, fields, where)


def _elements(value: Any, element: Decoder) -> list[Any] | None:
    if value == "" and not isinstance(value, list):
        return None
    return [element(item) for item in value] if type(value) is list else [element(value)]


def _entries(value: Any, entry: Decoder, where: str) -> list[tuple[str, Any]] | None:
    if _is_blank(value):
        return None
    if not isinstance(value, JsonObject):
        raise StatementError("HIVE_BAD_DATA", f"{where}: no JSON object")
    value.by_name()  # one name twice is refused
    return [(name, entry(item)) for name, item in value]


def _row(value: Any, fields: list[tuple[str, Decoder]], where: str) -> dict[str, Any]:
    if isinstance(value, JsonObject):
        found = value.by_name()
        cells = [decode(found.get(label)) for label, decode in fields]
    elif isinstance(value, list) or _is_blank(value):
        items = value if isinstance(value, list) else []
        cells = [decode(items[place]) if place < len(items) else None for place, (_, decode) in enumerate(fields)]
    else:
        raise StatementError("HIVE_BAD_DATA", f"{where}: no JSON object")
    return {f"f{index}": cell for index, cell in enumerate(cells)}


def _is_blank(value: Any) -> bool:
    return isinstance(value, str) and not value.strip()


def json_text(value: Any) -> str:
    """Return a value as a string column shows it: text as it is, the rest as JSON without blanks."""
    if isinstance(value, list | bool | Number):
        return _written(value)
    return value


def _written(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, Number):
        return str(int(value)) if re.fullmatch(r"-?[0-9]+", value) else str(Decimal(value))
    if isinstance(value, JsonObject):
        value.by_name()
        return "{" + ",".join(f"{_quoted(name)}:{_written(item)}" for name, item in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_written, value)) + "]"
    return _quoted(value)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("</", "<\\/")
