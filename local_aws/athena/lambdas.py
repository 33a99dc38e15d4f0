"""Functions that take a lambda, and TRY: their arguments are translated in the scope of the lambda."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING

from sqlglot import exp

from local_aws.athena.casts import coerce
from local_aws.athena.coercion import boolean
from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.scope import Expression, Scope
from local_aws.athena.trino_types import BOOLEAN, Type, array, duckdb_name, map_of, trino_name

if TYPE_CHECKING:
    from local_aws.athena.expressions import ExpressionCompiler

_Translate = Callable[["ExpressionCompiler", list[exp.Expression], Scope], Expression]
_names = count()


def _lambda(
    compiler: ExpressionCompiler, node: exp.Expression, kinds: list[Type], scope: Scope
) -> tuple[str, Expression]:
    """Return the DuckDB head of a lambda and its translated body."""
    if not isinstance(node, exp.Lambda):
        raise StatementError("TYPE_MISMATCH", "a lambda is expected")
    if len(node.expressions) != len(kinds):
        raise StatementError("INVALID_PARAMETER_USAGE", f"a lambda with {len(kinds)} argument(s) is expected")
    number = next(_names) % 1_000_000
    labels = [f"l{number}_{index}" for index in range(len(kinds))]
    arguments = {
        part.name.lower(): Expression(label, kind)
        for part, label, kind in zip(node.expressions, labels, kinds, strict=True)
    }
    body = compiler.compile(node.this, scope.with_arguments(arguments).with_clause("a lambda"))
    return f"lambda {', '.join(labels)}:", body


def _list(compiler: ExpressionCompiler, nodes: list[exp.Expression], scope: Scope, size: int, name: str) -> Expression:
    if len(nodes) != size:
        raise Unsupported(f"{name}() with {len(nodes)} arguments")
    value = compiler.compile(nodes[0], scope)
    if value.type.name != "array":
        raise StatementError("FUNCTION_NOT_FOUND", f"{name} takes an array, not {trino_name(value.type)}")
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
    start = compiler.compile(nodes[1], scope)
    head, step = _lambda(compiler, nodes[2], [start.type, value.type.args[0]], scope)
    if duckdb_name(start.type) != duckdb_name(value.type.args[0]):
        raise Unsupported("reduce() whose state is not of the array's element type")
    step = coerce(step, start.type)
    state = f"list_reduce({value.sql}, {head} {step.sql}, {start.sql})"
    # The finish lambda is applied to the one state, as a list of one.
    head, finish = _lambda(compiler, nodes[3], [start.type], scope)
    return Expression(
        f"(CASE WHEN {value.sql} IS NULL THEN NULL ELSE list_transform([{state}], {head} {finish.sql})[1] END)",
        finish.type,
    )


def _transform_values(compiler: ExpressionCompiler, nodes: list[exp.Expression], scope: Scope) -> Expression:
    value = compiler.compile(nodes[0], scope)
    if value.type.name != "map" or len(nodes) != 2:
        raise StatementError("FUNCTION_NOT_FOUND", "transform_values takes a map and a lambda")
    key, old = value.type.args
    head, body = _lambda(compiler, nodes[1], [key, old], scope)
    names = head.removeprefix("lambda ").removesuffix(":").split(", ")
    outer = f"{names[0]}_e"
    inside = body.sql.replace(names[0], f"({outer}).key").replace(names[1], f"({outer}).value")
    entries = (
        f"list_transform(map_entries({value.sql}), lambda {outer}: struct_pack(k := ({outer}).key, v := {inside}))"
    )
    return Expression(f"map_from_entries({entries})", map_of(key, body.type))


def _try(compiler: ExpressionCompiler, nodes: list[exp.Expression], scope: Scope) -> Expression:
    if len(nodes) != 1:
        raise StatementError("SYNTAX_ERROR", "TRY takes one expression")
    value = compiler.compile(nodes[0], scope)
    return Expression(f"TRY({value.sql})", value.type)


LAMBDAS: dict[str, _Translate] = {
    "transform": _transform,
    "filter": _filter,
    "any_match": _match("any_match"),
    "all_match": _match("all_match"),
    "none_match": _match("none_match"),
    "reduce": _reduce,
    "transform_values": _transform_values,
    "try": _try,
}
