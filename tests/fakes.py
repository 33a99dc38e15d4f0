"""Stand-ins with behaviour for what the census is given: a table, a model, a ledger, a clock. No test patches them."""

import copy
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from chatcensus.answer import Reason, Reply
from chatcensus.census import Census
from chatcensus.conversation import Conversation
from chatcensus.evaluation import ATTRIBUTE, Evaluation, stored_evaluation
from chatcensus.include import read_yaml
from chatcensus.interval import Window
from chatcensus.job import Job
from chatcensus.mapping import Stored, TableMapping
from chatcensus.model_catalog import Model
from chatcensus.pacing import Quota
from chatcensus.pricing import Usage
from chatcensus.tally import Outcome
from chatcensus.taxonomy import Taxonomy

INCLUDE = Path(__file__).parents[1] / "include"
TAXONOMY = read_yaml(INCLUDE / "prompts/taxonomy.yaml", Taxonomy)
MAPPING = read_yaml(INCLUDE / "table.yaml", TableMapping)
MODEL = Model.model_validate(
    {
        "model_id": "fake",
        "family": "fake",
        "geography": "global",
        "output_modes": ["tool", "prompt"],
        "max_tokens": 100,
        "burndown": 5,
        "prices": [
            {"since": "2026-01-01", "input": 1, "output": 5, "cache_read": 1, "cache_write": 1, "source": "made up"}
        ],
    }
)
NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)
GOOD = {"category": "coding", "inquiry_score": 3}
BAD = {"category": "coding", "inquiry_score": 6}
UNLIMITED = Quota(requests_per_minute=1e12, tokens_per_minute=1e15)
USAGE = Usage(input_tokens=50, output_tokens=10)
COST = 50 * 1 + 10 * 5  # of one call of FakeModel at the price of MODEL


def reply(answer: object = None, stop_reason: str | None = "tool_use", usage: Usage = USAGE) -> Reply:
    """A reply as the model gives it."""
    return Reply(copy.deepcopy(GOOD if answer is None else answer), stop_reason, usage, answered_by="fake")


class FakeStore:
    """A table in memory; a write is refused, as DynamoDB would, by what the item is at that moment."""

    def __init__(self, items: list[dict[str, Any]], mapping: TableMapping = MAPPING, full: Sequence[str] = ()) -> None:
        self.mapping, self.full, self.written = mapping, full, 0
        self.hash_when_written: dict[str, str] = {}
        self.skipped, self.released = Counter[str](), list[str]()
        self.items = {item[mapping.partition_key]: item for item in items}
        self._lock = threading.Lock()

    def read(self) -> Iterator[Stored]:
        for name in list(self.items):
            if name in self.items:  # not deleted since the reading began
                yield Stored(copy.deepcopy(self.items[name]), has_room=name not in self.full)

    def write(self, stored: Stored, evaluation: Evaluation) -> Outcome:
        with self._lock:
            item, marker = self.items.get(stored.item[self.mapping.partition_key]), self.mapping.marker
            if item is None:
                return Outcome.DELETED
            if item.get(marker) != stored.item.get(marker):
                return Outcome.CHANGED
            if evaluation.previous is not None:
                is_free = item.get(ATTRIBUTE) == stored.item[ATTRIBUTE]
            else:
                is_free = stored_evaluation(item, evaluation.content_hash) is None
            if not is_free:
                return Outcome.ALREADY_EVALUATED
            item[ATTRIBUTE] = evaluation.attribute()
            self.hash_when_written[item[self.mapping.partition_key]] = self.mapping.conversation(
                Stored(item, has_room=True)
            ).content_hash
            self.written += 1
            return Outcome.EVALUATED

    def release(self, stored: Stored) -> None:
        self.released.append(stored.item[self.mapping.partition_key])

    def evaluation(self, name: str) -> dict[str, Any] | None:
        """What is stored of a conversation's judgement."""
        return self.items[name].get(ATTRIBUTE)


@dataclass(frozen=True)
class Call:
    """What one call asked."""

    instructions: str
    message: str
    mode: str
    max_tokens: int


class FakeModel:
    """Answers what was enqueued (an answer, a Reply, an error, or a function that gives one), then always GOOD."""

    def __init__(self, *answers: object) -> None:
        self.queue, self.history = deque(answers), list[Call]()

    def enqueue(self, *answers: object) -> None:
        self.queue.extend(answers)

    def ask(self, instructions: str, message: str, mode: str, max_tokens: int) -> Reply:
        self.history.append(Call(instructions, message, mode, max_tokens))
        answer = self.queue.popleft() if self.queue else GOOD
        if callable(answer):
            answer = answer()
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Reply) else reply(answer)


class FakeLedger:
    """The spend of a run in memory, and the most it ever was."""

    def __init__(self, max_micro_usd: int = 10**9, max_conversations: int = 10**9) -> None:
        self.max_micro_usd, self.spent, self.most_spent = max_micro_usd, 0, 0
        self.max_conversations, self.begun = max_conversations, 0
        self.quarantined: dict[str, Reason] = {}
        self.calls: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()

    def reserve(self, micro_usd: int) -> bool:
        with self._lock:
            if self.spent + micro_usd > self.max_micro_usd:
                return False
            self.spent += micro_usd
            self.most_spent = max(self.most_spent, self.spent)
            return True

    def settle(self, reserved_micro_usd: int, paid_micro_usd: int) -> None:
        with self._lock:
            self.spent += paid_micro_usd - reserved_micro_usd

    def admit(self) -> bool:
        with self._lock:
            is_free = self.begun < self.max_conversations
            self.begun += is_free
            return is_free

    def add_calls(self, conversation: Conversation, calls: int) -> int:
        with self._lock:
            self.calls[conversation.conversation_id, conversation.content_hash] += calls
            return self.calls[conversation.conversation_id, conversation.content_hash]

    def quarantine(self, conversation_id: str, reason: Reason) -> bool:
        is_new = conversation_id not in self.quarantined
        self.quarantined.setdefault(conversation_id, reason)
        return is_new


class FakeClaim:
    """The claim of a segment: *shares* are what its renewals give, the last one for ever; None loses the segment."""

    lease_s = 1e9

    def __init__(self, *shares: float | None) -> None:
        self.shares, self.asked = deque(shares or (1.0,)), list[float]()

    @property
    def renewals(self) -> int:
        return len(self.asked)

    def renew(self, most: float) -> float | None:
        self.asked.append(most)
        share = self.shares.popleft() if len(self.shares) > 1 else self.shares[0]
        return None if share is None else min(share, most)


class FakeClock:
    """Time that passes only while somebody sleeps; chance that always draws the most; nonces that count."""

    def __init__(self) -> None:
        self.seconds, self.drawn, self.nonces = 0.0, list[tuple[float, float]](), 0

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds

    def uniform(self, least: float, most: float) -> float:
        self.drawn.append((least, most))
        return most

    def nonce(self) -> str:
        self.nonces += 1
        return f"{self.nonces:016x}"


def conversation_item(name: str = "c1", *texts: str, **attributes: Any) -> dict[str, Any]:
    """An item of the table: turns of the person and the assistant in turn."""
    texts = texts or (f"Why does function {name} return None?",)
    turns = [{"role": "assistant" if index % 2 else "user", "content": text} for index, text in enumerate(texts)]
    return {"conversation_id": name, "created_at": "2026-10-01T03:04:05Z", "turns": turns, **attributes}


def conversation_items(count: int) -> list[dict[str, Any]]:
    """Several conversations, c0 onwards."""
    return [conversation_item(f"c{number}") for number in range(count)]


def census(
    store: FakeStore,
    model: FakeModel,
    ledger: FakeLedger | None = None,
    clock: FakeClock | None = None,
    claim: FakeClaim | None = None,
    **of_the_job: Any,
) -> Census:
    """A census of *store* by *model*, one call at a time unless the job says otherwise."""
    usual: Mapping[str, Any] = {
        "name": "segment 1/1",
        "run_id": "run-1",
        "window": Window(None, NOON),
        "mapping": store.mapping,
        "instructions": "Judge it.",
        "taxonomy": TAXONOMY,
        "model_id": "fake",
        "model": MODEL,
        "quota": UNLIMITED,
        "pseudonym_secret": "a secret of the tests",
        "in_flight": 1,
        "expected": len(store.items),
    }
    job = Job(**{**usual, **of_the_job})
    return Census(job, store, model, ledger or FakeLedger(), claim or FakeClaim(), clock or FakeClock())


def during_the_call(event: Callable[[], object], answer: object = None) -> Callable[[], Reply]:
    """An answer for FakeModel that comes after *event* has happened."""

    def answered() -> Reply:
        event()
        return reply(answer)

    return answered
