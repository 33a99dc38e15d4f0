"""
How long a run takes that fills two quotas, in virtual time, where it is exact: `python -m tests.sim.filling`.

The real census, its pacers and its shares, against the bucket of the local AWS for each place.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from random import Random

from chatcensus.answer import Reply
from chatcensus.census import Census
from chatcensus.clock import Clock
from chatcensus.errors import SetupError, Throttled
from chatcensus.interval import Window
from chatcensus.job import Job
from chatcensus.pacing import Quota
from chatcensus.pricing import Usage
from chatcensus.spreading import Way
from chatcensus.tally import Tally
from local_aws.bedrock.quota import Bucket
from local_aws.bedrock.quota import Quota as Limit
from tests.fakes import GOOD, MAPPING, MODEL, NOON, TAXONOMY, FakeClaim, FakeLedger, FakeStore, conversation_items
from tests.sim.scheduler import GreenletCrew, Process, Scheduler

TOKENS = 1000.0  # of quota for one call: as much as nobody runs out of here
CACHING = MODEL.model_copy(update={"cache_min_tokens": 1})


class Place:
    """One account and Region: its quota, how long an answer takes there, and when it stops to answer."""

    def __init__(self, scheduler: Scheduler, requests_per_minute: float, latency_s: float, dies_at: float) -> None:
        self._scheduler, self._latency_s, self._dies_at = scheduler, latency_s, dies_at
        self._bucket = Bucket(Limit(requests_per_minute), lambda: scheduler.now)
        self.begun, self.refused = list[float](), 0

    def ask(self, *_: object) -> Reply:
        """Answer after a while, or refuse at once."""
        if self._scheduler.now >= self._dies_at:
            raise SetupError("no access")
        if not self._bucket.take(0):
            self.refused += 1
            raise Throttled("429")
        self.begun.append(self._scheduler.now)
        self._scheduler.sleep(self._scheduler.random.lognormvariate(math.log(self._latency_s), 0.35))
        return Reply(dict(GOOD), "tool_use", Usage(10, 10, cache_read_tokens=40), "sim")

    def most_in_a_minute(self) -> int:
        """The most calls that were let in within any 60 seconds."""
        most, first = 0, 0
        for last, at in enumerate(self.begun):
            while self.begun[first] <= at - 60:
                first += 1
            most = max(most, last - first + 1)
        return most


@dataclass(frozen=True)
class Filled:
    """What a run of *count* conversations took; *limit_s* is what its quotas together would."""

    count: int
    seconds: float
    limit_s: float
    places: Sequence[Place]
    tally: Tally

    @property
    def ratio(self) -> float:
        """How many times the limit it took."""
        return self.seconds / self.limit_s


def filled(
    rates: Sequence[float],
    count: int,
    *,
    latencies_s: Sequence[float] = (),
    in_flight: int = 128,
    truly: Sequence[float] = (),
    dies_at: float = math.inf,
    seed: int = 1,
) -> Filled:
    """
    Judge *count* conversations over places with the *rates* (requests a minute), and say how long that took.

    Shape: *latencies_s* are how long calls take there, 1.5 s where nobody says so. *truly* are the rates that the
    places let in, where they are not what the run was told. The last place refuses access from *dies_at* on.
    """
    random = Random(seed)
    scheduler, process, tallies = Scheduler(random), Process("run"), list[Tally]()
    deaths = [math.inf] * (len(rates) - 1) + [dies_at]
    latencies_s = latencies_s or [1.5] * len(rates)
    places = [Place(scheduler, *each) for each in zip(truly or rates, latencies_s, deaths, strict=True)]
    clock = Clock(
        now=lambda: NOON + timedelta(seconds=scheduler.now),
        monotonic=lambda: scheduler.now,
        sleep=scheduler.sleep,
        uniform=random.uniform,
        nonce=lambda: f"{random.getrandbits(64):016x}",
    )
    job = Job(
        name="segment 1/1",
        run_id="filling",
        window=Window(None, NOON),
        mapping=MAPPING,
        instructions="Judge it.",
        taxonomy=TAXONOMY,
        model_id="fake",
        model=CACHING,
        quota=Quota(1, 1),
        pseudonym_secret="a secret of the tests",
        in_flight=in_flight,
    )
    ways = [
        Way(f"place-{number}", place, CACHING, Quota(rate, rate * TOKENS))
        for number, (place, rate) in enumerate(zip(places, rates, strict=True))
    ]
    store = FakeStore(conversation_items(count))
    census = Census(job, store, ways, FakeLedger(), FakeClaim(), clock, GreenletCrew(scheduler, process))
    ended: list[float] = []

    def work() -> None:
        tallies.append(census.run())
        ended.append(scheduler.now)
        process.has_ended = True

    scheduler.most_turns = 10_000_000
    scheduler.start(process, work)
    scheduler.run()
    return Filled(count, ended[0], count / sum(rates) * 60, places, tallies[0])


def main() -> None:
    """Print the ratio for runs of two and of twenty minutes."""
    for count in (3000, 30_000):
        one = filled([1000, 500], count)
        calls = " + ".join(str(len(place.begun)) for place in one.places)
        print(  # noqa: T201 - what it is for
            f"{count:,} conversations, 1,000 + 500 requests a minute: {one.seconds:.1f} s, {one.ratio:.4f} times "
            f"the combined limit of {one.limit_s:.0f} s; {calls} calls, "
            f"{sum(place.refused for place in one.places)} refused"
        )


if __name__ == "__main__":
    main()
