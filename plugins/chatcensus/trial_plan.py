"""How many conversations a trial can pay for, and what each contender may spend."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chatcensus.conversation import estimated_tokens
from chatcensus.errors import SetupError
from chatcensus.forecast import OUTPUT_TOKENS
from chatcensus.model_catalog import Model
from chatcensus.pricing import Price, Usage, cost_micro_usd
from chatcensus.prompt import prompt_version
from chatcensus.trial import Drawn, Weighed, affordable

# An estimate is one call each; answers are asked again, and each call reserves the most that it can cost.
BUDGET_FACTOR = 1.5
FEWEST_CONVERSATIONS = 10  # with fewer nothing can be told, and the money would be lost


@dataclass(frozen=True)
class Tried:
    """One contender with all that its calls are made of."""

    name: str
    model: Model
    instructions: str
    price: Price

    def cost(self, tokens: int) -> int:
        """Return about what it costs, in micro-USD, to ask about a message of *tokens*."""
        usage = Usage(
            math.ceil(tokens + estimated_tokens(self.instructions)), OUTPUT_TOKENS + self.model.thinking_tokens
        )
        return cost_micro_usd(usage, self.price)


def fitted(order: Sequence[Weighed], gold: Sequence[Weighed], tried: Sequence[Tried], money: int) -> list[Weighed]:
    """
    Return what all contenders can judge for *money* micro-USD: every gold row, and the beginning of *order*.

    Errors: SetupError when that is next to nothing.
    """
    labelled = {drawn.draw: (drawn, tokens) for drawn, tokens in gold}
    costs = [
        0 if drawn.draw in labelled else sum(each.cost(tokens) for each in tried) for drawn, tokens in order
    ]  # what has a label is paid for already
    of_gold = sum(each.cost(tokens) for _, tokens in gold for each in tried)
    left = int(money / BUDGET_FACTOR) - of_gold
    count = affordable(costs, left) if left >= 0 else 0
    fewest = min(FEWEST_CONVERSATIONS, len(order))
    if count < fewest or left < 0:
        least = (of_gold + sum(costs[:fewest])) * BUDGET_FACTOR
        raise SetupError(
            f"max_usd {money / 1e6:g} is not enough for {len(tried)} contenders on {len(gold)} gold rows and {fewest} "
            f"conversations: allow {math.ceil(least / 1e4) / 100:.2f}, or leave a contender out"
        )
    if not order and not gold:
        raise SetupError("a trial has nothing to judge: no conversation of the table can be read, and no gold row")
    sampled = {drawn.draw: _with_label(drawn, labelled) for drawn, _ in order[:count]}
    tokens_of = {drawn.draw: tokens for drawn, tokens in [*order, *gold]}
    alone = [drawn for drawn, _ in gold if drawn.draw not in sampled]
    # Gold rows first: where the money ends early after all, the answer is about these.
    return [(drawn, tokens_of[drawn.draw]) for drawn in [*alone, *sampled.values()]]


def _with_label(drawn: Drawn, labelled: dict[str, Weighed]) -> Drawn:
    if drawn.draw not in labelled:
        return drawn
    gold = labelled[drawn.draw][0]
    return drawn.model_copy(update={"label": gold.label, "label_score": gold.label_score, "language": gold.language})


def planned(chosen: Sequence[Weighed], tried: Sequence[Tried], money: int) -> list[dict[str, Any]]:
    """
    Return of each contender, as plain values, what it is, the forecast of its cost, and its part of *money*.

    Each has a purse of its own, so that one which costs more than was expected takes nothing from the others.
    """
    forecasts = [sum(each.cost(tokens) for _, tokens in chosen) for each in tried]
    return [
        {
            "name": each.name,
            # Answers are used again where, and only where, the instructions and the conversation are the same.
            "file": f"{number}-{each.name.replace('/', '-')}-{prompt_version(each.instructions)}",
            "model": each.model.model_id,
            "output_modes": list(each.model.output_modes),
            "prompt_version": prompt_version(each.instructions),
            "forecast_micro_usd": forecast,
            "max_micro_usd": money * forecast // max(1, sum(forecasts)),
        }
        for number, (each, forecast) in enumerate(zip(tried, forecasts, strict=True), 1)
    ]
