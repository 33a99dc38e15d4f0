"""
The use case: judge every pending conversation of one segment, and write each judgement beside its conversation.

Nothing here knows Airflow or AWS: store, model, ledger, clock and randomness come in as arguments.
"""

import contextlib
import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

from chatcensus.answer import Judgement, Reason
from chatcensus.asking import Asker, Batch, Ledger
from chatcensus.bill import Bill
from chatcensus.clock import Clock
from chatcensus.conversation import estimated_tokens
from chatcensus.crew import Crew, Threads
from chatcensus.errors import NoRoom, StoreBusy
from chatcensus.evaluation import Evaluation, evaluation_key, of_previous, pseudonym
from chatcensus.job import Job
from chatcensus.mapping import Stored
from chatcensus.selection import Found, Selection
from chatcensus.spreading import Judge, Spread, Way
from chatcensus.tally import Outcome, Tally

log = logging.getLogger(__name__)

PROGRESS_EVERY_S = 10.0
RENEW_EVERY_S = 1.0
# When nothing is left to read, a task keeps the part of the quota that begins what it still has in so many seconds.
LAST_CALLS_S, LEAST_SHARE = 2.0, 0.02
# A paid answer is held so long for its write; the table would have to be away for longer to lose it.
HOLD_S, HOLD_PAUSE_S, HOLD_PAUSE_CAP_S = 1800.0, 0.2, 20.0


class Store(Protocol):
    """The conversations; *skipped* counts what `read` has left out, by its reason."""

    skipped: Counter[str]

    def read(self) -> Iterable[Stored | None]:
        """Return every conversation of the segment, each as it is now, and None whenever that takes long."""

    def write(self, stored: Stored, evaluation: Evaluation) -> Outcome:
        """
        Write under the three conditions; return EVALUATED, or the outcome that says which of them was false.

        Errors: StoreBusy, NoRoom.
        """

    def release(self, stored: Stored) -> None:
        """
        Take a conversation on which nothing is to be done out of the index of what is pending, unless it has changed.

        Errors: StoreBusy.
        """


class Claim(Protocol):
    """The right to work on the segment, and this task's share of the account's quota; both end unless renewed."""

    lease_s: float

    def renew(self, most: float) -> float | None:
        """Extend both; return the share (0 to *most*; 0: wait), or None when somebody else has the segment now."""


@dataclass(frozen=True)
class _Ended:
    outcome: Outcome
    bill: Bill
    reason: Reason | None = None


class Census:
    """
    The judging of one segment by one process, with up to `job.in_flight` calls at the same time.

    Shape: *judge* is the job's model; or ways to it, each with a quota of its own, which are then used in the place of
    the job's. *tell* is given the tally as it stands, and whether it is the last one; it must not raise.
    """

    def __init__(
        self,
        job: Job,
        store: Store,
        judge: Judge | Sequence[Way],
        ledger: Ledger,
        claim: Claim,
        clock: Clock | None = None,
        crew: Crew | None = None,
        tell: Callable[[Tally, bool], None] | None = None,
        batch: Batch | None = None,
    ) -> None:
        self.job, self.store, self.ledger, self.claim = job, store, ledger, claim
        self.clock, self.crew, self.tell = clock or Clock(), crew or Threads(job.in_flight), tell
        ways = judge if isinstance(judge, Sequence) else [Way(job.model_id, judge, job.model, job.quota)]
        self.spread = Spread.over(ways, self.clock, estimated_tokens(job.instructions))
        self.asker = Asker(
            self.spread, ledger, job.model, job.instructions, job.taxonomy, self.clock, self._is_stopped, batch
        )
        self.stop = threading.Event()
        self.tally = Tally()
        self.selection = Selection(job, self.tally.skipped, self.clock.now)
        self._leased_until = self._renew_at = -1.0
        self._is_lost, self._most = False, LEAST_SHARE if job.is_dry_run else 1.0

    def run(self) -> Tally:
        """
        Judge every pending conversation of the segment and return the tally, which adds up.

        Setting `stop` ends it cleanly: nothing new is read, what is in flight is finished and written.
        Errors: SetupError as soon as one call shows that no other can succeed, or when the mapping reads nothing.
        """
        started = last_line = self.clock.monotonic()
        self._renew()
        self._tell()
        for ended in self._judge_all():
            self.tally.count(ended.outcome, ended.reason, ended.bill)
            if self.clock.monotonic() - last_line >= PROGRESS_EVERY_S:
                last_line = self.clock.monotonic()
                log.info("%s", self.tally.progress(self.job.name, self.job.expected, last_line - started))
                self._tell()
        self.tally.skipped.update(self.store.skipped)
        self.tally.check()
        seconds = self.clock.monotonic() - started
        log.info("%s done", self.tally.progress(self.job.name, self.job.expected, seconds))
        self._tell(is_done=True)
        return self.tally

    def _judge_all(self) -> Iterator[_Ended]:
        """Yield how each conversation ended, with a bounded number of them in memory."""
        running: set[Future[_Ended]] = set()
        with self.crew as crew:
            try:
                for found in self._found():
                    self.tally.read += 1
                    if not found.is_due:
                        yield self._nothing_to_do(found)
                    elif self.job.is_dry_run:
                        yield self._forecast(found)
                    else:
                        while len(running) >= self.job.in_flight:
                            yield from self._finished(crew, running)
                        running.add(crew.submit(self._judge, found))
                while running:
                    self._most = min(1.0, max(LEAST_SHARE, self.spread.part_for(len(running), LAST_CALLS_S)))
                    yield from self._finished(crew, running)
            finally:
                self.stop.set()  # an error ends the calls that have not begun
                while running:  # those in flight are written, and the segment stays ours until then
                    running -= crew.first_done(running, RENEW_EVERY_S)
                    with contextlib.suppress(Exception):  # what went wrong first is what is told
                        self._renew()
                self.asker.purse.close()

    def _found(self) -> Iterator[Found]:
        """Yield the conversations of the run until it is stopped; the claim is renewed at each one that is read."""
        for stored in self.store.read():
            self._renew()
            if self._is_ended():
                return
            for found in self.selection.take(stored) if stored else ():
                if self._is_ended():
                    return
                yield found
        yield from self.selection.rest()

    def _is_ended(self) -> bool:
        """True when nothing more is to be read: not while there are answers that the run has paid for already."""
        has_answers = self.asker.batch is not None and not self.asker.batch.is_used_up
        return self._is_stopped() or (self.asker.is_spent and not has_answers)

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
        self.spread.share(share)
        self._leased_until, self._renew_at = now + self.claim.lease_s, now + RENEW_EVERY_S

    def _nothing_to_do(self, found: Found) -> _Ended:
        if not self.job.is_dry_run:
            self._release(found.stored)
        return _Ended(Outcome.ALREADY_EVALUATED, Bill())

    def _release(self, stored: Stored) -> None:
        with contextlib.suppress(StoreBusy):  # it is found again by the next run
            self.store.release(stored)

    def _forecast(self, found: Found) -> _Ended:
        self.tally.due += 1
        if found.stored.has_room:
            self.tally.forecast_micro_usd += self.asker.forecast_micro_usd(found.conversation)
        return _Ended(Outcome.LEFT_PENDING, Bill())

    def _judge(self, found: Found) -> _Ended:
        bill, stored = Bill(), found.stored
        if not stored.has_room:
            return self._without_room(found, bill)
        verdict = Reason.UNREADABLE if found.conversation.problem else self.asker.verdict(found.conversation, bill)
        if verdict is None:
            return _Ended(Outcome.LEFT_PENDING, bill)
        try:
            outcome = self._write(stored, self._evaluation(found, verdict, bill))
        except NoRoom:
            return self._without_room(found, bill)
        if outcome is Outcome.EVALUATED and isinstance(verdict, Reason):
            return _Ended(Outcome.QUARANTINED, bill, verdict)
        return _Ended(outcome, bill)

    def _without_room(self, found: Found, bill: Bill) -> _Ended:
        """Remember in the ledger that no evaluation fits; one that is there already stays."""
        is_news = found.previous is None and self.ledger.quarantine(
            found.conversation.conversation_id, Reason.TOO_LARGE
        )
        self._release(found.stored)
        if is_news:
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

    def _evaluation(self, found: Found, verdict: Judgement | Reason, bill: Bill) -> Evaluation:
        job, version, conversation = self.job, self.job.prompt_version, found.conversation
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
            previous=of_previous(found.previous) if found.previous else None,
        )

    def _tell(self, *, is_done: bool = False) -> None:
        """Tell how far it is, unless another task has the segment: then what is told of it is that one's."""
        if self.tell and not self._is_lost:
            self.tell(self.tally, is_done)
