"""What is due in a segment, read under the claim that `classify` would have on it, and without a share of the quota."""

import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime

from chatcensus.aws.claims import SegmentClaim
from chatcensus.aws.conversation_store import ConversationStore
from chatcensus.errors import StoreBusy
from chatcensus.job import Job
from chatcensus.partition import Segment
from chatcensus.selection import Found, Selection

RENEW_EVERY_S = 20.0


def due(store: ConversationStore, claim: SegmentClaim, segment: Segment, job: Job) -> Iterator[Found]:
    """
    Yield what `classify` would ask about now; the claim is released at the end.

    Errors: those of store and claim; StoreBusy when another run has taken the segment meanwhile.
    """
    selection = Selection(job, Counter(), lambda: datetime.now(UTC))
    claim.take(time.sleep)
    renew_at = time.monotonic() + RENEW_EVERY_S
    try:
        for stored in store.read():
            if time.monotonic() >= renew_at:
                renew_at = time.monotonic() + RENEW_EVERY_S
                if claim.renew(0) is None:
                    raise StoreBusy(f"{segment.name} was claimed by another run while it was read: try again")
            yield from (found for found in (selection.take(stored) if stored else ()) if found.is_due)
        yield from (found for found in selection.rest() if found.is_due)
    finally:
        claim.release()
