"""Where the user's table keeps a conversation: attribute names are data (`include/table.yaml`), not code."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from chatcensus.conversation import Conversation, Turn

Item = Mapping[str, Any]  # a DynamoDB item as boto3's resource level hands it over


@dataclass(frozen=True)
class Stored:
    """An item of the table as it was read: its attributes, and whether an evaluation still fits on it."""

    item: Item
    has_room: bool


class TableMapping(BaseModel):
    """
    The attribute names of a table with one item per conversation and a list of messages in it.

    Shape: *turns* names a list of maps with *role* and *text*; the optional names may be null where a table has no such
    attribute. *change_marker* names an attribute that changes with every new turn; without one, *turns* itself is it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    partition_key: str = Field(min_length=1)
    sort_key: str | None = None
    turns: str = Field(min_length=1)
    role: str = Field(min_length=1)
    text: str = Field(min_length=1)
    user: str | None = None
    created_at: str | None = None
    language: str | None = None
    change_marker: str | None = None

    @model_validator(mode="after")
    def _evaluation_is_ours(self) -> "TableMapping":
        names = [self.partition_key, self.sort_key, self.turns, self.user, self.created_at, self.language]
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

    def conversation(self, item: Item) -> Conversation:
        """
        Return the conversation in *item*; what is not in the expected form is left out, and never raises.

        An item without a readable turn gives a conversation without turns, which is quarantined as empty.
        """
        turns = item.get(self.turns)
        user = item.get(self.user) if self.user else None
        return Conversation(
            conversation_id="/".join(_name(value) for value in self.key(item).values()),
            turns=tuple(self._turns(turns)) if isinstance(turns, list) else (),
            user=_name(user) if user is not None else None,
            created_at=read_time(item.get(self.created_at)) if self.created_at else None,
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
