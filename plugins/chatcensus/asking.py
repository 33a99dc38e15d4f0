"""Ask the model about one conversation until there is a verdict, within the run's budget."""

import logging
import threading
from collections.abc import Callable
from typing import Protocol

from chatcensus.answer import Judgement, Reason, Reply, read_answer
from chatcensus.bill import Bill
from chatcensus.cache_watch import CacheWatch
from chatcensus.clock import Clock
from chatcensus.conversation import MAX_TRANSCRIPT_TOKENS, Conversation, Transcript, estimated_tokens, transcript
from chatcensus.errors import (
    FeatureRefused,
    ModelBusy,
    QuotaExhausted,
    ReplyLost,
    RequestRefused,
    SetupError,
    Throttled,
)
from chatcensus.forecast import expected_usage
from chatcensus.model_catalog import Model, OutputMode
from chatcensus.pricing import Price, cost_micro_usd
from chatcensus.prompt import user_message
from chatcensus.purse import Budget, Purse
from chatcensus.spreading import Lane, Spread
from chatcensus.taxonomy import Taxonomy

log = logging.getLogger(__name__)

MAX_REASKS = 2
# Calls about one conversation, answered or lost: in a run, and in its life before it is given up.
MAX_CALLS, MAX_CALLS_IN_LIFE = 3, 6
# Lost replies may have been paid: they are asked again within this part of what the model answers, and a few besides.
REPEATED_PART, FEW_REPEATS = 0.1, 10
# Only where the model answers at least so many others for each reply it loses does a loss say something of the text.
ANSWERS_PER_LOSS = 20
# A conversation that a busy model has kept for so long waits for the next run.
PATIENCE_S, BUSY_BASE_S, BUSY_CAP_S = 600.0, 1.0, 20.0


class Batch(Protocol):
    """The answers that batch inference has brought; the run has paid for them already."""

    @property
    def is_used_up(self) -> bool:
        """Whether every answer that there is was used."""

    def reply(self, conversation: Conversation) -> Reply | None:
        """Return the answer about *conversation* as it is now; None when there is none, and it has to be asked."""


class Ledger(Budget, Protocol):
    """What all tasks of a run share, and what is known of a conversation from earlier runs."""

    def admit(self) -> bool:
        """Count one more conversation that is asked about; False when the run has had as many as it may."""

    def add_calls(self, conversation: Conversation, calls: int) -> int:
        """Add calls that came to nothing to those of earlier runs about the same text; return how many it has had."""

    def quarantine(self, conversation_id: str, reason: Reason) -> bool:
        """Remember a conversation whose item has no room for an evaluation; False when that is known already."""


class Asker:
    """Asks one model by one set of instructions, wherever *spread* goes; used by all calls of a segment at once."""

    def __init__(
        self,
        spread: Spread,
        ledger: Ledger,
        model: Model,
        instructions: str,
        taxonomy: Taxonomy,
        clock: Clock,
        is_stopped: Callable[[], bool],
        batch: Batch | None = None,
    ) -> None:
        self.batch = batch
        self.spread, self.ledger, self.model, self.clock = spread, ledger, model, clock
        self.instructions, self.taxonomy, self.is_stopped = instructions, taxonomy, is_stopped
        self.purse = Purse(ledger, clock.sleep)
        self.is_spent = False
        self._modes, self._lock = list(model.output_modes), threading.Lock()
        self._answered = self._lost = self._repeated = 0
        self._price = model.price(clock.now().date())
        self._instruction_tokens = estimated_tokens(instructions)
        self._instruction_bytes = len(instructions.encode())
        self._cache = CacheWatch(self._instruction_tokens, model.cache_min_tokens)

    def verdict(self, conversation: Conversation, bill: Bill) -> Judgement | Reason | None:
        """
        Return what the model says of *conversation*, or why it cannot be judged; None leaves it pending.

        An invalid answer is asked again at most twice, the second time in the model's next output mode.
        Errors: SetupError when no call can succeed, ModelBusy when the model has answered nobody for PATIENCE_S.
        """
        shown = transcript(conversation.turns)
        if shown.is_blank:
            return Reason.EMPTY
        reply = self.batch.reply(conversation) if self.batch else None
        if reply:  # admitted and paid when it was sent
            self._charge(reply, bill, self._price)
        elif self.is_spent:
            return None
        elif not self.ledger.admit():
            self._end_of("the run has had its conversations")
            return None
        verdict, rejected = self._asked(conversation, shown, bill, reply)
        if verdict is None and bill.possibly_paid:
            return self._given_up(conversation, rejected, bill)
        return verdict

    def forecast_micro_usd(self, conversation: Conversation) -> int:
        """Return about what a verdict on *conversation* would cost, if its first answer is valid."""
        return cost_micro_usd(expected_usage(conversation, self._instruction_tokens), self._price)

    def _asked(
        self, conversation: Conversation, shown: Transcript, bill: Bill, reply: Reply | None
    ) -> tuple[Judgement | Reason | None, list[Reason]]:
        """Return the verdict, and why answers before it were rejected; *reply* is an answer that is there already."""
        max_tokens, max_input_tokens = self.model.max_tokens, MAX_TRANSCRIPT_TOKENS
        rejected: list[Reason] = []
        while True:
            mode = self._modes[-1 if len(rejected) == MAX_REASKS else 0]
            bill.is_clipped = shown.is_clipped
            try:
                if reply is None:
                    message = user_message(shown, self.clock.nonce(), mode, rejected)
                    reply = self.paid_call(message, mode, max_tokens, bill)
            except RequestRefused:
                if max_input_tokens < MAX_TRANSCRIPT_TOKENS:
                    return Reason.TOO_LARGE, rejected
                max_input_tokens //= 4
                shown = transcript(conversation.turns, max_input_tokens)
                continue
            except FeatureRefused as refused:
                self._drop(mode, refused)
                continue
            if reply is None:
                return None, rejected
            verdict = read_answer(reply.answer, reply.stop_reason, self.taxonomy)
            if verdict is Reason.EMPTY and not (reply.stop_reason or "").startswith("malformed_"):
                verdict = Reason.REFUSED  # no answer to somebody who said something; `empty` is who said nothing
            if isinstance(verdict, Judgement) or verdict is Reason.REFUSED:
                return verdict, rejected  # the same text would be refused again
            if len(rejected) == MAX_REASKS or rejected[-1:] == [verdict] == [Reason.TRUNCATED]:
                return verdict, rejected
            if reply.stop_reason == "model_context_window_exceeded":
                max_input_tokens //= 4
                shown = transcript(conversation.turns, max_input_tokens)
            elif verdict is Reason.TRUNCATED:
                max_tokens *= 2
            rejected.append(verdict)
            reply = None

    def _given_up(self, conversation: Conversation, rejected: list[Reason], bill: Bill) -> Reason | None:
        """Give up on a text whose replies are lost in run after run while those of the others are not."""
        calls = self.ledger.add_calls(conversation, bill.calls)
        with self._lock:
            others_lost = self._lost - bill.possibly_paid
            is_healthy = self._answered >= ANSWERS_PER_LOSS * max(1, others_lost)
        if calls < MAX_CALLS_IN_LIFE or not is_healthy:
            return None
        return rejected[-1] if rejected else Reason.UNANSWERED

    def paid_call(self, message: str, mode: OutputMode, max_tokens: int, bill: Bill) -> Reply | None:
        """Make one call within budget and quota, again while the model is busy; None when this run cannot have it."""
        input_tokens = self._instruction_tokens + estimated_tokens(message)
        most_micro_usd = self.spread.most_micro_usd(self._instruction_bytes + len(message.encode()), max_tokens)
        deadline, busy, refused_by = self.clock.monotonic() + PATIENCE_S, 0, set[Lane]()
        while self.clock.monotonic() < deadline:
            if self.is_spent or bill.calls >= MAX_CALLS:
                return None
            if not self.purse.reserve(most_micro_usd):
                self._end_of("the run's budget is used up")
                return None
            paid_micro_usd, pause_s = 0, 0.0
            try:
                place = self.spread.acquire(input_tokens, max_tokens, self.is_stopped, refused_by)
                if place is None:
                    return None
                lane, ticket = place
                reply = lane.ask(self.instructions, message, mode, max_tokens, ticket)
                paid_micro_usd = self._charge(reply, bill, lane.price)
            except (Throttled, ModelBusy):
                bill.throttled += 1
                refused_by.add(lane)
                if self.spread.is_refused_by(refused_by):  # else it goes to another route at once
                    refused_by.clear()
                    busy += 1
                    pause_s = self.clock.uniform(0, min(BUSY_CAP_S, BUSY_BASE_S * 2.0**busy))
            except ReplyLost:
                paid_micro_usd = most_micro_usd  # taken as paid until the bill says otherwise: the budget must hold
                bill.possibly_paid += 1
                if not self._may_repeat(bill):
                    return None
            except QuotaExhausted as exhausted:
                if not self.spread.close(lane, exhausted):
                    self._end_of(str(exhausted))
                    return None
            except SetupError as error:
                if not self.spread.close(lane, error):
                    raise
            else:
                return reply
            finally:
                self.purse.settle(most_micro_usd, paid_micro_usd)
            if pause_s:
                self.clock.sleep(pause_s)
        if self.spread.silent_s() >= PATIENCE_S:
            raise ModelBusy(f"the model has answered no call for {PATIENCE_S:.0f} s: this task goes on in its next try")
        return None

    def _charge(self, reply: Reply, bill: Bill, price: Price) -> int:
        """Put an answer on the bill and return what it cost."""
        self._cache.see(reply)
        with self._lock:
            self._answered += 1
        return bill.add(reply, price)

    def _may_repeat(self, bill: Bill) -> bool:
        """Count a lost reply; True when the call may be made once more, though it may have been paid."""
        with self._lock:
            self._lost += 1
            may = bill.possibly_paid == 1 and self._repeated < FEW_REPEATS + REPEATED_PART * self._answered
            self._repeated += may
        return may

    def _end_of(self, what: str) -> None:
        """Begin nothing new in this run; the first of all calls to find out says why."""
        with self._lock:
            is_news, self.is_spent = not self.is_spent, True
        if is_news:
            log.warning("%s; what is left stays pending for the next run", what)

    def _drop(self, mode: OutputMode, refused: FeatureRefused) -> None:
        """Stop using an output mode that this model or account does not take."""
        with self._lock:
            left = [other for other in self._modes if other != mode]
            is_new, self._modes = left != self._modes, left or self._modes
        if not left:
            raise SetupError(f"the model takes none of its output modes: {refused}") from refused
        if is_new:
            log.warning("output mode %s is dropped for this run: %s", mode, refused)
