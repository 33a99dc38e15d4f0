"""Converse under a fault plan and a quota, with every call counted; the work itself is the stand-in's."""

import copy
import json
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from local_aws.aws_error import AwsError
from local_aws.bedrock import check_request, estimated_tokens, read_turns, request_text
from local_aws.call_counts import CallCounts, conversation_key
from local_aws.faults import Fault, FaultPlan, Rule
from local_aws.quota import Bucket
from local_aws.wsgi import ConnectionDropped, Response

Work = Callable[[str, dict[str, Any]], dict[str, Any]]

_THROTTLED = AwsError("ThrottlingException", "Too many tokens, please wait before trying again.", 429)
# Source: the errors of the Converse API page; both texts of 429 as seen in 2026.
_ERRORS = {
    Fault.THROTTLE: _THROTTLED,
    Fault.THROTTLE_DAY: AwsError(
        "ThrottlingException", "Too many tokens per day, please wait before trying again.", 429
    ),
    Fault.NOT_READY: AwsError("ModelNotReadyException", "The model is not ready to serve requests. Try again.", 429),
    Fault.INTERNAL: AwsError("InternalServerException", "The system encountered an unexpected error.", 500),
    Fault.UNAVAILABLE: AwsError("ServiceUnavailableException", "The service is currently unavailable.", 503),
    Fault.MODEL_TIMEOUT: AwsError("ModelTimeoutException", "The model took too long to answer.", 408),
    Fault.MODEL_ERROR: AwsError("ModelErrorException", "The model produced an invalid sequence.", 424),
    Fault.ACCESS_DENIED: AwsError("AccessDeniedException", "You don't have access to this model.", 403),
    Fault.END_OF_LIFE: AwsError(
        "ResourceNotFoundException", "This model version has reached the end of its life.", 404
    ),
    Fault.QUOTA_EXCEEDED: AwsError("ServiceQuotaExceededException", "Your request exceeds the service quota.", 400),
}


class FaultyConverse:
    """Let each call go well, or not, as the plan says."""

    def __init__(
        self,
        plan: FaultPlan,
        *,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._now, self._sleep = now, sleep
        self.counts = CallCounts(now)
        self.set_plan(plan)

    def set_plan(self, plan: FaultPlan) -> None:
        """Begin *plan* now, with a full bucket; calls under way end under the plan that they began with."""
        self._running = _RunningPlan(plan, self._now)
        self.counts.watch(plan.window_s)

    def answer(self, model_id: str, body: dict[str, Any], work: Work) -> Response:
        """
        Return the reply to one Converse request, for which *work* does what the model does.

        Raises: AwsError as Bedrock would, ConnectionDropped where no reply may arrive.
        """
        running, counts = self._running, self.counts
        counts.called(model_id)
        check_request(model_id, body)
        turns = read_turns(body)
        key = conversation_key(turns)
        counts.asked(key)
        rule = running.choose(turns)
        if rule:
            counts.faulty(rule.fault)
            self._fail_before_work(rule)
        tokens = running.reserve(body)
        if tokens is None:
            counts.refused()
            raise _again(_THROTTLED)
        counts.admitted(tokens)
        reply = None
        try:
            reply = work(model_id, body)
            counts.paid(key)
            if rule:
                reply = _spoilt(rule.fault, body, reply)
        finally:
            running.settle(tokens, reply)
        return self._delivered(rule, reply)

    def _fail_before_work(self, rule: Rule) -> None:
        if rule.fault in _ERRORS:
            error = _ERRORS[rule.fault]
            if error.status == 429:
                self.counts.refused()
            raise _again(error)
        if rule.fault is Fault.HANG:
            self._sleep(rule.duration_s)
        if rule.fault in (Fault.HANG, Fault.RESET_BEFORE):
            raise ConnectionDropped(rule.fault)

    def _delivered(self, rule: Rule | None, reply: dict[str, Any]) -> Response:
        response = Response.of_json(reply)
        if rule is None:
            return response
        if rule.fault is Fault.RESET_AFTER:
            raise ConnectionDropped(rule.fault)
        if rule.fault is Fault.RESET_WITHIN:
            return replace(response, is_cut=True)
        if rule.fault is Fault.DRIP:
            return replace(response, byte_s=rule.duration_s)
        if rule.fault is Fault.LATE:
            self._sleep(rule.duration_s)
        return response


class _RunningPlan:
    """A plan since the moment when it was set, and what is left of its quota."""

    def __init__(self, plan: FaultPlan, now: Callable[[], float]) -> None:
        started = now()
        self._plan, self._elapsed_s = plan, lambda: now() - started
        self._bucket = Bucket(plan.quota, self._elapsed_s) if plan.quota else None
        self._lock = threading.Lock()

    def choose(self, turns: list[tuple[str, str]]) -> Rule | None:
        if not self._plan.rules:
            return None
        return self._plan.choose(self._elapsed_s(), "\n".join(text for _, text in turns))

    def reserve(self, body: dict[str, Any]) -> int | None:
        """Return what the call takes of the quota; None when it is not there, 0 when there is no quota."""
        if self._bucket is None:
            return 0
        tokens = self._bucket.quota.reservation(estimated_tokens(request_text(body)), body)
        with self._lock:
            return tokens if self._bucket.take(tokens) else None

    def settle(self, tokens: int, reply: dict[str, Any] | None) -> None:
        """Put what *reply* used in the place of the reservation; nothing, when there is none."""
        if self._bucket is not None:
            used = self._bucket.quota.used(reply["usage"]) if reply else 0
            with self._lock:
                self._bucket.give_back(tokens - used)


def _again(error: AwsError) -> AwsError:
    """Return an error of its own for each call: a raised one remembers where, and threads share ours."""
    return AwsError(error.code, error.message, error.status)


def _spoilt(fault: Fault, body: dict[str, Any], reply: dict[str, Any]) -> dict[str, Any]:
    """Return the reply as the model gives it when *fault* is one of the answer; any other leaves it as it is."""
    (block,) = reply["output"]["message"]["content"]
    match fault:
        case Fault.TRUNCATED:
            usage = reply["usage"]
            used = (body.get("inferenceConfig") or {}).get("maxTokens", usage["outputTokens"])
            usage = {**usage, "outputTokens": used, "totalTokens": usage["inputTokens"] + used}
            return {**_saying(reply, [_cut(block)], "max_tokens"), "usage": usage}
        case Fault.REFUSED:
            return _saying(reply, [{"text": "I cannot help with that."}], "refusal")
        case Fault.FILTERED:
            return _saying(reply, [{"text": "The answer was blocked by content filters."}], "content_filtered")
        case Fault.EMPTY:
            return _saying(reply, [], "end_turn")
        case Fault.BROKEN:
            return _saying(reply, [_cut(block)], reply["stopReason"])
        case Fault.PROSE:
            return _saying(reply, [{"text": "This person asks about many things, I would say."}], "end_turn")
        case Fault.SEVERAL:
            return _saying(reply, _two(block), reply["stopReason"])
    return reply


def _saying(reply: dict[str, Any], content: list[dict[str, Any]], stop_reason: str) -> dict[str, Any]:
    return {**reply, "output": {"message": {"role": "assistant", "content": content}}, "stopReason": stop_reason}


def _cut(block: dict[str, Any]) -> dict[str, Any]:
    """Return the block with its last field missing: a text stops in the middle of it."""
    if "text" in block:
        return {"text": block["text"][: block["text"].rindex(",")]}
    first, *_ = block["toolUse"]["input"].items()
    return {"toolUse": {**block["toolUse"], "input": dict([first])}}


def _two(block: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the answer and another one that disagrees with it."""
    other = copy.deepcopy(block)
    answer = json.loads(block["text"]) if "text" in block else other["toolUse"]["input"]
    answer["inquiry_score"] = answer["inquiry_score"] % 5 + 1
    if "text" in block:
        return [{"text": f"{block['text']}\n{json.dumps(answer)}"}]
    other["toolUse"]["toolUseId"] += "2"
    return [block, other]
