"""Function calls: which kind of function a name is, and the clauses (DISTINCT, FILTER, OVER …) around a call."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.functions import json_values, scalars, strings, temporal
from local_aws.athena.functions.aggregate_clauses import Clauses
from local_aws.athena.functions.aggregates import AGGREGATES
from local_aws.athena.functions.window_functions import WINDOW_ONLY
from local_aws.athena.language import lambdas, windows
from local_aws.athena.language.casts import cast
from local_aws.athena.language.coercion import boolean
from local_aws.athena.language.scope import Expression, Scope
from local_aws.athena.language.trino_types import JSON, TIME, Type

if TYPE_CHECKING:
    from local_aws.athena.language.expressions import ExpressionCompiler

_MOMENTS = ("now", "current_timestamp", "localtimestamp", "current_date", "localtime")


def json_cast(compiler: ExpressionCompiler, value: Expression, kind: Type) -> Expression:
    """Return a CAST, by way of JSON where one side is JSON."""
    if kind == TIME and value.type != TIME:
        return temporal.cast_to_time(value)
    if value.type != kind and JSON in (value.type, kind) and value.type.name != "unknown":
        return json_values.cast_json(compiler.queries.helpers, value, kind)
    return cast(value, kind)


def call(compiler: ExpressionCompiler, node: exp.Expression, scope: Scope) -> Expression:
    """
    Return a function call with its clauses.

    Raises: Unsupported for functions that are not listed, StatementError for misused ones.
    """
    outer = node
    window = node if isinstance(node, exp.Window) else None
    node = node.this if window else node
    nulls = node if isinstance(node, exp.IgnoreNulls | exp.RespectNulls) else None
    node = node.this if nulls else node
    where = node if isinstance(node, exp.Filter) else None
    node = node.this if where else node
    within = node if isinstance(node, exp.WithinGroup) else None
    node = node.this if within else node
    if not isinstance(node, exp.Anonymous) or not isinstance(node.this, str):
        raise Unsupported(f"{node.key.upper()} with a window, filter or null treatment")
    name = node.this.lower()
    is_aggregate = name in AGGREGATES or name in WINDOW_ONLY
    if not is_aggregate:
        if outer is not node:
            raise Unsupported(f"{name}() with OVER, FILTER or IGNORE NULLS")
        return _plain(compiler, name, node, scope)
    if (within is not None) != (name == "listagg"):
        raise Unsupported(f"{name}() {'with' if within else 'without'} WITHIN GROUP")
    return _aggregate(compiler, name, node, (window, nulls, where, within), scope)


def known_functions() -> set[str]:
    """Return the names of all functions that are translated."""
    return {
        *AGGREGATES,
        *WINDOW_ONLY,
        *lambdas.LAMBDAS,
        *json_values.FUNCTIONS,
        *scalars.SCALARS,
        *_MOMENTS,
        "grouping",
    }


def _plain(compiler: ExpressionCompiler, name: str, node: exp.Anonymous, scope: Scope) -> Expression:
    if any(isinstance(part, exp.Star | exp.Distinct | exp.Order) for part in node.expressions):
        raise Unsupported(f"{name}() with *, DISTINCT or ORDER BY")
    if name in lambdas.LAMBDAS:
        return lambdas.LAMBDAS[name](compiler, node.expressions, scope)
    if any(isinstance(part, exp.Lambda) for part in node.expressions):
        raise Unsupported(f"{name}() with a lambda")
    if name in _MOMENTS:
        if node.expressions:
            raise Unsupported(f"{name}(precision)")
        return compiler.queries.moment(node, {"current_timestamp": "now", "current_date": "date"}.get(name, name))
    nodes = strings.with_form(node.expressions) if name == "normalize" else node.expressions
    arguments = [compiler.compile(part, scope) for part in nodes]
    if name in json_values.FUNCTIONS:
        return json_values.FUNCTIONS[name](arguments)
    if name == "grouping":
        if scope.clause:
            raise StatementError("INVALID_FUNCTION_ARGUMENT", f"grouping() is not allowed in {scope.clause}")
        return Expression(f"CAST(grouping({', '.join(value.sql for value in arguments)}) AS INTEGER)", Type("integer"))
    function = scalars.SCALARS.get(name)
    if function is None:
        raise Unsupported(f"function {name}()")
    least, most = function.arity
    if not least <= len(arguments) <= most:
        raise Unsupported(f"{name}() with {len(arguments)} arguments")
    return function.translate(arguments)


def _aggregate(compiler, name: str, node: exp.Anonymous, around: tuple, scope: Scope) -> Expression:
    window, nulls, where, within = around
    if scope.clause:
        raise StatementError(
            "EXPRESSION_NOT_SCALAR", f"{scope.clause} cannot contain aggregations or window functions: {name}"
        )
    if window is None and name in WINDOW_ONLY:
        raise StatementError("MISSING_OVER", f"Window function {name} requires OVER")
    if nulls is not None and name not in ("lag", "lead", "first_value", "last_value", "nth_value"):
        raise StatementError("NULL_TREATMENT_NOT_ALLOWED", f"Cannot specify null treatment clause for {name} function")
    if where is not None and name in WINDOW_ONLY:
        raise StatementError("FUNCTION_NOT_AGGREGATE", f"Filter is only valid for aggregation functions: {name}")
    if where is not None and window is not None:
        raise StatementError("NOT_SUPPORTED", "FILTER is not yet supported for window functions")
    # Inside an aggregate there are no aggregates, inside a window function there may be.
    inner = scope.with_clause("an argument of an aggregation") if window is None else scope
    parts, is_distinct, order = list(node.expressions), False, None
    if parts and isinstance(parts[-1], exp.Order):
        order = parts.pop()
        parts.append(order.this)
    if parts and isinstance(parts[0], exp.Distinct):
        is_distinct, parts = True, [*parts[0].expressions, *parts[1:]]
    if is_distinct and window is not None:
        raise StatementError("NOT_SUPPORTED", "DISTINCT in window function parameters is not supported")
    if order is not None and window is not None:
        raise StatementError("NOT_SUPPORTED", "Window function with ORDER BY is not supported")
    order = within.expression if within is not None else order
    arguments = [] if parts and isinstance(parts[0], exp.Star) else [compiler.compile(part, inner) for part in parts]
    condition = boolean(compiler.compile(where.expression.this, inner), "FILTER") if where else None
    clauses = Clauses(
        compiler.queries.helpers,
        is_distinct=is_distinct,
        order=_order(compiler, order, inner) if order else "",
        condition=condition,
        nulls=" IGNORE NULLS" if isinstance(nulls, exp.IgnoreNulls) else "",
        over=windows.over(name, window, scope, compiler.compile, sort_text) if window else "",
    )
    if window:
        scope.block.has_window = True
    else:
        scope.block.has_aggregate = True
    return replace(
        (AGGREGATES.get(name) or WINDOW_ONLY[name])(clauses, arguments, bool(parts) and not arguments), constant=None
    )


def _order(compiler: ExpressionCompiler, node: exp.Order, scope: Scope) -> str:
    return "ORDER BY " + ", ".join(ordering(compiler, part, scope) for part in node.expressions)


def ordering(compiler: ExpressionCompiler, node: exp.Ordered, scope: Scope) -> str:
    """Return one ORDER BY term; NULLs come last in both directions unless the statement says otherwise."""
    value = compiler.compile(node.this, scope)
    return sort_text(value, node)


def sort_text(value: Expression, node: exp.Ordered) -> str:
    """Return *value* with direction and place of NULLs."""
    if value.type.name in ("map", "row", "array", "json"):
        raise Unsupported(f"ORDER BY of {value.type}")
    direction = "DESC" if node.args.get("desc") else "ASC"
    return f"{value.instant or value.sql} {direction} NULLS {'FIRST' if node.args.get('nulls_first') else 'LAST'}"
