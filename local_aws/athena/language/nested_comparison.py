"""
Arrays, maps and rows compared as Trino compares them: a NULL inside makes the answer unknown, not equal.

Source: equality of https://trino.io/docs/current/language/types.html, and Trino's ArrayType, MapType and RowType.
"""

from __future__ import annotations

from itertools import count

from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.language.casts import fail
from local_aws.athena.language.trino_types import BOOLEAN, Type, is_nested, trino_name

_names = count()


def contains_type(kind: Type, *names: str) -> bool:
    """Tell whether *kind* is, or has inside, a type of one of *names*."""
    if kind.name in names:
        return True
    if kind.name == "row":
        return any(contains_type(field, *names) for _, field in kind.args)
    return kind.name in ("array", "map") and any(contains_type(part, *names) for part in kind.args)


def check_groupable(kind: Type, where: str) -> None:
    """Refuse types whose DuckDB equality, NULLs counting as equal, is not Trino's IS NOT DISTINCT FROM."""
    if contains_type(kind, "map", "json", "char"):
        raise Unsupported(f"{where} of {trino_name(kind)}")


def compared(operator: str, left: str, right: str, kind: Type) -> str:
    """
    Return DuckDB text of a comparison of two nested values of *kind*.

    Raises: StatementError for < of maps; Unsupported for what was not checked.
    """
    if contains_type(kind, "json", "char"):
        raise Unsupported(f"comparison of {trino_name(kind)}")
    if operator in ("=", "<>"):
        same = _equal(left, right, kind)
        return same if operator == "=" else f"(NOT {same})"
    if "DISTINCT" in operator:
        check_groupable(kind, "IS DISTINCT FROM")
        return f"({left} {operator} {right})"
    if contains_type(kind, "map"):
        raise StatementError("TYPE_MISMATCH", f"Cannot apply operator: {trino_name(kind)} {operator}")
    if kind.name != "row" or any(is_nested(field) for _, field in kind.args):
        raise Unsupported(f"{operator} of {trino_name(kind)}")
    return _ordered_rows(operator, left, right, len(kind.args))


def _equal(left: str, right: str, kind: Type) -> str:
    if not is_nested(kind):
        return f"({left} = {right})"
    nulls = f"WHEN {left} IS NULL OR {right} IS NULL THEN NULL"
    if kind.name == "row":
        fields = (_equal(f"({left}).f{i}", f"({right}).f{i}", field) for i, (_, field) in enumerate(kind.args))
        return f"(CASE {nulls} ELSE ({' AND '.join(fields)}) END)"
    name = f"q{next(_names) % 1_000_000}"
    if kind.name == "array":
        test = _equal(f"({left})[{name}]", f"({right})[{name}]", kind.args[0])
        every = f"list_transform(generate_series(1, len({left})), lambda {name}: {test})"
        sizes = f"len({left}) <> len({right})"
    else:
        values = (f"map_extract_value({side}, {name})" for side in (left, right))
        test = f"CASE WHEN map_contains({right}, {name}) THEN {_equal(*values, kind.args[1])} ELSE false END"
        every = f"list_transform(map_keys({left}), lambda {name}: {test})"
        sizes = f"cardinality({left}) <> cardinality({right})"
    return f"(CASE {nulls} WHEN {sizes} THEN false ELSE t_all_match({every}) END)"


def _ordered_rows(operator: str, left: str, right: str, size: int) -> str:
    """Compare field by field; a NULL that is reached fails the query."""
    no_null = fail("NOT_SUPPORTED", "ROW comparison not supported for fields with null elements", BOOLEAN)
    text = "true" if operator in ("<=", ">=") else "false"
    for index in reversed(range(size)):
        a, b = f"({left}).f{index}", f"({right}).f{index}"
        nulls = f"WHEN {a} IS NULL OR {b} IS NULL THEN {no_null}"
        text = f"CASE {nulls} WHEN {a} <> {b} THEN {a} {operator[0]} {b} ELSE {text} END"
    return f"(CASE WHEN {left} IS NULL OR {right} IS NULL THEN NULL ELSE {text} END)"
