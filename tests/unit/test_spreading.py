"""Several routes to one model: each call takes the soonest, and what is throttled or dead is left to itself."""

import itertools
import logging
from collections.abc import Sequence
from decimal import Decimal

import pytest

from chatcensus.answer import Judgement, Reason
from chatcensus.asking import Asker
from chatcensus.bill import Bill
from chatcensus.conversation import Conversation, Turn
from chatcensus.errors import ModelBusy, QuotaExhausted, ReplyLost, SetupError, Throttled
from chatcensus.model_catalog import Model
from chatcensus.pacing import Pacer, Quota
from chatcensus.pricing import Usage
from chatcensus.spreading import WARM_UP_S, Lane, Spread, Way
from chatcensus.tally import Outcome
from tests.fakes import COST, GOOD, MODEL, NOON, TAXONOMY, UNLIMITED, FakeClock, FakeLedger, FakeModel, reply
from tests.sim.filling import filled

CONVERSATION = Conversation("c1", (Turn("user", "Why does it return None?"),))
JUDGED = Judgement("coding", 3)
CACHING = MODEL.model_copy(update={"cache_min_tokens": 1})


def never() -> bool:
    return False


def dearer(times: int) -> Model:
    """The model at so many times its price."""
    price = MODEL.prices[0].model_copy(update={"input": Decimal(times), "output": Decimal(5 * times)})
    return MODEL.model_copy(update={"prices": (price,)})


class Asking:
    """An asker over several routes, and all that it was given."""

    def __init__(self, *routes: Sequence[object], models: Sequence[Model] = (), max_micro_usd: int = 10**9) -> None:
        self.models = [FakeModel(*answers) for answers in routes]
        self.clock, self.ledger, self.bill = FakeClock(), FakeLedger(max_micro_usd), Bill()
        ways = [
            Way(f"route-{number}", judge, model, UNLIMITED)
            for number, (judge, model) in enumerate(zip(self.models, models or [MODEL] * len(routes), strict=True))
        ]
        self.spread = Spread.over(ways, self.clock, 10)
        self.asker = Asker(self.spread, self.ledger, MODEL, "Judge it.", TAXONOMY, self.clock, never)

    def verdict(self) -> Judgement | Reason | None:
        """The verdict; the purse is closed then, as at the end of a task."""
        try:
            return self.asker.verdict(CONVERSATION, self.bill)
        finally:
            self.asker.purse.close()

    @property
    def calls(self) -> list[int]:
        return [len(model.history) for model in self.models]


def test_two_quotas_are_filled_within_three_percent_of_both_together_and_neither_is_passed():
    run = filled([1000, 500], 3000)

    large, small = run.places
    assert run.ratio <= 1.03
    assert (large.refused, small.refused) == (0, 0)
    assert (large.most_in_a_minute() <= 1000, small.most_in_a_minute() <= 500) == (True, True)
    assert len(large.begun) == pytest.approx(2000, abs=20)
    assert run.tally.outcomes[Outcome.EVALUATED] == 3000


def test_a_route_with_less_quota_than_it_should_have_is_avoided_and_the_other_stays_full():
    run = filled([600, 600], 900, truly=[600, 150])

    full, throttled = run.places
    free_s = 900 / (600 + 150) * 60
    assert run.tally.outcomes[Outcome.EVALUATED] == 900
    assert run.seconds <= 1.1 * free_s
    assert len(full.begun) / run.seconds * 60 >= 0.9 * 600
    assert throttled.refused < 0.1 * 900


def test_a_route_that_answers_slowly_does_not_get_hold_of_all_calls_in_flight():
    alone = filled([6000], 600, in_flight=16)
    beside_a_slow_one = filled([6000, 60], 600, in_flight=16, latencies_s=[1.5, 20])

    assert beside_a_slow_one.tally.outcomes[Outcome.EVALUATED] == 600
    assert beside_a_slow_one.seconds <= alone.seconds + 20


def test_a_route_that_dies_in_the_middle_costs_no_conversation_and_is_called_no_more(
    caplog: pytest.LogCaptureFixture,
):
    run = filled([600, 600], 600, dies_at=20)

    assert run.tally.outcomes[Outcome.EVALUATED] == 600
    assert max(run.places[1].begun) < 20
    assert [record.message for record in caplog.records if "route" in record.message] == [
        "route place-1 is out for this task, the others go on: no access"
    ]


def test_a_call_that_one_route_refuses_goes_to_the_other_at_once():
    asking = Asking([Throttled("429")], [])

    assert asking.verdict() == JUDGED
    assert (asking.calls, asking.clock.seconds, asking.bill.throttled) == ([1, 1], 0, 1)


def test_a_call_that_every_route_refuses_waits_before_it_tries_again():
    asking = Asking([Throttled("429")], [ModelBusy("503")])

    assert asking.verdict() == JUDGED
    assert asking.bill.throttled == 2
    assert asking.clock.seconds > 0


def test_a_refused_call_goes_back_to_the_quick_route_rather_than_wait_for_a_slow_one():
    clock = FakeClock()
    ways = [Way("quick", FakeModel(), MODEL, UNLIMITED), Way("slow", FakeModel(), MODEL, Quota(1, 1e9))]
    spread = Spread.over(ways, clock, 1)
    quick, slow = spread.lanes
    slow.begin(1)  # the next one may begin there in a minute

    place = spread.acquire(1, 1, never, {quick})

    assert place
    assert (place[0], clock.seconds) == (quick, 0)


@pytest.mark.parametrize("error", [SetupError("no permission"), QuotaExhausted("used up")], ids=["dead", "used up"])
def test_a_route_on_which_no_call_can_succeed_is_left_with_one_line(error: Exception, caplog: pytest.LogCaptureFixture):
    asking = Asking([error], [])
    verdicts = [asking.verdict() for _ in range(3)]

    assert verdicts == [JUDGED] * 3
    assert (asking.calls, asking.asker.is_spent) == ([1, 3], False)
    assert [record.message for record in caplog.records] == [
        f"route route-0 is out for this task, the others go on: {error}"
    ]


def test_it_is_an_error_when_the_last_route_is_dead():
    asking = Asking([SetupError("no permission")], [SetupError("end of life")])

    with pytest.raises(SetupError, match="end of life"):
        asking.verdict()
    assert asking.ledger.spent == 0


def test_the_run_ends_cleanly_when_the_quota_of_the_last_route_is_used_up():
    asking = Asking([SetupError("no permission")], [QuotaExhausted("the day's quota is used up")])

    assert asking.verdict() is None
    assert asking.asker.is_spent
    assert asking.spread.acquire(1, 1, never) is None


def test_each_call_is_paid_at_the_price_of_its_route_and_reserved_at_the_dearest():
    asking = Asking([ReplyLost("reset")], [], models=[dearer(10), MODEL])

    asking.verdict()

    alone = Asking([ReplyLost("reset")], models=[dearer(10)])
    alone.verdict()
    lost_micro_usd = alone.ledger.spent - 10 * COST
    assert asking.bill.cost_micro_usd == COST
    assert asking.ledger.spent == lost_micro_usd + COST


def lane(clock: FakeClock, judge: FakeModel, *, is_warm: bool) -> Lane:
    pacer = Pacer(UNLIMITED, clock.monotonic, clock.sleep, clock.uniform)
    return Lane("one", judge, pacer, MODEL.price(NOON.date()), is_warm=is_warm)


def test_the_first_call_fills_the_cache_alone():
    clock = FakeClock()
    cold = lane(clock, FakeModel(), is_warm=False)
    first = cold.begin(1)
    beside = cold.wait_s()
    cold.ask("Judge it.", "", "tool", 1, first)

    assert beside > 0
    assert cold.wait_s() <= 0
    cold.begin(1)
    assert cold.wait_s() <= 0


@pytest.mark.parametrize("error", [Throttled("429"), ReplyLost("reset"), SetupError("no")], ids=["busy", "lost", "out"])
def test_where_the_first_call_fails_the_next_one_is_the_first(error: Exception):
    clock = FakeClock()
    cold = lane(clock, FakeModel(error, GOOD), is_warm=False)
    with pytest.raises(type(error)):
        cold.ask("Judge it.", "", "tool", 1, cold.begin(1))
    after_the_failure = cold.wait_s()
    cold.begin(1)

    assert after_the_failure <= 0
    assert cold.wait_s() > 0


def test_nobody_waits_for_a_first_call_that_hangs():
    clock = FakeClock()
    cold = lane(clock, FakeModel(), is_warm=False)
    cold.begin(1)

    clock.seconds += WARM_UP_S

    assert cold.wait_s() <= 0
    cold.begin(1)
    assert cold.wait_s() <= 0


def test_who_waits_for_the_cache_is_stopped_and_goes_where_the_cache_is_full():
    clock = FakeClock()
    cold, warm = lane(clock, FakeModel(), is_warm=False), lane(clock, FakeModel(), is_warm=True)
    alone, asked = Spread([cold]), itertools.count()
    alone.acquire(1, 1, never)

    assert alone.acquire(1, 1, lambda: next(asked) > 5) is None
    place = Spread([cold, warm]).acquire(1, 1, never)
    assert place
    assert place[0] is warm


@pytest.mark.parametrize(
    ("model", "instruction_tokens", "is_alone"),
    [
        pytest.param(CACHING, 1, True, id="long enough"),
        pytest.param(CACHING.model_copy(update={"cache_min_tokens": 512}), 511, False, id="too short to be cached"),
        pytest.param(MODEL, 10_000, False, id="no cache"),
    ],
)
def test_only_a_prefix_that_is_cached_is_waited_for(model: Model, instruction_tokens: float, is_alone: bool):
    (only,) = Spread.over([Way("one", FakeModel(), model, UNLIMITED)], FakeClock(), instruction_tokens).lanes
    only.begin(1)

    assert (only.wait_s() > 0) == is_alone


def test_what_the_last_calls_need_is_asked_of_all_quotas_together():
    clock = FakeClock()
    ways = [Way(f"{rate}", FakeModel(), MODEL, Quota(rate, 1e9)) for rate in (1000, 500)]
    both, large = Spread.over(ways, clock, 1), Spread.over(ways[:1], clock, 1)

    assert both.part_for(500, 60) == pytest.approx(500 / 1500)
    assert large.part_for(500, 60) == pytest.approx(0.5)


def test_a_share_is_of_each_quota():
    clock = FakeClock()
    spread = Spread.over([Way(f"{rate}", FakeModel(), MODEL, Quota(rate, 1e9)) for rate in (1000, 500)], clock, 1)
    spread.share(0.1)

    begun = 0
    while clock.seconds < 60 and spread.acquire(1, 1, never):
        begun += 1

    assert begun == pytest.approx(150, abs=6)


def test_what_a_cache_saves_is_on_the_bill_and_a_write_may_cost_more():
    price = MODEL.prices[0].model_copy(update={"cache_read": Decimal("0.1"), "cache_write": Decimal("1.25")})
    model = CACHING.model_copy(update={"prices": (price,)})
    write, read = Usage(10, 10, cache_write_tokens=1000), Usage(10, 10, cache_read_tokens=1000)
    asking = Asking([reply(usage=write), reply(usage=read)], models=[model])

    asking.verdict()
    written = asking.bill.saved_micro_usd, asking.bill.cache_write_tokens
    asking.verdict()

    assert written == (-250, 1000)
    assert (asking.bill.saved_micro_usd, asking.bill.cache_read_tokens) == (900 - 250, 1000)
    assert asking.bill.cost_micro_usd == 1310 + 160


@pytest.mark.parametrize(
    ("usage", "min_tokens", "told"),
    [
        pytest.param(Usage(50, 10), 512, 1, id="nothing is cached"),
        pytest.param(Usage(50, 10, cache_read_tokens=5), 512, 0, id="it works"),
        pytest.param(Usage(50, 10), None, 0, id="a model without a cache"),
    ],
)
def test_a_cache_that_does_not_work_is_said_once(
    usage: Usage, min_tokens: int | None, told: int, caplog: pytest.LogCaptureFixture
):
    model = MODEL.model_copy(update={"cache_min_tokens": min_tokens})
    asker = Asker(
        Spread.over([Way("one", FakeModel(*[reply(usage=usage)] * 60), model, UNLIMITED)], FakeClock(), 2),
        *(FakeLedger(), model, "Judge it.", TAXONOMY, FakeClock(), never),
    )
    with caplog.at_level(logging.WARNING):
        for _ in range(60):
            asker.verdict(CONVERSATION, Bill())

    said = [record.message for record in caplog.records]
    assert len(said) == told
    assert all("in 21 answers: the instructions have about 2 tokens" in line and "from 512 on" in line for line in said)
