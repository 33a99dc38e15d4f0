"""Requests compared with botocore's model of the service, as AWS compares them before it looks at anything else."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from botocore.loaders import Loader
from botocore.model import ServiceModel, Shape, StringShape, StructureShape

from local_aws.aws_error import AwsError


def check_request(service: str, operation: str, body: Mapping[str, Any]) -> None:
    """
    Refuse a request that the model does not allow: missing members, wrong types, lengths, patterns and enumerations.

    Members that the model does not know are the caller's to refuse.
    Raises: AwsError (ValidationException), worded as AWS words it, that counts all faults.
    """
    found = list(_faults(_model(service).operation_model(operation).input_shape, body, ""))
    if found:
        count = f"{len(found)} validation error{'s' if len(found) > 1 else ''} detected: "
        raise AwsError("ValidationException", count + "; ".join(found))


@cache
def _model(service: str) -> ServiceModel:
    return ServiceModel(Loader().load_service_model(service, "service-2"), service)


def _faults(shape: Shape, value: Any, place: str) -> Iterator[str]:
    if isinstance(shape, StructureShape):
        if not isinstance(value, Mapping):
            yield _fault(value, place, "Member must be a structure")
            return
        for name, member in shape.members.items():
            path = f"{place}.{name[0].lower()}{name[1:]}".lstrip(".")
            if value.get(name) is not None:
                yield from _faults(member, value[name], path)
            elif name in shape.required_members:
                yield _fault(None, path, "Member must not be null")
    elif isinstance(shape, StringShape):
        yield from _string_faults(shape, value, place)
    elif isinstance(value, bool) or not isinstance(
        value, int if shape.type_name in {"integer", "long"} else int | float
    ):
        yield _fault(value, place, "Member must be a number")
    elif value < shape.metadata.get("min", value):
        yield _fault(value, place, f"Member must have value greater than or equal to {shape.metadata['min']}")
    elif value > shape.metadata.get("max", value):
        yield _fault(value, place, f"Member must have value less than or equal to {shape.metadata['max']}")


def _string_faults(shape: StringShape, value: Any, place: str) -> Iterator[str]:
    rules = shape.metadata
    if not isinstance(value, str):
        yield _fault(value, place, "Member must be a string")
        return
    if shape.enum and value not in shape.enum:
        yield _fault(value, place, f"Member must satisfy enum value set: [{', '.join(shape.enum)}]")
    if len(value) < rules.get("min", 0):
        yield _fault(value, place, f"Member must have length greater than or equal to {rules['min']}")
    if len(value) > rules.get("max", len(value)):
        yield _fault(value, place, f"Member must have length less than or equal to {rules['max']}")
    if "pattern" in rules and not re.fullmatch(rules["pattern"], value):
        yield _fault(value, place, f"Member must satisfy regular expression pattern: {rules['pattern']}")


def _fault(value: Any, place: str, constraint: str) -> str:
    said = "null" if value is None else f"'{value}'"
    return f"Value {said} at '{place}' failed to satisfy constraint: {constraint}"
