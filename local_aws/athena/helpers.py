"""What DuckDB lacks of Trino: functions in Python and macros, made known to one connection."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal
from typing import TYPE_CHECKING, Any

from local_aws.athena import json_text, regular_expressions, time_text
from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.trino_types import Type, duckdb_name

if TYPE_CHECKING:
    from collections.abc import Callable

    import duckdb

_EXACT = Context(prec=160, rounding=ROUND_HALF_UP)
_MOST_VALUES_OF_A_PERCENTILE = 50
_MOST_EXACT_DISTINCT_VALUES = 256

_MACROS = {
    "t_subscript": "(list, place, missing) AS CASE WHEN list IS NULL OR place IS NULL THEN NULL "
    "WHEN place >= 1 AND place <= len(list) THEN list[place] ELSE missing END",
    "t_map_subscript": "(entries, k, missing) AS CASE WHEN entries IS NULL OR k IS NULL THEN NULL "
    "WHEN map_contains(entries, k) THEN map_extract_value(entries, k) ELSE missing END",
    "t_divide": "(a, b) AS CASE WHEN b = 0 AND a = 0 THEN t_no_nan(a + b) ELSE a / b END",
    "t_sqrt": "(a) AS CASE WHEN a < 0 THEN t_no_nan(a) ELSE sqrt(a) END",
    "t_ln": "(a) AS CASE WHEN a <= 0 THEN t_no_nan(a) ELSE ln(a) END",
    "t_power": "(a, b) AS CASE WHEN a <= 0 AND b <> floor(b) OR a = 0 AND b < 0 THEN t_no_nan(a + b) "
    "ELSE power(a, b) END",
    "t_map_of_pairs": "(pairs) AS map_from_entries(list_filter(pairs, lambda e, i: "
    "list_position(list_transform(pairs, lambda p: p.k), e.k) = i))",
    "t_multimap_of_pairs": "(pairs) AS map_from_entries(list_transform("
    "list_distinct(list_transform(pairs, lambda p: p.k)), lambda q: struct_pack(k := q, "
    "v := list_transform(list_filter(pairs, lambda p: p.k = q), lambda p: p.v))))",
    "t_histogram": "(items) AS map_from_entries(list_transform(list_distinct(items), "
    "lambda q: struct_pack(k := q, v := CAST(len(list_filter(items, lambda e: e = q)) AS BIGINT))))",
    "t_upper": "(a) AS CASE WHEN regexp_full_match(a, '[\\x00-\\x7F]*') THEN upper(a) ELSE t_python_upper(a) END",
    "t_lower": "(a) AS CASE WHEN regexp_full_match(a, '[\\x00-\\x7F]*') THEN lower(a) ELSE t_python_lower(a) END",
}


def _fail(message: str) -> str:
    code, _, text = message.partition(": ")
    raise StatementError(code, text)


def _refuse(construct: str, _because_of: str) -> str:
    raise Unsupported(construct)


def _no_nan(_because_of: float) -> float:
    raise Unsupported("NaN or Infinity as the result of a function")


def _few(values: int) -> int:
    if values > _MOST_EXACT_DISTINCT_VALUES:
        raise Unsupported(f"approx_distinct() of more than {_MOST_EXACT_DISTINCT_VALUES} values; use count(distinct …)")
    return values


def _decimal_divide(dividend: str, divisor: str, scale: int) -> str:
    if Decimal(divisor) == 0:
        raise StatementError("DIVISION_BY_ZERO", "Division by zero")
    quotient = _EXACT.divide(Decimal(dividend), Decimal(divisor))
    return format(quotient.quantize(Decimal(1).scaleb(-scale), context=_EXACT), "f")


def _double_to_decimal(value: float, scale: int) -> str:
    if value != value or value in (float("inf"), float("-inf")):
        raise StatementError("INVALID_CAST_ARGUMENT", "Cannot cast NaN or Infinity to a decimal")
    unit = Decimal(1).scaleb(-scale)
    exact, printed = (_EXACT.quantize(number, unit) for number in (Decimal(value), Decimal(repr(value))))
    if exact != printed:
        raise Unsupported("cast from double to decimal of a value just at the middle between two decimals")
    return format(exact, "f")


def _percentile(values: list[Any], share: float) -> Any:
    if not 0 <= share <= 1:
        raise StatementError("INVALID_FUNCTION_ARGUMENT", "Percentile must be between 0 and 1")
    ordered = sorted(values)
    position = share * len(ordered)
    place = min(int(position), len(ordered) - 1)
    is_between = position == int(position) and 0 < position < len(ordered) and ordered[place] != ordered[place - 1]
    if is_between or len(ordered) > _MOST_VALUES_OF_A_PERCENTILE:
        raise Unsupported("approx_percentile() where a digest may differ from the exact value")
    return ordered[place]


def _upper(text: str) -> str:
    return "".join(letter.upper() if len(letter.upper()) == 1 else letter for letter in text)


def _lower(text: str) -> str:
    return "".join(letter.lower() if len(letter.lower()) == 1 else letter for letter in text)


def _any_match(tests: list[bool | None]) -> bool | None:
    return True if True in tests else (None if None in tests else False)


def _all_match(tests: list[bool | None]) -> bool | None:
    return False if False in tests else (None if None in tests else True)


def _none_match(tests: list[bool | None]) -> bool | None:
    found = _any_match(tests)
    return None if found is None else not found


_FUNCTIONS: tuple[tuple[str, Callable[..., Any], list[str], str], ...] = (
    ("t_fail", _fail, ["VARCHAR"], "VARCHAR"),
    ("t_refuse", _refuse, ["VARCHAR", "VARCHAR"], "VARCHAR"),
    ("t_no_nan", _no_nan, ["DOUBLE"], "DOUBLE"),
    ("t_few", _few, ["BIGINT"], "BIGINT"),
    ("t_decimal_divide", _decimal_divide, ["VARCHAR", "VARCHAR", "INTEGER"], "VARCHAR"),
    ("t_double_to_decimal", _double_to_decimal, ["DOUBLE", "INTEGER"], "VARCHAR"),
    ("t_percentile_bigint", _percentile, ["BIGINT[]", "DOUBLE"], "BIGINT"),
    ("t_percentile_double", _percentile, ["DOUBLE[]", "DOUBLE"], "DOUBLE"),
    ("t_percentiles_bigint", lambda v, s: [_percentile(v, share) for share in s], ["BIGINT[]", "DOUBLE[]"], "BIGINT[]"),
    ("t_percentiles_double", lambda v, s: [_percentile(v, share) for share in s], ["DOUBLE[]", "DOUBLE[]"], "DOUBLE[]"),
    ("t_python_upper", _upper, ["VARCHAR"], "VARCHAR"),
    ("t_python_lower", _lower, ["VARCHAR"], "VARCHAR"),
    ("t_any_match", _any_match, ["BOOLEAN[]"], "BOOLEAN"),
    ("t_all_match", _all_match, ["BOOLEAN[]"], "BOOLEAN"),
    ("t_none_match", _none_match, ["BOOLEAN[]"], "BOOLEAN"),
    ("t_iso_instant", time_text.iso_instant, ["VARCHAR"], "TIMESTAMP"),
    ("t_iso_date", time_text.iso_date, ["VARCHAR"], "DATE"),
    ("t_iso_utc", time_text.iso_utc, ["VARCHAR"], "TIMESTAMP"),
    ("t_date_format", time_text.date_format, ["TIMESTAMP", "VARCHAR"], "VARCHAR"),
    ("t_format_datetime", time_text.format_datetime, ["TIMESTAMP", "VARCHAR"], "VARCHAR"),
    ("t_regexp_like", regular_expressions.like, ["VARCHAR", "VARCHAR"], "BOOLEAN"),
    ("t_regexp_extract", regular_expressions.extract, ["VARCHAR", "VARCHAR", "BIGINT"], "VARCHAR"),
    ("t_regexp_extract_all", regular_expressions.extract_all, ["VARCHAR", "VARCHAR", "BIGINT"], "VARCHAR[]"),
    ("t_regexp_replace", regular_expressions.replace, ["VARCHAR", "VARCHAR", "VARCHAR"], "VARCHAR"),
    ("t_regexp_split", regular_expressions.split, ["VARCHAR", "VARCHAR"], "VARCHAR[]"),
    ("t_json_parse", json_text.parse, ["VARCHAR"], "VARCHAR"),
    ("t_json_extract", json_text.extract, ["VARCHAR", "VARCHAR"], "VARCHAR"),
    ("t_json_extract_scalar", json_text.extract_scalar, ["VARCHAR", "VARCHAR"], "VARCHAR"),
    ("t_json_size", json_text.size, ["VARCHAR", "VARCHAR"], "BIGINT"),
    ("t_json_array_length", json_text.array_length, ["VARCHAR"], "BIGINT"),
)


class Helpers:
    """
    Functions that one statement needs; install() makes the used ones known to its connection.

    *refusal* is what a function refused while the statement ran: TRY turns errors into NULL, but never a refusal.
    """

    def __init__(self) -> None:
        self._made: list[tuple[str, Callable[..., Any], list[str], str]] = []
        self.refusal: Unsupported | None = None

    def to_json(self, kind: Type) -> str:
        """Return the name of a function from *kind* to JSON text."""
        name = f"t_to_json_{len(self._made)}"
        self._made.append((name, lambda value: json_text.encode(value, kind), [duckdb_name(kind)], "VARCHAR"))
        return name

    def from_json(self, kind: Type) -> str:
        """Return the name of a function from JSON text to *kind*."""
        name = f"t_from_json_{len(self._made)}"
        self._made.append((name, lambda text: json_text.decode(text, kind), ["VARCHAR"], duckdb_name(kind)))
        return name

    def install(self, connection: duckdb.DuckDBPyConnection, sql: str) -> None:
        """Register what *sql* mentions, directly or through a macro."""
        macros = {name: body for name, body in _MACROS.items() if f"{name}(" in sql}
        wanted = sql + " ".join(macros.values())
        for name, function, arguments, result in (*_FUNCTIONS, *self._made):
            if f"{name}(" in wanted:
                call = _with_arity(self._guarded(function), len(arguments))
                connection.create_function(name, call, arguments, result, null_handling="special")
        for name, body in macros.items():
            connection.execute(f"CREATE TEMP MACRO {name}{body}")

    def _guarded(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            if any(argument is None for argument in arguments):
                return None
            try:
                return function(*arguments)
            except StatementError:
                raise
            except Unsupported as problem:
                self.refusal = problem
                raise
            except Exception as problem:
                self.refusal = Unsupported(f"a value that a helper function cannot take ({type(problem).__name__})")
                raise self.refusal from problem

        return call


def _with_arity(function: Callable[..., Any], arity: int) -> Callable[..., Any]:
    """Return *function* with as many named parameters as DuckDB was told, since it counts them."""
    return (lambda a: function(a), lambda a, b: function(a, b), lambda a, b, c: function(a, b, c))[arity - 1]
