"""What DynamoDB refuses or answers otherwise than moto 5.2.5 does."""

import base64
import re
from collections.abc import Callable
from decimal import Context, Decimal, Inexact
from typing import Any

from local_aws.aws_error import AwsError

_NUMBER = re.compile(r"[+-]?(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,9}))?")
_VALUE_TYPES: dict[str, type] = {
    "S": str, "N": str, "B": str, "BOOL": bool, "NULL": bool, "SS": list, "NS": list, "BS": list, "L": list, "M": dict,
}  # fmt: skip
_MOST_DIGITS = 38
_EXACT = Context(prec=_MOST_DIGITS, traps=[Inexact])
# The place of the first digit: 9.9…E+125 is the largest number, 1E-130 the smallest.
_LARGEST, _SMALLEST = 125, -130


_DEEPEST = 32
_LONGEST_EXPRESSION = 4096


def check_value(value: Any, depth: int = 0) -> None:
    """
    Refuse an AttributeValue that DynamoDB cannot hold; write its numbers as DynamoDB keeps them, without idle zeros.

    Raises: AwsError: SerializationException for a wrong type, ValidationException for the rest.
    Sources: Amazon DynamoDB developer guide, "Supported data types" (38 digits of precision, 1E-130 to 9.9…E+125, sets
    of unlike members and none empty, nesting up to 32 levels); API reference, AttributeValue.
    """
    if depth > _DEEPEST:
        raise AwsError("ValidationException", "Nesting Levels have exceeded supported limits")
    if not isinstance(value, dict) or not all(
        isinstance(value[kind], _VALUE_TYPES.get(kind, object)) for kind in value
    ):
        raise AwsError("SerializationException", "A value of the request is no AttributeValue")
    if len(value) != 1 or not value.keys() <= _VALUE_TYPES.keys():
        fault = "has more than one datatypes set" if len(value) > 1 else "is empty"
        raise AwsError(
            "ValidationException",
            f"Supplied AttributeValue {fault}, must contain exactly one of the supported datatypes",
        )
    ((kind, held),) = value.items()
    match kind:
        case "N":
            _check_number(held)
            value["N"] = plain_number(held)
        case "B":
            _check_binary(held)
        case "NULL" if not held:
            raise _invalid("Null attribute value types must have the value of true")
        case "M" | "L":
            for inner in held.values() if kind == "M" else held:
                check_value(inner, depth + 1)
        case "SS" | "NS" | "BS":
            if not held:
                raise _invalid("A set may not be empty")
            members = [{kind[0]: member} for member in held]
            for member in members:
                check_value(member)
            value[kind] = [member[kind[0]] for member in members]
            if len({*value[kind]}) < len(held):
                raise _invalid("Input collection contains duplicates")


def check_expression(text: Any) -> None:
    """
    Refuse an expression that is empty or too long.

    Raises: AwsError: SerializationException, ValidationException.
    Source: Amazon DynamoDB developer guide, "Quotas": 4 KB for an expression.
    """
    if not isinstance(text, str):
        raise AwsError("SerializationException", "An expression of the request is no text")
    if not text.strip():
        raise AwsError("ValidationException", "An expression of the request is empty: The expression can not be empty;")
    if len(text.encode()) > _LONGEST_EXPRESSION:
        raise AwsError(
            "ValidationException",
            "Expression size has exceeded the maximum allowed size; expression size: "
            f"{len(text.encode())}, at most {_LONGEST_EXPRESSION}",
        )


# By the names of the shapes in botocore's model.
CHECKS: dict[str, Callable[[Any], None]] = {
    "AttributeValue": check_value,
    **dict.fromkeys(
        ("ConditionExpression", "KeyExpression", "ProjectionExpression", "UpdateExpression"), check_expression
    ),
}


def plain_number(number: str) -> str:
    """Return a number as DynamoDB keeps it."""
    value = Decimal(number).normalize(_EXACT)
    _, digits, exponent = value.as_tuple()
    is_short = int(exponent) >= -_MOST_DIGITS and len(digits) + int(exponent) <= _MOST_DIGITS
    return "0" if not value else f"{value:f}" if is_short else str(value)


def _invalid(message: str) -> AwsError:
    return AwsError("ValidationException", f"One or more parameter values were invalid: {message}")


def _check_binary(text: str) -> None:
    try:
        base64.b64decode(text, validate=True)
    except ValueError:
        raise AwsError("SerializationException", "A binary value of the request is no base64") from None


def _check_number(text: str) -> None:
    found = _NUMBER.fullmatch(text)
    whole, fraction = (found.group(1) or "", found.group(2) or "") if found else ("", "")
    if not found or not whole + fraction:
        raise AwsError("ValidationException", "The parameter cannot be converted to a numeric value")
    digits = (whole + fraction).lstrip("0")
    significant = digits.rstrip("0")
    if len(significant) > _MOST_DIGITS:
        raise AwsError("ValidationException", "Attempting to store more than 38 significant digits in a Number")
    place = len(digits) - len(fraction) - 1 + int(found.group(3) or 0)
    if significant and place > _LARGEST:
        raise AwsError(
            "ValidationException",
            "Number overflow. Attempting to store a number with magnitude larger than supported range",
        )
    if significant and place < _SMALLEST:
        raise AwsError(
            "ValidationException",
            "Number underflow. Attempting to store a number with magnitude smaller than supported range",
        )


def without_key(key: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    """
    Return the answer of an UpdateItem for updated attributes alone, without the *key*: moto shows it for a new item.

    Source: UpdateItem, `ReturnValues`: UPDATED_OLD and UPDATED_NEW return only the updated attributes.
    """
    kept = {name: value for name, value in answer.get("Attributes", {}).items() if name not in key}
    return {**answer, "Attributes": kept} if kept else {name: answer[name] for name in answer if name != "Attributes"}
