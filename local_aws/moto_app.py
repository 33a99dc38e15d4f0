"""moto behind one lock and one journal: every request is applied, written down and only then answered."""

import logging
import re
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import lru_cache
from threading import RLock
from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.base_backend import BackendDict
from moto.dynamodb.models import dynamodb_backends
from moto.moto_api._internal import mock_random
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from local_aws import cloudformation  # noqa: F401  moto finds what is in them by itself
from local_aws.aws_error import AwsError
from local_aws.dynamodb.indexes import AllIndexes
from local_aws.dynamodb.item_image import Image, forget_decoded, settle
from local_aws.dynamodb.items import (
    Named,
    forget_copies,
    images_by_key,
    images_in,
    images_of,
    key_names,
    named_items,
    put,
    put_back,
    states_of,
)
from local_aws.dynamodb.reading import Reads
from local_aws.dynamodb.rules import check_value
from local_aws.dynamodb.table_history import Change, Histories, Place, micros_of
from local_aws.dynamodb.transactions import Transactions, token_of
from local_aws.journal import Record
from local_aws.wsgi import Request, Response

log = logging.getLogger(__name__)

# What only reads, by the verb its name starts with; anything unknown counts as a change.
_READS = re.compile(r"(Get|List|Describe|BatchGet|TransactGet|Query|Scan|Search|Head|Validate|Estimate|AssumeRole)")
_QUERY_ACTION = re.compile(rb"(?:^|&)Action=(\w+)")
_UPLOAD_ID = re.compile(r"(?<=uploadId=)[^&]+")
_NEW_UPLOAD_ID = re.compile(rb"<UploadId>([^<]+)</UploadId>")
# PartiQL: which items such a request writes stands in its text, so all items are compared.
_ANY_ITEM = {"ExecuteStatement", "ExecuteTransaction", "BatchExecuteStatement"}
# What moto takes a request for that is not signed.
_NO_REGION = "us-east-1"


def is_change(request: Request) -> bool:
    """Say whether the request can change anything, judged by its operation's name or its HTTP method."""
    if request.target:
        return not _READS.match(request.target.rpartition(".")[2])
    action = _QUERY_ACTION.search(request.body) if b"Action=" in request.body[:4096] else None
    if action and request.path == "/":
        return not _READS.match(action.group(1).decode())
    return request.method not in {"GET", "HEAD", "OPTIONS"}


class _Dispatcher(DomainDispatcherApplication):
    """moto's choice of a backend, remembered: it looks through the file system for each request."""

    get_backend_for_host = lru_cache(DomainDispatcherApplication.get_backend_for_host)


class MotoApp:
    """
    Answer requests with moto, one at a time.

    One lock for everything: moto iterates over dictionaries that other threads change, and conditional writes are
    only atomic when nothing comes between the look and the write. *on_change* is called under the lock, after a
    successful change and before its reply leaves, with the record that `replay` takes; None when nobody keeps it.
    """

    def __init__(
        self, on_change: Callable[[Record], None] | None, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.lock = RLock()
        self.writes: Counter[str] = Counter()
        self._on_change = on_change
        self._now = now
        self._app = _Dispatcher(create_backend_app)
        self._histories = Histories()
        self._transactions = Transactions()
        self.indexes = AllIndexes()
        self.reads = Reads(self.indexes, lambda: micros_of(self._now()))
        self._changes = 0
        self._upload_ids: dict[str, str] = {}

    def reset(self) -> None:
        """Forget everything."""
        with self.lock:
            BackendDict.reset()
            forget_decoded()
            forget_copies()
            self._histories.clear()
            self._transactions.clear()
            self.indexes.clear()
            self.indexes.build_s = 0.0
            self.reads.counts.clear()
            self.writes.clear()
            self._changes = 0
            self._upload_ids.clear()

    def handle(self, request: Request) -> Response:
        """Apply one request and return moto's reply."""
        with self.lock:
            if not is_change(request):
                return self._ask(request)
            at, token = micros_of(self._now()), _token(request)
            if token and self._transactions.is_repeat(*token, at):
                return Response.of_json({})
            self._changes += 1
            seed = self._changes
            reply, names, after = self._change(request, seed, at)
            if reply.is_success:
                self.writes.update(table for _, (table, _) in names)
                if token:
                    self._transactions.done(*token, at)
                if self._on_change:
                    head = {"seed": seed, "at": at, **({"token": token} if token else {})}
                    self._on_change(_record(request, reply, head, names, after))
            return reply

    def replay(self, record: Record) -> None:
        """Apply a change of an earlier life again, so that it gives the same ids and the same history."""
        with self.lock:
            head, at = record.head, record.head.get("at")
            if "token" in head:
                self._transactions.done(*head["token"], head["at"])
            if head["kind"] == "items":
                self._put_back(head["region"], head["items"], at)
                return
            self._changes = head["seed"]
            request = Request(head["environ"], record.body)
            reply, _, _ = self._change(request, self._changes, at)
            if not reply.is_success:
                what = request.target or f"{request.method} {request.path}"
                log.warning("a stored change was refused at replay: %s %s", what, reply.status)
            elif "upload_id" in head:
                # moto draws upload ids from the operating system, which cannot be seeded.
                self._upload_ids[head["upload_id"]] = _upload_id(request, reply)["upload_id"]

    def read(self, region: str, action: str, body: dict[str, Any]) -> Response:
        """Answer a Scan, Query, GetItem or BatchGetItem. Raises: AwsError."""
        with self.lock:
            return self.reads.answer(region, action, body)

    def load(self, region: str, table: str, items: Iterable[dict[str, Any]]) -> int:
        """Put many items as PutItem would, one by one and without a request; return how many. Raises: AwsError."""
        count = 0
        for count, item in enumerate(items, 1):
            for value in item.values():
                check_value(value)
            with self.lock:
                at, names = micros_of(self._now()), named_items(region, "PutItem", {"TableName": table, "Item": item})
                if not names:
                    raise AwsError("ValidationException", f"item {count} has no key that fits the table {table!r}")
                (name,), before = names, images_of(region, names)
                after: dict[Place, Image | None] = {name.place: put(region, name, item)}
                self.indexes.note(region, before, after)
                self._histories.note(region, at, before, after)
                self.writes[name.place[0]] += 1
                if self._on_change:
                    states = states_of(names, after)
                    self._on_change(Record({"kind": "items", "region": region, "items": states, "at": at}))
        return count

    def call(self, target: str, body: dict[str, Any], *, service: str, region: str) -> dict[str, Any]:
        """
        Ask moto within this process, under the caller's lock; for reads only.

        Raises: AwsError with moto's own code when it refuses.
        """
        reply = self._ask(Request.for_target(target, body, service, region))
        answer = reply.json()
        if not reply.is_success:
            code = str(answer.get("__type", "InternalFailure")).rpartition("#")[2]
            raise AwsError(code, str(answer.get("message", answer.get("Message", ""))), int(reply.status[:3]))
        return answer

    def images(self, region: str, table: str, before: int | None = None) -> list[Image]:
        """Return every item of a table, as they are or as they were just before a time (microseconds since 1970)."""
        with self.lock:
            if before is None:
                return images_in(region, table)
            return self._histories.of(region, table).images_before(before, images_by_key(region, table))

    def changes(self, region: str, table: str, start: int, end: int) -> list[Change]:
        """Return one change for each item written from *start* until just before *end* (microseconds since 1970)."""
        with self.lock:
            return self._histories.of(region, table).changes_between(start, end)

    def key_names(self, region: str, table: str) -> list[str]:
        """Return the names of a table's key attributes."""
        with self.lock:
            return key_names(region, table)

    def describe(self, region: str, description: dict[str, Any]) -> None:
        """Write into moto's description of a table how much it holds and what is being built."""
        with self.lock:
            table = dynamodb_backends[DEFAULT_ACCOUNT_ID][region].get_table(description["TableName"])
            self.indexes.of(table).describe(description, micros_of(self._now()))

    def _change(
        self, request: Request, seed: int, at: int | None
    ) -> tuple[Response, list[Named], dict[Place, Image | None]]:
        """Let moto change what it holds; return the items that the request names, and what they are now."""
        service, _, action = request.target.rpartition(".")
        region = request.region or _NO_REGION
        is_dynamodb = service == "DynamoDB_20120810"
        names = named_items(region, action, request.json()) if is_dynamodb else []
        before = self._images(region, action, names)
        mock_random.seed(seed)
        reply = None
        try:
            reply = self._ask(request, is_change=True)
        finally:
            after = self._images(region, action, names)
            if reply is None or not reply.is_success:
                # moto may have begun: a refused write leaves no trace.
                put_back(region, states_of([name for name in names if before[name.place] != after[name.place]], before))
        if not reply.is_success:
            return reply, [], {}
        if action in _ANY_ITEM:
            self.indexes.clear()
        elif names:
            self.indexes.note(region, before, after)
        else:
            self.indexes.follow(micros_of(self._now()) if at is None else at)
        if before or after:
            if at is not None:
                self._histories.note(region, at, before, after)
        else:
            self._histories.follow(at)
        return reply, names, after

    def _images(self, region: str, action: str, names: list[Named]) -> dict[Place, Image | None]:
        if action not in _ANY_ITEM:
            return images_of(region, names)
        tables = self._histories.tables(region)
        return {(table, key): image for table in tables for key, image in images_by_key(region, table).items()}

    def _put_back(self, region: str, states: list[dict[str, Any]], at: int | None) -> None:
        names = [Named.of(region, state["table"], state["key"]) for state in states]
        before = images_of(region, names)
        put_back(region, states)
        after = images_of(region, names)
        self.indexes.note(region, before, after)
        if at is not None:
            self._histories.note(region, at, before, after)

    def _ask(self, request: Request, *, is_change: bool = False) -> Response:
        query = str(request.environ.get("QUERY_STRING", ""))
        if self._upload_ids and "uploadId=" in query:
            query = _UPLOAD_ID.sub(lambda found: self._upload_ids.get(found[0], found[0]), query)
            request = Request({**request.environ, "QUERY_STRING": query}, request.body)
        if request.target.endswith(".DescribeContinuousBackups"):
            self._histories.tell_the_window(micros_of(self._now()))
        try:
            return Response.of_app(self._app, request)
        finally:
            settle(is_change=is_change)
            forget_copies()


def _record(
    request: Request, reply: Response, head: dict[str, Any], names: list[Named], after: dict[Place, Image | None]
) -> Record:
    if names and request.region:
        states = states_of(names, after)
        head = {name: value for name, value in head.items() if name != "seed"}
        return Record({"kind": "items", "region": request.region, "items": states, **head})
    return Record({"kind": "request", "environ": request.environ, **head, **_upload_id(request, reply)}, request.body)


def _token(request: Request) -> list[str]:
    is_transaction = request.target == "DynamoDB_20120810.TransactWriteItems"
    return token_of(request.region or _NO_REGION, request.json()) if is_transaction else []


def _upload_id(request: Request, reply: Response) -> dict[str, str]:
    if request.method != "POST" or not str(request.environ.get("QUERY_STRING", "")).startswith("uploads"):
        return {}
    found = _NEW_UPLOAD_ID.search(reply.body)
    return {"upload_id": found.group(1).decode()} if found else {}
