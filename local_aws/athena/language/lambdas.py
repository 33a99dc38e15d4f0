"""Functions that take a lambda, and TRY: their arguments are translated in the scope of the lambda."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING

from sqlglot import exp

from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.functions import sets
from local_aws.athena.functions.collection_calls import COLLECTION_CALLS, element_of, typed, want_map
from local_aws.athena.functions.containers import array_sort
from local_aws.athena.language.casts import coerce, refuse
from local_aws.athena.language.coercion import boolean
from local_aws.athena.language.scope import Expression, Scope
from local_aws.athena.language.trino_types import (
    BIGINT,
    BOOLEAN,
    INTEGER,
    Type,
    array,
    common,
    duckdb_name,
    is_integer,
    map_of,
    row,
    trino_name,
)

if TYPE_CHECKING:
    from local_aws.athena.language.expressions import ExpressionCompiler

_Translate = Callable[["ExpressionCompiler", list[exp.Expression], Scope], Expression]
_names = count()
_MOST_COMPARED = 500  # every pair is compared


def _name() -> str:
    return f"l{next(_names) % 1_000_000}"


def _body(compiler: ExpressionCompiler, node: exp.Expression, values: list[Expression], scope: Scope) -> Expression:
    """Return the body of a lambda whose arguments are *values*."""
    if not isinstance(node, exp.Lambda):
        raise StatementError("TYPE_MISMATCH", "a lambda is expected")
    if len(node.expressions) != len(values):
        raise StatementError("INVALID_PARAMETER_USAGE", f"a lambda with {len(values)} argument(s) is expected")
    arguments = {part.name.lower(): value for part, value in zip(node.expressions, values, strict=True)}
    return compiler.compile(node.this, scope.with_arguments(arguments).with_clause("a lambda"))


def _lambda(
    compiler: ExpressionCompiler, node: exp.Expression, kinds: list[Type], scope: Scope
) -> tuple[str, Expression]:
    """Return the DuckDB head of a lambda and its translated body."""
    names = [_name() for _ in kinds]
    body = _body(compiler, node, [Expression(name, kind) for name, kind in zip(names, kinds, strict=True)], scope)
    return f"lambda {', '.join(names)}:", body


def _list(compiler: ExpressionCompiler, nodes: list[exp.Expression], scope: Scope, size: int, name: str) -> Expression:
    if len(nodes) != size:
        raise Unsupported(f"{name}() with {len(nodes)} arguments")
    value = compiler.compile(nodes[0], scope)
    element_of(value, name)
    return value


def _transform(compiler: ExpressionCompiler, nodes: list[exp.Expression], scope: Scope) -> Expression:
    value = _list(compiler, nodes, scope, 2, "transform")
    head, body = _lambda(compiler, nodes[1], [value.type.args[0]], scope)
    return Expression(f"list_transform({value.sql}, {head} {body.sql})", array(body.type))


def _filter(compiler: ExpressionCompiler, nodes: list[exp.Expression], scope: Scope) -> Expression:
    value = _list(compiler, nodes, scope, 2, "filter")
    head, body = _lambda(compiler, nodes[1], [value.type.args[0]], scope)
    return Expression(f"list_filter({value.sql}, {head} coalesce({boolean(body, 'filter')}, false))", value.type)


def _match(name: str) -> _Translate:
    def translate(compiler: ExpressionCompiler, nodes: list[exp.Expression], scope: Scope) -> Expression:
        value = _list(compiler, nodes, scope, 2, name)
        head, body = _lambda(compiler, nodes[1], [value.type.args[0]], scope)
        return Expression(f"t_{name}(list_transform({value.sql}, {head} {boolean(body, name)}))", BOOLEAN)

    return translate


def _reduce(compiler: ExpressionCompiler, nodes: list[exp.Expression], scope: Scope) -> Expression:
    value = _list(compiler, nodes, scope, 4, "reduce")
    element = value.type.args[0]
    start, step, (old, new) = _step(compiler, nodes, scope, element)
    state = start.type
    # DuckDB reduces a list to a value of its own element type: state and element travel together.
    pair = duckdb_name(row((None, state), (None, element)))
    entry = _name()
    entries = f"list_transform({value.sql}, lambda {entry}: CAST(row(NULL, {entry}) AS {pair}))"
    first = f"CAST(row({start.sql}, NULL) AS {pair})"
    stepped = f"lambda {old}, {new}: CAST(row({step.sql}, NULL) AS {pair})"
    reduced = f"(list_reduce({entries}, {stepped}, {first})).f0"
    # The finish lambda is applied to the one state, as a list of one.
    head, finish = _lambda(compiler, nodes[3], [state], scope)
    return Expression(
        f"(CASE WHEN {value.sql} IS NULL THEN NULL ELSE list_transform([{reduced}], {head} {finish.sql})[1] END)",
        finish.type,
    )


def _step(
    compiler: ExpressionCompiler, nodes: list[exp.Expression], scope: Scope, element: Type
) -> tuple[Expression, Expression, tuple[str, str]]:
    """Return the start and the step of reduce() in the one type that the state has."""
    start, names = compiler.compile(nodes[1], scope), (_name(), _name())
    for _ in range(3):
        fields = [Expression(f"({names[0]}).f0", start.type), Expression(f"({names[1]}).f1", element)]
        step = _body(compiler, nodes[2], fields, scope)
        if common(start.type, step.type) == start.type:
            return start, coerce(step, start.type), names
        wider = common(start.type, step.type)
        if wider is None:
            raise StatementError(
                "TYPE_MISMATCH", f"reduce(): the state is {trino_name(start.type)}, the step {trino_name(step.type)}"
            )
        start = coerce(start, wider)
    raise Unsupported("reduce() whose state grows with each step; cast the start and the step")


def _array_sort(compiler: ExpressionCompiler, nodes: list[exp.Expression], scope: Scope) -> Expression:
    value = _list(compiler, nodes, scope, 2, "array_sort")
    one, other = _name(), _name()
    pair = [Expression(f"({value.sql})[{name}]", value.type.args[0]) for name in (one, other)]
    result = _body(compiler, nodes[1], pair, scope)
    if not is_integer(result.type):
        raise StatementError("FUNCTION_NOT_FOUND", f"a comparator gives an integer, not {trino_name(result.type)}")
    places = f"generate_series(1, len({value.sql}))"
    compared = f"CASE WHEN {one} <> {other} THEN CAST({result.sql} AS INTEGER) END"
    every = f"list_transform({places}, lambda {one}: list_transform({places}, lambda {other}: {compared}))"
    table = Expression(every, array(array(INTEGER)))
    order = typed(compiler.queries.helpers, sets.sort_order, [table, value], array(BIGINT)).sql
    too_long = refuse(f"array_sort() of more than {_MOST_COMPARED} elements by a comparator", value.type, value.sql)
    return Expression(
        f"(CASE WHEN {value.sql} IS NULL THEN NULL WHEN len({value.sql}) > {_MOST_COMPARED} THEN {too_long}"
        f" ELSE list_select({value.sql}, {order}) END)",
        value.type,
    )


def _zip_with(compiler: ExpressionCompiler, nodes: list[exp.Expression], scope: Scope) -> Expression:
    left, right = _list(compiler, nodes, scope, 3, "zip_with"), compiler.compile(nodes[1], scope)
    element_of(right, "zip_with")
    place = _name()
    items = [Expression(f"({side.sql})[{place}]", side.type.args[0]) for side in (left, right)]
    body = _body(compiler, nodes[2], items, scope)
    longest = f"greatest(len({left.sql}), len({right.sql}))"
    made = f"list_transform(generate_series(1, {longest}), lambda {place}: {body.sql})"
    nulls = f"{left.sql} IS NULL OR {right.sql} IS NULL"
    return Expression(f"(CASE WHEN {nulls} THEN NULL ELSE {made} END)", array(body.type))


def _over_map(
    compiler: ExpressionCompiler, nodes: list[exp.Expression], scope: Scope, name: str
) -> tuple[Expression, str, Expression]:
    """Return a map, the array of what a lambda makes of each entry (its DuckDB text), and the body."""
    if len(nodes) != 2:
        raise Unsupported(f"{name}() with {len(nodes)} arguments")
    value = compiler.compile(nodes[0], scope)
    key, kind = want_map(value, name)
    entry = _name()
    body = _body(compiler, nodes[1], [Expression(f"({entry}).key", key), Expression(f"({entry}).value", kind)], scope)
    return value, f"list_transform(map_entries({value.sql}), lambda {entry}: {body.sql})", body


def _transform_values(compiler: ExpressionCompiler, nodes: list[exp.Expression], scope: Scope) -> Expression:
    value, made, body = _over_map(compiler, nodes, scope, "transform_values")
    return Expression(f"map(map_keys({value.sql}), {made})", map_of(value.type.args[0], body.type))


def _transform_keys(compiler: ExpressionCompiler, nodes: list[exp.Expression], scope: Scope) -> Expression:
    value, made, body = _over_map(compiler, nodes, scope, "transform_keys")
    values = Expression(f"map_values({value.sql})", array(value.type.args[1]))
    kind = map_of(body.type, value.type.args[1])
    return typed(compiler.queries.helpers, sets.make_map, [Expression(made, array(body.type)), values], kind)


def _map_filter(compiler: ExpressionCompiler, nodes: list[exp.Expression], scope: Scope) -> Expression:
    value, _, _ = _over_map(compiler, nodes, scope, "map_filter")
    entry = _name()
    parts = [
        Expression(f"({entry}).{part}", kind) for part, kind in zip(("key", "value"), value.type.args, strict=True)
    ]
    test = boolean(_body(compiler, nodes[1], parts, scope), "map_filter")
    kept = f"list_filter(map_entries({value.sql}), lambda {entry}: coalesce({test}, false))"
    return Expression(f"map_from_entries({kept})", value.type)


def _map_zip_with(compiler: ExpressionCompiler, nodes: list[exp.Expression], scope: Scope) -> Expression:
    if len(nodes) != 3:
        raise Unsupported(f"map_zip_with() with {len(nodes)} arguments")
    left, right = (compiler.compile(node, scope) for node in nodes[:2])
    (key, old), (other, new) = want_map(left, "map_zip_with"), want_map(right, "map_zip_with")
    met = common(key, other)
    if met is None:
        raise StatementError("FUNCTION_NOT_FOUND", "map_zip_with takes maps whose keys are of one type")
    left, right = coerce(left, map_of(met, old)), coerce(right, map_of(met, new))
    name = _name()
    values = [Expression(f"map_extract_value({side.sql}, {name})", kind) for side, kind in ((left, old), (right, new))]
    body = _body(compiler, nodes[2], [Expression(name, met), *values], scope)
    both = [Expression(f"map_keys({side.sql})", array(met)) for side in (left, right)]
    keys = typed(compiler.queries.helpers, sets.array_union, both, array(met)).sql
    return Expression(f"map({keys}, list_transform({keys}, lambda {name}: {body.sql}))", map_of(met, body.type))


def _try(compiler: ExpressionCompiler, nodes: list[exp.Expression], scope: Scope) -> Expression:
    if len(nodes) != 1:
        raise StatementError("SYNTAX_ERROR", "TRY takes one expression")
    value = compiler.compile(nodes[0], scope)
    return Expression(f"TRY({value.sql})", value.type)


def _sorted(compiler: ExpressionCompiler, nodes: list[exp.Expression], scope: Scope) -> Expression:
    """Return array_sort, with a comparator or without."""
    if len(nodes) == 2:
        return _array_sort(compiler, nodes, scope)
    return array_sort([compiler.compile(node, scope) for node in nodes])


LAMBDAS: dict[str, _Translate] = {
    **COLLECTION_CALLS,
    "array_sort": _sorted,
    "transform": _transform,
    "filter": _filter,
    "any_match": _match("any_match"),
    "all_match": _match("all_match"),
    "none_match": _match("none_match"),
    "reduce": _reduce,
    "zip_with": _zip_with,
    "transform_values": _transform_values,
    "transform_keys": _transform_keys,
    "map_filter": _map_filter,
    "map_zip_with": _map_zip_with,
    "try": _try,
}
