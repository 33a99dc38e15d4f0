"""The purse of a task: the run's budget in few requests, to the last micro-USD, and never beyond it."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from chatcensus.errors import StoreBusy
from chatcensus.purse import CALLS_AT_ONCE, Purse
from tests.fakes import FakeClock, FakeLedger


class CountingLedger(FakeLedger):
    """A ledger that counts the requests it gets, and may be out of reach for some."""

    def __init__(self, max_micro_usd: int = 10**9, busy: int = 0) -> None:
        super().__init__(max_micro_usd)
        self.requests, self.busy = 0, busy

    def reserve(self, micro_usd: int) -> bool:
        self.requests += 1
        if self.requests <= self.busy:
            raise StoreBusy("the control table is throttled")
        return super().reserve(micro_usd)


def purse(ledger: FakeLedger) -> Purse:
    return Purse(ledger, FakeClock().sleep)


def test_most_calls_need_no_request():
    ledger = CountingLedger()
    held = purse(ledger)

    for _ in range(1_000):
        assert held.reserve(10)
        held.settle(10, 2)
    held.close()

    assert ledger.requests <= 1_000 * 2 / 10 / CALLS_AT_ONCE + 1
    assert ledger.spent == 2_000


def test_what_was_not_spent_is_given_back():
    ledger = FakeLedger(100)
    first = purse(ledger)
    first.reserve(5)
    first.settle(5, 3)

    first.close()

    assert ledger.spent == 3
    assert purse(ledger).reserve(97)


@pytest.mark.parametrize("budget", [0, 9, 10, 11, 95, 160, 1_000])
def test_the_budget_is_used_up_to_less_than_one_call_and_never_passed(budget: int):
    ledger = FakeLedger(budget)
    held, paid = purse(ledger), 0

    while held.reserve(10):
        held.settle(10, 4)
        paid += 4
    held.close()

    assert budget - 10 < paid <= budget
    assert ledger.spent == paid
    assert ledger.most_spent <= budget


def test_what_a_killed_task_held_stays_spent():
    ledger = FakeLedger(1_000)
    purse(ledger).reserve(10)

    assert ledger.spent >= 10


def test_a_call_waits_for_what_those_under_way_give_back():
    ledger, clock = FakeLedger(10), FakeClock()
    held = Purse(ledger, lambda seconds: (clock.sleep(seconds), held.settle(10, 1) if clock.seconds > 1 else None))
    held.reserve(10)

    assert held.reserve(9)
    assert clock.seconds > 1


def test_a_bill_above_what_was_reserved_is_booked_in_full():
    ledger = FakeLedger(100)
    held = purse(ledger)
    held.reserve(100)

    held.settle(100, 130)
    held.close()

    assert ledger.spent == 130
    assert not held.reserve(1)


def test_a_ledger_that_cannot_be_reached_is_asked_again_by_the_next_call():
    held = purse(CountingLedger(busy=1))

    with pytest.raises(StoreBusy):
        held.reserve(10)

    assert held.reserve(10)


def test_many_threads_share_a_purse_exactly():
    ledger = FakeLedger(10_000)
    held = Purse(ledger, lambda _: None)

    def call(number: int) -> int:
        if not held.reserve(50):
            return 0
        held.settle(50, number % 30)
        return number % 30

    with ThreadPoolExecutor(16) as pool:
        paid = sum(pool.map(call, range(2_000)))
    held.close()

    assert ledger.spent == paid <= 10_000
    assert ledger.most_spent <= 10_000
