"""
Where the calls of a task go: one route, or several that are filled together, each with a quota of its own.

A call takes the route that can start it soonest. A route that is throttled slows down by itself (pacing.py), so that
calls flow to the others; one that no call can succeed on is taken out. The first call of a route goes alone where its
instructions are cached: the others would each pay to write the same prefix.
"""

import logging
import math
import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

from chatcensus.answer import Reply
from chatcensus.clock import Clock
from chatcensus.errors import ChatCensusError, ModelBusy, ReplyLost, Throttled
from chatcensus.model_catalog import Model, OutputMode
from chatcensus.pacing import LOOK_AGAIN_S, Pacer, Quota, Ticket
from chatcensus.pricing import Price, Usage, cost_micro_usd

log = logging.getLogger(__name__)

# The others wait so long for the first call to fill the cache; how often they look is small beside a call's latency.
WARM_UP_S, _LOOK_FOR_WARMTH_S = 10.0, 0.1


class Judge(Protocol):
    """The model."""

    def ask(self, instructions: str, message: str, mode: OutputMode, max_tokens: int) -> Reply:
        """Make one paid call. Errors: those of `errors.py` that speak of a call, a reply, a request or a quota."""


@dataclass(frozen=True)
class Way:
    """One place where the run's model can be called: who calls it there, at which price, within which quota."""

    name: str
    judge: Judge
    model: Model
    quota: Quota


class Lane:
    """One way while it is in use: its pace, its price, and whether its cache is filled. *Spread* keeps it in order."""

    def __init__(self, name: str, judge: Judge, pacer: Pacer, price: Price, *, is_warm: bool = True) -> None:
        self.name, self.judge, self.pacer, self.price = name, judge, pacer, price
        self._is_warm, self._warm_at = is_warm, -math.inf
        self._under_way, self._lock = 0, threading.Lock()

    @property
    def load(self) -> float:
        """How many calls are under way for each that the quota lets in; a route that answers slowly has many."""
        return self._under_way / self.pacer.quota.requests_per_minute

    def wait_s(self) -> float:
        """Return in how many seconds a call may begin here; 0 or less: now."""
        wait_s = self.pacer.wait_s()
        if not self._is_warm and self.pacer.monotonic() < self._warm_at:
            return max(wait_s, _LOOK_FOR_WARMTH_S)
        return wait_s

    def begin(self, tokens: float) -> Ticket:
        """Let a call in that takes *tokens* of the quota; the first one of a cold cache goes alone for a while."""
        if not self._is_warm:
            now = self.pacer.monotonic()
            self._is_warm = self._warm_at > -math.inf  # its time is over: nobody waits for it any longer
            self._warm_at = now + WARM_UP_S
        with self._lock:
            self._under_way += 1
        return self.pacer.begin(tokens)

    def ask(self, instructions: str, message: str, mode: OutputMode, max_tokens: int, ticket: Ticket) -> Reply:
        """Make the call that *ticket* has let in, and tell the pacer how it ended. Errors: those of `Judge.ask`."""
        is_answered = False
        try:
            reply = self.judge.ask(instructions, message, mode, max_tokens)
            is_answered = True
        except Throttled:
            self.pacer.refused(ticket)
            raise
        except ModelBusy:
            self.pacer.unavailable(ticket)
            raise
        except ReplyLost:
            self.pacer.lost()
            raise
        except BaseException:
            self.pacer.unused(ticket)
            raise
        finally:
            with self._lock:
                self._under_way -= 1
            self._is_warm |= is_answered
            self._warm_at = -math.inf  # answered: all may go; not answered: the next call is the first one
        usage = reply.usage
        used_tokens = self.pacer.quota.tokens(usage.input_tokens + usage.cache_write_tokens, usage.output_tokens)
        self.pacer.accepted(ticket, used_tokens)
        return reply


class Spread:
    """The turnstile that every model call of a task goes through; safe for threads."""

    def __init__(self, lanes: Iterable[Lane]) -> None:
        self.lanes = tuple(lanes)
        self._open, self._lock = list(self.lanes), threading.Lock()
        self._begun = self._waiting = 0

    @classmethod
    def over(cls, ways: Sequence[Way], clock: Clock, instruction_tokens: float) -> Self:
        """Return the spread over *ways*, at the prices of today. Errors: SetupError when a model has none."""
        return cls(
            Lane(
                way.name,
                way.judge,
                Pacer(way.quota, clock.monotonic, clock.sleep, clock.uniform),
                way.model.price(clock.now().date()),
                is_warm=way.model.cache_min_tokens is None or instruction_tokens < way.model.cache_min_tokens,
            )
            for way in ways
        )

    def share(self, share: float) -> None:
        """Use this part (0 to 1) of each quota from now on; with 0, calls wait."""
        for lane in self.lanes:
            lane.pacer.share(share)

    def part_for(self, calls: int, seconds: float) -> float:
        """Return the part of the quotas with which *calls* like the last one can be begun within *seconds*."""
        parts = [lane.pacer.part_for(calls, seconds) for lane in self._open]
        return 1 / sum(1 / part for part in parts) if len(parts) > 1 else sum(parts)

    def acquire(
        self,
        input_tokens: float,
        max_tokens: int,
        is_stopped: Callable[[], bool],
        refused_by: Collection[Lane] = (),
    ) -> tuple[Lane, Ticket] | None:
        """
        Wait until a call may start, and return where; None when *is_stopped* says so first, or no route is left.

        Shape: it goes to one of *refused_by* only where the others would take long. `Lane.ask` gives the ticket back.
        """
        place: int | None = None
        while not is_stopped():
            with self._lock:
                if not self._open:
                    break
                lane, wait_s = self._soonest(refused_by)
                if wait_s <= 0:
                    self._waiting -= place is not None
                    self._begun += 1
                    return lane, lane.begin(lane.pacer.quota.tokens(input_tokens, max_tokens))
                if place is None:
                    place = self._begun + self._waiting
                    self._waiting += 1
                # Who is not the next comes back when it is his turn: all would ask for the one place that is free.
                wait_s += max(0, place - self._begun) / sum(each.pacer.per_second() for each in self._open)
            lane.pacer.sleep(min(wait_s, LOOK_AGAIN_S))
        with self._lock:
            self._waiting -= place is not None
        return None

    def _soonest(self, refused_by: Collection[Lane]) -> tuple[Lane, float]:
        waits = {lane: lane.wait_s() for lane in self._open}
        others = {lane: wait_s for lane, wait_s in waits.items() if lane not in refused_by}
        if others and min(others.values()) <= LOOK_AGAIN_S:
            waits = others
        # Of those that are free now, the one with the least to do: a slow one would get hold of all calls in flight.
        lane = min(waits, key=lambda each: (max(0.0, waits[each]), each.load, waits[each]))
        return lane, waits[lane]

    def most_micro_usd(self, input_bytes: int, max_tokens: int) -> int:
        """Return the most that a call can cost: a token is at least a byte, and a cached prefix is dear to write."""
        plain, written = Usage(input_bytes, max_tokens), Usage(cache_write_tokens=input_bytes, output_tokens=max_tokens)
        return max(cost_micro_usd(usage, lane.price) for usage in (plain, written) for lane in self.lanes)

    def close(self, lane: Lane, why: ChatCensusError) -> bool:
        """Send no more calls to *lane*; False when no other is left to send them to."""
        with self._lock:
            is_news = lane in self._open
            if is_news:
                self._open.remove(lane)
            is_left = bool(self._open)
        if is_news and is_left:
            log.warning("route %s is out for this task, the others go on: %s", lane.name, why)
        return is_left

    def is_refused_by(self, lanes: Collection[Lane]) -> bool:
        """Tell whether every route that is open is one of *lanes*."""
        with self._lock:
            return all(lane in lanes for lane in self._open)

    def silent_s(self) -> float:
        """Return for how long no route has answered a call; 0 where one has not been tried."""
        return min((lane.pacer.silent_s() for lane in self._open), default=0.0)
