"""Which conversations a person is asked about: an honest random sample, where judges disagree, and the quarantined."""

import hashlib
import heapq
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from chatcensus.errors import SetupError
from chatcensus.trial import Answer, Drawn

Why = Literal["random", "changed", "disputed", "quarantined"]
WHYS: tuple[Why, ...] = get_args(Why)


def review_name(run_id: str) -> str:
    """Return the name of the review of the run *run_id*: 12 hex digits, so that a person can type it."""
    return hashlib.sha256(run_id.encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Candidate:
    """
    A conversation as its evaluation tells of it; its text is read when the sheet is made.

    Shape: *category* and *inquiry_score* are the judge's; None of a quarantine, which has a *reason* instead.
    """

    conversation_id: str
    content_hash: str
    why: Why
    language: str | None
    taxonomy_version: str
    category: str | None = None
    inquiry_score: int | None = None
    reason: str | None = None

    @property
    def row(self) -> str:
        """The name of its row: no spreadsheet takes it for a number or a day; one that is mistyped names nothing."""
        return f"r-{hashlib.sha256(self.conversation_id.encode('utf-8', 'surrogatepass')).hexdigest()[:10]}"


class Draw:
    """
    Draws by a hash of seed and id: the same table and seed give the same draw, in whatever order they are read.

    Shape: *sizes* is how many of each; *disputed* holds ids on which models disagree. The random ones are a simple
    random sample of all evaluated conversations, of all languages; whatever else is drawn is drawn from the others, so
    that no conversation comes twice.
    """

    def __init__(self, seed: str, sizes: Mapping[Why, int], disputed: Collection[str] = ()) -> None:
        self.seed, self.sizes, self.disputed = seed, sizes, disputed
        self.found = dict.fromkeys(WHYS, 0)
        # Some of one kind may have been drawn as another: so many more are held.
        self._room = {why: sizes[why] and sum(sizes.values()) for why in WHYS}
        self._heaps: dict[Why, list[tuple[int, str, Candidate]]] = {why: [] for why in WHYS}

    def add(self, conversation_id: str, evaluation: Mapping[str, Any], language: str | None) -> None:
        """Take a conversation that carries *evaluation* into account."""
        for why in self._whys(conversation_id, evaluation):
            self.found[why] += 1
            rank = hashlib.sha256(f"{self.seed}\n{why}\n{conversation_id}".encode("utf-8", "surrogatepass")).digest()
            heap, held = self._heaps[why], -int.from_bytes(rank)
            if len(heap) < self._room[why]:
                heapq.heappush(heap, (held, conversation_id, _candidate(conversation_id, evaluation, why, language)))
            elif heap and held > heap[0][0]:
                heapq.heapreplace(heap, (held, conversation_id, _candidate(conversation_id, evaluation, why, language)))

    def _whys(self, conversation_id: str, evaluation: Mapping[str, Any]) -> Iterator[Why]:
        if evaluation.get("outcome") == "quarantined":
            yield "quarantined"
        elif evaluation.get("outcome") == "evaluated":
            yield "random"
            previous = evaluation.get("previous") or {}
            if previous.get("outcome") == "evaluated" and previous.get("category") != evaluation.get("category"):
                yield "changed"
            if conversation_id in self.disputed:
                yield "disputed"

    def drawn(self) -> list[Candidate]:
        """Return what is drawn, the random first."""
        drawn: dict[str, Candidate] = {}
        for why in WHYS:
            ranked = (candidate for _, _, candidate in sorted(self._heaps[why], key=lambda held: (-held[0], held[1])))
            others = [candidate for candidate in ranked if candidate.conversation_id not in drawn]
            drawn |= {candidate.conversation_id: candidate for candidate in others[: self.sizes[why]]}
        return list(drawn.values())


def _candidate(conversation_id: str, evaluation: Mapping[str, Any], why: Why, language: str | None) -> Candidate:
    score = evaluation.get("inquiry_score")
    return Candidate(
        conversation_id=conversation_id,
        content_hash=str(evaluation.get("content_hash")),
        why=why,
        language=language,
        taxonomy_version=str(evaluation.get("taxonomy_version")),
        category=evaluation.get("category"),
        inquiry_score=None if score is None else int(score),
        reason=evaluation.get("reason"),
    )


def candidate_lines(drawn: Iterable[Candidate]) -> bytes:
    """Return *drawn* as JSON lines: ids, hashes and what the judge said, and no text."""
    return b"".join(json.dumps(asdict(candidate)).encode() + b"\n" for candidate in drawn)


def read_candidates(lines: bytes) -> list[Candidate]:
    """Return what `candidate_lines` has written. Errors: SetupError when it is something else."""
    try:
        return [Candidate(**json.loads(line)) for line in lines.splitlines()]
    except (ValueError, TypeError):
        raise SetupError(
            "drawn.jsonl of this review is not as draw has written it: start another run of review"
        ) from None


def disputed(drawn: Iterable[Drawn], answers: Collection[Mapping[str, Answer]]) -> frozenset[str]:
    """Return the ids of a trial's conversations to which its contenders gave more than one category."""
    return frozenset(
        each.conversation_id
        for each in drawn
        if each.conversation_id
        and len({of[each.draw].category for of in answers if each.draw in of and of[each.draw].category}) > 1
    )
