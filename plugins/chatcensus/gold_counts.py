"""The gold set that corrects the shares: what people said in reviews, beside what the judge says of the same text."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from chatcensus.errors import SetupError
from chatcensus.gold import GoldSet
from chatcensus.gold_rows import GoldRow, parsed_rows
from chatcensus.include import as_yaml
from chatcensus.taxonomy import Taxonomy

RANDOM = "random-"  # how a review names the file of those that were drawn at random (review_answers.py)


def random_rows(files: Mapping[str, str], taxonomy: Taxonomy) -> list[GoldRow]:
    """
    Return the rows of the reviews' *files*, lines by their place, that were drawn at random; of two the later one.

    Errors: SetupError for a row with a text of its own or of another taxonomy, and for no rows at all: they are no
    random sample of the table.
    """
    found: dict[str, GoldRow] = {}
    for place, lines in sorted(files.items()):
        if not place.rpartition("/")[2].startswith(RANDOM):
            continue
        for line, row in parsed_rows(place, lines):
            if row.content_hash is None:
                raise SetupError(f"{line} has a text of its own, which is no random sample of the table: remove it")
            if row.taxonomy_version != taxonomy.version or row.category not in taxonomy.keys:
                raise SetupError(f"{line} is not of taxonomy {taxonomy.version}: move it to the folder of its own")
            if row.id not in found or found[row.id].labelled_on <= row.labelled_on:
                found[row.id] = row
    if not found:
        raise SetupError(
            f"no conversation that was drawn at random has been reviewed with taxonomy {taxonomy.version}: "
            "trigger the DAG review with random above 0, and let people answer"
        )
    return list(found.values())


class Counts:
    """
    The rows that the present judge has judged in the same words, counted by its category and by the true one.

    Shape: *left_out* counts the others by why: not_there (deleted, or not evaluated), changed (another text),
    quarantined, other_taxonomy, other_judge (not the model and prompt that judged most of them).
    """

    def __init__(self, rows: Iterable[GoldRow], evaluations: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
        self.rows = {row.id: row for row in rows}
        self.left_out = Counter[str]()
        self._judged: dict[tuple[str, str], list[tuple[str, GoldRow]]] = {}
        there = {name: evaluation for name, evaluation in evaluations if name in self.rows}
        for name, row in self.rows.items():
            if why := _unfit(row, there.get(name)):
                self.left_out[why] += 1
            else:
                judge = (str(there[name]["model"]), str(there[name]["prompt_version"]))
                self._judged.setdefault(judge, []).append((str(there[name]["category"]), row))

    def gold_set(self, taxonomy: Taxonomy) -> GoldSet:
        """Return what `include/gold.yaml` has to say. Errors: SetupError when no row can be counted."""
        if not self._judged:
            raise SetupError(f"none of {len(self.rows)} reviewed conversations can be counted: {self._told()}")
        (model, prompt_version), kept = max(self._judged.items(), key=lambda each: (len(each[1]), each[0]))
        self.left_out["other_judge"] = sum(map(len, self._judged.values())) - len(kept)
        pairs = Counter((judged, row.category) for judged, row in kept)
        people = len({row.labelled_by for _, row in kept})
        return GoldSet(
            model=model,
            prompt_version=prompt_version,
            taxonomy_version=taxonomy.version,
            labelled_by=f"{people} {'person' if people == 1 else 'people'}, in reviews",
            labelled_on=max(row.labelled_on for _, row in kept),
            counts={
                judged: {true: count for (one, true), count in sorted(pairs.items()) if one == judged}
                for judged in sorted({judged for judged, _ in pairs})
            },
        )

    def lines(self, gold: GoldSet) -> Iterator[str]:
        """Yield the file of *gold*, with what was left out as a comment: counts, no ids, no names."""
        yield f"# {gold.size} of {len(self.rows)} reviewed conversations; left out: {self._told()}. docs/gold.md"
        yield as_yaml(gold).rstrip()

    def _told(self) -> str:
        told = [f"{count} {why}" for why, count in sorted(self.left_out.items()) if count]
        return ", ".join(told) or "none"


def _unfit(row: GoldRow, evaluation: Mapping[str, Any] | None) -> str | None:
    if evaluation is None:
        return "not_there"
    if evaluation.get("content_hash") != row.content_hash:
        return "changed"
    if evaluation.get("outcome") != "evaluated":
        return "quarantined"
    return None if evaluation.get("taxonomy_version") == row.taxonomy_version else "other_taxonomy"
