"""Where the user's table keeps a conversation: attribute names are data (`include/table.yaml`), not code."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from chatcensus.conversation import Conversation, Turn
from chatcensus.evaluation import ATTRIBUTE
from chatcensus.moment import read_epoch, read_iso
from chatcensus.partition import Partition, PendingIndex, Scan
from chatcensus.turns import MessageNames, Unreadable, decoded, linked

Item = Mapping[str, Any]  # a DynamoDB item as boto3's resource level hands it over
Name = Annotated[str, Field(min_length=1)]  # of an attribute
BUCKET_NAME = r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$"


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

    attribute: Name
    begins_with: str | None = None
    contains: str | None = None
    equals: str | None = None

    def holds(self, item: Item) -> bool:
        """Return whether *item* has the attribute, and as text (a boolean is `true` or `false`) that fulfils it."""
        value = item.get(self.attribute)
        if isinstance(value, bool):
            value = str(value).lower()
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

    attribute: Name
    form: Literal["iso", "epoch_s", "epoch_ms"] = "iso"
    before: str | None = None

    def read(self, item: Item) -> datetime | None:
        """Return the time in UTC; None when the attribute is not there or holds no such time."""
        value = item.get(self.attribute)
        if self.before and isinstance(value, str):
            value = value.partition(self.before)[0]
        if self.form == "iso":
            return read_iso(value)
        return read_epoch(value, 1 if self.form == "epoch_s" else 1000)


class Body(_Part):
    """
    Where large conversations are kept in S3: an item that has the attribute *key* has its turns there, as JSON.

    Shape: *bucket* is one bucket for all, or *bucket_attribute* names it in each item.
    """

    key: Name
    bucket: str | None = Field(default=None, pattern=BUCKET_NAME)
    bucket_attribute: Name | None = None

    @model_validator(mode="after")
    def _has_one_bucket(self) -> "Body":
        if (self.bucket is None) == (self.bucket_attribute is None):
            raise _refused("bucket", "name one bucket, or the attribute that holds it in bucket_attribute")
        return self


class TableMapping(MessageNames):
    """
    The attribute names of a conversation table, and how it is read.

    Shape: *one_item_is* a whole `conversation`, or a `message`: then all items of one partition key are one
    conversation. *turns* are a list of maps, or its JSON; with *last_message* a map (or its JSON) of messages by id, of
    which the branch that ends there is the conversation. The optional names may be null where a table has no such
    attribute. *change_marker* names an attribute that changes with every new turn; without one, the turns are it.
    """

    partition_key: Name
    sort_key: Name | None = None
    one_item_is: Literal["conversation", "message"] = "conversation"
    only: tuple[Only, ...] = ()
    turns: Name | None = None
    last_message: Name | None = None
    parent: Name = "parent"
    body: Body | None = None
    user: Name | None = None
    department: Name | None = None
    user_group: Name | None = None
    created_at: CreatedAt | None = None
    language: Name | None = None
    app_model: Name | None = None
    app_tokens: Name | None = None
    change_marker: Name | None = None
    partition: Partition = Field(default=Scan(strategy="scan"), discriminator="strategy")
    exports: Literal["full", "incremental"] = "full"

    @model_validator(mode="after")
    def _makes_sense(self) -> "TableMapping":
        if self.one_item_is == "message":
            self._check_one_item_a_message()
        elif self.turns is None:
            raise _refused("turns", "name the attribute that holds the turns, or say one_item_is: message")
        mapped = dict(self.attributes)
        for field, attribute in mapped.items():
            if attribute == ATTRIBUTE:
                raise _refused(
                    field.partition(".")[0],
                    f"the attribute '{ATTRIBUTE}' is the one that the census writes: it cannot be mapped",
                )
        if isinstance(self.partition, PendingIndex) and self.partition.attribute in {*mapped.values(), ATTRIBUTE}:
            raise _refused(
                "partition",
                "the write of an evaluation removes the index's attribute: it must be none that is mapped elsewhere",
            )
        return self

    def _check_one_item_a_message(self) -> None:
        if self.sort_key is None:
            raise _refused(
                "one_item_is", "the messages of a conversation are in the order of the sort key: add sort_key"
            )
        for field in ("turns", "last_message", "body", "change_marker"):
            if getattr(self, field) is not None:
                raise _refused(field, "remove it: where one item is a message, the items themselves are the turns")
        if self.exports == "incremental":
            raise _refused(
                "exports", "say full: the first message of a changed conversation need not be in an increment"
            )
        if self.partition.strategy != "scan":
            raise _refused(
                "partition", "where one item is a message, the only strategy is scan: an index may miss some"
            )

    @property
    def attributes(self) -> Iterator[tuple[str, str]]:
        """The attributes of an item that are mapped, each with the field that names it."""
        names = {name: getattr(self, name) for name in _ATTRIBUTE_FIELDS}
        if self.one_item_is == "message":
            names |= {"role": self.role, "text": self.text}
        if self.created_at:
            names["created_at"] = self.created_at.attribute
        if self.body:
            names |= {"body": self.body.key, "body.bucket_attribute": self.body.bucket_attribute}
        names |= {f"only.{index}": condition.attribute for index, condition in enumerate(self.only)}
        return ((field, attribute) for field, attribute in names.items() if attribute is not None)

    @property
    def marker(self) -> str:
        """
        The attribute that tells whether a conversation has changed since it was read.

        Where one item is a message it is the text of the first: further messages are seen when the next run reads them.
        """
        return self.change_marker or self.turns or self.text

    @property
    def key_names(self) -> list[str]:
        """The names of the primary key's attributes, the partition key first."""
        return [name for name in (self.partition_key, self.sort_key) if name]

    def key(self, item: Item) -> dict[str, Any]:
        """Return the primary key of *item*."""
        return {name: item[name] for name in self.key_names}

    def is_conversation(self, item: Item) -> bool:
        """Return whether *item* is a conversation, or a message of one, and not something else in the same table."""
        return all(condition.holds(item) for condition in self.only)

    def body_pointer(self, item: Item) -> tuple[str, str] | None:
        """Return the bucket and key of the S3 object that *item* names for its turns; None where it names none."""
        if self.body is None:
            return None
        bucket, key = self.body.bucket or item.get(self.body.bucket_attribute or ""), item.get(self.body.key)
        if not (isinstance(bucket, str) and isinstance(key, str) and key and re.fullmatch(BUCKET_NAME, bucket)):
            return None
        return bucket, key

    def conversation(self, stored: Stored) -> Conversation:
        """
        Return the conversation in *stored*; whatever is in it, this never raises.

        Turns that cannot be read give a conversation without turns and with a problem; no other attribute can do that:
        one that is not in the expected form counts as not there.
        """
        item, turns, problem = stored.item, tuple[Turn, ...](), None
        try:
            turns = self.turns_of(self._messages(stored))
        except Unreadable as unreadable:
            problem = str(unreadable)
        return Conversation(
            conversation_id=self.conversation_id(item),
            turns=turns,
            user=_name(item.get(self.user)) or None if self.user else None,
            created_at=self.created_at.read(item) if self.created_at else None,
            problem=problem,
        )

    def conversation_id(self, item: Item) -> str:
        """
        Return the name of the conversation of *item*: no two of a table have the same.

        Shape: `<partition key>/<sort key>` with % and / of the partition key as in a URL; without a sort key, or where
        one item is a message, the partition key as it is.
        """
        partition = _name(item[self.partition_key])
        if self.sort_key is None or self.one_item_is == "message":
            return partition
        return f"{partition.replace('%', '%25').replace('/', '%2F')}/{_name(item[self.sort_key])}"

    def _messages(self, stored: Stored) -> list[Any] | tuple[Item, ...]:
        if self.turns is None:
            return stored.messages or (stored.item,)
        attribute, value = self.turns, stored.item.get(self.turns)
        if self.body and stored.item.get(self.body.key) is not None:
            attribute, value = self.body.key, stored.body
            if value is None:
                raise Unreadable(f"the S3 object that attribute {attribute!r} names cannot be found")
        elif value is None:
            raise Unreadable(f"attribute {attribute!r} is missing")
        messages = decoded(value, attribute)
        if self.last_message:
            return linked(messages, stored.item.get(self.last_message), self.parent, attribute)
        if not isinstance(messages, list):
            raise Unreadable(f"attribute {attribute!r} is not a list of messages")
        return messages


_ATTRIBUTE_FIELDS = (
    *("partition_key", "sort_key", "turns", "last_message", "user", "department", "user_group"),
    *("language", "app_model", "app_tokens", "change_marker"),
)


def _refused(field: str, problem: str) -> ValidationError:
    # A plain ValueError would not say at which field, and the reader of the file would not name its line.
    error = PydanticCustomError("refused", "{problem}", {"problem": problem})
    return ValidationError.from_exception_data("mapping", [InitErrorDetails(type=error, loc=(field,), input=None)])


def _name(value: object) -> str:
    """Return the text of a key or a user: a text, a number or bytes; "" for what is no name."""
    if hasattr(value, "__bytes__"):  # boto3's Binary has a __str__ that raises
        return bytes(value).hex()
    return str(value) if isinstance(value, str | Decimal | int) and not isinstance(value, bool) else ""
