"""CountTokens for Converse requests: what the stand-in's usage says of the same request. Source: count-tokens page."""

from datetime import date
from typing import Any

from local_aws.aws_error import AwsError
from local_aws.bedrock.converse_rules import check_request
from local_aws.bedrock.models import INVALID, MODELS, PROFILES
from local_aws.bedrock.tokens import input_tokens
from local_aws.request_model import check_types


def count_tokens(identifier: str, body: dict[str, Any], today: date) -> dict[str, int]:
    """
    Answer CountTokens; a model is named by its bare id here, even where only its profiles can be called.

    Shape: *body* has `input.converse`; of a request with cachePoints all tokens are counted, cached or not.
    Raises: AwsError (ValidationException) for models that do not count and for profiles, ResourceNotFoundException.
    """
    check_types("bedrock-runtime", "CountTokens", body)
    name = identifier.rpartition("foundation-model/")[2]
    model = MODELS.get(name)
    if model is None and name not in PROFILES:
        raise AwsError(INVALID.code, INVALID.message)
    if model and model.has_ended(today):
        raise AwsError("ResourceNotFoundException", "This model version has reached the end of its life.", 404)
    if model is None or not model.count_tokens:
        raise AwsError("ValidationException", "The provided model doesn't support counting tokens.")
    given = body.get("input") or {}
    if set(given) != {"converse"}:
        raise AwsError("ValidationException", "The local AWS counts the tokens of input.converse alone")
    check_request(model, given["converse"])
    return {"inputTokens": input_tokens(given["converse"])}
