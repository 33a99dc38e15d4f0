"""Gold rows: conversations with the category that a person has given them, one JSON object a line."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from chatcensus.conversation import Turn
from chatcensus.crosswalk import Crosswalk
from chatcensus.errors import SetupError
from chatcensus.taxonomy import Taxonomy
from chatcensus.terminal_text import printable

_MOST_SHOWN = 40  # ids


class GoldRow(BaseModel):
    """
    One label of a person.

    Shape: either *turns* (a text of our own) or *content_hash* (a conversation of the table, found by its *id*).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    id: str = Field(min_length=1)
    language: str = Field(min_length=1)
    turns: tuple[Turn, ...] | None = None
    content_hash: str | None = None
    category: str
    inquiry_score: int | None = Field(default=None, ge=1, le=5)
    taxonomy_version: str
    labelled_by: str
    labelled_on: date

    @model_validator(mode="after")
    def _is_a_text_or_names_one(self) -> Self:
        if (self.turns is None) == (self.content_hash is None):
            raise ValueError("a gold row has either turns or a content_hash")
        return self


@dataclass
class GoldRows:
    """
    The rows of a folder, each under the taxonomy of today.

    Shape: *split* is ids of rows that are left out because their category was split since they were labelled, and only
    a person can say what they are now; *foreign* counts those of a taxonomy from which no step leads here.
    """

    rows: list[GoldRow] = field(default_factory=list)
    split: list[str] = field(default_factory=list)
    foreign: int = 0

    def left_out(self) -> Iterator[str]:
        """Yield which rows are left out, and what to do: counts and ids."""
        if self.split:
            yield f"left out: {len(self.split)} whose category was split, to be labelled again: {shown(self.split)}"
        if self.foreign:
            yield f"left out: {self.foreign} of another taxonomy, from which no step of crosswalk.yaml leads here"


def read_gold_rows(folder: Path, taxonomy: Taxonomy, crosswalk: Crosswalk) -> GoldRows:
    """
    Return the rows of *folder* (`gold/*.jsonl`) as they are in *taxonomy*, older ones by the steps of *crosswalk*.

    Errors: SetupError, by file and line, for a line that is no row, an id that stands twice, or a category that
    *taxonomy* does not have. It holds nothing of the line.
    """
    found, ids = GoldRows(), set[str]()
    older = crosswalk.versions if crosswalk.versions[-1:] == [taxonomy.version] else []
    for path in sorted(folder.glob("*.jsonl")):
        try:
            lines = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SetupError(
                f"{path}: cannot be read ({type(error).__name__}): check that the file was deployed"
            ) from None
        for place, row in parsed_rows(path, lines):
            if row.taxonomy_version not in (taxonomy.version, *older):
                found.foreign += 1
                continue
            if row.id in ids:
                raise SetupError(f"{place} has an id that another gold row has: give each its own")
            ids.add(row.id)
            category = crosswalk.label_today(row.taxonomy_version, row.category)
            if category is None:
                found.split.append(row.id)
            elif category not in taxonomy.keys:
                raise SetupError(f"{place} has a category that the taxonomy does not have: correct it")
            else:
                today = {"category": category, "taxonomy_version": taxonomy.version}
                found.rows.append(row.model_copy(update=today))
    return found


def parsed_rows(place: Path | str, lines: str) -> Iterator[tuple[str, GoldRow]]:
    """Yield each row of *lines* after its place, for an error about it. Errors: SetupError for a line that is none."""
    # Not splitlines(): a text may hold U+2028, which JSON does not escape.
    for number, line in enumerate(lines.split("\n"), 1):
        if not line.strip():
            continue
        try:
            yield f"{place}: line {number}", GoldRow.model_validate_json(line)
        except ValidationError:
            raise SetupError(f"{place}: line {number} is no gold row: correct it") from None


def shown(ids: Sequence[str]) -> str:
    """Return the first of *ids*, escaped, and how many more there are."""
    rest = f" and {len(ids) - _MOST_SHOWN} more" if len(ids) > _MOST_SHOWN else ""
    return " ".join(printable(each) for each in ids[:_MOST_SHOWN]) + rest


def write_gold_rows(path: Path, rows: Iterable[GoldRow]) -> None:
    """Write *rows* to *path*."""
    path.write_text("".join(f"{row.model_dump_json(exclude_none=True)}\n" for row in rows), encoding="utf-8")


def gold_version(rows: Iterable[GoldRow]) -> str:
    """Return the first 12 hex digits of the sha256 of *rows*, whatever their order: other texts or labels, another."""
    content = [
        [row.id, row.language, [[turn.role, turn.text] for turn in row.turns or ()], row.content_hash, row.category,
         row.inquiry_score, row.taxonomy_version]
        for row in sorted(rows, key=lambda row: row.id)
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(content, ensure_ascii=True).encode()).hexdigest()[:12]
