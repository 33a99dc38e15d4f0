"""
Statistics of two columns, and higher moments, computed in the order and with the steps of Trino's aggregations.

Source: Trino's AggregationUtils, CovarianceState, CorrelationState and CentralMomentsAggregation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from local_aws.athena.failures import Unsupported


@dataclass
class _Pairs:
    """Running means and sums of products of what was seen so far."""

    count: int = 0
    mean_x: float = 0.0
    mean_y: float = 0.0
    c2: float = 0.0
    m2_x: float = 0.0
    m2_y: float = 0.0

    def add(self, x: float, y: float) -> None:
        self.count += 1
        old_x, old_y = self.mean_x, self.mean_y
        self.mean_x = old_x + (x - old_x) / self.count
        self.mean_y = old_y + (y - old_y) / self.count
        self.c2 += (x - old_x) * (y - self.mean_y)
        self.m2_x += (x - old_x) * (x - self.mean_x)
        self.m2_y += (y - old_y) * (y - self.mean_y)


def _seen(pairs: list[dict[str, Any]]) -> _Pairs:
    state = _Pairs()
    for pair in pairs:
        state.add(pair["f1"], pair["f0"])  # the dependent value is written first
    return state


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _ratio(dividend: float, divisor: float) -> float:
    """Divide as Java does."""
    if divisor == 0:
        return math.nan if dividend == 0 else math.copysign(math.inf, dividend)
    return dividend / divisor


def covar_pop(pairs: list[dict[str, Any]]) -> float | None:
    """Return covar_pop(y, x)."""
    state = _seen(pairs)
    return state.c2 / state.count if state.count else None


def covar_samp(pairs: list[dict[str, Any]]) -> float | None:
    """Return covar_samp(y, x)."""
    state = _seen(pairs)
    return state.c2 / (state.count - 1) if state.count > 1 else None


def corr(pairs: list[dict[str, Any]]) -> float | None:
    """Return corr(y, x)."""
    state = _seen(pairs)
    return _finite(_ratio(_ratio(state.c2, math.sqrt(state.m2_x)), math.sqrt(state.m2_y)))


def regr_slope(pairs: list[dict[str, Any]]) -> float | None:
    """Return regr_slope(y, x)."""
    state = _seen(pairs)
    return _finite(_ratio(state.c2, state.m2_x))


def regr_intercept(pairs: list[dict[str, Any]]) -> float | None:
    """Return regr_intercept(y, x)."""
    state = _seen(pairs)
    return _finite(state.mean_y - _ratio(state.c2, state.m2_x) * state.mean_x)


def _moments(values: list[float]) -> tuple[float, float, float]:
    m1 = m2 = m3 = m4 = 0.0
    for n, value in enumerate(values, 1):
        delta = value - m1
        delta_n = delta / n
        squared = delta_n * delta_n
        dm2 = delta * delta_n * (n - 1)
        m1 += delta_n
        m4 += dm2 * squared * (n * float(n) - 3 * n + 3) + 6 * squared * m2 - 4 * delta_n * m3
        m3 += dm2 * delta_n * (n - 2) - 3 * delta_n * m2
        m2 += dm2
    if m2 == 0 and len(values) > 2:
        raise Unsupported("NaN or Infinity as the result of a function")
    return m2, m3, m4


def skewness(values: list[float]) -> float | None:
    """Return skewness(x)."""
    m2, m3, _ = _moments(values)
    return math.sqrt(len(values)) * m3 / math.pow(m2, 1.5) if len(values) > 2 else None


def kurtosis(values: list[float]) -> float | None:
    """Return kurtosis(x), the excess kurtosis."""
    if len(values) < 4:
        return None
    n = float(len(values))
    m2, _, m4 = _moments(values)
    return ((n - 1) * n * (n + 1)) / ((n - 2) * (n - 3)) * m4 / (m2 * m2) - 3 * ((n - 1) * (n - 1)) / (
        (n - 2) * (n - 3)
    )


def geometric_mean(values: list[float]) -> float | None:
    """Return geometric_mean(x) of numbers above 0."""
    if any(value <= 0 for value in values):
        raise Unsupported("geometric_mean() of a number that is not above 0")
    total = 0.0
    for value in values:
        total += math.log(value)
    return math.exp(total / len(values)) if values else None
