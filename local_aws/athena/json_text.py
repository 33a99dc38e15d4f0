"""JSON as Trino prints and reads it; numbers keep their text, and a form that was not checked is refused."""

from __future__ import annotations

import json
import re
from typing import Any

from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.results import java_double
from local_aws.athena.trino_types import Type, trino_name

_PATH_STEP = re.compile(r"\.([A-Za-z_][A-Za-z0-9_]*)|\[(\d+)\]|\[\"([^\"\\]*)\"\]|\['([^'\\]*)'\]", re.ASCII)


class _Number(str):
    """A JSON number by its text."""

    __slots__ = ()


def _load(text: str) -> Any:
    def pairs(members: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in members}) != len(members):
            raise Unsupported("JSON with one name twice in an object")
        return dict(members)

    def whole(number: str) -> _Number:
        if number == "-0":
            raise Unsupported("JSON number -0")
        return _Number(number)

    def real(number: str) -> _Number:
        if java_double(float(number)) != number:
            raise Unsupported("JSON number whose form Athena may change")
        return _Number(number)

    def constant(name: str) -> Any:
        raise StatementError("INVALID_FUNCTION_ARGUMENT", f"Cannot convert value to JSON: {name}")

    try:
        return json.loads(text, object_pairs_hook=pairs, parse_int=whole, parse_float=real, parse_constant=constant)
    except RecursionError as problem:
        raise Unsupported("JSON nested that deep") from problem
    except ValueError as problem:
        raise StatementError("INVALID_FUNCTION_ARGUMENT", "Cannot convert value to JSON") from problem


def _dump(value: Any, *, is_sorted: bool) -> str:
    if isinstance(value, _Number):
        return str(value)
    if isinstance(value, list):
        return "[" + ",".join(_dump(item, is_sorted=is_sorted) for item in value) + "]"
    if isinstance(value, dict):
        names = sorted(value) if is_sorted else value
        return (
            "{"
            + ",".join(
                f"{json.dumps(name, ensure_ascii=False)}:{_dump(value[name], is_sorted=is_sorted)}" for name in names
            )
            + "}"
        )
    return json.dumps(value, ensure_ascii=False)


def parse(text: str) -> str:
    """Return JSON text with its names in order, as json_parse does."""
    return _dump(_load(text), is_sorted=True)


_MISSING = object()


def _find(text: str, path: str) -> Any:
    if not path.startswith("$"):
        raise Unsupported("a JSON path that does not begin with $")
    try:
        value = _load(text)
    except StatementError as problem:
        raise Unsupported("a JSON function on a text that is no JSON") from problem
    place = 1
    while place < len(path):
        step = _PATH_STEP.match(path, place)
        if step is None:
            raise Unsupported(f"JSON path {path!r}")
        place = step.end()
        name = next((part for part in (step[1], step[3], step[4]) if part is not None), None)
        if name is not None:
            value = value.get(name, _MISSING) if isinstance(value, dict) else _MISSING
        else:
            index = int(step[2])
            value = value[index] if isinstance(value, list) and index < len(value) else _MISSING
        if value is _MISSING:
            return _MISSING
    return value


def extract(text: str, path: str) -> str | None:
    """Return the JSON at *path*, None when it is missing."""
    value = _find(text, path)
    return None if value is _MISSING else _dump(value, is_sorted=False)


def extract_scalar(text: str, path: str) -> str | None:
    """Return the text of the scalar at *path*; None for objects, arrays, null and missing."""
    value = _find(text, path)
    if value is _MISSING or value is None or isinstance(value, list | dict):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def size(text: str, path: str) -> int | None:
    """Return the number of members at *path*, 0 for a scalar, None when it is missing."""
    value = _find(text, path)
    if value is _MISSING:
        return None
    return len(value) if isinstance(value, list | dict) else 0


def array_length(text: str) -> int | None:
    """Return the length of a JSON array, None for any other JSON."""
    value = _find(text, "$")
    return len(value) if isinstance(value, list) else None


def encode(value: Any, kind: Type) -> str:
    """Return CAST(value AS JSON): names of maps sorted, names of row fields kept."""
    if value is None:
        return "null"
    match kind.name:
        case "boolean":
            return "true" if value else "false"
        case "varchar":
            return json.dumps(value, ensure_ascii=False)
        case "array":
            return "[" + ",".join(encode(item, kind.args[0]) for item in value) + "]"
        case "map":
            members = (
                (json.dumps(name, ensure_ascii=False), encode(value[name], kind.args[1])) for name in sorted(value)
            )
            return "{" + ",".join(f"{name}:{text}" for name, text in members) + "}"
        case "row":
            fields = (
                f"{json.dumps(name)}:{encode(value[f'f{index}'], field)}"
                for index, (name, field) in enumerate(kind.args)
            )
            return "{" + ",".join(fields) + "}"
    return str(value)


def decode(text: str, kind: Type) -> Any:
    """
    Return CAST(json AS kind).

    Raises: Unsupported for conversions that were not checked, e.g. of a fraction to a whole number.
    """
    return _decoded(_load(text), kind)


def _decoded(value: Any, kind: Type) -> Any:
    if value is None:
        return None
    if kind.name == "varchar" and isinstance(value, str):
        return str(value)
    if kind.name == "boolean" and isinstance(value, bool):
        return value
    if kind.name in ("integer", "bigint") and isinstance(value, _Number) and re.fullmatch(r"-?\d+", value):
        bits = 31 if kind.name == "integer" else 63
        if not -(2**bits) <= int(value) < 2**bits:
            raise StatementError("INVALID_CAST_ARGUMENT", f"Cannot cast a number to {trino_name(kind)}")
        return int(value)
    if kind.name == "array" and isinstance(value, list):
        return [_decoded(item, kind.args[0]) for item in value]
    if kind.name == "map" and isinstance(value, dict):
        return {name: _decoded(item, kind.args[1]) for name, item in value.items()}
    raise Unsupported(f"cast of this JSON value to {trino_name(kind)}")
