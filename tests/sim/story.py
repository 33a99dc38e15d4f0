"""What one seed tells: conversations, runs that overlap, faults, users who edit and delete; then the faults stop."""

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random

from chatcensus.census import Census
from chatcensus.clock import Clock
from chatcensus.errors import ChatCensusError, SetupError, SnapshotIncomplete
from chatcensus.evaluation import ATTRIBUTE
from chatcensus.interval import Window
from chatcensus.job import Job
from chatcensus.pacing import Quota
from chatcensus.prompt import prompt_version
from chatcensus.reevaluation import Where
from chatcensus.spreading import Way
from chatcensus.tally import Outcome, Tally
from tests.fakes import MAPPING, MODEL, NOON, TAXONOMY, UNLIMITED
from tests.sim import invariants
from tests.sim.claim import SimClaim
from tests.sim.scheduler import Endless, GreenletCrew, Process
from tests.sim.world import POISONS, Route, SimLedger, SimModel, SimStore, World

TRIES = 3
FOREVER = datetime(2027, 1, 1, tzinfo=UTC)
RICH = 10**9
_DAYS = ["2026-09-29T03:04:05Z", "2026-09-30T03:04:05Z"]
_WINDOWS = [
    Window(None, FOREVER),
    Window(None, datetime(2026, 9, 30, tzinfo=UTC)),
    Window(datetime(2026, 9, 29, tzinfo=UTC), datetime(2026, 9, 30, tzinfo=UTC)),
]
_WHERE = ("created_before=2027-01-01", "category=coding,writing", "reason=refused,score_out_of_range,not_json")


@dataclass
class Run:
    """One run of the DAG: its window, its ledger, and how its tasks are made."""

    name: str
    window: Window
    ledger: SimLedger
    segments: int
    in_flight: int
    quota: Quota
    instructions: str = "Judge it."
    where: Where | None = None


class Story:
    """One world from its beginning to two runs after the faults have stopped."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.world = World(self.random)
        self.processes: list[Process] = []
        self.models: dict[Process, list[SimModel]] = {}
        self.has_faults, self.most_skew_s = True, 300.0
        self.dearest = 1
        self._routes(Random(f"routes of {seed}"))

    @property
    def overrun_micro_usd(self) -> int:
        """By how much the run that paid most beyond its budget passed it; 0 where none did."""
        return max(0, *(ledger.really_paid - ledger.max_micro_usd for ledger in self.world.ledgers))

    def violations(self) -> list[str]:
        """Tell the story, and return every promise that was broken in it."""
        log = logging.getLogger("chatcensus")
        level = log.level
        log.setLevel(logging.CRITICAL + 1)
        try:
            self._tell()
        except Endless as error:
            self.world.violated("P1", f"no end: {error}")
        finally:
            log.setLevel(level)
            for process in self.processes:
                if not process.has_ended:
                    self.world.scheduler.bury(process)
        return self.world.violations

    def _tell(self) -> None:
        random, world = self.random, self.world
        self._conversations()
        self._faults()
        segments, in_flight = random.choice((1, 1, 1, 2, 2, 2, 4)), random.randint(1, 3)
        world.counts.in_flight = in_flight
        quota = random.choice((UNLIMITED, UNLIMITED, Quota(30, 1e9), Quota(1e9, 30_000, 5)))
        for number in range(random.choice((1, 1, 2, 2, 3))):
            budget = random.choice((RICH, RICH, RICH, random.randint(500, 5_000) * self.dearest))
            split = random.choice((segments, segments, segments, random.randint(1, 2)))  # the table has grown
            if split != segments:
                self.most_skew_s = 30.0  # runs that split the table differently see each other only within it
            run = self._run(f"run-{number}", random.choice(_WINDOWS), budget, split, in_flight, quota)
            self._begin(run, number * random.choice((0.0, 1.0, 10.0, 200.0)))
        if world.happens(0.3):
            run = self._run("again", _WINDOWS[0], RICH, segments, in_flight, quota)
            run.instructions, run.where = "Judge it again.", Where.parse(random.choice(_WHERE))
            self._begin(run, random.choice((5.0, 20.0, 200.0)))
        self._users()
        world.scheduler.run()
        invariants.of_the_index(world)

        self.has_faults, world.faults = False, type(world.faults)(takes_no_tools=world.faults.takes_no_tools)
        world.routes = [Route(route.model) for route in world.routes]
        self._begin(self._run("last", Window(None, FOREVER), RICH, segments, in_flight, quota), world.now)
        world.scheduler.run()
        invariants.of_the_money(world)
        invariants.of_the_table(world)
        invariants.of_a_faultless_run(world, world.ledgers[-1])

        paid, writes = world.counts.paid, world.counts.writes
        self._begin(self._run("once more", Window(None, FOREVER), RICH, segments, in_flight, quota), world.now)
        world.scheduler.run()
        invariants.of_a_rerun(world, world.counts.paid - paid, world.counts.writes - writes)
        invariants.of_an_index_at_the_end(world)
        self._judge_all_again(segments, in_flight, quota)

    def _judge_all_again(self, segments: int, in_flight: int, quota: Quota) -> None:
        """Re-evaluate what was judged on the first day, twice."""
        world, run = self.world, self._run("all again", _WINDOWS[0], RICH, segments, in_flight, quota)
        run.instructions, run.where = "Judge it once more.", Where.parse("created_before=2026-09-30")
        seen = {
            name: item[ATTRIBUTE]["outcome"]
            for name, item in world.items.items()
            if ATTRIBUTE in item and item.get("created_at") == _DAYS[0]
        }
        self._begin(run, world.now)
        world.scheduler.run()
        invariants.of_the_money(world)
        invariants.of_a_reevaluation(world, prompt_version(run.instructions), seen)

        paid, writes = world.counts.paid, world.counts.writes
        self._begin(run, world.now)
        world.scheduler.run()
        invariants.of_a_rerun(world, world.counts.paid - paid, world.counts.writes - writes)

    def _conversations(self) -> None:
        random, world = self.random, self.world
        for number in range(random.randint(1, 6)):
            name = f"c{number}"
            world.put(name, random.choice(_DAYS), random.randint(1, 3), is_blank=world.happens(0.03))
            if world.happens(0.06):
                world.poison[name] = random.choice(POISONS)
            if world.happens(0.02):
                world.full.add(name)

    def _faults(self) -> None:
        random, faults = self.random, self.world.faults
        for name in ("busy", "lost_before", "lost_after", "invalid", "write_busy", "write_lost"):
            setattr(faults, name, random.choice((0, 0, 0, 0.05, 0.3)))
        for name in ("read_busy", "control_busy", "grown", "stalled"):
            setattr(faults, name, random.choice((0, 0, 0, 0, 0, 0.02)))
        faults.takes_no_tools = self.world.happens(0.1)
        for spans, longest in ((faults.storms, random.choice((150, 150, 2000))), (faults.write_storms, 400)):
            if self.world.happens(0.12):
                start = random.uniform(0, 20)
                spans.append((start, start + random.uniform(1, longest)))
        if self.world.happens(0.03):
            faults.exhausted = (random.uniform(0, 20), 1e5)
        if self.world.happens(0.03):
            faults.denied = (random.uniform(0, 20), 1e5)

    def _routes(self, random: Random) -> None:
        """Spread the calls of some stories over two or three routes: some dearer, some throttled, some that die."""
        routes = self.world.routes = []
        caches = {"cache_min_tokens": 1} if random.random() < 0.3 else {}
        for number in range(random.choice((1, 1, 1, 2, 2, 3))):
            self.dearest = 1 + 30 * number
            rates = {"input": Decimal(self.dearest), "output": Decimal(5 * self.dearest)}
            rates |= {"cache_read": Decimal(self.dearest), "cache_write": Decimal(self.dearest)}
            price = MODEL.prices[0].model_copy(update=rates)
            routes.append(Route(MODEL.model_copy(update={**caches, "prices": (price,)})))
        if len(routes) == 1:
            return
        for route in routes:
            route.busy = random.choice((0, 0, 0.1, 0.5))
            start = random.uniform(0, 20)
            fate = random.random()
            if fate < 0.2:
                route.storms.append((start, start + random.uniform(1, 1000)))
            elif fate < 0.3:
                route.exhausted = (start, 1e5)
            elif fate < 0.4:
                route.denied = (start, 1e5)

    def _users(self) -> None:
        world, random = self.world, self.random
        for _ in range(random.choice((0, 0, 1, 3))):
            name, time = f"c{random.randrange(6)}", random.choice((15.0, 300.0)) * random.random()
            if random.random() < 0.1:
                world.scheduler.at(time, lambda name=name: world.touch(name))
            elif random.random() < 0.6:
                keeps = random.random() < 0.7
                world.scheduler.at(time, lambda name=name, keeps=keeps: world.edit(name, keeps_evaluation=keeps))
            else:
                world.scheduler.at(time, lambda name=name: world.delete(name))

    def _run(self, name: str, window: Window, budget: int, segments: int, in_flight: int, quota: Quota) -> Run:
        most = self.random.choice((RICH, RICH, RICH, 2)) if self.has_faults else RICH
        ledger = SimLedger(self.world, name, budget, most)
        self.world.ledgers.append(ledger)
        return Run(name, window, ledger, segments, in_flight, quota)

    def _begin(self, run: Run, time: float) -> None:
        apart_s = self.random.choice((0.0, 0.0, 4.0))  # tasks of a run begin when a slot is free
        for segment in range(run.segments):
            self.world.scheduler.at(time + segment * apart_s, lambda segment=segment: self._try(run, segment, 1))

    def _try(self, run: Run, segment: int, attempt: int) -> None:
        """One try of one mapped task, and the next one as Airflow would begin it."""
        world, process = self.world, self._process(f"{run.name}/{segment}/{attempt}")
        again = self._again(run, segment, attempt)

        def killed() -> None:
            world.counts.kills += 1
            again(self.random.choice((1.0, 5.0, 600.0)))

        def frozen() -> None:
            if process.freeze_s > 300:  # without a heartbeat Airflow gives the try up; the process does not know
                again(300.0)

        def work() -> None:
            claim = SimClaim(world, process, f"{segment}/{run.segments}", f"{run.name}/{segment}", attempt)
            try:
                claim.take(lambda seconds: world.scheduler.step(seconds, seconds))
                try:
                    census = self._census(run, process, segment, claim)
                    process.on_stop, process.leased_until = census.stop.set, lambda: census._leased_until
                    tally = census.run()
                finally:
                    claim.release()
                self._check(process, tally)
            except SnapshotIncomplete as error:
                world.violated("P9", str(error))
            except SetupError as error:  # no retry helps
                self._check_error(process, error)
            except ChatCensusError:
                again(self.random.choice((1.0, 300.0)))
            except Exception as error:  # noqa: BLE001 - whatever the engine lets through is a finding
                world.violated("P1", f"{process.name} died of {type(error).__name__}: {error}")
            else:
                if process.stop_at and process.steps >= process.stop_at:
                    again(5.0)  # SIGTERM: it ended well, and Airflow tries again
            process.has_ended = True

        process.on_kill, process.on_freeze = killed, frozen
        world.scheduler.start(process, work)

    def _again(self, run: Run, segment: int, attempt: int) -> Callable[[float], None]:
        was_begun = False

        def again(delay_s: float) -> None:
            nonlocal was_begun
            if not was_begun and attempt < TRIES:
                was_begun = True
                self.world.scheduler.at(self.world.now + delay_s, lambda: self._try(run, segment, attempt + 1))

        return again

    def _process(self, name: str) -> Process:
        process, random = Process(name), self.random
        if self.has_faults:
            process.skew_s = random.choice(
                (0.0, 0.0, random.uniform(-30, 30), random.uniform(-30, 30), self.most_skew_s)
            )
            fate = random.random()
            if fate < 0.15:
                process.kill_at = random.randint(1, 70)
            elif fate < 0.25:
                process.freeze_at, process.freeze_s = (
                    random.randint(1, 70),
                    random.choice((50.0, 150.0, 200.0, 400.0, 1000.0)),
                )
            elif fate < 0.33:
                process.stop_at = random.randint(5, 70)
        self.world.by_process[process] = Counter()
        self.processes.append(process)
        return process

    def _census(self, run: Run, process: Process, segment: int, claim: SimClaim) -> Census:
        world, random = self.world, self.random
        scheduler = world.scheduler
        clock = Clock(
            now=lambda: NOON + timedelta(seconds=world.now + process.skew_s),
            monotonic=lambda: world.now,
            sleep=scheduler.sleep,
            uniform=random.uniform,
            nonce=lambda: f"{random.getrandbits(64):016x}",
        )
        job = Job(
            name=f"{run.name}/{segment}",
            run_id=run.name,
            window=run.window,
            mapping=MAPPING,
            instructions=run.instructions,
            taxonomy=TAXONOMY,
            model_id="sim",
            model=MODEL,
            quota=run.quota,
            pseudonym_secret="a secret of the tests",
            in_flight=run.in_flight,
            where=run.where,
        )
        store = SimStore(world, process, segment, run.segments)
        self.models[process] = [
            SimModel(world, process, run.name, run.ledger, route) for route in range(len(world.routes))
        ]
        ways = [Way("route", model, model.route.model, run.quota) for model in self.models[process]]
        return Census(job, store, ways, run.ledger, claim, clock, GreenletCrew(scheduler, process))

    def _check_error(self, process: Process, error: SetupError) -> None:
        """One route that no call can succeed on is no error while there are others."""
        outs = [model.is_out for model in self.models.get(process, ())]
        if any(outs) and not all(outs):
            self.world.violated("P11", f"{process.name} gave up with a route left: {error}")

    def _check(self, process: Process, tally: Tally) -> None:
        """Compare what a try says of itself with what the world saw of it."""
        seen = self.world.by_process[process]
        said = tally.outcomes[Outcome.EVALUATED], tally.calls
        if tally.calls != seen["calls"]:
            self.world.violated("P9", f"{process.name} counts {tally.calls} calls, the model answered {seen['calls']}")
        if not seen["hidden"] and said[0] != seen["evaluated"]:
            self.world.violated("P9", f"{process.name} counts {said[0]} evaluated, accepted were {seen['evaluated']}")
