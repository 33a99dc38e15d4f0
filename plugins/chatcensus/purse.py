"""The part of the run's budget that one task holds: taken from the ledger for several calls at once."""

import threading
from collections.abc import Callable
from typing import Protocol

# What is taken at once covers so many calls of the present one's size, so that most calls need no request.
CALLS_AT_ONCE = 16
_LOOK_AGAIN_S = 0.1


class Budget(Protocol):
    """The money of the run, shared by all its segments."""

    def reserve(self, micro_usd: int) -> bool:
        """Reserve *micro_usd* of the run's budget; False when it is not there."""

    def settle(self, reserved_micro_usd: int, paid_micro_usd: int) -> None:
        """Put what was really paid in the place of what was reserved."""


class Purse:
    """
    Money for the calls of one task; safe for threads.

    Units: micro-USD. What is in it counts as spent by the run, so that a process that is killed never makes the run pay
    more than its budget: what it held stays spent.
    """

    def __init__(self, budget: Budget, sleep: Callable[[float], None]) -> None:
        self._budget, self._sleep, self._lock = budget, sleep, threading.Lock()
        self._left = self._held = 0
        self._is_filling = self._is_low = self._is_refused = False

    def reserve(self, micro_usd: int) -> bool:
        """
        Reserve the most that a call can cost; False when neither the run nor the calls under way have it to give.

        Waits while what the calls under way do not use may be enough. Errors: those of the budget.
        """
        while True:
            with self._lock:
                short = micro_usd - self._left
                if short <= 0:
                    self._left -= micro_usd
                    self._held += micro_usd
                    return True
                if self._is_refused and not self._held:
                    return False
                may_fill = not (self._is_filling or self._is_refused)
                self._is_filling |= may_fill
            if may_fill:
                self._fill(short, micro_usd * CALLS_AT_ONCE)
            else:
                self._sleep(_LOOK_AGAIN_S)

    def settle(self, reserved_micro_usd: int, paid_micro_usd: int) -> None:
        """Put what was really paid in the place of what was reserved."""
        with self._lock:
            self._held -= reserved_micro_usd
            self._left += reserved_micro_usd - paid_micro_usd

    def close(self) -> None:
        """Give back what was not spent."""
        with self._lock:
            left, self._left = self._left, 0
        if left:
            self._budget.settle(left, 0)

    def _fill(self, least: int, most: int) -> None:
        try:
            is_full = most > least and not self._is_low and self._budget.reserve(most)
            self._is_low |= not is_full
            taken = most if is_full else least if self._budget.reserve(least) else 0
            with self._lock:
                self._left += taken
                self._is_refused = not taken
        finally:
            with self._lock:
                self._is_filling = False
