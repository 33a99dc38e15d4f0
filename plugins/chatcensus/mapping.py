"""Where the user's table keeps a conversation: attribute names are data (`include/table.yaml`), not code."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from chatcensus.conversation import Conversation, Turn
from chatcensus.partition import Partition, Scan

Item = Mapping[str, Any]  # a DynamoDB item as boto3's resource level hands it over


@dataclass(frozen=True)
class Stored:
    """
    A conversation of the table as it was read.

    Shape: *item* is the item that carries the evaluation: the conversation itself, or the first of its *messages*,
    which are in the order of the sort key, and empty where an item is a whole conversation. *body* is the text that the
    item's pointer names in S3, None where there is no pointer or no such object. *has_room*: an evaluation fits on it.
    """

    item: Item
    has_room: bool
    messages: tuple[Item, ...] = ()
    body: str | None = None


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Only(_Part):
    """A condition on one attribute that an item must fulfil to be a conversation (or one of its messages)."""

    attribute: str = Field(min_length=1)
    begins_with: str | None = None
    contains: str | None = None
    equals: str | None = None

    def holds(self, item: Item) -> bool:
        """Return whether *item* has the attribute, and as text that fulfils the condition."""
        value = item.get(self.attribute)
        if self.begins_with is self.contains is self.equals is None:
            return value is not None
        return (
            isinstance(value, str)
            and (self.begins_with is None or value.startswith(self.begins_with))
            and (self.contains is None or self.contains in value)
            and (self.equals is None or value == self.equals)
        )


class CreatedAt(_Part):
    """
    The attribute that says when a conversation began.

    Shape: *form* is how the time is written; where *before* is set, only the text before its first occurrence counts,
    such as `1700000000000` of the sort key `1700000000000#0`.
    """

    attribute: str = Field(min_length=1)
    form: Literal["iso", "epoch_s", "epoch_ms"] = "iso"
    before: str | None = None

    def read(self, item: Item) -> datetime | None:
        """Return the time in UTC; None when the attribute is not there or holds no such time."""
        value = item.get(self.attribute)
        if self.before and isinstance(value, str):
            value = value.partition(self.before)[0]
        if self.form == "iso":
            return read_time(value)
        return _read_epoch(value, 1 if self.form == "epoch_s" else 1000)


class TableMapping(_Part):
    """
    The attribute names of a conversation table, and how it is read.

    Shape: *one_item_is* a whole `conversation`, or a `message`: then all items of one partition key are one
    conversation. The optional names may be null where a table has no such attribute. *change_marker* names an attribute
    that changes with every new turn; without one, the turns themselves are it.
    """

    partition_key: str = Field(min_length=1)
    sort_key: str | None = None
    one_item_is: Literal["conversation", "message"] = "conversation"
    only: tuple[Only, ...] = ()
    turns: str = Field(min_length=1)
    role: str = Field(min_length=1)
    text: str = Field(min_length=1)
    user: str | None = None
    department: str | None = None
    created_at: CreatedAt | None = None
    language: str | None = None
    app_model: str | None = None
    app_tokens: str | None = None
    change_marker: str | None = None
    partition: Partition = Field(default=Scan(strategy="scan"), discriminator="strategy")
    exports: Literal["full", "incremental"] = "full"

    @model_validator(mode="after")
    def _evaluation_is_ours(self) -> "TableMapping":
        created_at = self.created_at.attribute if self.created_at else None
        names = [self.partition_key, self.sort_key, self.turns, self.user, created_at, self.language]
        if "evaluation" in [*names, self.change_marker]:
            raise ValueError("the attribute 'evaluation' is the one that the census writes: it cannot be mapped")
        return self

    @property
    def marker(self) -> str:
        """The attribute that tells whether a conversation has changed since it was read."""
        return self.change_marker or self.turns

    def key(self, item: Item) -> dict[str, Any]:
        """Return the primary key of *item*."""
        return {name: item[name] for name in (self.partition_key, self.sort_key) if name}

    def is_conversation(self, item: Item) -> bool:
        """Return whether *item* is a conversation, or a message of one, and not something else in the same table."""
        return all(condition.holds(item) for condition in self.only)

    def conversation(self, stored: Stored) -> Conversation:
        """
        Return the conversation in *stored*; what is not in the expected form is left out, and never raises.

        An item without a readable turn gives a conversation without turns, which is quarantined as empty.
        """
        item = stored.item
        turns = item.get(self.turns)
        user = item.get(self.user) if self.user else None
        return Conversation(
            conversation_id="/".join(_name(value) for value in self.key(item).values()),
            turns=tuple(self._turns(turns)) if isinstance(turns, list) else (),
            user=_name(user) if user is not None else None,
            created_at=self.created_at.read(item) if self.created_at else None,
        )

    def _turns(self, turns: list[Any]) -> list[Turn]:
        return [
            Turn(turn[self.role], turn[self.text])
            for turn in turns
            if isinstance(turn, dict) and isinstance(turn.get(self.role), str) and isinstance(turn.get(self.text), str)
        ]


def _name(value: object) -> str:
    # boto3's Binary has a __str__ that raises.
    return bytes(value).hex() if hasattr(value, "__bytes__") else str(value)


def read_time(value: object) -> datetime | None:
    """Return the ISO 8601 text *value* as a time in UTC (a text without an offset is UTC); None for anything else."""
    if not isinstance(value, str):
        return None
    try:
        time = datetime.fromisoformat(value)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _read_epoch(value: object, per_second: int) -> datetime | None:
    try:
        number = Decimal(value) if isinstance(value, str | Decimal) else None
        return (
            number
            if number is None
            else datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=float(number / per_second))
        )
    except (ArithmeticError, ValueError):
        return None
