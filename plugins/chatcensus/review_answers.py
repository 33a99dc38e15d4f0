"""What comes of the answers of a review: gold rows, and how far the person and the judge agree."""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

from chatcensus.agreement import Kappa, cohen_kappa, weighted_kappa, wilson
from chatcensus.conversation import Conversation
from chatcensus.gold_rows import GoldRow
from chatcensus.review import WHYS, Candidate, Why
from chatcensus.review_sheet import Reviewed
from chatcensus.trial import language_of


def gold_row(
    candidate: Candidate, answer: Reviewed, conversation: Conversation, taxonomy_version: str, day: date
) -> GoldRow:
    """Return *answer* as a gold row, which names the conversation and its hash, and holds no text."""
    said = " ".join(turn.text for turn in conversation.turns if turn.role == "user")
    return GoldRow(
        id=candidate.conversation_id,
        language=candidate.language or language_of(said),
        turns=None,
        content_hash=candidate.content_hash,
        category=answer.category,
        inquiry_score=answer.inquiry_score,
        taxonomy_version=taxonomy_version,
        labelled_by=answer.reviewed_by,
        labelled_on=day,
    )


def gold_lines(rows: Iterable[GoldRow]) -> bytes:
    """Return *rows* as JSON lines, in the order of their ids."""
    return b"".join(
        row.model_dump_json(exclude_none=True).encode() + b"\n" for row in sorted(rows, key=lambda row: row.id)
    )


class Collected:
    """
    The answers of one review.

    Shape: *gold* is gold rows by file: those that were drawn at random are by themselves, since only they tell of all
    conversations. *counts* says what became of the answers; *day* is when they were given.
    """

    def __init__(self, review: str, taxonomy_version: str, day: date) -> None:
        self.review, self.taxonomy_version, self.day = review, taxonomy_version, day
        self.compared, self.counts = Compared(taxonomy_version), Counter[str]()
        self.gold: dict[str, list[GoldRow]] = {}

    def take(self, candidate: Candidate, answer: Reviewed, conversation: Conversation | None) -> None:
        """Take *answer*, unless the conversation has changed since it was drawn, or is gone."""
        if conversation is None or conversation.content_hash != candidate.content_hash:
            self.counts["changed" if conversation else "gone"] += 1
            return
        self.compared.add(candidate, answer)
        self.counts["gold_rows"] += 1
        file = f"{'random' if candidate.why == 'random' else 'picked'}-{self.review}.jsonl"
        row = gold_row(candidate, answer, conversation, self.taxonomy_version, self.day)
        self.gold.setdefault(file, []).append(row)


class Compared:
    """Person and judge, by why the conversations were drawn; only where the judge used the same *taxonomy_version*."""

    def __init__(self, taxonomy_version: str) -> None:
        self.taxonomy_version = taxonomy_version
        self._categories: dict[Why, Counter[tuple[str, str]]] = {why: Counter() for why in WHYS}
        self._scores: dict[Why, Counter[tuple[int, int]]] = {why: Counter() for why in WHYS}

    def add(self, candidate: Candidate, answer: Reviewed) -> None:
        """Count one; what the judge could not judge says nothing of agreement."""
        if candidate.category is None or candidate.taxonomy_version != self.taxonomy_version:
            return
        self._categories[candidate.why][candidate.category, answer.category] += 1
        if candidate.inquiry_score is not None and answer.inquiry_score is not None:
            self._scores[candidate.why][candidate.inquiry_score, answer.inquiry_score] += 1

    def figures(self) -> dict[Why, dict[str, Any]]:
        """Return for each group that has some: how many, how many agree, its 95 % interval, and both kappas."""
        figures: dict[Why, dict[str, Any]] = {}
        for why, pairs in self._categories.items():
            total, agreed = pairs.total(), sum(count for (judge, person), count in pairs.items() if judge == person)
            if total:
                interval, scores = wilson(agreed, total), self._scores[why]
                figures[why] = {
                    "compared": total,
                    "agreed": agreed,
                    "accuracy": agreed / total,
                    "low": interval.low,
                    "high": interval.high,
                    "kappa": cohen_kappa(pairs).estimate,
                    "score_kappa": weighted_kappa(scores).estimate if scores else None,
                }
        return figures

    def lines(self) -> Iterator[str]:
        """Yield one line for each group."""
        for why, found in self.figures().items():
            kappas = (cohen_kappa(self._categories[why]), self._scores[why] and weighted_kappa(self._scores[why]))
            yield (
                f"{why}: person and judge agree on {found['agreed']} of {found['compared']} categories, "
                f"{found['accuracy']:.1%} (95 %: {found['low']:.1%} to {found['high']:.1%}); kappa {_told(kappas[0])}, "
                f"of the inquiry scores {_told(kappas[1])}"
            )


def _told(kappa: Kappa | Counter[tuple[int, int]]) -> str:
    if not isinstance(kappa, Kappa) or kappa.estimate is None:
        return "not defined"
    return f"{kappa.estimate:.2f} ({kappa.low:.2f} to {kappa.high:.2f})"
