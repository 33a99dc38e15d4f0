"""
Bedrock's Converse, answered by a small keyword model that says so.

Every reply names `stand-in` as the model behind it (`trace.promptRouter.invokedModelId`), so that nobody takes it for
Claude. Texts are read, judged and forgotten: they are never logged.
"""

import html
import json
import math
import random
import re
import threading
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from local_aws.aws_error import AwsError

STAND_IN = "stand-in"
# Past their end of life on Bedrock: a call answers 404. Source: model lifecycle page, 2026-11.
_ENDED = re.compile(r"(^|\.)anthropic\.claude-(v2|instant|3-(haiku|sonnet|opus)-|3-5-)")
_ENVELOPE = re.compile(r"<conversation-([0-9a-f]{16})>(.*?)</conversation-\1>", re.DOTALL)
_TURN = re.compile(r'<turn role="([a-z]+)">(.*?)</turn>', re.DOTALL)
# Spread of the log-normal latency; the median is the caller's choice.
_LATENCY_SIGMA = 0.35
# Characters a token, roughly: English text runs near 4, Japanese near 1.1.
_ASCII_A_TOKEN = 4
_OTHERS_A_TOKEN = 1.1

Judge = Callable[[list[tuple[str, str]]], tuple[str, int]]


class BedrockStandIn:
    """
    Answer Converse requests.

    Units: *latency_s* is the median in seconds of a log-normal draw from a generator seeded with *seed*; 0 means none.
    """

    def __init__(
        self,
        *,
        judge: Judge | None = None,
        latency_s: float = 0.0,
        seed: int = 1,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._judge = judge or _keyword_model()
        self._latency_s = latency_s
        self._random = random.Random(seed)  # noqa: S311  a latency is no secret
        self._sleep = sleep
        self._lock = threading.Lock()

    def converse(self, model_id: str, body: dict[str, Any]) -> dict[str, Any]:
        """
        Return the reply to one Converse request.

        Raises: AwsError as Bedrock would: ValidationException, ResourceNotFoundException.
        """
        with self._lock:
            latency_s = self._latency_s * math.exp(self._random.gauss(0, _LATENCY_SIGMA))
        check_request(model_id, body)
        category, score = self._judge(read_turns(body))
        if latency_s:
            self._sleep(latency_s)
        return _reply(body, {"category": category, "inquiry_score": score}, latency_s)


def estimated_tokens(text: str) -> int:
    """Return a rough count of tokens: ASCII characters / 4 plus all others / 1.1, at least 1."""
    plain = len(text.encode("ascii", "ignore"))
    return max(1, math.ceil(plain / _ASCII_A_TOKEN + (len(text) - plain) / _OTHERS_A_TOKEN))


def _keyword_model() -> Judge:
    from local_aws.keyword_model import judge

    return judge


def check_request(model_id: str, body: dict[str, Any]) -> None:
    """Raise AwsError (ValidationException, ResourceNotFoundException) where Bedrock refuses the request as it is."""
    if _ENDED.search(model_id):
        raise AwsError("ResourceNotFoundException", "This model version has reached the end of its life.", 404)
    messages = body.get("messages") or []
    if not messages or messages[0].get("role") != "user":
        raise AwsError("ValidationException", "A conversation must start with a user message.")
    for place, blocks in [("system", body.get("system") or [])] + [
        (f"messages.{number}.content", message.get("content") or []) for number, message in enumerate(messages)
    ]:
        for number, block in enumerate(blocks):
            if "text" in block and not block["text"].strip():
                raise AwsError(
                    "ValidationException", f"The text field in the ContentBlock object at {place}.{number} is blank."
                )
    max_tokens = body.get("inferenceConfig", {}).get("maxTokens")
    if max_tokens is not None and max_tokens < 1:
        raise AwsError("ValidationException", f"maxTokens must be 1 or more, not {max_tokens}")


def read_turns(body: dict[str, Any]) -> list[tuple[str, str]]:
    """Read the conversation out of its envelope, unescaped; a text without one counts as one turn of the user."""
    text = "\n".join(block["text"] for block in body["messages"][-1]["content"] if "text" in block)
    envelope = _ENVELOPE.search(text)
    if not envelope:
        return [("user", text)]
    return [(role, html.unescape(escaped)) for role, escaped in _TURN.findall(envelope.group(2))]


def _reply(body: dict[str, Any], answer: dict[str, Any], latency_s: float) -> dict[str, Any]:
    tool = _forced_tool(body)
    text = json.dumps(answer, ensure_ascii=False)
    content = {"toolUse": {"toolUseId": f"tooluse_{uuid4().hex[:22]}", "name": tool, "input": answer}}
    input_tokens, output_tokens = estimated_tokens(request_text(body)), estimated_tokens(text)
    return {
        "output": {"message": {"role": "assistant", "content": [content if tool else {"text": text}]}},
        "stopReason": "tool_use" if tool else "end_turn",
        "usage": {
            "inputTokens": input_tokens,
            "outputTokens": output_tokens,
            "totalTokens": input_tokens + output_tokens,
            "cacheReadInputTokens": 0,
            "cacheWriteInputTokens": 0,
        },
        "metrics": {"latencyMs": round(latency_s * 1000)},
        "trace": {"promptRouter": {"invokedModelId": STAND_IN}},
    }


def _forced_tool(body: dict[str, Any]) -> str | None:
    config = body.get("toolConfig") or {}
    choice = config.get("toolChoice") or {}
    if "tool" in choice:
        return str(choice["tool"]["name"])
    if "any" in choice:
        return str(config["tools"][0]["toolSpec"]["name"])
    return None


def request_text(body: dict[str, Any]) -> str:
    """Return all that the model reads of a request: instructions, messages, tools."""
    blocks = [*(body.get("system") or []), *(block for message in body["messages"] for block in message["content"])]
    tools = (body.get("toolConfig") or {}).get("tools")
    return "".join(block.get("text", "") for block in blocks) + (json.dumps(tools) if tools else "")
