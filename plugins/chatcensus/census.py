"""
The use case: judge every pending conversation of one segment, and write each judgement beside its conversation.

Nothing here knows Airflow or AWS: store, model, ledger, clock and randomness come in as arguments.
"""

import logging
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Protocol

from chatcensus.answer import Judgement, Reason
from chatcensus.asking import Asker, Bill, Budget, Clock, Judge
from chatcensus.conversation import Conversation, transcript
from chatcensus.evaluation import Evaluation, evaluation_key, is_of_this_text, pseudonym
from chatcensus.interval import Window
from chatcensus.mapping import Stored, TableMapping
from chatcensus.model_catalog import Model
from chatcensus.prompt import prompt_version
from chatcensus.tally import Outcome, Tally
from chatcensus.taxonomy import Taxonomy

log = logging.getLogger(__name__)


class Store(Protocol):
    """The conversations."""

    def read(self) -> Iterable[Stored]:
        """Return every item of the segment, each as it is now."""

    def write(self, stored: Stored, evaluation: Evaluation) -> Outcome:
        """Write under the three conditions; return EVALUATED, or the outcome that says which of them was false."""


class Ledger(Budget, Protocol):
    """The spend of the run, and the quarantine of what has no room for an evaluation."""

    def quarantine(self, conversation_id: str, reason: Reason) -> bool:
        """Remember a conversation whose item has no room for an evaluation; False when that is known already."""


@dataclass(frozen=True)
class Job:
    """What one segment is judged by; everything here is the same for every conversation of the run."""

    name: str
    run_id: str
    window: Window
    mapping: TableMapping
    instructions: str
    taxonomy: Taxonomy
    model_id: str
    model: Model
    pseudonym_secret: str
    in_flight: int
    expected: int = 0

    @property
    def prompt_version(self) -> str:
        """The version of the instructions."""
        return prompt_version(self.instructions)


@dataclass(frozen=True)
class _Ended:
    outcome: Outcome
    bill: Bill
    reason: Reason | None = None


class Census:
    """The judging of one segment by one process, with up to `job.in_flight` calls at the same time."""

    def __init__(self, job: Job, store: Store, judge: Judge, ledger: Ledger, clock: Clock | None = None) -> None:
        self.job, self.store, self.ledger, self.clock = job, store, ledger, clock or Clock()
        self.asker = Asker(judge, ledger, job.model, job.instructions, job.taxonomy, self.clock)
        self.stop = self.asker.stop
        self.tally = Tally()

    def run(self) -> Tally:
        """
        Judge every pending conversation of the segment and return the tally, which adds up.

        Setting `stop` ends it cleanly: nothing new is read, what is in flight is finished and written.
        Errors: SetupError as soon as one call shows that no other can succeed.
        """
        started = last_line = self.clock.monotonic()
        for ended in self._judge_all():
            self._count(ended)
            if self.clock.monotonic() - last_line >= 10:
                last_line = self.clock.monotonic()
                log.info("%s", self._progress(last_line - started))
        self.tally.check()
        log.info("%s done", self._progress(self.clock.monotonic() - started))
        return self.tally

    def _judge_all(self) -> Iterator[_Ended]:
        """Yield how each conversation ended, with a bounded number of them in memory."""
        running: set[Future[_Ended]] = set()
        with ThreadPoolExecutor(self.job.in_flight) as pool:
            try:
                for stored in self.store.read():
                    if self.stop.is_set():
                        break
                    conversation = self.job.mapping.conversation(stored.item)
                    if conversation.created_at not in self.job.window:
                        continue
                    self.tally.read += 1
                    if is_of_this_text(stored.item, conversation.content_hash):
                        yield _Ended(Outcome.ALREADY_EVALUATED, Bill())
                        continue
                    if len(running) >= self.job.in_flight:
                        yield from self._finished(running)
                    running.add(pool.submit(self._judge, stored, conversation))
                while running:
                    yield from self._finished(running)
            finally:
                self.stop.set()  # an error ends the calls that have not begun; those in flight are written

    @staticmethod
    def _finished(running: set[Future[_Ended]]) -> Iterator[_Ended]:
        done, _ = wait(running, return_when=FIRST_COMPLETED)
        running -= done
        for future in done:
            yield future.result()

    def _judge(self, stored: Stored, conversation: Conversation) -> _Ended:
        bill = Bill()
        if not stored.has_room:
            if self.ledger.quarantine(conversation.conversation_id, Reason.TOO_LARGE):
                return _Ended(Outcome.QUARANTINED, bill, Reason.TOO_LARGE)
            return _Ended(Outcome.ALREADY_EVALUATED, bill)
        is_blank = transcript(conversation.turns).is_blank
        verdict = Reason.EMPTY if is_blank else self.asker.verdict(conversation, bill)
        if verdict is None:
            return _Ended(Outcome.LEFT_PENDING, bill)
        reason = verdict if isinstance(verdict, Reason) else None
        outcome = self.store.write(stored, self._evaluation(conversation, verdict, bill))
        if outcome is Outcome.EVALUATED and reason:
            return _Ended(Outcome.QUARANTINED, bill, reason)
        return _Ended(outcome, bill)

    def _evaluation(self, conversation: Conversation, verdict: Judgement | Reason, bill: Bill) -> Evaluation:
        job, version = self.job, self.job.prompt_version
        return Evaluation(
            key=evaluation_key(conversation.content_hash, version, job.model_id),
            verdict=verdict,
            content_hash=conversation.content_hash,
            prompt_version=version,
            taxonomy_version=job.taxonomy.version,
            model=job.model_id,
            answered_by=bill.answered_by or "nobody",
            attempts=bill.attempts,
            input_tokens=bill.input_tokens,
            output_tokens=bill.output_tokens,
            cost_micro_usd=bill.cost_micro_usd,
            is_clipped=bill.is_clipped,
            user_pseudonym=pseudonym(conversation.user, job.pseudonym_secret) if conversation.user else None,
            run_id=job.run_id,
            evaluated_at=self.clock.now(),
        )

    def _count(self, ended: _Ended) -> None:
        self.tally.outcomes[ended.outcome] += 1
        if ended.reason:
            self.tally.reasons[ended.reason] += 1
        self.tally.calls += ended.bill.attempts
        for name in ("possibly_paid", "throttled", "input_tokens", "output_tokens", "cost_micro_usd"):
            setattr(self.tally, name, getattr(self.tally, name) + getattr(ended.bill, name))

    def _progress(self, seconds: float) -> str:
        tally, ended = self.tally, sum(self.tally.outcomes.values())
        left = max(0, self.job.expected - ended)
        eta = f"{seconds / ended * left:.0f}s" if ended and left else "0s"
        return (
            f"{self.job.name} {ended}/{max(self.job.expected, tally.read)} "
            f"evaluated={tally.outcomes[Outcome.EVALUATED]} already={tally.outcomes[Outcome.ALREADY_EVALUATED]} "
            f"quarantined={tally.outcomes[Outcome.QUARANTINED]} pending={tally.outcomes[Outcome.LEFT_PENDING]} "
            f"429={tally.throttled} usd={tally.cost_micro_usd / 1e6:.4f} eta={eta}"
        )
