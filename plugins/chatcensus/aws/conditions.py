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
    conditions: list[str] = []
    names, values = dict[str, str](), dict[str, Any]()

    def value_of(typed: dict[str, Any]) -> str:
        values[name := f":only{len(values)}"] = typed
        return name

    for number, condition in enumerate(only):
        name = f"#only{number}"
        names[name] = condition.attribute
        wanted = {
            "begins_with({name}, {value})": condition.begins_with,
            "contains({name}, {value})": condition.contains,
            "{name} = {value}": condition.equals,
        }
        tests = [
            test.format(name=name, value=value_of({"S": text})) for test, text in wanted.items() if text is not None
        ]
        holds_as_text = " AND ".join(tests) or f"attribute_exists({name})"
        flags = [flag for flag in (True, False) if tests and condition.holds({condition.attribute: flag})]
        conditions.append(" OR ".join([holds_as_text, *(f"{name} = {value_of({'BOOL': flag})}" for flag in flags)]))
    if not conditions:
        return {}
    request = {
        "FilterExpression": " AND ".join(f"({condition})" for condition in conditions),
        "ExpressionAttributeNames": names,
    }
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
