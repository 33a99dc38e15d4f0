"""Replies of the JSON protocols, compared with botocore's model of the service before botocore reads them."""

import base64
import json
from collections.abc import Iterator
from typing import Any

from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape

_JSON_PROTOCOLS = {"json", "rest-json"}
_SCALARS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "character": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "blob": (str,),
}


# What any service of AWS may answer, beyond the errors of the operation's own model.
# Source: "Common errors" of the API references (DynamoDB, Athena, Glue, Bedrock).
_COMMON_ERRORS = {
    "AccessDeniedException", "ExpiredTokenException", "IncompleteSignature", "InternalFailure", "NotAuthorized",
    "RequestExpired", "SerializationException", "ServiceUnavailable", "ThrottlingException",
    "UnknownOperationException", "UnrecognizedClientException", "ValidationException",
}  # fmt: skip


class ShapeViolation(AssertionError):
    """A reply that is not what the service's model says."""


def watch(client: Any, *, allows_more: bool = False) -> Any:
    """
    Let *client* refuse every reply of a JSON protocol that its own model does not describe; return it.

    botocore drops members that it does not know and invents none that are missing, so that the parsed reply hides both:
    what is compared is the body as it came. *allows_more* lets newer services say more than this model knows.
    Raises: ShapeViolation, out of the call.
    """
    client.meta.events.register("before-parse", lambda **event: _check(**event, allows_more=allows_more))
    return client


def _check(
    operation_model: OperationModel, response_dict: dict[str, Any], *, allows_more: bool, **_event: object
) -> None:
    if operation_model.service_model.metadata["protocol"] not in _JSON_PROTOCOLS:
        return
    body = json.loads(response_dict["body"] or b"{}")
    if response_dict["status_code"] >= 300:
        code = response_dict["headers"].get("x-amzn-errortype") or body.get("__type") or "no code at all"
        code = code.rpartition("#")[2].partition(":")[0]
        known = {shape.error_code for shape in operation_model.error_shapes} | _COMMON_ERRORS
        found = [] if code in known else [f"{code} is no error of this operation"]
    else:
        shape = operation_model.output_shape
        found = list(violations(shape, body, allows_more=allows_more)) if shape else []
    if found:
        raise ShapeViolation(f"{operation_model.name}: " + "; ".join(found))


def violations(shape: Shape, value: Any, place: str = "", *, allows_more: bool = False) -> Iterator[str]:
    """
    Yield what of *value* (parsed JSON) is not as *shape* says, each with its place and never with the value itself.

    Structures: required members, no unknown ones, of a union exactly one. Texts: their enumeration. Timestamps:
    seconds since 1970, or ISO 8601 text where the model says so. Blobs: base64.
    """
    if getattr(shape, "is_document_type", False) or value is None:
        return
    if isinstance(shape, StructureShape):
        yield from _of_structure(shape, value, place, allows_more=allows_more)
    elif isinstance(shape, ListShape):
        if not isinstance(value, list):
            yield f"{place} is {_kind(value)}, not a list"
            return
        for number, member in enumerate(value):
            yield from violations(shape.member, member, f"{place}[{number}]", allows_more=allows_more)
    elif isinstance(shape, MapShape):
        if not isinstance(value, dict):
            yield f"{place} is {_kind(value)}, not a map"
            return
        for member in value.values():
            yield from violations(shape.value, member, f"{place}{{}}", allows_more=allows_more)
    elif shape.type_name == "timestamp":
        is_text = shape.serialization.get("timestampFormat", "unixTimestamp") != "unixTimestamp"
        if not isinstance(value, str if is_text else int | float) or isinstance(value, bool):
            yield f"{place} is {_kind(value)}, not a timestamp as {'text' if is_text else 'a number'}"
    else:
        yield from _of_scalar(shape, value, place, allows_more=allows_more)


def _of_structure(shape: StructureShape, value: Any, place: str, *, allows_more: bool) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{place or 'the body'} is {_kind(value)}, not a structure"
        return
    # Members that travel in headers are botocore's to read.
    members = {
        member.serialization.get("name", name): member
        for name, member in shape.members.items()
        if "location" not in member.serialization
    }
    in_body = {name for name in shape.required_members if "location" not in shape.members[name].serialization}
    required = {shape.members[name].serialization.get("name", name) for name in in_body}
    for name in sorted(required - {name for name, member in value.items() if member is not None}):
        yield f"{place}.{name} is missing"
    if not allows_more:
        for name in sorted(value.keys() - members.keys()):
            yield f"{place}.{name} is not in the model"
    if getattr(shape, "is_tagged_union", False) and len(value.keys() & members.keys()) != 1:
        yield f"{place} holds {len(value.keys() & members.keys())} members of a union, not one"
    for name in value.keys() & members.keys():
        yield from violations(members[name], value[name], f"{place}.{name}", allows_more=allows_more)


def _of_scalar(shape: Shape, value: Any, place: str, *, allows_more: bool) -> Iterator[str]:
    kinds = _SCALARS[shape.type_name]
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        yield f"{place} is {_kind(value)}, not a {shape.type_name}"
    elif shape.type_name == "blob":
        try:
            base64.b64decode(value, validate=True)
        except ValueError:
            yield f"{place} is no base64"
    elif getattr(shape, "enum", None) and value not in shape.enum and not allows_more:
        yield f"{place} is none of {', '.join(shape.enum)}"


def _kind(value: Any) -> str:
    return type(value).__name__
