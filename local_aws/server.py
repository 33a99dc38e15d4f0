"""One port that answers for every AWS service the pipeline uses: our completions first, moto for the rest."""

import logging
import re
import threading
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import boto3
from botocore.config import Config

from local_aws import ids
from local_aws.athena.api import prepared_statements  # noqa: F401  they and workgroups are completed in moto
from local_aws.athena.api.validation import checked
from local_aws.aws_error import AwsError
from local_aws.bedrock.batch_inference import BatchJobs
from local_aws.bedrock.control import BedrockControl
from local_aws.bedrock.count_tokens import count_tokens
from local_aws.bedrock.faults import FaultPlan
from local_aws.bedrock.faulty_converse import FaultyConverse
from local_aws.bedrock.model_directory import ModelDirectory
from local_aws.bedrock.openai_model import OpenAiModel
from local_aws.bedrock.stand_in import BedrockStandIn, Judge
from local_aws.dynamodb.exports import DynamoDBExports
from local_aws.dynamodb.rules import CHECKS, without_key
from local_aws.glue_versions import refuse_stale_version
from local_aws.hollow import refuse_hollow
from local_aws.http_server import HttpServer
from local_aws.journal import Journal, Record
from local_aws.moto_app import MotoApp
from local_aws.request_model import check_request
from local_aws.wsgi import ConnectionDropped, Request, Response

log = logging.getLogger(__name__)

REGION = "ap-northeast-1"
# What of Athena moto keeps, as completed by us; the SQL engine answers the rest, or refuses it by name.
_ATHENA_STATE = {
    "CreateWorkGroup",
    "GetWorkGroup",
    "ListWorkGroups",
    "UpdateWorkGroup",
    "DeleteWorkGroup",
    "CreatePreparedStatement",
    "GetPreparedStatement",
    "ListPreparedStatements",
    "UpdatePreparedStatement",
    "DeletePreparedStatement",
}
# Services whose requests are compared with botocore's model before moto sees them; Athena does so itself.
_CHECKED = {"DynamoDB_20120810": "dynamodb", "AWSGlue": "glue", "secretsmanager": "secretsmanager"}
_MODEL = re.compile(r"/model/(.+)/([a-z-]+)")
# What of Bedrock the stand-in does not answer, and moto answers with nothing.
_NO_CONVERSE = {
    "converse-stream": "ConverseStream",
    "invoke": "InvokeModel",
    "invoke-with-response-stream": "InvokeModelWithResponseStream",
}


@dataclass(frozen=True)
class Settings:
    """
    Say how one local AWS behaves.

    Units: *latency_s* median seconds of a Converse call; *export_delay_s* seconds an export stays IN_PROGRESS.
    *batch_step_s* seconds a batch job stays in each state before it begins. *faults* is the plan of `faults.py` that
    Converse begins with.
    """

    host: str = "127.0.0.1"
    port: int = 0
    data: Path | None = None
    latency_s: float = 0.0
    seed: int = 1
    export_delay_s: float = 0.3
    batch_step_s: float = 0.3
    region: str = REGION
    faults: dict[str, Any] = field(default_factory=dict)


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
        self._making = threading.RLock()
        self._server = HttpServer(settings.host, settings.port, self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="local-aws", daemon=True)
        self.replayed = 0
        self._begin()

    def _begin(self) -> None:
        self._moto.reset()
        ids.begin(self.settings.seed, 0)
        self._models = ModelDirectory(self._now)
        self._bedrock = self._model or BedrockStandIn(
            self._models, judge=self._judge, latency_s=self.settings.latency_s, seed=self.settings.seed
        )
        self._converse = FaultyConverse(FaultPlan.of_json(self.settings.faults), self._models.check)
        self._jobs = BatchJobs(
            self._models,
            self.client,
            lambda model_id, body: self._converse.answer_record(model_id, body, self._bedrock.converse),
            step_s=self.settings.batch_step_s,
        )
        self._control = BedrockControl(self._models, self._jobs)
        self._exports = DynamoDBExports(
            self._moto, self.client, remember=self._store_export, delay_s=self.settings.export_delay_s, now=self._now
        )
        self._athena: Any = None

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
        self._exports.close()
        self._close_athena()
        self._jobs.close()
        with self._moto.lock:
            if self._journal:
                self._journal.clear()
            self._begin()

    def wait_for_exports(self) -> None:
        """Return when no export is in progress any more."""
        self._exports.wait()

    def stop(self) -> None:
        """Stop serving; what was acknowledged is in the journal."""
        self._exports.close()
        self._close_athena()
        self._jobs.close()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        for client in self._clients.values():
            client.close()
        if self._journal:
            with self._moto.lock:
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
        reply = self.answer(Request.read(environ))
        start_response(reply.status, reply.headers)
        return reply.chunks()

    def answer(self, request: Request) -> Response:
        """Answer one request, with an error where it is one. Raises: ConnectionDropped where no reply may arrive."""
        try:
            return self._dispatch(request)
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
                    AwsError("ValidationException", f"The local AWS cannot make sense of this {what}: {kind} in moto"),
                    request,
                )
            return Response.of_error(AwsError("InternalFailure", f"{kind} in the local AWS", 500), request)

    def _dispatch(self, request: Request) -> Response:
        model = _MODEL.fullmatch(request.path) if request.method == "POST" else None
        if model and model.group(2) == "converse":
            return self._converse.answer(unquote(model.group(1)), request.json(), self._bedrock.converse)
        if model and model.group(2) == "count-tokens":
            return self._count_tokens(unquote(model.group(1)), request)
        if model and model.group(2) in _NO_CONVERSE:
            operation = _NO_CONVERSE[model.group(2)]
            raise AwsError("ValidationException", f"The local AWS does not answer {operation}: use Converse")
        if request.path.startswith("/_local/"):
            return self._local(request)
        if request.service == "bedrock":
            ours = self._control.answer(request, request.region or self.settings.region)
            if ours:
                return ours
        service, _, action = request.target.rpartition(".")
        if request.target:
            request = request.without_null()
            if request.service is None:  # moto would take it for a request to S3
                raise AwsError("MissingAuthenticationTokenException", "Request is missing Authentication Token")
            refuse_hollow(request.target)
            if service in _CHECKED:
                body = request.json()
                check_request(_CHECKED[service], action, body, CHECKS)
                request = request.with_json(body)
            elif service == "AmazonAthena" and action in _ATHENA_STATE:
                checked(action, request.json())
        if service == "AmazonAthena" and action == "DeleteWorkGroup":
            return self._delete_work_group(request)
        if service == "AmazonAthena" and action not in _ATHENA_STATE:
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
        reply = self._moto.handle(request)
        if reply.is_success and body.get("ReturnValues") in {"UPDATED_OLD", "UPDATED_NEW"}:
            return Response.of_json(without_key(body["Key"], reply.json()))
        return reply

    def _count_tokens(self, model_id: str, request: Request) -> Response:
        if self._model:
            raise AwsError("ValidationException", f"The local AWS cannot count the tokens of {self._model.name!r}")
        return Response.of_json(count_tokens(model_id, request.json(), self._now().date()))

    def _local(self, request: Request) -> Response:
        """Answer what is ours alone: the counts, the fault plan, and a fresh start."""
        match request.method, request.path.removeprefix("/_local/"):
            case "GET", "stats":
                return Response.of_json(self.stats())
            case "GET", "conversations":
                return Response.of_json(self._converse.counts.by_conversation())
            case "POST", "reset":
                self.reset()
                return Response.of_json({})
            case "PUT", "faults":
                try:
                    self._converse.set_plan(FaultPlan.of_json(request.json()))
                except ValueError as error:
                    raise AwsError("ValidationException", str(error)) from None
                return Response.of_json({})
        raise AwsError("NotFound", f"there is no {request.method} {request.path}", 404)

    def _describe_table(self, request: Request) -> Response:
        """Say how large the table is, where moto always says 0; AWS refreshes its own figure every six hours."""
        reply = self._moto.handle(request)
        if not reply.is_success:
            return reply
        answer = reply.json()
        region = request.region or self.settings.region
        answer["Table"]["TableSizeBytes"] = self._moto.table_bytes(region, answer["Table"]["TableName"])
        return Response.of_json(answer)

    def _update_table(self, request: Request) -> Response:
        region = request.region or self.settings.region
        with self._moto.lock:
            refuse_stale_version(
                request.json(), lambda body: self._moto.call("AWSGlue.GetTable", body, service="glue", region=region)
            )
            return self._moto.handle(request)

    def _delete_work_group(self, request: Request) -> Response:
        self._athena_service().check_deletion(request.json())
        reply = self._moto.handle(request)
        if reply.is_success:
            self._athena_service().forget_workgroup(request.json()["WorkGroup"])
        return reply

    def _athena_service(self) -> Any:
        """Make the SQL engine when it is first asked for: it brings DuckDB and sqlglot with it."""
        with self._making:
            if self._athena is None:
                from local_aws.athena.api.service import AthenaService

                self._athena = AthenaService(self.client)
            return self._athena

    def _close_athena(self) -> None:
        """End the queries that run: their threads would outlive the server."""
        if self._athena is not None:
            self._athena.close()

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
                self._exports.restore(record.head["description"])
            else:
                self._moto.replay(record)
            count += 1
        self._exports.resume()
        return count
