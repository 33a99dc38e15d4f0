"""Judging apart from any run: everything gets a verdict, the money is a limit, and an error loses no bill."""

import threading
from collections.abc import Iterator

import pytest

from chatcensus.answer import Judgement, Reason
from chatcensus.asking import Asker
from chatcensus.conversation import Conversation, Turn
from chatcensus.errors import SetupError
from chatcensus.judging import Allowance, Apart, Timed, judge
from chatcensus.spreading import Spread, Way
from tests.fakes import BAD, COST, MODEL, TAXONOMY, UNLIMITED, FakeClock, FakeModel, during_the_call

PLENTY = 10**9


def asker(model: FakeModel | Timed, money: Allowance, stop: threading.Event | None = None) -> Asker:
    clock = FakeClock()
    spread = Spread.over([Way("fake", model, MODEL, UNLIMITED)], clock, 2)
    is_stopped = (stop or threading.Event()).is_set
    return Asker(spread, Apart(money), MODEL, "Judge it.", TAXONOMY, clock, is_stopped)


def conversations(count: int) -> list[Conversation]:
    return [Conversation(f"c{number}", (Turn("user", f"Question {number}?"),)) for number in range(count)]


@pytest.mark.parametrize("in_flight", [1, 3])
def test_each_conversation_gets_a_verdict_and_a_bill(in_flight: int):
    money = Allowance(PLENTY)

    judged = list(judge(conversations(7), asker(FakeModel(), money), in_flight))

    assert sorted(each.conversation_id for each in judged) == [f"c{number}" for number in range(7)]
    assert {each.verdict for each in judged} == {Judgement("coding", 3)}
    assert sum(each.bill.cost_micro_usd for each in judged) == money.spent_micro_usd == 7 * COST


def test_what_cannot_be_judged_has_a_reason():
    unreadable = Conversation("c1", (), problem="turns is missing")
    blank = Conversation("c2", (Turn("user", " "),))

    judged = list(judge([unreadable, blank, *conversations(1)], asker(FakeModel(BAD, BAD, BAD), Allowance(PLENTY)), 1))

    assert [each.verdict for each in judged] == [Reason.UNREADABLE, Reason.EMPTY, Reason.SCORE_OUT_OF_RANGE]
    assert [each.bill.attempts for each in judged] == [0, 0, 3]


def test_the_money_is_a_limit():
    money = Allowance(5_000)

    judged = list(judge(conversations(100), asker(FakeModel(), money), 2))

    asked = [each for each in judged if each.verdict]
    assert 0 < len(asked) < 100
    assert money.spent_micro_usd == len(asked) * COST <= 5_000


def test_what_was_not_begun_when_it_is_stopped_is_not_yielded():
    stop = threading.Event()
    model = FakeModel(during_the_call(stop.set))

    judged = list(judge(conversations(5), asker(model, Allowance(PLENTY), stop), 1))

    assert [each.conversation_id for each in judged] == ["c0"]


def test_an_error_ends_it_and_what_was_paid_stays_counted():
    money = Allowance(PLENTY)
    judging = judge(conversations(5), asker(FakeModel(None, SetupError("no access to the model")), money), 1)

    with pytest.raises(SetupError, match="no access"):
        list(judging)

    assert money.spent_micro_usd == COST


@pytest.mark.parametrize("source", ["conversations", "renew", "model"])
def test_an_error_loses_no_answer_that_is_in_flight(source: str):
    money, begun, is_over = Allowance(PLENTY), threading.Semaphore(0), threading.Event()
    slow = during_the_call(lambda: (begun.release(), is_over.wait(5)))

    def fail(here: str) -> None:
        if here == source:
            is_over.set()
            raise SetupError("it is gone")

    def given() -> Iterator[Conversation]:
        yield from conversations(2)
        begun.acquire()
        begun.acquire()
        fail("conversations")
        yield conversations(3)[2]

    def renew() -> None:
        if is_over.is_set():
            fail("renew")

    model = FakeModel(slow, slow, during_the_call(lambda: (is_over.set(), fail("model"))))
    judged: list[str] = []

    with pytest.raises(SetupError, match="it is gone"):
        judged.extend(each.conversation_id for each in judge(given(), asker(model, money), 3, renew))

    assert {"c0", "c1"} <= set(judged)
    assert money.spent_micro_usd == len(judged) * COST


def test_seconds_are_those_within_the_calls_of_a_conversation():
    clock = FakeClock()
    model = FakeModel(during_the_call(lambda: clock.sleep(2), BAD), during_the_call(lambda: clock.sleep(3)))
    money = Allowance(PLENTY)
    timed = Timed(model, clock.monotonic)

    judged = list(judge(conversations(2), asker(timed, money), 1))

    assert [(each.bill.attempts, each.seconds) for each in judged] == [(2, 5), (1, 0)]


def test_a_claim_is_renewed_while_the_next_conversation_is_waited_for():
    renewed = []

    list(judge([None, None, None], asker(FakeModel(), Allowance(PLENTY)), 1, lambda: renewed.append(1)))

    assert len(renewed) == 3
