"""What a run is expected to take, before anything is paid: an estimate, and never the bill."""

import math
import re
from collections.abc import Mapping
from dataclasses import astuple, dataclass

from chatcensus.conversation import Conversation, estimated_tokens, transcript
from chatcensus.model_catalog import Model
from chatcensus.pricing import Price, Usage, cost_micro_usd
from chatcensus.prompt import user_message

OUTPUT_TOKENS = 40  # of one answer by a tool call
OBJECT_TOKENS = 12  # of the object alone, of some 45 characters
_BILLS_A_CALL = ("claude-", "nova-")  # the names and brackets around the object, as output
# Tokens a character: the scripts of a text in a vocabulary of 100,000 and more; docs/cost.md.
TOKENS_AN_ASCII, TOKENS_A_KANA, TOKENS_A_KANJI, TOKENS_OF_OTHERS = 0.25, 0.8, 1.1, 1.0
# The tokenizer of the 5.5 models makes more of them: measured 1.20 on English, 1.01 to 1.07 on Japanese.
_OF_FAMILY = {"claude-haiku-5-5": (1.2, 1.04), "claude-sonnet-5-5": (1.2, 1.04)}
_KANA = re.compile("[\u3000-\u30ff\uff00-\uffef]")  # and the punctuation and full-width forms between them
_KANJI = re.compile("[\u3400-\u9fff\uf900-\ufaff]")
BYTES_PER_TOKEN = 3.0  # of an item; between English (about 4) and Japanese (about 2.5)
# A segment is sized for half of the task's execution_timeout, at the quota's part of one of the tasks at a time.
SEGMENT_MINUTES, TASKS_AT_ONCE = 180, 4
READ_UNIT_BYTES = 4096  # of one consistent read; half a unit where it need not be
INDEX_ENTRY_BYTES = 300  # keys and DynamoDB's own 100 bytes, about


@dataclass(frozen=True)
class Letters:
    """How many characters of each script a text has, or several texts together."""

    ascii: float = 0
    kana: float = 0
    kanji: float = 0
    others: float = 0

    @classmethod
    def of(cls, text: str) -> "Letters":
        """Count the characters of *text*."""
        if text.isascii():
            return cls(len(text))
        plain = len(text.encode("ascii", "ignore"))
        kana, kanji = (len(text) - len(script.sub("", text)) for script in (_KANA, _KANJI))
        return cls(plain, kana, kanji, len(text) - plain - kana - kanji)

    def __add__(self, other: "Letters") -> "Letters":
        return Letters(*(one + two for one, two in zip(astuple(self), astuple(other), strict=True)))

    def __mul__(self, times: float) -> "Letters":
        return Letters(*(each * times for each in astuple(self)))

    def tokens(self, family: str) -> float:
        """
        Return about how many tokens these are to a model of *family*, where nothing has been measured yet.

        Source: docs/cost.md, section "Without history", derives each factor.
        """
        plain, others = _OF_FAMILY.get(family, (1.0, 1.0))
        of_others = TOKENS_A_KANA * self.kana + TOKENS_A_KANJI * self.kanji + TOKENS_OF_OTHERS * self.others
        return plain * TOKENS_AN_ASCII * self.ascii + others * of_others


def answer_tokens(model: Model, mode: str) -> int:
    """Return about how many tokens one answer takes in an output mode, what the model thinks before it included."""
    is_call = mode == "tool" and model.family.startswith(_BILLS_A_CALL)
    return (OUTPUT_TOKENS if is_call else OBJECT_TOKENS) + model.thinking_tokens


def message_about(conversation: Conversation, mode: str = "tool") -> str:
    """Return the message about *conversation* as a model gets to read it; none where no call is made."""
    shown = transcript(conversation.turns)
    return "" if conversation.problem or shown.is_blank else user_message(shown, "0" * 16, mode)


def expected_usage(conversation: Conversation, instruction_tokens: float) -> Usage:
    """
    Return the guessed tokens of one call about *conversation*; none where no call is made.

    The guess is of no model: usage_history.py measures by how much a model's bill differs from it.
    """
    message = message_about(conversation)
    return Usage(math.ceil(instruction_tokens + estimated_tokens(message)), OUTPUT_TOKENS) if message else Usage()


def usage_of_one(item_bytes: float, instructions: str, thinking_tokens: int = 0) -> Usage:
    """Return the tokens of one call about an item of *item_bytes*, which need not be read for it."""
    tokens = item_bytes / BYTES_PER_TOKEN + estimated_tokens(instructions)
    return Usage(math.ceil(tokens), OUTPUT_TOKENS + thinking_tokens)


def most_in_time(one: Usage, model: Model, quota: Mapping[str, float]) -> int:
    """Return how many conversations, each with the tokens of *one*, a task can judge well before its timeout."""
    tokens = one.input_tokens + model.burndown * one.output_tokens
    per_minute = min(quota["requests_per_minute"], quota["tokens_per_minute"] / tokens)
    return max(1, int(per_minute / TASKS_AT_ONCE * SEGMENT_MINUTES))


def forecast(
    found: int, most: int, one: Usage, price: Price, burndown: int, quota: Mapping[str, float]
) -> dict[str, int]:
    """
    Return what judging *found* conversations would take: conversations, tokens, micro-USD, minutes at the *quota*.

    Shape: no more than *most* (0: all) are judged, each with one call of the tokens of *one*.
    """
    conversations = min(found, most) if most else found
    usage = Usage(one.input_tokens * conversations, one.output_tokens * conversations)
    return {
        "conversations": conversations,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cost_micro_usd": cost_micro_usd(usage, price, calls=conversations),
        "minutes": minutes_at(quota, conversations, usage, burndown),
    }


def minutes_at(quota: Mapping[str, float], calls: int, usage: Usage, burndown: int) -> int:
    """Return how many minutes *calls*, with the tokens of *usage* together, take at the *quota*."""
    tokens = usage.input_tokens + burndown * usage.output_tokens
    return math.ceil(max(calls / quota["requests_per_minute"], tokens / quota["tokens_per_minute"]))


def read_units(strategy: str, found: int, items: int, table_bytes: int, sampled: int = 0) -> int:
    """
    Return about how many read units the run takes, at the table's mean size of an item.

    A scan reads every item, whatever is pending. An index is read twice, to plan and to classify, at half the units,
    and then each item of its entries. `plan` has read *sampled* items besides.
    Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
    """
    if strategy == "scan":
        return math.ceil(table_bytes * (1 + sampled / max(1, items)) / READ_UNIT_BYTES)
    index_units = 2 * found * INDEX_ENTRY_BYTES / READ_UNIT_BYTES / 2
    return math.ceil(index_units) + (found + sampled) * math.ceil(table_bytes / max(1, items) / READ_UNIT_BYTES)
