"""What a busy table is: one that takes the same request later, and how long a reader waits for it."""

import random
import time
from collections.abc import Callable, Generator
from typing import Any

from botocore.exceptions import ClientError, HTTPClientError, IncompleteReadError
from botocore.exceptions import ConnectionError as NoConnectionError

from chatcensus.errors import StoreBusy

BUSY = {
    "InternalError",
    "InternalServerError",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ServiceUnavailable",
    "SlowDown",
    "ThrottlingException",
}
UNREACHABLE = (NoConnectionError, HTTPClientError, IncompleteReadError)  # botocore's, after its own repeats

PATIENCE_S, PAUSE_S, PAUSE_CAP_S = 600.0, 0.5, 20.0


def patiently(
    request: Callable[[], Any], sleep: Callable[[float], None] = time.sleep, patience_s: float = PATIENCE_S
) -> Generator[None, None, Any]:
    """
    Return what *request* answers, after pauses as long as the table or bucket is busy; yield None at each of them.

    A caller that has a claim renews it then: a page may be waited for longer than a claim lasts.
    Errors: StoreBusy after pauses of *patience_s* together.
    """
    waited, most = 0.0, PAUSE_S
    while True:
        try:
            return request()
        except ClientError as error:
            busy = error.response["Error"]["Code"]
            if busy not in BUSY:
                raise
        except UNREACHABLE as error:
            busy = type(error).__name__
        if waited >= patience_s:
            raise StoreBusy(f"nothing could be read for {waited:.0f} s ({busy}): clear this task when that is over")
        pause_s = random.uniform(most / 2, most)  # noqa: S311 - not a secret
        sleep(pause_s)
        waited, most = waited + pause_s, min(PAUSE_CAP_S, most * 2)
        yield
