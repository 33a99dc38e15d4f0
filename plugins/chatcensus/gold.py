"""The gold set: conversations that people have labelled too, counted by what the judge and what they said."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from chatcensus.crosswalk import Version
from chatcensus.errors import SetupError
from chatcensus.include import read_yaml
from chatcensus.taxonomy import Taxonomy

# At most two of a hundred conversations may be judged otherwise than the gold set was: however wrong the correction is
# for them, it moves no share by more than two percentage points.
MIN_SAME_JUDGE = 0.98

_Labels = Annotated[int, Field(ge=0, strict=True)]


class GoldSet(BaseModel):
    """
    The labels of one gold set (`include/gold.yaml`) and the judge whom they measure.

    Shape: *counts* is conversations by counted and then by true category; what is missing is zero.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    model: str = Field(min_length=1)
    prompt_version: Version
    taxonomy_version: Version
    labelled_by: str = Field(min_length=1)
    labelled_on: date
    counts: dict[str, dict[str, _Labels]]

    @field_validator("counts")
    @classmethod
    def _has_labels(cls, counts: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
        if not any(count for labels in counts.values() for count in labels.values()):
            raise ValueError("a gold set has at least one label: add what people have labelled, or remove the file")
        return counts

    @property
    def size(self) -> int:
        """How many conversations people have labelled."""
        return sum(count for labels in self.counts.values() for count in labels.values())


def read_gold(path: Path, taxonomy: Taxonomy) -> GoldSet | None:
    """
    Return the gold set at *path*, None where there is no such file.

    Errors: SetupError when the file is wrong, or names a category that its own taxonomy does not have.
    """
    if not path.exists():
        return None
    gold = read_yaml(path, GoldSet)
    named = set(gold.counts).union(*gold.counts.values())
    if gold.taxonomy_version == taxonomy.version and (unknown := sorted(named - taxonomy.keys)):
        raise SetupError(
            f"{path}: counts: no categories of the taxonomy: {', '.join(map(repr, unknown))}: correct them, "
            f"the taxonomy has {', '.join(sorted(taxonomy.keys))}"
        )
    return gold


def misfit(gold: GoldSet, judged: Mapping[tuple[str | None, str | None], int], taxonomy: Taxonomy) -> str | None:
    """
    Return why *gold* does not measure the judge of the *judged* conversations, None when it does.

    Shape: *judged* is evaluated conversations by model and prompt version.
    """
    if gold.taxonomy_version != taxonomy.version:
        return f"the gold set is of taxonomy {gold.taxonomy_version}, conversations are judged by {taxonomy.version}"
    same, total = judged.get((gold.model, gold.prompt_version), 0), sum(judged.values())
    if same < MIN_SAME_JUDGE * total:
        return (
            f"model {gold.model} with prompt {gold.prompt_version}, which the gold set measures, judged "
            f"{same} of {total} conversations, {MIN_SAME_JUDGE:.0%} are needed"
        )
    return None
