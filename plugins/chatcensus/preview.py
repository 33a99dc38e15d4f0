"""What a re-evaluation would do: how many it judges, about what it costs, and what a sample of it would change."""

import json
import math
import random
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from chatcensus.answer import Judgement, Reason
from chatcensus.conversation import Conversation, estimated_tokens
from chatcensus.evaluation import Evaluation
from chatcensus.forecast import expected_usage
from chatcensus.mapping import Stored
from chatcensus.pricing import Price, cost_micro_usd
from chatcensus.selection import Found
from chatcensus.tally import Outcome

# A run reserves the most that each call can cost, and may ask again: with less than this it would stop early.
BUDGET_FACTOR = 1.5


@dataclass
class Preview:
    """
    What matches, counted; and a random sample of what would be judged again, of at most *size*.

    Units: *forecast_micro_usd* is an estimate of one call each.
    """

    size: int
    instructions: str
    price: Price
    choice: random.Random = field(default_factory=random.SystemRandom)
    matching: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    due: int = 0
    forecast_micro_usd: int = 0
    sample: list[Stored] = field(default_factory=list)

    def add(self, found: Found) -> None:
        """Count a conversation that matches."""
        previous = found.previous or {}
        self.matching[_kind(previous), str(previous.get("prompt_version")), str(previous.get("model"))] += 1
        if not found.is_due:
            return
        self.due += 1
        usage = expected_usage(found.conversation, estimated_tokens(self.instructions))
        self.forecast_micro_usd += cost_micro_usd(usage, self.price)
        if len(self.sample) < self.size:
            self.sample.append(found.stored)
        elif (place := self.choice.randrange(self.due)) < self.size:
            self.sample[place] = found.stored

    def lines(self) -> Iterator[str]:
        """Yield what is to be told, without any text of a conversation."""
        if not self.matching:
            yield (
                "No conversation matches, so nothing would be judged again: `chatcensus taxonomy show` lists the "
                "categories, and docs/reevaluation.md what else a condition may name."
            )
            return
        yield f"{self.matching.total()} conversations match, {self.due} of them would be judged again:"
        for (kind, prompt_version, model), count in sorted(self.matching.items(), key=lambda each: (-each[1], each[0])):
            yield f"  {count:>8,}  {kind}, prompt version {prompt_version}, model {model}"
        yield f"Estimated cost: {self.forecast_micro_usd / 1e6:.4f} USD (one call each)"

    def conf(self, where: str) -> str:
        """Return the JSON with which the DAG judges them again."""
        max_usd = math.ceil(self.forecast_micro_usd * BUDGET_FACTOR / 1e4) / 100 + 0.1
        return json.dumps({"reevaluate": where, "max_usd": round(max_usd, 2)}, ensure_ascii=False)


class Sample:
    """
    The sampled conversations in the place of the table, the ledger and the claim of a run: nothing leaves it.

    Shape: *max_micro_usd* is what the judging of the sample may cost.
    """

    lease_s = math.inf

    def __init__(self, stored: list[Stored], max_micro_usd: int) -> None:
        self.stored, self.left_micro_usd = stored, max_micro_usd
        self.skipped, self._lock = Counter[str](), threading.Lock()
        self.kinds, self.differences = Counter[tuple[str, str]](), Counter[int]()

    def read(self) -> Iterator[Stored]:
        """Yield the sample."""
        yield from self.stored

    def write(self, stored: Stored, evaluation: Evaluation) -> Outcome:  # noqa: ARG002 - there is no table
        """Compare *evaluation* with the one that it would replace."""
        previous = evaluation.previous or {}
        verdict = evaluation.verdict
        with self._lock:
            self.kinds[_kind(previous), _kind(evaluation.attribute())] += 1
            if isinstance(verdict, Judgement) and "inquiry_score" in previous:
                self.differences[verdict.inquiry_score - int(previous["inquiry_score"])] += 1
        return Outcome.EVALUATED

    def release(self, stored: Stored) -> None:
        """Change nothing."""

    def renew(self, most: float) -> float:
        """Return all of the quota."""
        return most

    def reserve(self, micro_usd: int) -> bool:
        """Take *micro_usd* of what the sample may cost."""
        self.left_micro_usd -= micro_usd if (is_there := micro_usd <= self.left_micro_usd) else 0
        return is_there

    def settle(self, reserved_micro_usd: int, paid_micro_usd: int) -> None:
        """Put back what was not paid."""
        self.left_micro_usd += reserved_micro_usd - paid_micro_usd

    def admit(self) -> bool:
        """Take every one of the sample."""
        return True

    def add_calls(self, conversation: Conversation, calls: int) -> int:  # noqa: ARG002 - it has no other runs
        """Remember nothing."""
        return calls

    def quarantine(self, conversation_id: str, reason: Reason) -> bool:  # noqa: ARG002
        """Remember nothing."""
        return True

    def lines(self) -> Iterator[str]:
        """Yield what would change, without any text of a conversation."""
        changed = sum(count for (before, after), count in self.kinds.items() if before != after)
        yield f"{self.kinds.total()} of the sample of {len(self.stored)} were judged, {changed} of them would change:"
        for (before, after), count in sorted(self.kinds.items(), key=lambda each: (-each[1], each[0])):
            yield f"  {count:>8,}  {before} → {after}"
        for difference, count in sorted(self.differences.items()):
            yield f"  {count:>8,}  inquiry score {difference:+d}"


def _kind(evaluation: Mapping[str, Any]) -> str:
    reason = evaluation.get("reason")
    return f"quarantined as {reason}" if reason else str(evaluation.get("category"))
