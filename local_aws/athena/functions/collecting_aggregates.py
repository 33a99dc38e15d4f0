"""Aggregates that collect values: arrays, maps, joined texts, and the first or last of several."""

from __future__ import annotations

from dataclasses import replace

from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.functions import sets
from local_aws.athena.functions.aggregate_clauses import Aggregate, Clauses, arity, comparable
from local_aws.athena.functions.collection_calls import typed, want_map
from local_aws.athena.language.casts import fail
from local_aws.athena.language.coercion import ordered, want_text
from local_aws.athena.language.scope import Expression
from local_aws.athena.language.trino_types import BIGINT, VARCHAR, array, map_of

_LARGEST_LISTAGG_BYTES = 1_048_576


def _extreme(name: str) -> Aggregate:
    def translate(clauses: Clauses, arguments: list[Expression], _: bool) -> Expression:
        arity(name, arguments, 1, 2)
        value = ordered(arguments[0])
        comparable(name, value)
        if len(arguments) == 1:
            return Expression(clauses.call(name, value.sql), value.type)
        clauses.plain(name)
        return _first(clauses, value, value, "ASC" if name == "min" else "DESC", _amount(arguments[1], name))

    return translate


def _amount(value: Expression, name: str) -> int:
    """Return n of min(x, n) and its like."""
    if not isinstance(value.constant, int):
        raise Unsupported(f"{name}() with n that is no literal")
    if not 0 < value.constant <= 10_000:
        raise StatementError("INVALID_FUNCTION_ARGUMENT", f"n of {name}() must be between 1 and 10000")
    return value.constant


def _first(clauses: Clauses, value: Expression, key: Expression, direction: str, amount: int) -> Expression:
    """Return the array of *value* in the rows of the first *amount* keys that are not NULL."""
    if clauses.over:
        raise Unsupported("min or max of several values as a window function")
    sorted_clauses = replace(clauses, order=f"ORDER BY {key.sql} {direction}")
    values = sorted_clauses.call("list", value.sql, condition=f"{key.sql} IS NOT NULL")
    return Expression(f"list_slice({values}, 1, {amount})", array(value.type))


def _extreme_by(name: str, duckdb: str) -> Aggregate:
    def translate(clauses: Clauses, arguments: list[Expression], _: bool) -> Expression:
        arity(name, arguments, 2, 3)
        clauses.plain(name)
        value, key = arguments[0], ordered(arguments[1])
        comparable(name, key)
        if len(arguments) == 3:
            return _first(clauses, value, key, "ASC" if name == "min_by" else "DESC", _amount(arguments[2], name))
        return Expression(clauses.call(duckdb, value.sql, key.sql), value.type)

    return translate


def _array_agg(clauses: Clauses, arguments: list[Expression], _: bool) -> Expression:
    arity("array_agg", arguments, 1)
    if clauses.nulls:
        raise Unsupported("array_agg() with IGNORE NULLS")
    return Expression(clauses.call("array_agg", arguments[0].sql), array(arguments[0].type))


def _map_agg(clauses: Clauses, arguments: list[Expression], _: bool) -> Expression:
    arity("map_agg", arguments, 2)
    clauses.plain("map_agg")
    key, value = arguments
    pairs = clauses.call("list", f"struct_pack(k := {key.sql}, v := {value.sql})", condition=f"{key.sql} IS NOT NULL")
    return Expression(f"t_map_of_pairs({pairs})", map_of(key.type, value.type))


def _multimap_agg(clauses: Clauses, arguments: list[Expression], _: bool) -> Expression:
    arity("multimap_agg", arguments, 2)
    clauses.plain("multimap_agg")
    key, value = arguments
    pairs = clauses.call("list", f"struct_pack(k := {key.sql}, v := {value.sql})", condition=f"{key.sql} IS NOT NULL")
    return Expression(f"t_multimap_of_pairs({pairs})", map_of(key.type, array(value.type)))


def _histogram(clauses: Clauses, arguments: list[Expression], _: bool) -> Expression:
    arity("histogram", arguments, 1)
    clauses.plain("histogram")
    comparable("histogram", arguments[0])
    values = clauses.call("list", arguments[0].sql, condition=f"{arguments[0].sql} IS NOT NULL")
    return Expression(f"t_histogram({values})", map_of(arguments[0].type, BIGINT))


def _map_union(clauses: Clauses, arguments: list[Expression], _: bool) -> Expression:
    arity("map_union", arguments, 1)
    clauses.plain("map_union")
    want_map(arguments[0], "map_union")
    kind = arguments[0].type
    maps = clauses.call("list", arguments[0].sql, condition=f"{arguments[0].sql} IS NOT NULL")
    return typed(clauses.helpers, sets.map_union, [Expression(maps, array(kind))], kind)


def _listagg(clauses: Clauses, arguments: list[Expression], _: bool) -> Expression:
    arity("listagg", arguments, 1, 2)
    if not clauses.order or clauses.over:
        raise Unsupported("listagg() without WITHIN GROUP, or as a window function")
    text = want_text(arguments[0], "listagg")
    if len(arguments) > 1 and not isinstance(arguments[1].constant, str):
        raise Unsupported("listagg() with a separator that is no literal")
    separator = want_text(arguments[1], "listagg") if len(arguments) > 1 else "''"
    values = clauses.call("list", text, condition=f"{text} IS NOT NULL")
    joined = f"array_to_string({values}, {separator})"
    limit = f"Concatenated string is longer than the maximum of {_LARGEST_LISTAGG_BYTES} bytes"
    too_long = fail("EXCEEDED_FUNCTION_MEMORY_LIMIT", limit, VARCHAR)
    size = f"octet_length(encode({joined}))"
    return Expression(f"(CASE WHEN {size} > {_LARGEST_LISTAGG_BYTES} THEN {too_long} ELSE {joined} END)", VARCHAR)


def _any_value(clauses: Clauses, arguments: list[Expression], _: bool) -> Expression:
    arity("arbitrary", arguments, 1)
    clauses.plain("arbitrary")
    return Expression(clauses.call("any_value", arguments[0].sql), arguments[0].type)


COLLECTING: dict[str, Aggregate] = {
    "min": _extreme("min"),
    "max": _extreme("max"),
    "min_by": _extreme_by("min_by", "arg_min_null"),
    "max_by": _extreme_by("max_by", "arg_max_null"),
    "array_agg": _array_agg,
    "map_agg": _map_agg,
    "multimap_agg": _multimap_agg,
    "histogram": _histogram,
    "map_union": _map_union,
    "listagg": _listagg,
    "arbitrary": _any_value,
    "any_value": _any_value,
}
