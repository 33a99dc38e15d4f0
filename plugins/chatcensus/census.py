"""
The use case: judge every pending conversation of one segment, and write each judgement beside its conversation.

Nothing here knows Airflow or AWS: store, model, ledger, clock and randomness come in as arguments.
"""

import contextlib
import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import cached_property
from types import TracebackType
from typing import Any, Protocol, Self

from chatcensus.answer import Judgement, Reason
from chatcensus.asking import Asker, Bill, Clock, Judge, Ledger
from chatcensus.conversation import Conversation
from chatcensus.errors import NoRoom, StoreBusy
from chatcensus.evaluation import Evaluation, evaluation_key, is_of_this_text, pseudonym
from chatcensus.interval import Window
from chatcensus.mapping import Stored, TableMapping
from chatcensus.model_catalog import Model
from chatcensus.pacing import Pacer, Quota
from chatcensus.prompt import prompt_version
from chatcensus.tally import Outcome, Tally
from chatcensus.taxonomy import Taxonomy

log = logging.getLogger(__name__)

PROGRESS_EVERY_S = 10.0
RENEW_EVERY_S = 1.0
# When nothing is left to read, a task keeps the part of the quota that begins what it still has in so many seconds.
LAST_CALLS_S, LEAST_SHARE = 2.0, 0.02
# A paid answer is held so long for its write; the table would have to be away for longer to lose it.
HOLD_S, HOLD_PAUSE_S, HOLD_PAUSE_CAP_S = 1800.0, 0.2, 20.0


class Store(Protocol):
    """The conversations."""

    def read(self) -> Iterable[Stored]:
        """Return every item of the segment, each as it is now."""

    def write(self, stored: Stored, evaluation: Evaluation) -> Outcome:
        """
        Write under the three conditions; return EVALUATED, or the outcome that says which of them was false.

        Errors: StoreBusy, NoRoom.
        """


class Claim(Protocol):
    """The right to work on the segment, and this task's share of the account's quota; both end unless renewed."""

    lease_s: float

    def renew(self, most: float) -> float | None:
        """Extend both; return the share (0 to *most*; 0: wait), or None when somebody else has the segment now."""


class Crew(Protocol):
    """Who makes the calls: threads, or in the simulation something that a seed decides over."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None: ...

    def submit(self, work: Callable[..., Any], /, *arguments: Any) -> Future[Any]:
        """Begin *work* beside the others."""

    def first_done(self, futures: set[Future[Any]], timeout_s: float) -> set[Future[Any]]:
        """Wait until one of *futures* is done, or for *timeout_s*, and return those that are."""


class Threads(ThreadPoolExecutor):
    """A crew of threads."""

    def first_done(self, futures: set[Future[Any]], timeout_s: float) -> set[Future[Any]]:
        """Wait until one of *futures* is done, or for *timeout_s*, and return those that are."""
        return wait(futures, timeout_s, FIRST_COMPLETED).done


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
    quota: Quota
    pseudonym_secret: str
    in_flight: int
    expected: int = 0

    @cached_property
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

    def __init__(
        self,
        job: Job,
        store: Store,
        judge: Judge,
        ledger: Ledger,
        claim: Claim,
        clock: Clock | None = None,
        crew: Crew | None = None,
    ) -> None:
        self.job, self.store, self.ledger, self.claim = job, store, ledger, claim
        self.clock, self.crew = clock or Clock(), crew or Threads(job.in_flight)
        self.pacer = Pacer(job.quota, self.clock.monotonic, self.clock.sleep, self.clock.uniform)
        self.asker = Asker(
            judge, ledger, self.pacer, job.model, job.instructions, job.taxonomy, self.clock, self._is_stopped
        )
        self.stop = threading.Event()
        self.tally = Tally()
        self._leased_until = self._renew_at = -1.0
        self._is_lost, self._most = False, 1.0

    def run(self) -> Tally:
        """
        Judge every pending conversation of the segment and return the tally, which adds up.

        Setting `stop` ends it cleanly: nothing new is read, what is in flight is finished and written.
        Errors: SetupError as soon as one call shows that no other can succeed.
        """
        started = last_line = self.clock.monotonic()
        self._renew()
        for ended in self._judge_all():
            self._count(ended)
            if self.clock.monotonic() - last_line >= PROGRESS_EVERY_S:
                last_line = self.clock.monotonic()
                log.info("%s", self._progress(last_line - started))
        self.tally.check()
        log.info("%s done", self._progress(self.clock.monotonic() - started))
        return self.tally

    def _judge_all(self) -> Iterator[_Ended]:
        """Yield how each conversation ended, with a bounded number of them in memory."""
        running: set[Future[_Ended]] = set()
        with self.crew as crew:
            try:
                for stored in self.store.read():
                    self._renew()
                    if self._is_stopped() or self.asker.is_spent:
                        break
                    conversation = self.job.mapping.conversation(stored)
                    if conversation.created_at not in self.job.window:
                        continue
                    self.tally.read += 1
                    if is_of_this_text(stored.item, conversation.content_hash):
                        yield _Ended(Outcome.ALREADY_EVALUATED, Bill())
                        continue
                    while len(running) >= self.job.in_flight:
                        yield from self._finished(crew, running)
                    running.add(crew.submit(self._judge, stored, conversation))
                while running:
                    self._most = min(1.0, max(LEAST_SHARE, self.pacer.part_for(len(running), LAST_CALLS_S)))
                    yield from self._finished(crew, running)
            finally:
                self.stop.set()  # an error ends the calls that have not begun
                while running:  # those in flight are written, and the segment stays ours until then
                    running -= crew.first_done(running, RENEW_EVERY_S)
                    with contextlib.suppress(Exception):  # what went wrong first is what is told
                        self._renew()
                self.asker.purse.close()

    def _finished(self, crew: Crew, running: set[Future[_Ended]]) -> Iterator[_Ended]:
        done = crew.first_done(running, RENEW_EVERY_S)
        running -= done
        self._renew()
        for future in done:
            yield future.result()

    def _is_stopped(self) -> bool:
        """True when nothing new may be begun: told to stop, or the claim was not renewed in time (a frozen process)."""
        return self.stop.is_set() or self.clock.monotonic() >= self._leased_until

    def _renew(self) -> None:
        now = self.clock.monotonic()
        if now < self._renew_at or self._is_lost:
            return
        share = self.claim.renew(self._most)
        if share is None:
            log.warning("%s is claimed by another run now; what is left is its work", self.job.name)
            self._is_lost = True
            self.stop.set()
            return
        self.pacer.share(share)
        self._leased_until, self._renew_at = now + self.claim.lease_s, now + RENEW_EVERY_S

    def _judge(self, stored: Stored, conversation: Conversation) -> _Ended:
        bill = Bill()
        if not stored.has_room:
            return self._without_room(conversation, bill)
        verdict = self.asker.verdict(conversation, bill)
        if verdict is None:
            return _Ended(Outcome.LEFT_PENDING, bill)
        try:
            outcome = self._write(stored, self._evaluation(conversation, verdict, bill))
        except NoRoom:
            return self._without_room(conversation, bill)
        if outcome is Outcome.EVALUATED and isinstance(verdict, Reason):
            return _Ended(Outcome.QUARANTINED, bill, verdict)
        return _Ended(outcome, bill)

    def _without_room(self, conversation: Conversation, bill: Bill) -> _Ended:
        if self.ledger.quarantine(conversation.conversation_id, Reason.TOO_LARGE):
            return _Ended(Outcome.QUARANTINED, bill, Reason.TOO_LARGE)
        return _Ended(Outcome.ALREADY_EVALUATED, bill)

    def _write(self, stored: Stored, evaluation: Evaluation) -> Outcome:
        """Write a paid answer; hold it while the table is busy, since dropping it would mean to pay again."""
        deadline, pause_s = self.clock.monotonic() + HOLD_S, HOLD_PAUSE_S
        while True:
            try:
                return self.store.write(stored, evaluation)
            except StoreBusy:
                if self.clock.monotonic() > deadline:
                    raise
                self.clock.sleep(self.clock.uniform(0, pause_s))
                pause_s = min(HOLD_PAUSE_CAP_S, pause_s * 2)

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
