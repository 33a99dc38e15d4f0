"""What the same work would take on each model of the catalog: realtime, with its prompt cache, and by batch."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from chatcensus.batch import LEAST_HOURS, LEAST_RECORDS
from chatcensus.conversation import estimated_tokens
from chatcensus.forecast import Letters, answer_tokens
from chatcensus.model_catalog import Model, ModelCatalog
from chatcensus.pricing import Usage, cost_micro_usd
from chatcensus.prompt import tool_config
from chatcensus.taxonomy import Taxonomy
from chatcensus.usage_history import Basis, History

_COLUMNS = "{:<50}{:>9}{:>16}{:>13}{:>15}{:>13}{:>13}{:>9}  {}"
_WHOSE = {"prompt": "its calls", "family": "its family", "": "the text"}


@dataclass(frozen=True)
class Work:
    """
    What is due, summed up: the same for every model.

    Shape: *calls* has one for each conversation that is asked about; *guessed_tokens* are those of
    `forecast.expected_usage`, *letters* those of the messages, which differ by call.
    """

    conversations: float
    calls: float
    guessed_tokens: float
    letters: Letters

    def __mul__(self, times: float) -> "Work":
        return Work(self.conversations * times, self.calls * times, self.guessed_tokens * times, self.letters * times)


@dataclass(frozen=True)
class Fixed:
    """What every call has besides its conversation: the instructions, and the description of the tool."""

    instructions: Letters
    tool: Letters
    guessed_tokens: float

    @classmethod
    def of(cls, instructions: str, taxonomy: Taxonomy) -> "Fixed":
        """Return the fixed part of a call."""
        tool = json.dumps(tool_config(taxonomy)["tools"][0])
        return cls(Letters.of(instructions), Letters.of(tool), estimated_tokens(instructions))

    def prefix(self, model: Model, mode: str) -> float:
        """Return the tokens of what stands before the conversation, and may be cached."""
        tool = self.tool.tokens(model.family) if mode == "tool" else 0.0
        return self.instructions.tokens(model.family) + tool


def side_by_side(
    work: Work, fixed: Fixed, catalog: ModelCatalog, first: str, history: History, quota: Mapping[str, float], day: date
) -> list[dict[str, Any]]:
    """
    Return a row for each model that can be called on *day*, the model *first* before all others.

    Shape: `model`, `tokens_from` (`prompt`, `family` or empty, as usage_history.Basis), `calls`, `input_tokens`,
    `output_tokens`, `realtime_micro_usd`, `cached_micro_usd` and `batch_micro_usd` (None where there is none), and
    `seconds` at the *quota*. A model whose first price is of a later day is not there yet.
    Errors: SetupError when *first* has no price on *day*: a price is never taken to be 0.
    """
    chosen = catalog.model(first)
    others = (model for model in catalog.models if model.is_invocable and not model.has_ended(day))
    there = (model for model in others if any(price.since <= day.isoformat() for price in model.prices))
    models = [chosen, *(model for model in there if model != chosen)]
    return [_row(work, fixed, model, history.basis(model), quota, day) for model in models]


def _row(
    work: Work, fixed: Fixed, model: Model, basis: Basis | None, quota: Mapping[str, float], day: date
) -> dict[str, Any]:
    price, mode = model.price(day), model.output_modes[0]
    calls = work.calls * (basis.calls_each if basis else 1)
    usage, batch = (_usage(work, fixed, model, basis, calls, each) for each in (mode, "prompt"))
    cached = _cached(usage, fixed, model, basis, calls)
    return {
        "model": model.model_id,
        "tokens_from": basis.whose if basis else "",
        "calls": round(calls),
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "realtime_micro_usd": cost_micro_usd(usage, price, calls=math.ceil(calls)),
        "cached_micro_usd": cost_micro_usd(cached, price, calls=math.ceil(calls)) if cached else None,
        "batch_micro_usd": cost_micro_usd(batch, price, is_batch=True) if price.batch else None,
        "seconds": _seconds(quota, calls, usage, model.burndown),
    }


def _usage(work: Work, fixed: Fixed, model: Model, basis: Basis | None, calls: float, mode: str) -> Usage:
    """Return the tokens of all *calls* in an output mode, none of them cached."""
    usual, part = model.output_modes[0], calls / work.calls if work.calls else 0.0
    if basis is None:
        tokens = calls * fixed.prefix(model, mode) + part * work.letters.tokens(model.family)
        return Usage(round(tokens), round(calls * answer_tokens(model, mode)))
    tokens = part * basis.input_ratio * work.guessed_tokens  # measured in the usual mode
    tokens += calls * (fixed.prefix(model, mode) - fixed.prefix(model, usual))
    each = basis.output_each + answer_tokens(model, mode) - answer_tokens(model, usual)
    return Usage(round(tokens), round(calls * max(1.0, each)))


def _cached(usage: Usage, fixed: Fixed, model: Model, basis: Basis | None, calls: float) -> Usage | None:
    """Return *usage* with what the cache has of it: as measured, else the prefix, written once and read then."""
    if not model.cache_min_tokens or not calls:
        return None
    prefix = fixed.prefix(model, model.output_modes[0])
    of_call, written = (prefix, prefix) if prefix >= model.cache_min_tokens else (0.0, 0.0)
    if basis and basis.cached:
        of_call, written = basis.cached
    touched = min(round(calls * of_call), usage.input_tokens)
    write = min(round(written), touched)
    left = usage.input_tokens - touched
    return Usage(left, usage.output_tokens, touched - write, write) if touched else None


def _seconds(quota: Mapping[str, float], calls: float, usage: Usage, burndown: int) -> int:
    tokens: float = usage.input_tokens + burndown * usage.output_tokens
    return math.ceil(60.0 * max(calls / quota["requests_per_minute"], tokens / quota["tokens_per_minute"]))


def expected_micro_usd(row: Mapping[str, Any]) -> int:
    """Return what a realtime run costs: the cache is used wherever there is one."""
    return int(row["realtime_micro_usd"] if row["cached_micro_usd"] is None else row["cached_micro_usd"])


def scaled(rows: Sequence[Mapping[str, Any]], times: float) -> list[dict[str, Any]]:
    """Return *rows* for *times* the work."""
    return [
        {name: math.ceil(value * times) if isinstance(value, int) else value for name, value in row.items()}
        for row in rows
    ]


def minutes(row: Mapping[str, Any]) -> int:
    """Return the minutes of a row at the quota."""
    seconds: int = row["seconds"]
    return math.ceil(seconds / 60)


def table_lines(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield *rows* as one table, the model of the run first, and how to read it."""
    yield _COLUMNS.format(
        *("model", "calls", "input tokens", "output", "realtime USD", "cached USD", "batch USD", "minutes"),
        "tokens by",
    ).rstrip()
    for row in rows:
        counts = (f"{row[name]:,}" for name in ("calls", "input_tokens", "output_tokens"))
        money = (_usd(row[f"{way}_micro_usd"]) for way in ("realtime", "cached", "batch"))
        yield _COLUMNS.format(row["model"], *counts, *money, f"{minutes(row):,}", _WHOSE[row["tokens_from"]])
    yield (
        f"Minutes are at the quota, realtime and cached; batch takes up to {LEAST_HOURS} h, of {LEAST_RECORDS} "
        "conversations at least. -: the model has none, or the instructions are too short for its cache."
    )


def _usd(micro_usd: int | None) -> str:
    return "-" if micro_usd is None else f"{micro_usd / 1e6:,.4f}"
