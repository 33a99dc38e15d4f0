"""What a run is expected to take, before anything is paid: an estimate, and never the bill."""

import math
from collections.abc import Mapping

from chatcensus.conversation import Conversation, estimated_tokens, transcript
from chatcensus.model_catalog import Model
from chatcensus.pricing import Price, Usage, cost_micro_usd
from chatcensus.prompt import user_message

OUTPUT_TOKENS = 40  # of one answer
BYTES_PER_TOKEN = 3.0  # of an item; between English (about 4) and Japanese (about 2.5)
# A segment is sized for half of the task's execution_timeout, at the quota's part of one of the tasks at a time.
SEGMENT_MINUTES, TASKS_AT_ONCE = 180, 4
READ_UNIT_BYTES = 4096  # of one consistent read; half a unit where it need not be
INDEX_ENTRY_BYTES = 300  # keys and DynamoDB's own 100 bytes, about


def expected_usage(conversation: Conversation, instruction_tokens: float) -> Usage:
    """Return the tokens of one call about *conversation*, as a model gets to read it; none where no call is made."""
    shown = transcript(conversation.turns)
    if conversation.problem or shown.is_blank:
        return Usage()
    message = user_message(shown, "0" * 16, "tool")
    return Usage(math.ceil(instruction_tokens + estimated_tokens(message)), OUTPUT_TOKENS)


def usage_of_one(item_bytes: float, instructions: str) -> Usage:
    """Return the tokens of one call about an item of *item_bytes*."""
    return Usage(math.ceil(item_bytes / BYTES_PER_TOKEN + estimated_tokens(instructions)), OUTPUT_TOKENS)


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


def read_units(strategy: str, found: int, items: int, table_bytes: int) -> int:
    """
    Return about how many read units the run takes, at the table's mean size of an item.

    A scan reads every item, whatever is pending. An index is read twice, to plan and to classify, at half the units,
    and then each item of its entries.
    Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
    """
    if strategy == "scan":
        return math.ceil(table_bytes / READ_UNIT_BYTES)
    index_units = 2 * found * INDEX_ENTRY_BYTES / READ_UNIT_BYTES / 2
    return math.ceil(index_units) + found * math.ceil(table_bytes / max(1, items) / READ_UNIT_BYTES)
