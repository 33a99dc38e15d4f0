"""Read conversations from a JSON Lines file, and put them into the table of the local AWS."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal

import boto3
from boto3.dynamodb.types import TypeSerializer
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_core import PydanticCustomError

from chatcensus.moment import read_iso
from demo.airflow_home import REGION, VARIABLES
from demo.generator import shipped_conversations
from local_aws.stack import create_stack

MAX_LINE_BYTES = 380_000  # an item of DynamoDB holds 400 KB, and the evaluation needs room


class Turn(BaseModel):
    """One message of a conversation in a file."""

    model_config = ConfigDict(frozen=True, strict=True)

    role: Literal["user", "assistant", "system", "tool"]
    content: str


class Conversation(BaseModel):
    """One line of a file; names that are not ours are passed over."""

    model_config = ConfigDict(frozen=True, strict=True, hide_input_in_errors=True)

    id: Annotated[str, Field(min_length=1, max_length=500)]
    turns: Annotated[tuple[Turn, ...], Field(min_length=1, strict=False)]
    user: str | None = None
    created_at: str | None = None
    language: str | None = None

    @field_validator("created_at")
    @classmethod
    def _is_a_time(cls, text: str | None) -> str | None:
        time = read_iso(text)
        if text is not None and (time is None or not 1900 <= time.year <= 2200):
            raise PydanticCustomError(
                "time", "must be an ISO 8601 time such as 2026-10-01T09:30:00Z, from 1900 to 2200"
            )
        return text


class UnreadableFile(RuntimeError):
    """The file as a whole cannot be used; the message says why."""


class BadLine(ValueError):
    """One line holds no conversation; the message says why and never quotes it."""


@dataclass
class Loaded:
    """The conversations of a file, and what was wrong with the lines that hold none."""

    conversations: list[Conversation] = field(default_factory=list)
    bad_lines: list[tuple[int, str]] = field(default_factory=list)


def read_conversations(path: Path) -> Loaded:
    """
    Return the conversations of the file at *path*: one JSON object a line, see docs/conversations-file.md.

    A bad line is noted by its number, and the rest is read on.
    Raises: UnreadableFile when there is no such file, or not one line of it holds a conversation.
    """
    loaded, ids = Loaded(), set[str]()
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(_bounded(lines), start=1):
                if not line.strip():
                    continue
                try:
                    conversation = _conversation(line.removeprefix(b"\xef\xbb\xbf"), ids)
                    ids.add(conversation.id)
                    loaded.conversations.append(conversation)
                except BadLine as problem:
                    loaded.bad_lines.append((number, str(problem)))
    except OSError as error:
        raise UnreadableFile(f"{path} cannot be read: {error.strerror}") from None
    if not loaded.conversations:
        first = f"line {loaded.bad_lines[0][0]}: {loaded.bad_lines[0][1]}" if loaded.bad_lines else "it is empty"
        raise UnreadableFile(f"{path} holds no conversation ({first}); docs/conversations-file.md shows the form")
    return loaded


def _bounded(lines: BinaryIO) -> Iterator[bytes]:
    """Yield the lines, each cut just past the most that one may have, so that no line fills the memory."""
    while line := lines.readline(MAX_LINE_BYTES + 1):
        yield line
        while not line.endswith(b"\n") and (line := lines.readline(MAX_LINE_BYTES)):
            pass


def _conversation(line: bytes, ids: set[str]) -> Conversation:
    if len(line) > MAX_LINE_BYTES:
        raise BadLine(f"more than the {MAX_LINE_BYTES} bytes that one item can hold")
    try:
        conversation = Conversation.model_validate_json(line)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise BadLine(": ".join(filter(None, [".".join(map(str, first["loc"])), first["msg"]]))) from None
    if conversation.id in ids:
        raise BadLine("id: it stands on an earlier line")
    return conversation


def shipped() -> list[Conversation]:
    """Return the conversations that come with this project: some written by hand, the others generated."""
    return [Conversation.model_validate(conversation, strict=False) for conversation in shipped_conversations()]


def client(service: str, endpoint_url: str) -> Any:
    """Return a boto3 client of the local AWS."""
    return boto3.client(
        service,
        endpoint_url=endpoint_url,
        region_name=REGION,
        aws_access_key_id="local",
        aws_secret_access_key="local",  # noqa: S106 - the local AWS takes any
    )


def load_conversations(endpoint_url: str, conversations: Iterable[Conversation] | None = None) -> int:
    """
    Create the stack if need be, fill its table with *conversations* (or the shipped ones), and count the new ones.

    A conversation without a time gets the present one. What is there already stays as it is, with its evaluation.
    """
    create_stack(client("cloudformation", endpoint_url), {"CreateConversationTable": "true"})
    dynamodb, table = client("dynamodb", endpoint_url), VARIABLES["chatcensus_table"]
    wanted = shipped() if conversations is None else conversations
    serialize = TypeSerializer().serialize
    known = _known_ids(dynamodb, table)
    new = [_item(conversation) for conversation in wanted if conversation.id not in known]
    for batch in _batches(new, 25):
        items = [{name: serialize(value) for name, value in item.items()} for item in batch]
        requests = [{"PutRequest": {"Item": item}} for item in items]
        while requests:
            requests = dynamodb.batch_write_item(RequestItems={table: requests})["UnprocessedItems"].get(table, [])
    return len(new)


def release_claims(endpoint_url: str) -> None:
    """Give back the segments and quota that a killed run still holds; only for a state that nobody else works on."""
    dynamodb, table = client("dynamodb", endpoint_url), VARIABLES["chatcensus_control_table"]
    for item in dynamodb.scan(TableName=table, ProjectionExpression="pk, sk", ConsistentRead=True)["Items"]:
        if item["pk"]["S"].startswith(("claim#", "quota#")):
            dynamodb.delete_item(TableName=table, Key=item)


def _known_ids(dynamodb: Any, table: str) -> set[str]:
    pages = dynamodb.get_paginator("scan").paginate(TableName=table, ProjectionExpression="conversation_id")
    return {item["conversation_id"]["S"] for page in pages for item in page["Items"]}


def _item(conversation: Conversation) -> Mapping[str, Any]:
    item = {
        "conversation_id": conversation.id,
        "user_id": conversation.user,
        "created_at": conversation.created_at,
        "language": conversation.language,
        "turns": [turn.model_dump() for turn in conversation.turns],
    }
    return {name: value for name, value in item.items() if value is not None}


def _batches(items: list[Mapping[str, Any]], size: int) -> Iterator[list[Mapping[str, Any]]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
