"""
Names a category and a score from visible words alone: the stand-in's answer where no real model is at hand.

It judges nothing. It counts the words of `keyword_model.toml` and a few visible traits, gives the same answer to the
same text, and is fooled by what would fool no person. Whatever shows its answers calls them `stand-in`.
Standard library only.
"""

import re
import tomllib
import unicodedata
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

_BLANKS = str.maketrans(dict.fromkeys(",;:!?()[]{}<>\"'`*=|/\\、。「」『』（）・", " "))
_SCRIPT_BORDER = re.compile(r"(?<=[^\x00-\x7f])(?=[!-~])|(?<=[!-~])(?=[^\x00-\x7f])")
_STRAY_DOT = re.compile(r"\.(?!\w)")
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


@dataclass(frozen=True)
class _Needles:
    """Words to look for: whole Latin words, phrases of them, and what may stand anywhere in the text."""

    words: frozenset[str]
    phrases: tuple[str, ...]
    anywhere: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> "_Needles":
        entries = {entry.strip() for entry in text.split(",")} - {""}
        latin = {_latin_words(entry) for entry in entries if entry.isascii() and entry != "%"}
        return cls(
            words=frozenset(entry.strip() for entry in latin if entry.count(" ") == 2),
            phrases=tuple(sorted(entry for entry in latin if entry.count(" ") > 2)),
            anywhere=tuple(sorted(entry for entry in entries if not entry.isascii() or entry == "%")),
        )

    def count_in(self, text: str, latin: str, words: set[str]) -> int:
        hits = len(self.words & words)
        hits += sum(phrase in latin for phrase in self.phrases)
        return hits + sum(entry in text for entry in self.anywhere)


def _latin_words(text: str) -> str:
    """Return the text with one blank around every word, so that a whole phrase is found by a plain search."""
    parted = _STRAY_DOT.sub(" ", _SCRIPT_BORDER.sub(" ", text)).translate(_BLANKS)
    return f" {' '.join(parted.split())} "


def _load_tables() -> tuple[dict[str, list[tuple[int, _Needles]]], dict[str, _Needles]]:
    with Path(__file__).with_suffix(".toml").open("rb") as file:
        raw = tomllib.load(file)
    categories = {key: [(int(weight), _Needles.parse(text)) for weight, text in raw[key].items()] for key in CATEGORIES}
    return categories, {trait: _Needles.parse(text) for trait, text in raw["score"].items()}


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
    body = "\n".join(said)[:MAX_BODY]
    return _category(said[0][:MAX_BODY], body), _score(body)


def _edges(text: str) -> str:
    if len(text) <= MAX_TURN_HEAD + MAX_TURN_TAIL:
        return text
    return f"{text[:MAX_TURN_HEAD]}\n{text[-MAX_TURN_TAIL:]}"


def _category(first: str, body: str) -> str:
    request = _QUOTED.sub(" ", first)
    head = request.lstrip()[:MAX_ASK_HEAD].partition("\n\n")[0]  # the first paragraph asks, the next ones are given
    tail = request[len(head) :][-MAX_ASK_TAIL:]
    points = _visible_traits(body)
    for weight, text in ((3, head), (1, tail), (1, body)):
        for category, found in _word_points(text).items():
            points[category] += weight * min(found, MAX_WORD_POINTS)
    best = max(CATEGORIES, key=points.__getitem__)  # the first of equals, in the taxonomy's order
    return best if points[best] >= MIN_POINTS else "other"


def _word_points(text: str) -> dict[str, int]:
    latin = _latin_words(text)
    words = set(latin.split())
    return {
        category: sum(weight * needles.count_in(text, latin, words) for weight, needles in rows)
        for category, rows in _CATEGORY_NEEDLES.items()
    }


def _visible_traits(body: str) -> dict[str, int]:
    """Return points for what a text looks like: pasted code, or mostly numbers."""
    code_marks = sum(1 for _ in islice(_CODE.finditer(body), 4))
    digits = sum(map(len, _NUMBER.findall(body)))
    is_numeric = code_marks < 2 and digits >= 12 and digits * 12 >= len(body)
    return dict.fromkeys(CATEGORIES, 0) | {"coding": 3 * code_marks, "data_analysis": 5 if is_numeric else 0}


def _score(text: str) -> int:
    """Return 1 plus the traits found: goal, context, constraints, form; a short text cannot earn all of them."""
    # One Japanese character says about as much as two and a half Latin ones.
    size = len(text) + 1.5 * sum(character > "\u2fff" for character in text)
    if size < 30:
        return 1
    latin = _latin_words(text)
    words = set(latin.split())
    has = {trait: needles.count_in(text, latin, words) > 0 for trait, needles in _TRAIT_NEEDLES.items()}
    has["goal"] = has["goal"] or "?" in text
    has["context"] = has["context"] or size > 500
    has["form"] = has["form"] or bool(_COUNTED_FORM.search(text))
    ceiling = 2 if size < 70 else 4 if size < 200 else 5
    return min(1 + sum(has.values()), ceiling)
