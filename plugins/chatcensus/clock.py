"""The time and the chance that the census uses; tests put their own in its place."""

import random
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime


@dataclass
class Clock:
    """What time it is, how to wait, and what is drawn by chance."""

    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    uniform: Callable[[float, float], float] = random.uniform
    nonce: Callable[[], str] = field(default=lambda: secrets.token_hex(8))
