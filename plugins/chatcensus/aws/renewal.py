"""Keeps the claim and the share of the quota of a task that judges apart from any run."""

import logging
import threading
import time

from chatcensus.aws.claims import SegmentClaim
from chatcensus.spreading import Spread

log = logging.getLogger(__name__)

RENEW_EVERY_S = 1.0


class Renewal:
    """Gives *spread* the share that *claim* has; sets *stop* when the claim is another's."""

    def __init__(self, claim: SegmentClaim, spread: Spread, stop: threading.Event) -> None:
        self.claim, self.spread, self.stop, self._again_at = claim, spread, stop, 0.0

    def renew(self) -> None:
        """Extend both, once a second at most."""
        if time.monotonic() < self._again_at or self.stop.is_set():
            return
        share = self.claim.renew()
        if share is None:
            log.warning("another try works on this now; what is left is its work")
            self.stop.set()
            return
        self.spread.share(share)
        self._again_at = time.monotonic() + RENEW_EVERY_S
