"""What judging everything that is due would take, from the conversations that were read: all of them, or a sample."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from chatcensus.conversation import estimated_tokens
from chatcensus.forecast import expected_usage, minutes_at
from chatcensus.model_catalog import Model
from chatcensus.pricing import Price, Usage, cost_micro_usd
from chatcensus.selection import Found

SURE = 1.96  # standard errors on either side: 95 of 100 samples
NONE_SEEN = 3.0  # with none among n, up to 3/n of all may be there: as sure


@dataclass
class Estimate:
    """
    The conversations that were read, summed up.

    Units: *cost_micro_usd* is of one call for each that is due; *squares* are of those costs, and *cost_of_all* is of
    one call for each that was read.
    """

    instructions: str
    price: Price
    conversations: int = 0
    due: int = 0
    calls: int = 0
    unreadable: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_micro_usd: int = 0
    squares: int = 0
    cost_of_all: int = 0

    def add(self, found: Found) -> None:
        """Count a conversation."""
        usage = expected_usage(found.conversation, estimated_tokens(self.instructions))
        cost = cost_micro_usd(usage, self.price)
        self.conversations += 1
        self.unreadable += found.conversation.problem is not None
        self.cost_of_all += cost
        if found.is_due:
            self.due += 1
            self.calls += usage.input_tokens > 0
            self.input_tokens += usage.input_tokens
            self.output_tokens += usage.output_tokens
            self.cost_micro_usd += cost
            self.squares += cost * cost

    def of_table(self, times: float, model: Model, quota: Mapping[str, float]) -> dict[str, Any]:
        """
        Return the figures of a table *times* as large as what was read; 1 is the table itself, without a doubt.

        Shape: `due` and `cost_micro_usd` with the range (`_low`, `_high`) in which 95 of 100 samples have the truth.
        """
        counts = ("conversations", "due", "calls", "unreadable", "input_tokens", "output_tokens", "cost_micro_usd")
        whole = {name: round(times * getattr(self, name)) for name in counts}
        usage = Usage(whole["input_tokens"], whole["output_tokens"])
        return {
            **whole,
            **self._ranges(times),
            "minutes": minutes_at(quota, whole["calls"], usage, model.burndown),
        }

    def _ranges(self, times: float) -> dict[str, int]:
        """Return both ranges, as if each conversation had been drawn by itself; none leaves what is possible."""
        doubt = times * math.sqrt(1 - 1 / times)  # what was read is known: the doubt is about the rest only
        is_alike = self.due in (0, self.conversations)
        due_half = doubt * (NONE_SEEN if is_alike else SURE * self._spread(self.due, self.due))
        cost_half = doubt * SURE * self._spread(self.cost_micro_usd, self.squares)
        if is_alike:  # for those that may be there, or not be, though none was seen
            cost_half += due_half * self.cost_of_all / max(1, self.conversations)
        return {
            "due_low": max(self.due, math.floor(times * self.due - due_half)),
            "due_high": min(round(times * self.conversations), math.ceil(times * self.due + due_half)),
            "cost_micro_usd_low": max(self.cost_micro_usd, math.floor(times * self.cost_micro_usd - cost_half)),
            "cost_micro_usd_high": math.ceil(times * self.cost_micro_usd + cost_half),
        }

    def _spread(self, total: int, squares: int) -> float:
        return math.sqrt(max(0.0, squares - total * total / max(1, self.conversations)))


def estimate_lines(figures: Mapping[str, Any], quota: Mapping[str, float]) -> Iterator[str]:
    """Yield what is to be told of *figures*, those of `of_table` with what the command knows of the table."""
    sampled = figures["is_sample"]
    read, items = figures["items_read"], figures["items"]
    yield _line("items", f"{items:,} in the table, {read:,} read" + (": a sample, drawn at random" if sampled else ""))
    yield _line("conversations", f"{_about(sampled)}{figures['conversations']:,}, of which {_due(figures)} due")
    if figures["unreadable"]:
        yield _line("unreadable", f"{_about(sampled)}{figures['unreadable']:,}: see `chatcensus table check`")
    for reason, count in sorted(figures["skipped"].items()):
        yield _line("not counted", f"{count:,} of those read: {reason}")
    yield _line("tokens", f"{_about(sampled)}{figures['input_tokens']:,} input, {figures['output_tokens']:,} output")
    yield _line("cost", _cost(figures))
    yield _line("reading", f"{figures['read_units']:,} read units a run, {figures['read_micro_usd'] / 1e6:.4f} USD")
    yield _line(
        "time",
        f"{figures['minutes']:,} minutes at {quota['requests_per_minute']:,.0f} requests and "
        f"{quota['tokens_per_minute']:,.0f} tokens a minute",
    )
    yield "An estimate: one call each, tokens guessed from the text. An invalid answer is asked again, at most twice."
    if sampled:
        yield (
            "Ranges hold in 95 of 100 samples of conversations that are alike all over the table; the table's size is "
            "DynamoDB's own count, which may be six hours old. --items 0 reads everything."
        )


def _line(name: str, text: str) -> str:
    return f"{name:<16}{text}"


def _about(sampled: bool) -> str:
    return "about " if sampled else ""


def _due(figures: Mapping[str, Any]) -> str:
    if not figures["is_sample"]:
        return f"{figures['due']:,} are"
    return f"about {figures['due']:,} ({figures['due_low']:,} to {figures['due_high']:,}) are"


def _cost(figures: Mapping[str, Any]) -> str:
    usd = {name: figures[f"cost_micro_usd{name}"] / 1e6 for name in ("", "_low", "_high")}
    if not figures["is_sample"]:
        return f"{usd['']:.4f} USD"
    return f"about {usd['']:.4f} USD ({usd['_low']:.4f} to {usd['_high']:.4f})"
