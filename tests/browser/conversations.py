"""Made-up conversations, by seed: what the reports of the browser tests are counted from."""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import NamedTuple

HOUR_WEIGHTS = (1, 1, 0, 0, 0, 1, 2, 5, 14, 32, 38, 34, 18, 30, 36, 34, 30, 26, 18, 11, 7, 5, 3, 2)
DAY_WEIGHTS = (20, 22, 21, 20, 18, 2, 1)  # Monday first


@dataclass(frozen=True)
class Person:
    """Somebody who uses the chat tool; *pseudonym* is None where the table does not know who it was."""

    pseudonym: str | None
    department: str
    user_group: str
    language: str


class Told(NamedTuple):
    """
    One conversation; *category* and *score* are None unless it is evaluated.

    Shape: *week* is the Monday of its week, *month* the first day of the month of that week's Thursday.
    """

    person: Person
    day: date
    week: date
    month: date
    hour: int
    app_model: str
    outcome: str
    category: str | None
    score: int | None
    reason: str | None


@dataclass(frozen=True)
class Company:
    """Who uses the chat tool and for what; the values are in the order of their size."""

    first_day: date
    days: int
    conversations: int
    users: int
    categories: Sequence[str]
    departments: Sequence[str]
    user_groups: Sequence[str]
    app_models: Sequence[str]
    languages: Sequence[str]
    seed: int = 1
    grows: str | None = None  # a category whose share grows over time
    tiny: Sequence[str] = ()  # departments of two people each
    quarantined: float = 0.012
    pending: float = 0.018
    reasons: Sequence[str] = field(default=("refused", "not_json", "truncated"))

    def talk(self) -> Iterator[Told]:
        """Return the conversations, oldest first."""
        draw = random.Random(self.seed)
        people = [self._person(draw, n) for n in range(self.users)]
        activity = _cumulated([draw.lognormvariate(0, 0.9) for _ in people])
        tastes = {name: [draw.uniform(0.4, 1.8) for _ in self.categories] for name in (*self.departments, *self.tiny)}
        for day, count in self._days(draw):
            week = day - timedelta(days=day.weekday())
            when = (day, week, (week + timedelta(days=3)).replace(day=1))
            age = (day - self.first_day).days / max(self.days, 1)
            weights = {name: _cumulated(self._weights(taste, age)) for name, taste in tastes.items()}
            models = _cumulated(self._models(age))
            for person in draw.choices(people, cum_weights=activity, k=count):
                yield self._conversation(draw, person, when, weights[person.department], models)

    def _person(self, draw: random.Random, n: int) -> Person:
        where = (_skewed(draw, names) for names in (self.departments, self.user_groups, self.languages))
        department, user_group, language = where
        if n < 2 * len(self.tiny):
            department = self.tiny[n // 2]
        return Person(f"{n:04x}{draw.getrandbits(48):012x}", department, user_group, language)

    def _days(self, draw: random.Random) -> Iterator[tuple[date, int]]:
        days = [self.first_day + timedelta(days=n) for n in range(self.days)]
        weights = [DAY_WEIGHTS[day.weekday()] * (0.6 + 0.8 * n / self.days) for n, day in enumerate(days)]
        each = self.conversations / sum(weights)
        for day, weight in zip(days, weights, strict=True):
            yield day, max(1, round(weight * each * draw.uniform(0.9, 1.1)))

    def _weights(self, taste: Sequence[float], age: float) -> list[float]:
        waves = [1 + 0.25 * math.sin(6 * age + n) for n in range(len(self.categories))]
        grown = [1 + 1.2 * age if name == self.grows else 1 for name in self.categories]
        return [t * w * g / (n + 2) for n, (t, w, g) in enumerate(zip(taste, waves, grown, strict=True))]

    def _models(self, age: float) -> list[float]:
        """Newer models (later in the list) win."""
        last = max(len(self.app_models) - 1, 1)
        return [1 / (0.15 + abs(age - n / last)) for n in range(len(self.app_models))]

    def _conversation(
        self,
        draw: random.Random,
        person: Person,
        when: tuple[date, date, date],
        weights: Sequence[float],
        models: Sequence[float],
    ) -> Told:
        chance, category, score, reason = draw.random(), None, None, None
        outcome = "evaluated"
        if chance < self.pending:
            outcome = "pending"
        elif chance < self.pending + self.quarantined:
            outcome, reason = "quarantined", _skewed(draw, self.reasons)
        else:
            category = draw.choices(self.categories, cum_weights=weights)[0]
            mean = 2.7 + 0.9 * (self.categories.index(category) % 5) / 4
            score = min(5, max(1, round(draw.gauss(mean, 0.9))))
        hour = draw.choices(range(24), weights=HOUR_WEIGHTS)[0]
        model = draw.choices(self.app_models, cum_weights=models)[0]
        return Told(person, *when, hour, model, outcome, category, score, reason)


def _cumulated(weights: Sequence[float]) -> list[float]:
    total, sums = 0.0, []
    for weight in weights:
        total += weight
        sums.append(total)
    return sums


def _skewed(draw: random.Random, names: Sequence[str]) -> str:
    """Return one of *names*, an earlier one more often."""
    return draw.choices(names, weights=[1 / (n + 1.5) for n in range(len(names))])[0]
