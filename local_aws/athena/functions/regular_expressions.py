"""Regular expressions with Java's meaning, on Python's engine: patterns that the two read differently are refused."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.functions.strings import length_of, varchar
from local_aws.athena.language.natives import Native, helpers, same, scalars
from local_aws.athena.language.trino_types import BIGINT, BOOLEAN, INTEGER, VARCHAR, Type, array

if TYPE_CHECKING:
    from local_aws.athena.language.scope import Expression

# Java-only or differently read: character classes by name, \h \R \Q…\E \G \z \Z, class intersections, inline flags.
_DIFFERENT = re.compile(
    r"\\[pPhHRQEGXzZaeckNuvV]|&&|\(\?[a-zA-Z-]+[:)]|\[[^\]]*\[|\(\?<[a-zA-Z]|\\x\{|\(\?P|\(\?\(|\(\?#|[*+?}]\+|\{(?!\d+(?:,\d*)?\})"
)


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    ignores_case = pattern.startswith("(?i)")
    pattern = pattern.removeprefix("(?i)")
    flags = re.IGNORECASE if ignores_case else re.NOFLAG
    if _DIFFERENT.search(pattern):
        raise Unsupported("a regular expression with a construct that was not checked")
    try:
        return re.compile(pattern, flags), re.compile(pattern, flags | re.ASCII)
    except re.error as problem:
        raise StatementError("INVALID_FUNCTION_ARGUMENT", "a regular expression cannot be read") from problem


def _matches(text: str, pattern: str, start: int = 0) -> list[re.Match[str]]:
    unicode_pattern, ascii_pattern = _compiled(pattern)
    found = list(unicode_pattern.finditer(text, start))
    if not text.isascii():
        other = list(ascii_pattern.finditer(text, start))
        if [match.regs for match in other] != [match.regs for match in found]:
            raise Unsupported("a regular expression whose \\w, \\d, \\s or \\b meet letters outside ASCII")
    return found


def _bad(message: str) -> StatementError:
    return StatementError("INVALID_FUNCTION_ARGUMENT", message)


def _group(match: re.Match[str], group: int) -> str | None:
    if not 0 <= group <= match.re.groups:
        raise _bad(f"Pattern has {match.re.groups} groups. Cannot access group {group}")
    return match[group]


def like(text: str, pattern: str) -> bool:
    """Return whether *pattern* occurs in *text*."""
    return bool(_matches(text, pattern))


def extract(text: str, pattern: str, group: int = 0) -> str | None:
    """Return the group of the first match, None without a match."""
    found = _matches(text, pattern)
    if not found:
        _check_group(pattern, group)
    return _group(found[0], group) if found else None


def _check_group(pattern: str, group: int) -> None:
    groups = _compiled(pattern)[0].groups
    if not 0 <= group <= groups:
        raise _bad(f"Pattern has {groups} groups. Cannot access group {group}")


def extract_all(text: str, pattern: str, group: int = 0) -> list[str | None]:
    """Return the group of every match."""
    _check_group(pattern, group)
    return [_group(match, group) for match in _matches(text, pattern)]


def replace(text: str, pattern: str, replacement: str = "") -> str:
    """
    Return *text* with every match replaced; $n is a group, a backslash takes the next character as it is.

    Raises: StatementError for a group that is not there, and for a $ or backslash that says nothing.
    """
    result: list[str] = []
    end = 0
    for match in _matches(text, pattern):
        result += [text[end : match.start()], _filled(match, replacement)]
        end = match.end()
    return "".join([*result, text[end:]])


def _filled(match: re.Match[str], replacement: str) -> str:
    def one(part: re.Match[str]) -> str:
        if part[0] == "\\" or part[0] == "$":
            raise _bad("Illegal replacement sequence")
        if part[1] is not None:
            return part[1]
        # The first digit names a group, each further one only while such a group exists.
        digits, used = part[2], 1
        if int(digits[0]) > match.re.groups:
            raise _bad(f"Illegal replacement sequence: unknown group {digits[0]}")
        while used < len(digits) and int(digits[: used + 1]) <= match.re.groups:
            used += 1
        return (match[int(digits[:used])] or "") + digits[used:]

    if "${" in replacement:
        raise Unsupported("regexp_replace() with a named group")
    return re.sub(r"\\(.)|\$([0-9]+)|\\|\$", one, replacement, flags=re.DOTALL)


def split(text: str, pattern: str) -> list[str]:
    """Return the parts between matches; an empty match parts as well."""
    edges = [0, *(edge for match in _matches(text, pattern) for edge in match.span()), len(text)]
    return [text[edges[index] : edges[index + 1]] for index in range(0, len(edges), 2)]


def count(text: str, pattern: str) -> int:
    """Return how often *pattern* occurs."""
    return len(_matches(text, pattern))


def position(text: str, pattern: str, start: int = 1, occurrence: int = 1) -> int:
    """Return where the nth match begins at or after the 1-based *start*, -1 when there is none."""
    if start < 1 or occurrence < 1:
        raise _bad("start position and occurrence cannot be smaller than 1")
    if start > len(text):
        return -1
    found = _matches(text, pattern, start - 1)
    return found[occurrence - 1].start() + 1 if len(found) >= occurrence else -1


def _replaced(values: list[Expression]) -> Type:
    whole, new = length_of(values[0].type), length_of(values[2].type)
    return varchar(min(2**31 - 1, whole + max(whole * new // 2, new) * (whole + 1)))


_TEXTS = (VARCHAR, VARCHAR)
_TABLE: dict[str, tuple[Native, ...]] = {
    "regexp_like": (Native(_TEXTS, BOOLEAN, like),),
    "regexp_extract": (Native(_TEXTS, same, extract), Native((*_TEXTS, BIGINT), same, extract)),
    "regexp_extract_all": (
        Native(_TEXTS, lambda values: array(same(values)), extract_all),
        Native((*_TEXTS, BIGINT), lambda values: array(same(values)), extract_all),
    ),
    "regexp_replace": (Native(_TEXTS, same, replace), Native((VARCHAR,) * 3, _replaced, replace)),
    "regexp_split": (Native(_TEXTS, lambda values: array(same(values)), split),),
    "regexp_count": (Native(_TEXTS, BIGINT, count),),
    "regexp_position": (
        Native(_TEXTS, INTEGER, position),
        Native((*_TEXTS, INTEGER), INTEGER, position),
        Native((*_TEXTS, INTEGER, INTEGER), INTEGER, position),
    ),
}
HELPERS = helpers(_TABLE)
FUNCTIONS = scalars(_TABLE)
