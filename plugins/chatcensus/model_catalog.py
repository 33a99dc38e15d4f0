"""The models the census may use: abilities, limits and dated prices (`include/prompts/models.yaml`)."""

from datetime import date
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from chatcensus.errors import SetupError
from chatcensus.pricing import Price

OutputMode = Literal["tool", "prompt"]


class Model(BaseModel):
    """
    One model, or one inference profile of it.

    Shape: *output_modes* in the order in which they are tried; *temperature* is null where the model refuses one;
    *request_fields* goes to the model as it is. *burndown* is how many tokens of quota one output token takes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model_id: str = Field(min_length=1)
    output_modes: tuple[OutputMode, ...] = Field(min_length=1)
    max_tokens: int = Field(ge=1)
    burndown: int = Field(ge=1)
    temperature: float | None = None
    is_cacheable: bool = False
    request_fields: dict[str, Any] = Field(default_factory=dict)
    prices: tuple[Price, ...] = Field(min_length=1)

    def price(self, day: date) -> Price:
        """Return the price in force on *day*. Errors: SetupError when none was; a price is never taken to be zero."""
        in_force = [price for price in self.prices if price.since <= day.isoformat()]
        if not in_force:
            raise SetupError(f"model {self.model_id!r} has no price for {day}: add one to include/prompts/models.yaml")
        return max(in_force, key=lambda price: price.since)


class ModelCatalog(BaseModel):
    """Every model that may be chosen."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    models: tuple[Model, ...] = Field(min_length=1)

    @field_validator("models")
    @classmethod
    def _ids_are_unique(cls, models: tuple[Model, ...]) -> tuple[Model, ...]:
        ids = [model.model_id for model in models]
        if len(set(ids)) < len(ids):
            raise ValueError(
                f"a model_id may stand only once: {', '.join(sorted({i for i in ids if ids.count(i) > 1}))}"
            )
        return models

    def model(self, model_id: str) -> Model:
        """Return the model named *model_id*. Errors: SetupError that lists the models there are."""
        for model in self.models:
            if model.model_id == model_id:
                return model
        known = ", ".join(model.model_id for model in self.models)
        raise SetupError(f"model {model_id!r} is not in include/prompts/models.yaml, which has: {known}")
