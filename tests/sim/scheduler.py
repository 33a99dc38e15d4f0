"""One thread of control for many: greenlets in virtual time, and a seed that says who goes on next."""

import heapq
from collections.abc import Callable
from random import Random
from typing import Any, Self

from greenlet import GreenletExit, getcurrent, greenlet


class Endless(AssertionError):
    """The simulated processes do not come to an end."""


class Thread(greenlet):
    """One thread of a process; `turn` tells a wake-up that is meant from one that came too late."""

    process: "Process"
    turn = 0


class Process:
    """A worker's process: it lives until it ends, is killed at a step, or freezes at a step and goes on later."""

    def __init__(self, name: str, skew_s: float = 0, kill_at: int = 0, freeze_at: int = 0, freeze_s: float = 0) -> None:
        self.name, self.skew_s = name, skew_s
        self.kill_at, self.freeze_at, self.freeze_s = kill_at, freeze_at, freeze_s
        self.stop_at = 0
        self.steps, self.frozen_until, self.stalled_until = 0, -1.0, -1.0
        self.is_dead = self.has_ended = self.is_working = False
        self.threads: list[Thread] = []
        self.leased_until: Callable[[], float] = lambda: -1.0  # as its census believes
        self.on_kill: Callable[[], object] = lambda: None
        self.on_freeze: Callable[[], object] = lambda: None
        self.on_stop: Callable[[], object] = lambda: None

    @property
    def is_alive(self) -> bool:
        """True from its start until it ends or is killed, frozen or not."""
        return not self.is_dead and not self.has_ended


class Scheduler:
    """Virtual time and the queue of what happens next."""

    most_turns = 400_000

    def __init__(self, random: Random) -> None:
        self.now, self.random, self.turns = 0.0, random, 0
        self._queue: list[tuple[float, int, Any, int]] = []
        self._hub, self._serial = getcurrent(), 0

    def at(self, seconds: float, do: Callable[[], object]) -> None:
        """Call *do* at that time, outside of every process."""
        self._push(seconds, do, -1)

    def start(self, process: Process, work: Callable[[], object]) -> None:
        """Begin a thread of *process*."""
        thread = Thread(work, self._hub)
        thread.process = process
        process.threads.append(thread)
        self._push(self.now + self.random.random() * 0.001, thread, 0)

    def step(self, most_s: float = 0.01, least_s: float = 0.0) -> None:
        """Let others go on for a while: the point at which the process of the caller may be killed, frozen, stopped."""
        thread = getcurrent()
        process = thread.process
        if process.is_dead:
            raise GreenletExit
        process.steps += 1
        if process.steps == process.kill_at:
            process.is_dead = True
            process.on_kill()
            self._hub.switch()
            raise GreenletExit
        if process.steps == process.freeze_at:
            process.frozen_until = self.now + process.freeze_s
            process.on_freeze()
        if process.steps == process.stop_at:
            process.on_stop()
        self.sleep(least_s + self.random.random() * (most_s - least_s))

    def sleep(self, seconds: float) -> None:
        """Go on after *seconds*, or never."""
        thread = getcurrent()
        if thread.process.is_dead:
            raise GreenletExit
        thread.turn += 1
        self._push(self.now + seconds, thread, thread.turn)
        self._hub.switch()
        if thread.process.is_dead:
            raise GreenletExit

    def wake(self, thread: Thread) -> None:
        """End the sleep of *thread* now."""
        thread.turn += 1
        self._push(self.now, thread, thread.turn)

    def run(self) -> None:
        """Let everything happen that is to happen."""
        queue = self._queue
        while queue:
            time, _, what, turn = heapq.heappop(queue)
            self.turns += 1
            if self.turns > self.most_turns:
                raise Endless(f"{self.turns} turns, and {self.now:.0f} s of virtual time")
            if turn < 0:
                self.now = max(self.now, time)
                what()
                continue
            process = what.process
            if process.is_dead or turn != what.turn:
                continue
            if process.frozen_until > time:
                self._push(process.frozen_until + self.random.random() * 0.001, what, turn)
                continue
            self.now = max(self.now, time)
            what.switch()

    def bury(self, process: Process) -> None:
        """Unwind what a killed process has left on its stacks; no step of it has an effect any more."""
        process.is_dead = True
        for thread in process.threads:
            if thread and not thread.dead:
                thread.throw()
        process.threads.clear()

    def _push(self, time: float, what: object, turn: int) -> None:
        self._serial += 1
        heapq.heappush(self._queue, (time, self._serial, what, turn))


class Promise:
    """What one piece of work will give; hashed by its number, so that sets of them have the same order every time."""

    def __init__(self, number: int) -> None:
        self.number, self.is_done, self._result, self._error = number, False, None, None

    def __hash__(self) -> int:
        return self.number

    def keep(self, work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        """Do *work* and remember what came of it."""
        try:
            self._result = work(*arguments)
        except Exception as error:  # noqa: BLE001 - raised where the result is asked for, as a Future does
            self._error = error
        self.is_done = True

    def result(self) -> Any:
        """Return the result, or raise what the work raised."""
        if self._error:
            raise self._error
        return self._result


class GreenletCrew:
    """The threads of a census, as greenlets of its process."""

    def __init__(self, scheduler: Scheduler, process: Process) -> None:
        self._scheduler, self._process = scheduler, process
        self._open: set[Promise] = set()
        self._waiting: tuple[Thread, set[Promise]] | None = None
        self._numbers = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        while self._open:
            self.first_done(self._open, 1e9)

    def submit(self, work: Callable[..., Any], /, *arguments: Any) -> Promise:
        """Begin *work* beside the others."""
        self._numbers += 1
        promise = Promise(self._numbers)
        self._open.add(promise)

        def thread() -> None:
            promise.keep(work, arguments)
            self._open.discard(promise)
            if self._waiting and promise in self._waiting[1]:
                self._scheduler.wake(self._waiting[0])
                self._waiting = None

        self._scheduler.start(self._process, thread)
        return promise

    def first_done(self, futures: set[Promise], timeout_s: float) -> set[Promise]:
        """Wait until one of *futures* is done, or for *timeout_s*, and return those that are."""
        done = {promise for promise in futures if promise.is_done}
        if not done:
            self._waiting = getcurrent(), set(futures)
            self._scheduler.sleep(timeout_s)
            self._waiting = None
            done = {promise for promise in futures if promise.is_done}
        return done
