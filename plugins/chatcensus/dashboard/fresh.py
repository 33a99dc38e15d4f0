"""What takes a call to AWS: loaded in a thread of its own, once for all who ask for it, and kept for some seconds."""

import asyncio
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
from typing import Generic, TypeVar

# Not the threads in which Airflow answers its own requests: an AWS that hangs may take all of these, and none of those.
_THREADS = ThreadPoolExecutor(4, thread_name_prefix="chatcensus")

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


def begin(work: Callable[[], object]) -> None:
    """Do *work* in one of the threads; what it raises is lost here, and met again by whoever needs what it makes."""
    _THREADS.submit(work)


@dataclass(frozen=True)
class _Load(Generic[Value]):
    began: float
    future: Future[Value]


class TooManyLoads(Exception):
    """As many keys are being loaded as are kept: one more would only make the queue longer, whoever still waits."""


class Fresh(Generic[Key, Value]):
    """
    What *load* returns for a key, not older than *seconds* when its load has ended in that time.

    Shape: the last *most* keys are kept. Errors: TooManyLoads while all of these are under way; as of *load*, and kept
    as long: an AWS that is away is not asked by each reader. Who waits does so on the event loop, and takes no thread.
    """

    def __init__(
        self,
        load: Callable[[Key], Value],
        seconds: float,
        most: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._load, self._seconds, self._most, self._clock = load, seconds, most, clock
        self._loads: dict[Key, _Load[Value]] = {}
        self._lock = Lock()

    async def get(self, key: Key) -> Value:
        """Return what is kept for *key*, or what is being loaded, or load it."""
        # Shielded: a reader who goes away must not cancel what others wait for.
        return await asyncio.shield(asyncio.wrap_future(self._future(key)))

    def _future(self, key: Key) -> Future[Value]:
        with self._lock:
            kept, now = self._loads.get(key), self._clock()
            if kept and (not kept.future.done() or now - kept.began < self._seconds):
                return kept.future
            self._loads.pop(key, None)
            if len(self._loads) >= self._most:
                self._forget_oldest()
            self._loads[key] = _Load(now, _THREADS.submit(self._load, key))
            return self._loads[key].future

    def _forget_oldest(self) -> None:
        ended = next((key for key, load in self._loads.items() if load.future.done()), None)
        if ended is None:
            raise TooManyLoads(f"{self._most} loads are under way: ask again when AWS answers")
        del self._loads[ended]
