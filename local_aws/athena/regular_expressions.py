"""Regular expressions with Java's meaning, on Python's engine: patterns that the two read differently are refused."""

from __future__ import annotations

import re
from functools import lru_cache

from local_aws.athena.failures import StatementError, Unsupported

# Java-only or differently read: character classes by name, \h \R \Q…\E \G \z \Z, class intersections, inline flags.
_DIFFERENT = re.compile(
    r"\\[pPhHRQEGXzZaeckNuvV]|&&|\(\?[a-zA-Z-]+[:)]|\[[^\]]*\[|\(\?<[a-zA-Z]|\\x\{|\(\?P|\(\?\(|\(\?#|[*+?}]\+"
)


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    if _DIFFERENT.search(pattern):
        raise Unsupported("a regular expression with a construct that was not checked")
    try:
        return re.compile(pattern), re.compile(pattern, re.ASCII)
    except re.error as problem:
        raise StatementError("INVALID_FUNCTION_ARGUMENT", "a regular expression cannot be read") from problem


def _matches(text: str, pattern: str) -> list[re.Match[str]]:
    unicode_pattern, ascii_pattern = _compiled(pattern)
    found = list(unicode_pattern.finditer(text))
    if not text.isascii():
        other = list(ascii_pattern.finditer(text))
        if [match.regs for match in other] != [match.regs for match in found]:
            raise Unsupported("a regular expression whose \\w, \\d, \\s or \\b meet letters outside ASCII")
    return found


def _group(match: re.Match[str], group: int) -> str | None:
    if not 0 <= group <= match.re.groups:
        raise StatementError(
            "INVALID_FUNCTION_ARGUMENT", f"Pattern has {match.re.groups} groups. Cannot access group {group}"
        )
    return match[group]


def like(text: str, pattern: str) -> bool:
    """Return whether *pattern* occurs in *text*."""
    return bool(_matches(text, pattern))


def extract(text: str, pattern: str, group: int) -> str | None:
    """Return the group of the first match, None without a match."""
    found = _matches(text, pattern)
    if not found:
        _check_group(pattern, group)
    return _group(found[0], group) if found else None


def _check_group(pattern: str, group: int) -> None:
    groups = _compiled(pattern)[0].groups
    if not 0 <= group <= groups:
        raise StatementError("INVALID_FUNCTION_ARGUMENT", f"Pattern has {groups} groups. Cannot access group {group}")


def extract_all(text: str, pattern: str, group: int) -> list[str | None]:
    """Return the group of every match."""
    _check_group(pattern, group)
    return [_group(match, group) for match in _matches(text, pattern)]


def replace(text: str, pattern: str, replacement: str) -> str:
    """
    Return *text* with every match replaced; $n is a group, a backslash takes the next character as it is.

    Raises: StatementError for a group that is not there.
    """
    result: list[str] = []
    end = 0
    for match in _matches(text, pattern):
        result += [text[end : match.start()], _filled(match, replacement)]
        end = match.end()
    return "".join([*result, text[end:]])


def _filled(match: re.Match[str], replacement: str) -> str:
    def one(part: re.Match[str]) -> str:
        if part[1] is not None:
            return part[1]
        if part[2] is None:
            raise Unsupported("regexp_replace() with a named group or a stray $")
        if len(part[2]) > 1:
            raise Unsupported("regexp_replace() with a group number of several digits")
        return _group(match, int(part[2])) or ""

    return re.sub(r"\\(.)|\$(?:(\d+)|)", one, replacement, flags=re.DOTALL)


def split(text: str, pattern: str) -> list[str]:
    """Return the parts between matches."""
    matches = _matches(text, pattern)
    if any(match.start() == match.end() for match in matches):
        raise Unsupported("regexp_split() by an empty match")
    edges = [0, *(edge for match in matches for edge in match.span()), len(text)]
    return [text[edges[index] : edges[index + 1]] for index in range(0, len(edges), 2)]
