"""What answers a request: our completions first, moto for the rest."""

import re
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import unquote

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
from local_aws.bedrock.place import place_of
from local_aws.bedrock.service_quotas import list_service_quotas
from local_aws.bedrock.stand_in import BedrockStandIn, Judge
from local_aws.dynamodb.exports import DynamoDBExports
from local_aws.dynamodb.reading import ACTIONS as READS
from local_aws.dynamodb.rules import CHECKS, without_key
from local_aws.glue_versions import refuse_stale_version
from local_aws.hollow import refuse_hollow
from local_aws.moto_app import MotoApp
from local_aws.request_model import check_request
from local_aws.settings import Settings
from local_aws.wsgi import Request, Response

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
# Descriptions that moto makes without sizes, by the member that has them.
_DESCRIBED = {"DescribeTable": "Table", "UpdateTable": "TableDescription"}
_MODEL = re.compile(r"/model/(.+)/([a-z-]+)")
# What of Bedrock the stand-in does not answer, and moto answers with nothing.
_NO_CONVERSE = {
    "converse-stream": "ConverseStream",
    "invoke": "InvokeModel",
    "invoke-with-response-stream": "InvokeModelWithResponseStream",
}


class Services:
    """
    Answer the requests of one life, from the start or a reset to the next one.

    Shape: *client* makes boto3 clients of this very server; *remember* keeps each new state of an export; *model*
    answers Converse in the stand-in's place, *judge* in the keyword model's.
    """

    def __init__(
        self,
        settings: Settings,
        moto: MotoApp,
        client: Callable[..., Any],
        remember: Callable[[dict[str, Any]], None],
        *,
        judge: Judge | None,
        model: OpenAiModel | None,
        now: Callable[[], datetime],
    ) -> None:
        self._settings, self._moto, self._client = settings, moto, client
        self._model, self._now = model, now
        models = ModelDirectory(now)
        self._bedrock = model or BedrockStandIn(models, judge=judge, latency_s=settings.latency_s, seed=settings.seed)
        self.converse = FaultyConverse(FaultPlan.of_json(settings.faults), models.check)
        self.jobs = BatchJobs(
            models,
            client,
            lambda model_id, body: self.converse.answer_record(model_id, body, self._bedrock.converse),
            step_s=settings.batch_step_s,
        )
        self._control = BedrockControl(models, self.jobs)
        self.exports = DynamoDBExports(moto, client, remember=remember, delay_s=settings.export_delay_s, now=now)
        self._athena: Any = None
        self._making_athena = threading.Lock()

    def close(self) -> None:
        """End what is in progress: its threads would outlive the server."""
        self.exports.close()
        if self._athena is not None:
            self._athena.close()
        self.jobs.close()

    def answer(self, request: Request) -> Response:
        """Return the reply to one request. Raises: AwsError as the service does, ConnectionDropped."""
        model = _MODEL.fullmatch(request.path) if request.method == "POST" else None
        if model and model.group(2) == "converse":
            place = place_of(request, self._settings.region)
            return self.converse.answer(
                unquote(model.group(1)),
                request.json(),
                lambda model_id, body: self._bedrock.converse(model_id, body, place),
                place,
            )
        if model and model.group(2) == "count-tokens":
            return self._count_tokens(unquote(model.group(1)), request)
        if model and model.group(2) in _NO_CONVERSE:
            operation = _NO_CONVERSE[model.group(2)]
            raise AwsError("ValidationException", f"The local AWS does not answer {operation}: use Converse")
        if request.service == "bedrock":
            ours = self._control.answer(request, request.region or self._settings.region)
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
        if request.target == "ServiceQuotasV20190624.ListServiceQuotas":
            region = request.region or self._settings.region
            quota = self.converse.quota(place_of(request, region))
            return Response.of_json(list_service_quotas(request.json(), quota, region))
        if service == "AmazonAthena" and action == "DeleteWorkGroup":
            return self._delete_work_group(request)
        if service == "AmazonAthena" and action not in _ATHENA_STATE:
            return Response.of_json(self._athena_service().handle(action, request.json()))
        if service == "DynamoDB_20120810" and action in DynamoDBExports.ACTIONS:
            region = request.region or self._settings.region
            return Response.of_json(self.exports.handle(action, request.json(), region))
        if service == "AWSGlue" and action == "UpdateTable":
            return self._update_table(request)
        if service == "DynamoDB_20120810":
            return self._dynamodb(action, request)
        return self._moto.handle(request)

    def _dynamodb(self, action: str, request: Request) -> Response:
        region = request.region or self._settings.region
        if action in READS:
            return self._moto.read(region, action, request.json())
        reply = self._moto.handle(request)
        if not reply.is_success:
            return reply
        if action in _DESCRIBED:
            answer = reply.json()
            self._moto.describe(region, answer[_DESCRIBED[action]])
            return Response.of_json(answer)
        if action != "UpdateItem":
            return reply
        body = request.json()
        if body.get("ReturnValues") in {"UPDATED_OLD", "UPDATED_NEW"}:
            return Response.of_json(without_key(body["Key"], reply.json()))
        return reply

    def _count_tokens(self, model_id: str, request: Request) -> Response:
        if self._model:
            raise AwsError("ValidationException", f"The local AWS cannot count the tokens of {self._model.name!r}")
        return Response.of_json(count_tokens(model_id, request.json(), self._now().date()))

    def _update_table(self, request: Request) -> Response:
        region = request.region or self._settings.region
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
        with self._making_athena:
            if self._athena is None:
                from local_aws.athena.api.service import AthenaService

                self._athena = AthenaService(self._client)
            return self._athena
