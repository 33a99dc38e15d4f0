"""
Let a program's time run faster, so that a benchmark of minutes takes seconds and every back-off keeps its proportion.

Clocks run *scale* times as fast; sleeps, waits and polls take 1/*scale* as long. It has to be installed before anything
else is imported. The calendar (`datetime`) keeps its pace: a client that counts by calendar minutes needs scale 1.
"""

import os
import selectors
import threading
import time
from typing import Any


def install(scale: float) -> None:
    """Let time run *scale* times as fast in this process, from the same moment (BENCH_EPOCH) in all of a run."""
    if scale == 1:
        return
    wall, steady, sleep = time.time, time.monotonic, time.sleep
    epoch = float(os.environ.get("BENCH_EPOCH", wall()))
    time.time = lambda: epoch + (wall() - epoch) * scale
    time.monotonic = time.perf_counter = lambda: steady() * scale
    time.sleep = lambda seconds: sleep(seconds / scale)
    _shorten(threading.Condition, "wait", scale)
    _shorten(selectors.DefaultSelector, "select", scale)


def _shorten(owner: Any, name: str, scale: float) -> None:
    """Divide the timeout of a method, which is its only argument."""
    whole = getattr(owner, name)

    def shortened(self: Any, timeout: float | None = None) -> Any:
        return whole(self, timeout if timeout is None else timeout / scale)

    setattr(owner, name, shortened)
