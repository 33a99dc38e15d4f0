"""
A fault plan: what goes wrong with Converse, when, and how often; a record of a batch job meets the same rules.

    {"seed": 1,
     "rules": [{"fault": "throttle", "from": 5, "until": 15},
               {"fault": "internal", "share": 0.05},
               {"fault": "drip", "first": 1, "match": "albatross", "seconds": 1}],
     "quota": {"requests_per_minute": 1000, "tokens_per_minute": 2000000, "burndown": 5, "depth_s": 6,
               "other_share": 0.5, "other_from": 60, "other_until": 120},
     "quotas": {"us-east-1": {"requests_per_minute": 500}, "210987654321/us-east-1": {"requests_per_minute": 300}}}

Of the rules, the first that fits a call decides. Each may be limited: `share` of the calls that fit (1.0), the seconds
`from` and `until` since the plan was set, the `first` n calls, `match`, a text in the conversation, which is compared
and nothing else, and `place`, a Region, or `<account>/<Region>` where a role of another account calls. `seconds` is how
long a hang or a late reply takes, and the time between two dripping bytes. A call that no rule refuses goes through the
quota (see `quota.py`) of its place, which answers 429 when it is empty: the one that `quotas` has of that place, else
`quota`, which each place has for itself. `window_s` (60) is the sliding window of the busiest moment in the counts.
"""

import random
import threading
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from local_aws.bedrock.quota import Quota


class Fault(StrEnum):
    """What may go wrong."""

    # Refused with an error before any work.
    THROTTLE = "throttle"
    THROTTLE_DAY = "throttle_day"
    NOT_READY = "not_ready"
    INTERNAL = "internal"
    UNAVAILABLE = "unavailable"
    MODEL_TIMEOUT = "model_timeout"
    MODEL_ERROR = "model_error"
    ACCESS_DENIED = "access_denied"
    END_OF_LIFE = "end_of_life"
    QUOTA_EXCEEDED = "quota_exceeded"
    # The line: `reset_before` and `hang` do no work, the others are paid for.
    RESET_BEFORE = "reset_before"
    RESET_WITHIN = "reset_within"
    RESET_AFTER = "reset_after"
    HANG = "hang"
    LATE = "late"
    DRIP = "drip"
    # The answer, paid for.
    TRUNCATED = "truncated"
    REFUSED = "refused"
    FILTERED = "filtered"
    GUARDRAIL = "guardrail"
    MALFORMED_OUTPUT = "malformed_output"
    MALFORMED_TOOL_USE = "malformed_tool_use"
    CONTEXT_WINDOW = "context_window"
    EMPTY = "empty"
    BROKEN = "broken"
    PROSE = "prose"
    SEVERAL = "several"


# How long each takes unless its rule says otherwise: longer than any patient client waits.
_USUAL_SECONDS = {Fault.HANG: 300.0, Fault.LATE: 300.0, Fault.DRIP: 1.0}
_NUMBER = (int, float)
_RULE_TYPES = {
    "fault": str,
    "share": _NUMBER,
    "from": _NUMBER,
    "until": _NUMBER,
    "first": int,
    "match": str,
    "place": str,
    "seconds": _NUMBER,
}
_JSON_NAMES = {"from": "since_s", "until": "until_s"}


@dataclass(frozen=True)
class Rule:
    """One kind of fault, and which calls it hits."""

    fault: Fault
    share: float = 1.0
    since_s: float = 0.0
    until_s: float = float("inf")
    first: int | None = None
    match: str | None = None
    place: str | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise ValueError(f"the share of {self.fault!r} must lie between 0 and 1, not {self.share}")
        if self.duration_s < 0:
            raise ValueError(f"the seconds of {self.fault!r} must be 0 or more, not {self.seconds}")

    @property
    def duration_s(self) -> float:
        return _USUAL_SECONDS.get(self.fault, 0.0) if self.seconds is None else self.seconds

    def fits(self, now_s: float, text: str, place: str) -> bool:
        """Say whether a call at *now_s* in *place*, about a conversation with *text*, is one that the rule is about."""
        if not self.since_s <= now_s < self.until_s or self.place not in (None, place):
            return False
        return self.match is None or self.match in text


class FaultPlan:
    """Decides about each call which fault it meets; safe for threads, and the same again with the same seed."""

    def __init__(
        self,
        rules: tuple[Rule, ...] = (),
        quota: Quota | None = None,
        seed: int = 1,
        window_s: float = 60.0,
        quotas: Mapping[str, Quota] | None = None,
    ) -> None:
        self.rules, self.window_s = rules, window_s
        self._quota, self._quotas = quota, quotas or {}
        self._random = random.Random(seed)  # noqa: S311  a fault is no secret
        self._lock = threading.Lock()
        self._hits = [0] * len(rules)

    @classmethod
    def of_json(cls, plan: Mapping[str, Any]) -> "FaultPlan":
        """
        Read a plan; an empty one has no faults and no limits.

        Errors: ValueError that names the key or the value which no plan has.
        """
        _check("plan", plan, {"seed": int, "rules": list, "quota": dict, "quotas": dict, "window_s": _NUMBER})
        quota = plan.get("quota")
        if plan.get("window_s", 1) <= 0:
            raise ValueError(f"window_s must be more than 0, not {plan['window_s']}")
        return cls(
            tuple(_rule(rule) for rule in plan.get("rules", ())),
            _quota(quota) if quota is not None else None,
            plan.get("seed", 1),
            plan.get("window_s", 60.0),
            {place: _quota(of_place) for place, of_place in plan.get("quotas", {}).items()},
        )

    def quota(self, place: str) -> Quota | None:
        """Return the quota of *place*; None where there is no limit."""
        return self._quotas.get(place, self._quota)

    def choose(self, now_s: float, text: str, place: str = "") -> Rule | None:
        """Return the rule that decides about a call, *now_s* seconds after the plan was set; None lets it go well."""
        with self._lock:
            for number, rule in enumerate(self.rules):
                if not rule.fits(now_s, text, place) or (rule.first is not None and self._hits[number] >= rule.first):
                    continue
                if rule.share < 1 and self._random.random() >= rule.share:
                    continue
                self._hits[number] += 1
                return rule
        return None


def _rule(rule: Mapping[str, Any]) -> Rule:
    _check("rule", rule, _RULE_TYPES)
    named = {_JSON_NAMES.get(name, name): value for name, value in rule.items()}
    if "fault" not in named:
        raise ValueError(f"a rule needs a 'fault', one of {[str(fault) for fault in Fault]}")
    return Rule(**{**named, "fault": Fault(named["fault"])})


def _quota(quota: Mapping[str, Any]) -> Quota:
    _check("quota", quota, {field.name: _NUMBER for field in fields(Quota)})
    return Quota(**quota)


def _check(what: str, given: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    if not isinstance(given, Mapping):
        raise ValueError(f"a {what} must be an object, not {given!r}")  # noqa: TRY004  JSON has no types of ours
    unknown = sorted(given.keys() - known.keys())
    if unknown:
        raise ValueError(f"a {what} has no {unknown}, only {sorted(known)}")
    for name, value in given.items():
        if not isinstance(value, known[name]) or isinstance(value, bool):
            raise ValueError(f"{name} of a {what} has a wrong type: {value!r}")  # noqa: TRY004
