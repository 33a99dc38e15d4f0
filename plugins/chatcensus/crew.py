"""Who makes the calls of a segment, several at the same time."""

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import Any, Protocol, Self


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
