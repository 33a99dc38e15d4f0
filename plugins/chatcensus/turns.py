"""The forms in which a table keeps the turns of a conversation, and how they are read."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from chatcensus.conversation import SPOKEN_ROLES, Turn

Role = Literal["user", "assistant", "system", "tool"]
ROLES = frozenset(get_args(Role))


class Unreadable(ValueError):
    """The turns are not in the form of the mapping: says which attribute, never what it holds."""


class Parts(BaseModel):
    """
    The names inside a part, where a message's text is a list of parts.

    Shape: a part counts when its *type* is "text", or when it has none, as in Bedrock's Converse.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str = Field(default="text", min_length=1)
    type: str = Field(default="type", min_length=1)

    def read(self, part: object) -> str | None:
        """Return the text of *part*, "" of an image, a document, a tool's call; None of a text that is not there."""
        if not isinstance(part, Mapping):
            return part if isinstance(part, str) else None
        if part.get(self.type, "text") != "text":
            return ""
        text = part.get(self.text)
        return text if isinstance(text, str) else None if self.type in part else ""


class MessageNames(BaseModel):
    """
    The names inside a message.

    Shape: *roles* translates the tool's names of roles into ours; a name that is not there stays as it is.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: str = Field(min_length=1)
    text: str = Field(min_length=1)
    roles: dict[str, Role] = {}
    parts: Parts = Parts()

    def turns_of(self, messages: Iterable[object]) -> tuple[Turn, ...]:
        """
        Return the turns of *messages*: all that the person and the assistant said, or none.

        Errors: Unreadable when one of those two said something that cannot be read: half a conversation is not judged.
        An unreadable message of another role is left out; the assistant may say nothing, as when it calls a tool.
        """
        turns = tuple(turn for message in messages if (turn := self._turn(message)))
        roles = {turn.role for turn in turns}
        if "user" not in roles and not roles <= ROLES:
            raise Unreadable(f"no message has the role user in {self.role!r}, and some have one that is not known")
        return turns

    def _turn(self, message: object) -> Turn | None:
        if not isinstance(message, Mapping):
            raise Unreadable(f"a message is not a map with {self.role!r} and {self.text!r}")
        named = message.get(self.role)
        if not isinstance(named, str):
            raise Unreadable(f"a message has no role in {self.role!r}")
        role: str = self.roles.get(named, named)
        text = self._text(message.get(self.text))
        if text is None and role == "assistant" and message.get(self.text) is None:
            text = ""
        if text is None and role in SPOKEN_ROLES:
            raise Unreadable(f"a message has no text in {self.text!r}")
        return None if text is None else Turn(role, text)

    def _text(self, value: object) -> str | None:
        if isinstance(value, str):
            return value
        if not isinstance(value, list | Mapping):
            return None
        texts = [self.parts.read(part) for part in (value if isinstance(value, list) else [value])]
        return None if None in texts else "\n".join(text for text in texts if text)


def decoded(value: object, attribute: str) -> object:
    """
    Return *value*, or what it holds where it is JSON text.

    Errors: Unreadable when it is a text that is not JSON.
    """
    try:
        return json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        raise Unreadable(f"attribute {attribute!r} is not JSON") from None


def linked(messages: object, last: object, parent: str, attribute: str) -> list[Mapping[str, Any]]:
    """
    Return the branch of a conversation that ends with the message *last*, in order.

    Shape: *messages* are by their ids, each with the id of its *parent*; the root's is null.
    Errors: Unreadable when the chain from *last* to the root is broken or a circle.
    """
    left = dict(messages) if isinstance(messages, Mapping) else {}
    branch: list[Mapping[str, Any]] = []
    while last is not None or not branch:
        message = left.pop(last, None) if isinstance(last, str) else None
        if not isinstance(message, Mapping):
            raise Unreadable(f"attribute {attribute!r} holds no chain of messages from the last one to the first")
        branch.append(message)
        last = message.get(parent)
    return branch[::-1]
