"""
The only place that makes a judge: one for each route of `include/routes.yaml`, where its residency lets it be called.

Whoever calls a model gets its judges here, so that nobody can get past the residency.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from chatcensus.aws.assumed_role import assumed
from chatcensus.aws.bedrock import CALL_DEADLINE_S, BedrockJudge, client_config
from chatcensus.aws.deadline import set_deadline
from chatcensus.include import read_yaml
from chatcensus.model_catalog import Model, ModelCatalog
from chatcensus.pacing import Quota
from chatcensus.routes import Routes, permitted, read_routes
from chatcensus.spreading import Way
from chatcensus.taxonomy import Taxonomy

if TYPE_CHECKING:
    from mypy_boto3_bedrock_runtime import BedrockRuntimeClient

# Makes the client of a Region and a role; None: those of the caller's own credentials.
ClientOf = Callable[[str | None, str | None, Config], "BedrockRuntimeClient"]


def own_client(region: str | None, role_arn: str | None, config: Config) -> "BedrockRuntimeClient":
    """Return a client by the environment and the files of the AWS CLI."""
    session = boto3.session.Session(region_name=region)
    client: Any = (assumed(session, role_arn) if role_arn else session).client
    made: BedrockRuntimeClient = client("bedrock-runtime", config=config)
    return made


def judge_at(bedrock: "BedrockRuntimeClient", model: Model, taxonomy: Taxonomy, routes: Routes) -> BedrockJudge:
    """
    Return the judge that calls *model* by *bedrock*, with a deadline for each call.

    Shape: *routes* as `read_routes` gives them. Errors: SetupError when their residency does not allow it.
    """
    permitted(model, bedrock.meta.region_name, routes.residency)
    return BedrockJudge(set_deadline(bedrock, "Converse", CALL_DEADLINE_S), model.model_id, model, taxonomy)


def judges(
    models: Path, model_id: str, taxonomy: Taxonomy, quota: Quota, in_flight: int, client: ClientOf = own_client
) -> list[Way]:
    """
    Return the ways on which the run's model is called: for `Census`, or `Spread.over` for an Asker.

    Shape: *models* is the catalog's file, bound by the `routes.yaml` of the same `include/`. *quota* holds where there
    are no routes. Errors: SetupError for a route that may not be used; nothing was sent then.
    """
    catalog, routes, made = read_yaml(models, ModelCatalog), read_routes(models), list[Way]()
    for route, model in routes.places(catalog, model_id):
        region, role_arn = (route.region, route.role_arn) if route else (None, None)
        judge = judge_at(client(region, role_arn, client_config(in_flight)), model, taxonomy, routes)
        its = Quota(route.requests_per_minute, route.tokens_per_minute, model.burndown) if route else quota
        made.append(Way(route.name if route else model_id, judge, model, its))
    return made
