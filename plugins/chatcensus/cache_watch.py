"""Whether the prompt cache does what the catalog says: Bedrock never tells that a prefix was too short to be cached."""

import logging
import threading

from chatcensus.answer import Reply

log = logging.getLogger(__name__)

# A cache that nothing was read from after so many answers does not work.
ANSWERS_TO_A_READ = 20


class CacheWatch:
    """
    Watches the answers of one task; safe for threads.

    Shape: *least_tokens* is from where on the model caches a prefix, null where it never does.
    """

    def __init__(self, instruction_tokens: float, least_tokens: int | None) -> None:
        self._instruction_tokens, self._least_tokens = instruction_tokens, least_tokens
        self._answered, self._read, self._lock = 0, 0, threading.Lock()

    def see(self, reply: Reply) -> None:
        """Note an answer; say so once when a cache that should work does not."""
        if not self._least_tokens or reply.is_batch:
            return
        with self._lock:
            self._answered += 1
            self._read += reply.usage.cache_read_tokens
            is_idle = self._answered == ANSWERS_TO_A_READ + 1 and not self._read
        if is_idle:
            log.warning(
                "nothing was read from the prompt cache in %d answers: the instructions have about %d tokens, and "
                "the model caches from %d on",
                *(self._answered, self._instruction_tokens, self._least_tokens),
            )
