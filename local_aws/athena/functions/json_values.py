"""JSON functions over DuckDB: JSON values are held as text; the work is done by helpers in Python."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.functions.json_path import path_steps
from local_aws.athena.functions.json_text import check_path
from local_aws.athena.language.casts import as_bigint, coerce, quote, refuse
from local_aws.athena.language.coercion import want_text
from local_aws.athena.language.natives import same
from local_aws.athena.language.scope import Expression
from local_aws.athena.language.trino_types import (
    BIGINT,
    BOOLEAN,
    DOUBLE,
    JSON,
    VARCHAR,
    Type,
    duckdb_name,
    is_integer,
    is_numeric,
    trino_name,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from local_aws.athena.language.helpers import Helpers

_Arguments = list[Expression]
_ATOMS_FROM_JSON = ("varchar", "bigint", "integer", "smallint", "tinyint", "boolean", "double", "decimal", "json")
_ATOMS_TO_JSON = (*_ATOMS_FROM_JSON, "date", "timestamp", "unknown")


def _document(value: Expression, name: str) -> str:
    if value.type.name == "unknown":
        return coerce(value, VARCHAR).sql
    if value.type.name not in ("varchar", "json"):
        raise StatementError("FUNCTION_NOT_FOUND", f"{name} takes json or varchar, not {trino_name(value.type)}")
    return value.sql


def _path(value: Expression, name: str) -> str:
    if not isinstance(value.constant, str):
        raise Unsupported(f"{name}() with a path that is no literal")
    return value.constant


def _with_path(name: str, kind: Type | None) -> Callable[[_Arguments], Expression]:
    def translate(values: _Arguments) -> Expression:
        _count(name, values, 2)
        path = _path(values[1], name)
        check_path(path)
        result = kind or (VARCHAR if values[0].type == JSON else same(values))
        return Expression(f"t_{name}_0({_document(values[0], name)}, {quote(path)})", result)

    return translate


def _with_sql_path(name: str, kind: Type) -> Callable[[_Arguments], Expression]:
    def translate(values: _Arguments) -> Expression:
        _count(name, values, 2)
        path = _path(values[1], name)
        path_steps(path)
        text = want_text(values[0], name)
        found = f"t_{name}_0({text}, {quote(path)})"
        if name == "json_exists":
            unknown = refuse("json_exists() of NULL", BOOLEAN, f"coalesce({text}, '')")
            found = f"(CASE WHEN {text} IS NULL THEN {unknown} ELSE {found} END)"
        return Expression(found, kind)

    return translate


def _count(name: str, values: _Arguments, size: int) -> None:
    if len(values) != size:
        raise Unsupported(f"{name}() with {len(values)} arguments")


def _parse(values: _Arguments) -> Expression:
    _count("json_parse", values, 1)
    return Expression(f"t_json_parse_0({want_text(values[0], 'json_parse')})", JSON)


def _format(values: _Arguments) -> Expression:
    _count("json_format", values, 1)
    if values[0].type == VARCHAR or values[0].type.name not in ("json", "unknown"):
        raise StatementError("FUNCTION_NOT_FOUND", f"json_format takes json, not {trino_name(values[0].type)}")
    return Expression(coerce(values[0], JSON).sql, VARCHAR)


def _of_document(name: str, kind: Type) -> Callable[[_Arguments], Expression]:
    def translate(values: _Arguments) -> Expression:
        _count(name, values, 1)
        return Expression(f"t_{name}_0({_document(values[0], name)})", kind)

    return translate


def _array_get(values: _Arguments) -> Expression:
    _count("json_array_get", values, 2)
    document = _document(values[0], "json_array_get")
    return Expression(f"t_json_array_get_0({document}, {as_bigint(values[1])})", JSON)


def _array_contains(values: _Arguments) -> Expression:
    _count("json_array_contains", values, 2)
    document, wanted = _document(values[0], "json_array_contains"), values[1]
    if wanted.type == BOOLEAN:
        index, text = 0, wanted.sql
    elif is_integer(wanted.type):
        index, text = 1, as_bigint(wanted)
    elif is_numeric(wanted.type):
        index, text = 2, coerce(wanted, DOUBLE).sql
    else:
        index, text = 3, want_text(wanted, "json_array_contains")
    return Expression(f"t_json_array_contains_{index}({document}, {text})", BOOLEAN)


FUNCTIONS: dict[str, Callable[[_Arguments], Expression]] = {
    "json_parse": _parse,
    "json_format": _format,
    "json_extract": _with_path("json_extract", JSON),
    "json_extract_scalar": _with_path("json_extract_scalar", None),
    "json_size": _with_path("json_size", BIGINT),
    "json_array_length": _of_document("json_array_length", BIGINT),
    "json_array_get": _array_get,
    "json_array_contains": _array_contains,
    "is_json_scalar": _of_document("is_json_scalar", BOOLEAN),
    "json_value": _with_sql_path("json_value", VARCHAR),
    "json_query": _with_sql_path("json_query", VARCHAR),
    "json_exists": _with_sql_path("json_exists", BOOLEAN),
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
    elif kind.name == "row" and (way == "from JSON" or all(name for name, _ in kind.args)):
        for _, field in kind.args:
            _check(field, way)
    elif kind.name not in (_ATOMS_TO_JSON if way == "to JSON" else _ATOMS_FROM_JSON):
        raise Unsupported(f"cast {way}: {trino_name(kind)}")
