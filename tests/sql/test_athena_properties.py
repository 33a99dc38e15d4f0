"""
Random arithmetic and three-valued logic over integers, decimals and NULLs, against a second reading of Trino's rules.

Source: https://trino.io/docs/current/functions/decimal.html and https://trino.io/docs/current/functions/logical.html
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal, localcontext
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.sql.athena_harness import Athena, running_athena

if TYPE_CHECKING:
    from collections.abc import Iterator

# (digits, digits after the point); integers are named.
Kind = str | tuple[int, int]
COLUMNS: dict[str, Kind] = {"a": "tinyint", "b": "integer", "c": "bigint", "d": (3, 1), "e": (10, 4), "f": (18, 2)}
BITS = {"tinyint": 8, "integer": 32, "bigint": 64}
DIGITS = {"tinyint": 3, "integer": 10, "bigint": 19}


class NoValueError(Exception):
    """Trino ends the query with an error."""


@dataclass(frozen=True)
class Term:
    sql: str
    kind: Kind  # "boolean" as well
    parts: tuple[Term, ...] = ()
    operator: str = ""

    def value(self, row: dict[str, Decimal | None]) -> Decimal | bool | None:
        """Return the value in *row*, read from left to right as far as it is needed."""
        if self.operator == "column":
            return row[self.sql]
        left = self.parts[0].value(row)
        if self.operator == "not":
            return None if left is None else not left
        if self.operator in ("and", "or"):
            return self._connected(left, row)
        right = None if left is None else self.parts[1].value(row)
        if right is None:
            return None
        if self.operator in ("<", "="):
            return left < right if self.operator == "<" else left == right
        return fitted(calculated(self.operator, left, right, self.kind), self.kind)

    def _connected(self, left: bool | None, row: dict[str, Decimal | None]) -> bool | None:
        decided = self.operator == "or"
        if left is decided:
            return decided
        right = self.parts[1].value(row)
        return decided if right is decided else None if None in (left, right) else not decided


def calculated(operator: str, left: Decimal, right: Decimal, kind: Kind) -> Decimal:
    """Return left operator right before it is rounded to *kind*."""
    if operator in "+-*":
        return {"+": left + right, "-": left - right, "*": left * right}[operator]
    if right == 0:
        raise NoValueError
    whole = (left / right).to_integral_value(ROUND_DOWN)
    if operator == "%":
        return left - right * whole
    return whole if isinstance(kind, str) else left / right


def fitted(value: Decimal, kind: Kind) -> Decimal:
    """Return *value* rounded half away from zero to the scale of *kind*, an error when it is too large."""
    if isinstance(kind, str):
        if not -(2 ** (BITS[kind] - 1)) <= value < 2 ** (BITS[kind] - 1):
            raise NoValueError
        return value
    rounded = value.quantize(Decimal(1).scaleb(-kind[1]), ROUND_HALF_UP)
    if abs(rounded) >= Decimal(10) ** (kind[0] - kind[1]):
        raise NoValueError
    return rounded


def result_kind(operator: str, left: Kind, right: Kind) -> Kind:
    """Return the type of left operator right."""
    if isinstance(left, str) and isinstance(right, str):
        return max(left, right, key=lambda kind: DIGITS[kind])
    (p, s), (q, t) = ((DIGITS[kind], 0) if isinstance(kind, str) else kind for kind in (left, right))
    scale = s + t if operator == "*" else max(s, t)
    digits = {
        "*": p + q, "/": p + t + max(0, t - s), "%": min(p - s, q - t) + scale,
    }.get(operator, max(p - s, q - t) + scale + 1)  # fmt: skip
    return min(38, digits), scale


def applied(operator: str, left: Term, right: Term) -> Term:
    return Term(
        f"({left.sql} {operator} {right.sql})", result_kind(operator, left.kind, right.kind), (left, right), operator
    )


def truth(operator: str, *parts: Term) -> Term:
    sql = f"(not {parts[0].sql})" if operator == "not" else f"({parts[0].sql} {operator} {parts[1].sql})"
    return Term(sql, "boolean", parts, operator)


NUMBERS = st.recursive(
    st.sampled_from([Term(name, kind, (), "column") for name, kind in COLUMNS.items()]),
    lambda inner: st.builds(applied, st.sampled_from("+-*/%"), inner, inner),
    max_leaves=3,
)
TRUTHS = st.recursive(
    st.builds(truth, st.sampled_from("<="), NUMBERS, NUMBERS),
    lambda inner: (
        st.builds(truth, st.just("not"), inner) | st.builds(truth, st.sampled_from(["and", "or"]), inner, inner)
    ),
    max_leaves=4,
)


def values_of(kind: Kind) -> st.SearchStrategy[Decimal | None]:
    scale = 0 if isinstance(kind, str) else kind[1]
    largest = 2 ** (BITS[kind] - 1) - 1 if isinstance(kind, str) else 10 ** kind[0] - 1
    units = st.sampled_from([0, 1, -1, 5, -15, largest, -largest]) | st.integers(-largest, largest)
    return st.none() | units.map(lambda number: Decimal(number).scaleb(-scale))


ROWS = st.fixed_dictionaries({name: values_of(kind) for name, kind in COLUMNS.items()})


@pytest.fixture(scope="module")
def athena() -> Iterator[Athena]:
    with running_athena() as running:
        yield running


F, B = (Term(name, COLUMNS[name], (), "column") for name in "fb")
LARGE = {**dict.fromkeys(COLUMNS), "b": Decimal(2147483647), "f": Decimal("9999999999999999.99")}
ZERO = {**dict.fromkeys(COLUMNS), "b": Decimal(0), "f": Decimal("0.00")}


@given(term=NUMBERS | TRUTHS, row=ROWS)
@example(term=applied("*", F, B), row=LARGE)
@example(term=truth("and", truth("<", B, F), truth("=", applied("/", B, F), B)), row=ZERO)
@settings(max_examples=100, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
def test_an_expression_has_the_type_and_value_that_trinos_rules_give(
    athena: Athena, term: Term, row: dict[str, Decimal | None]
) -> None:
    cells = ", ".join(
        f"cast({'null' if row[name] is None else repr(format(row[name], 'f'))} as {spelled(kind)})"
        for name, kind in COLUMNS.items()
    )

    answer = athena.ask(f"select {term.sql}, typeof({term.sql}) from (values ({cells})) as t({', '.join(COLUMNS)})")

    with localcontext(prec=120):
        try:
            expected = (printed(term.value(row)), spelled(term.kind))
        except NoValueError:
            assert answer.kind == "user", answer
            return
    assert answer.kind == "ok", answer.message
    assert answer.rows == (expected,)


def spelled(kind: Kind) -> str:
    return kind if isinstance(kind, str) else f"decimal({kind[0]},{kind[1]})"


def printed(value: Decimal | bool | None) -> str | None:
    if value is None or isinstance(value, bool):
        return None if value is None else str(value).lower()
    return format(abs(value) if value == 0 else value, "f")
