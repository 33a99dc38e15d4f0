"""What a segment reads, in DynamoDB's expressions."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from boto3.dynamodb.types import TypeDeserializer

from chatcensus.mapping import Item, Only
from chatcensus.partition import IndexPart, Range

Border = Mapping[str, Any]  # a value in DynamoDB's typed form

_deserialize: Callable[[Any], Any] = TypeDeserializer().deserialize


def key_condition(index: IndexPart, value: str, sort_is: str = "", **borders: Border) -> dict[str, Any]:
    """
    Return the part of a Query that says which entries: those of *value*, whose sort key fulfils *sort_is*.

    Shape: *sort_is* like `#sort >= :start`, with the *borders* that it names.
    """
    names = {"#key": index.key} | ({"#sort": index.sort} if sort_is else {})
    return {
        "IndexName": index.index,
        "KeyConditionExpression": " AND ".join(["#key = :key", *([sort_is] if sort_is else [])]),
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": {":key": {"S": value}} | {f":{name}": border for name, border in borders.items()},
    }


def only_filter(only: Sequence[Only]) -> dict[str, Any]:
    """
    Return the part of a Scan that keeps items of other applications from being sent; empty without conditions.

    It lets through all that fulfils *only*, and something more, such as a list that contains the text.
    """
    tests: list[str] = []
    names, values = dict[str, str](), dict[str, Any]()
    for number, condition in enumerate(only):
        name = f"#only{number}"
        names[name] = condition.attribute
        wanted = {
            "begins_with({name}, {value})": condition.begins_with,
            "contains({name}, {value})": condition.contains,
            "{name} = {value}": condition.equals,
        }
        tests.append(f"attribute_exists({name})")
        for test, text in wanted.items():
            if text is not None:
                value = f":only{len(values)}"
                values[value] = {"S": text}
                tests.append(test.format(name=name, value=value))
    if not tests:
        return {}
    request = {"FilterExpression": " AND ".join(tests), "ExpressionAttributeNames": names}
    return request | ({"ExpressionAttributeValues": values} if values else {})


def between(within: Range) -> tuple[str, dict[str, Any]]:
    """Return the condition on the sort key, and its borders. BETWEEN holds both ends: `holds` leaves the last out."""
    match within.start, within.end:
        case None, None:
            return "", {}
        case start, None:
            return "#sort >= :start", {"start": start}
        case None, end:
            return "#sort < :end", {"end": end}
    return "#sort BETWEEN :start AND :end", {"start": within.start, "end": within.end}


def holds(part: IndexPart, within: Range, item: Item) -> bool:
    """Return whether *item* lies in the range, as it is now: a scan of all ranges then finds it in one at most."""
    if item.get(part.key) != within.value:
        return False
    if part.sort is None:
        return True
    value = item.get(part.sort)
    start, end = (border and _deserialize(border) for border in (within.start, within.end))
    try:
        return value is not None and (start is None or start <= value) and (end is None or value < end)
    except TypeError:  # the attribute has another type now
        return False
