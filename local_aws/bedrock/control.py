"""Bedrock's control plane by its paths: models, profiles and batch jobs are ours, all else stays moto's."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, unquote

from local_aws.aws_error import AwsError
from local_aws.bedrock.batch_inference import BatchJobs
from local_aws.bedrock.model_directory import ModelDirectory
from local_aws.wsgi import Request, Response

Route = Callable[[str, Request, str], dict[str, Any]]


class BedrockControl:
    """Answer the operations that moto does not have."""

    def __init__(self, models: ModelDirectory, jobs: BatchJobs) -> None:
        self._routes: list[tuple[str, str, Route]] = [
            ("GET", r"/foundation-models", lambda _, asked, region: models.foundation_models(_query(asked), region)),
            ("GET", r"/foundation-models/(.+)", lambda name, _, region: models.foundation_model(name, region)),
            ("GET", r"/foundation-model-availability/(.+)", lambda name, _, __: models.availability(name)),
            ("GET", r"/inference-profiles", lambda _, asked, region: models.inference_profiles(_query(asked), region)),
            ("GET", r"/inference-profiles/(.+)", lambda name, _, region: models.inference_profile(name, region)),
            ("POST", r"/inference-profiles", lambda _, asked, region: models.create_profile(asked.json(), region)),
            ("DELETE", r"/inference-profiles/(.+)", lambda name, _, region: models.delete_profile(name, region)),
            ("POST", r"/model-invocation-job", lambda _, asked, region: jobs.create(asked.json(), region)),
            ("GET", r"/model-invocation-jobs", lambda _, asked, region: jobs.jobs(_query(asked), region)),
            ("GET", r"/model-invocation-job/(.+)", lambda name, _, region: jobs.job(name, region)),
            ("POST", r"/model-invocation-job/(.+)/stop", lambda name, _, region: jobs.stop(name, region)),
        ]  # fmt: skip

    def answer(self, request: Request, region: str) -> Response | None:
        """Return the reply; None for what is not ours. Raises: AwsError as Bedrock does."""
        for method, path, route in self._routes:
            found = re.fullmatch(path, request.path) if request.method == method else None
            if found:
                name = unquote(found[1]) if found.groups() else ""
                status = "201 Created" if path == "/inference-profiles" and method == "POST" else "200 OK"
                try:
                    return Response.of_json(route(name, request, region), status)
                except ValueError:  # a number or a time of the query
                    raise AwsError("ValidationException", "A parameter of the request has an invalid value.") from None
        return None


def _query(request: Request) -> dict[str, str]:
    return dict(parse_qsl(str(request.environ.get("QUERY_STRING", ""))))
