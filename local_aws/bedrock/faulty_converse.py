"""Converse under a fault plan and a quota, with every call counted; the work itself is the stand-in's."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from local_aws.aws_error import AwsError
from local_aws.bedrock.call_counts import CallCounts, conversation_key
from local_aws.bedrock.faults import Fault, FaultPlan, Rule
from local_aws.bedrock.quota import Bucket, Quota
from local_aws.bedrock.replies import spoilt
from local_aws.bedrock.stand_in import read_turns
from local_aws.bedrock.tokens import input_tokens
from local_aws.wsgi import ConnectionDropped, Response

Work = Callable[[str, dict[str, Any]], dict[str, Any]]
Check = Callable[[str, dict[str, Any]], None]

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
    """Let each call that *check* does not refuse go well, or not, as the plan says."""

    def __init__(
        self,
        plan: FaultPlan,
        check: Check,
        *,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._check, self._now, self._sleep = check, now, sleep
        self.counts = CallCounts(now)
        self.set_plan(plan)

    def quota(self, place: str) -> Quota | None:
        """Return the quota of *place* in the plan that runs; None where there is no limit."""
        return self._running.plan.quota(place)

    def set_plan(self, plan: FaultPlan) -> None:
        """Begin *plan* now, with a full bucket; calls under way end under the plan that they began with."""
        self._running = _RunningPlan(plan, self._now)
        self.counts.watch(plan.window_s)

    def answer(self, model_id: str, body: dict[str, Any], work: Work, place: str = "") -> Response:
        """
        Return the reply to one Converse request made in *place*, for which *work* does what the model does.

        Raises: AwsError as Bedrock would, ConnectionDropped where no reply may arrive.
        """
        running, counts = self._running, self.counts
        counts.called(model_id, place)
        self._check(model_id, body)
        turns = read_turns(body)
        key = conversation_key(turns)
        counts.asked(key)
        rule = running.choose(turns, place)
        if rule:
            counts.faulty(rule.fault)
            self._fail_before_work(rule, place)
        tokens = running.reserve(body, place)
        if tokens is None:
            counts.refused(place)
            raise _again(_THROTTLED)
        counts.admitted(tokens)
        reply = None
        try:
            reply = work(model_id, body)
            counts.paid(key, place)
            if rule:
                reply = spoilt(rule.fault, body, reply)
        finally:
            running.settle(tokens, reply, place)
        return self._delivered(rule, reply)

    def answer_record(self, model_id: str, body: dict[str, Any], work: Work) -> dict[str, Any]:
        """
        Return the reply to one record of a batch job.

        The plan's errors and spoilt answers hit it as they hit a call; what befalls a line, and the quota, do not.
        Raises: AwsError as Bedrock would.
        """
        self._check(model_id, body)
        rule = self._running.choose(read_turns(body))
        if rule and rule.fault in _ERRORS:
            raise _again(_ERRORS[rule.fault])
        reply = work(model_id, body)
        return spoilt(rule.fault, body, reply) if rule else reply

    def _fail_before_work(self, rule: Rule, place: str) -> None:
        if rule.fault in _ERRORS:
            error = _ERRORS[rule.fault]
            if error.status == 429:
                self.counts.refused(place)
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
        self.plan, self._elapsed_s = plan, lambda: now() - started
        self._buckets: dict[str, Bucket] = {}  # each full when its place is first asked
        self._lock = threading.Lock()

    def choose(self, turns: list[tuple[str, str]], place: str = "") -> Rule | None:
        if not self.plan.rules:
            return None
        return self.plan.choose(self._elapsed_s(), "\n".join(text for _, text in turns), place)

    def reserve(self, body: dict[str, Any], place: str) -> int | None:
        """Return what the call takes of the quota; None when it is not there, 0 when there is no quota."""
        quota = self.plan.quota(place)
        if quota is None:
            return 0
        tokens = quota.reservation(input_tokens(body), body)
        with self._lock:
            if place not in self._buckets:
                self._buckets[place] = Bucket(quota, self._elapsed_s)
            return tokens if self._buckets[place].take(tokens) else None

    def settle(self, tokens: int, reply: dict[str, Any] | None, place: str) -> None:
        """Put what *reply* used in the place of the reservation; nothing, when there is none."""
        bucket = self._buckets.get(place)
        if bucket is not None:
            used = bucket.quota.used(reply["usage"]) if reply else 0
            with self._lock:
                bucket.give_back(tokens - used)


def _again(error: AwsError) -> AwsError:
    """Return an error of its own for each call: a raised one remembers where, and threads share ours."""
    return AwsError(error.code, error.message, error.status)
