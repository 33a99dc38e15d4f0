"""
What Converse refuses of `outputConfig`, by which a model answers with JSON of a schema.

Sources: the user guide's page structured-output for what a schema may hold; the words of the errors as clients of
Bedrock quote them in public issues of 2026.
"""

import json
from typing import Any

from local_aws.aws_error import AwsError
from local_aws.bedrock.models import FoundationModel

_BOUNDS = {"minimum", "maximum", "multipleOf", "minLength", "maxLength", "maxItems"}
_FORMAT = "The model returned the following errors: output_config.format"


def check_output(model: FoundationModel, config: dict[str, Any]) -> None:
    """
    Raise AwsError (ValidationException) where the model takes no schema, or no grammar can be made of this one.

    Errors: KeyError, TypeError for a member that is missing or of a wrong type.
    """
    if not model.json_schema:
        raise _invalid(
            f"{_FORMAT}: Extra inputs are not permitted"
            if model.is_claude
            else "Malformed input request: extraneous key [outputConfig] is not permitted, please reformat your input "
            "and try again."
        )
    structure = config["textFormat"]["structure"]["jsonSchema"]
    try:
        schema = json.loads(structure["schema"])
    except ValueError:
        schema = None
    if not isinstance(schema, dict):
        raise _invalid(f"{_FORMAT}.schema: Input should be a valid JSON object")
    _check_schema(schema)


def _check_schema(schema: dict[str, Any]) -> None:
    kind = schema.get("type")
    if kind == "object" and schema.get("additionalProperties") is not False:
        raise _invalid(f"{_FORMAT}.schema: For 'object' type, 'additionalProperties' must be explicitly set to false")
    if bounds := sorted(_BOUNDS & schema.keys()):
        named = f"properties {', '.join(bounds)} are" if len(bounds) > 1 else f"property '{bounds[0]}' is"
        raise _invalid(f"{_FORMAT}.schema: For '{kind}' type, {named} not supported")
    for part in schema.get("properties", {}).values():
        _check_schema(part)


def _invalid(message: str) -> AwsError:
    return AwsError("ValidationException", message)
