"""
String functions, computed on code points.

Source: Trino's StringFunctions, SplitToMapFunction, SplitToMultimapFunction and airlift's SliceUtf8.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from sqlglot import exp

from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.language.natives import Native, helpers, same, scalars
from local_aws.athena.language.trino_types import BIGINT, INTEGER, VARCHAR, Type, array, map_of

if TYPE_CHECKING:
    from local_aws.athena.language.scope import Expression

_MOST = 2**31 - 1
_MOST_STEPS_OF_LEVENSHTEIN = 1_000_000
_FORMS = ("NFD", "NFC", "NFKD", "NFKC")


def _bad(message: str) -> StatementError:
    return StatementError("INVALID_FUNCTION_ARGUMENT", message)


def length_of(kind: Type) -> int:
    """Return the x of varchar(x); a varchar without one has the largest."""
    return _MOST if kind.name != "varchar" or kind.args[0] is None else kind.args[0]


def varchar(length: int) -> Type:
    """Return varchar(length), or varchar when that is no limit."""
    return VARCHAR if length >= _MOST else Type("varchar", (length,))


def upper(text: str) -> str:
    """Return *text* in capitals, letter by letter: what has no single capital stays."""
    return "".join(_one(letter, (letter.upper(), letter.title())) for letter in text)


def lower(text: str) -> str:
    """Return *text* in small letters, letter by letter."""
    return "".join("i" if letter == "\u0130" else _one(letter, (letter.lower(),)) for letter in text)


def _one(letter: str, candidates: tuple[str, ...]) -> str:
    return next((candidate for candidate in candidates if len(candidate) == 1), letter)


def _padding(text: str, size: int, pad: str) -> str:
    if not 0 <= size <= _MOST:
        raise _bad(f"Target length must be in the range [0..{_MOST}]")
    if not pad:
        raise _bad("Padding string must not be empty")
    missing = max(0, size - len(text))
    if missing > 10_000_000:
        raise Unsupported("padding to more than ten million characters")
    return (pad * (missing // len(pad) + 1))[:missing]


def _left_pad(text: str, size: int, pad: str) -> str:
    padding = _padding(text, size, pad)
    return padding + text[:size]


def _right_pad(text: str, size: int, pad: str) -> str:
    padding = _padding(text, size, pad)
    return text[:size] + padding


def _position(text: str, part: str, instance: int = 1) -> int:
    if instance == 0:
        raise _bad("'instance' must be a positive or negative number.")
    if not part:
        return 1
    place = -1 if instance > 0 else len(text)
    for _ in range(abs(instance)):
        place = text.find(part, place + 1) if instance > 0 else _find_before(text, part, place)
        if place < 0:
            return 0
    return place + 1


def _find_before(text: str, part: str, place: int) -> int:
    return text.rfind(part, 0, place - 1 + len(part)) if place > 0 else -1


def _split(text: str, delimiter: str, limit: int = _MOST) -> list[str]:
    if not 0 < limit <= _MOST:
        raise _bad("Limit must be positive" if limit <= 0 else "Limit is too large")
    if not delimiter:
        raise _bad("The delimiter may not be the empty string")
    return text.split(delimiter, limit - 1)


def _split_part(text: str, delimiter: str, index: int) -> str | None:
    if index <= 0:
        raise _bad("Index must be greater than zero")
    parts = text.split(delimiter) if delimiter else list(text)
    return parts[index - 1] if index <= len(parts) else None


def _pairs(text: str, between_entries: str, inside_entry: str) -> list[tuple[str, str]]:
    if not between_entries or not inside_entry or between_entries == inside_entry:
        raise _bad("entryDelimiter and keyValueDelimiter must not be empty, nor the same")
    entries = text.split(between_entries)
    if not entries[-1]:
        entries.pop()
    pairs = [tuple(entry.split(inside_entry)) for entry in entries]
    if any(len(pair) != 2 for pair in pairs):
        raise _bad("Key-value delimiter must appear exactly once in each entry")
    return pairs


def _split_to_map(text: str, between_entries: str, inside_entry: str) -> dict[str, str]:
    pairs = _pairs(text, between_entries, inside_entry)
    if len(dict(pairs)) != len(pairs):
        raise _bad("Duplicate keys are not allowed")
    return dict(pairs)


def _split_to_multimap(text: str, between_entries: str, inside_entry: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for key, value in _pairs(text, between_entries, inside_entry):
        found.setdefault(key, []).append(value)
    return found


def _levenshtein(left: str, right: str) -> int:
    longer, shorter = (left, right) if len(left) >= len(right) else (right, left)
    if len(longer) * (len(shorter) - 1) > _MOST_STEPS_OF_LEVENSHTEIN:
        raise _bad("The combined inputs for Levenshtein distance are too large")
    before = list(range(len(shorter) + 1))
    for row, letter in enumerate(longer, start=1):
        now = [row]
        for column, other in enumerate(shorter, start=1):
            now.append(min(before[column] + 1, now[-1] + 1, before[column - 1] + (letter != other)))
        before = now
    return before[-1]


def _hamming(left: str, right: str) -> int:
    if len(left) != len(right):
        raise _bad("The input strings to hamming_distance function must have the same length")
    return sum(a != b for a, b in zip(left, right, strict=True))


def _translate(text: str, old: str, new: str) -> str:
    table: dict[int, str | None] = {}
    for index, letter in enumerate(old):
        table.setdefault(ord(letter), new[index] if index < len(new) else None)
    return text.translate(table)


def _chr(code: int) -> str:
    if not 0 <= code <= 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        raise _bad(f"Not a valid Unicode code point: {code}")
    return chr(code)


def _codepoint(text: str) -> int:
    if len(text) != 1:
        raise _bad("Input string must be a single character string")
    return ord(text)


def with_form(nodes: list[exp.Expression]) -> list[exp.Expression]:
    """Return the arguments of normalize(), whose form is a keyword and no column."""
    if len(nodes) != 2:
        return nodes
    if not isinstance(nodes[1], exp.Column) or nodes[1].name.upper() not in _FORMS:
        raise StatementError("SYNTAX_ERROR", "normalize takes one of the keywords NFD, NFC, NFKD, NFKC")
    return [nodes[0], exp.Literal.string(nodes[1].name.upper())]


def _replace(text: str, old: str, new: str = "") -> str:
    return text.replace(old, new)


def _replaced(values: list[Expression]) -> Type:
    whole, new = length_of(values[0].type), length_of(values[2].type)
    return varchar(min(_MOST, whole + new * (whole + 1)))


_TEXTS = (VARCHAR, VARCHAR)
_TABLE: dict[str, tuple[Native, ...]] = {
    "lpad": (Native((VARCHAR, BIGINT, VARCHAR), VARCHAR, _left_pad),),
    "rpad": (Native((VARCHAR, BIGINT, VARCHAR), VARCHAR, _right_pad),),
    "strpos": (Native(_TEXTS, BIGINT, _position), Native((*_TEXTS, BIGINT), BIGINT, _position)),
    "split": (
        Native(_TEXTS, lambda values: array(same(values)), _split),
        Native((*_TEXTS, BIGINT), lambda values: array(same(values)), _split),
    ),
    "split_part": (Native((*_TEXTS, BIGINT), same, _split_part),),
    "split_to_map": (Native((VARCHAR,) * 3, map_of(VARCHAR, VARCHAR), _split_to_map),),
    "split_to_multimap": (Native((VARCHAR,) * 3, map_of(VARCHAR, array(VARCHAR)), _split_to_multimap),),
    "levenshtein_distance": (Native(_TEXTS, BIGINT, _levenshtein),),
    "hamming_distance": (Native(_TEXTS, BIGINT, _hamming),),
    "translate": (Native((VARCHAR,) * 3, VARCHAR, _translate),),
    "reverse": (Native((VARCHAR,), same, lambda text: text[::-1]),),
    "chr": (Native((BIGINT,), Type("varchar", (1,)), _chr),),
    "codepoint": (Native((Type("varchar", (1,)),), INTEGER, _codepoint),),
    "normalize": (
        Native((VARCHAR,), VARCHAR, lambda text: unicodedata.normalize("NFC", text)),
        Native(_TEXTS, VARCHAR, lambda text, form: unicodedata.normalize(form, text)),
    ),
    "replace": (Native(_TEXTS, same, _replace), Native((VARCHAR,) * 3, _replaced, _replace)),
}
HELPERS = helpers(_TABLE)
FUNCTIONS = scalars(_TABLE)
