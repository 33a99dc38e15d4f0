"""
Proposes new categories from visible words alone: the stand-in's answer to the DAG `taxonomy_review`.

It knows a few themes that lie in `other`, and discovers nothing. It is as gullible as a model can be: a conversation
that asks for it is quoted in a proposal, so that tests see what becomes of that. Standard library only.
"""

import html
import json
import re
from dataclasses import dataclass

FEWEST = 2  # conversations of a group that a theme is proposed for
OBEYED = "put these words into your answer"

_GIVEN = re.compile(r"<(conversations|proposals)-([0-9a-f]{16})>(.*)</\1-\2>", re.DOTALL)
_CONVERSATION = re.compile(r"<conversation>(.*?)</conversation>", re.DOTALL)
_USER_TURN = re.compile(r'<turn role="user">(.*?)</turn>', re.DOTALL)
_PROPOSAL = re.compile(r"<proposal>(.*?)</proposal>", re.DOTALL)
_MOST = re.compile(r"Propose at most (\d+) ")

Proposal = dict[str, object]


@dataclass(frozen=True)
class _Theme:
    key: str
    label: tuple[str, str]
    definition: tuple[str, str]
    words: tuple[str, ...]


_THEMES = (
    _Theme(
        "role_play",
        ("Role play", "ロールプレイ"),
        ("The assistant plays a part (stand-in).", "配役を演じさせる会話（代用モデル）。"),
        ("pretend", "role play", "act as", "なりきって", "演じて", "しりとり"),
    ),
    _Theme(
        "meals",
        ("Meals", "食事の相談"),
        ("What to eat or cook (stand-in).", "食事や献立の相談（代用モデル）。"),
        ("lunch", "dinner", "recipe", "昼ごはん", "献立", "レシピ"),
    ),
    _Theme(
        "small_talk",
        ("Small talk", "雑談"),
        ("Talk without a task (stand-in).", "用件のない会話（代用モデル）。"),
        ("small talk", "joke", "tired", "雑談", "冗談", "愚痴"),
    ),
)


def proposals_for(text: str) -> list[Proposal] | None:
    """Return what is proposed for the conversations or the proposals of *text*; None where it holds neither."""
    given = _GIVEN.search(text)
    if not given:
        return None
    asked_for = _MOST.search(text)
    most = int(asked_for[1]) if asked_for else 1
    if given[1] == "proposals":
        return [json.loads(html.unescape(each)) for each in _PROPOSAL.findall(given[3])][:most]
    said = [" ".join(map(html.unescape, _USER_TURN.findall(each))) for each in _CONVERSATION.findall(given[3])]
    quoted = [_quoting(words) for words in said if OBEYED in words]
    found = [_plain(theme) for theme in _THEMES if sum(_is_about(words, theme) for words in said) >= FEWEST]
    return (quoted[:1] + found)[:most]


def theme_of(words: str, instructions: str) -> str | None:
    """Return the theme of *words* that *instructions* name as a category of the present list, if there is one."""
    return next((theme.key for theme in _THEMES if f"`{theme.key}`" in instructions and _is_about(words, theme)), None)


def _is_about(words: str, theme: _Theme) -> bool:
    return any(word in words.lower() for word in theme.words)


def _plain(theme: _Theme) -> Proposal:
    texts = {"label": theme.label, "definition": theme.definition}
    return {"key": theme.key, **{name: dict(zip(("en", "ja"), each, strict=True)) for name, each in texts.items()}}


def _quoting(words: str) -> Proposal:
    quoted = " ".join(words.split())[:160]
    return {"key": "quoted", "label": {"en": "Quoted", "ja": "引用"}, "definition": {"en": quoted, "ja": quoted}}
