"""What DynamoDB refuses or answers otherwise than moto 5.2.5 does."""

import re
from collections.abc import Iterator
from typing import Any

from local_aws.aws_error import AwsError

_NUMBER = re.compile(r"[+-]?(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,9}))?")
_MOST_DIGITS = 38
# The place of the first digit: 9.9…E+125 is the largest number, 1E-130 the smallest.
_LARGEST, _SMALLEST = 125, -130


def check_numbers(body: Any) -> None:
    """
    Refuse a request that holds a number which DynamoDB cannot hold.

    Raises: AwsError (ValidationException).
    Source: Amazon DynamoDB developer guide, "Supported data types": 38 digits of precision, 1E-130 to 9.9…E+125.
    """
    for text in _numbers(body):
        _check_number(text)


def _numbers(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "N" and not isinstance(inner, dict):
                yield inner
            elif name == "NS" and isinstance(inner, list):
                yield from inner
            else:
                yield from _numbers(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _numbers(inner)


def _check_number(text: Any) -> None:
    found = _NUMBER.fullmatch(text) if isinstance(text, str) else None
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
