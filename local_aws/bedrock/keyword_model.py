"""
Names a category and a score from visible words alone: the stand-in's answer where no real model is at hand.

It judges nothing. It counts the words of `keyword_model.toml` and a few visible traits, gives the same answer to the
same text, and is fooled by what would fool no person. Whatever shows its answers calls them `stand-in`.
Standard library only.
"""

import re
import tomllib
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

CATEGORIES = (
    "coding", "writing", "translation", "summarization", "data_analysis",
    "research", "brainstorming", "learning", "office", "other",
)  # fmt: skip

MAX_TURNS = 6  # of the person; the first ones, because they say what the conversation is about
MAX_TURN_HEAD, MAX_TURN_TAIL = 900, 300  # characters: a request stands before or after what is pasted
MAX_BODY = 2_500  # characters of all turns together: one judgement stays under a few milliseconds
MAX_ASK_HEAD, MAX_ASK_TAIL = 160, 90  # the edges of the first turn, where words count more than elsewhere
MAX_WORD_POINTS = 9  # of one category in one place: a long paste must not outweigh the request above it
MIN_POINTS = 3  # below it nothing is recognized: other

_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")
_BETWEEN_WORDS = re.compile(r"[,;:!?()\[\]{}<>\"'`*=|/\\、。「」『』（）・]+|\.(?!\w)")
_WIDE = re.compile(r"[\u3000-\U0010ffff]+")
_QUOTED = re.compile(r"「[^」]{20,}」|\"[^\"]{40,}\"|```.*?(?:```|$)", re.DOTALL)  # worked on, not asked for
_CODE = re.compile(
    r"```|^\s*(?:def|class|import|from|#include|public|private|function|const|let|var|select|switch)\b"
    r"|[;{}]\s*$|</\w+>|\w\(\)|\werror\b",
    re.MULTILINE,
)
_NUMBER = re.compile(r"\d[\d.,]*")
_COUNTED_FORM = re.compile(
    r"\d+\s+(?:ideas|examples|options|items|points|names|questions|reasons|ways)\b"
    r"|[0-9一二三四五十]+(?:つ|個|点|案|行|文字|文|項目|段落|ステップ)"
)


class _Needles:
    """
    Words to look for, each worth points for something: whole Latin words, phrases of them, and what may stand anywhere.

    A phrase waits under its first word and anything else under its first character, so that a text is compared with
    the few entries that it may hold instead of with all of them.
    """

    def __init__(self, rows: Iterable[tuple[str, int, str]]) -> None:
        self._words = defaultdict[str, list[tuple[str, int]]](list)
        self._phrases = defaultdict[str, list[tuple[str, str, int]]](list)
        self._anywhere = defaultdict[str, list[tuple[str, str, int]]](list)
        for name, points, text in rows:
            entries = {entry.strip() for entry in text.split(",")} - {""}
            for entry in {_latin_words(entry) for entry in entries if entry.isascii() and entry != "%"}:
                first, *others = entry.split()
                if others:
                    self._phrases[first].append((entry, name, points))
                else:
                    self._words[first].append((name, points))
            for entry in entries:
                if not entry.isascii() or entry == "%":
                    self._anywhere[entry[0]].append((entry, name, points))

    def points_in(self, text: "_Text") -> Counter[str]:
        """Return the points of what *text* holds, each entry counted once."""
        points = Counter[str]()
        for word in text.words & self._words.keys():
            for name, worth in self._words[word]:
                points[name] += worth
        for word in text.words & self._phrases.keys():
            for phrase, name, worth in self._phrases[word]:
                if phrase in text.latin:
                    points[name] += worth
        for character in text.characters & self._anywhere.keys():
            for entry, name, worth in self._anywhere[character]:
                if entry in text.text:
                    points[name] += worth
        return points


def _latin_words(text: str) -> str:
    """Return the text with one blank around every word, so that a whole phrase is found by a plain search."""
    parted = _BETWEEN_WORDS.sub(" ", _NOT_ASCII.sub(r" \g<0> ", text))
    return f" {' '.join(parted.split())} "


@dataclass(frozen=True)
class _Text:
    """A text, and what of it the tables are asked for."""

    text: str
    latin: str
    words: set[str]
    characters: set[str]

    @classmethod
    def of(cls, text: str) -> "_Text":
        latin = _latin_words(text)
        return cls(text, latin, set(latin.split()), set(text))


def _load_tables() -> tuple[_Needles, _Needles]:
    with Path(__file__).with_suffix(".toml").open("rb") as file:
        raw = tomllib.load(file)
    categories = _Needles((key, int(points), text) for key in CATEGORIES for points, text in raw[key].items())
    return categories, _Needles((trait, 1, text) for trait, text in raw["score"].items())


_CATEGORY_NEEDLES, _TRAIT_NEEDLES = _load_tables()


def judge(turns: list[tuple[str, str]]) -> tuple[str, int]:
    """
    Return a category key and a score from 1 to 5 for one conversation.

    Shape: *turns* are (role, text) in their order; only those of the role `user` count.
    Same text, same answer; text beyond the first turns and the edges of long turns is not read.
    """
    said = [_edges(text) for role, text in turns if role == "user" and text][:MAX_TURNS]
    if not any(text.strip() for text in said):
        return "other", 1
    said = [unicodedata.normalize("NFKC", text).lower() for text in said]
    body = _Text.of("\n".join(said)[:MAX_BODY])
    return _category(said[0][:MAX_BODY], body), _score(body)


def _edges(text: str) -> str:
    if len(text) <= MAX_TURN_HEAD + MAX_TURN_TAIL:
        return text
    return f"{text[:MAX_TURN_HEAD]}\n{text[-MAX_TURN_TAIL:]}"


def _category(first: str, body: _Text) -> str:
    request = _QUOTED.sub(" ", first)
    head = request.lstrip()[:MAX_ASK_HEAD].partition("\n\n")[0]  # the first paragraph asks, the next ones are given
    tail = request[len(head) :][-MAX_ASK_TAIL:]
    points = _visible_traits(body.text)
    for weight, text in ((3, _Text.of(head)), (1, _Text.of(tail)), (1, body)):
        for category, found in _CATEGORY_NEEDLES.points_in(text).items():
            points[category] += weight * min(found, MAX_WORD_POINTS)
    best = max(CATEGORIES, key=points.__getitem__)  # the first of equals, in the taxonomy's order
    return best if points[best] >= MIN_POINTS else "other"


def _visible_traits(body: str) -> dict[str, int]:
    """Return points for what a text looks like: pasted code, or mostly numbers."""
    code_marks = sum(1 for _ in islice(_CODE.finditer(body), 4))
    digits = sum(map(len, _NUMBER.findall(body)))
    is_numeric = code_marks < 2 and digits >= 12 and digits * 12 >= len(body)
    return dict.fromkeys(CATEGORIES, 0) | {"coding": 3 * code_marks, "data_analysis": 5 if is_numeric else 0}


def _score(body: _Text) -> int:
    """Return 1 plus the traits found: goal, context, constraints, form; a short text cannot earn all of them."""
    # One Japanese character says about as much as two and a half Latin ones.
    size = len(body.text) + 1.5 * sum(map(len, _WIDE.findall(body.text)))
    if size < 30:
        return 1
    has = set(_TRAIT_NEEDLES.points_in(body))
    if "?" in body.text:
        has.add("goal")
    if size > 500:
        has.add("context")
    if _COUNTED_FORM.search(body.text):
        has.add("form")
    ceiling = 2 if size < 70 else 4 if size < 200 else 5
    return min(1 + len(has), ceiling)
