"""Gold rows: conversations with the category that a person has given them, one JSON object a line."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from chatcensus.conversation import Turn
from chatcensus.errors import SetupError
from chatcensus.taxonomy import Taxonomy


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


def read_gold_rows(folder: Path, taxonomy: Taxonomy) -> list[GoldRow]:
    """
    Return the rows of *folder* (`gold/*.jsonl`) that are of *taxonomy*; those of another one are left out.

    Errors: SetupError, by file and line, for a line that is no row, an id that stands twice, or a category that
    *taxonomy* does not have. It holds nothing of the line.
    """
    found: dict[str, GoldRow] = {}
    for path in sorted(folder.glob("*.jsonl")):
        try:
            lines = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SetupError(
                f"{path}: cannot be read ({type(error).__name__}): check that the file was deployed"
            ) from None
        for place, row in parsed_rows(path, lines):
            if row.taxonomy_version != taxonomy.version:
                continue
            if row.category not in taxonomy.keys:
                raise SetupError(f"{place} has a category that the taxonomy does not have: correct it")
            if row.id in found:
                raise SetupError(f"{place} has an id that another gold row has: give each its own")
            found[row.id] = row
    return list(found.values())


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
