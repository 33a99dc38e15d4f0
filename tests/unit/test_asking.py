"""One conversation: asked until there is a verdict, within the budget, whatever the model does."""

import logging

import pytest

from chatcensus.answer import Judgement, Reason
from chatcensus.asking import (
    ANSWERS_PER_LOSS,
    BUSY_CAP_S,
    FEW_REPEATS,
    MAX_CALLS,
    PATIENCE_S,
    Asker,
)
from chatcensus.bill import Bill
from chatcensus.conversation import Conversation, Turn, estimated_tokens
from chatcensus.errors import (
    FeatureRefused,
    ModelBusy,
    QuotaExhausted,
    ReplyLost,
    RequestRefused,
    SetupError,
    Throttled,
)
from chatcensus.pacing import STORM, Ticket
from chatcensus.pricing import Usage, cost_micro_usd
from chatcensus.purse import CALLS_AT_ONCE
from chatcensus.spreading import Spread, Way
from tests.fakes import (
    BAD,
    COST,
    GOOD,
    MODEL,
    TAXONOMY,
    UNLIMITED,
    USAGE,
    FakeClock,
    FakeLedger,
    FakeModel,
    reply,
)

CONVERSATION = Conversation("c1", (Turn("user", "Why does it return None?"),))
LONG = Conversation("c2", (Turn("user", "あ" * 7_000),))
JUDGED = Judgement("coding", 3)
TRUNCATED = reply(stop_reason="max_tokens")


class Asking:
    """An asker with everything that it was given, so that a test can look at all of it."""

    def __init__(
        self,
        *answers: object,
        max_micro_usd: int = 10**9,
        max_conversations: int = 10**9,
        modes: tuple[str, ...] = ("tool", "prompt"),
    ) -> None:
        self.model, self.ledger, self.clock, self.bill = (
            FakeModel(*answers),
            FakeLedger(max_micro_usd, max_conversations),
            FakeClock(),
            Bill(),
        )
        self.is_stopped = False
        self.asker = Asker(
            Spread.over([Way("fake", self.model, MODEL, UNLIMITED)], self.clock, 2),
            self.ledger,
            MODEL.model_copy(update={"output_modes": modes}),
            "Judge it.",
            TAXONOMY,
            self.clock,
            lambda: self.is_stopped,
        )

    def verdict(self, conversation: Conversation = CONVERSATION) -> Judgement | Reason | None:
        """The verdict; the purse is closed then, as at the end of a task."""
        try:
            return self.asker.verdict(conversation, self.bill)
        finally:
            self.asker.purse.close()

    @property
    def modes(self) -> list[str]:
        return [call.mode for call in self.model.history]

    @property
    def max_tokens(self) -> list[int]:
        return [call.max_tokens for call in self.model.history]


def test_a_good_answer_is_the_verdict_and_is_paid_once():
    asking = Asking(GOOD)

    assert asking.verdict() == JUDGED
    assert asking.bill == Bill(1, USAGE.input_tokens, USAGE.output_tokens, COST, answered_by="fake")
    assert asking.ledger.spent == COST


def test_the_model_reads_the_instructions_and_the_conversation_in_an_envelope_of_its_own():
    asking = Asking(BAD, GOOD)

    asking.verdict()

    assert [call.instructions for call in asking.model.history] == ["Judge it."] * 2
    assert [call.message.splitlines()[0] for call in asking.model.history] == [
        "<conversation-0000000000000001>",
        "<conversation-0000000000000002>",
    ]


def test_a_cached_prompt_counts_as_input():
    asking = Asking(reply(usage=Usage(1, 10, 100, 1000)))

    asking.verdict()

    assert (asking.bill.input_tokens, asking.bill.output_tokens) == (1101, 10)


def test_an_invalid_answer_is_asked_again_with_the_reason():
    asking = Asking(BAD, GOOD)

    assert asking.verdict() == JUDGED
    assert "rejected" not in asking.model.history[0].message
    assert asking.model.history[1].message.endswith("An earlier answer was rejected: score out of range.")
    assert asking.bill.attempts == 2
    assert asking.ledger.spent == 2 * COST


def test_the_second_time_it_is_asked_in_the_next_output_mode():
    asking = Asking(BAD, "prose", GOOD)

    assert asking.verdict() == JUDGED
    assert asking.modes == ["tool", "tool", "prompt"]


def test_after_two_more_tries_the_last_reason_stands():
    asking = Asking(BAD, {}, "prose", GOOD)

    assert asking.verdict() is Reason.NOT_JSON
    assert asking.bill.attempts == 3
    assert asking.ledger.spent == 3 * COST


def test_a_model_with_one_output_mode_is_asked_in_it_every_time():
    asking = Asking("prose", "prose", "prose", modes=("prompt",))

    assert asking.verdict() is Reason.NOT_JSON
    assert asking.modes == ["prompt"] * 3


@pytest.mark.parametrize(
    "answer",
    [
        reply(stop_reason="refusal"),
        reply(stop_reason="content_filtered"),
        reply(stop_reason="guardrail_intervened"),
        pytest.param(reply("", "end_turn"), id="an answer of nothing refuses too"),
    ],
)
def test_what_would_be_refused_again_is_not_asked_again(answer: object):
    asking = Asking(answer)

    assert asking.verdict() is Reason.REFUSED
    assert asking.bill.attempts == 1


def test_a_truncated_answer_is_asked_again_with_twice_the_room():
    asking = Asking(TRUNCATED, GOOD)

    assert asking.verdict() == JUDGED
    assert asking.max_tokens == [100, 200]


def test_an_answer_that_is_truncated_twice_stays_so():
    asking = Asking(TRUNCATED, TRUNCATED, GOOD)

    assert asking.verdict() is Reason.TRUNCATED
    assert asking.max_tokens == [100, 200]


def test_room_once_given_stays():
    asking = Asking(TRUNCATED, BAD, GOOD)

    assert asking.verdict() == JUDGED
    assert asking.max_tokens == [100, 200, 200]


def test_a_conversation_beyond_the_context_window_is_clipped_harder_with_the_same_room():
    asking = Asking(reply(stop_reason="model_context_window_exceeded"), GOOD)

    assert asking.verdict(LONG) == JUDGED
    whole, clipped = (call.message for call in asking.model.history)
    assert "characters omitted" not in whole
    assert "characters omitted" in clipped
    assert len(clipped) < len(whole) / 3
    assert asking.max_tokens == [100, 100]


def test_a_refused_request_is_clipped_harder_once_and_nothing_is_paid_for_it():
    asking = Asking(RequestRefused("too long"), GOOD)

    assert asking.verdict(LONG) == JUDGED
    assert "characters omitted" in asking.model.history[1].message
    assert asking.bill.attempts == 1
    assert asking.ledger.spent == COST


def test_a_request_that_is_refused_again_is_too_large():
    asking = Asking(RequestRefused("too long"), RequestRefused("too long"), GOOD)

    assert asking.verdict(LONG) is Reason.TOO_LARGE
    assert (asking.bill.attempts, asking.bill.cost_micro_usd) == (0, 0)
    assert asking.ledger.spent == 0


def test_a_refused_feature_drops_its_output_mode_for_the_rest_of_the_run(caplog: pytest.LogCaptureFixture):
    asking = Asking(FeatureRefused("no tools"), GOOD, GOOD)

    assert (asking.verdict(), asking.verdict()) == (JUDGED, JUDGED)
    assert asking.modes == ["tool", "prompt", "prompt"]
    assert caplog.messages == ["output mode tool is dropped for this run: no tools"]


def test_a_model_that_takes_no_output_mode_is_an_error_of_the_setup():
    asking = Asking(FeatureRefused("no tools"), FeatureRefused("no text"))

    with pytest.raises(SetupError, match="the model takes none of its output modes: no text"):
        asking.verdict()
    assert asking.ledger.spent == 0


def test_a_setup_error_is_not_asked_again_and_not_paid():
    asking = Asking(SetupError("no access"))

    with pytest.raises(SetupError, match="no access"):
        asking.verdict()
    assert len(asking.model.history) == 1
    assert asking.ledger.spent == 0


def test_a_busy_model_is_waited_for_longer_each_time_and_costs_nothing():
    asking = Asking(*[Throttled("429"), ModelBusy("503")] * (STORM // 2), GOOD)

    assert asking.verdict() == JUDGED
    assert asking.clock.drawn == [(0, 2), (0, 4), (0, 8), (0, 16)]
    assert asking.bill.throttled == STORM - 1
    assert asking.ledger.spent == asking.bill.cost_micro_usd == COST


@pytest.mark.parametrize("busy", [Throttled("429"), ModelBusy("503")])
def test_a_model_that_answers_nobody_for_long_ends_the_try_and_costs_nothing(busy: Exception):
    asking = Asking(*[busy] * 1_000, GOOD)

    with pytest.raises(ModelBusy, match="has answered no call for 600 s: this task goes on in its next try"):
        asking.verdict()
    assert PATIENCE_S / (2 * BUSY_CAP_S) <= len(asking.model.history) <= PATIENCE_S / BUSY_CAP_S + STORM
    assert asking.clock.seconds <= PATIENCE_S + 2 * BUSY_CAP_S
    assert asking.ledger.spent == 0
    assert not asking.asker.is_spent


def test_a_model_that_is_busy_for_one_conversation_alone_leaves_it_pending():
    asking = Asking()

    def answer_somebody_else() -> Exception:
        asking.asker.spread.lanes[0].pacer.accepted(Ticket(0, 1), 1)
        return ModelBusy("503")

    asking.model.enqueue(*[answer_somebody_else] * 1_000)

    assert asking.verdict() is None
    assert asking.clock.seconds >= PATIENCE_S
    assert asking.ledger.spent == 0


def test_a_lost_reply_is_asked_once_more_and_stays_reserved_as_perhaps_paid():
    asking = Asking(ReplyLost("timeout"), GOOD)

    assert asking.verdict() == JUDGED
    assert asking.bill.possibly_paid == 1
    assert asking.bill.cost_micro_usd == COST
    assert asking.ledger.spent > 2 * COST  # the lost one is kept at its worst


def test_two_lost_replies_leave_the_conversation_pending():
    asking = Asking(ReplyLost("timeout"), ReplyLost("reset"), GOOD)

    assert asking.verdict() is None
    assert asking.bill.possibly_paid == 2
    assert len(asking.model.history) == 2


def test_a_second_reply_lost_after_an_invalid_answer_leaves_it_pending_too():
    asking = Asking(ReplyLost("timeout"), BAD, ReplyLost("timeout"), GOOD)

    assert asking.verdict() is None
    assert asking.bill.attempts == 1


def test_a_conversation_is_called_about_at_most_three_times_in_a_run():
    asking = Asking(BAD, ReplyLost("timeout"), BAD, GOOD)

    assert asking.verdict() is None
    assert len(asking.model.history) == MAX_CALLS
    assert asking.ledger.calls.total() == MAX_CALLS


def test_lost_replies_are_asked_again_only_within_a_part_of_what_is_answered():
    asking = Asking(*[ReplyLost("timeout")] * 1_000)

    for number in range(30):
        asking.bill = Bill()
        assert asking.verdict(Conversation(f"c{number}", CONVERSATION.turns)) is None

    assert len(asking.model.history) == 30 + FEW_REPEATS


def answered_others(asking: Asking, count: int) -> None:
    """Have the task of *asking* judge others first."""
    for number in range(count):
        assert asking.asker.verdict(Conversation(f"other {number}", CONVERSATION.turns), Bill()) == JUDGED


def runs_without_a_reply(others: int, *answers: object) -> list[object]:
    """What becomes, in run after run, of a conversation that gets *answers* while *others* are judged."""
    ledger, ends = FakeLedger(), []
    for _ in range(4):
        asking = Asking(*[GOOD] * others, *answers)
        asking.asker.ledger = ledger
        answered_others(asking, others)
        ends.append(asking.verdict())
    return ends


def test_a_text_whose_reply_is_lost_in_every_run_is_given_up_after_six_calls():
    lost = [ReplyLost("timeout")] * 2

    assert runs_without_a_reply(ANSWERS_PER_LOSS, *lost)[:3] == [None, None, Reason.UNANSWERED]


def test_a_text_that_was_answered_badly_meanwhile_is_given_up_for_what_was_wrong():
    ends = runs_without_a_reply(ANSWERS_PER_LOSS, BAD, ReplyLost("timeout"), BAD)

    assert ends[:2] == [None, Reason.SCORE_OUT_OF_RANGE]


def test_nothing_is_given_up_where_the_model_answers_few_others():
    lost = [ReplyLost("timeout")] * 2

    assert runs_without_a_reply(ANSWERS_PER_LOSS - 1, *lost) == [None] * 4


def test_nothing_is_given_up_where_the_replies_to_others_are_lost_too():
    asking = Asking(*[GOOD] * ANSWERS_PER_LOSS, *[ReplyLost("timeout")] * 6)
    asking.ledger.calls[CONVERSATION.conversation_id, CONVERSATION.content_hash] = 100
    answered_others(asking, ANSWERS_PER_LOSS)
    for number in range(2):
        asking.asker.verdict(Conversation(f"lost {number}", CONVERSATION.turns), Bill())

    assert asking.verdict() is None


def test_the_calls_of_an_older_text_are_not_held_against_a_conversation():
    asking = Asking(*[GOOD] * ANSWERS_PER_LOSS, *[ReplyLost("timeout")] * 2)
    asking.ledger.calls[CONVERSATION.conversation_id, "an older text"] = 100
    answered_others(asking, ANSWERS_PER_LOSS)

    assert asking.verdict() is None


def test_a_run_asks_about_no_more_conversations_than_it_may(caplog: pytest.LogCaptureFixture):
    asking = Asking(BAD, GOOD, GOOD, max_conversations=1)

    assert (asking.verdict(), asking.verdict(LONG)) == (JUDGED, None)
    assert len(asking.model.history) == 2
    assert asking.asker.is_spent
    assert caplog.messages == ["the run has had its conversations; what is left stays pending for the next run"]


def test_a_conversation_in_which_nothing_is_said_counts_for_no_limit():
    asking = Asking(max_conversations=1)

    assert asking.verdict(Conversation("c0", (Turn("user", " "),))) is Reason.EMPTY
    assert asking.verdict() == JUDGED


def test_a_quota_that_is_used_up_ends_the_run_cleanly(caplog: pytest.LogCaptureFixture):
    asking = Asking(QuotaExhausted("the day's quota is used up"), GOOD)

    assert asking.verdict() is None
    assert asking.asker.is_spent
    assert asking.ledger.spent == 0
    assert caplog.messages == ["the day's quota is used up; what is left stays pending for the next run"]


def test_nothing_is_asked_after_the_stop():
    asking = Asking(GOOD)
    asking.is_stopped = True

    assert asking.verdict() is None
    assert asking.model.history == []


def test_a_stop_while_waiting_for_a_busy_model_is_heeded():
    asking = Asking(GOOD)
    asking.model.queue.appendleft(lambda: setattr(asking, "is_stopped", True) or Throttled("429"))

    assert asking.verdict() is None
    assert len(asking.model.history) == 1


def test_what_is_reserved_covers_twice_the_estimate_and_every_token_of_the_answer():
    asking = Asking()
    asking.model.enqueue(lambda: reserved.append(asking.ledger.spent) or reply())
    reserved: list[int] = []

    asking.verdict()

    [call] = asking.model.history
    most = Usage(int(2 * estimated_tokens(call.instructions + call.message)), call.max_tokens)
    assert reserved[0] / CALLS_AT_ONCE >= cost_micro_usd(most, MODEL.prices[0]) > COST
    assert asking.ledger.spent == COST


def test_a_budget_that_does_not_hold_the_next_call_stops_the_run_before_it(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    asking = Asking(GOOD, max_micro_usd=1)

    assert asking.verdict() is None
    assert asking.model.history == []
    assert asking.asker.is_spent
    assert asking.ledger.most_spent == 0
    assert caplog.messages == ["the run's budget is used up; what is left stays pending for the next run"]


def test_a_reask_needs_room_in_the_budget_as_well():
    measured = Asking(GOOD)
    measured.verdict()
    asking = Asking(BAD, GOOD, max_micro_usd=measured.ledger.most_spent // CALLS_AT_ONCE)

    assert asking.verdict() is None
    assert asking.bill.cost_micro_usd == asking.ledger.spent == COST


def test_a_model_without_a_price_for_today_is_an_error_before_any_call():
    unpriced = MODEL.model_copy(update={"prices": (MODEL.prices[0].model_copy(update={"since": "2027-01-01"}),)})

    with pytest.raises(SetupError, match="has no price for 2026-10-01"):
        Asker(Spread([]), FakeLedger(), unpriced, "", TAXONOMY, FakeClock(), bool)
