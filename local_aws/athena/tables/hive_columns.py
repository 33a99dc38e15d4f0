"""Columns as Glue declares them: names, and types within the limits of Hive's."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from local_aws.athena.failures import Unsupported
from local_aws.athena.language.trino_types import Type, from_hive, is_nested

if TYPE_CHECKING:
    from collections.abc import Iterable

_SIZED = re.compile(r"\b(decimal|varchar|char)\((\d+)(?:,(\d+))?\)")
_LARGEST = {"decimal": 38, "varchar": 65_535, "char": 255}


def column_type(text: str) -> Type:
    """
    Return the Trino type of a column's Hive type.

    Raises: Unsupported for types not on the list, sizes beyond Hive's limits, and structs that name a field twice.
    """
    for name, size, scale in _SIZED.findall(re.sub(r"\s", "", text).lower()):
        if not 1 <= int(size) <= _LARGEST[name] or int(scale or 0) > int(size):
            raise Unsupported(f"column type {text!r}")
    kind = from_hive(text)
    if _has_field_twice(kind):
        raise Unsupported(f"column type {text!r}")
    return kind


def _has_field_twice(kind: Type) -> bool:
    if kind.name == "row":
        labels = [label for label, _ in kind.args]
        return len(set(labels)) != len(labels) or any(_has_field_twice(field) for _, field in kind.args)
    return is_nested(kind) and any(map(_has_field_twice, kind.args))


def typed_columns(columns: Iterable[dict[str, Any]]) -> tuple[tuple[str, Type], ...]:
    """Return names in lower case and types of Glue's columns; raises what column_type raises."""
    return tuple((column["Name"].lower(), column_type(column["Type"])) for column in columns)


def repeated(names: Iterable[str]) -> str | None:
    """Return a name that stands twice."""
    seen: set[str] = set()
    return next((name for name in names if name in seen or seen.add(name)), None)
