"""One port that answers for every AWS service the pipeline uses: our completions first, moto for the rest."""

import logging
import re
import threading
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import boto3
from botocore.config import Config
from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import make_server

from local_aws.aws_error import AwsError
from local_aws.bedrock import BedrockStandIn, Judge
from local_aws.dynamodb_export import DynamoDBExports
from local_aws.dynamodb_rules import check_numbers, without_key
from local_aws.faults import FaultPlan
from local_aws.faulty_converse import FaultyConverse
from local_aws.glue_versions import refuse_stale_version
from local_aws.hollow import refuse_hollow
from local_aws.item_size import item_bytes
from local_aws.journal import Journal, Record
from local_aws.moto_app import MotoApp
from local_aws.wsgi import ConnectionDropped, Request, Response

log = logging.getLogger(__name__)

REGION = "ap-northeast-1"
# What the SQL engine answers; workgroups and data catalogs are moto's.
_ATHENA_ACTIONS = {
    "StartQueryExecution",
    "StopQueryExecution",
    "GetQueryExecution",
    "BatchGetQueryExecution",
    "ListQueryExecutions",
    "GetQueryResults",
    "GetQueryRuntimeStatistics",
    "GetTableMetadata",
    "ListTableMetadata",
}
_MODEL = re.compile(r"/model/(.+)/([a-z-]+)")
# What of Bedrock the stand-in does not answer, and moto answers with nothing.
_NO_CONVERSE = {
    "converse-stream": "ConverseStream",
    "invoke": "InvokeModel",
    "invoke-with-response-stream": "InvokeModelWithResponseStream",
    "count-tokens": "CountTokens",
}


@dataclass(frozen=True)
class Settings:
    """
    Say how one local AWS behaves.

    Units: *latency_s* median seconds of a Converse call; *export_delay_s* seconds an export stays IN_PROGRESS.
    *faults* is the plan of `faults.py` that Converse begins with.
    """

    host: str = "127.0.0.1"
    port: int = 0
    data: Path | None = None
    latency_s: float = 0.0
    seed: int = 1
    export_delay_s: float = 0.3
    region: str = REGION
    faults: dict[str, Any] = field(default_factory=dict)


class LocalAws:
    """
    Serve AWS on one port of this process, in threads.

    moto keeps its state per process, so there is one LocalAws per process at a time; `start` begins with nothing but
    what *settings.data* holds. *judge* replaces the keyword model, in tests.
    """

    def __init__(self, settings: Settings, *, judge: Judge | None = None) -> None:
        self.settings = settings
        self._judge = judge
        self._journal = Journal(settings.data) if settings.data else None
        self._moto = MotoApp(self._store)
        self._clients: dict[tuple[str, str], Any] = {}
        self._making = threading.RLock()
        self._server = make_server(settings.host, settings.port, self, threaded=True, request_handler=_QuietHandler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="local-aws", daemon=True)
        self.replayed = 0
        self._begin()

    def _begin(self) -> None:
        self._moto.reset()
        self._bedrock = BedrockStandIn(judge=self._judge, latency_s=self.settings.latency_s, seed=self.settings.seed)
        self._converse = FaultyConverse(FaultPlan.of_json(self.settings.faults))
        self._exports = DynamoDBExports(
            self._moto, self.client, remember=self._store_export, delay_s=self.settings.export_delay_s
        )
        self._athena: Any = None

    @property
    def endpoint_url(self) -> str:
        host = "127.0.0.1" if self.settings.host in {"0.0.0.0", "::"} else self.settings.host  # noqa: S104  not a bind
        return f"http://{host}:{self._server.server_port}"

    def start(self) -> "LocalAws":
        """Replay the journal, then serve."""
        self.replayed = self._replay()
        self._thread.start()
        return self

    def reset(self) -> None:
        """Forget everything: a fresh AWS at the same address. Only where nothing is kept on disk."""
        if self._journal:
            raise RuntimeError(f"{self._journal.path} keeps the state: remove the directory instead of resetting")
        self._exports.close()
        self._begin()

    def wait_for_exports(self) -> None:
        """Return when no export is in progress any more."""
        self._exports.wait()

    def stop(self) -> None:
        """Stop serving; what was acknowledged is in the journal."""
        self._exports.close()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        for client in self._clients.values():
            client.close()
        if self._journal:
            self._journal.close()

    def client(self, service: str, region: str | None = None) -> Any:
        """Return a boto3 client that talks to this server, made once per service and Region."""
        key = (service, region or self.settings.region)
        with self._making:
            if key not in self._clients:
                self._clients[key] = boto3.session.Session("local", "local", region_name=key[1]).client(
                    service,
                    endpoint_url=self.endpoint_url,
                    config=Config(
                        retries={"mode": "standard", "total_max_attempts": 1},
                        max_pool_connections=20,
                        proxies={},  # this server is never behind the proxy of the environment
                        s3={"addressing_style": "path"},
                    ),
                )
            return self._clients[key]

    def stats(self) -> dict[str, Any]:
        """Return what was asked of this server since its start; replayed changes do not count."""
        return {
            **self._converse.counts.stats(),
            "dynamodb_writes": dict(self._moto.writes),
            "exports": self._exports.started,
        }

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer as a WSGI application."""
        reply = self._answer(Request.read(environ))
        start_response(reply.status, reply.headers)
        return reply.chunks()

    def _answer(self, request: Request) -> Response:
        try:
            return self._dispatch(request)
        except AwsError as error:
            return Response.of_error(error, request)
        except ConnectionDropped:
            raise  # the handler closes the connection
        except NotImplementedError:  # moto's word for an operation that it has not
            what = request.target or f"{request.method} {request.path}"
            return Response.of_error(AwsError("NotImplemented", f"The local AWS does not answer {what}", 501), request)
        except Exception as error:  # noqa: BLE001  a server answers; the text of the error may hold a conversation
            place = traceback.extract_tb(error.__traceback__)[-1]
            kind, what = type(error).__name__, request.target or f"{request.method} {request.path}"
            log.error("%s in %s:%s while answering %s", kind, place.filename, place.lineno, what)  # noqa: TRY400
            return Response.of_error(AwsError("InternalFailure", f"{kind} in the local AWS", 500), request)

    def _dispatch(self, request: Request) -> Response:
        model = _MODEL.fullmatch(request.path) if request.method == "POST" else None
        if model and model.group(2) == "converse":
            return self._converse.answer(unquote(model.group(1)), request.json(), self._bedrock.converse)
        if model and model.group(2) in _NO_CONVERSE:
            operation = _NO_CONVERSE[model.group(2)]
            raise AwsError("ValidationException", f"The local AWS does not answer {operation}: use Converse")
        if request.path.startswith("/_local/"):
            return self._local(request)
        if request.target:
            request.json()  # moto answers 500 to a body that is no JSON
            refuse_hollow(request.target)
        service, _, action = request.target.rpartition(".")
        if service == "AmazonAthena" and action in _ATHENA_ACTIONS:
            return Response.of_json(self._athena_service().handle(action, request.json()))
        if service == "DynamoDB_20120810" and action in DynamoDBExports.ACTIONS:
            region = request.region or self.settings.region
            return Response.of_json(self._exports.handle(action, request.json(), region))
        if service == "AWSGlue" and action == "UpdateTable":
            return self._update_table(request)
        if service == "DynamoDB_20120810":
            return self._dynamodb(action, request)
        return self._moto.handle(request)

    def _dynamodb(self, action: str, request: Request) -> Response:
        if action == "DescribeTable":
            return self._describe_table(request)
        body = request.json()
        check_numbers(body)
        reply = self._moto.handle(request)
        if reply.is_success and body.get("ReturnValues") in {"UPDATED_OLD", "UPDATED_NEW"}:
            return Response.of_json(without_key(body["Key"], reply.json()))
        return reply

    def _local(self, request: Request) -> Response:
        """Answer what is ours alone: the counts, and the fault plan."""
        match request.method, request.path.removeprefix("/_local/"):
            case "GET", "stats":
                return Response.of_json(self.stats())
            case "GET", "conversations":
                return Response.of_json(self._converse.counts.by_conversation())
            case "PUT", "faults":
                try:
                    self._converse.set_plan(FaultPlan.of_json(request.json()))
                except (TypeError, ValueError) as error:
                    raise AwsError("ValidationException", str(error)) from None
                return Response.of_json({})
        raise AwsError("NotFound", f"there is no {request.method} {request.path}", 404)

    def _describe_table(self, request: Request) -> Response:
        """Say how large the table is, where moto always says 0; AWS refreshes its own figure every six hours."""
        reply = self._moto.handle(request)
        if not reply.is_success:
            return reply
        answer = reply.json()
        items = self._moto.all_items(request.region or self.settings.region, answer["Table"]["TableName"])
        answer["Table"]["TableSizeBytes"] = sum(map(item_bytes, items))
        return Response.of_json(answer)

    def _update_table(self, request: Request) -> Response:
        region = request.region or self.settings.region
        with self._moto.lock:
            refuse_stale_version(
                request.json(), lambda body: self._moto.call("AWSGlue.GetTable", body, service="glue", region=region)
            )
            return self._moto.handle(request)

    def _athena_service(self) -> Any:
        """Make the SQL engine when it is first asked for: it brings DuckDB and sqlglot with it."""
        with self._making:
            if self._athena is None:
                from local_aws.athena.service import AthenaService

                self._athena = AthenaService(self.client)
            return self._athena

    def _store(self, record: Record) -> None:
        if self._journal:
            self._journal.append(record)

    def _store_export(self, description: dict[str, Any]) -> None:
        self._store(Record({"kind": "export", "description": description}))

    def _replay(self) -> int:
        if not self._journal:
            return 0
        records = list(self._journal.records())
        last_state = {
            record.head["description"]["ExportArn"]: number
            for number, record in enumerate(records)
            if record.head["kind"] == "export"
        }
        for number, record in enumerate(records):
            if record.head["kind"] == "export":
                description = record.head["description"]
                self._exports.restore(description, is_last=last_state[description["ExportArn"]] == number)
            else:
                self._moto.replay(record)
        return len(records)


class _QuietHandler(MotoRequestHandler):
    """Answer without a line of log a request, and without waiting 40 ms to fill a packet."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def connection_dropped(self, error: BaseException, environ: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Close a connection that is gone, or that shall look so: nothing more can come over it."""
        self.close_connection = True

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002  werkzeug's name
        log.debug(f"%s {message}", type, *args)  # noqa: G004  werkzeug's format string
