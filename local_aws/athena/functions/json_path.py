"""
JSON_VALUE, JSON_EXISTS and JSON_QUERY without clauses, over paths of members and elements.

Source: Trino functions/json. Errors while a path is evaluated are not the query's: they give NULL, or false.
"""

from __future__ import annotations

import re
from typing import Any

from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.functions.json_text import Number, dump, load
from local_aws.athena.language.natives import Helper, Native, helpers
from local_aws.athena.language.trino_types import BOOLEAN, VARCHAR

_STEP = re.compile(r'\s*(?:\.\s*([A-Za-z_][A-Za-z0-9_]*)(?!\s*\(|[A-Za-z0-9_])|\.\s*"([^"\\]*)"|\[\s*(\d+|\*)\s*\])')
_WORDS = {"true", "false", "null", "last", "to", "lax", "strict", "exists", "is", "unknown", "starts", "with", "flag"}
_MEMBER, _ELEMENT = "member", "element"


class _PathError(Exception):
    """The path cannot be followed through this value."""


def path_steps(path: str) -> tuple[bool, list[tuple[str, str]]]:
    """
    Return whether the mode is strict, and the steps.

    Raises: Unsupported for anything but members, elements and [*].
    """
    begin = re.match(r"\s*(?:(lax|strict)\s+)?\$", path)
    if begin is None:
        raise Unsupported("a JSON path with a construct that was not checked")
    steps: list[tuple[str, str]] = []
    place = begin.end()
    while path[place:].strip():
        step = _STEP.match(path, place)
        if step is None or step[1] in _WORDS:
            raise Unsupported("a JSON path with a construct that was not checked")
        steps.append((_ELEMENT, step[3]) if step[3] else (_MEMBER, step[1] if step[1] is not None else step[2]))
        place = step.end()
    return begin[1] == "strict", steps


def _items(text: str, path: str) -> list[Any]:
    is_strict, steps = path_steps(path)
    try:
        found = [load(text)]
    except StatementError as problem:
        raise _PathError from problem
    for kind, name in steps:
        found = [
            item for value in found for item in (_members if kind == _MEMBER else _elements)(value, name, is_strict)
        ]
    return found


def _members(value: Any, name: str, is_strict: bool) -> list[Any]:
    owners = value if isinstance(value, list) and not is_strict else [value]
    found = [owner[name] for owner in owners if isinstance(owner, dict) and name in owner]
    if is_strict and not found:
        raise _PathError
    return found


def _elements(value: Any, index: str, is_strict: bool) -> list[Any]:
    if not isinstance(value, list):
        if is_strict:
            raise _PathError
        value = [value]
    if index == "*":
        return value
    if is_strict and int(index) >= len(value):
        raise _PathError
    return value[int(index) : int(index) + 1]


def _one(text: str, path: str) -> list[Any]:
    try:
        found = _items(text, path)
    except _PathError:
        return []
    return found if len(found) == 1 else []


def _value(text: str, path: str) -> str | None:
    for item in _one(text, path):
        if isinstance(item, bool):
            return "true" if item else "false"
        if isinstance(item, Number) and not (item.is_whole and abs(int(item)) < 2**63 and item != "-0"):
            raise Unsupported("json_value() of a number that is no bigint")
        return str(item) if isinstance(item, str) else None
    return None


def _query(text: str, path: str) -> str | None:
    return next((dump(item, is_sorted=False) for item in _one(text, path)), None)


def _exists(text: str, path: str) -> bool:
    try:
        return bool(_items(text, path))
    except _PathError:
        return False


_TEXTS = (VARCHAR, VARCHAR)
HELPERS: tuple[Helper, ...] = helpers(
    {
        "json_value": (Native(_TEXTS, VARCHAR, _value),),
        "json_query": (Native(_TEXTS, VARCHAR, _query),),
        "json_exists": (Native(_TEXTS, BOOLEAN, _exists),),
    }
)
