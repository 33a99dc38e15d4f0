"""Ask the model about one conversation until there is a verdict, within the run's budget."""

import logging
import random
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from chatcensus.answer import Judgement, Reason, Reply, read_answer
from chatcensus.conversation import MAX_TRANSCRIPT_TOKENS, Conversation, estimated_tokens, transcript
from chatcensus.errors import FeatureRefused, ModelBusy, QuotaExhausted, ReplyLost, RequestRefused, SetupError
from chatcensus.model_catalog import Model, OutputMode
from chatcensus.pacing import Pacer, Ticket
from chatcensus.pricing import Usage, cost_micro_usd
from chatcensus.prompt import user_message
from chatcensus.taxonomy import Taxonomy

log = logging.getLogger(__name__)

MAX_REASKS = 2
# A conversation that a busy model or a lost reply has kept for so long waits for the next run.
PATIENCE_S, BUSY_BASE_S, BUSY_CAP_S = 600.0, 1.0, 20.0


class Judge(Protocol):
    """The model."""

    def ask(self, instructions: str, message: str, mode: OutputMode, max_tokens: int) -> Reply:
        """Make one paid call. Errors: those of `errors.py` that name a model, a reply, a request or a quota."""


class Budget(Protocol):
    """The money of the run, shared by all its segments."""

    def reserve(self, micro_usd: int) -> bool:
        """Reserve *micro_usd* of the run's budget; False when it is not there."""

    def settle(self, reserved_micro_usd: int, paid_micro_usd: int) -> None:
        """Put what was really paid in the place of what was reserved."""


@dataclass
class Clock:
    """The time and the chance that the census uses; tests put their own in its place."""

    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    uniform: Callable[[float, float], float] = random.uniform
    nonce: Callable[[], str] = field(default=lambda: secrets.token_hex(8))


@dataclass
class Bill:
    """What one conversation has cost in this run."""

    attempts: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_micro_usd: int = 0
    possibly_paid: int = 0
    throttled: int = 0
    answered_by: str = ""
    is_clipped: bool = False


class Asker:
    """Asks one model by one set of instructions; used by all calls of a segment at the same time."""

    def __init__(
        self,
        judge: Judge,
        budget: Budget,
        pacer: Pacer,
        model: Model,
        instructions: str,
        taxonomy: Taxonomy,
        clock: Clock,
        is_stopped: Callable[[], bool],
    ) -> None:
        self.judge, self.budget, self.pacer, self.model, self.clock = judge, budget, pacer, model, clock
        self.instructions, self.taxonomy, self.is_stopped = instructions, taxonomy, is_stopped
        self.is_spent = False
        self._modes, self._dropping = list(model.output_modes), threading.Lock()
        self._price = model.price(clock.now().date())
        self._instruction_tokens = estimated_tokens(instructions)

    def verdict(self, conversation: Conversation, bill: Bill) -> Judgement | Reason | None:
        """
        Return what the model says of *conversation*, or why it cannot be judged; None leaves it pending.

        An invalid answer is asked again at most twice, the second time in the model's next output mode.
        Errors: SetupError when no call can succeed.
        """
        max_tokens, max_input_tokens = self.model.max_tokens, MAX_TRANSCRIPT_TOKENS
        rejected: list[Reason] = []
        while True:
            mode = self._modes[-1 if len(rejected) == MAX_REASKS else 0]
            shown = transcript(conversation.turns, max_input_tokens)
            bill.is_clipped = shown.is_clipped
            message = user_message(shown, self.clock.nonce(), mode, rejected)
            try:
                reply = self._paid_call(message, mode, max_tokens, bill)
            except RequestRefused:
                if max_input_tokens < MAX_TRANSCRIPT_TOKENS:
                    return Reason.TOO_LARGE
                max_input_tokens //= 4
                continue
            except FeatureRefused as refused:
                self._drop(mode, refused)
                continue
            if reply is None:
                return None
            verdict = read_answer(reply.answer, reply.stop_reason, self.taxonomy)
            if verdict is Reason.EMPTY and not (reply.stop_reason or "").startswith("malformed_"):
                return Reason.REFUSED  # no answer to somebody who said something; `empty` is who said nothing
            if isinstance(verdict, Judgement) or verdict is Reason.REFUSED:
                return verdict  # the same text would be refused again
            if len(rejected) == MAX_REASKS or rejected[-1:] == [verdict] == [Reason.TRUNCATED]:
                return verdict
            if reply.stop_reason == "model_context_window_exceeded":
                max_input_tokens //= 4
            elif verdict is Reason.TRUNCATED:
                max_tokens *= 2
            rejected.append(verdict)

    def _paid_call(self, message: str, mode: OutputMode, max_tokens: int, bill: Bill) -> Reply | None:
        """Make one call within quota and budget, again while the model is busy; None when this run cannot have it."""
        tokens = self.pacer.quota.tokens(self._instruction_tokens + estimated_tokens(message), max_tokens)
        deadline, busy = self.clock.monotonic() + PATIENCE_S, 0
        while self.clock.monotonic() < deadline and not self.is_spent:
            ticket = self.pacer.acquire(tokens, self.is_stopped)
            if ticket is None:
                return None
            try:
                return self._budgeted_call(message, mode, max_tokens, bill, ticket)
            except ModelBusy:
                bill.throttled += 1
                busy += 1
                self.clock.sleep(self.clock.uniform(0, min(BUSY_CAP_S, BUSY_BASE_S * 2.0**busy)))
            except ReplyLost:
                bill.possibly_paid += 1
                if bill.possibly_paid > 1:
                    return None
            except QuotaExhausted as exhausted:
                log.warning("%s; what is left stays pending for the next run", exhausted)
                self.is_spent = True
        return None

    def _budgeted_call(
        self, message: str, mode: OutputMode, max_tokens: int, bill: Bill, ticket: Ticket
    ) -> Reply | None:
        # A token is at least a byte, and a cached prefix is dear to write: never less than the bill, whatever the text.
        most_tokens = len(self.instructions.encode()) + len(message.encode())
        usages = Usage(most_tokens, max_tokens), Usage(cache_write_tokens=most_tokens, output_tokens=max_tokens)
        worst = max(cost_micro_usd(usage, self._price) for usage in usages)
        if not self.budget.reserve(worst):
            log.info("the run's budget is used up; what is left stays pending for the next run")
            self.is_spent = True
            self.pacer.lost()
            return None
        paid = 0
        try:
            reply = self.judge.ask(self.instructions, message, mode, max_tokens)
            paid = self._charge(reply, bill)
        except ModelBusy:
            self.pacer.refused(ticket)
            raise
        except ReplyLost:
            paid = worst  # taken as paid until the bill says otherwise: the budget must hold
            self.pacer.lost()
            raise
        except BaseException:
            self.pacer.lost()
            raise
        else:
            quota, usage = self.pacer.quota, reply.usage
            self.pacer.accepted(
                ticket, quota.tokens(usage.input_tokens + usage.cache_write_tokens, usage.output_tokens)
            )
        finally:
            self.budget.settle(worst, paid)
        return reply

    def _charge(self, reply: Reply, bill: Bill) -> int:
        paid = cost_micro_usd(reply.usage, self._price)
        bill.attempts += 1
        bill.input_tokens += reply.usage.all_input_tokens
        bill.output_tokens += reply.usage.output_tokens
        bill.cost_micro_usd += paid
        bill.answered_by = reply.answered_by
        return paid

    def _drop(self, mode: OutputMode, refused: FeatureRefused) -> None:
        """Stop using an output mode that this model or account does not take."""
        with self._dropping:
            left = [other for other in self._modes if other != mode]
            is_new, self._modes = left != self._modes, left or self._modes
        if not left:
            raise SetupError(f"the model takes none of its output modes: {refused}") from refused
        if is_new:
            log.warning("output mode %s is dropped for this run: %s", mode, refused)
