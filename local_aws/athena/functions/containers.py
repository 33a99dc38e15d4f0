"""Functions of arrays, maps and rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.language.casts import as_bigint, cast, coerce
from local_aws.athena.language.coercion import want_text
from local_aws.athena.language.scope import Expression
from local_aws.athena.language.trino_types import (
    BIGINT,
    VARCHAR,
    Type,
    array,
    duckdb_name,
    is_nested,
    row,
    trino_name,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_Arguments = list[Expression]


@dataclass(frozen=True)
class Scalar:
    """A function: how many arguments it takes, and its translation."""

    arity: tuple[int, int]
    translate: Callable[[_Arguments], Expression]


def _array_of(value: Expression, name: str) -> Type:
    if value.type.name == "unknown":
        raise Unsupported(f"{name}() of NULL without a type")
    if value.type.name != "array":
        raise StatementError("FUNCTION_NOT_FOUND", f"{name} takes an array, not {trino_name(value.type)}")
    return value.type.args[0]


def _cardinality(values: _Arguments) -> Expression:
    if values[0].type.name == "map":
        return Expression(f"CAST(cardinality({values[0].sql}) AS BIGINT)", BIGINT)
    _array_of(values[0], "cardinality")
    return Expression(f"CAST(len({values[0].sql}) AS BIGINT)", BIGINT)


def _element_at(values: _Arguments) -> Expression:
    container, key = values
    if container.type.name == "map":
        key_type, kind = container.type.args
        return Expression(f"map_extract_value({container.sql}, {coerce(key, key_type).sql})", kind)
    kind = _array_of(container, "element_at")
    zero = f"CAST(t_fail('INVALID_FUNCTION_ARGUMENT: SQL array indices start at 1') AS {duckdb_name(kind)})"
    index = as_bigint(key)
    return Expression(f"(CASE WHEN {index} = 0 THEN {zero} ELSE list_extract({container.sql}, {index}) END)", kind)


def array_sort(values: _Arguments) -> Expression:
    """Return array_sort without a comparator: NULLs come last."""
    if len(values) != 1:
        raise Unsupported(f"array_sort() with {len(values)} arguments")
    element = _array_of(values[0], "array_sort")
    if is_nested(element):
        raise Unsupported("array_sort() of nested values")
    return Expression(f"list_sort({values[0].sql}, 'ASC', 'NULLS LAST')", values[0].type)


def _array_extreme(name: str) -> Callable[[_Arguments], Expression]:
    def translate(values: _Arguments) -> Expression:
        element = _array_of(values[0], f"array_{name}")
        if is_nested(element):
            raise Unsupported(f"array_{name}() of nested values")
        nulls = f"len(list_filter({values[0].sql}, lambda e: e IS NULL)) > 0"
        return Expression(f"(CASE WHEN {nulls} THEN NULL ELSE list_{name}({values[0].sql}) END)", element)

    return translate


def _array_join(values: _Arguments) -> Expression:
    element = _array_of(values[0], "array_join")
    texts = f"list_transform({values[0].sql}, lambda e: {cast(Expression('e', element), VARCHAR).sql})"
    separator = want_text(values[1], "array_join")
    if len(values) > 2:
        texts = f"list_transform({texts}, lambda e: coalesce(e, {want_text(values[2], 'array_join')}))"
    kept = f"list_filter({texts}, lambda e: e IS NOT NULL)"
    joined = f"CASE WHEN len({kept}) = 0 THEN '' ELSE array_to_string({kept}, {separator}) END"
    return Expression(
        f"(CASE WHEN {values[0].sql} IS NULL OR {separator} IS NULL THEN NULL ELSE {joined} END)", VARCHAR
    )


def _map_part(name: str, place: int) -> Callable[[_Arguments], Expression]:
    def translate(values: _Arguments) -> Expression:
        if values[0].type.name == "unknown":
            raise Unsupported(f"{name}() of NULL without a type")
        if values[0].type.name != "map":
            raise StatementError("FUNCTION_NOT_FOUND", f"{name} takes a map, not {trino_name(values[0].type)}")
        return Expression(f"{name}({values[0].sql})", array(values[0].type.args[place]))

    return translate


def row_of(values: _Arguments) -> Expression:
    """Return a row of unnamed fields."""
    fields = ", ".join(f"f{index} := {value.sql}" for index, value in enumerate(values))
    return Expression(f"struct_pack({fields})", row(*((None, value.type) for value in values)))


CONTAINERS: dict[str, Scalar] = {
    "cardinality": Scalar((1, 1), _cardinality),
    "element_at": Scalar((2, 2), _element_at),
    "array_max": Scalar((1, 1), _array_extreme("max")),
    "array_min": Scalar((1, 1), _array_extreme("min")),
    "array_join": Scalar((2, 3), _array_join),
    "map_keys": Scalar((1, 1), _map_part("map_keys", 0)),
    "map_values": Scalar((1, 1), _map_part("map_values", 1)),
    "row": Scalar((1, 100), row_of),
}
