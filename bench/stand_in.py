"""
Bedrock Converse for benchmarks alone: a quota, a latency, a few faults, and counters; one process, one core, no TLS.

It serves more than 1,000 calls a second, so that it is never what is measured. Which call of which conversation fails,
and how long it takes, is drawn from the seed, the conversation and the number of the call: every contender meets the
same faults, whatever its order.

    python -m bench.stand_in --requests-per-minute 1000 --tokens-per-minute 2000000 --scale 10
"""

import argparse
import asyncio
import contextlib
import json
import math
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from bench.quota import Quota, SlidingMinute

_CONVERSATION = re.compile(rb"conversation number (\d+)")
_LATENCY_SIGMA = 0.35
OUTPUT_TOKENS = 40
_LENGTH = re.compile(rb"(?i)\r\ncontent-length:\s*(\d+)")
_REASONS = {200: "OK", 404: "Not Found", 429: "Too Many Requests", 500: "Internal", 503: "Unavailable"}
_ERRORS = {
    429: ("ThrottlingException", "Too many requests, please wait before trying again."),
    500: ("InternalServerException", "The system encountered an unexpected error."),
    503: ("ServiceUnavailableException", "The service is not available for the moment."),
}
_WHOLE = ("burndown", "seed", "records")
Send = Callable[[int, dict[str, Any]], None]


@dataclass(frozen=True)
class Behaviour:
    """
    How the stand-in behaves.

    Units: *latency_s* is the median in quota seconds; *broken*, *errors*, *resets* and *taken* are parts of 1: of the
    calls let in, and for *taken* of the quota, which another application uses.
    """

    requests_per_minute: float = 1000
    tokens_per_minute: float = 2_000_000
    depth_s: float = 6
    burndown: int = 5
    latency_s: float = 2.3
    broken: float = 0.02
    errors: float = 0.01
    resets: float = 0.005
    taken: float = 0
    seed: int = 1
    scale: float = 1
    records: int = 0


@dataclass(frozen=True)
class _Call:
    """One call that was let in, and what becomes of it; *kind* (0 to 1) is drawn for the kind of its fault."""

    conversation: bytes
    request: dict[str, Any]
    input_tokens: int
    reserved_tokens: float
    used_tokens: int
    fate: str
    kind: float
    latency_s: float
    is_paid: bool


class StandIn:
    """Answers calls and counts them. *now* gives quota seconds, *later* runs a function after so many of them."""

    def __init__(
        self, behaviour: Behaviour, now: Callable[[], float], later: Callable[[float, Callable[[], None]], object]
    ) -> None:
        self.behaviour, self._now, self._later = behaviour, now, later
        left = 1 - behaviour.taken
        self._quota = Quota(behaviour.requests_per_minute * left, behaviour.tokens_per_minute * left, behaviour.depth_s)
        self._counts: Counter[str] = Counter()
        self._calls: Counter[bytes] = Counter()
        self._valid: set[bytes] = set()
        self._requests_minute, self._tokens_minute = SlidingMinute(), SlidingMinute()
        self._first = self._last = math.nan
        self._all_begun: tuple[float, int, float] | None = None

    def converse(self, body: bytes, send: Send, reset: Callable[[], None]) -> None:
        """Answer one call through *send*, now or after its latency, or end its connection through *reset*."""
        now = self._now()
        if math.isnan(self._first):
            self._first = now
        self._counts["requests"] += 1
        self._requests_minute.add(now, 1)
        request = json.loads(body)
        input_tokens = _input_tokens(request)
        reserved = input_tokens + request.get("inferenceConfig", {}).get("maxTokens", 64_000) * self.behaviour.burndown
        if not self._quota.admit(now, reserved):
            self._counts["refused"] += 1
            send(429, {})
            return
        self._counts["admitted"] += 1
        self._tokens_minute.add(now, reserved)
        named = _CONVERSATION.search(body)
        conversation = named[1] if named else b"?"
        self._calls[conversation] += 1
        call = self._call(conversation, request, input_tokens, reserved)
        self._counts["quota_tokens"] += call.used_tokens
        self._note_begun(now)
        if call.latency_s:
            self._later(call.latency_s, lambda: self._end(call, send, reset))
        else:
            self._end(call, send, reset)

    def _end(self, call: _Call, send: Send, reset: Callable[[], None]) -> None:
        self._last = self._now()
        self._quota.settle(self._last, call.reserved_tokens, call.used_tokens)
        self._tokens_minute.add(self._last, call.used_tokens - call.reserved_tokens)
        self._counts["tokens_paid"] += (call.input_tokens + OUTPUT_TOKENS) if call.is_paid else 0
        self._counts[call.fate] += 1
        if call.fate == "reset":
            reset()
            return
        if call.fate == "error":
            send(500 if call.kind < 0.5 else 503, {})
            return
        if call.fate == "valid":
            self._counts["paid_again"] += call.conversation in self._valid
            self._valid.add(call.conversation)
        send(200, _reply(call))

    def _call(self, conversation: bytes, request: dict[str, Any], input_tokens: int, reserved_tokens: float) -> _Call:
        """Draw what becomes of this call of this conversation."""
        behaviour = self.behaviour
        drawn = random.Random(f"{behaviour.seed}/{conversation!r}/{self._calls[conversation]}")
        latency_s = behaviour.latency_s * math.exp(drawn.gauss(0, _LATENCY_SIGMA)) if behaviour.latency_s else 0.0
        lot, kind = drawn.random(), drawn.random()
        fates = {"broken": behaviour.broken, "error": behaviour.errors, "reset": behaviour.resets, "valid": 1.0}
        fate = next(name for name, until in zip(fates, accumulate(fates.values()), strict=True) if lot < until)
        is_paid = fate in ("valid", "broken") or (
            fate == "reset" and kind < 0.5
        )  # half of the resets lose a paid reply
        used = input_tokens + OUTPUT_TOKENS * behaviour.burndown if is_paid else 0
        return _Call(conversation, request, input_tokens, reserved_tokens, used, fate, kind, latency_s, is_paid)

    def _note_begun(self, now: float) -> None:
        """Remember the moment when the last conversation was begun: until then, work for the whole rate was there."""
        if self._all_begun is None and self.behaviour.records and len(self._calls) >= self.behaviour.records:
            self._all_begun = now, self._counts["admitted"], self._counts["quota_tokens"]

    def stats(self) -> dict[str, float]:
        """Return the counters; `share_used` is the part of the rate that was used while work remained."""
        behaviour = self.behaviour
        until, admitted, tokens = self._all_begun or (
            self._last, self._counts["admitted"], self._counts["quota_tokens"]
        )  # fmt: skip
        seconds = until - self._first
        share = 0.0
        if seconds > 0 and math.isfinite(behaviour.requests_per_minute):
            share = max(
                admitted / (self._quota.requests.per_second * seconds),
                tokens / (self._quota.tokens.per_second * seconds),
            )
        names = [
            "requests",
            "refused",
            "admitted",
            "valid",
            "broken",
            "error",
            "reset",
            "quota_tokens",
            "tokens_paid",
            "paid_again",
        ]
        return {name: self._counts[name] for name in names} | {
            "conversations": len(self._valid),
            "most_requests_a_minute": self._requests_minute.most,
            "most_tokens_a_minute": self._tokens_minute.most,
            "share_used": share,
            "seconds": self._last - self._first,
        }


def _input_tokens(request: dict[str, Any]) -> int:
    """Return a quarter of the characters of instructions, messages and tool (the texts of the bench are ASCII)."""
    blocks = [*request.get("system", []), *(block for message in request["messages"] for block in message["content"])]
    characters = sum(len(block.get("text", "")) for block in blocks)
    tools = request.get("toolConfig", {}).get("tools", [])
    return (characters + sum(len(str(tool)) for tool in tools)) // 4


def _reply(call: _Call) -> dict[str, Any]:
    """Return a valid reply, or one that is broken in one of three ways: score, category, or prose."""
    answer: dict[str, Any] = {"category": "coding", "inquiry_score": 3}
    fault = int(call.kind * 3) if call.fate == "broken" else None
    if fault == 0:
        answer["inquiry_score"] = 6
    elif fault == 1:
        answer["category"] = "gardening"
    is_prose = fault == 2
    tools = call.request.get("toolConfig", {}).get("tools", [])
    names = [tool["toolSpec"]["name"] for tool in tools if "toolSpec" in tool]
    block: dict[str, Any] = {"text": "I would call this coding." if is_prose else json.dumps(answer)}
    if names and not is_prose:
        block = {"toolUse": {"toolUseId": "tooluse_bench", "name": names[0], "input": answer}}
    return {
        "output": {"message": {"role": "assistant", "content": [block]}},
        "stopReason": "tool_use" if "toolUse" in block else "end_turn",
        "usage": {
            "inputTokens": call.input_tokens,
            "outputTokens": OUTPUT_TOKENS,
            "totalTokens": call.input_tokens + OUTPUT_TOKENS,
        },
        "metrics": {"latencyMs": 1},
    }


class Connection(asyncio.Protocol):
    """One connection: requests one after the other, bodies with a length."""

    def __init__(self, stand_in: StandIn) -> None:
        self._stand_in, self._buffer = stand_in, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        """Answer each request that is complete."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end]
            length = _LENGTH.search(head)
            size = end + 4 + (int(length[1]) if length else 0)
            if len(self._buffer) < size:
                return
            body, self._buffer = self._buffer[end + 4 : size], self._buffer[size:]
            self._answer(head.split(b" ", 2)[1], body)

    def _answer(self, path: bytes, body: bytes) -> None:
        if path == b"/stats":
            self._send(200, self._stand_in.stats())
        elif path.endswith(b"/converse"):
            self._stand_in.converse(body, self._send, self._transport.abort)
        else:
            self._send(404, {"message": "only /model/<id>/converse and /stats are here"})

    def _send(self, status: int, content: dict[str, Any]) -> None:
        if self._transport.is_closing():
            return
        kind, message = _ERRORS.get(status, ("", ""))
        payload = json.dumps({"message": message} if kind else content).encode()
        error = f"x-amzn-ErrorType: {kind}\r\n" if kind else ""
        head = f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: application/json\r\n{error}"
        self._transport.write(f"{head}Content-Length: {len(payload)}\r\n\r\n".encode() + payload)


async def serve(behaviour: Behaviour, port: int) -> None:
    """Serve for ever; the first line on stdout is the port."""
    loop, scale, started = asyncio.get_running_loop(), behaviour.scale, time.monotonic()
    stand_in = StandIn(
        behaviour,
        now=lambda: (time.monotonic() - started) * scale,
        later=lambda seconds, work: loop.call_later(seconds / scale, work),
    )
    server = await loop.create_server(lambda: Connection(stand_in), "127.0.0.1", port, backlog=1024)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


def main() -> None:
    """Read the behaviour from the command line and serve."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip().split("\n")[0])
    parser.add_argument("--port", type=int, default=0)
    for name, default in vars(Behaviour()).items():
        parser.add_argument(
            f"--{name.replace('_', '-')}", type=type(default) if name in _WHOLE else float, default=default
        )
    arguments = vars(parser.parse_args())
    port = arguments.pop("port")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(Behaviour(**arguments), port))


if __name__ == "__main__":
    main()
