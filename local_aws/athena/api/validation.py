"""
What Athena checks of every request before it looks at anything else: types, required members, lengths and ranges.

The shapes are botocore's. Wording and order: observed on the live service in September 2026:
github.com/aoyagikouhei/athena-local, docs/dev/measurements/errors.md, query-results.md and work-groups.md.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import botocore.session

from local_aws.aws_error import AwsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.model import Shape, StructureShape

# The service refuses more than 1000 rows itself, after it has looked for the execution.
_OTHER_MOST = {("GetQueryResults", "MaxResults"): 100_000}
_NUMBERS = {"integer": "an Integer", "long": "a Long"}


def invalid(message: str, code: str = "INVALID_INPUT") -> AwsError:
    """Return Athena's answer to a request that cannot be, with its AthenaErrorCode."""
    return AwsError("InvalidRequestException", message, members={"AthenaErrorCode": code, "ErrorCode": code})


def checked(action: str, body: dict[str, Any]) -> dict[str, Any]:
    """
    Return the request as Athena reads it: without null, and with whole numbers.

    Raises: AwsError SerializationException for a value of another type, InvalidRequestException for the rest.
    """
    shape = _model().operation_model(action).input_shape
    request = {key: _read(shape.members[key], value) for key, value in body.items() if key in shape.members}
    request = {key: value for key, value in request.items() if value is not None}
    found = list(_violations(action, shape, request))
    if found:
        many = "s" if len(found) > 1 else ""
        raise invalid(f"{len(found)} validation error{many} detected: {'; '.join(found)}")
    return request


@cache
def _model() -> Any:
    return botocore.session.get_session().get_service_model("athena")


def _violations(action: str, shape: StructureShape, request: dict[str, Any]) -> Iterator[str]:
    for name, member in shape.members.items():
        place = f"at '{name[0].lower()}{name[1:]}' failed to satisfy constraint: Member must"
        if name not in request:
            if name in shape.required_members:
                yield f"Value null {place} not be null"
            continue
        is_number = member.type_name in _NUMBERS
        size = request[name] if is_number else len(request[name]) if hasattr(request[name], "__len__") else None
        least, most = member.metadata.get("min"), _OTHER_MOST.get((action, name), member.metadata.get("max"))
        what = "value" if is_number else "length"
        if size is not None and least is not None and size < least:
            yield f"Value {place} have {what} greater than or equal to {least}"
        if size is not None and most is not None and size > most:
            yield f"Value {place} have {what} less than or equal to {most}"


def _read(shape: Shape, value: Any) -> Any:
    """Return one value as it is read, whole numbers cut off at the point."""
    kind = shape.type_name
    if value is None:
        return None
    if isinstance(value, list):
        if kind != "list":
            raise _unreadable("Start of list found where not expected")
        return [_read(shape.member, item) for item in value if item is not None]
    if isinstance(value, dict):
        if kind == "structure":
            known = ((key, item) for key, item in value.items() if key in shape.members)
            return {key: _read(shape.members[key], item) for key, item in known if item is not None}
        if kind != "map":
            raise _unreadable("Start of structure or map found where not expected.")
        return value
    if kind in ("list", "structure", "map"):
        raise _unreadable("Expected list or null" if kind == "list" else "Expected null")
    if kind in _NUMBERS and isinstance(value, int | float) and not isinstance(value, bool):
        return int(value)
    token = "STRING_VALUE" if isinstance(value, str) else "NUMBER_VALUE"
    token = f"{str(value).upper()}_VALUE" if isinstance(value, bool) else token
    if kind in _NUMBERS or (kind == "string" and not isinstance(value, str)):
        raise _unreadable(f"{token} can not be converted to {_NUMBERS.get(kind, 'a String')}")
    if kind == "boolean" and not isinstance(value, bool):
        raise _unreadable("")
    return value


def _unreadable(message: str) -> AwsError:
    return AwsError("SerializationException", message)
