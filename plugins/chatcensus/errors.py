"""
The errors of the census; a model's answer is never one of them.

ChatCensusError
├─ Throttled           refused for lack of quota: not billed, may be asked again more slowly
├─ ModelBusy           cannot take a call now: not billed, may be asked again later
├─ ReplyLost           sent, and no answer came back: possibly billed
├─ FeatureRefused      this model or account does not take one feature of the request: drop it for the run
├─ RequestRefused      this one conversation cannot be sent as it is: clip harder, or quarantine
├─ StoreBusy           the table does not take a read or a write now: hold what was paid for, try again
├─ NoRoom              the item has grown: an evaluation no longer fits on it
├─ QuotaExhausted      nothing more today: end cleanly, the rest stays pending
├─ SnapshotIncomplete  manifest, counts or checksums disagree: the pointers stay where they are
└─ SetupError          no table, no access, a model at its end of life, a bad file: no retry helps

Only `operators/` turns these into Airflow's.
"""


class ChatCensusError(Exception):
    """Something the census cannot go on with; the message says what, which, and what to do."""


class Throttled(ChatCensusError):
    """The quota of this minute is used, by us or by others (429): nothing was billed."""


class ModelBusy(ChatCensusError):
    """The model cannot work now (503, not ready, no connection): nothing was billed."""


class ReplyLost(ChatCensusError):
    """The request was sent and no answer came (timeout, reset, 408, 424, 500): it may have been billed."""


class FeatureRefused(ChatCensusError):
    """The model refused a feature of the request, not the conversation in it."""


class RequestRefused(ChatCensusError):
    """The model refused this one request because of what is in it (too long, for example)."""


class StoreBusy(ChatCensusError):
    """The conversation table is throttled or out of reach for the moment."""


class NoRoom(ChatCensusError):
    """The item would be larger than the 400 KB that DynamoDB allows."""


class QuotaExhausted(ChatCensusError):
    """The account's quota of the day is used up."""


class SnapshotIncomplete(ChatCensusError):
    """A snapshot does not hold what its manifest, the table or the run's tally says."""


class SetupError(ChatCensusError):
    """The deployment is wrong; a person has to change it before a retry can help."""
