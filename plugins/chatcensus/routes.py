"""Where the calls of a run may go (`include/routes.yaml`): the residency of the texts, and the routes to fill."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from chatcensus.errors import SetupError
from chatcensus.include import read_yaml
from chatcensus.model_catalog import Model, ModelCatalog

Residency = Literal["jp", "us", "eu", "au"]
# The Regions of each. Of `eu` only those in countries of the European Union, which London and Zurich are not.
REGIONS: Mapping[Residency, frozenset[str]] = {
    "jp": frozenset({"ap-northeast-1", "ap-northeast-3"}),
    "us": frozenset({"us-east-1", "us-east-2", "us-west-1", "us-west-2"}),
    "eu": frozenset({"eu-central-1", "eu-north-1", "eu-south-1", "eu-south-2", "eu-west-1", "eu-west-3"}),
    "au": frozenset({"ap-southeast-2", "ap-southeast-4"}),
}


def permitted(model: Model, region: str | None, residency: Residency | None) -> None:
    """
    Raise SetupError unless *model* may be called from *region*: both have to lie within the residency.

    A profile such as `global.` or `us.` sends a text to a Region that it chooses; the call's own Region sees it too.
    Source: https://docs.aws.amazon.com/bedrock/latest/userguide/cross-region-inference.html
    """
    if residency is None:
        return
    within = REGIONS[residency]
    if model.geography != residency and model.geography not in within:
        raise SetupError(
            f"model {model.model_id!r} may answer in {model.geography!r}, and include/routes.yaml keeps the texts in "
            f"{residency!r}: choose a model of this geography; nothing was sent"
        )
    if region not in within:
        raise SetupError(
            f"model {model.model_id!r} would be called from {region or 'no Region'}, and include/routes.yaml keeps the "
            f"texts in {residency!r} ({', '.join(sorted(within))}): correct the Region of the connection or the route; "
            f"nothing was sent"
        )


class Route(BaseModel):
    """
    One place that calls go to: a Region, or a role of another account, with the model's id and the quota there.

    Units: requests and tokens a minute that the census may use there.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[A-Za-z0-9_-]{1,40}$")
    region: str = Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")
    role_arn: str | None = Field(default=None, pattern=r"^arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+$")
    model_id: str = Field(min_length=1)
    requests_per_minute: float = Field(gt=0, allow_inf_nan=False)
    tokens_per_minute: float = Field(gt=0, allow_inf_nan=False)


class Routes(BaseModel):
    """Everything in `include/routes.yaml`; without routes, the connection's Region and the quota of the Params."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    residency: Residency | None
    routes: tuple[Route, ...]

    @field_validator("routes")
    @classmethod
    def _each_is_another(cls, routes: tuple[Route, ...]) -> tuple[Route, ...]:
        places = [(route.region, route.role_arn, route.model_id) for route in routes]
        if len({route.name for route in routes}) < len(routes) or len(set(places)) < len(places):
            raise ValueError("two routes have one name, or one Region, role and model: each quota may be filled once")
        return routes

    def places(self, catalog: ModelCatalog, model_id: str) -> list[tuple[Route | None, Model]]:
        """
        Return each route with its model; without routes None, which is the connection's Region, and the run's model.

        Errors: SetupError for a model that is not in the catalog, or of another family than the run's.
        """
        model = catalog.model(model_id)
        places: list[tuple[Route | None, Model]] = []
        for route in self.routes:
            there = catalog.model(route.model_id)
            if there.family != model.family:
                raise SetupError(
                    f"route {route.name!r} calls {there.model_id!r} of the family {there.family!r}, the run's model "
                    f"{model_id!r} is of {model.family!r}: name the same model in include/routes.yaml"
                )
            places.append((route, there))
        return places or [(None, model)]

    def check(self, catalog: ModelCatalog, model_id: str, region: str | None) -> None:
        """
        Raise SetupError unless a run of *model_id* may make all of its calls; *region* is that of the connection.

        `plan` asks before anything is paid, and aws/judges.py once more when it makes the client of each route.
        """
        for route, model in self.places(catalog, model_id):
            permitted(model, route.region if route else region, self.residency)

    def quota(self, of_params: Mapping[str, float]) -> dict[str, float]:
        """Return what the run may use a minute: of all routes together, or *of_params* where there are none."""
        if not self.routes:
            return dict(of_params)
        return {name: sum(getattr(route, name) for route in self.routes) for name in of_params}


def read_routes(models: Path) -> Routes:
    """
    Return the routes of the `include/` folder that *models* (its `prompts/models.yaml`) lies in.

    They have no path of their own: whoever may call a model is bound by the residency beside it. Errors: SetupError.
    """
    return read_yaml(models.parent.parent / "routes.yaml", Routes)
