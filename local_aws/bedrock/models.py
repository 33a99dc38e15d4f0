"""The foundation models that the local Bedrock knows (`models.toml`), and by which names they may be called."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from local_aws.aws_error import AwsError

_ARN = re.compile(
    r"arn:aws:bedrock:[a-z0-9-]*:(?::foundation-model|[0-9]{12}:(?:inference-profile|(application-inference-profile)))/(.+)"
)
INVALID = AwsError("ValidationException", "The provided model identifier is invalid.")


@dataclass(frozen=True)
class FoundationModel:
    """
    One model of one provider; the fields are those of `models.toml`.

    Shape: *cache_min_tokens* is None where prompts cannot be cached, the other limits where no source gives one.
    """

    model_id: str
    name: str
    provider: str
    start_of_life: date
    end_of_life: date | None = None
    geographies: tuple[str, ...] = ()
    on_demand: bool = False
    refuses: frozenset[str] = frozenset()
    unknown: frozenset[str] = frozenset()
    thinking: str = "none"
    max_output_tokens: int | None = None
    context_tokens: int | None = None
    cache_min_tokens: int | None = None
    cache_ttls: tuple[str, ...] = ()
    batch: bool = False
    count_tokens: bool = False
    json_schema: bool = False
    quota_name: str = ""

    @classmethod
    def of_toml(cls, model_id: str, table: Mapping[str, Any]) -> "FoundationModel":
        """Read one table of the file. Errors: TypeError for a field that no model has."""
        fields = {name: value for name, value in table.items() if name not in {"source", "cache"}}
        for name in ("refuses", "unknown"):
            fields[name] = frozenset(fields.get(name, ()))
        if cache := table.get("cache"):
            fields |= {"cache_min_tokens": cache["min_tokens"], "cache_ttls": tuple(cache["ttls"])}
        return cls(model_id=model_id, **fields | {"geographies": tuple(table.get("geographies", ()))})

    @property
    def profile_ids(self) -> list[str]:
        return [f"{geography}.{self.model_id}" for geography in self.geographies]

    @property
    def is_claude(self) -> bool:
        return self.provider == "Anthropic"

    def has_ended(self, today: date) -> bool:
        return self.end_of_life is not None and self.end_of_life <= today


def _load() -> dict[str, FoundationModel]:
    tables = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
    return {model_id: FoundationModel.of_toml(model_id, table) for model_id, table in tables.items()}


MODELS = _load()
PROFILES = {profile_id: model for model in MODELS.values() for profile_id in model.profile_ids}


def resolve(identifier: str, today: date, applications: Mapping[str, str]) -> FoundationModel:
    """
    Return the model that may be called by *identifier*: a model id, an inference profile's id, or an ARN of either.

    Shape: *applications* are the application inference profiles: ARN to the identifier that each was copied from.
    Raises: AwsError as the runtime does: ResourceNotFoundException for a model past its end of life, and
    ValidationException for an unknown name or a bare id that only a profile makes callable.
    Which Region the call came from is not looked at: a profile of any geography answers everywhere.
    """
    model_id = identifier
    if identifier.startswith("arn:"):
        arn = _ARN.fullmatch(identifier)
        if arn is None or (arn[1] and identifier not in applications):
            raise AwsError(INVALID.code, INVALID.message)
        if arn[1]:
            return resolve(applications[identifier], today, {})
        model_id = arn[2]
    model = PROFILES.get(model_id) or MODELS.get(model_id)
    if model is None:
        raise AwsError(INVALID.code, INVALID.message)
    if model.has_ended(today):
        raise AwsError("ResourceNotFoundException", "This model version has reached the end of its life.", 404)
    if model_id in MODELS and not model.on_demand:
        raise AwsError(
            "ValidationException",
            f"Invocation of model ID {identifier} with on-demand throughput isn’t supported. Retry your request with "
            "the ID or ARN of an inference profile that contains this model.",
        )
    return model
