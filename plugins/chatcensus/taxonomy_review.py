"""
A taxonomy review: what lies in one category is read for what new categories it would make, and counted.

What leaves it are proposals and counts. Ids of the conversations that were read stand in a file of the result bucket;
their text stands nowhere.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date

from pydantic import BaseModel, ConfigDict

from chatcensus.crosswalk import Step
from chatcensus.errors import SetupError
from chatcensus.taxonomy import MOST_CATEGORIES, Category, Taxonomy

FEWEST = 20  # conversations: with fewer, a category of one per cent of them would be a single one
MOST_IN_ALL = 5  # proposals: more than a person weighs well at one time
LEAST_SHARE = 0.01  # of the conversations that were read
NONE_OF_THEM = "none of them"


class Gathered(BaseModel):
    """One conversation that a review reads, without any text of it."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    conversation_id: str
    content_hash: str


class Pile:
    """
    The conversations of one category, as their evaluations tell of them.

    Shape: *versions* counts them by the taxonomy version under which they were judged. The draw is by a hash of seed
    and id: the same table and seed give the same one, in whatever order they are read. Twice *most* are held, since
    some will have changed since they were judged.
    """

    def __init__(self, category: str, seed: int, most: int) -> None:
        self.category, self.seed, self.most = category, seed, most
        self.versions = Counter[str]()
        self._drawn: list[tuple[str, Gathered]] = []

    def add(self, conversation_id: str, evaluation: object) -> None:
        """Put a conversation on the pile, if *evaluation*, as it is stored, says that it belongs there."""
        if not isinstance(evaluation, dict) or evaluation.get("category") != self.category:
            return
        self.versions[str(evaluation.get("taxonomy_version"))] += 1
        lot = hashlib.sha256(f"{self.seed}\n{conversation_id}".encode("utf-8", "surrogatepass")).hexdigest()
        gathered = Gathered(conversation_id=conversation_id, content_hash=str(evaluation.get("content_hash")))
        self._drawn.append((lot, gathered))
        if len(self._drawn) >= 4 * self.most:
            self._drawn = self._lowest()

    def lowest(self) -> list[Gathered]:
        """Return those that are held, in the order of their lots."""
        return [gathered for _, gathered in self._lowest()]

    def _lowest(self) -> list[tuple[str, Gathered]]:
        return sorted(self._drawn, key=lambda each: each[0])[: 2 * self.most]


def most_new(taxonomy: Taxonomy, category: str) -> int:
    """
    Return how many new categories the taxonomy has room for.

    Errors: SetupError when there is no room, or no such *category* to split.
    """
    if category not in taxonomy.keys:
        raise SetupError(
            f"category {category!r} is not in the taxonomy: choose one of {', '.join(sorted(taxonomy.keys))}"
        )
    if len(taxonomy.categories) == MOST_CATEGORIES:
        raise SetupError(f"the taxonomy has {MOST_CATEGORIES} categories, the most there may be: merge some first")
    return min(MOST_IN_ALL, MOST_CATEGORIES - len(taxonomy.categories))


class Counted(BaseModel):
    """A proposal, and how many of the conversations, of how many known users, would fall in it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    category: Category
    count: int
    users: int


@dataclass
class Recount:
    """Where the conversations fall when they are judged against the taxonomy with the proposals."""

    judged: int = 0
    micro_usd: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    users: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def add(self, category: str, user: str | None) -> None:
        """Count one conversation."""
        self.judged += 1
        self.counts[category] += 1
        if user is not None:
            self.users[category].add(user)

    def kept(self, proposals: Iterable[Category], min_users: int) -> list[Counted]:
        """Return the proposals of enough people and of enough conversations, the largest first."""
        counted = [
            Counted(category=each, count=self.counts[each.key], users=len(self.users[each.key])) for each in proposals
        ]
        kept = [each for each in counted if each.users >= min_users and each.count >= max(1, LEAST_SHARE * self.judged)]
        return sorted(kept, key=lambda each: (-each.count, each.category.key))


class Result(BaseModel):
    """
    What a review has found: what a person is asked about, and what adopting it takes.

    Shape: *versions* counts all conversations of *category* by the taxonomy version under which they were judged;
    *dropped* counts proposals by the reason. Units: *micro_usd* is the cost of judging *judged* conversations once.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    taxonomy_version: str
    category: str
    versions: dict[str, int]
    judged: int
    micro_usd: int
    dropped: dict[str, int]
    proposals: tuple[Counted, ...]

    def chosen(self, keys: Iterable[str]) -> list[Category]:
        """Return the proposals with these *keys*. Errors: SetupError for one that was not proposed."""
        by_key = {each.category.key: each.category for each in self.proposals}
        wanted = list(dict.fromkeys(keys))
        if unknown := sorted(set(wanted) - by_key.keys()):
            raise SetupError(f"{', '.join(unknown)} was not proposed: choose among {', '.join(by_key) or 'none'}")
        return [by_key[key] for key in by_key if key in wanted]

    def step(self, after: Taxonomy, new: Sequence[Category], since: date) -> Step:
        """Return the step from the reviewed taxonomy to *after*, which has the categories *new*."""
        split = {self.category: (self.category, *(category.key for category in new))}
        return Step(before=self.taxonomy_version, after=after.version, since=since, split=split)

    def condition(self) -> str:
        """Return what the Param `reevaluate` of chat_census has to be so that exactly these are judged again."""
        return f"category={self.category}; taxonomy_version={','.join(sorted(self.versions))}"

    def again(self) -> tuple[int, int]:
        """Return how many conversations that would judge, and about what they cost in micro-USD."""
        conversations = sum(self.versions.values())
        return conversations, round(conversations * self.micro_usd / max(1, self.judged))

    def question(self) -> str:
        """Return what the person is asked, as Markdown: names, definitions and counts."""
        rows = [
            f"| `{each.category.key}` | {each.category.label.en} / {each.category.label.ja} "
            f"| {each.category.definition.en} / {each.category.definition.ja} | {each.count} | {each.users} |"
            for each in self.proposals
        ]
        conversations, micro_usd = self.again()
        rest = (
            f"Adopting any of them makes a new taxonomy version. Judging all {conversations} conversations of "
            f"`{self.category}` again then costs about {micro_usd / 1e6:.2f} USD, when you start it."
        )
        return "\n".join(
            [
                f"{self.judged} conversations of `{self.category}` were read. Proposed by a model, read them as such:",
                "",
                "| Key | Label | Definition | Conversations | Users |",
                "|---|---|---|---:|---:|",
                *rows,
                "",
                rest,
            ]
        )
