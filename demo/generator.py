"""Builds sample conversations from `phrases.toml`: any number, always the same ones for a seed. All made up."""

import json
import math
import random
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, TypeVar

SHIPPED_COUNT = 520
SHIPPED_SEED = 2026
DAYS = 60
LAST_DAY = date(2026, 10, 31)
JAPAN = timezone(timedelta(hours=9))
HOLIDAYS = {date(2026, 9, 21), date(2026, 9, 22), date(2026, 9, 23), date(2026, 10, 12)}

FOLDER = Path(__file__).parent
PHRASES = tomllib.loads((FOLDER / "phrases.toml").read_text(encoding="utf-8"))
CATEGORIES = tuple(key for key in PHRASES["ja"] if isinstance(PHRASES["ja"][key], dict) and key != "slots")
PLACEHOLDER = re.compile(r"\{([a-z]+)\}")

# Of each department: how many people, how many of ten chats in Japanese, what about (in the order of CATEGORIES).
DEPARTMENTS = {
    "dev": (8, 5, (50, 4, 4, 4, 6, 6, 4, 14, 4, 4)),
    "qa": (5, 6, (8, 10, 8, 10, 34, 8, 4, 12, 4, 2)),
    "mfg": (6, 8, (10, 14, 6, 8, 18, 2, 16, 12, 10, 4)),
    "sales": (6, 6, (1, 36, 18, 14, 8, 8, 6, 2, 6, 1)),
    "hr": (3, 7, (1, 26, 2, 14, 6, 6, 18, 6, 20, 1)),
    "ga": (3, 8, (1, 24, 2, 8, 2, 10, 12, 2, 36, 3)),
    "acc": (3, 7, (10, 10, 2, 4, 34, 10, 1, 8, 20, 1)),
    "plan": (3, 5, (2, 16, 8, 16, 16, 26, 10, 2, 4, 0)),
    "pr": (2, 4, (1, 38, 18, 8, 2, 6, 24, 1, 1, 1)),
    "it": (3, 5, (36, 6, 6, 2, 4, 16, 2, 16, 8, 4)),
}
# One in five is excellent or a fragment; most say what they want and little more.
LEVELS = {1: 12, 2: 27, 3: 29, 4: 21, 5: 11}
TURN_COUNTS = {1: 22, 2: 36, 3: 15, 4: 17, 5: 4, 6: 6}
WEEKDAYS = (11, 12, 12, 11, 9, 1, 0.6)
HOURS = {7: 2, 8: 6, 9: 14, 10: 16, 11: 13, 12: 5, 13: 13, 14: 15, 15: 14, 16: 13, 17: 9, 18: 5, 19: 3, 20: 2, 21: 1}

T = TypeVar("T")


@dataclass(frozen=True, eq=False)  # told apart by identity, so that it can be drawn from a dict
class _User:
    name: str
    japanese_in_ten: int
    tastes: dict[str, float]


def shipped_conversations() -> list[dict[str, Any]]:
    """
    Return the conversations of the demo: the hand-written ones, then generated ones up to 520.

    Shape: id, user, created_at (UTC), language (ja, en) and turns of role and content.
    """
    lines = (FOLDER / "conversations.jsonl").read_text(encoding="utf-8").splitlines()
    written = [json.loads(line) for line in lines]
    return written + list(generate(SHIPPED_COUNT - len(written), SHIPPED_SEED))


def generate(count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield *count* conversations; a larger count with the same seed starts with the same ones."""
    # Only random() is promised to give equal numbers in every Python, so every draw below goes through it.
    rng = random.Random(seed)  # noqa: S311 - sample data, not a secret
    users = _users()
    use = {user: 1 / (rank + 1.5) for rank, user in enumerate(users)}
    days = _days()
    for number in range(1, count + 1):
        user = _draw(rng, use)
        language = "ja" if rng.random() * 10 < user.japanese_in_ten else "en"
        created_at = _moment(rng, days)
        yield {
            "id": f"gen-{seed}-{number:05d}",
            "user": user.name,
            "created_at": created_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "language": language,
            "turns": _Writer(rng, language, _draw(rng, user.tastes)).turns(),
        }


class _Writer:
    """Writes one conversation; a placeholder keeps its value from the first turn to the last."""

    def __init__(self, rng: random.Random, language: str, category: str) -> None:
        self._rng = rng
        self._phrases = PHRASES[language]
        self._own = self._phrases[category]
        self._is_japanese = language == "ja"
        self._values: dict[str, str] = {}

    def turns(self) -> list[dict[str, str]]:
        level, count = _draw(self._rng, LEVELS), _draw(self._rng, TURN_COUNTS)
        texts = [self._request(level)]
        if level == 1 and count > 2:  # asked back, people say what they meant
            texts += [_one_of(self._rng, self._phrases["asks"]), self._request(_whole(self._rng, 2, 4))]
        follow_ups, replies = self._shuffled("follow_ups"), self._shuffled("replies")
        for position in range(len(texts), count):
            is_reply = position % 2 == 1
            text = (replies if is_reply else follow_ups)[position // 2 % len(replies)]
            texts.append(text if is_reply else self._maybe("thanks", 0.4) + text)
        roles = ("user", "assistant")
        return [{"role": roles[i % 2], "content": self._fill(text)} for i, text in enumerate(texts)]

    def _request(self, level: int) -> str:
        if level == 1:
            return self._pick("terse")
        request, blank_line, material = self._pick("requests").partition("\n\n")
        parts = [request]
        if level >= 3:
            parts.insert(int(self._rng.random() * 1.6), self._pick("contexts"))
        details = [self._pick("limits"), self._pick("forms")]
        if level == 4:
            details = [details[int(self._rng.random() * 2)]]
        if level >= 4:
            parts += details
        joint = "" if self._is_japanese else " "
        return self._maybe("openings", 0.25) + joint.join(parts) + blank_line + material

    def _pick(self, kind: str) -> str:
        return _one_of(self._rng, self._own[kind])

    def _maybe(self, kind: str, chance: float) -> str:
        return _one_of(self._rng, self._phrases[kind]) if self._rng.random() < chance else ""

    def _shuffled(self, kind: str) -> list[str]:
        return sorted(self._own[kind], key=lambda _: self._rng.random())

    def _fill(self, text: str) -> str:
        return PLACEHOLDER.sub(lambda match: self._value(match[1]), text)

    def _value(self, name: str) -> str:
        if name not in self._values:
            self._values[name] = self._fill(self._fresh_value(name))
        return self._values[name]

    def _fresh_value(self, name: str) -> str:
        match name:
            case "n":
                return str(_whole(self._rng, 3, 18) * 50)
            case "small":
                return str(_whole(self._rng, 2, 12))
            case "percent":
                return str(_whole(self._rng, 3, 19))
            case "price":
                return str(_whole(self._rng, 3, 48) * 10)
            case "date":
                month, day = _whole(self._rng, 11, 12), _whole(self._rng, 1, 25)
                return f"{month}月{day}日" if self._is_japanese else f"{day} {'Nov' if month == 11 else 'Dec'}"
            case "figures":
                return self._figures()
            case "notes":
                sentences = sorted(self._phrases["sentences"], key=lambda _: self._rng.random())
                return "\n".join(
                    f"・{one}" if self._is_japanese else f"- {one}" for one in sentences[: _whole(self._rng, 3, 6)]
                )
            case "sentence":
                return _one_of(self._rng, self._phrases["sentences"])
            case "code":
                return f"```\n{_one_of(self._rng, self._phrases['snippets'])}\n```"
            case _:
                return _one_of(self._rng, self._phrases["slots"][name])

    def _figures(self) -> str:
        base = _whole(self._rng, 20, 900)
        values = [round(base * (0.8 + 0.4 * self._rng.random())) for _ in range(_whole(self._rng, 4, 8))]
        if self._is_japanese:
            return "、".join(f"{month}月 {value}" for month, value in enumerate(values, start=2))
        return ", ".join(f"month {month}: {value}" for month, value in enumerate(values, start=2))


def _users() -> list[_User]:
    """Return everybody, heaviest user first: one of each department, then the next of each."""
    waves = max(people for people, _, _ in DEPARTMENTS.values())
    return [
        _User(f"u-{name}-{wave:02d}", japanese_in_ten, dict(zip(CATEGORIES, tastes, strict=True)))
        for wave in range(1, waves + 1)
        for name, (people, japanese_in_ten, tastes) in DEPARTMENTS.items()
        if wave <= people
    ]


def _days() -> dict[date, float]:
    """Return the weight of each day: office days, quieter on Fridays, growing by half over the two months."""
    days = [LAST_DAY - timedelta(days=back) for back in reversed(range(DAYS))]
    return {
        day: (WEEKDAYS[6] if day in HOLIDAYS else WEEKDAYS[day.weekday()]) * (1 + 0.5 * position / DAYS)
        for position, day in enumerate(days)
    }


def _moment(rng: random.Random, days: dict[date, float]) -> datetime:
    day, hour = _draw(rng, days), _draw(rng, HOURS)
    seconds = _whole(rng, 0, 3599)
    return datetime(day.year, day.month, day.day, hour, tzinfo=JAPAN) + timedelta(seconds=seconds)


def _draw(rng: random.Random, weights: dict[T, float]) -> T:
    mark = rng.random() * math.fsum(weights.values())  # sum() of floats differs between Python 3.11 and 3.12
    for choice, weight in weights.items():
        mark -= weight
        if mark < 0:
            return choice
    return next(reversed(weights))


def _one_of(rng: random.Random, choices: Sequence[str]) -> str:
    return choices[int(rng.random() * len(choices))]


def _whole(rng: random.Random, low: int, high: int) -> int:
    return low + int(rng.random() * (high - low + 1))
