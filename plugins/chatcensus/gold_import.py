"""Labelled conversations of others, as gold rows in our taxonomy or as a taxonomy of their own."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from chatcensus.conversation import Conversation, Turn, transcript
from chatcensus.errors import SetupError
from chatcensus.gold_rows import GoldRow
from chatcensus.taxonomy import KEY, MOST_CATEGORIES, Category, Taxonomy, Text
from chatcensus.turns import MessageNames, Unreadable

_MESSAGE = MessageNames(role="role", text="content")


class LabelMap(BaseModel):
    """
    What each label of others becomes.

    Shape: *labels* is categories of ours by label, null for one whose conversations are left out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    labels: dict[str, str | None] = Field(min_length=1)
    labelled_by: str | None = None
    labelled_on: date | None = None

    def check(self, taxonomy: Taxonomy) -> None:
        """Refuse a category that *taxonomy* does not have. Errors: SetupError."""
        if unknown := sorted({key for key in self.labels.values() if key is not None} - taxonomy.keys):
            raise SetupError(
                f"labels: no categories of the taxonomy: {', '.join(map(repr, unknown))}: correct them, "
                f"the taxonomy has {', '.join(sorted(taxonomy.keys))}"
            )


@dataclass
class Imported:
    """
    The rows that were taken, and the lines that were not.

    Shape: *refused* is line numbers by reason: not_a_row, unlabelled, unmapped, left_out (its label is null in the
    map), unreadable (its turns), empty (the person says nothing), duplicate (of an id or a text).
    """

    rows: list[GoldRow] = field(default_factory=list)
    refused: dict[str, list[int]] = field(default_factory=dict)

    def refuse(self, reason: str, number: int) -> None:
        """Count a line that was not taken."""
        self.refused.setdefault(reason, []).append(number)

    def lines(self) -> Iterator[str]:
        """Yield what became of the file, in counts and line numbers: no text, and no label, which may be one."""
        yield f"{len(self.rows):,} rows taken, {sum(map(len, self.refused.values())):,} not"
        for reason, numbers in sorted(self.refused.items()):
            yield f"  {len(numbers):>6,}  {reason}, first in line {numbers[0]}"


def imported(
    lines: Iterable[str], labels: Mapping[str, str | None], taxonomy: Taxonomy, labelled_by: str, labelled_on: date
) -> Imported:
    """
    Return the gold rows that *lines* hold; what cannot be one is refused and counted, and is no error.

    Shape: a line is a JSON object with `id`, `language`, `label` and `turns` of `role` and `content`; others of its
    fields are not read. *labels* as in `LabelMap`.
    """
    found, known = Imported(), set[str]()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = _row(line, labels, taxonomy, labelled_by, labelled_on)
        except _Refused as refused:
            found.refuse(refused.reason, number)
            continue
        names = {f"id {row.id}", Conversation(row.id, row.turns or ()).content_hash}
        if known & names:
            found.refuse("duplicate", number)
        else:
            known |= names
            found.rows.append(row)
    return found


def taxonomy_of(lines: Iterable[str]) -> Taxonomy:
    """
    Return a taxonomy whose categories are the labels in *lines*, in the order of the alphabet.

    Its definitions say no more than the label: whoever judges with it should write better ones first.
    Errors: SetupError when there are fewer labels than two, too many, or one that no key can be made of.
    """
    labels, unusable = set[str](), 0
    for line in lines:
        try:
            labels.add(_labelled(line)["label"] or "")
        except _Refused:
            unusable += bool(line.strip())
    keys = {_key(label): label for label in sorted(labels - {""})}
    if not 2 <= len(keys) <= MOST_CATEGORIES or len(keys) < len(labels - {""}):
        raise SetupError(
            f"the file has {len(labels - {''})} labels that make {len(keys)} keys, and {unusable} lines that are no "
            f"rows: a taxonomy has 2 to {MOST_CATEGORIES} categories, of one key each"
        )
    if wrong := sum(re.fullmatch(KEY, key) is None for key in keys):
        raise SetupError(f"no key can be made of {wrong} labels: a key is up to 40 of a-z, 0-9, _ and begins with a-z")
    return Taxonomy(categories=tuple(_category(key) for key in keys))


class _Refused(Exception):
    """The verdict on one line; it never leaves this module."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _Labelled(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True, strict=True)

    # Ids and languages are shown: what does not look like one may be a text.
    id: str = Field(min_length=1, max_length=128, pattern=r"^[!-~]*$")
    language: str = Field(pattern=r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$")
    label: str | None
    turns: list[Any]


def _labelled(line: str) -> dict[str, Any]:
    try:
        return _Labelled.model_validate(json.loads(line)).model_dump()
    except (ValueError, RecursionError):  # a ValidationError is a ValueError
        raise _Refused("not_a_row") from None


def _row(
    line: str, labels: Mapping[str, str | None], taxonomy: Taxonomy, labelled_by: str, labelled_on: date
) -> GoldRow:
    plain = _labelled(line)
    label = plain["label"]
    if label is None:
        raise _Refused("unlabelled")
    if (category := labels.get(label)) is None:
        raise _Refused("left_out" if label in labels else "unmapped")
    return GoldRow(
        id=plain["id"],
        language=plain["language"],
        turns=_turns(plain["turns"]),
        category=category,
        taxonomy_version=taxonomy.version,
        labelled_by=labelled_by,
        labelled_on=labelled_on,
    )


def _turns(messages: list[Any]) -> tuple[Turn, ...]:
    try:
        turns = _MESSAGE.turns_of(messages)
        if transcript(turns).is_blank:
            raise _Refused("empty")
        "".join(turn.text for turn in turns).encode()
    except (Unreadable, UnicodeEncodeError):  # the latter: half a character, which no file can hold
        raise _Refused("unreadable") from None
    return turns


def _key(label: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", label.lower()).strip("_")


def _category(key: str) -> Category:
    name = key.replace("_", " ").capitalize()
    return Category(
        key=key,
        label=Text(en=name, ja=name),
        definition=Text(en=f"What people mean by {name}.", ja=f"{name} に当たるもの。"),
    )
