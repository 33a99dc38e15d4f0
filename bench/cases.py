"""What is measured: the quota, the conversations, and who else uses the quota."""

from dataclasses import dataclass, field

from bench.records import LONG_TOKENS, SHORT_TOKENS
from bench.stand_in import Behaviour

UNLIMITED = 1e12  # requests a minute that nobody reaches
_FAULTLESS = {"latency_s": 0.0, "broken": 0.0, "errors": 0.0, "resets": 0.0}


@dataclass(frozen=True)
class Case:
    """
    One set of circumstances.

    Shape: *segments* are the parts of the records that each process of the engine gets (one process: one part).
    *records* is the usual count; *engine_only* leaves the other contenders out. *max_scale* is how fast time may run.
    *repeats* runs everybody so often in turn and keeps the run with the least CPU: other work on a machine only adds.
    """

    title: str
    records: int = 3000
    conversation_tokens: int = SHORT_TOKENS
    behaviour: Behaviour = field(default_factory=Behaviour)
    segments: tuple[float, ...] = (1.0,)
    engine_only: bool = False
    max_scale: float = 10
    repeats: int = 1


_COST = Behaviour(requests_per_minute=UNLIMITED, tokens_per_minute=1e15, **_FAULTLESS)
CASES = {
    "requests": Case("the limit is 1,000 requests a minute"),
    "tokens": Case("long conversations: the limit is 2,000,000 tokens a minute", 1000, LONG_TOKENS),
    "half": Case("another application takes half of the quota", behaviour=Behaviour(taken=0.5)),
    "sharing": Case("four processes, segments of 70, 20, 8 and 2 %", segments=(0.7, 0.2, 0.08, 0.02), engine_only=True),
    "cost": Case("no quota, no latency: what a call costs the client", 5000, behaviour=_COST, max_scale=1, repeats=3),
    "memory": Case("no quota, no latency, one long segment", 100_000, behaviour=_COST, engine_only=True, max_scale=1),
}
