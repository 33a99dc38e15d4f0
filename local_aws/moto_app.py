"""moto behind one lock and one journal: every request is applied, written down and only then answered."""

import logging
import re
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from threading import RLock
from typing import Any

from moto.core.base_backend import BackendDict
from moto.moto_api._internal import mock_random
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from local_aws import cloudformation  # noqa: F401  moto finds the resource types by their classes
from local_aws.aws_error import AwsError
from local_aws.dynamodb_items import all_items, forget_copies, present_state, put_back, written
from local_aws.journal import Record
from local_aws.wsgi import Request, Response

log = logging.getLogger(__name__)

# What only reads, by the verb its name starts with; anything unknown counts as a change.
_READS = re.compile(r"(Get|List|Describe|BatchGet|TransactGet|Query|Scan|Search|Head|Validate|Estimate|AssumeRole)")
_QUERY_ACTION = re.compile(rb"(?:^|&)Action=(\w+)")
_UPLOAD_ID = re.compile(r"(?<=uploadId=)[^&]+")
_NEW_UPLOAD_ID = re.compile(rb"<UploadId>([^<]+)</UploadId>")


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
    successful change and before its reply leaves, with the record that `replay` takes.
    """

    def __init__(self, on_change: Callable[[Record], None]) -> None:
        self.lock = RLock()
        self.writes: Counter[str] = Counter()
        self._on_change = on_change
        self._app = _Dispatcher(create_backend_app)
        self._changes = 0
        self._upload_ids: dict[str, str] = {}

    def reset(self) -> None:
        """Forget everything."""
        with self.lock:
            BackendDict.reset()
            forget_copies()
            self.writes.clear()
            self._changes = 0
            self._upload_ids.clear()

    def handle(self, request: Request) -> Response:
        """Apply one request and return moto's reply."""
        with self.lock:
            if not is_change(request):
                return self._ask(request)
            self._changes += 1
            seed = self._changes
            reply = self._change(request, seed)
            if reply.is_success:
                self._on_change(self._record(request, reply, seed))
            return reply

    def replay(self, record: Record) -> None:
        """Apply a change of an earlier life again, so that it gives the same ids."""
        with self.lock:
            if record.head["kind"] == "items":
                put_back(record.head["region"], record.head["items"])
                return
            self._changes = record.head["seed"]
            request = Request(record.head["environ"], record.body)
            reply = self._change(request, self._changes)
            if not reply.is_success:
                what = request.target or f"{request.method} {request.path}"
                log.warning("a stored change was refused at replay: %s %s", what, reply.status)
            elif "upload_id" in record.head:
                # moto draws upload ids from the operating system, which cannot be seeded.
                self._upload_ids[record.head["upload_id"]] = _upload_id(request, reply)["upload_id"]

    def _record(self, request: Request, reply: Response, seed: int) -> Record:
        service, _, action = request.target.rpartition(".")
        items = written(action, request.json()) if service == "DynamoDB_20120810" else []
        if items and request.region:
            self.writes.update(table for table, _ in items)
            states = present_state(request.region, items)
            return Record({"kind": "items", "region": request.region, "items": states})
        head = {"kind": "request", "environ": request.environ, "seed": seed, **_upload_id(request, reply)}
        return Record(head, request.body)

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

    def all_items(self, region: str, table: str) -> list[dict[str, Any]]:
        """Return every item of a table in DynamoDB's JSON, as they are at one moment."""
        with self.lock:
            return all_items(region, table)

    def _change(self, request: Request, seed: int) -> Response:
        mock_random.seed(seed)
        return self._ask(request)

    def _ask(self, request: Request) -> Response:
        query = str(request.environ.get("QUERY_STRING", ""))
        if self._upload_ids and "uploadId=" in query:
            query = _UPLOAD_ID.sub(lambda found: self._upload_ids.get(found[0], found[0]), query)
            request = Request({**request.environ, "QUERY_STRING": query}, request.body)
        try:
            return Response.of_app(self._app, request)
        finally:
            forget_copies()


def _upload_id(request: Request, reply: Response) -> dict[str, str]:
    if request.method != "POST" or not str(request.environ.get("QUERY_STRING", "")).startswith("uploads"):
        return {}
    found = _NEW_UPLOAD_ID.search(reply.body)
    return {"upload_id": found.group(1).decode()} if found else {}
