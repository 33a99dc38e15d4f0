"""What DuckDB lacks of Trino: functions in Python and macros, made known to one connection."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal
from typing import TYPE_CHECKING, Any

from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.functions import (
    binary,
    bitwise,
    floating_text,
    json_casts,
    json_path,
    json_text,
    maths,
    regular_expressions,
    strings,
    time_parsing,
    time_text,
    urls,
    zones,
)
from local_aws.athena.language.trino_types import Type, duckdb_name

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
    "t_substr": "(a, start, size) AS CASE WHEN a IS NULL OR start IS NULL OR size IS NULL THEN NULL "
    "WHEN start = 0 OR size <= 0 OR start > length(a) OR start < -length(a) THEN '' "
    "ELSE substr(a, start, least(size, length(a))) END",
    "t_ordered": "(a) AS CASE WHEN isnan(a) THEN t_no_nan(a) ELSE a END",
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
    # The plain form, in UTC, without Python: it is what whole columns are written in.
    "t_iso_instant": "(a) AS CASE WHEN regexp_full_match(a, '[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}"
    "([.][0-9]{1,3})?Z') THEN coalesce(try_strptime(a, ['%Y-%m-%dT%H:%M:%SZ', '%Y-%m-%dT%H:%M:%S.%gZ']), "
    "t_python_iso_instant(a)) ELSE t_python_iso_instant(a) END",
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
    ("t_python_upper", strings.upper, ["VARCHAR"], "VARCHAR"),
    ("t_python_lower", strings.lower, ["VARCHAR"], "VARCHAR"),
    ("t_any_match", _any_match, ["BOOLEAN[]"], "BOOLEAN"),
    ("t_all_match", _all_match, ["BOOLEAN[]"], "BOOLEAN"),
    ("t_none_match", _none_match, ["BOOLEAN[]"], "BOOLEAN"),
    *binary.HELPERS,
    *bitwise.HELPERS,
    *floating_text.HELPERS,
    *json_path.HELPERS,
    *json_text.HELPERS,
    *maths.HELPERS,
    *regular_expressions.HELPERS,
    *strings.HELPERS,
    *time_parsing.HELPERS,
    *time_text.HELPERS,
    *urls.HELPERS,
    *zones.HELPERS,
)


class Helpers:
    """
    Functions that one statement needs; install() makes the used ones known to its connection, remove() unknown again.

    *refusal* is what a function refused while the statement ran: TRY turns errors into NULL, but never a refusal.
    """

    def __init__(self) -> None:
        self._made: list[tuple[str, Callable[..., Any], list[str], str]] = []
        self._nullable: set[str] = set()
        self._installed: list[str] = []
        self.refusal: Unsupported | None = None

    def to_json(self, kind: Type) -> str:
        """Return the name of a function from *kind* to JSON text."""
        name = f"t_to_json_{len(self._made)}"
        self._made.append((name, lambda value: json_casts.encode(value, kind), [duckdb_name(kind)], "VARCHAR"))
        return name

    def from_json(self, kind: Type) -> str:
        """Return the name of a function from JSON text to *kind*."""
        name = f"t_from_json_{len(self._made)}"
        self._made.append((name, lambda text: json_casts.decode(text, kind), ["VARCHAR"], duckdb_name(kind)))
        return name

    def function(
        self,
        name: str,
        call: Callable[..., Any],
        arguments: list[Type],
        result: Type,
        *,
        takes_nulls: bool = False,
    ) -> str:
        """Return the name of *call* as a function of these types; NULL makes NULL unless it *takes_nulls*."""
        made = f"t_{name}_{len(self._made)}"
        self._made.append((made, call, [duckdb_name(kind) for kind in arguments], duckdb_name(result)))
        if takes_nulls:
            self._nullable.add(made)
        return made

    def install(self, connection: duckdb.DuckDBPyConnection, sql: str) -> None:
        """Register what *sql* mentions, directly or through a macro."""
        macros = {name: body for name, body in _MACROS.items() if f"{name}(" in sql}
        wanted = sql + " ".join(macros.values())
        for name, function, arguments, result in (*_FUNCTIONS, *self._made):
            if f"{name}(" in wanted:
                call = _with_arity(self._guarded(function, takes_nulls=name in self._nullable), len(arguments))
                connection.create_function(name, call, arguments, result, null_handling="special")
                self._installed.append(name)
        for name, body in macros.items():
            connection.execute(f"CREATE TEMP MACRO {name}{body}")

    def remove(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Take the functions from the instance of *connection*; macros go with the connection."""
        while self._installed:
            connection.remove_function(self._installed.pop())

    def _guarded(self, function: Callable[..., Any], *, takes_nulls: bool) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            if not takes_nulls and any(argument is None for argument in arguments):
                return None
            try:
                return _without_nan(function(*arguments))
            except StatementError:
                raise
            except Unsupported as problem:
                self.refusal = problem
                raise
            except Exception as problem:
                self.refusal = Unsupported(f"a value that a helper function cannot take ({type(problem).__name__})")
                raise self.refusal from problem

        return call


def _without_nan(value: Any) -> Any:
    """Return *value*; NaN inside is refused, because DuckDB takes NaN from Python for NULL."""
    for part in value if isinstance(value, list) else value.values() if isinstance(value, dict) else ():
        _without_nan(part)
    if isinstance(value, float) and value != value:
        raise Unsupported("NaN or Infinity as the result of a function")
    return value


def _with_arity(function: Callable[..., Any], arity: int) -> Callable[..., Any]:
    """Return *function* with as many named parameters as DuckDB was told, since it counts them."""
    return (
        lambda a: function(a),
        lambda a, b: function(a, b),
        lambda a, b, c: function(a, b, c),
        lambda a, b, c, d: function(a, b, c, d),
    )[arity - 1]
