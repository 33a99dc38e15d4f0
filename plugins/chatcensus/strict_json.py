"""
A JSON reader without mercy: RFC 8259 to the letter, no name twice in one object, at most 64 levels.

The standard library's reader takes NaN, keeps the last of two equal names, cannot bound the depth, and fails on whole
numbers of more than 4,300 digits. Source of the grammar: https://www.rfc-editor.org/rfc/rfc8259.
"""

import json
import re

MAX_LEVELS = 64

# Possessive (++, *+): else a string that does not end is tried in exponentially many ways.
_STRING = r'"(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+"'
_TOKEN = re.compile(
    rf"""[ \t\n\r]*(?:
        (?P<mark>[{{}}\[\],:])
      | (?P<string>{_STRING})
      | (?P<number>-?(?:0|[1-9][0-9]*)(?P<inexact>(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?))
      | (?P<word>true|false|null)
    )""",
    re.VERBOSE,
)
_NAME = re.compile(rf"[ \t\n\r]*({_STRING})[ \t\n\r]*:")
_WORDS = {"true": True, "false": False, "null": None}
_BLANK = re.compile(r"[ \t\n\r]*")
# Reading thousands of digits costs quadratic time; a number of more than 20 digits stands for any so far out.
_MANY_DIGITS, _FAR_OUT = 20, 10**20


class NotJson(ValueError):
    """The text is not one JSON text."""


def parse(text: str) -> object:
    """
    Return the one JSON value that *text* is.

    Shape: a whole number is an int (of more than 20 digits: plus or minus 10**20), any other number a float.
    Errors: NotJson.
    """
    value, end = _value(text, 0, 0)
    if _BLANK.fullmatch(text, end) is None:
        raise NotJson
    return value


def count_objects(text: str, at_most: int) -> int:
    """Return how many complete JSON objects stand in *text*, from left to right, counting no further than *at_most*."""
    count, at = 0, text.find("{")
    while at >= 0 and count < at_most:
        try:
            _, end = _value(text, at, 0)
            count += 1
        except NotJson:
            end = at + 1
        at = text.find("{", end)
    return count


def _token(text: str, at: int) -> re.Match[str]:
    match = _TOKEN.match(text, at)
    if match is None:
        raise NotJson
    return match


def _value(text: str, at: int, level: int) -> tuple[object, int]:
    token = _token(text, at)
    kind, content, end = token.lastgroup, token[token.lastgroup or 0], token.end()
    if token["number"] is not None:
        return _number(token), end
    if kind == "string":
        return _text(content), end
    if kind == "word":
        return _WORDS[content], end
    if level == MAX_LEVELS or content not in "{[":
        raise NotJson
    return _object(text, end, level + 1) if content == "{" else _array(text, end, level + 1)


def _text(quoted: str) -> str:
    return str(json.loads(quoted)) if "\\" in quoted else quoted[1:-1]  # most names hold no escape, and this is faster


def _number(token: re.Match[str]) -> int | float:
    digits = token["number"]
    if token["inexact"]:
        return float(digits)
    if len(digits.removeprefix("-")) > _MANY_DIGITS:
        return -_FAR_OUT if digits.startswith("-") else _FAR_OUT
    return int(digits)


def _object(text: str, at: int, level: int) -> tuple[dict[str, object], int]:
    members: dict[str, object] = {}
    if (name := _NAME.match(text, at)) is None:
        return members, _closed(text, at, "}")
    while name is not None:
        key = _text(name[1])
        if key in members:
            raise NotJson
        members[key], at = _value(text, name.end(), level)
        token = _token(text, at)
        if token["mark"] == "}":
            return members, token.end()
        if token["mark"] != ",":
            raise NotJson
        name = _NAME.match(text, token.end())
    raise NotJson


def _closed(text: str, at: int, mark: str) -> int:
    token = _token(text, at)
    if token["mark"] != mark:
        raise NotJson
    return token.end()


def _array(text: str, at: int, level: int) -> tuple[list[object], int]:
    elements: list[object] = []
    token = _token(text, at)
    if token["mark"] == "]":
        return elements, token.end()
    while True:
        element, at = _value(text, at, level)
        elements.append(element)
        token = _token(text, at)
        at = token.end()
        if token["mark"] == "]":
            return elements, at
        if token["mark"] != ",":
            raise NotJson
