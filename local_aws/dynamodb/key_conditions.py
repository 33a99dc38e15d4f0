"""What a KeyConditionExpression asks for, as one range of an index."""

import re
from collections.abc import Mapping
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.dynamodb.parsing.key_condition_expression import validate_schema

from local_aws.aws_error import AwsError
from local_aws.dynamodb.indexes import Index
from local_aws.dynamodb.key_order import TOP, Entry, after_prefix, place_of, value_of

_TERM = re.compile(
    r"begins_with\s*\(\s*(?P<function_name>#?[\w.-]+)\s*,\s*(?P<prefix>:\w+)\s*\)"
    r"|(?P<name>#?[\w.-]+)\s*(?:(?P<sign><=|>=|<>|=|<|>)\s*(?P<value>:\w+)"
    r"|(?i:BETWEEN)\s+(?P<low>:\w+)\s+(?i:AND)\s+(?P<high>:\w+))"
)
_JOINT = re.compile(r"(?:\s*\)[\s)]*|\s+)(?i:AND)[\s(]+")


def range_of(index: Index, body: Mapping[str, Any]) -> tuple[Entry, Entry]:
    """
    Return the bounds, as `KeyOrder.between` takes them, of what a Query asks for.

    Raises: AwsError (ValidationException), in AWS's words.
    """
    conditions = _conditions(body)
    try:
        hashes, ranges = validate_schema(conditions, index.schema)
    except JsonRESTError as error:
        raise AwsError("ValidationException", error.message) from None
    for name, _, values in conditions:
        if any(index.types[name] not in value for value in values):
            raise _invalid("Condition parameter type does not match schema type")
    keys = [value_of(value) for _, value in hashes]
    prefix = (place_of(keys), *keys, *(value_of(values[0]) for _, _, values in ranges[:-1]))
    if not ranges:
        return prefix, (*prefix, TOP)
    _, sign, values = ranges[-1]
    return _bounds(prefix, sign, *map(value_of, values))


def _bounds(prefix: Entry, sign: str, value: Any, high: Any = None) -> tuple[Entry, Entry]:
    all_of = (*prefix, value, TOP)
    match sign:
        case "=":
            return (*prefix, value), all_of
        case "<":
            return prefix, (*prefix, value)
        case "<=":
            return prefix, all_of
        case ">":
            return all_of, (*prefix, TOP)
        case ">=":
            return (*prefix, value), (*prefix, TOP)
        case "BETWEEN":
            if high < value:
                raise AwsError(
                    "ValidationException",
                    "Invalid KeyConditionExpression: The BETWEEN operator requires upper bound to be greater than or "
                    "equal to lower bound",
                )
            return (*prefix, value), (*prefix, high, TOP)
        case "BEGINS_WITH" if isinstance(value, str | bytes):
            return (*prefix, value), (*prefix, after_prefix(value))
    raise AwsError("ValidationException", "Query key condition not supported")


def _conditions(body: Mapping[str, Any]) -> list[tuple[str, str, list[dict[str, Any]]]]:
    """Return name, sign and values of each term."""
    text = body["KeyConditionExpression"]
    names, values = body.get("ExpressionAttributeNames", {}), body.get("ExpressionAttributeValues", {})
    found, at = [], 0
    stripped = text.lstrip(" \t\n(")
    while True:
        term = _TERM.match(stripped, at)
        if not term:
            raise AwsError("ValidationException", "Invalid KeyConditionExpression: Syntax error")
        one = term.groupdict()
        name = one["name"] or one["function_name"]
        sign = one["sign"] or ("begins_with" if one["prefix"] else "BETWEEN")
        given = [values[one[part]] for part in ("value", "prefix", "low", "high") if one[part]]
        found.append((names[name] if name.startswith("#") else name, sign, given))
        joint = _JOINT.match(stripped, term.end())
        if not joint:
            break
        at = joint.end()
    if stripped[term.end() :].strip(" \t\n)") or text.count("(") != text.count(")"):
        raise AwsError("ValidationException", "Invalid KeyConditionExpression: Syntax error")
    if len({name for name, _, _ in found}) < len(found):
        raise AwsError(
            "ValidationException",
            "Invalid KeyConditionExpression: KeyConditionExpressions must only contain one condition per key",
        )
    return found


def _invalid(message: str) -> AwsError:
    return AwsError("ValidationException", f"One or more parameter values were invalid: {message}")
