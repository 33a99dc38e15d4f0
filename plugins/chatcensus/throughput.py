"""How many conversations an hour a quota of Bedrock is enough for, and whether the run's limits fit it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from chatcensus.doctor import Finding, fail, ok, warn
from chatcensus.forecast import BYTES_PER_TOKEN, usage_of_one
from chatcensus.model_catalog import Model
from chatcensus.pacing import REQUESTS_PER_MINUTE, TOKENS_PER_MINUTE

SHARE = 0.8  # of the quota, for the census: other applications need some of it
_USUAL_TOKENS = 1500  # of a conversation
_CONSOLE = "Service Quotas, Amazon Bedrock"


@dataclass(frozen=True)
class QuotaLine:
    """One quota of the account, as Service Quotas names it."""

    name: str
    value: float


@dataclass(frozen=True)
class Load:
    """What one conversation takes of a quota of tokens; *is_measured* on this table's items."""

    tokens: float
    is_measured: bool

    @classmethod
    def of(cls, item_bytes: float | None, instructions: str | None, model: Model | None) -> "Load":
        """Return the load of an item of *item_bytes*, as `plan` reckons it; of a usual one where that is not known."""
        known = _USUAL_TOKENS * BYTES_PER_TOKEN if item_bytes is None else item_bytes
        one = usage_of_one(known, instructions or "", model.thinking_tokens if model else 0)
        tokens = one.input_tokens + one.output_tokens * (model.burndown if model else 1)
        return cls(tokens, item_bytes is not None)


def check_quota(lines: Iterable[QuotaLine], kind: str, label: str, load: Load) -> Finding:
    """
    Return what the quota of a model is enough for, against the defaults of the DAG's Params.

    Shape: *kind* is on-demand, cross-region or global cross-region; *label* names the model with its provider.
    Source: names as Service Quotas has them in 2026; quotas of requests are there for older models only,
    https://docs.aws.amazon.com/bedrock/latest/userguide/quotas-runtime.html
    """
    told = list(lines)
    tokens, requests = (_least(told, kind, unit, label) for unit in ("tokens", "requests"))
    if tokens is None and requests is None:
        found = f"Service Quotas names no quota for {label} ({kind}): how fast a run may be is not known"
        return warn("quota", found, f"look in {_CONSOLE}, and set the Params to {SHARE:.0%} of what is there")
    if 0 in (tokens, requests):
        found = f"this account has a quota of 0 for {label} ({kind}): every call would be refused"
        return fail("quota", found, f"ask for an increase in {_CONSOLE}; it takes days")
    rates = [
        *([tokens / load.tokens] if tokens is not None else []),
        *([requests] if requests is not None else []),
    ]
    hourly = int(min(rates) * 60 * SHARE)
    measured = "of this table's mean item" if load.is_measured else "of a usual conversation"
    quota = " and ".join(
        f"{value:,.0f} {unit}" for value, unit in ((tokens, "tokens"), (requests, "requests")) if value is not None
    )
    found = (
        f"{quota} a minute ({kind}): about {hourly:,} conversations an hour, {load.tokens:,.0f} tokens each, {measured}"
    )
    over = [
        f"{name} to {int(quota_of * SHARE)}"
        for name, quota_of, param in (
            ("tokens_per_minute", tokens, TOKENS_PER_MINUTE),
            ("requests_per_minute", requests, REQUESTS_PER_MINUTE),
        )
        if quota_of is not None and param > quota_of * SHARE
    ]
    if over:
        remedy = f"set the Param {' and '.join(over)} when you trigger or in the DAG, or ask for more in {_CONSOLE}"
        return warn("quota", f"{found}; the default Params take more than {SHARE:.0%} of it", remedy)
    return ok("quota", found)


def _least(lines: Iterable[QuotaLine], kind: str, unit: str, label: str) -> float | None:
    """Return the least quota of that kind and unit for the model; some have a line for each length of context."""
    name = re.compile(
        rf"{kind} (?:model inference|InvokeModel) {unit} per minute for {re.escape(label)}(?: V\d+)?(?: \(.*\))?",
        re.IGNORECASE,
    )
    return min((line.value for line in lines if name.fullmatch(line.name)), default=None)
