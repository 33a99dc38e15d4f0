"""
Which part of a prompt is written to the cache, read from it, or neither, as Bedrock bills it.

A prefix ends at a cachePoint and covers all before it: tools, then instructions, then messages. It is written by the
first call that has it and read by later ones until nobody has for its time to live. Below the model's minimum a point
is ignored without a word. Claude also finds a prefix that an earlier call marked up to 20 blocks before a point.
Source: https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html and API_runtime_TokenUsage.html.
"""

import hashlib
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from local_aws.bedrock.converse_rules import blocks_of
from local_aws.bedrock.models import FoundationModel
from local_aws.bedrock.tokens import TokenCount

_TTL_S = {"5m": 300.0, "1h": 3600.0}
_BLOCKS_LOOKED_BACK = 20
_MOST_ENTRIES = 10_000


@dataclass(frozen=True)
class _Prefix:
    """A prompt up to the end of a block; *ttl* where a cachePoint follows."""

    key: bytes
    tokens: int
    ttl: str | None


@dataclass(frozen=True)
class CachedTokens:
    """
    What one call reads from the cache, and what it will write once it is answered.

    Units: tokens; *written* by time to live, the longer first.
    """

    read: int = 0
    written: dict[str, int] = field(default_factory=dict)
    refreshed: dict[bytes, str] = field(default_factory=dict)

    def usage(self, input_tokens: int, output_tokens: int) -> dict[str, Any]:
        """Return Bedrock's `usage`: its inputTokens are those which the cache has no part in, its total has all."""
        written = sum(self.written.values())
        usage = {
            "inputTokens": input_tokens - self.read - written,
            "outputTokens": output_tokens,
            "totalTokens": input_tokens + output_tokens,
            "cacheReadInputTokens": self.read,
            "cacheWriteInputTokens": written,
        }
        if written:
            usage["cacheDetails"] = [{"ttl": ttl, "inputTokens": tokens} for ttl, tokens in self.written.items()]
        return usage


class PromptCache:
    """The prefixes that are kept, on the caller's clock (seconds); safe for threads."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._until: dict[bytes, float] = {}
        self._lock = threading.Lock()

    def look_up(self, model: FoundationModel, where: str, body: dict[str, Any]) -> CachedTokens:
        """
        Return what a call finds; nothing is kept before `keep`, because a prefix is there once it is answered.

        Shape: *where* names whose cache it is: the profile, the Region and the account.
        """
        if model.cache_min_tokens is None or not any("cachePoint" in block for _, block in blocks_of(body)):
            return CachedTokens()
        prefixes = _prefixes(where, body)
        points = [
            number for number, prefix in enumerate(prefixes) if prefix.ttl and prefix.tokens >= model.cache_min_tokens
        ]
        back = _BLOCKS_LOOKED_BACK if model.provider != "Amazon" else 0
        candidates = {number for point in points for number in range(max(0, point - back), point + 1)}
        now = self._now()
        with self._lock:
            found = max((n for n in candidates if self._until.get(prefixes[n].key, 0.0) > now), default=-1)
        read = prefixes[found].tokens if found >= 0 else 0
        written, before = dict.fromkeys(sorted({str(prefixes[n].ttl) for n in points if n > found}), 0), read
        for number in points:
            if number > found:
                written[str(prefixes[number].ttl)] += prefixes[number].tokens - before
                before = prefixes[number].tokens
        kept = {prefixes[number].key: str(prefixes[number].ttl) for number in points}
        if found >= 0:
            kept.setdefault(prefixes[found].key, "5m")
        return CachedTokens(read, written, kept)

    def keep(self, tokens: CachedTokens) -> None:
        """Keep what a call wrote, and what it read for as long again."""
        if not tokens.refreshed:
            return
        now = self._now()
        with self._lock:
            for key, ttl in tokens.refreshed.items():
                self._until[key] = max(self._until.get(key, 0.0), now + _TTL_S[ttl])
            if len(self._until) > _MOST_ENTRIES:
                self._until = {key: until for key, until in self._until.items() if until > now}


def _prefixes(where: str, body: dict[str, Any]) -> list[_Prefix]:
    """Return a prefix for each block but the cachePoints, which mark the one before them."""
    hashed, tokens, prefixes = hashlib.sha256(where.encode()), TokenCount(), list[_Prefix]()
    is_in_messages = False
    for place, block in blocks_of(body):
        if "cachePoint" in block:
            if prefixes:
                last = prefixes[-1]
                prefixes[-1] = _Prefix(last.key, last.tokens, block["cachePoint"].get("ttl", "5m"))
            continue
        if place.startswith("messages") and not is_in_messages:
            # Another choice of the tool or of thinking leaves only what stands before the messages as it was.
            is_in_messages = True
            choice = (body.get("toolConfig") or {}).get("toolChoice")
            hashed.update(json.dumps([choice, body.get("additionalModelRequestFields")], sort_keys=True).encode())
        hashed.update(json.dumps([place, block], sort_keys=True).encode())
        tokens.add(block)
        prefixes.append(_Prefix(hashed.digest(), tokens.total, None))
    return prefixes
