"""An account's quota for one model, as a bucket that fills evenly: what does not fit is refused."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

# What a call without `maxTokens` reserves: a model's whole output.
_UNSET_MAX_TOKENS = 64_000


@dataclass(frozen=True)
class Quota:
    """
    Say what may be used.

    Units: requests and tokens a minute (None: no limit); *burndown* tokens of quota for a token of output; *depth_s*
    seconds of quota in a full bucket. Another application takes *other_share* (0 to 1) of what flows in, from
    *other_from* until *other_until*, in seconds since the plan was set.
    """

    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    burndown: int = 1
    depth_s: float = 6.0
    other_share: float = 0.0
    other_from: float = 0.0
    other_until: float = float("inf")

    def __post_init__(self) -> None:
        for name in ("requests_per_minute", "tokens_per_minute"):
            rate = getattr(self, name)
            if rate is not None and rate <= 0:
                raise ValueError(f"{name} must be more than 0, not {rate}")
        if not 0 <= self.other_share <= 1:
            raise ValueError(f"other_share must lie between 0 and 1, not {self.other_share}")

    def reservation(self, input_tokens: int, body: Mapping[str, Any]) -> int:
        """Return what a request takes when it starts, in tokens of quota."""
        max_tokens = (body.get("inferenceConfig") or {}).get("maxTokens", _UNSET_MAX_TOKENS)
        return int(input_tokens + max_tokens * self.burndown)

    def used(self, usage: Mapping[str, int]) -> int:
        """Return what a reply has used, in tokens of quota: what was read from the cache is free."""
        return usage["inputTokens"] + usage.get("cacheWriteInputTokens", 0) + usage["outputTokens"] * self.burndown


class Bucket:
    """The quota that is left, on the caller's clock (seconds since the plan was set); not safe for threads."""

    def __init__(self, quota: Quota, now: Callable[[], float]) -> None:
        self.quota, self._now, self._filled_at = quota, now, now()
        self._requests, self._tokens = self._depth(quota.requests_per_minute), self._depth(quota.tokens_per_minute)

    def take(self, tokens: float) -> bool:
        """Take one request and *tokens* out; False, and nothing taken, when they are not there."""
        self._fill()
        if self._requests < 1 or self._tokens < tokens:
            return False
        self._requests -= 1
        self._tokens -= tokens
        return True

    def give_back(self, tokens: float) -> None:
        """Put back what was reserved and not used; a negative number takes more."""
        self._fill()
        self._tokens = min(self._depth(self.quota.tokens_per_minute), self._tokens + tokens)

    def _fill(self) -> None:
        quota, since, now = self.quota, self._filled_at, self._now()
        shared_s = max(0.0, min(now, quota.other_until) - max(since, quota.other_from))
        ours_s = now - since - shared_s * quota.other_share
        self._filled_at = now
        self._requests = self._filled(self._requests, quota.requests_per_minute, ours_s)
        self._tokens = self._filled(self._tokens, quota.tokens_per_minute, ours_s)

    def _filled(self, level: float, per_minute: float | None, seconds: float) -> float:
        return level if per_minute is None else min(self._depth(per_minute), level + per_minute / 60 * seconds)

    def _depth(self, per_minute: float | None) -> float:
        # A bucket that holds less than one request would refuse for ever.
        return float("inf") if per_minute is None else max(1.0, per_minute / 60 * self.quota.depth_s)
