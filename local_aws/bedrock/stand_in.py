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

from local_aws.aws_error import AwsError
from local_aws.bedrock.keyword_proposals import proposals_for, theme_of
from local_aws.bedrock.model_directory import ModelDirectory
from local_aws.bedrock.models import FoundationModel
from local_aws.bedrock.prompt_cache import PromptCache
from local_aws.bedrock.replies import Reply, forced_tool, reply_of, tool_use, truncated
from local_aws.bedrock.tokens import estimated_tokens, input_tokens

STAND_IN = "stand-in"
_ENVELOPE = re.compile(r"<conversation-([0-9a-f]{16})>(.*?)</conversation-\1>", re.DOTALL)
_TURN = re.compile(r'<turn role="([a-z]+)">(.*?)</turn>', re.DOTALL)
# Spread of the log-normal latency; the median is the caller's choice.
_LATENCY_SIGMA = 0.35

Judge = Callable[[list[tuple[str, str]]], tuple[str, int]]


class BedrockStandIn:
    """
    Answer Converse requests that `ModelDirectory.check` lets through.

    Units: *latency_s* is the median in seconds of a log-normal draw from a generator seeded with *seed*; 0 means none.
    """

    def __init__(
        self,
        models: ModelDirectory | None = None,
        *,
        judge: Judge | None = None,
        latency_s: float = 0.0,
        seed: int = 1,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._models = models or ModelDirectory()
        self._judge = judge or _keyword_model()
        self._latency_s = latency_s
        self._random = random.Random(seed)  # noqa: S311  a latency is no secret
        self._sleep = sleep
        self._lock = threading.Lock()
        self._cache = PromptCache(lambda: self._models.now().timestamp())

    def converse(self, model_id: str, body: dict[str, Any], place: str = "") -> Reply:
        """
        Return the reply to one Converse request; what it caches is there for those made in the same *place*.

        Raises: AwsError as Bedrock would: ValidationException, ResourceNotFoundException.
        """
        model = self._models.resolve(model_id)
        with self._lock:
            latency_s = self._latency_s * math.exp(self._random.gauss(0, _LATENCY_SIGMA))
        tokens = input_tokens(body)
        _check_length(model, tokens)
        cached = self._cache.look_up(model, f"{place} {model_id}", body)
        answer = self._answer(body)
        if latency_s:
            self._sleep(latency_s)
        self._cache.keep(cached)
        text = json.dumps(answer, ensure_ascii=False)
        usage = cached.usage(tokens, estimated_tokens(text))
        tool = forced_tool(body)
        content = tool_use(tool, answer) if tool else {"text": text}
        reply = reply_of([content], "tool_use" if tool else "end_turn", usage, latency_s, STAND_IN)
        return _within_limits(body, text, reply)

    def _answer(self, body: dict[str, Any]) -> dict[str, object]:
        proposals = proposals_for(_last_text(body))
        if proposals is not None:
            return {"proposals": proposals}
        turns = read_turns(body)
        category, score = self._judge(turns)
        if category == "other":
            said = " ".join(text for role, text in turns if role == "user")
            instructions = " ".join(block.get("text", "") for block in body.get("system") or ())
            category = theme_of(said, instructions) or category
        return {"category": category, "inquiry_score": score}


def _check_length(model: FoundationModel, tokens: int) -> None:
    most = model.context_tokens
    if most is None or tokens <= most:
        return
    if model.is_claude:
        message = f"The model returned the following errors: prompt is too long: {tokens} tokens > {most} maximum"
    else:
        message = "Input is too long for requested model."
    raise AwsError("ValidationException", message)


def _within_limits(body: dict[str, Any], text: str, reply: Reply) -> Reply:
    """Return the reply as far as `stopSequences` and `maxTokens` let it come."""
    config = body.get("inferenceConfig") or {}
    ends = [place for stop in config.get("stopSequences") or () if (place := text.find(stop)) >= 0]
    if ends:
        if reply["stopReason"] == "tool_use":
            raise AwsError("ValidationException", "The local AWS does not answer a stop sequence within a tool's input")
        content = [{"text": text[: min(ends)]}] if min(ends) else []
        message = {"role": "assistant", "content": content}
        return {**reply, "output": {"message": message}, "stopReason": "stop_sequence"}
    most = config.get("maxTokens")
    return truncated(reply, most) if most is not None and reply["usage"]["outputTokens"] > most else reply


def _keyword_model() -> Judge:
    from local_aws.bedrock.keyword_model import judge

    return judge


def read_turns(body: dict[str, Any]) -> list[tuple[str, str]]:
    """Read the conversation out of its envelope, unescaped; a text without one counts as one turn of the user."""
    text = _last_text(body)
    envelope = _ENVELOPE.search(text)
    if not envelope:
        return [("user", text)]
    return [(role, html.unescape(escaped)) for role, escaped in _TURN.findall(envelope.group(2))]


def _last_text(body: dict[str, Any]) -> str:
    return "\n".join(block["text"] for block in body["messages"][-1]["content"] if "text" in block)
