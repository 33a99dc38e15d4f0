"""
Pace the calls of one process: its share of the account's quota of requests and tokens a minute, filled and not passed.

Bedrock reserves a call's input and its whole `maxTokens` when it starts and settles what was used when it ends, so a
call takes its reservation here too and gives back the difference. Sources: the Bedrock user guide on quotas and token
burndown; the limiter is the virtual scheduling algorithm of ITU-T I.371, with a rate that learns from refusals.
"""

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass

# What a run may use in a minute where nobody says otherwise: 80 % of a usual quota.
REQUESTS_PER_MINUTE, TOKENS_PER_MINUTE = 800, 1_600_000
# A thread that wakes late may catch up this much, and calls may come closer together on their way; the rate is lower by
# what both could add to a sliding minute.
CATCH_UP_S, ON_THE_WAY_S = 0.15, 0.1
HEADROOM = 1 - (CATCH_UP_S + ON_THE_WAY_S) / 60
# A refusal cuts the rate to the part that was accepted lately; then it rises again, so that freed quota is found.
KEPT, LEAST_KEPT, LEAST_RATE, RISE_PER_S, STEADY_S = 0.98, 0.5, 0.02, 0.01, 10.0
FEW = 20
# So many failures without one answer are a storm: then one call at a time tries, after a pause with full jitter.
STORM, FIRST_PAUSE_S, LONGEST_PAUSE_S = 5, 1.0, 20.0
LOOK_AGAIN_S = 0.5


@dataclass(frozen=True)
class Quota:
    """
    What may be used in a minute, over all tasks of all runs together.

    Units: requests and tokens a minute, both more than 0; *burndown* tokens of quota for one output token.
    """

    requests_per_minute: float
    tokens_per_minute: float
    burndown: int = 1

    def tokens(self, input_tokens: float, output_tokens: float) -> float:
        """Return what a call with so many tokens takes of the quota of tokens."""
        return input_tokens + output_tokens * self.burndown


@dataclass(frozen=True)
class Ticket:
    """One call that was let in: when, and how many tokens of quota it took."""

    started: float
    tokens: float


class Pacer:
    """How fast calls may go to one place; safe for threads. *sleep* is how those wait who may not begin yet."""

    def __init__(
        self,
        quota: Quota,
        monotonic: Callable[[], float],
        sleep: Callable[[float], None],
        uniform: Callable[[float, float], float],
    ) -> None:
        self.quota, self.monotonic, self.sleep, self._uniform = quota, monotonic, sleep, uniform
        self._lock = threading.Lock()
        self._share = self._cut = self._steady_cut = 1.0
        self._requests_at = self._tokens_at = self._cut_at = self._risen_at = -math.inf
        self._accepted = self._refused = self._in_a_row = 0
        self._resume_at, self._is_probing = -math.inf, False
        self._answered_at, self._last_tokens = math.inf, 0.0

    def share(self, share: float) -> None:
        """Use this part (0 to 1) of the quota from now on; with 0, calls wait."""
        with self._lock:
            now, old = self.monotonic(), self._share
            if share > 0 and old > 0:  # what lies ahead was measured at the old rate
                self._requests_at = now + (self._requests_at - now) * min(1.0, old / share)
                self._tokens_at = now + (self._tokens_at - now) * min(1.0, old / share)
            self._share = share

    def part_for(self, calls: int, seconds: float) -> float:
        """Return the part of the quota with which *calls* like the last one can be begun within *seconds*."""
        quota, last = self.quota, self._last_tokens
        minutes = seconds / 60 * self._cut
        return max(calls / quota.requests_per_minute, calls * last / quota.tokens_per_minute) / minutes

    def wait_s(self) -> float:
        """Return in how many seconds a call may begin; 0 or less: now."""
        with self._lock:
            return self._wait_s(self.monotonic())

    def begin(self, tokens: float) -> Ticket:
        """
        Let a call in that takes *tokens* of the quota, when `wait_s` says so.

        Every ticket must be given back by `accepted`, `refused`, `unavailable`, `lost` or `unused`.
        """
        with self._lock:
            return self._let_in(self.monotonic(), tokens)

    def per_second(self) -> float:
        """Return how many calls a second the quota of requests lets in now; endless where there is no share."""
        with self._lock:
            apart_s = self._seconds(1, self.quota.requests_per_minute)
        return 1 / apart_s if apart_s else math.inf

    def silent_s(self) -> float:
        """Return for how long the model has answered no call, counted from the first; 0 before any call."""
        with self._lock:
            return max(0.0, self.monotonic() - self._answered_at)

    def accepted(self, ticket: Ticket, used_tokens: float) -> None:
        """Note a call that the model answered, and give back what it did not use."""
        with self._lock:
            self._give_back(ticket.tokens - used_tokens)
            self._accepted += 1
            now = self._answered_at = self.monotonic()
            if self._in_a_row >= STORM:
                self._cut = self._steady_cut  # what came before the storm is what comes after it
            self._in_a_row, self._is_probing, self._resume_at = 0, False, -math.inf
            self._cut = min(1.0, self._cut * (1 + RISE_PER_S * min(1.0, now - self._risen_at)))
            self._risen_at = now
            if now - self._cut_at > STEADY_S:
                self._steady_cut = self._cut

    def refused(self, ticket: Ticket) -> None:
        """Note a call that the model refused for lack of quota: slow down; in a storm, pause and try one at a time."""
        with self._lock:
            now = self.monotonic()
            self._give_back(ticket.tokens)
            self._refused += 1
            self._failed(now)
            # Calls that were under way at the last cut say nothing new, and a storm says nothing of the rate.
            if self._in_a_row < STORM and ticket.started > self._cut_at:
                # Few calls prove little: as if FEW had been accepted besides.
                kept = max(LEAST_KEPT, (self._accepted + FEW) / (self._accepted + FEW + self._refused))
                self._cut = max(LEAST_RATE, self._cut * kept * KEPT)
                self._cut_at = self._risen_at = now
                self._accepted = self._refused = 0

    def unavailable(self, ticket: Ticket) -> None:
        """Note a call that the model could not take, whatever the quota: only a storm of them is waited out."""
        with self._lock:
            self._give_back(ticket.tokens)
            self._failed(self.monotonic())

    def lost(self) -> None:
        """Note a call whose reply was lost: what it took stays taken, and a storm of them is waited out."""
        with self._lock:
            self._failed(self.monotonic())

    def unused(self, ticket: Ticket) -> None:
        """Note a call that says nothing of quota and model: it was not made, or failed for what was in it."""
        with self._lock:
            self._give_back(ticket.tokens)
            self._is_probing = False

    def _failed(self, now: float) -> None:
        self._in_a_row += 1
        if self._in_a_row >= STORM:
            self._is_probing = False
            pause_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(self._in_a_row - STORM, 10))
            self._resume_at = now + self._uniform(0, pause_s)

    def _wait_s(self, now: float) -> float:
        if self._share <= 0 or (self._in_a_row >= STORM and self._is_probing):
            return LOOK_AGAIN_S
        return max(self._resume_at, self._requests_at, self._tokens_at) - now

    def _let_in(self, now: float, tokens: float) -> Ticket:
        self._is_probing = self._in_a_row >= STORM
        self._answered_at, self._last_tokens = min(self._answered_at, now), tokens
        late = now - CATCH_UP_S
        self._requests_at = max(self._requests_at, late) + self._seconds(1, self.quota.requests_per_minute)
        self._tokens_at = max(self._tokens_at, late) + self._seconds(tokens, self.quota.tokens_per_minute)
        return Ticket(now, tokens)

    def _give_back(self, tokens: float) -> None:
        self._tokens_at -= self._seconds(tokens, self.quota.tokens_per_minute)

    def _seconds(self, amount: float, per_minute: float) -> float:
        """Return for how long our share of the quota lasts for so much of it; 0 where there is no share to go by."""
        return amount * 60 / (per_minute * self._share * self._cut * HEADROOM) if self._share > 0 else 0.0
