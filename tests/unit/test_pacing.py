"""The pacer against a quota that works as Bedrock's does: a bucket that fills at the rate and refuses when empty."""

import heapq
import itertools
import math
import random
from collections.abc import Callable

import pytest

from chatcensus.pacing import LONGEST_PAUSE_S, STORM, Pacer, Quota, Ticket
from chatcensus.spreading import Lane, Spread
from tests.fakes import MODEL, NOON, FakeModel

QUOTA = Quota(requests_per_minute=1000, tokens_per_minute=2_000_000, burndown=5)


def never() -> bool:
    return False


def acquire(pacer: Pacer, tokens: float, is_stopped: Callable[[], bool]) -> Ticket | None:
    """A ticket of the one lane that there is."""
    place = Spread([Lane("", FakeModel(), pacer, MODEL.price(NOON.date()))]).acquire(tokens, 0, is_stopped)
    return place and place[1]


class Time:
    """Virtual seconds; who sleeps makes them pass."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


class Account:
    """
    Many callers of one pacer against a bucket of requests, as events in virtual time.

    *free* is the part of the rate that nobody else takes at a time; *latency_s* is the median of a log-normal draw.
    """

    def __init__(self, free: Callable[[float], float] = lambda _: 1.0, tokens: float = 750, used: float = 650) -> None:
        self.time, self.random, self.free = Time(), random.Random(1), free
        self.pacer = Pacer(QUOTA, self.time.monotonic, self.time.sleep, self.random.uniform)
        self.tokens, self.used = tokens, used
        self.started: list[float] = []
        self.answered: list[float] = []
        self.refused = 0
        self._level, self._level_at, self._order = 100.0, 0.0, itertools.count()

    def judge(self, count: int, callers: int = 128) -> None:
        """Have *count* calls answered."""
        events: list[tuple[float, int, Ticket | None]] = []  # a reply, or (None) a refused caller that comes back
        waiting, under_way = count, 0
        while len(self.answered) < count:
            self.pacer.sleep = self._stop_waiting
            while waiting and under_way < callers and (ticket := self._try()):
                waiting, under_way = waiting - 1, under_way + 1
                self.started.append(ticket.started)
                if self._has_room():
                    heapq.heappush(
                        events,
                        (
                            self.time.seconds + self.random.lognormvariate(math.log(2.3), 0.35),
                            next(self._order),
                            ticket,
                        ),
                    )
                else:
                    self.refused += 1
                    self.pacer.refused(ticket)
                    heapq.heappush(events, (self.time.seconds + self.random.uniform(0, 2), next(self._order), None))
            self.time.seconds = min(
                events[0][0] if events else math.inf, self._next if waiting and under_way < callers else math.inf
            )
            while events and events[0][0] <= self.time.seconds:
                _, _, ticket = heapq.heappop(events)
                under_way -= 1
                if ticket is None:
                    waiting += 1
                else:
                    self.pacer.accepted(ticket, self.used)
                    self.answered.append(self.time.seconds)

    def answered_between(self, start: float, end: float) -> float:
        """The part of the full rate that was answered then."""
        return sum(start <= at < end for at in self.answered) / (end - start) / (QUOTA.requests_per_minute / 60)

    def most_in_a_minute(self) -> int:
        """The most calls that were begun in any sliding minute."""
        most, first = 0, 0
        for last, at in enumerate(self.started):
            while self.started[first] <= at - 60:
                first += 1
            most = max(most, last - first + 1)
        return most

    def _try(self) -> Ticket | None:
        self._next = math.inf
        asked = itertools.count()
        return acquire(self.pacer, self.tokens, lambda: next(asked) > 0)

    def _stop_waiting(self, seconds: float) -> None:
        self._next = self.time.seconds + max(seconds, 1e-6)

    def _has_room(self) -> bool:
        rate, now = QUOTA.requests_per_minute / 60, self.time.seconds
        self._level = min(100.0, self._level + (now - self._level_at) * rate * self.free(now))
        self._level_at = now
        if self._level < 1:
            return False
        self._level -= 1
        return True


def test_the_rate_is_filled_and_never_passed_in_any_sliding_minute():
    account = Account()

    account.judge(3000)

    assert account.most_in_a_minute() <= 1000
    assert account.answered_between(60, 160) >= 0.98
    assert account.refused == 0


def test_tokens_bind_where_conversations_are_long_and_what_was_not_used_is_given_back():
    account = Account(tokens=6_000, used=5_500)

    account.judge(1500)

    at_the_limit_s = 1500 * 5_500 / QUOTA.tokens_per_minute * 60
    assert at_the_limit_s <= account.answered[-1] <= 1.06 * at_the_limit_s


def test_what_another_application_leaves_is_found_and_used():
    account = Account(free=lambda _: 0.5)

    account.judge(3000)

    assert account.answered_between(60, 300) >= 0.95 * 0.5
    assert account.refused <= 0.05 * len(account.started)


def test_a_storm_is_waited_out_with_few_attempts_and_the_rate_is_back_soon_after_it():
    account = Account(free=lambda now: 0.0 if 60 <= now < 180 else 1.0)
    account.judge(5000)

    attempts = sum(75 <= at < 180 for at in account.started)

    assert attempts <= 1.1 * 128 * 120 / 20
    assert account.answered_between(210, 230) >= 0.9


def test_a_smaller_share_is_kept_at_once_and_none_at_all_waits():
    time = Time()
    pacer = Pacer(QUOTA, time.monotonic, time.sleep, lambda _, most: most)
    pacer.share(0.25)

    while time.seconds < 60:
        acquire(pacer, 1, never)
        last = time.seconds
    pacer.share(0.0)

    asked = itertools.count()
    assert 59 < last < 61
    assert acquire(pacer, 1, lambda: next(asked) > 20) is None


def test_a_tiny_share_does_not_hold_up_a_task_that_gets_more():
    time = Time()
    pacer = Pacer(QUOTA, time.monotonic, time.sleep, lambda _, most: most)
    pacer.share(1e-6)
    acquire(pacer, 1, never)

    pacer.share(0.25)
    acquire(pacer, 1, never)

    assert time.seconds < 1


@pytest.mark.parametrize("refusals", [STORM, STORM + 10])
def test_in_a_storm_one_call_at_a_time_tries(refusals: int):
    time = Time()
    pacer = Pacer(QUOTA, time.monotonic, time.sleep, lambda _, most: most)
    for _ in range(refusals):
        ticket = acquire(pacer, 1, never)
        assert ticket
        pacer.refused(ticket)
    paused_from = time.seconds

    probe = acquire(pacer, 1, never)
    asked = itertools.count()
    beside = acquire(pacer, 1, lambda: next(asked) > 20)

    assert probe
    assert time.seconds - paused_from <= LONGEST_PAUSE_S + 11
    assert beside is None


def pacer_and_time() -> tuple[Pacer, Time]:
    time = Time()
    return Pacer(QUOTA, time.monotonic, time.sleep, lambda _, most: most), time


def begun_in_10_s(pacer: Pacer, time: Time) -> int:
    """How many calls the pacer lets begin in the next ten seconds, each answered at once."""
    until, begun = time.seconds + 10, 0
    while time.seconds < until and (ticket := acquire(pacer, 1, lambda: time.seconds >= until)):
        pacer.accepted(ticket, 1)
        begun += 1
    return begun


def test_only_a_lack_of_quota_makes_it_slower():
    (throttled, its_time), (busy, other_time), (lossy, third_time) = (pacer_and_time() for _ in range(3))
    throttled.refused(acquire(throttled, 1, never))
    busy.unavailable(acquire(busy, 1, never))
    acquire(lossy, 1, never)
    lossy.lost()

    assert begun_in_10_s(busy, other_time) == begun_in_10_s(lossy, third_time) > begun_in_10_s(throttled, its_time)


@pytest.mark.parametrize("failed", ["unavailable", "lost"])
def test_a_model_that_answers_nobody_is_tried_by_one_call_at_a_time(failed: str):
    pacer, time = pacer_and_time()

    def fail() -> None:
        ticket = acquire(pacer, 1, never)
        pacer.lost() if failed == "lost" else pacer.unavailable(ticket)

    for _ in range(STORM + 10):
        fail()
    since, tries = time.seconds, 30
    for _ in range(tries):
        fail()

    took_s = time.seconds - since
    pacer.accepted(acquire(pacer, 1, never), 1)

    assert took_s >= tries * LONGEST_PAUSE_S * 0.9
    assert begun_in_10_s(pacer, time) >= 0.98 * QUOTA.requests_per_minute / 6


def test_it_knows_for_how_long_nobody_was_answered():
    pacer, time = pacer_and_time()
    before = pacer.silent_s()
    ticket = acquire(pacer, 1, never)
    time.seconds += 50
    unanswered = pacer.silent_s()
    pacer.accepted(ticket, 1)
    time.seconds += 7

    assert (before, unanswered, pacer.silent_s()) == (0, 50, 7)


def test_a_call_that_was_not_made_takes_nothing():
    pacer, time = pacer_and_time()
    all_tokens = QUOTA.tokens_per_minute
    pacer.unused(acquire(pacer, all_tokens, never))

    acquire(pacer, 1, never)

    assert time.seconds < 1


@pytest.mark.parametrize(("tokens", "part"), [pytest.param(1, 0.5, id="requests"), pytest.param(8_000, 2, id="tokens")])
def test_it_knows_what_part_of_the_quota_the_last_calls_need(tokens: float, part: float):
    pacer, _ = pacer_and_time()
    acquire(pacer, tokens, never)

    assert pacer.part_for(calls=500, seconds=60) == pytest.approx(part)
