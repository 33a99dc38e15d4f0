"""Window functions: ranks, neighbours and values of a frame."""

from __future__ import annotations

from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.functions.aggregate_clauses import Aggregate, Clauses, arity
from local_aws.athena.language.casts import coerce
from local_aws.athena.language.coercion import meet
from local_aws.athena.language.scope import Expression
from local_aws.athena.language.trino_types import BIGINT, DOUBLE, Type


def _rank(name: str, kind: Type = BIGINT) -> Aggregate:
    def translate(clauses: Clauses, arguments: list[Expression], _: bool) -> Expression:
        arity(name, arguments, 0)
        return Expression(clauses.call(name), kind)

    return translate


def _ntile(clauses: Clauses, arguments: list[Expression], _: bool) -> Expression:
    arity("ntile", arguments, 1)
    _at_least_one(arguments[0], "ntile")
    return Expression(clauses.call("ntile", coerce(arguments[0], BIGINT).sql), BIGINT)


def _at_least_one(value: Expression, name: str) -> None:
    if not isinstance(value.constant, int):
        raise Unsupported(f"{name}() with a number that is no literal")
    if value.constant < 1:
        raise StatementError("INVALID_FUNCTION_ARGUMENT", f"the number of {name}() must be at least 1")


def _neighbour(name: str) -> Aggregate:
    def translate(clauses: Clauses, arguments: list[Expression], _: bool) -> Expression:
        arity(name, arguments, 1, 2, 3)
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


def _edge(name: str) -> Aggregate:
    def translate(clauses: Clauses, arguments: list[Expression], _: bool) -> Expression:
        arity(name, arguments, 2 if name == "nth_value" else 1)
        if name == "nth_value":
            _at_least_one(arguments[1], name)
        parts = [arguments[0].sql, *(coerce(value, BIGINT).sql for value in arguments[1:])]
        return Expression(clauses.call(name, *parts), arguments[0].type)

    return translate


WINDOW_ONLY: dict[str, Aggregate] = {
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
