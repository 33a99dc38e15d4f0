"""A conversation of the chat tool: its turns, its content hash, and the transcript that a model gets to read."""

import hashlib
import json
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

# Tool calls and system prompts say nothing about how the person asked.
SPOKEN_ROLES = ("user", "assistant")
# Far below 100,000 tokens, where the price of a call changes by a factor of five (include/prompts/models.yaml).
MAX_TRANSCRIPT_TOKENS = 8_000
FIRST_USER_TURNS, LAST_TURNS = 2, 3


@dataclass(frozen=True)
class Turn:
    """One message of a conversation."""

    role: str
    text: str


@dataclass(frozen=True)
class Conversation:
    """
    One conversation as the table's mapping reads it.

    Shape: *conversation_id* names it in logs; *turns* are in order; *created_at* has a time zone, or is None when the
    item holds no time. *problem* says, without any text of it, why its turns cannot be read; None where they can.
    """

    conversation_id: str
    turns: tuple[Turn, ...]
    user: str | None = None
    created_at: datetime | None = None
    problem: str | None = None

    @cached_property
    def content_hash(self) -> str:
        """32 hex digits of the sha256 of roles and texts; another text, another hash."""
        content = json.dumps([[turn.role, turn.text] for turn in self.turns], ensure_ascii=True, separators=(",", ":"))
        return hashlib.sha256(content.encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Transcript:
    """What is sent of a conversation: cleaned turns, with marks (role None) where something was left out."""

    parts: tuple[tuple[str | None, str], ...]
    is_clipped: bool

    @property
    def is_blank(self) -> bool:
        """True when the person said nothing: there is nothing to judge, and no call is made."""
        return not any(role == "user" and text.strip() for role, text in self.parts)


def estimated_tokens(text: str) -> float:
    """
    Return about how many tokens *text* has: a quarter for an ASCII character, one for any other.

    Source: character counts calibrated on English and Japanese text; the bill uses the reply's own usage, never this.
    """
    ascii_characters = len(text.encode("ascii", "ignore"))
    return ascii_characters / 4 + (len(text) - ascii_characters)


def transcript(turns: Sequence[Turn], max_tokens: int = MAX_TRANSCRIPT_TOKENS) -> Transcript:
    """
    Return what a model reads of *turns*: everything, or, when that is long, the beginning and the end by fixed rules.

    Shape: over *max_tokens*, the first two user turns and the last three turns stay, each of at most a fifth of it; the
    marks say how much was left out. The same turns always give the same transcript.
    """
    spoken = [Turn(turn.role, clean(turn.text)) for turn in turns if turn.role in SPOKEN_ROLES]
    if sum(estimated_tokens(turn.text) for turn in spoken) <= max_tokens:
        return Transcript(tuple((turn.role, turn.text) for turn in spoken), is_clipped=False)
    user_turns = [index for index, turn in enumerate(spoken) if turn.role == "user" and turn.text.strip()]
    kept = set(user_turns[:FIRST_USER_TURNS]) | set(range(max(0, len(spoken) - LAST_TURNS), len(spoken)))
    return Transcript(tuple(_clipped(spoken, sorted(kept), max_tokens // 5)), is_clipped=True)


def _clipped(turns: Sequence[Turn], kept: list[int], max_turn_tokens: int) -> Iterator[tuple[str | None, str]]:
    following = 0
    for index in [*kept, len(turns)]:
        if omitted := index - following:
            yield None, f"[... {omitted} {'turn' if omitted == 1 else 'turns'} omitted ...]"
        if index < len(turns):
            yield turns[index].role, clip(turns[index].text, max_turn_tokens)
        following = index + 1


def clip(text: str, max_tokens: float) -> str:
    """Return *text* cut in its middle to about *max_tokens*, three quarters from its beginning, with a mark between."""
    if estimated_tokens(text) <= max_tokens:
        return text
    head = _cut(text, max_tokens * 3 / 4)
    tail = len(text) - _cut(text[::-1], max_tokens / 4)
    while tail < len(text) and _continues(text[tail]):
        tail += 1
    return f"{text[:head]}[... {tail - head} characters omitted ...]{text[tail:]}"


def _cut(text: str, max_tokens: float) -> int:
    """Return how many characters from the start of *text* fit, never splitting what is shown as one character."""
    tokens, end = 0.0, 0
    for end, character in enumerate(text):  # noqa: B007 - the index is the answer
        tokens += 0.25 if character.isascii() else 1
        if tokens > max_tokens:
            break
    while end > 0 and _continues(text[end]):
        end -= 1
    return end


def _continues(character: str) -> bool:
    is_skin_tone = "\U0001f3fb" <= character <= "\U0001f3ff"
    is_half_a_flag = "\U0001f1e6" <= character <= "\U0001f1ff"
    return is_skin_tone or is_half_a_flag or unicodedata.category(character) in ("Mn", "Mc", "Me")


def clean(text: str) -> str:
    """Return *text* in NFC without control, format (zero-width, bidi) and unpaired surrogate characters."""
    if text.isascii() and text.isprintable():
        return text
    visible = "".join(
        character
        for character in text
        if character in "\n\t" or unicodedata.category(character) not in ("Cc", "Cf", "Cs")
    )
    return unicodedata.normalize("NFC", visible)  # last: what was removed may have kept two characters apart
