"""Aggregate and window functions, with Trino's result types and its answers for no rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from local_aws.athena.arithmetic import decimal_division
from local_aws.athena.casts import coerce
from local_aws.athena.coercion import boolean, meet
from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.scope import Expression
from local_aws.athena.trino_types import (
    BIGINT,
    BOOLEAN,
    DOUBLE,
    Type,
    array,
    decimal,
    duckdb_name,
    is_integer,
    is_nested,
    map_of,
    trino_name,
)


@dataclass(frozen=True)
class Clauses:
    """What stands around an aggregate: each call that its translation makes gets all of it."""

    is_distinct: bool = False
    order: str = ""
    condition: str | None = None
    nulls: str = ""
    over: str = ""

    def call(self, name: str, *arguments: str, condition: str | None = None) -> str:
        """Return a DuckDB aggregate call; *condition* narrows the FILTER further."""
        conditions = [part for part in (self.condition, condition) if part]
        where = f" FILTER (WHERE {' AND '.join(conditions)})" if conditions else ""
        inside = ("DISTINCT " if self.is_distinct else "") + ", ".join(arguments)
        return f"{name}({inside}{' ' + self.order if self.order else ''}{self.nulls}){where}{self.over}"

    def plain(self, function: str) -> None:
        """Refuse clauses that *function* has no checked translation for."""
        if self.is_distinct or self.order or self.nulls:
            raise Unsupported(f"{function}() with DISTINCT, ORDER BY or IGNORE NULLS")


_Aggregate = Callable[[Clauses, list[Expression], bool], Expression]


def _arity(name: str, arguments: list[Expression], *allowed: int) -> None:
    if len(arguments) not in allowed:
        raise Unsupported(f"{name}() with {len(arguments)} arguments")


def _comparable(name: str, value: Expression) -> None:
    if is_nested(value.type) or value.type.name in ("json", "char"):
        raise Unsupported(f"{name}() of {trino_name(value.type)}")


def _count(clauses: Clauses, arguments: list[Expression], is_star: bool) -> Expression:
    if clauses.order or clauses.nulls:
        raise Unsupported("count() with ORDER BY or IGNORE NULLS")
    if is_star or not arguments:
        return Expression(clauses.call("count", "*"), BIGINT)
    _arity("count", arguments, 1)
    if clauses.is_distinct:
        _comparable("count(distinct)", arguments[0])
    return Expression(clauses.call("count", arguments[0].instant or arguments[0].sql), BIGINT)


def _count_if(clauses: Clauses, arguments: list[Expression], _: bool) -> Expression:
    _arity("count_if", arguments, 1)
    clauses.plain("count_if")
    return Expression(clauses.call("count", f"CASE WHEN {boolean(arguments[0], 'count_if')} THEN 1 END"), BIGINT)


def _sum(clauses: Clauses, arguments: list[Expression], _: bool) -> Expression:
    _arity("sum", arguments, 1)
    value = arguments[0]
    if value.type.name == "decimal":
        kind = decimal(38, value.type.args[1])
        return Expression(f"CAST({clauses.call('sum', value.sql)} AS {duckdb_name(kind)})", kind)
    if is_integer(value.type):
        return Expression(f"CAST({clauses.call('sum', value.sql)} AS BIGINT)", BIGINT)
    if value.type == DOUBLE:
        return Expression(clauses.call("sum", value.sql), DOUBLE)
    if value.type.name == "real" or value.type.name.startswith("interval"):
        raise Unsupported(f"sum() of {trino_name(value.type)}")
    raise StatementError("FUNCTION_NOT_FOUND", f"Unexpected parameters ({trino_name(value.type)}) for function sum")


def _avg(clauses: Clauses, arguments: list[Expression], _: bool) -> Expression:
    _arity("avg", arguments, 1)
    value = arguments[0]
    if value.type.name == "decimal":
        total, count = clauses.call("sum", value.sql), clauses.call("count", value.sql)
        return Expression(decimal_division(total, f"nullif({count}, 0)", value.type), value.type)
    if is_integer(value.type) or value.type == DOUBLE:
        return Expression(clauses.call("avg", f"CAST({value.sql} AS DOUBLE)"), DOUBLE)
    if value.type.name == "real" or value.type.name.startswith("interval"):
        raise Unsupported(f"avg() of {trino_name(value.type)}")
    raise StatementError("FUNCTION_NOT_FOUND", f"Unexpected parameters ({trino_name(value.type)}) for function avg")


def _extreme(name: str) -> _Aggregate:
    def translate(clauses: Clauses, arguments: list[Expression], _: bool) -> Expression:
        _arity(name, arguments, 1, 2)
        value = arguments[0]
        _comparable(name, value)
        if len(arguments) == 1:
            return Expression(clauses.call(name, value.sql), value.type)
        clauses.plain(name)
        if not isinstance(arguments[1].constant, int):
            raise Unsupported(f"{name}(x, n) with n that is no literal")
        return Expression(clauses.call(name, value.sql, f"CAST({arguments[1].constant} AS BIGINT)"), array(value.type))

    return translate


def _extreme_by(name: str, duckdb: str) -> _Aggregate:
    def translate(clauses: Clauses, arguments: list[Expression], _: bool) -> Expression:
        _arity(name, arguments, 2)
        clauses.plain(name)
        _comparable(name, arguments[1])
        return Expression(clauses.call(duckdb, arguments[0].sql, arguments[1].sql), arguments[0].type)

    return translate


def _array_agg(clauses: Clauses, arguments: list[Expression], _: bool) -> Expression:
    _arity("array_agg", arguments, 1)
    if clauses.nulls:
        raise Unsupported("array_agg() with IGNORE NULLS")
    return Expression(clauses.call("array_agg", arguments[0].sql), array(arguments[0].type))


def _boolean_aggregate(name: str) -> _Aggregate:
    def translate(clauses: Clauses, arguments: list[Expression], _: bool) -> Expression:
        _arity(name, arguments, 1)
        clauses.plain(name)
        duckdb = "bool_or" if name == "bool_or" else "bool_and"
        return Expression(clauses.call(duckdb, boolean(arguments[0], name)), BOOLEAN)

    return translate


def _approx_distinct(clauses: Clauses, arguments: list[Expression], _: bool) -> Expression:
    # Exact here, and so refused where Athena's sketch may be a few percent off.
    _arity("approx_distinct", arguments, 1)
    clauses.plain("approx_distinct")
    _comparable("approx_distinct", arguments[0])
    if clauses.over:
        raise Unsupported("approx_distinct() as a window function")
    counted = Clauses(is_distinct=True, condition=clauses.condition).call("count", arguments[0].sql)
    return Expression(f"t_few({counted})", BIGINT)


def _approx_percentile(clauses: Clauses, arguments: list[Expression], _: bool) -> Expression:
    _arity("approx_percentile", arguments, 2)
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


def _map_agg(clauses: Clauses, arguments: list[Expression], _: bool) -> Expression:
    _arity("map_agg", arguments, 2)
    clauses.plain("map_agg")
    key, value = arguments
    pairs = clauses.call("list", f"struct_pack(k := {key.sql}, v := {value.sql})", condition=f"{key.sql} IS NOT NULL")
    return Expression(f"t_map_of_pairs({pairs})", map_of(key.type, value.type))


def _multimap_agg(clauses: Clauses, arguments: list[Expression], _: bool) -> Expression:
    _arity("multimap_agg", arguments, 2)
    clauses.plain("multimap_agg")
    key, value = arguments
    pairs = clauses.call("list", f"struct_pack(k := {key.sql}, v := {value.sql})", condition=f"{key.sql} IS NOT NULL")
    return Expression(f"t_multimap_of_pairs({pairs})", map_of(key.type, array(value.type)))


def _histogram(clauses: Clauses, arguments: list[Expression], _: bool) -> Expression:
    _arity("histogram", arguments, 1)
    clauses.plain("histogram")
    _comparable("histogram", arguments[0])
    values = clauses.call("list", arguments[0].sql, condition=f"{arguments[0].sql} IS NOT NULL")
    return Expression(f"t_histogram({values})", map_of(arguments[0].type, BIGINT))


def _any_value(clauses: Clauses, arguments: list[Expression], _: bool) -> Expression:
    _arity("arbitrary", arguments, 1)
    clauses.plain("arbitrary")
    return Expression(clauses.call("any_value", arguments[0].sql), arguments[0].type)


def _statistic(name: str, duckdb: str) -> _Aggregate:
    def translate(clauses: Clauses, arguments: list[Expression], _: bool) -> Expression:
        _arity(name, arguments, 1)
        clauses.plain(name)
        return Expression(clauses.call(duckdb, coerce(arguments[0], DOUBLE).sql), DOUBLE)

    return translate


def _rank(name: str, kind: Type = BIGINT) -> _Aggregate:
    def translate(clauses: Clauses, arguments: list[Expression], _: bool) -> Expression:
        _arity(name, arguments, 0)
        clauses.plain(name)
        return Expression(clauses.call(name), kind)

    return translate


def _ntile(clauses: Clauses, arguments: list[Expression], _: bool) -> Expression:
    _arity("ntile", arguments, 1)
    clauses.plain("ntile")
    return Expression(clauses.call("ntile", coerce(arguments[0], BIGINT).sql), BIGINT)


def _neighbour(name: str) -> _Aggregate:
    def translate(clauses: Clauses, arguments: list[Expression], _: bool) -> Expression:
        _arity(name, arguments, 1, 2, 3)
        value = arguments[0]
        parts = [value.sql]
        if len(arguments) > 1:
            if not isinstance(arguments[1].constant, int) or arguments[1].constant < 0:
                raise Unsupported(f"{name}() with an offset that is no literal")
            parts.append(coerce(arguments[1], BIGINT).sql)
        if len(arguments) > 2:
            values, _kind = meet([value, arguments[2]], name)
            if values[0].type != value.type:
                raise StatementError("TYPE_MISMATCH", f"{name}(): the default does not have the type of the value")
            parts.append(values[1].sql)
        return Expression(clauses.call(name, *parts), value.type)

    return translate


def _edge(name: str) -> _Aggregate:
    def translate(clauses: Clauses, arguments: list[Expression], _: bool) -> Expression:
        _arity(name, arguments, 2 if name == "nth_value" else 1)
        parts = [arguments[0].sql, *(coerce(value, BIGINT).sql for value in arguments[1:])]
        return Expression(clauses.call(name, *parts), arguments[0].type)

    return translate


AGGREGATES: dict[str, _Aggregate] = {
    "count": _count,
    "count_if": _count_if,
    "sum": _sum,
    "avg": _avg,
    "min": _extreme("min"),
    "max": _extreme("max"),
    "min_by": _extreme_by("min_by", "arg_min_null"),
    "max_by": _extreme_by("max_by", "arg_max_null"),
    "array_agg": _array_agg,
    "bool_and": _boolean_aggregate("bool_and"),
    "every": _boolean_aggregate("every"),
    "bool_or": _boolean_aggregate("bool_or"),
    "approx_distinct": _approx_distinct,
    "approx_percentile": _approx_percentile,
    "map_agg": _map_agg,
    "multimap_agg": _multimap_agg,
    "histogram": _histogram,
    "arbitrary": _any_value,
    "any_value": _any_value,
    "stddev": _statistic("stddev", "stddev_samp"),
    "stddev_samp": _statistic("stddev_samp", "stddev_samp"),
    "stddev_pop": _statistic("stddev_pop", "stddev_pop"),
    "variance": _statistic("variance", "var_samp"),
    "var_samp": _statistic("var_samp", "var_samp"),
    "var_pop": _statistic("var_pop", "var_pop"),
}
WINDOW_ONLY: dict[str, _Aggregate] = {
    "row_number": _rank("row_number"),
    "rank": _rank("rank"),
    "dense_rank": _rank("dense_rank"),
    "percent_rank": _rank("percent_rank", DOUBLE),
    "cume_dist": _rank("cume_dist", DOUBLE),
    "ntile": _ntile,
    "lag": _neighbour("lag"),
    "lead": _neighbour("lead"),
    "first_value": _edge("first_value"),
    "last_value": _edge("last_value"),
    "nth_value": _edge("nth_value"),
}
