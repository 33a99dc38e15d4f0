"""What the simulated processes share: the table, the model, the control table; each step in it may be a fault."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

from chatcensus.answer import Reason, Reply
from chatcensus.census import RENEW_EVERY_S
from chatcensus.conversation import Conversation
from chatcensus.errors import (
    FeatureRefused,
    ModelBusy,
    NoRoom,
    QuotaExhausted,
    ReplyLost,
    RequestRefused,
    SetupError,
    StoreBusy,
    Throttled,
)
from chatcensus.evaluation import ATTRIBUTE, Evaluation, stored_evaluation
from chatcensus.mapping import Stored
from chatcensus.model_catalog import Model
from chatcensus.pricing import Usage, cost_micro_usd
from chatcensus.spreading import WARM_UP_S
from chatcensus.tally import Outcome
from tests.fakes import MAPPING, MODEL, NOON, TAXONOMY
from tests.sim.scheduler import Process, Scheduler

_TAG = re.compile(r"say (c\d+)\.(\d+);")
_CATEGORIES = sorted(TAXONOMY.keys - {"other"})
_HASHES: dict[tuple[str, ...], str] = {}  # of texts, which are the same in every seed


def label(name: str, version: int) -> dict[str, Any]:
    """The one right answer for a conversation's text."""
    number = int(name[1:]) * 7 + version * 3
    return {"category": _CATEGORIES[number % len(_CATEGORIES)], "inquiry_score": 1 + number % 5}


def content_hash(item: dict[str, Any]) -> str:
    """The content hash of an item, as the mapping reads it."""
    texts = tuple(turn["content"] for turn in item["turns"])
    if texts not in _HASHES:
        _HASHES[texts] = MAPPING.conversation(Stored(item, has_room=True)).content_hash
    return _HASHES[texts]


@dataclass
class Faults:
    """How often what goes wrong (0 to 1 for each step), and from when to when (seconds)."""

    busy: float = 0
    lost_before: float = 0
    lost_after: float = 0
    invalid: float = 0
    write_busy: float = 0
    write_lost: float = 0
    read_busy: float = 0
    control_busy: float = 0
    grown: float = 0
    stalled: float = 0
    storms: list[tuple[float, float]] = field(default_factory=list)
    write_storms: list[tuple[float, float]] = field(default_factory=list)
    exhausted: tuple[float, float] = (0, 0)
    denied: tuple[float, float] = (0, 0)
    takes_no_tools: bool = False


@dataclass
class Route:
    """One way to the model: which model that is, and what goes wrong there while the others may work."""

    model: Model
    busy: float = 0
    storms: list[tuple[float, float]] = field(default_factory=list)
    exhausted: tuple[float, float] = (0, 0)
    denied: tuple[float, float] = (0, 0)


@dataclass
class Counts:
    """What really happened, as only the world knows it."""

    paid: int = 0
    accepted: int = 0
    invalid: int = 0
    lost: int = 0
    overtaken: int = 0
    kills: int = 0
    takeovers: int = 0
    late_calls: int = 0
    in_flight: int = 0
    writes: int = 0


class World:
    """One simulated account: what is in it, what goes wrong in it, and what the invariants say of each step."""

    def __init__(self, random: Random) -> None:
        self.random, self.scheduler = random, Scheduler(random)
        self.faults, self.counts = Faults(), Counts()
        self.routes = [Route(MODEL)]
        self.violations: list[str] = []
        self.items: dict[str, dict[str, Any]] = {}
        self.versions: dict[str, int] = {}
        self.full: set[str] = set()
        self.poison: dict[str, str] = {}
        self.deleted: set[str] = set()
        self.bad_reasons: set[tuple[str, int, str]] = set()
        self.accepted_keys: Counter[tuple[str, str]] = Counter()
        self.calls: Counter[tuple[str, str, str, int]] = Counter()
        self.calls_in_vain: Counter[tuple[str, str]] = Counter()
        self.quarantined: dict[str, Reason] = {}
        self.rows: dict[tuple[str, str], dict[str, Any]] = {}
        self.ledgers: list[SimLedger] = []
        self.by_process: dict[Process, Counter[str]] = {}
        self.overtaken: dict[Process, tuple[float, bool]] = {}

    @property
    def now(self) -> float:
        return self.scheduler.now

    def happens(self, probability: float) -> bool:
        """Draw whether a fault of that probability happens here."""
        return probability > 0 and self.random.random() < probability

    def during(self, *spans: tuple[float, float]) -> bool:
        """Tell whether it is now within one of *spans*."""
        return any(start <= self.now < end for start, end in spans)

    def stall(self, process: Process) -> None:
        """Let the main thread wait for a connection that hangs, perhaps."""
        if self.happens(self.faults.stalled):
            seconds = self.random.uniform(60, 300)
            process.stalled_until = self.now + seconds
            self.scheduler.sleep(seconds)

    def violated(self, promise: str, what: str) -> None:
        """Note a promise that was broken."""
        self.violations.append(f"{promise} {what} (at {self.now:.0f} s)")

    # What users do.
    def put(self, name: str, created_at: str, turns: int = 1, *, is_blank: bool = False) -> None:
        """Begin a conversation."""
        text = " " if is_blank else f"say {name}.0;"
        turns_ = [{"role": "assistant" if index % 2 else "user", "content": text} for index in range(turns)]
        item = {"conversation_id": name, "created_at": created_at, "user_id": "u1", "turns": turns_}
        self.items[name] = {**item, "pending": "1"}  # the key of an index of what is pending
        self.versions[name] = 0

    def edit(self, name: str, *, keeps_evaluation: bool) -> None:
        """Go on with a conversation; a chat tool that puts whole items drops what the census wrote."""
        if name not in self.items:
            return
        self.versions[name] += 1
        item = self.items[name]
        turns = [*item["turns"], {"role": "user", "content": f"say {name}.{self.versions[name]};"}]
        kept = {key: value for key, value in item.items() if key != ATTRIBUTE or keeps_evaluation}
        self.items[name] = {**kept, "turns": turns, "pending": "1"}

    def touch(self, name: str) -> None:
        """Mark a conversation as pending, though nothing was said."""
        if name in self.items:
            self.items[name] = {**self.items[name], "pending": "1"}

    def delete(self, name: str) -> None:
        """Delete a conversation."""
        if self.items.pop(name, None):
            self.deleted.add(name)


class SimStore:
    """One segment of the table, as one process sees it."""

    def __init__(self, world: World, process: Process, segment: int, segments: int) -> None:
        self.world, self.process, self.segment, self.segments = world, process, segment, segments
        self.skipped = Counter[str]()

    def read(self) -> Iterator[Stored]:
        """Read page by page; an item may be read a while before the census gets to it."""
        world = self.world
        names = sorted(name for name in world.items if int(name[1:]) % self.segments == self.segment)
        size = world.random.randint(1, 3)
        for start in range(0, len(names), size):
            world.scheduler.step(0.05)
            if world.happens(world.faults.read_busy):
                raise StoreBusy("the scan is throttled")
            world.stall(self.process)
            page = [world.items[name] for name in names[start : start + size] if name in world.items]
            for item in page:
                yield Stored(item, has_room=item["conversation_id"] not in world.full)

    def write(self, stored: Stored, evaluation: Evaluation) -> Outcome:
        """Write as DynamoDB does: under three conditions, perhaps without an answer."""
        world, name = self.world, stored.item["conversation_id"]
        world.scheduler.step(0.02)
        if world.happens(world.faults.write_busy) or world.during(*world.faults.write_storms):
            raise StoreBusy("the write is throttled")
        outcome = self._apply(name, stored, evaluation)
        if world.happens(world.faults.write_lost):
            world.by_process[self.process]["hidden"] += 1
            raise StoreBusy("the answer to the write is lost")
        world.scheduler.step(0.02)
        return outcome

    def _apply(self, name: str, stored: Stored, evaluation: Evaluation) -> Outcome:
        world, item = self.world, self.world.items.get(name)
        if not self.still_exists(item):
            self._overtaken(evaluation)
            return Outcome.DELETED
        if not self.unchanged(item, stored):
            self._overtaken(evaluation)
            return Outcome.CHANGED
        if not self.not_yet_judged(item, stored, evaluation):
            if item[ATTRIBUTE] == evaluation.attribute():  # ours, or another try's that judged alike in this second
                world.by_process[self.process]["hidden"] += 1
                return Outcome.EVALUATED
            return Outcome.ALREADY_EVALUATED
        if name in world.full or world.happens(world.faults.grown):
            world.full.add(name)
            self._overtaken(evaluation)
            raise NoRoom("it has grown")
        self._accept(name, item, evaluation)
        return Outcome.EVALUATED

    # The three conditions, and who may take one of them away: tests/sim/mutants.py.
    def still_exists(self, item: dict[str, Any] | None) -> bool:
        return item is not None

    def unchanged(self, item: dict[str, Any] | None, stored: Stored) -> bool:
        return item is None or item["turns"] == stored.item["turns"]

    def not_yet_judged(self, item: dict[str, Any] | None, stored: Stored, evaluation: Evaluation) -> bool:
        if item is None or evaluation.previous is None:
            return item is None or stored_evaluation(item, evaluation.content_hash) is None
        return item.get(ATTRIBUTE) == stored.item[ATTRIBUTE]

    def release(self, stored: Stored) -> None:
        """Take a conversation out of the index of what is pending, unless it has changed."""
        world, name = self.world, stored.item["conversation_id"]
        if "pending" not in stored.item:
            return
        world.scheduler.step(1, 0.02)
        if world.happens(world.faults.write_busy):
            raise StoreBusy("the write is throttled")
        item = world.items.get(name)
        if item is not None and self.unchanged(item, stored):
            world.items[name] = {key: value for key, value in item.items() if key != "pending"}

    def _accept(self, name: str, item: dict[str, Any] | None, evaluation: Evaluation) -> None:
        world, attribute = self.world, evaluation.attribute()
        world.items[name] = {**(item or {"conversation_id": name, "turns": []}), ATTRIBUTE: attribute}
        world.items[name].pop("pending", None)
        world.counts.writes += 1
        if attribute["outcome"] == "evaluated":
            world.counts.accepted += 1
        world.by_process[self.process][attribute["outcome"]] += 1
        if evaluation.previous is None or evaluation.previous["outcome"] == "evaluated":
            world.accepted_keys[name, evaluation.key] += 1
        if world.accepted_keys[name, evaluation.key] > 1:
            world.violated("P5", f"{name} was written twice with one key")
        if item is None:
            world.violated("P3", f"{name} was deleted, and has come back")
        elif evaluation.content_hash != content_hash(item):
            world.violated("P4", f"{name} got the label of its older text")

    def _overtaken(self, evaluation: Evaluation) -> None:
        """Note a paid answer that the table cannot take any more."""
        if evaluation.attempts and not isinstance(evaluation.verdict, Reason):
            self.world.counts.overtaken += 1


class SimModel:
    """The model as one try of one task sees it; it knows what is right, and what it got paid for."""

    def __init__(self, world: World, process: Process, run: str, ledger: "SimLedger", route: int = 0) -> None:
        self.world, self.process, self.run, self.ledger, self.route = world, process, run, ledger, world.routes[route]
        self.price = self.route.model.price(NOON.date())
        self.first_call_until, self.is_warm, self.is_out = -1.0, False, False

    def ask(self, instructions: str, message: str, mode: str, max_tokens: int) -> Reply:  # noqa: ARG002
        """Answer, or fail in one of the ways that `errors.py` names."""
        self._begin()
        try:
            reply = self._answer(message, mode, max_tokens)
        except (QuotaExhausted, SetupError):
            self.is_out = True
            raise
        finally:
            self.first_call_until = -1.0
        self.is_warm = True
        return reply

    def _begin(self) -> None:
        """Note a call to a route that was out, or beside the first one of a cold cache."""
        world = self.world
        if self.is_out:
            world.violated("P11", f"{self.process.name} calls a route that was taken out")
        if self.route.model.cache_min_tokens and not self.is_warm:
            if world.now < self.first_call_until:
                world.violated("P12", f"{self.process.name} writes one prefix to the cache twice")
            self.is_warm = self.first_call_until >= 0  # the others have waited long enough for the first one
            self.first_call_until = world.now + WARM_UP_S

    def _answer(self, message: str, mode: str, max_tokens: int) -> Reply:
        world, faults, route = self.world, self.world.faults, self.route
        name, version = _TAG.findall(message)[-1]
        begun = world.now
        world.scheduler.step(0.2)
        if world.during(*faults.storms, *route.storms) or world.happens(faults.busy) or world.happens(route.busy):
            raise world.random.choice((Throttled, Throttled, ModelBusy))("429 or 503")
        if world.happens(faults.lost_before):
            world.calls[self.run, self.process.name, name, int(version)] += 1
            world.scheduler.step(60, 30)
            raise ReplyLost("timeout")
        if world.during(faults.exhausted, route.exhausted):
            raise QuotaExhausted("too many tokens today")
        if world.during(faults.denied, route.denied):
            raise SetupError("no access to the model")
        if faults.takes_no_tools and mode == "tool":
            raise FeatureRefused("no tools")
        if world.poison.get(name) == "unsendable":
            world.bad_reasons.add((name, int(version), Reason.TOO_LARGE))
            raise RequestRefused("too long")
        reply, is_valid = self._reply(name, int(version), max_tokens)
        world.counts.paid += 1
        self._note_late(begun)
        self.ledger.really_paid += cost_micro_usd(reply.usage, self.price)
        world.calls[self.run, self.process.name, name, int(version)] += 1
        world.scheduler.step(4, 0.2)
        if world.happens(faults.lost_after):
            world.counts.lost += 1
            raise ReplyLost("reset")
        if not is_valid:
            world.counts.invalid += 1
        world.by_process[self.process]["calls"] += 1
        return reply

    def _note_late(self, begun: float) -> None:
        """
        Note a call that a process begins when its claim is somebody else's.

        The lease forbids it, but for calls that had passed its check; a clock beyond the margin, or a later try of the
        same task, takes the claim earlier, and then the next renewal has to notice.
        """
        world = self.world
        if begun >= self.process.leased_until():
            seen = world.by_process[self.process]
            seen["unleased"] += 1
            if seen["unleased"] > world.counts.in_flight:
                world.violated("P6", f"{self.process.name} begins calls after the end of its lease")
        overtaken_at, is_leased = world.overtaken.get(self.process, (begun, False))
        if begun > overtaken_at and not is_leased:
            world.counts.late_calls += 1
            if begun > max(overtaken_at, self.process.frozen_until, self.process.stalled_until) + 2 * RENEW_EVERY_S:
                world.violated("P6", f"{self.process.name} pays on, {begun - overtaken_at:.0f} s after its claim")

    def _reply(self, name: str, version: int, max_tokens: int) -> tuple[Reply, bool]:
        world, usage = self.world, Usage(input_tokens=50, output_tokens=10)
        kind = world.poison.get(name)
        if kind is None and world.happens(world.faults.invalid):
            kind = world.random.choice(("score", "prose", "cut", "refusal", "nothing"))
        if kind is None:
            return Reply(label(name, version), "tool_use", usage, "sim"), True
        answer, stop_reason, reason = _BROKEN[kind]
        world.bad_reasons.add((name, version, reason))
        if reason is Reason.TRUNCATED:
            usage = Usage(input_tokens=50, output_tokens=max_tokens)
        return Reply(answer, stop_reason, usage, "sim"), False


_BROKEN: dict[str, tuple[object, str, Reason]] = {
    "score": ({"category": "coding", "inquiry_score": 6}, "tool_use", Reason.SCORE_OUT_OF_RANGE),
    "prose": ("I would say it is coding.", "end_turn", Reason.NOT_JSON),
    "cut": ('{"category": "cod', "max_tokens", Reason.TRUNCATED),
    "refusal": (None, "refusal", Reason.REFUSED),
    "nothing": (None, "end_turn", Reason.REFUSED),
    "too_long": (None, "model_context_window_exceeded", Reason.TRUNCATED),
}
POISONS = (*_BROKEN, "unsendable")


class SimLedger:
    """The budget of one run, with control-table faults; what was really paid is known beside it."""

    def __init__(self, world: World, run: str, max_micro_usd: int, max_conversations: int = 10**9) -> None:
        self.world, self.run, self.max_micro_usd = world, run, max_micro_usd
        self.max_conversations, self.begun = max_conversations, 0
        self.spent = self.most_spent = self.really_paid = 0

    def reserve(self, micro_usd: int) -> bool:
        """Reserve under a condition; an answer that is lost leaves the reservation standing."""
        self._step()
        is_there = self.spent + micro_usd <= self.max_micro_usd
        if is_there:
            self._spend(micro_usd)
        self._step()
        return is_there

    def settle(self, reserved_micro_usd: int, paid_micro_usd: int) -> None:
        """Give back what was not paid, unless the control table is away."""
        self.world.scheduler.step()
        if not self.world.happens(self.world.faults.control_busy):
            self._spend(paid_micro_usd - reserved_micro_usd)

    def admit(self) -> bool:
        """Count a conversation under a condition."""
        self._step()
        is_free = self.begun < self.max_conversations
        self.begun += is_free
        return is_free

    def add_calls(self, conversation: Conversation, calls: int) -> int:
        """Add calls that came to nothing."""
        self._step()
        text = conversation.conversation_id, conversation.content_hash
        self.world.calls_in_vain[text] += calls
        return self.world.calls_in_vain[text]

    def quarantine(self, conversation_id: str, reason: Reason) -> bool:
        """Remember a conversation whose item has no room."""
        self._step()
        is_new = conversation_id not in self.world.quarantined
        self.world.quarantined.setdefault(conversation_id, reason)
        return is_new

    def _spend(self, micro_usd: int) -> None:
        self.spent += micro_usd
        self.most_spent = max(self.most_spent, self.spent)

    def _step(self) -> None:
        self.world.scheduler.step()
        if self.world.happens(self.world.faults.control_busy):
            raise StoreBusy("the control table is throttled")
