"""JSON functions over DuckDB: JSON values are held as text; the work is done by helpers in Python."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local_aws.athena.casts import quote
from local_aws.athena.coercion import want_text
from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.scope import Expression
from local_aws.athena.trino_types import BIGINT, JSON, VARCHAR, Type, duckdb_name, trino_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from local_aws.athena.helpers import Helpers


def _document(value: Expression, name: str) -> str:
    if value.type.name not in ("varchar", "json"):
        raise StatementError("FUNCTION_NOT_FOUND", f"{name} takes json or varchar, not {trino_name(value.type)}")
    return value.sql


def _path(value: Expression, name: str) -> str:
    if not isinstance(value.constant, str):
        raise Unsupported(f"{name}() with a path that is no literal")
    return quote(value.constant)


def _with_path(name: str, kind: Type) -> Callable[[list[Expression]], Expression]:
    def translate(values: list[Expression]) -> Expression:
        _count(name, values, 2)
        return Expression(f"t_{name}({_document(values[0], name)}, {_path(values[1], name)})", kind)

    return translate


def _count(name: str, values: list[Expression], size: int) -> None:
    if len(values) != size:
        raise Unsupported(f"{name}() with {len(values)} arguments")


def _parse(values: list[Expression]) -> Expression:
    _count("json_parse", values, 1)
    return Expression(f"t_json_parse({want_text(values[0], 'json_parse')})", JSON)


def _format(values: list[Expression]) -> Expression:
    _count("json_format", values, 1)
    if values[0].type != JSON:
        raise StatementError("FUNCTION_NOT_FOUND", f"json_format takes json, not {trino_name(values[0].type)}")
    return Expression(values[0].sql, VARCHAR)


def _array_length(values: list[Expression]) -> Expression:
    _count("json_array_length", values, 1)
    return Expression(f"t_json_array_length({_document(values[0], 'json_array_length')})", BIGINT)


FUNCTIONS: dict[str, Callable[[list[Expression]], Expression]] = {
    "json_parse": _parse,
    "json_format": _format,
    "json_extract": _with_path("json_extract", JSON),
    "json_extract_scalar": _with_path("json_extract_scalar", VARCHAR),
    "json_size": _with_path("json_size", BIGINT),
    "json_array_length": _array_length,
}


def cast_json(helpers: Helpers, value: Expression, kind: Type) -> Expression:
    """
    Return a cast to or from JSON through a helper made for these two types.

    Raises: Unsupported for types whose JSON form was not checked.
    """
    if kind == JSON:
        _check(value.type, "to JSON")
        name = helpers.to_json(value.type)
        return Expression(f"{name}({value.sql})", JSON)
    _check(kind, "from JSON")
    name = helpers.from_json(kind)
    return Expression(f"CAST({name}({value.sql}) AS {duckdb_name(kind)})", kind)


def _check(kind: Type, way: str) -> None:
    if kind.name in ("array", "map"):
        if kind.name == "map" and kind.args[0].name != "varchar":
            raise Unsupported(f"cast {way}: {trino_name(kind)}")
        _check(kind.args[-1], way)
    elif kind.name == "row" and way == "to JSON" and all(name for name, _ in kind.args):
        for _, field in kind.args:
            _check(field, way)
    elif kind.name not in ("varchar", "bigint", "integer", "smallint", "tinyint", "boolean") and kind.name != "unknown":
        raise Unsupported(f"cast {way}: {trino_name(kind)}")
