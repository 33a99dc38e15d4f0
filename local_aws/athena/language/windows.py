"""OVER clauses: named windows, order, and frames by rows, groups and ranges of values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlglot import exp

from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.functions.intervals import INTERVALS
from local_aws.athena.language.casts import coerce
from local_aws.athena.language.scope import Expression, Scope
from local_aws.athena.language.trino_types import (
    DATE,
    INTERVAL_DAY,
    TIMESTAMP,
    common,
    is_integer,
    is_numeric,
    trino_name,
)

_Compile = Callable[[exp.Expression, Scope], Expression]
_PLACES = ("UNBOUNDED PRECEDING", "PRECEDING", "CURRENT ROW", "FOLLOWING", "UNBOUNDED FOLLOWING")
# These need an order and take no frame: https://trino.io/docs/current/functions/window.html
_NEIGHBOURS = ("lag", "lead")
_RANKS = ("row_number", "rank", "dense_rank", "percent_rank", "cume_dist", "ntile")


@dataclass(frozen=True)
class _Window:
    partition: tuple[exp.Expression, ...]
    order: tuple[exp.Ordered, ...]
    frame: exp.WindowSpec | None


def named(node: exp.Select) -> dict[str, exp.Window]:
    """Return the windows of a WINDOW clause by name."""
    windows: dict[str, exp.Window] = {}
    for window in node.args.get("windows") or []:
        name = window.name.lower()
        if name in windows:
            raise StatementError("DUPLICATE_WINDOW_NAME", f"WINDOW name '{name}' specified more than once")
        windows[name] = window
    return windows


def over(name: str, node: exp.Window, scope: Scope, compile_node: _Compile, sort_text: Callable[..., str]) -> str:
    """
    Return the OVER (…) of function *name*.

    Raises: StatementError for windows that Trino rejects; Unsupported for bounds that are no literals.
    """
    window = _resolved(node, scope.block.windows)
    if name in _NEIGHBOURS and not window.order:
        raise StatementError("MISSING_ORDER_BY", f"{name} function requires an ORDER BY window clause")
    if name in _NEIGHBOURS and window.frame:
        raise StatementError("INVALID_WINDOW_FRAME", f"Cannot specify window frame for {name} function")
    if name in _RANKS and window.frame:
        raise Unsupported(f"{name}() with a window frame")
    parts: list[str] = []
    if window.partition:
        keys = [compile_node(part, scope) for part in window.partition]
        parts.append("PARTITION BY " + ", ".join(value.instant or value.sql for value in keys))
    keys = [compile_node(part.this, scope) for part in window.order]
    frame = _frame(window.frame, keys, scope, compile_node) if window.frame else ""
    if frame.startswith("RANGE") and keys[:1] and keys[0].type == DATE:
        keys = [Expression(f"CAST({keys[0].sql} AS TIMESTAMP)", TIMESTAMP)]
    if keys:
        terms = (sort_text(value, part) for value, part in zip(keys, window.order, strict=True))
        parts.append("ORDER BY " + ", ".join(terms))
    return f" OVER ({' '.join([*parts, frame]).strip()})"


def _resolved(node: exp.Window, windows: dict[str, exp.Window]) -> _Window:
    extra = [key for key, part in node.args.items() if part and key not in _KNOWN]
    if extra:
        raise Unsupported(f"OVER with {extra[0]}")
    partition = tuple(node.args.get("partition_by") or ())
    order = tuple(node.args["order"].expressions) if node.args.get("order") else ()
    window = _Window(partition, order, node.args.get("spec"))
    alias = node.args.get("alias")
    if alias is None:
        return window
    base = windows.get(alias.name.lower())
    if base is None:
        raise StatementError("INVALID_WINDOW_REFERENCE", f"Cannot resolve WINDOW name {alias.name}")
    earlier = _resolved(base, {name: one for name, one in windows.items() if name != alias.name.lower()})
    if partition or (order and earlier.order) or (earlier.frame and (order or window.frame)):
        raise StatementError("INVALID_WINDOW_REFERENCE", "a window cannot override what the window it names has set")
    return _Window(earlier.partition, order or earlier.order, window.frame or earlier.frame)


_KNOWN = ("this", "partition_by", "order", "spec", "over", "alias")


def _frame(spec: exp.WindowSpec, keys: list[Expression], scope: Scope, compile_node: _Compile) -> str:
    kind = str(spec.args.get("kind") or "").upper()
    if spec.args.get("exclude"):
        raise StatementError("SYNTAX_ERROR", "EXCLUDE in a window frame")
    if kind not in ("ROWS", "RANGE", "GROUPS"):
        raise Unsupported(f"window frame {kind}")
    if kind == "GROUPS" and not keys:
        raise StatementError("MISSING_ORDER_BY", "Window frame of type GROUPS requires ORDER BY")
    start = _bound(spec.args.get("start"), spec.args.get("start_side"), kind, keys, scope, compile_node)
    end = ("CURRENT ROW", "CURRENT ROW")
    if spec.args.get("end"):
        end = _bound(spec.args["end"], spec.args.get("end_side"), kind, keys, scope, compile_node)
    places = [_PLACES.index(bound[0]) for bound in (start, end)]
    if places[0] > places[1] or places[0] == 4 or places[1] == 0:
        raise StatementError("INVALID_WINDOW_FRAME", f"Window frame starting from {start[0]} cannot end with {end[0]}")
    return f"{kind} BETWEEN {start[1]} AND {end[1]}"


def _bound(
    value: exp.Expression | str | None,
    side: str | None,
    kind: str,
    keys: list[Expression],
    scope: Scope,
    compile_node: _Compile,
) -> tuple[str, str]:
    """Return the kind of a bound, and its DuckDB text."""
    if isinstance(value, str):
        text = value.upper() if value.upper() == "CURRENT ROW" else f"{value.upper()} {(side or '').upper()}"
        if text in _PLACES:
            return text, text
    if not isinstance(value, exp.Expression) or not side:
        raise Unsupported("window frame bound of this form")
    amount = compile_node(value, scope)
    if kind != "RANGE":
        if not is_integer(amount.type):
            raise StatementError("TYPE_MISMATCH", f"Window frame {kind} value type must be exact numeric")
        if not isinstance(amount.constant, int):
            raise Unsupported("window frame bound that is no whole number of rows")
        return side.upper(), f"{amount.constant} {side.upper()}"
    return side.upper(), f"{_distance(amount, keys)} {side.upper()}"


def _distance(amount: Expression, keys: list[Expression]) -> str:
    """Return the text of a distance between values of the one sort key."""
    if len(keys) != 1:
        raise StatementError(
            "MISSING_ORDER_BY", "Window frame of type RANGE PRECEDING or FOLLOWING requires one sort item"
        )
    key = keys[0].type
    if amount.type in INTERVALS:
        if key.name not in ("date", "timestamp") or not isinstance(amount.constant, int):
            raise Unsupported(f"window frame by a range of intervals of {trino_name(key)}")
        if amount.constant < 0:
            raise StatementError("INVALID_WINDOW_FRAME", "Window frame offset value must not be negative or null")
        if key == DATE and (amount.type == INTERVAL_DAY and amount.constant % 86_400_000):
            raise Unsupported("window frame of dates by a part of a day")
        return f"{'to_milliseconds' if amount.type == INTERVAL_DAY else 'to_months'}({amount.sql})"
    if not is_numeric(amount.type) or not is_numeric(key) or common(key, amount.type) != key:
        raise Unsupported(f"window frame by a range of {trino_name(amount.type)} over {trino_name(key)}")
    if not isinstance(amount.constant, int):
        raise Unsupported("window frame bound that is no whole number")
    return coerce(amount, key).sql
