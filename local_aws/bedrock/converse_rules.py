"""
What Converse refuses of a request, before any model works on it.

Sources: the Converse API page and botocore's model for limits and patterns; the words of the errors as clients of
Bedrock quote them in public issues of 2025 and 2026. What the local Bedrock cannot do rightly is refused by name.
No message holds any text of a conversation.
"""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from local_aws.aws_error import AwsError
from local_aws.bedrock.models import FoundationModel
from local_aws.bedrock.output_schema import check_output
from local_aws.request_model import check_types

_MEMBERS = {
    "messages", "system", "inferenceConfig", "toolConfig", "additionalModelRequestFields", "requestMetadata",
    "serviceTier", "performanceConfig", "guardrailConfig", "outputConfig", "promptVariables",
    "additionalModelResponseFieldPaths",
}  # fmt: skip
_NOT_HERE = ("guardrailConfig", "promptVariables", "additionalModelResponseFieldPaths")
_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_METADATA = re.compile(r"[a-zA-Z0-9\s:_@$#=/+,-.]{0,256}")
_MOST_METADATA = 16
_MOST_CACHE_POINTS = 4
_MODEL_SAYS = "The model returned the following errors: "
_CLAUDE_FIELDS = {"thinking", "top_k", "anthropic_beta", "output_config"}
_OTHER_FIELDS = {"Amazon": {"inferenceConfig"}, "OpenAI": {"reasoning_effort"}}

Block = dict[str, Any]


def check_request(model: FoundationModel, body: dict[str, Any]) -> None:
    """Raise AwsError (ValidationException, AccessDeniedException, SerializationException) where Bedrock refuses."""
    check_types("bedrock-runtime", "Converse", body)
    try:
        _check_members(model, body)
        _check_messages(model, body)
        _check_inference(model, body.get("inferenceConfig") or {})
        _check_metadata(body.get("requestMetadata"))
        fields = body.get("additionalModelRequestFields") or {}
        _check_fields(model, fields)
        _check_tools(model, body.get("toolConfig"), fields)
        _check_cache_points(model, body)
    except (AttributeError, KeyError, TypeError):
        raise AwsError("SerializationException", "A member of the request is missing or has a wrong type.") from None


def blocks_of(body: dict[str, Any]) -> Iterator[tuple[str, Block]]:
    """Yield all that the model reads, in its order: tools, instructions, messages, each with its place."""
    for number, tool in enumerate((body.get("toolConfig") or {}).get("tools") or ()):
        yield f"toolConfig.tools.{number}", tool
    for number, block in enumerate(body.get("system") or ()):
        yield f"system.{number}", block
    for number, message in enumerate(body["messages"]):
        for place, block in enumerate(message["content"]):
            yield f"messages.{number}.content.{place}", block


def _invalid(message: str) -> AwsError:
    return AwsError("ValidationException", message)


def _not_here(what: str) -> AwsError:
    return _invalid(f"The local AWS does not answer Converse with {what}")


def _check_members(model: FoundationModel, body: dict[str, Any]) -> None:
    for member in body.keys() - _MEMBERS:
        raise _not_here(f"a member {member!r}")
    for member in _NOT_HERE:
        if body.get(member):
            raise _not_here(member)
    if body.get("outputConfig"):
        check_output(model, body["outputConfig"])
    if (body.get("serviceTier") or {}).get("type", "default") != "default":
        raise _not_here("a serviceTier but default")
    if (body.get("performanceConfig") or {}).get("latency", "standard") != "standard":
        raise _not_here("a latency but standard")


def _check_messages(model: FoundationModel, body: dict[str, Any]) -> None:
    messages = body.get("messages")
    if not messages or messages[0]["role"] != "user":
        raise _invalid(
            "A conversation must start with a user message. Try again with a conversation that starts with a user "
            "message."
        )
    roles = [message["role"] for message in messages]
    for role in {*roles} - {"user", "assistant"}:
        raise _not_here(f"messages of the role {role!r}")
    if any(one == other for one, other in pairwise(roles)):
        raise _invalid(
            "A conversation must alternate between user and assistant roles. Make sure the conversation alternates "
            "between user and assistant roles and try again."
        )
    if roles[-1] == "assistant":
        if "prefill" in model.refuses:
            raise _invalid(
                f"{_MODEL_SAYS}This model does not support assistant message prefill. The conversation must end with a "
                "user message."
            )
        raise _not_here("an answer that is begun")
    for number, message in enumerate(messages):
        if not message["content"]:
            raise _invalid(
                f"The content field in the Message object at messages.{number} is empty. Add a ContentBlock object to "
                "the content field and try again."
            )
    for place, block in blocks_of(body):
        if "text" in block:
            if not block["text"].strip():
                raise _invalid(
                    f"The text field in the ContentBlock object at {place} is blank. Add text to the text field, and "
                    "try again."
                )
        elif "cachePoint" not in block and "toolSpec" not in block:
            raise _not_here(f"a block {next(iter(block), 'without content')!r}: it reads text alone")


def _check_inference(model: FoundationModel, config: dict[str, Any]) -> None:
    most = model.max_output_tokens
    tokens = config.get("maxTokens")
    if tokens is not None and tokens < 1:
        raise _invalid(
            f"1 validation error detected: Value '{tokens}' at 'inferenceConfig.maxTokens' failed to satisfy "
            "constraint: Member must have value greater than or equal to 1"
        )
    if tokens is not None and most is not None and tokens > most:
        raise _invalid(
            f"The maximum tokens you requested exceeds the model limit of {most}. Try again with a maximum tokens "
            f"value that is lower than {most}."
        )
    given = [name for name in ("temperature", "topP") if config.get(name) is not None]
    for name in given:
        if not 0 <= config[name] <= 1:
            raise _invalid(
                f"1 validation error detected: Value '{config[name]}' at 'inferenceConfig.{name}' failed to satisfy "
                "constraint: Member must have value between 0 and 1"
            )
        if name in model.refuses:
            raise _deprecated({"temperature": "temperature", "topP": "top_p"}[name])
    if len(given) > 1 and "temperature+topP" in model.refuses:
        raise _invalid(
            f"{_MODEL_SAYS}`temperature` and `top_p` cannot both be specified for this model. Please use only one."
        )


def _deprecated(name: str) -> AwsError:
    return _invalid(f"{_MODEL_SAYS}`{name}` is deprecated for this model.")


def _check_metadata(metadata: dict[str, str] | None) -> None:
    if metadata is None:
        return
    if not 1 <= len(metadata) <= _MOST_METADATA:
        raise _invalid(
            "1 validation error detected: Value at 'requestMetadata' failed to satisfy constraint: Member must have "
            f"length between 1 and {_MOST_METADATA}, inclusive"
        )
    if not all(key and _METADATA.fullmatch(key) and _METADATA.fullmatch(value) for key, value in metadata.items()):
        raise _invalid(
            "1 validation error detected: Value at 'requestMetadata' failed to satisfy constraint: Map keys and values "
            r"must have at most 256 characters of the pattern [a-zA-Z0-9\s:_@$#=/+,-.]"
        )


def _check_fields(model: FoundationModel, fields: dict[str, Any]) -> None:
    if not (model.is_claude or model.model_id == "stand-in"):
        for name in fields.keys() - _OTHER_FIELDS.get(model.provider, set()):
            raise _not_here(f"the field {name!r} of {model.provider}")
        return
    for name in fields.keys() - _CLAUDE_FIELDS:
        raise _invalid(f"{_MODEL_SAYS}{name}: Extra inputs are not permitted")
    if "format" in (fields.get("output_config") or {}):
        raise _invalid(f"{_MODEL_SAYS}output_config.format: Extra inputs are not permitted")
    if "top_k" in fields and "top_k" in model.refuses:
        raise _deprecated("top_k")
    kind = (fields.get("thinking") or {}).get("type")
    refused = (kind == "enabled" and "budget_tokens" in model.refuses) or (
        kind == "disabled" and model.thinking == "always"
    )
    if refused:
        raise _invalid(f'{_MODEL_SAYS}"thinking.type.{kind}" is not supported for this model.')


def _check_tools(model: FoundationModel, config: dict[str, Any] | None, fields: dict[str, Any]) -> None:
    if config is None:
        return
    names = [tool["toolSpec"]["name"] for tool in config["tools"] if "toolSpec" in tool]
    if not names:
        raise _invalid(
            "1 validation error detected: Value at 'toolConfig.tools' failed to satisfy constraint: Member must have "
            "length greater than or equal to 1"
        )
    for number, name in enumerate(names, 1):
        if not _TOOL_NAME.fullmatch(name):
            raise _invalid(
                f"1 validation error detected: Value at 'toolConfig.tools.{number}.member.toolSpec.name' failed to "
                "satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_-]+"
            )
    choice = config.get("toolChoice") or {"auto": {}}
    if "toolChoice" in model.unknown and "auto" not in choice:
        raise _not_here(f"a forced tool for {model.model_id}")
    if "auto" in choice:
        return
    if "tool" in choice and choice["tool"]["name"] not in names:
        raise _invalid(f"{_MODEL_SAYS}Tool '{choice['tool']['name']}' not found in provided tools")
    if _thinks(model, fields):
        raise _invalid(f"{_MODEL_SAYS}Thinking may not be enabled when tool_choice forces tool use.")


def _thinks(model: FoundationModel, fields: dict[str, Any]) -> bool:
    kind = (fields.get("thinking") or {}).get("type")
    return kind != "disabled" if model.thinking in {"on", "always"} else kind in {"enabled", "adaptive"}


def _check_cache_points(model: FoundationModel, body: dict[str, Any]) -> None:
    points = [(place, block["cachePoint"]) for place, block in blocks_of(body) if "cachePoint" in block]
    if not points:
        return
    if "cachePoint" in model.unknown:
        raise _not_here(f"a cachePoint for {model.model_id}")
    if model.cache_min_tokens is None:
        raise AwsError(
            "AccessDeniedException",
            "You invoked an unsupported model or your request did not allow prompt caching. See the documentation for "
            "more information.",
            403,
        )
    if model.provider == "Amazon" and points[0][0].startswith("toolConfig"):
        raise _invalid(
            f"Malformed input request: #/{points[0][0].replace('.', '/')}: extraneous key [cachePoint] is not "
            "permitted, please reformat your input and try again."
        )
    if len(points) > _MOST_CACHE_POINTS:
        raise _invalid(
            f"{_MODEL_SAYS}A maximum of {_MOST_CACHE_POINTS} blocks with cache_control may be provided. "
            f"Found {len(points)}."
        )
    ttls = [point.get("ttl", "5m") for _, point in points]
    for ttl in {*ttls} - {*model.cache_ttls}:
        raise _not_here(f"a cachePoint of ttl {ttl!r} for {model.model_id}")
    if ttls != sorted(ttls):  # "1h" before "5m"
        late = next(place for (place, _), (before, ttl) in zip(points[1:], pairwise(ttls), strict=True) if before > ttl)
        raise _invalid(
            f"{_MODEL_SAYS}{late}.cache_control.ttl: a ttl='1h' cache_control block must not come after a ttl='5m' "
            "cache_control block. Note that blocks are processed in the following order: `tools`, `system`, `messages`."
        )
