"""Requests compared with botocore's model of the service, as AWS compares them before it looks at anything else."""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

from botocore.loaders import Loader
from botocore.model import OperationNotFoundError, ServiceModel, Shape, StringShape, StructureShape

from local_aws.aws_error import AwsError

# What a value of JSON must be for each type of the model, and how AWS calls what it is instead.
_PYTHON_TYPES: dict[str, type | tuple[type, ...]] = {
    "structure": dict,
    "map": dict,
    "list": list,
    "string": str,
    "blob": str,
    "boolean": bool,
    "integer": int,
    "long": int,
    "float": (int, float),
    "double": (int, float),
    "timestamp": (int, float),
}
_JSON_TYPES = {dict: "MAP", list: "LIST", str: "STRING", bool: "BOOLEAN", int: "NUMBER", float: "NUMBER"}

_LONGEST_SAID = 255

Checks = Mapping[str, Callable[[Any], None]]


def check_request(service: str, operation: str, body: Mapping[str, Any], instead: Checks | None = None) -> None:
    """
    Refuse a request that the model does not allow: types, missing members, lengths, ranges, patterns, enumerations.

    Members that the model does not know are the caller's to refuse; AWS passes over them. *instead* has checks by the
    name of a shape, each in the place of the model's own.
    Raises: AwsError: SerializationException for a wrong type, UnknownOperationException, and ValidationException,
    worded as AWS words it, that counts all faults.
    """
    shape = check_types(service, operation, body, instead)
    found = list(_faults(shape, body, "", (instead or {}).keys())) if shape else []
    if found:
        count = f"{len(found)} validation error{'s' if len(found) > 1 else ''} detected: "
        raise AwsError("ValidationException", count + "; ".join(found))


def check_types(
    service: str, operation: str, body: Mapping[str, Any], instead: Checks | None = None
) -> StructureShape | None:
    """
    Refuse a request with a value of a wrong type; return the shape of the whole.

    Raises: AwsError: SerializationException, UnknownOperationException.
    """
    try:
        shape = _model(service).operation_model(operation).input_shape
    except OperationNotFoundError:
        raise AwsError("UnknownOperationException", f"{service} has no operation {operation[:100]!r}") from None
    if shape is not None:
        _check_type(shape, body, instead or {})
    return shape


@cache
def _model(service: str) -> ServiceModel:
    return ServiceModel(Loader().load_service_model(service, "service-2"), service)


def _check_type(shape: Shape, value: Any, instead: Checks) -> None:
    if shape.name in instead:
        instead[shape.name](value)
        return
    kind = shape.type_name
    is_bool_for_number = isinstance(value, bool) and kind != "boolean"
    if not isinstance(value, _PYTHON_TYPES[kind]) or is_bool_for_number or value in (math.inf, -math.inf):
        raise AwsError(
            "SerializationException",
            f"{_JSON_TYPES.get(type(value), 'NULL')}_VALUE cannot be converted to {shape.name}",
        )
    if kind == "list":
        for member in value:
            _check_type(shape.member, member, instead)
    elif kind == "map":
        for member in value.values():
            _check_type(shape.value, member, instead)
    elif kind == "structure" and not shape.is_document_type:
        given = [name for name in shape.members if value.get(name) is not None]
        if shape.is_tagged_union and len(given) > 1:
            raise AwsError("SerializationException", f"{shape.name} must have one member, not {len(given)}")
        for name in given:
            _check_type(shape.members[name], value[name], instead)


def _faults(shape: Shape, value: Any, place: str, passed_over: Any) -> Iterator[str]:
    """Yield what is wrong with a value whose types are right."""
    if shape.name in passed_over:
        return
    if isinstance(shape, StructureShape):
        for name, member in shape.members.items():
            path = f"{place}.{name[0].lower()}{name[1:]}".lstrip(".")
            if value.get(name) is not None:
                yield from _faults(member, value[name], path, passed_over)
            elif name in shape.required_members:
                yield _fault(None, path, "Member must not be null")
        return
    kind, rules = shape.type_name, shape.metadata
    if isinstance(shape, StringShape):
        if shape.enum and value not in shape.enum:
            yield _fault(value, place, f"Member must satisfy enum value set: [{', '.join(shape.enum)}]")
        is_too_long = len(value) > rules.get("max", len(value))
        if "pattern" in rules and not is_too_long and not _pattern(rules["pattern"]).fullmatch(value):
            yield _fault(value, place, f"Member must satisfy regular expression pattern: {rules['pattern']}")
    elif kind == "list":
        for number, member in enumerate(value, 1):
            yield from _faults(shape.member, member, f"{place}.{number}.member", passed_over)
    elif kind == "map":
        for name, member in value.items():
            yield from _faults(shape.key, name, place, passed_over)
            yield from _faults(shape.value, member, f"{place}.{name}.member", passed_over)
    is_number = not hasattr(value, "__len__")
    what, size = ("value", value) if is_number else ("length", len(value))
    if size < rules.get("min", size):
        yield _fault(value, place, f"Member must have {what} greater than or equal to {rules['min']}")
    if size > rules.get("max", size):
        yield _fault(value, place, f"Member must have {what} less than or equal to {rules['max']}")


@cache
def _pattern(java: str) -> re.Pattern[str]:
    """Return one of Java's patterns as Python spells it: characters beyond 16 bits are one, not two."""
    return re.compile(
        java.replace(r"\uD800\uDC00-\uDBFF\uDFFF", r"\U00010000-\U0010FFFF").replace(r"\p{Print}", "[ -~]")
    )


def _fault(value: Any, place: str, constraint: str) -> str:
    # Of a long text, a list or a map only the place is said: it may hold an item.
    is_short = len(value) <= _LONGEST_SAID if isinstance(value, str) else isinstance(value, int | float)
    said = " null" if value is None else f" '{value}'" if is_short else ""
    return f"Value{said} at '{place}' failed to satisfy constraint: {constraint}"
