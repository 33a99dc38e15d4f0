"""Functions of arrays, maps and rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from local_aws.athena.casts import as_bigint, cast, coerce, refuse
from local_aws.athena.coercion import want_text
from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.scope import Expression
from local_aws.athena.trino_types import (
    BIGINT,
    BOOLEAN,
    DATE,
    VARCHAR,
    Type,
    array,
    common,
    duckdb_name,
    is_integer,
    is_nested,
    map_of,
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


def _contains(values: _Arguments) -> Expression:
    element = _array_of(values[0], "contains")
    kind = common(element, values[1].type)
    if kind is None or is_nested(kind):
        raise StatementError(
            "FUNCTION_NOT_FOUND", f"contains: {trino_name(values[0].type)} and {trino_name(values[1].type)}"
        )
    items, wanted = coerce(values[0], array(kind)).sql, coerce(values[1], kind).sql
    return Expression(
        f"(CASE WHEN {items} IS NULL OR {wanted} IS NULL THEN NULL WHEN list_contains({items}, {wanted}) THEN true"
        f" WHEN len(list_filter({items}, lambda e: e IS NULL)) > 0 THEN NULL ELSE false END)",
        BOOLEAN,
    )


def _slice(values: _Arguments) -> Expression:
    element = _array_of(values[0], "slice")
    if not all(isinstance(value.constant, int) and value.constant > 0 for value in values[1:]):
        raise Unsupported("slice() with bounds that are no positive literals")
    first, size = values[1].constant, values[2].constant
    return Expression(f"list_slice({values[0].sql}, {first}, {first + size - 1})", array(element))


def _array_distinct(values: _Arguments) -> Expression:
    element = _array_of(values[0], "array_distinct")
    if is_nested(element):
        raise Unsupported("array_distinct() of nested values")
    first_null = f"list_position(list_transform({values[0].sql}, lambda x: x IS NULL), true)"
    kept = f"lambda e, i: list_position({values[0].sql}, e) = i OR (e IS NULL AND i = {first_null})"
    return Expression(f"list_filter({values[0].sql}, {kept})", values[0].type)


def _array_sort(values: _Arguments) -> Expression:
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


def _sequence(values: _Arguments) -> Expression:
    first, last = values[0], values[1]
    if len(values) == 2 and is_integer(first.type) and is_integer(last.type):
        a, b = as_bigint(first), as_bigint(last)
        steps = f"CASE WHEN {a} <= {b} THEN generate_series({a}, {b}) ELSE generate_series({a}, {b}, -1) END"
        return Expression(f"({steps})", array(BIGINT))
    one_day = len(values) == 2 or (values[2].type.name == "interval day to second" and values[2].constant == 86_400_000)
    if first.type == last.type == DATE and one_day:
        days = f"generate_series(CAST({first.sql} AS TIMESTAMP), CAST({last.sql} AS TIMESTAMP), INTERVAL 1 DAY)"
        backwards = refuse("sequence() of days that runs backwards", array(DATE), first.sql)
        listed = f"list_transform({days}, lambda e: CAST(e AS DATE))"
        return Expression(
            f"(CASE WHEN {first.sql} <= {last.sql} THEN {listed} WHEN {first.sql} > {last.sql} THEN {backwards} END)",
            array(DATE),
        )
    raise Unsupported("sequence() of anything but whole numbers by 1, or dates by 1 day")


def _map(values: _Arguments) -> Expression:
    if not values:
        raise Unsupported("map() without entries")
    key, value = _array_of(values[0], "map"), _array_of(values[1], "map")
    return Expression(f"map({values[0].sql}, {values[1].sql})", map_of(key, value))


def _map_part(name: str, place: int) -> Callable[[_Arguments], Expression]:
    def translate(values: _Arguments) -> Expression:
        if values[0].type.name != "map":
            raise StatementError("FUNCTION_NOT_FOUND", f"{name} takes a map, not {trino_name(values[0].type)}")
        return Expression(f"{name}({values[0].sql})", array(values[0].type.args[place]))

    return translate


def _row(values: _Arguments) -> Expression:
    fields = ", ".join(f"f{index} := {value.sql}" for index, value in enumerate(values))
    return Expression(f"struct_pack({fields})", row(*((None, value.type) for value in values)))


CONTAINERS: dict[str, Scalar] = {
    "cardinality": Scalar((1, 1), _cardinality),
    "element_at": Scalar((2, 2), _element_at),
    "contains": Scalar((2, 2), _contains),
    "slice": Scalar((3, 3), _slice),
    "array_distinct": Scalar((1, 1), _array_distinct),
    "array_sort": Scalar((1, 1), _array_sort),
    "array_max": Scalar((1, 1), _array_extreme("max")),
    "array_min": Scalar((1, 1), _array_extreme("min")),
    "array_join": Scalar((2, 3), _array_join),
    "sequence": Scalar((2, 3), _sequence),
    "map": Scalar((0, 2), _map),
    "map_keys": Scalar((1, 1), _map_part("map_keys", 0)),
    "map_values": Scalar((1, 1), _map_part("map_values", 1)),
    "row": Scalar((1, 100), _row),
}
