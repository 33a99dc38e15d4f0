"""Every summary once more, in plain Python, straight from the DynamoDB items: what the SQL is held to."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from tests.sql.reference import operators, pairs, readers, shown, trends
from tests.sql.reference.conversations import Row, Telling, conversation

# Each usage of a dimension, by the column that holds its values.
_USAGES = {
    "category_counts": "category",
    "score_distribution": "inquiry_score",
    "department_usage": "department",
    "user_group_usage": "user_group",
    "app_model_usage": "app_model",
    "language_usage": "language",
    "hour_usage": "hour",
}
SHOWN: dict[str, Callable[[list[Row], Telling], list[Row]]] = {
    "shown_values": shown.shown_values,
    "shown_periods": shown.shown_periods,
    "shown_series": trends.shown_series,
    "shown_pairs": pairs.shown_pairs,
}
READERS: dict[str, Callable[[list[Row], Telling], list[Row]]] = {
    **{table: partial(readers.by_value, dimension=dimension) for table, dimension in _USAGES.items()},
    "score_by_category": readers.score_by_category,
    "daily_usage": readers.daily_usage,
    "weekly_usage": readers.weekly_usage,
    "monthly_usage": readers.monthly_usage,
    "weekday_usage": readers.weekday_usage,
    "category_trends": trends.category_trends,
    "concentration": readers.concentration,
    "usage_by_user": readers.usage_by_user,
}
# For readers too, from the rows of shown_pairs.
PAIRS: dict[str, Callable[[list[Row]], list[Row]]] = {
    "category_by_group": pairs.category_by_group,
    "hour_by_weekday": pairs.hour_by_weekday,
}
OPERATORS: dict[str, Callable[[list[Row]], list[Row]]] = {
    "model_cost": operators.model_cost,
    "judging_cost": operators.judging_cost,
    "failures": operators.failures,
    "evaluation_quality": operators.evaluation_quality,
    "evaluation_changes": operators.evaluation_changes,
}


def summaries(items: Iterable[Mapping[str, Any]], telling: Telling) -> dict[str, list[Row]]:
    """
    Return the rows of every table of an edition, in no order.

    Shape: *items* as `boto3.resource("dynamodb")` reads them (numbers int or Decimal).
    """
    zone = ZoneInfo(telling.timezone)
    conversations = [conversation(item, zone, telling.before) for item in items]
    told = {table: summarise(conversations, telling) for table, summarise in (SHOWN | READERS).items()}
    told |= {table: summarise(told["shown_pairs"]) for table, summarise in PAIRS.items()}
    return told | {table: summarise(conversations) for table, summarise in OPERATORS.items()}
