"""Made-up conversation tables, the same for the same seed, with everything that has ever made a count wrong."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from chatcensus.edition import month_of, week_of
from tests.sql.reference.conversations import Telling

# Midnight in Tokyo (15:00 UTC), a leap day, other offsets, fractions, a text that is no time, and no time at all.
_TIMES = (
    "2026-10-01T14:59:59Z",
    "2026-10-01T14:59:59.999Z",
    "2026-10-01T15:00:00Z",
    "2026-10-01T15:00:00.000Z",
    "2026-10-02T00:00:00+09:00",
    "2026-10-01T23:59:59+09:00",
    "2026-10-01T10:30:00-05:00",
    "2026-12-31T15:30:00Z",
    "2028-02-28T15:00:00Z",
    "2028-02-29T15:00:00Z",
    "yesterday",
    None,
)
_IDS = ("会話", "café", 'quote"and\\', "line\nbreak", "😀", "a'b", "𠮷野家", "plain")
_CATEGORIES = ("coding", "writing", "translation", "data_analysis", "brainstorming", "legal", "other")
_DEPARTMENTS = ("営業", "法務", "it's", "Sales", "(few)", None)
_GROUPS = ("Admin", "Publishing", "Staff", "unknown", None)
_APP_MODELS = ("claude-v4.5-sonnet", "amazon-nova-pro", "claude-v4-opus", None)
_LANGUAGES = ("ja", "en", "fr", "ko", None)
_MODELS = ("jp.anthropic.claude-haiku-4-5-20251001-v1:0", "apac.amazon.nova-lite-v1:0")
_REASONS = ("refused", "not_json", "too_large")
_FIRST_EXPORT = datetime(2026, 10, 5, tzinfo=UTC)
_WEEK = timedelta(weeks=1)
# How many conversations, people and weeks of use a table has at most; a large one is told of by the week.
_SIZES, _PEOPLE, _SPANS = (30, 100, 100, 300, 900), (3, 8, 15, 30, 60), (1, 3, 6, 12, 20)
_LARGE_SIZES, _LARGE_PEOPLE, _LARGE_SPANS = (900, 2500), (60, 150), (6, 12)
_DELAYS = (timedelta(hours=1), timedelta(days=1), timedelta(days=6), timedelta(weeks=3))  # until one is judged


@dataclass(frozen=True)
class GeneratedEdition:
    """A snapshot of a generated table, and until when its edition counts."""

    items: list[dict[str, Any]]
    time: datetime

    def telling(self, min_users: int) -> Telling:
        """Return what decides how much of it readers are told, where nothing is published yet."""
        week = week_of(self.time.astimezone(ZoneInfo("Asia/Tokyo")).date())
        return Telling(_text(self.time), week, month_of(week), min_users, has_per_user_table=True)


@dataclass
class _Table:
    """What the conversations of one table have in common."""

    random: Random
    exports: tuple[datetime, datetime]
    is_odd: bool
    haste: float  # what a usual delay is multiplied with
    weights: tuple[int, int, int]
    weeks: int
    people: list[str]
    category_weights: tuple[int, ...]
    few_people: Mapping[str, list[str]]  # a category that few people use, and who they are

    def person(self, category: str) -> tuple[str | None, str | None, str | None]:
        """Return a user, their department and their group."""
        user = self.random.choice(self.few_people.get(category, self.people))
        of_user = Random(f"{self.exports} {user}")
        department, user_group = _choice(of_user, _DEPARTMENTS), _choice(of_user, _GROUPS)
        return None if self.random.random() < 0.05 else user, department, user_group


def generated_items(seed: int) -> list[dict[str, Any]]:
    """Return the later table of *seed*."""
    return generated_editions(seed)[1].items


def generated_editions(
    seed: int, *, is_odd: bool = True, is_large: bool = False, is_judged: bool = False
) -> tuple[GeneratedEdition, GeneratedEdition]:
    """
    Return a table as it is exported twice, a week apart.

    Shape: seed 0 has no item, seed 1 has one, the others up to 900 or, *is_large*, 2500, and up to a third more a week
    later. Where not *is_odd* the table is an ordinary one: it only grows, and what was judged stays as it was judged.
    Where *is_judged* that is also judged to its end: nothing is pending for more than two days.
    """
    random = Random(seed)
    count = seed if seed < 2 else random.randint(2, random.choice(_LARGE_SIZES if is_large else _SIZES))
    export = _FIRST_EXPORT + timedelta(seconds=random.randrange(20 * 7 * 86400))
    people = [f"{number:04x}" for number in range(random.choice(_LARGE_PEOPLE if is_large else _PEOPLE))]
    few_people = {name: random.sample(people, min(len(people), random.randint(1, 8))) for name in _CATEGORIES[4:]}
    # Some tables hold one kind only: all pending, all quarantined.
    weights = random.choice([(8, 2, 2), (8, 2, 2), (8, 2, 2), (1, 1, 1), (1, 0, 0), (0, 1, 1), (0, 0, 1)])
    weights = weights if is_odd else (9, 1, 0) if is_judged else (9, 1, 1)
    exports, weeks = (export, export + _WEEK), random.choice(_LARGE_SPANS if is_large else _SPANS)
    category_weights = random.choice(
        ((9, 7, 5, 3, 1, 1, 1), (9, 4, 2, 1, 1, 1, 1), (9, 1, 1, 1, 1, 1, 1), (9, 7, 5, 3, 0, 0, 1))
    )
    haste = 0.1 if is_judged else 1
    table = _Table(random, exports, is_odd, haste, weights, weeks, people, category_weights, few_people)
    histories = [_history(table, number) for number in range(count)]
    histories += [_history(table, count + number, is_new=True) for number in range(random.randint(0, count // 3))]
    first, second = (
        ([item for item in snapshot if item] for snapshot in zip(*histories, strict=True)) if histories else ([], [])
    )
    return GeneratedEdition(first, table.exports[0]), GeneratedEdition(second, table.exports[1])


def _history(
    table: _Table, number: int, *, is_new: bool = False
) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Return one conversation as the first snapshot has it, and as the second does; None where it is not in one."""
    random = table.random
    began = table.exports[is_new] - random.random() * (_WEEK if is_new else table.weeks * _WEEK)
    border = began.replace(hour=15, minute=0, second=0) - timedelta(seconds=random.randint(0, 1))  # of days in Tokyo
    if random.random() < 0.2 and border < began and not is_new:
        began = border
    category = random.choices(_CATEGORIES, table.category_weights)[0]
    user, department, user_group = table.person(category)
    is_odd_time = table.is_odd and random.random() < 0.1
    item = {
        "conversation_id": f"{random.choice(_IDS)}#{number}",
        "turns": [{"role": "user", "content": "何を聞いたかは数えない \"'\n"}],
        "user_id": "someone@example.com",
        "department": department,
        "user_group": user_group,
        "app_model": _choice(random, _APP_MODELS),
        "language": _choice(random, _LANGUAGES),
        "created_at": random.choice(_TIMES) if is_odd_time else _written(random, began),
    }
    item = {name: value for name, value in item.items() if value is not None}
    (outcome,) = random.choices(("evaluated", "quarantined", "pending"), table.weights)
    judged_at = began + table.haste * random.choice(_DELAYS) * random.random()
    if outcome == "pending":
        return (None if is_new else item), item
    judged = item | {"evaluation": _evaluation(random, outcome, category, user, judged_at)}
    first, second = (judged if judged_at <= export else item for export in table.exports)
    if table.is_odd and random.random() < 0.05:  # deleted, or judged again
        second = random.choice((None, item | {"evaluation": _again(table, judged["evaluation"])}))
    return (None if is_new else first), second


def _choice(random: Random, values: tuple[str | None, ...]) -> str | None:
    """Return one of *values*, the first ones more often."""
    return random.choices(values, [2 ** (len(values) - index) for index in range(len(values))])[0]


def _written(random: Random, time: datetime) -> str:
    zone = ZoneInfo(random.choice(("UTC", "UTC", "Asia/Tokyo", "America/New_York")))
    text = time.astimezone(zone).isoformat(timespec=random.choice(("seconds", "milliseconds")))
    return text.replace("+00:00", "Z")


def _text(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"


def _evaluation(random: Random, outcome: str, category: str, user: str | None, judged_at: datetime) -> dict[str, Any]:
    attempts = random.choice((1, 1, 1, 2, 3)) if outcome == "evaluated" else random.choice((0, 1, 3))
    evaluation = {
        "key": f"{random.getrandbits(64):016x}",
        "outcome": outcome,
        "content_hash": f"{random.getrandbits(64):016x}",
        "prompt_version": random.choice(("3f2a9c41d07e", "000000000000")),
        "taxonomy_version": "9be01d",
        "model": random.choice(_MODELS),
        "answered_by": random.choice(("stand-in", "claude")) if attempts else None,
        "attempts": attempts,
        # Zeros at the end become exponents in Ion; the largest sums pass 32 bits.
        "input_tokens": random.choice((0, 600, 1_000_000, random.randrange(5000))) if attempts else 0,
        "output_tokens": random.randrange(60) if attempts else 0,
        "cost_micro_usd": random.choice((1, 3_000_000_000, random.randrange(9000))) if attempts else 0,
        "is_clipped": random.random() < 0.2,
        "user_pseudonym": user,
        "run_id": "scheduled__2026-10-02T18:00:00+00:00",
        "evaluated_at": _text(judged_at),
    }
    if outcome == "evaluated":
        evaluation |= {"category": category, "inquiry_score": random.choices(range(1, 6), (1, 4, 8, 6, 2))[0]}
    else:
        evaluation |= {"reason": random.choice(_REASONS)}
    if random.random() < 0.2:
        evaluation["previous"] = _previous(random)
    return {name: value for name, value in evaluation.items() if value is not None}


def _again(table: _Table, evaluation: dict[str, Any]) -> dict[str, Any]:
    """Return the evaluation of one that was judged again between the two exports."""
    kept = ("outcome", "category", "inquiry_score", "reason", "prompt_version", "model", "evaluated_at")
    previous = {name: evaluation[name] for name in kept if name in evaluation}
    judged_at = table.exports[1] - table.random.random() * _WEEK
    user, category = evaluation.get("user_pseudonym"), table.random.choice(_CATEGORIES)
    return _evaluation(table.random, "evaluated", category, user, judged_at) | {"previous": previous}


def _previous(random: Random) -> dict[str, Any]:
    """What a re-evaluation keeps of the evaluation before it."""
    usual = {"model": random.choice(_MODELS), "prompt_version": "3f2a9c41d07e", "evaluated_at": "2026-10-01T18:03:04Z"}
    if random.random() < 0.7:
        verdict = {"category": random.choice(_CATEGORIES), "inquiry_score": random.randint(1, 5)}
        return {"outcome": "evaluated", **verdict, **usual}
    return {"outcome": "quarantined", "reason": random.choice(_REASONS), **usual}
