"""A trial: the same conversations judged by several contenders. Which conversations these are."""

import hashlib
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from chatcensus.answer import Judgement
from chatcensus.conversation import Conversation, estimated_tokens, transcript
from chatcensus.judging import Judged
from chatcensus.prompt import user_message

# Of every kind of conversation that the table has, so that none is left to chance.
LEAST_OF_A_STRATUM = 3
SHORT_TOKENS, MEDIUM_TOKENS = 200, 1000

_KANA = re.compile(r"[\u3041-\u30ff\uff66-\uff9d]")
_SCRIPTS = {
    "ja": re.compile(r"[\u3041-\u30ff\uff66-\uff9d\u3400-\u9fff\uf900-\ufaff]"),
    "ko": re.compile(r"[\u1100-\u11ff\u3130-\u318f\uac00-\ud7a3]"),
    "latin": re.compile(r"[A-Za-z\u00c0-\u024f]"),
}
_KANA_PART = 0.1  # of what is written in Chinese characters: Japanese has at least so much between them


class Drawn(BaseModel):
    """
    One conversation of a trial, without any text of it.

    Shape: *draw* is its number in the lot, 64 hex digits, and its name in all files of the trial. *stratum* is None for
    one that is there for its gold label alone; *conversation_id* for a text of our own. *label* and *label_score* are
    what a person has said of it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    draw: str = Field(pattern=r"^[0-9a-f]{64}$")
    content_hash: str
    language: str
    stratum: str | None = None
    conversation_id: str | None = None
    label: str | None = None
    label_score: int | None = None


RowT = TypeVar("RowT", bound=BaseModel)
Weighed = tuple[Drawn, int]  # with the tokens of the message that shows it to a model


class Answer(BaseModel):
    """
    What one contender made of one conversation.

    Shape: either *category* and *inquiry_score* or *reason* is set; neither where the conversation is *missing*, having
    been deleted or changed since it was drawn. Units: *seconds* within its calls, waiting for the quota left out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    draw: str
    content_hash: str
    missing: Literal["deleted", "changed"] | None = None
    category: str | None = None
    inquiry_score: int | None = None
    reason: str | None = None
    answered_by: str = ""
    attempts: int = 0
    possibly_paid: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_micro_usd: int = 0
    seconds: float = 0.0


def as_lines(rows: Iterable[BaseModel]) -> str:
    """Return *rows* as JSON, one a line."""
    return "".join(f"{row.model_dump_json(exclude_defaults=True)}\n" for row in rows)


def of_lines(text: str, model: type[RowT]) -> list[RowT]:
    """Return the rows that `as_lines` has written."""
    # Not splitlines(): an id may hold U+2028, which JSON does not escape.
    return [model.model_validate_json(line) for line in text.split("\n") if line]


def answer_of(judged: Judged, content_hash: str) -> Answer | None:
    """Return what is kept of *judged*, whose id is a draw, about that content; None where there is no verdict."""
    verdict, bill = judged.verdict, judged.bill
    if verdict is None:
        return None
    said: dict[str, Any] = (
        {"category": verdict.category, "inquiry_score": verdict.inquiry_score}
        if isinstance(verdict, Judgement)
        else {"reason": str(verdict)}
    )
    return Answer(
        draw=judged.conversation_id,
        content_hash=content_hash,
        answered_by=bill.answered_by,
        attempts=bill.attempts,
        possibly_paid=bill.possibly_paid,
        input_tokens=bill.input_tokens,
        output_tokens=bill.output_tokens,
        cost_micro_usd=bill.cost_micro_usd,
        seconds=round(judged.seconds, 3),
        **said,
    )


def language_of(text: str) -> str:
    """
    Return the language as the script of *text* tells it: ja, zh, ko, latin, or other.

    Source: the blocks of Unicode; kana tell Japanese from Chinese, and no dictionary is asked.
    """
    counts = {name: len(script.findall(text)) for name, script in _SCRIPTS.items()}
    counts["ja"] *= 2  # a Chinese character or two kana say as much as a Latin word does, at the least
    name = max(counts, key=counts.__getitem__)
    if not counts[name]:
        return "other"
    if name == "ja" and len(_KANA.findall(text)) < _KANA_PART * counts["ja"] / 2:
        return "zh"
    return name


def weighed(seed: int, conversation: Conversation) -> Weighed | None:
    """Return *conversation* with its lot and its stratum, language by length; None where nobody would be asked."""
    shown = transcript(conversation.turns)
    if conversation.problem or shown.is_blank:
        return None
    spoken = sum(estimated_tokens(text) for _, text in shown.parts)
    length = "short" if spoken < SHORT_TOKENS else "medium" if spoken < MEDIUM_TOKENS else "long"
    language = language_of(" ".join(text for role, text in shown.parts if role == "user"))
    drawn = Drawn(
        draw=lot(seed, conversation.conversation_id),
        content_hash=conversation.content_hash,
        language=language,
        stratum=f"{language}/{length}",
        conversation_id=conversation.conversation_id,
    )
    return drawn, math.ceil(estimated_tokens(user_message(shown, "0" * 16, "tool")))


def lot(seed: int, conversation_id: str) -> str:
    """Return the number that *conversation_id* draws: the same for the same seed, whatever else the table holds."""
    return hashlib.sha256(f"{seed}\n{conversation_id}".encode("utf-8", "surrogatepass")).hexdigest()


class Urn:
    """
    All conversations of the table, of which the lowest lots of each stratum are kept.

    Shape: *sizes* counts the conversations of each stratum; no more than *most* of each are kept.
    """

    def __init__(self, most: int) -> None:
        self.most, self.sizes = most, Counter[str]()
        self._kept: defaultdict[str, list[Weighed]] = defaultdict(list)

    def put(self, drawn: Drawn, tokens: int) -> None:
        """Put in a conversation of *tokens* of input."""
        stratum = str(drawn.stratum)
        self.sizes[stratum] += 1
        kept = self._kept[stratum]
        kept.append((drawn, tokens))
        if len(kept) >= 2 * self.most:
            self._kept[stratum] = _lowest(kept, self.most)

    def draw(self) -> list[Weighed]:
        """
        Return *most* conversations with their tokens, so ordered that each beginning of the list is a sample too.

        Shape: of every stratum LEAST_OF_A_STRATUM, and for the rest as many as its part of the table.
        """
        kept = {stratum: iter(_lowest(each, self.most)) for stratum, each in self._kept.items()}
        return [next(kept[stratum]) for stratum in seats(self.sizes, self.most)]


def _lowest(kept: list[Weighed], most: int) -> list[Weighed]:
    return sorted(kept, key=lambda each: each[0].draw)[:most]


def seats(sizes: Mapping[str, int], total: int, least: int = LEAST_OF_A_STRATUM) -> list[str]:
    """
    Return whose turn it is, *total* times or until all of every stratum are given: first each stratum gets *least*.

    Source: the method of Sainte-Laguë, which gives each seat to whom it brings nearest to the share; so that no seat is
    lost when there is one more to give.
    """
    given, order = dict.fromkeys(sorted(sizes), 0), list[str]()
    for _ in range(min(total, sum(sizes.values()))):
        open_ = [name for name, count in given.items() if count < sizes[name]]
        short = [name for name in open_ if given[name] < least]
        if short:
            name = min(short, key=lambda name: (given[name], -sizes[name]))
        else:
            name = max(open_, key=lambda name: sizes[name] / (2 * given[name] + 1))
        given[name] += 1
        order.append(name)
    return order


def affordable(costs: Sequence[int], money: int) -> int:
    """Return how many from the beginning cost no more than *money*; *costs* are each of all contenders together."""
    spent = 0
    for count, cost in enumerate(costs):
        spent += cost
        if spent > money:
            return count
    return len(costs)
