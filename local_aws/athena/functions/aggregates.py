"""Aggregate functions, with Trino's result types and its answers for no rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.functions import statistics
from local_aws.athena.functions.aggregate_clauses import Aggregate, Clauses, arity, comparable
from local_aws.athena.functions.collecting_aggregates import COLLECTING
from local_aws.athena.functions.collection_calls import typed
from local_aws.athena.language.arithmetic import decimal_division
from local_aws.athena.language.casts import coerce
from local_aws.athena.language.coercion import boolean
from local_aws.athena.language.nested_comparison import check_groupable
from local_aws.athena.language.scope import Expression
from local_aws.athena.language.trino_types import (
    BIGINT,
    BOOLEAN,
    DOUBLE,
    INTERVAL_DAY,
    array,
    decimal,
    duckdb_name,
    is_integer,
    row,
    trino_name,
)

if TYPE_CHECKING:
    from collections.abc import Callable


def _count(clauses: Clauses, arguments: list[Expression], is_star: bool) -> Expression:
    if clauses.order or clauses.nulls:
        raise Unsupported("count() with ORDER BY or IGNORE NULLS")
    if is_star or not arguments:
        return Expression(clauses.call("count", "*"), BIGINT)
    arity("count", arguments, 1)
    if clauses.is_distinct:
        check_groupable(arguments[0].type, "count(distinct)")
    return Expression(clauses.call("count", arguments[0].instant or arguments[0].sql), BIGINT)


def _count_if(clauses: Clauses, arguments: list[Expression], _: bool) -> Expression:
    arity("count_if", arguments, 1)
    clauses.plain("count_if")
    return Expression(clauses.call("count", f"CASE WHEN {boolean(arguments[0], 'count_if')} THEN 1 END"), BIGINT)


def _sum(clauses: Clauses, arguments: list[Expression], _: bool) -> Expression:
    arity("sum", arguments, 1)
    value = arguments[0]
    if value.type.name == "decimal":
        kind = decimal(38, value.type.args[1])
        return Expression(f"CAST({clauses.call('sum', value.sql)} AS {duckdb_name(kind)})", kind)
    if is_integer(value.type):
        return Expression(f"CAST({clauses.call('sum', value.sql)} AS BIGINT)", BIGINT)
    if value.type == DOUBLE:
        return Expression(clauses.call("sum", value.sql), DOUBLE)
    if value.type.name == "real":
        return Expression(f"CAST({clauses.call('sum', f'CAST({value.sql} AS DOUBLE)')} AS FLOAT)", value.type)
    if value.type.name.startswith("interval"):
        return Expression(f"CAST({clauses.call('sum', value.sql)} AS {duckdb_name(value.type)})", value.type)
    raise StatementError("FUNCTION_NOT_FOUND", f"Unexpected parameters ({trino_name(value.type)}) for function sum")


def _avg(clauses: Clauses, arguments: list[Expression], _: bool) -> Expression:
    arity("avg", arguments, 1)
    value = arguments[0]
    if value.type.name == "decimal":
        total, count = clauses.call("sum", value.sql), clauses.call("count", value.sql)
        return Expression(decimal_division(total, f"nullif({count}, 0)", value.type), value.type)
    if is_integer(value.type) or value.type == DOUBLE:
        return Expression(clauses.call("avg", f"CAST({value.sql} AS DOUBLE)"), DOUBLE)
    mean = clauses.call("avg", f"CAST({value.sql} AS DOUBLE)")
    if value.type.name == "real":
        return Expression(f"CAST({mean} AS FLOAT)", value.type)
    if value.type == INTERVAL_DAY:
        # Java's Math.round: halves up
        return Expression(f"CAST(floor({mean} + 0.5) AS BIGINT)", INTERVAL_DAY)
    if value.type.name.startswith("interval"):
        raise Unsupported(f"avg() of {trino_name(value.type)}")
    raise StatementError("FUNCTION_NOT_FOUND", f"Unexpected parameters ({trino_name(value.type)}) for function avg")


def _boolean_aggregate(name: str) -> Aggregate:
    def translate(clauses: Clauses, arguments: list[Expression], _: bool) -> Expression:
        arity(name, arguments, 1)
        clauses.plain(name)
        duckdb = "bool_or" if name == "bool_or" else "bool_and"
        return Expression(clauses.call(duckdb, boolean(arguments[0], name)), BOOLEAN)

    return translate


def _approx_distinct(clauses: Clauses, arguments: list[Expression], _: bool) -> Expression:
    # Exact here, and so refused where Athena's sketch may be a few percent off.
    arity("approx_distinct", arguments, 1)
    clauses.plain("approx_distinct")
    comparable("approx_distinct", arguments[0])
    if clauses.over:
        raise Unsupported("approx_distinct() as a window function")
    counted = Clauses(clauses.helpers, is_distinct=True, condition=clauses.condition).call("count", arguments[0].sql)
    return Expression(f"t_few({counted})", BIGINT)


def _approx_percentile(clauses: Clauses, arguments: list[Expression], _: bool) -> Expression:
    arity("approx_percentile", arguments, 2)
    clauses.plain("approx_percentile")
    value, share = arguments
    kind = BIGINT if is_integer(value.type) else value.type
    if kind.name == "decimal":
        kind = DOUBLE
    if kind not in (BIGINT, DOUBLE):
        raise Unsupported(f"approx_percentile() of {trino_name(value.type)}")
    is_list = share.type.name == "array"
    shares = coerce(share, array(DOUBLE) if is_list else DOUBLE).sql
    values = clauses.call("list", coerce(value, kind).sql, condition=f"{value.sql} IS NOT NULL")
    # The exact percentile, as a digest of a few values gives it; t_percentile refuses where a digest may differ.
    name = f"t_percentile{'s' if is_list else ''}_{'bigint' if kind == BIGINT else 'double'}"
    return Expression(f"{name}({values}, {shares})", array(kind) if is_list else kind)


def _bits(name: str, duckdb: str) -> Aggregate:
    def translate(clauses: Clauses, arguments: list[Expression], _: bool) -> Expression:
        arity(name, arguments, 1)
        clauses.plain(name)
        return Expression(clauses.call(duckdb, coerce(arguments[0], BIGINT).sql), BIGINT)

    return translate


def _python_statistic(call: Callable[..., Any], size: int) -> Aggregate:
    """Return a translation of a statistic that is computed in Python over one column or two."""

    def translate(clauses: Clauses, arguments: list[Expression], _: bool) -> Expression:
        name = call.__name__
        arity(name, arguments, size)
        clauses.plain(name)
        values = [coerce(value, DOUBLE).sql for value in arguments]
        kind = DOUBLE if size == 1 else row((None, DOUBLE), (None, DOUBLE))
        item = values[0] if size == 1 else f"struct_pack(f0 := {values[0]}, f1 := {values[1]})"
        listed = clauses.call("list", item, condition=" AND ".join(f"{value} IS NOT NULL" for value in values))
        return typed(clauses.helpers, call, [Expression(listed, array(kind))], DOUBLE)

    return translate


def _statistic(name: str, duckdb: str) -> Aggregate:
    def translate(clauses: Clauses, arguments: list[Expression], _: bool) -> Expression:
        arity(name, arguments, 1)
        clauses.plain(name)
        return Expression(clauses.call(duckdb, coerce(arguments[0], DOUBLE).sql), DOUBLE)

    return translate


AGGREGATES: dict[str, Aggregate] = {
    **COLLECTING,
    "count": _count,
    "count_if": _count_if,
    "sum": _sum,
    "avg": _avg,
    "bool_and": _boolean_aggregate("bool_and"),
    "every": _boolean_aggregate("every"),
    "bool_or": _boolean_aggregate("bool_or"),
    "approx_distinct": _approx_distinct,
    "approx_percentile": _approx_percentile,
    "bitwise_and_agg": _bits("bitwise_and_agg", "bit_and"),
    "bitwise_or_agg": _bits("bitwise_or_agg", "bit_or"),
    "bitwise_xor_agg": _bits("bitwise_xor_agg", "bit_xor"),
    "covar_pop": _python_statistic(statistics.covar_pop, 2),
    "covar_samp": _python_statistic(statistics.covar_samp, 2),
    "corr": _python_statistic(statistics.corr, 2),
    "regr_slope": _python_statistic(statistics.regr_slope, 2),
    "regr_intercept": _python_statistic(statistics.regr_intercept, 2),
    "skewness": _python_statistic(statistics.skewness, 1),
    "kurtosis": _python_statistic(statistics.kurtosis, 1),
    "geometric_mean": _python_statistic(statistics.geometric_mean, 1),
    "stddev": _statistic("stddev", "stddev_samp"),
    "stddev_samp": _statistic("stddev_samp", "stddev_samp"),
    "stddev_pop": _statistic("stddev_pop", "stddev_pop"),
    "variance": _statistic("variance", "var_samp"),
    "var_samp": _statistic("var_samp", "var_samp"),
    "var_pop": _statistic("var_pop", "var_pop"),
}
