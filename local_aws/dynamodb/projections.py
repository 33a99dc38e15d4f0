"""The parts of an item that a ProjectionExpression asks for, taken out of DynamoDB's JSON."""

import re
from collections.abc import Mapping
from typing import Any

from moto.dynamodb.parsing.reserved_keywords import ReservedKeywords

from local_aws.aws_error import AwsError

_STEP = re.compile(r"\.?(#\w+|[A-Za-z_]\w*)|\[(\d+)\]")

Path = tuple[str | int, ...]
# What is wanted below a name or a place in a list; empty where it is wanted whole.
Tree = dict[str | int, Any]


def parse_projection(text: str, names: Mapping[str, str]) -> Tree:
    """
    Return what `projected` takes.

    Raises: AwsError (ValidationException).
    """
    tree: Tree = {}
    for part in text.split(","):
        below = tree
        path = _path(part.strip(), names)
        for number, step in enumerate(path, 1):
            if step in below and (number == len(path) or not below[step]):
                raise AwsError(
                    "ValidationException",
                    "Invalid ProjectionExpression: Two document paths overlap with each other; must remove or rewrite "
                    "one of these paths",
                )
            below = below.setdefault(step, {})
    return tree


def projected(item: Mapping[str, Any], tree: Tree) -> dict[str, Any]:
    """Return what of an item is wanted and there."""
    taken = ((name, _taken(item[str(name)], below)) for name, below in tree.items() if name in item)
    return {str(name): value for name, value in taken if value is not None}


def _taken(attribute: Mapping[str, Any], tree: Tree) -> dict[str, Any] | None:
    if not tree:
        return dict(attribute)
    if "M" in attribute:
        inner = projected(attribute["M"], tree)
        return {"M": inner} if inner else None
    members = attribute.get("L", [])
    wanted = sorted(step for step in tree if isinstance(step, int) and step < len(members))
    found = [value for step in wanted if (value := _taken(members[step], tree[step])) is not None]
    return {"L": found} if found else None


def _path(text: str, names: Mapping[str, str]) -> Path:
    steps: list[str | int] = []
    at = 0
    while at < len(text):
        step = _STEP.match(text, at)
        if not step or (step[0].startswith(".") == (not steps) and not step[2]):
            raise _syntax_error()
        at = step.end()
        name, place = step.groups()
        if name and name.upper() in ReservedKeywords.get_reserved_keywords():
            raise AwsError(
                "ValidationException",
                f"Invalid ProjectionExpression: Attribute name is a reserved keyword; reserved keyword: {name}",
            )
        steps.append(int(place) if place else names[name] if name.startswith("#") else name)
    if not steps or isinstance(steps[0], int):
        raise _syntax_error()
    return tuple(steps)


def _syntax_error() -> AwsError:
    return AwsError("ValidationException", "Invalid ProjectionExpression: Syntax error")
