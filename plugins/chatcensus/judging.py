"""Judge conversations apart from any run: nothing is written to their table, and no other run hears of it."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, as_completed, wait
from dataclasses import dataclass

from chatcensus.answer import Judgement, Reason, Reply
from chatcensus.asking import Asker
from chatcensus.bill import Bill
from chatcensus.conversation import Conversation
from chatcensus.crew import Threads
from chatcensus.model_catalog import OutputMode
from chatcensus.purse import Budget
from chatcensus.spreading import Judge

_LOOK_AGAIN_S = 1.0


@dataclass(frozen=True)
class Judged:
    """
    What a model says of one conversation, and what that took.

    Shape: *verdict* is None when it was not asked, or gave no answer: the money or the quota of the day was used up, or
    its replies were lost. Units: *seconds* within its calls, all of them, where the asker's model is `Timed`; else 0.
    """

    conversation_id: str
    verdict: Judgement | Reason | None
    bill: Bill
    seconds: float


class Timed:
    """A model with a watch: how long its calls take, without the waiting for the quota between them."""

    def __init__(self, model: Judge, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._model, self._monotonic = model, monotonic

    def ask(self, instructions: str, message: str, mode: OutputMode, max_tokens: int) -> Reply:
        """Make one call as the model does, and time it, however it ends."""
        began = self._monotonic()
        try:
            return self._model.ask(instructions, message, mode, max_tokens)
        finally:
            _watch.seconds = getattr(_watch, "seconds", 0.0) + self._monotonic() - began


_watch = threading.local()  # all calls about one conversation are made by one thread


class Allowance:
    """
    Money for so many micro-USD within one process; safe for threads.

    Shape: *spent_micro_usd* is what was paid, with what is reserved for the calls under way.
    """

    def __init__(self, max_micro_usd: int) -> None:
        self.max_micro_usd, self.spent_micro_usd = max_micro_usd, 0
        self._lock = threading.Lock()

    def reserve(self, micro_usd: int) -> bool:
        """Take *micro_usd*; False, and nothing taken, when that is not there."""
        with self._lock:
            is_there = self.spent_micro_usd + micro_usd <= self.max_micro_usd
            self.spent_micro_usd += micro_usd if is_there else 0
            return is_there

    def settle(self, reserved_micro_usd: int, paid_micro_usd: int) -> None:
        """Put back what was not paid."""
        with self._lock:
            self.spent_micro_usd += paid_micro_usd - reserved_micro_usd


class Apart:
    """The ledger of an Asker that judges apart: the money of *budget*, and no memory of any conversation."""

    def __init__(self, budget: Budget) -> None:
        self.reserve, self.settle = budget.reserve, budget.settle

    def admit(self) -> bool:
        """Ask about everything that is given."""
        return True

    def add_calls(self, conversation: Conversation, calls: int) -> int:  # noqa: ARG002 - it has no other runs
        """Remember nothing."""
        return calls

    def quarantine(self, conversation_id: str, reason: Reason) -> bool:  # noqa: ARG002
        """Remember nothing."""
        return True


def judge(
    conversations: Iterable[Conversation | None],
    asker: Asker,
    in_flight: int,
    renew: Callable[[], object] = lambda: None,
) -> Iterator[Judged]:
    """
    Yield what the asker's model says of *conversations*, each as soon as it is known, *in_flight* at one time.

    Shape: ends early when the money is used up or the asker is stopped; what was not begun is not yielded. Give the
    asker `Apart(Allowance(…))` as its ledger. *renew* is called once a second at the least; so it is at each None among
    the *conversations*, which says that the next one is waited for.
    Errors: those of `Asker.verdict`, of *conversations* and *renew*; what is in flight then is paid, and yielded first.
    """
    running: set[Future[Judged]] = set()
    with Threads(in_flight) as crew:
        try:
            for conversation in conversations:
                renew()
                while len(running) >= in_flight:
                    yield from _finished(crew, running, renew)
                if asker.is_spent or asker.is_stopped():
                    break
                if conversation:
                    running.add(crew.submit(_judged, conversation, asker))
            while running:
                yield from _finished(crew, running, renew)
        except Exception:
            for future in as_completed(running):
                if not future.exception():
                    yield future.result()
            raise
        finally:
            wait(running)  # the money of these calls is settled before the purse is closed
            asker.purse.close()


def _finished(crew: Threads, running: set[Future[Judged]], renew: Callable[[], object]) -> Iterator[Judged]:
    done = crew.first_done(running, _LOOK_AGAIN_S)
    renew()
    for future in done:
        judged = future.result()
        running.discard(future)
        yield judged


def _judged(conversation: Conversation, asker: Asker) -> Judged:
    bill, _watch.seconds = Bill(), 0.0
    verdict = Reason.UNREADABLE if conversation.problem else asker.verdict(conversation, bill)
    return Judged(conversation.conversation_id, verdict, bill, _watch.seconds)
