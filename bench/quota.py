"""
The quota of the stand-in: a token bucket for requests and one for tokens, and what a sliding minute has seen.

All times are quota seconds: real seconds times the scale of the run. Source: the Bedrock user guide on token burndown.
"""

import math
from collections import deque


class Bucket:
    """
    A rate with a burst: *depth_s* seconds of *per_minute* may be used at once, and no more.

    Units: *per_minute* and amounts are requests, or tokens. The bucket is full at the start.
    """

    def __init__(self, per_minute: float, depth_s: float) -> None:
        self.per_second, self.size = per_minute / 60, per_minute / 60 * depth_s
        self._level, self._filled_at = self.size, 0.0

    def level(self, now: float) -> float:
        """Return what may be taken at *now*; below 0 when calls have settled for more than they reserved."""
        if math.isinf(self.size):
            return math.inf
        self._level = min(self.size, self._level + (now - self._filled_at) * self.per_second)
        self._filled_at = now
        return self._level

    def add(self, now: float, amount: float) -> None:
        """Give back *amount*, or take it when it is below 0."""
        self._level = min(self.size, self.level(now) + amount)


class Quota:
    """Requests and tokens together: a call is let in when both have room for its reservation, or takes neither."""

    def __init__(self, requests_per_minute: float, tokens_per_minute: float, depth_s: float) -> None:
        self.requests, self.tokens = Bucket(requests_per_minute, depth_s), Bucket(tokens_per_minute, depth_s)

    def admit(self, now: float, reserved_tokens: float) -> bool:
        """Take one request and *reserved_tokens*; False, and nothing taken, when either is not there."""
        if self.requests.level(now) < 1 or self.tokens.level(now) < reserved_tokens:
            return False
        self.requests.add(now, -1)
        self.tokens.add(now, -reserved_tokens)
        return True

    def settle(self, now: float, reserved_tokens: float, used_tokens: float) -> None:
        """Give back what was reserved and not used."""
        self.tokens.add(now, reserved_tokens - used_tokens)


class SlidingMinute:
    """The most that any 60 seconds in a row have seen."""

    def __init__(self) -> None:
        self.most = self._sum = 0.0
        self._seen: deque[tuple[float, float]] = deque()

    def add(self, now: float, amount: float) -> None:
        """Count *amount* at *now*, below 0 what is given back; times never go back."""
        while self._seen and self._seen[0][0] <= now - 60:
            self._sum -= self._seen.popleft()[1]
        self._seen.append((now, amount))
        self._sum += amount
        self.most = max(self.most, self._sum)
