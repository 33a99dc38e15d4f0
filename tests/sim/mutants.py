"""Engines with one rule taken out. Each must be caught by the simulation; if it is not, the rule is not tested."""

from contextlib import ExitStack
from typing import Any
from unittest.mock import patch

from chatcensus.answer import Judgement, Reason, Reply, read_answer
from chatcensus.aws.claims import LEASE_S, WHOLE, SegmentClaim
from chatcensus.census import Census
from chatcensus.errors import ModelBusy, ReplyLost, StoreBusy, Throttled
from chatcensus.evaluation import ATTRIBUTE, stored_evaluation
from chatcensus.pricing import Usage
from chatcensus.purse import Purse
from chatcensus.selection import Selection
from chatcensus.spreading import Spread
from chatcensus.tally import Outcome
from tests.sim.world import SimLedger, SimModel, SimStore

_ask, _hold, _settle, _put_back = SimModel.ask, SegmentClaim._hold, SimLedger.settle, Purse.settle
_most = Spread.most_micro_usd


def _yes(*_: object) -> bool:
    return True


def _busy_is_an_answer(model: SimModel, *request: Any) -> Reply:
    try:
        return _ask(model, *request)
    except (Throttled, ModelBusy):
        return Reply("Too many requests", None, Usage(0, 0), "sim")


def _sdk_asks_again(model: SimModel, *request: Any) -> Reply:
    try:
        return _ask(model, *request)
    except ReplyLost:
        return _ask(model, *request)


def _other(answer: object, stop_reason: str | None, taxonomy: Any) -> Judgement:
    verdict = read_answer(answer, stop_reason, taxonomy)
    return Judgement("other", 1) if isinstance(verdict, Reason) else verdict


def _write_once(census: Census, stored: Any, evaluation: Any) -> Outcome:
    try:
        return census.store.write(stored, evaluation)
    except StoreBusy:
        return Outcome.LEFT_PENDING


def _reserve_nothing(ledger: SimLedger, _: int) -> bool:
    ledger.world.scheduler.step()
    return ledger.spent < ledger.max_micro_usd


def _settle_all(ledger: SimLedger, _: int, paid_micro_usd: int) -> None:
    _settle(ledger, 0, paid_micro_usd)


def _lost_is_free(purse: Purse, reserved: int, paid: int) -> None:
    _put_back(purse, reserved, 0 if paid == reserved else paid)


def _reserve_locally(purse: Purse, micro_usd: int) -> bool:
    is_there = purse._budget.spent - purse._left + micro_usd <= purse._budget.max_micro_usd
    purse._left -= micro_usd if is_there else 0
    return is_there


def _reserve_at_the_first_price(spread: Spread, *call: Any) -> int:
    return _most(Spread(spread.lanes[:1]), *call)


def _take_any(claim: SegmentClaim, until: int, _: str, values: Any = None) -> bool:
    return _hold(claim, until, "attribute_not_exists(pk) OR #until >= :any", (values or {}) | {":any": {"N": "0"}})


def _renew_or_take(claim: SegmentClaim, most: float = 1.0) -> float | None:
    return claim._take_share(int(most * WHOLE)) if claim._claim() else None


def _replace_any(_: SimStore, item: Any, __: Any, evaluation: Any) -> bool:
    return evaluation.previous is not None or item is None or stored_evaluation(item, evaluation.content_hash) is None


def _other_key(_: SimStore, item: Any, __: Any, evaluation: Any) -> bool:
    return item is None or item.get(ATTRIBUTE, {}).get("key") != evaluation.key


def _all_that_match(_: Selection, *__: object) -> bool:
    return False


_STORE = "tests.sim.world.SimStore."
_CLAIMS = "chatcensus.aws.claims."

# What is put in the place of what, and the seeds within which it has to be caught.
MUTANTS: dict[str, tuple[int, dict[str, Any]]] = {
    "unconditional write": (
        200,
        {_STORE + name: _yes for name in ("still_exists", "unchanged", "not_yet_judged")},
    ),
    "no still_exists": (1000, {_STORE + "still_exists": _yes}),
    "no unchanged": (500, {_STORE + "unchanged": _yes}),
    "overwrite allowed": (500, {_STORE + "not_yet_judged": _yes}),
    "throttle treated as bad data": (100, {"tests.sim.world.SimModel.ask": _busy_is_an_answer}),
    "invalid answer stored as other": (100, {"chatcensus.asking.read_answer": _other}),
    "paid answer dropped when the write is throttled": (200, {"chatcensus.census.Census._write": _write_once}),
    "no claim": (500, {_CLAIMS + "SegmentClaim._hold": _take_any}),
    "claim without margin": (500, {_CLAIMS + "SKEW_S": 0.0, _CLAIMS + "SegmentClaim.lease_s": LEASE_S}),
    "renewal takes what was lost": (300, {_CLAIMS + "SegmentClaim.renew": _renew_or_take}),
    "budget checked after the call": (
        500,
        {"tests.sim.world.SimLedger.reserve": _reserve_nothing, "tests.sim.world.SimLedger.settle": _settle_all},
    ),
    "a lost reply taken as free": (3000, {"chatcensus.purse.Purse.settle": _lost_is_free}),
    "a kill forgets what was spent": (1000, {"chatcensus.purse.Purse.reserve": _reserve_locally}),
    "what was not spent is kept": (50, {"chatcensus.purse.Purse.close": lambda _: None}),
    "SDK retries left on": (2000, {"tests.sim.world.SimModel.ask": _sdk_asks_again}),
    "a re-evaluation replaces what it has not read": (1000, {_STORE + "not_yet_judged": _replace_any}),
    "a first evaluation replaces a re-evaluation": (3000, {_STORE + "not_yet_judged": _other_key}),
    "a re-evaluation is repeated": (50, {"chatcensus.selection.Selection._is_made": _all_that_match}),
    "a route that is out is called on": (200, {"chatcensus.spreading.Spread.close": _yes}),
    "one dead route ends the run": (200, {"chatcensus.spreading.Spread.close": lambda *_: False}),
    "nobody waits for the cache": (100, {"chatcensus.spreading.WARM_UP_S": 0.0}),
    "a dear route reserved at the price of a cheap one": (
        100,
        {"chatcensus.spreading.Spread.most_micro_usd": _reserve_at_the_first_price},
    ),
    "a k of 4": (500, {"chatcensus.asking.MAX_REASKS": 3}),
}


def mutated(name: str) -> ExitStack:
    """Put the mutant of that name in the place of the engine."""
    stack = ExitStack()
    for target, replacement in MUTANTS[name][1].items():
        stack.enter_context(patch(target, replacement))
    return stack
