"""What was asked of the model and what it was paid for, told by number and never by text."""

import hashlib
import json
import threading
from collections import Counter, deque
from collections.abc import Callable
from typing import Any


def conversation_key(turns: list[tuple[str, str]]) -> str:
    """Return the name that a conversation has in the counts: the SHA-256 of its turns (role, unescaped text)."""
    return hashlib.sha256(json.dumps(turns, ensure_ascii=True).encode()).hexdigest()


class CallCounts:
    """Count the calls of all conversations; safe for threads."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._models, self._faults = Counter[str](), Counter[str]()
        self._calls, self._paid = Counter[str](), Counter[str]()
        self._places: dict[str, Counter[str]] = {}
        self._refused = 0
        self.watch(60.0)

    def watch(self, window_s: float) -> None:
        """Look for the busiest *window_s* seconds, from now on."""
        with self._lock:
            self._window, self._window_s = deque[tuple[float, int]](), window_s
            self._tokens = self._most_requests = self._most_tokens = 0

    def called(self, model_id: str, place: str = "") -> None:
        """Count a request that arrived in *place*, whatever becomes of it."""
        with self._lock:
            self._models[model_id] += 1
            self._at(place)["calls"] += 1

    def asked(self, key: str) -> None:
        """Count a well-formed request about one conversation."""
        with self._lock:
            self._calls[key] += 1

    def refused(self, place: str = "") -> None:
        """Count a 429, from the quota or from a rule."""
        with self._lock:
            self._refused += 1
            self._at(place)["refused_429"] += 1

    def faulty(self, kind: str) -> None:
        """Count a call that a rule hit."""
        with self._lock:
            self._faults[kind] += 1

    def admitted(self, tokens: int) -> None:
        """Count a call that the quota let in, with what it reserved."""
        with self._lock:
            now = self._now()
            self._window.append((now, tokens))
            self._tokens += tokens
            while self._window[0][0] <= now - self._window_s:
                self._tokens -= self._window.popleft()[1]
            self._most_requests = max(self._most_requests, len(self._window))
            self._most_tokens = max(self._most_tokens, self._tokens)

    def paid(self, key: str, place: str = "") -> None:
        """Count a reply that was made, and so is paid for, even if it never arrives."""
        with self._lock:
            self._paid[key] += 1
            self._at(place)["paid"] += 1

    def _at(self, place: str) -> Counter[str]:
        return self._places.setdefault(place, Counter(calls=0, paid=0, refused_429=0))

    def stats(self) -> dict[str, Any]:
        """Return the counts as `/_local/stats` shows them."""
        with self._lock:
            return {
                "converse_calls": sum(self._models.values()),
                "converse_calls_by_model": dict(self._models),
                "converse_paid": sum(self._paid.values()),
                "converse_conversations": len(self._calls),
                "converse_by_place": {place: dict(counts) for place, counts in self._places.items()},
                "converse_faults": dict(self._faults),
                "refused_429": self._refused,
                "most_requests_in_window": self._most_requests,
                "most_tokens_in_window": self._most_tokens,
                "window_s": self._window_s,
                "most_calls_of_one_conversation": max(self._calls.values(), default=0),
                "most_paid_of_one_conversation": max(self._paid.values(), default=0),
            }

    def by_conversation(self) -> dict[str, dict[str, int]]:
        """Return calls and paid replies of each conversation, by its key."""
        with self._lock:
            return {key: {"calls": calls, "paid": self._paid[key]} for key, calls in self._calls.items()}
