"""The models the census may use: abilities, limits and dated prices (`include/prompts/models.yaml`)."""

from datetime import date
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from chatcensus.errors import SetupError
from chatcensus.pricing import Price

OutputMode = Literal["tool", "prompt", "json_schema"]


class Life(BaseModel):
    """
    The days on which a model came, was called legacy, and ends; null where nobody has said so.

    Shape: on the day *ends* it answers no more. *ends_not_before* is a promise, after which an end may be announced.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    launched: date | None = None
    legacy: date | None = None
    ends: date | None = None
    ends_not_before: date | None = None
    source: str = Field(min_length=1)


class Model(BaseModel):
    """
    One model, as it is called by one id: its own, or that of an inference profile.

    Shape: all entries of a *family* are the same model. *geography* is where a call may be answered: `global`, the
    prefix of a profile (`jp`, `us`, `eu`, `au`, `apac`), or, of a bare id, the Region whose prices these are.
    *output_modes* in the order in which they are tried; *temperature* is null where the model refuses one;
    *request_fields* goes to the model as it is, and switches its thinking off. One that *is_invocable* not is there to
    be compared with. *quota_name* is its name in Service Quotas.
    Units: *burndown* is how many tokens of quota one output token takes; *cache_min_tokens* how long a fixed prefix has
    to be, null where nothing is cached; *thinking_tokens* what an answer spends besides, about.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model_id: str = Field(min_length=1)
    family: str = Field(min_length=1)
    geography: str = Field(pattern=r"^[a-z0-9-]+$")
    quota_name: str = ""
    is_invocable: bool = True
    output_modes: tuple[OutputMode, ...] = Field(min_length=1)
    max_tokens: int = Field(ge=1)
    burndown: int = Field(ge=1)
    thinking_tokens: int = Field(default=0, ge=0)
    temperature: float | None = None
    cache_min_tokens: int | None = Field(default=None, ge=1)
    request_fields: dict[str, Any] = Field(default_factory=dict)
    life: Life | None = None
    prices: tuple[Price, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _what_is_cached_is_priced(self) -> Self:
        if self.cache_min_tokens and any(None in (price.cache_read, price.cache_write) for price in self.prices):
            raise ValueError("a model that caches needs cache_read and cache_write in each of its prices")
        return self

    def has_ended(self, day: date) -> bool:
        """Return whether its life is over on *day*."""
        return bool(self.life and self.life.ends and self.life.ends <= day)

    def price(self, day: date) -> Price:
        """
        Return the price of a call on *day*, which everybody asks for before a call is made.

        Errors: SetupError when the model's life is over by then, or no price was in force; a price is never taken to be
        zero.
        """
        if self.has_ended(day):
            raise SetupError(f"the life of model {self.model_id!r} is over by {day}: choose another model")
        return self.last_price(day)

    def last_price(self, day: date) -> Price:
        """Return the price in force on *day*, to compare with: a model keeps its last one. Errors: as `price`."""
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
        """
        Return the model named *model_id*, which may be called.

        Errors: SetupError that lists the models there are, or says that this one can only be compared with.
        """
        found = next((model for model in self.models if model.model_id == model_id), None)
        if found and found.is_invocable:
            return found
        if found:
            raise SetupError(f"model {model_id!r} is there to be compared with, and cannot be called: choose another")
        known = ", ".join(model.model_id for model in self.models if model.is_invocable)
        raise SetupError(
            f"model {model_id!r} is not in include/prompts/models.yaml, which has: {known}; another one, by its ARN "
            "too, needs an entry"
        )
