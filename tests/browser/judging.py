"""What the judging of made-up conversations cost and how it went: the tables for operators, and that of users."""

from collections.abc import Mapping, Sequence
from typing import Any

from tests.browser.conversations import Told
from tests.browser.counting import cost_micro_usd

PROMPT = "3f9a1c07be52"


def operator_tables(talk: Sequence[Told], judge: Mapping[str, str]) -> dict[str, Any]:
    """Return model_cost, evaluation_quality and failures; *judge* is `model` and `answered_by`."""
    evaluated = [t for t in talk if t.outcome == "evaluated"]
    pending = sum(t.outcome == "pending" for t in talk)
    reasons: dict[str, list[Told]] = {}
    for each in talk:
        if each.reason:
            reasons.setdefault(each.reason, []).append(each)
    version = {"model": judge["model"], "prompt_version": PROMPT}
    nobody = {"model": None, "prompt_version": None, "outcome": "pending", "reason": None}
    quality = [
        version | {"outcome": "evaluated", "reason": None} | _firsts(len(evaluated), 37, 90),
        *(version | {"outcome": "quarantined", "reason": why} | _firsts(len(t), 3, 9) for why, t in reasons.items()),
        nobody | {"conversations": pending, "first_attempt": 0, "clipped": 0},
    ]
    judged = [t for t in talk if t.outcome != "pending"]
    cost = [{**judge, **_tokens(judged)}] if judged else []
    seen = {"first_seen": "2026-08-03T18:04:11Z", "last_seen": "2026-10-04T18:09:30Z"}
    failures = [
        version
        | {"reason": why, "replay": f"reason={why};model={judge['model']};prompt_version={PROMPT}"}
        | _tokens(t)
        | seen
        for why, t in reasons.items()
    ]
    told = [row for row in quality if row["conversations"]]
    return {"model_cost": cost, "evaluation_quality": told, "failures": failures}


def _firsts(count: int, again: int, clipped: int) -> dict[str, int]:
    return {"conversations": count, "first_attempt": count - count // again, "clipped": count // clipped}


def _tokens(talk: Sequence[Told]) -> dict[str, int]:
    count = len(talk)
    tokens = {"attempts": count + count // 37, "input_tokens": count * 1410, "output_tokens": count * 24}
    return {"conversations": count, **tokens, "cost_micro_usd": sum(map(cost_micro_usd, talk))}


def usage_by_user(told: Sequence[Told], pseudonyms: Sequence[str]) -> list[dict[str, Any]]:
    """Return who uses the chat tool how much; the first of them are called as *pseudonyms* says."""
    by_user: dict[str, list[Told]] = {}
    for each in told:
        if each.outcome != "pending":
            by_user.setdefault(each.person.pseudonym or "unknown", []).append(each)
    found = []
    for n, (name, talk) in enumerate(by_user.items()):
        scores = [t.score for t in talk if t.score]
        mean = {"mean_inquiry_score": sum(scores) / len(scores) if scores else None}
        shown = pseudonyms[n] if n < len(pseudonyms) else name
        row = {"user_pseudonym": shown, **_tokens(talk), **mean, "last_day": max(t.day for t in talk).isoformat()}
        del row["attempts"]
        found.append(row)
    return found
