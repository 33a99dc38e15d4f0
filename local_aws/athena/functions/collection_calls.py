"""Functions of arrays and maps that run in Python, typed for each call."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import TYPE_CHECKING, Any

from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.functions import sets
from local_aws.athena.functions.intervals import DAY_MS
from local_aws.athena.functions.strings import FUNCTIONS as TEXT_FUNCTIONS
from local_aws.athena.language.casts import coerce, fail, refuse
from local_aws.athena.language.coercion import meet
from local_aws.athena.language.nested_comparison import check_groupable, compared, contains_type
from local_aws.athena.language.scope import Expression
from local_aws.athena.language.trino_types import (
    BIGINT,
    BOOLEAN,
    DATE,
    INTERVAL_DAY,
    INTERVAL_MONTH,
    TIMESTAMP,
    UNKNOWN,
    Type,
    array,
    common,
    is_integer,
    is_nested,
    map_of,
    row,
    trino_name,
)

if TYPE_CHECKING:
    from sqlglot import exp

    from local_aws.athena.language.expressions import ExpressionCompiler
    from local_aws.athena.language.helpers import Helpers
    from local_aws.athena.language.scope import Scope

_Translate = Callable[["Helpers", list[Expression]], Expression]


def typed(
    helpers: Helpers,
    call: Callable[..., Any],
    values: list[Expression],
    result: Type,
    *,
    takes_nulls: bool = False,
) -> Expression:
    """Return a call of a Python function with these arguments; json and char are refused, and nested map keys."""
    for kind in (*(value.type for value in values), result):
        if contains_type(kind, "json", "char") or _has_nested_keys(kind):
            raise Unsupported(f"{call.__name__}() of {trino_name(kind)}")
    name = helpers.function(call.__name__, call, [value.type for value in values], result, takes_nulls=takes_nulls)
    return Expression(f"{name}({', '.join(value.sql for value in values)})", result)


def _has_nested_keys(kind: Type) -> bool:
    if kind.name == "map" and is_nested(kind.args[0]):
        return True
    if kind.name == "row":
        return any(_has_nested_keys(field) for _, field in kind.args)
    return kind.name in ("array", "map") and any(_has_nested_keys(part) for part in kind.args)


def element_of(value: Expression, name: str) -> Type:
    """Return the type of an array's elements."""
    if value.type == UNKNOWN:
        raise Unsupported(f"{name}() of NULL without a type")
    if value.type.name != "array":
        raise StatementError("FUNCTION_NOT_FOUND", f"{name} takes an array, not {trino_name(value.type)}")
    return value.type.args[0]


def _same(name: str, call: Callable[..., Any], result: Type | None = None) -> _Translate:
    """Return a translation of a function of arrays of one type that tells elements apart."""

    def translate(helpers: Helpers, values: list[Expression]) -> Expression:
        for value in values:
            if value.type != UNKNOWN:
                element_of(value, name)
        values, kind = meet(values, name)
        check_groupable(kind, f"{name}()")
        return typed(helpers, call, values, result or kind)

    return translate


def _with_element(name: str, call: Callable[..., Any], result: Type | None = None) -> _Translate:
    """Return a translation of a function of an array and one value that may be its element."""

    def translate(helpers: Helpers, values: list[Expression]) -> Expression:
        kind = _met(values, name)
        if is_nested(kind):
            raise Unsupported(f"{name}() of nested values")
        return typed(helpers, call, [coerce(values[0], array(kind)), coerce(values[1], kind)], result or array(kind))

    return translate


def _met(values: list[Expression], name: str) -> Type:
    kind = common(element_of(values[0], name), values[1].type)
    if kind is None:
        raise StatementError(
            "FUNCTION_NOT_FOUND", f"{name}: {trino_name(values[0].type)} and {trino_name(values[1].type)}"
        )
    return kind


def _contains(_: Helpers, values: list[Expression]) -> Expression:
    kind = _met(values, "contains")
    items, wanted = coerce(values[0], array(kind)).sql, coerce(values[1], kind).sql
    test = compared("=", "e", wanted, kind) if is_nested(kind) else f"(e = {wanted})"
    found = f"t_any_match(list_transform({items}, lambda e: {test}))"
    if is_nested(kind):
        unknown = refuse("contains() of elements that contain NULL", BOOLEAN, items)
        found = f"coalesce({found}, {unknown})"
    return Expression(f"(CASE WHEN {items} IS NULL OR {wanted} IS NULL THEN NULL ELSE {found} END)", BOOLEAN)


def _lists(name: str, call: Callable[..., Any]) -> _Translate:
    def translate(helpers: Helpers, values: list[Expression]) -> Expression:
        element_of(values[0], name)
        return typed(helpers, call, [values[0], coerce(values[1], BIGINT)], array(values[0].type))

    return translate


def _numbers(name: str, call: Callable[..., Any]) -> _Translate:
    """Return a translation of a function of an array and whole numbers that gives such an array."""

    def translate(helpers: Helpers, values: list[Expression]) -> Expression:
        element_of(values[0], name)
        return typed(helpers, call, [values[0], *(coerce(value, BIGINT) for value in values[1:])], values[0].type)

    return translate


def _flatten(helpers: Helpers, values: list[Expression]) -> Expression:
    inner = element_of(values[0], "flatten")
    if inner.name != "array":
        raise StatementError("FUNCTION_NOT_FOUND", f"flatten takes an array of arrays, not {trino_name(inner)}")
    return typed(helpers, sets.flatten, values, inner)


def _repeat(helpers: Helpers, values: list[Expression]) -> Expression:
    times = coerce(values[1], BIGINT)
    return typed(helpers, sets.repeat, [values[0], times], array(values[0].type), takes_nulls=True)


def _reverse(_: Helpers, values: list[Expression]) -> Expression:
    if values[0].type.name != "array":
        return TEXT_FUNCTIONS["reverse"].translate(values)
    return Expression(f"list_reverse({values[0].sql})", values[0].type)


def _zip(helpers: Helpers, values: list[Expression]) -> Expression:
    fields = [(None, element_of(value, "zip")) for value in values]
    return typed(helpers, sets.zip_arrays, values, array(row(*fields)))


def _sequence(helpers: Helpers, values: list[Expression]) -> Expression:
    first, last = values[:2]
    kinds = {first.type, last.type}
    if all(is_integer(kind) or kind == UNKNOWN for kind in kinds):
        a, b = coerce(first, BIGINT), coerce(last, BIGINT)
        step = coerce(values[2], BIGINT) if len(values) > 2 else _default_step(a, b)
        return typed(helpers, sets.sequence, [a, b, step], array(BIGINT))
    if DATE not in kinds or kinds != {DATE}:
        if not {kind.name for kind in kinds} <= {"date", "timestamp"} or len(values) < 3:
            raise StatementError("FUNCTION_NOT_FOUND", f"sequence of {trino_name(first.type)}, {trino_name(last.type)}")
        first, last = (coerce(value, common(first.type, last.type)) for value in (first, last))
    step = values[2] if len(values) > 2 else None
    if step is not None and step.type == INTERVAL_MONTH:
        return _by_months(helpers, first, last, step)
    if step is not None and step.type != INTERVAL_DAY:
        raise StatementError("FUNCTION_NOT_FOUND", f"sequence() with a step of type {trino_name(step.type)}")
    return _by_days(helpers, first, last, step) if first.type == DATE else _by_time(helpers, first, last, step)


def _default_step(a: Expression, b: Expression) -> Expression:
    return Expression(f"CAST(CASE WHEN {b.sql} >= {a.sql} THEN 1 ELSE -1 END AS BIGINT)", BIGINT)


def _by_days(helpers: Helpers, first: Expression, last: Expression, step: Expression | None) -> Expression:
    a, b = (Expression(f"CAST({value.sql} - DATE '1970-01-01' AS BIGINT)", BIGINT) for value in (first, last))
    if step is None:
        days = _default_step(a, b)
    else:
        bad = fail("INVALID_FUNCTION_ARGUMENT", "sequence step must be a day interval for dates", BIGINT)
        days = Expression(f"(CASE WHEN {step.sql} % {DAY_MS} <> 0 THEN {bad} ELSE {step.sql} // {DAY_MS} END)", BIGINT)
    numbers = typed(helpers, sets.sequence, [a, b, days], array(BIGINT)).sql
    day = "CAST(DATE '1970-01-01' + CAST(e AS INTEGER) AS DATE)"
    return Expression(f"list_transform({numbers}, lambda e: {day})", array(DATE))


def _by_time(helpers: Helpers, first: Expression, last: Expression, step: Expression) -> Expression:
    a, b = (Expression(f"epoch_ms({value.sql})", BIGINT) for value in (first, last))
    numbers = typed(helpers, sets.sequence, [a, b, step], array(BIGINT)).sql
    return Expression(f"list_transform({numbers}, lambda e: epoch_ms(e))", array(first.type))


def _by_months(helpers: Helpers, first: Expression, last: Expression, step: Expression) -> Expression:
    kind = "DATE" if first.type == DATE else "TIMESTAMP"
    a, b = (Expression(f"CAST({value.sql} AS TIMESTAMP)", TIMESTAMP) for value in (first, last))
    whole = Expression(f"date_sub('month', {a.sql}, {b.sql})", BIGINT)
    numbers = typed(helpers, sets.month_steps, [a, b, whole, coerce_months(step)], array(BIGINT)).sql
    moved = f"CAST({first.sql} + to_months(CAST(e AS INTEGER)) AS {kind})"
    return Expression(f"list_transform({numbers}, lambda e: {moved})", array(first.type))


def coerce_months(step: Expression) -> Expression:
    """Return a year-to-month interval as a plain number of months."""
    return Expression(f"CAST({step.sql} AS BIGINT)", BIGINT)


def _map(helpers: Helpers, values: list[Expression]) -> Expression:
    if not values:
        return Expression("map(CAST([] AS INTEGER[]), CAST([] AS INTEGER[]))", map_of(UNKNOWN, UNKNOWN))
    if len(values) != 2:
        raise StatementError("FUNCTION_NOT_FOUND", "map takes two arrays")
    kind = map_of(element_of(values[0], "map"), element_of(values[1], "map"))
    if is_nested(kind.args[0]):
        return Expression(f"map({values[0].sql}, {values[1].sql})", kind)
    return typed(helpers, sets.make_map, values, kind)


def _entry_types(values: list[Expression], name: str) -> tuple[Type, Type]:
    entry = element_of(values[0], name)
    if entry.name != "row" or len(entry.args) != 2:
        raise StatementError("FUNCTION_NOT_FOUND", f"{name} takes an array of rows of two fields")
    return entry.args[0][1], entry.args[1][1]


def _map_from_entries(helpers: Helpers, values: list[Expression]) -> Expression:
    key, kind = _entry_types(values, "map_from_entries")
    return typed(helpers, sets.map_from_entries, values, map_of(key, kind))


def _multimap_from_entries(helpers: Helpers, values: list[Expression]) -> Expression:
    key, kind = _entry_types(values, "multimap_from_entries")
    return typed(helpers, sets.multimap_from_entries, values, map_of(key, array(kind)))


def want_map(value: Expression, name: str) -> tuple[Type, Type]:
    """Return the types of a map's keys and values."""
    if value.type == UNKNOWN:
        raise Unsupported(f"{name}() of NULL without a type")
    if value.type.name != "map":
        raise StatementError("FUNCTION_NOT_FOUND", f"{name} takes a map, not {trino_name(value.type)}")
    return value.type.args


def _map_entries(helpers: Helpers, values: list[Expression]) -> Expression:
    key, kind = want_map(values[0], "map_entries")
    return typed(helpers, sets.map_entries, values, array(row((None, key), (None, kind))))


def _map_concat(helpers: Helpers, values: list[Expression]) -> Expression:
    for value in values:
        want_map(value, "map_concat")
    values, kind = meet(values, "map_concat")
    return reduce(lambda one, two: typed(helpers, sets.map_concat, [one, two], kind), values)


_TABLE: dict[str, tuple[int, int, _Translate]] = {
    "array_distinct": (1, 1, _same("array_distinct", sets.array_distinct)),
    "array_union": (2, 2, _same("array_union", sets.array_union)),
    "array_intersect": (2, 2, _same("array_intersect", sets.array_intersect)),
    "array_except": (2, 2, _same("array_except", sets.array_except)),
    "arrays_overlap": (2, 2, _same("arrays_overlap", sets.arrays_overlap, BOOLEAN)),
    "contains_sequence": (2, 2, _same("contains_sequence", sets.contains_sequence, BOOLEAN)),
    "array_position": (2, 2, _with_element("array_position", sets.array_position, BIGINT)),
    "array_remove": (2, 2, _with_element("array_remove", sets.array_remove)),
    "contains": (2, 2, _contains),
    "combinations": (2, 2, _lists("combinations", sets.combinations)),
    "ngrams": (2, 2, _lists("ngrams", sets.ngrams)),
    "slice": (3, 3, _numbers("slice", sets.array_slice)),
    "trim_array": (2, 2, _numbers("trim_array", sets.trim_array)),
    "flatten": (1, 1, _flatten),
    "repeat": (2, 2, _repeat),
    "reverse": (1, 1, _reverse),
    "zip": (2, 4, _zip),
    "sequence": (2, 3, _sequence),
    "map": (0, 2, _map),
    "map_from_entries": (1, 1, _map_from_entries),
    "multimap_from_entries": (1, 1, _multimap_from_entries),
    "map_entries": (1, 1, _map_entries),
    "map_concat": (2, 20, _map_concat),
}


def _compiled(name: str) -> Callable[[ExpressionCompiler, list[exp.Expression], Scope], Expression]:
    least, most, translate = _TABLE[name]

    def call(compiler: ExpressionCompiler, nodes: list[exp.Expression], scope: Scope) -> Expression:
        if not least <= len(nodes) <= most:
            raise Unsupported(f"{name}() with {len(nodes)} arguments")
        return translate(compiler.queries.helpers, [compiler.compile(node, scope) for node in nodes])

    return call


COLLECTION_CALLS = {name: _compiled(name) for name in _TABLE}
