"""One port that answers for every AWS service the pipeline uses."""

import logging
import threading
import traceback
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import boto3
from botocore.config import Config

from local_aws import ids
from local_aws.aws_error import AwsError
from local_aws.bedrock.faults import FaultPlan
from local_aws.bedrock.openai_model import OpenAiModel
from local_aws.bedrock.stand_in import Judge
from local_aws.http_server import HttpServer
from local_aws.inner_client import answer_within
from local_aws.journal import Journal, Record
from local_aws.moto_app import MotoApp
from local_aws.operations import Operations
from local_aws.services import Services
from local_aws.settings import Settings
from local_aws.wsgi import ConnectionDropped, Request, Response

log = logging.getLogger(__name__)


class LocalAws:
    """
    Serve AWS on one port of this process, in threads.

    moto keeps its state per process, so there is one LocalAws per process at a time; `start` begins with nothing but
    what *settings.data* holds. *model* answers Converse in the stand-in's place. *judge* replaces
    the keyword model, *now* the clock of DynamoDB's recovery and of Bedrock, in tests.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        judge: Judge | None = None,
        model: OpenAiModel | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.settings = settings
        self._judge, self._model = judge, model
        self._journal = Journal(settings.data) if settings.data else None
        self._now = now
        self._moto = MotoApp(self._store if self._journal else None, now)
        self._clients: dict[tuple[str, str], Any] = {}
        self._inner_clients: dict[tuple[str, str], Any] = {}
        self._making = threading.RLock()
        self._server = HttpServer(settings.host, settings.port, self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="local-aws", daemon=True)
        self.replayed = 0
        self._begin()

    def _begin(self) -> None:
        self._moto.reset()
        ids.begin(self.settings.seed, 0)
        self._operations = Operations(self.settings.region)
        self._services = Services(
            self.settings,
            self._moto,
            self._inner_client,
            self._store_export,
            judge=self._judge,
            model=self._model,
            now=self._now,
        )

    @property
    def endpoint_url(self) -> str:
        host = "127.0.0.1" if self.settings.host in {"0.0.0.0", "::"} else self.settings.host  # noqa: S104  not a bind
        return f"http://{host}:{self._server.server_port}"

    def start(self) -> "LocalAws":
        """Replay the journal, then serve."""
        self.replayed = self._replay()
        ids.begin(self.settings.seed, self.replayed)
        self._thread.start()
        return self

    def reset(self) -> None:
        """Forget everything, what is kept on disk too: a fresh AWS at the same address."""
        self._services.close()
        with self._moto.lock:
            if self._journal:
                self._journal.clear()
            self._begin()

    def wait_for_exports(self) -> None:
        """Return when no export is in progress any more."""
        self._services.exports.wait()

    def stop(self) -> None:
        """Stop serving; what was acknowledged is in the journal."""
        self._services.close()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        for client in (*self._clients.values(), *self._inner_clients.values()):
            client.close()
        if self._journal:
            with self._moto.lock:
                self._journal.close()

    def client(self, service: str, region: str | None = None) -> Any:
        """Return a boto3 client that talks to this server, made once per service and Region."""
        key = (service, region or self.settings.region)
        with self._making:
            if key not in self._clients:
                self._clients[key] = self._made(*key)
            return self._clients[key]

    def _inner_client(self, service: str, region: str | None = None) -> Any:
        """Return a boto3 client for what answers within this server, made once per service and Region."""
        key = (service, region or self.settings.region)
        with self._making:
            if key not in self._inner_clients:
                self._inner_clients[key] = answer_within(self._made(*key), self.answer)
            return self._inner_clients[key]

    def _made(self, service: str, region: str) -> Any:
        return boto3.session.Session("local", "local", region_name=region).client(
            service,
            endpoint_url=self.endpoint_url,
            config=Config(
                retries={"mode": "standard", "total_max_attempts": 1},
                max_pool_connections=20,
                proxies={},  # this server is never behind the proxy of the environment
                s3={"addressing_style": "path"},
            ),
        )

    def load_items(self, table: str, items: Iterable[dict[str, Any]]) -> int:
        """
        Put many items into a table of this server's Region as PutItem would, for benches; return how many.

        Shape: an item as DynamoDB's JSON has it, binary as base64.
        Raises: AwsError for an item that DynamoDB refuses; those before it are in the table.
        """
        return self._moto.load(self.settings.region, table, items)

    def stats(self) -> dict[str, Any]:
        """Return what was asked of this server since its start; replayed changes do not count."""
        return {
            **self._services.converse.counts.stats(),
            "dynamodb_writes": dict(self._moto.writes),
            "dynamodb_reads": {place: dict(counts) for place, counts in self._moto.reads.counts.items()},
            "exports": self._services.exports.started,
        }

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer as a WSGI application."""
        reply = self.answer(Request.read(environ))
        start_response(reply.status, reply.headers)
        return reply.chunks()

    def answer(self, request: Request) -> Response:
        """Answer one request, with an error where it is one. Raises: ConnectionDropped where no reply may arrive."""
        try:
            if request.path.startswith("/_local/"):
                return self._local(request)
            self._operations.note(request)
            return self._services.answer(request)
        except AwsError as error:
            return Response.of_error(error, request)
        except ConnectionDropped:
            raise  # the handler closes the connection
        except NotImplementedError:  # moto's word for an operation that it has not
            what = request.target or f"{request.method} {request.path}"
            error = AwsError("UnknownOperationException", f"The local AWS does not answer {what}")
            return Response.of_error(error, request)
        except Exception as error:  # noqa: BLE001  a server answers; the text of the error may hold a conversation
            place = traceback.extract_tb(error.__traceback__)[-1]
            kind, what = type(error).__name__, request.target or f"{request.method} {request.path}"
            log.error("%s in %s:%s while answering %s", kind, place.filename, place.lineno, what)  # noqa: TRY400
            if request.target and "site-packages" in place.filename:
                # What moto cannot make sense of was wrong, or is more than moto knows: never worth another try.
                return Response.of_error(
                    AwsError("ValidationException", f"The local AWS cannot make sense of this {what}: {kind}"),
                    request,
                )
            return Response.of_error(AwsError("InternalFailure", f"{kind} in the local AWS", 500), request)

    def _local(self, request: Request) -> Response:
        """Answer what is ours alone: the counts, the fault plan, and a fresh start."""
        match request.method, request.path.removeprefix("/_local/"):
            case "GET", "stats":
                return Response.of_json(self.stats())
            case "GET", "operations":
                return Response.of_json({"operations": self._operations.told()})
            case "GET", "conversations":
                return Response.of_json(self._services.converse.counts.by_conversation())
            case "POST", "reset":
                self.reset()
                return Response.of_json({})
            case "PUT", "faults":
                try:
                    self._services.converse.set_plan(FaultPlan.of_json(request.json()))
                except ValueError as error:
                    raise AwsError("ValidationException", str(error)) from None
                return Response.of_json({})
            case "PUT", "indexes":
                seconds = request.json().get("build_s")
                if not isinstance(seconds, int | float) or seconds < 0:
                    raise AwsError("ValidationException", '{"build_s": <seconds, 0 or more>} is expected')
                self._moto.indexes.build_s = seconds
                return Response.of_json({})
        raise AwsError("NotFound", f"there is no {request.method} {request.path}", 404)

    def _store(self, record: Record) -> None:
        if self._journal:
            self._journal.append(record)

    def _store_export(self, description: dict[str, Any]) -> None:
        self._store(Record({"kind": "export", "description": description}))

    def _replay(self) -> int:
        if not self._journal:
            return 0
        count = 0
        for record in self._journal.records():
            if record.head["kind"] == "export":
                self._services.exports.restore(record.head["description"])
            else:
                self._moto.replay(record)
            count += 1
        self._services.exports.resume()
        return count
