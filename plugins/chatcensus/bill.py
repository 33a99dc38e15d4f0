"""The bill of one conversation: what was asked about it in this run, and what that has cost."""

from dataclasses import dataclass

from chatcensus.answer import Reply
from chatcensus.pricing import Price, Usage, cost_micro_usd


@dataclass
class Bill:
    """
    What one conversation has cost in this run, and what the prompt cache has saved of it (below 0: a write).

    Shape: *attempts* counts answers, *possibly_paid* requests whose reply was lost; *input_tokens* has all tokens that
    went in, those of the cache too.
    """

    attempts: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_micro_usd: int = 0
    possibly_paid: int = 0
    throttled: int = 0
    answered_by: str = ""
    is_clipped: bool = False
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    saved_micro_usd: int = 0

    @property
    def calls(self) -> int:
        """How many calls it took, answered or lost."""
        return self.attempts + self.possibly_paid

    def add(self, reply: Reply, price: Price) -> int:
        """Put *reply* on the bill and return what it cost, in micro-USD."""
        usage = reply.usage
        paid = cost_micro_usd(usage, price, is_batch=reply.is_batch)
        uncached = Usage(usage.all_input_tokens, usage.output_tokens)
        self.attempts += 1
        self.input_tokens += uncached.input_tokens
        self.output_tokens += usage.output_tokens
        self.cache_read_tokens += usage.cache_read_tokens
        self.cache_write_tokens += usage.cache_write_tokens
        self.cost_micro_usd += paid
        self.saved_micro_usd += cost_micro_usd(uncached, price, is_batch=reply.is_batch) - paid
        self.answered_by = reply.answered_by
        return paid
