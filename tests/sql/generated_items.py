"""Made-up conversation tables, the same for the same seed, with everything that has ever made a count wrong."""

from random import Random
from typing import Any

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
_CATEGORIES = ("coding", "writing", "translation", "data_analysis", "other")
_MODELS = ("jp.anthropic.claude-haiku-4-5-20251001-v1:0", "apac.amazon.nova-lite-v1:0")
_REASONS = ("refused", "not_json", "too_large")
_USERS = ("a1f0", "b2e1", "c3d2", "d4c3", None)


def generated_items(seed: int) -> list[dict[str, Any]]:
    """Return the table of *seed*: seed 0 has no item, seed 1 has one, the others up to 60."""
    random = Random(seed)  # noqa: S311 - reproducible, not secret
    count = seed if seed < 2 else random.randint(2, 60)
    # Some tables hold one kind only: all pending, all quarantined.
    weights = random.choice([(8, 2, 2), (8, 2, 2), (1, 1, 1), (1, 0, 0), (0, 1, 1), (0, 0, 1)])
    return [_item(random, number, weights) for number in range(count)]


def _item(random: Random, number: int, weights: tuple[int, int, int]) -> dict[str, Any]:
    (outcome,) = random.choices(("evaluated", "quarantined", "pending"), weights)
    item = {
        "conversation_id": f"{random.choice(_IDS)}#{number}",
        "turns": [{"role": "user", "content": "何を聞いたかは数えない \"'\n"}],
        "user_id": "someone@example.com",
        "created_at": random.choice(_TIMES),
        "evaluation": None if outcome == "pending" else _evaluation(random, outcome),
    }
    return {name: value for name, value in item.items() if value is not None}


def _evaluation(random: Random, outcome: str) -> dict[str, Any]:
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
        "user_pseudonym": random.choice(_USERS),
        "run_id": "scheduled__2026-10-02T18:00:00+00:00",
        "evaluated_at": "2026-10-02T18:03:04Z",
    }
    if outcome == "evaluated":
        evaluation |= {"category": random.choice(_CATEGORIES), "inquiry_score": random.randint(1, 5)}
    else:
        evaluation |= {"reason": random.choice(_REASONS)}
    if random.random() < 0.3:
        evaluation["previous"] = _previous(random)
    return {name: value for name, value in evaluation.items() if value is not None}


def _previous(random: Random) -> dict[str, Any]:
    """What a re-evaluation keeps of the evaluation before it."""
    usual = {"model": random.choice(_MODELS), "prompt_version": "3f2a9c41d07e", "evaluated_at": "2026-10-01T18:03:04Z"}
    if random.random() < 0.7:
        verdict = {"category": random.choice(_CATEGORIES), "inquiry_score": random.randint(1, 5)}
        return {"outcome": "evaluated", **verdict, **usual}
    return {"outcome": "quarantined", "reason": random.choice(_REASONS), **usual}
