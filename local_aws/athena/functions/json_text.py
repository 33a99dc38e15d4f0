"""
JSON as Trino prints and reads it; numbers keep their text, and a form that was not checked is refused.

Source: Trino's JsonExtract, JsonPathTokenizer, JsonFunctions, JsonOperators and JsonUtil.
"""

from __future__ import annotations

import json
import re
import unicodedata
from functools import lru_cache
from typing import Any

from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.language.natives import Helper, Native, helpers
from local_aws.athena.language.trino_types import BIGINT, BOOLEAN, DOUBLE, VARCHAR
from local_aws.athena.results import java_double

MISSING = object()
_SURROGATE_PAIR = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")


class Number(str):
    """A JSON number by its text."""

    __slots__ = ()

    @property
    def is_whole(self) -> bool:
        """Tell whether it was written without a point and an exponent."""
        return re.fullmatch(r"-?\d+", self, re.ASCII) is not None


def _bad(message: str) -> StatementError:
    return StatementError("INVALID_FUNCTION_ARGUMENT", message)


def load(text: str) -> Any:
    """
    Return the value of a JSON text.

    Raises: StatementError for what is no JSON, Unsupported where readers differ (a name twice, lone surrogates).
    """

    def pairs(members: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in members}) != len(members):
            raise Unsupported("JSON with one name twice in an object")
        return dict(members)

    def constant(name: str) -> Any:
        raise _bad(f"Cannot convert value to JSON: {name}")

    if "\\u" in text and re.search(r"\\u[dD][89a-fA-F]", _SURROGATE_PAIR.sub("", text)):
        raise Unsupported("JSON with half a surrogate pair")
    try:
        return json.loads(text, object_pairs_hook=pairs, parse_int=Number, parse_float=Number, parse_constant=constant)
    except RecursionError as problem:
        raise Unsupported("JSON nested that deep") from problem
    except ValueError as problem:
        raise _bad("Cannot convert value to JSON") from problem


def quoted(text: str) -> str:
    """Return a text as Jackson writes it: control characters with capital hexadecimal digits."""
    written = json.dumps(text, ensure_ascii=False)
    return re.sub(r"(?<!\\)((?:\\\\)*\\u)([0-9a-f]{4})", lambda found: found[1] + found[2].upper(), written)


def dump(value: Any, *, is_sorted: bool) -> str:
    """Return JSON text without spaces. Raises: Unsupported for a number whose form Athena may change."""
    if isinstance(value, Number):
        if value == "-0" or (not value.is_whole and java_double(float(value)) != value):
            raise Unsupported("JSON number whose form Athena may change")
        return str(value)
    if isinstance(value, list):
        return "[" + ",".join(dump(item, is_sorted=is_sorted) for item in value) + "]"
    if isinstance(value, dict):
        names = sorted(value) if is_sorted else value
        return "{" + ",".join(f"{quoted(name)}:{dump(value[name], is_sorted=is_sorted)}" for name in names) + "}"
    return quoted(value) if isinstance(value, str) else json.dumps(value)


def _parse(text: str) -> str:
    return dump(load(text), is_sorted=True)


@lru_cache
def check_path(path: str) -> tuple[str, ...]:
    """
    Return the steps of a path such as $.a[0]["b c"].

    Raises: StatementError for what Trino's tokenizer refuses; Unsupported where its versions differ.
    """
    if not path.startswith("$"):
        raise _bad("Invalid JSON path")
    steps: list[str] = []
    place = 1
    while place < len(path):
        quote = re.compile(r'\["((?:[^"\\]|\\["\\])*)"\]').match(path, place)
        if quote:
            steps.append(re.sub(r"\\(.)", r"\1", quote[1]))
            place = quote.end()
            continue
        is_dotted, opening = path[place] == ".", place + 1
        end = opening
        while end < len(path) and (_is_plain(path[end]) or (is_dotted and path[end] == ":")):
            end += 1
        if path[end : end + 1] == "-" or path[place : place + 2] in ("..", ".*", "[*", ".["):
            raise Unsupported("a JSON path with a construct that was not checked")
        if path[place] not in ".[" or end == opening or (not is_dotted and path[end : end + 1] != "]"):
            raise _bad("Invalid JSON path")
        steps.append(path[opening:end])
        place = end if is_dotted else end + 1
    return tuple(steps)


def _is_plain(letter: str) -> bool:
    return letter == "_" or (
        ord(letter) < 0x10000 and unicodedata.category(letter) in ("Lu", "Ll", "Lt", "Lm", "Lo", "Nd")
    )


class _Parsed:
    """The documents that were parsed last: a query takes many values from each, one function after the other."""

    MOST_LETTERS = 32 * 1024 * 1024

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}
        self._letters = 0

    def load(self, text: str) -> Any:
        """Return what `load` returns. Nobody may change it."""
        value = self._values.get(text, MISSING)
        if value is MISSING:
            value = load(text)
            if self._letters > self.MOST_LETTERS:
                self._values, self._letters = {}, 0
            self._values[text] = value
            self._letters += len(text)
        return value


_parsed = _Parsed()


def _document(text: str) -> Any:
    """Return the JSON of a function that answers NULL for a text whose first token is none."""
    try:
        return _parsed.load(text)
    except StatementError as problem:
        if not re.match(r"[ \t\r\n]*(?:[\[{\"0-9-]|true|false|null)", text):
            return MISSING
        raise Unsupported("a JSON function on a text that is no JSON") from problem


def _find(text: str, path: str) -> Any:
    steps = check_path(path)
    value = _document(text)
    for step in steps:
        if isinstance(value, dict):
            value = value.get(step, MISSING)
        elif isinstance(value, list) and re.fullmatch(r"\+?[0-9]+", step, re.ASCII) and int(step) < len(value):
            value = value[int(step)]
        else:
            return MISSING
    return value


def _extract(text: str, path: str) -> str | None:
    value = _find(text, path)
    return None if value is MISSING else dump(value, is_sorted=False)


def _scalar(value: Any) -> str | None:
    if value is MISSING or value is None or isinstance(value, list | dict):
        return None
    return str(value) if isinstance(value, str) else json.dumps(value)


def _size(text: str, path: str) -> int | None:
    value = _find(text, path)
    if value is MISSING:
        return None
    return len(value) if isinstance(value, list | dict) else 0


def _array(text: str) -> list[Any] | None:
    value = _document(text)
    return value if isinstance(value, list) else None


def _array_length(text: str) -> int | None:
    items = _array(text)
    return None if items is None else len(items)


def _array_get(text: str, index: int) -> str | None:
    items = _array(text)
    if items is None or not -len(items) <= index < len(items):
        return None
    value = items[index]
    if isinstance(value, str) and not isinstance(value, Number):
        raise Unsupported("json_array_get() of a string, which older versions leave without quotes")
    return None if value is None else dump(value, is_sorted=False)


def _array_contains(text: str, wanted: bool | float | str) -> bool | None:
    items = _array(text)
    if items is None:
        return None
    if isinstance(wanted, bool):
        return any(item is wanted for item in items)
    if isinstance(wanted, int):
        return any(isinstance(item, Number) and item.is_whole and int(item) == wanted for item in items)
    if isinstance(wanted, float):
        return any(isinstance(item, Number) and not item.is_whole and float(item) == wanted for item in items)
    return any(isinstance(item, str) and not isinstance(item, Number) and item == wanted for item in items)


_TABLE: dict[str, tuple[Native, ...]] = {
    "json_parse": (Native((VARCHAR,), VARCHAR, _parse),),
    "json_extract": (Native((VARCHAR, VARCHAR), VARCHAR, _extract),),
    "json_extract_scalar": (Native((VARCHAR, VARCHAR), VARCHAR, lambda text, path: _scalar(_find(text, path))),),
    "json_size": (Native((VARCHAR, VARCHAR), BIGINT, _size),),
    "json_array_length": (Native((VARCHAR,), BIGINT, _array_length),),
    "json_array_get": (Native((VARCHAR, BIGINT), VARCHAR, _array_get),),
    "json_array_contains": tuple(
        Native((VARCHAR, kind), BOOLEAN, _array_contains) for kind in (BOOLEAN, BIGINT, DOUBLE, VARCHAR)
    ),
    "is_json_scalar": (Native((VARCHAR,), BOOLEAN, lambda text: not isinstance(load(text), list | dict)),),
}
HELPERS: tuple[Helper, ...] = helpers(_TABLE)
