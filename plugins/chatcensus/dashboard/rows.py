"""The rows of the summary tables in the order in which they are read, each with the words that stand for it."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from chatcensus.dashboard.report_texts import TEXTS
from chatcensus.dashboard.words import spans, text
from chatcensus.summaries import POOLED

UNKNOWN = "unknown"
OUTCOMES = ("evaluated", "quarantined", "pending")
# The tables that tell use apart by one value, and the column that holds it.
DIMENSIONS = {
    "department_usage": "department",
    "user_group_usage": "user_group",
    "app_model_usage": "app_model",
    "language_usage": "language",
}

Row = Mapping[str, Any]
Tables = Mapping[str, Sequence[Row]]


def _by_size(column: str) -> Callable[[Row], Any]:
    def order(row: Row) -> Any:
        return (row[column] == POOLED, row[column] == UNKNOWN, -(row["conversations"] or 0), str(row[column]))

    return order


def _by(*columns: str) -> Callable[[Row], Any]:
    return lambda row: [(row[column] is None, str(row[column])) for column in columns]


# The order in which each table is read, what is pooled last; Parquet files keep none.
ORDER: Mapping[str, Callable[[Row], Any]] = {
    "category_counts": _by_size("category"),
    "category_shares": _by_size("category"),
    "category_trends": _by_size("category"),
    "score_by_category": _by_size("category"),
    "score_distribution": lambda row: (row["inquiry_score"] is None, -(row["inquiry_score"] or 0)),
    **{table: _by_size(column) for table, column in DIMENSIONS.items()},
    "hour_usage": lambda row: (row["hour"] is None, row["hour"] or 0),
    "weekday_usage": lambda row: row["weekday"],
    "daily_usage": _by("week", "day"),
    "weekly_usage": _by("month", "week"),
    "monthly_usage": _by("month"),
    "concentration": lambda row: row["share_of_use"],
    "usage_by_user": lambda row: (
        row["user_pseudonym"] == UNKNOWN,
        -row["conversations"],
        row["user_pseudonym"],
    ),
    "model_cost": lambda row: (-row["cost_micro_usd"], str(row["model"]), str(row["answered_by"])),
    "evaluation_quality": lambda row: (
        OUTCOMES.index(row["outcome"]),
        -row["conversations"],
        str(row["reason"]),
        str(row["model"]),
        str(row["prompt_version"]),
    ),
    "failures": lambda row: (
        -row["conversations"],
        str(row["reason"]),
        str(row["model"]),
        str(row["prompt_version"]),
    ),
}


def in_order(tables: Tables) -> dict[str, list[Row]]:
    """Return the tables that the report shows, each in the order in which it is read."""
    return {table: sorted(tables[table], key=order) for table, order in ORDER.items()}


class Labels:
    """
    The words for a value of a table.

    Shape: *categories* maps a category to {en, ja}; *min_users* is below how many people a group is pooled.
    """

    def __init__(self, categories: Mapping[str, Mapping[str, str]], min_users: int) -> None:
        self._categories, self._min_users = categories, min_users

    def category(self, category: str) -> Markup:
        """Return what a category is called."""
        return self.value(category) if category == POOLED else spans(self.category_texts(category))

    def category_texts(self, category: str) -> dict[str, str]:
        """Return what a category is called in each language; its key where the taxonomy no longer knows it."""
        known = self._categories.get(category, {})
        return {language: known.get(language, category) for language in TEXTS}

    def value(self, value: str | None) -> Markup:
        """Return a value of any other column: itself, or words for those that stand for none."""
        if value == POOLED:
            return text("pooled", min_users=self._min_users)
        if value is None or value == UNKNOWN:
            return text("unknown_value")
        return Markup("{}").format(value)


def dimensions(tables: Tables, labels: Labels) -> list[dict[str, Any]]:
    """Return the tables of `DIMENSIONS` that tell at least one known value apart, with a label in each row."""
    return [
        {
            "heading": "language_column" if column == "language" else column,
            "rows": [{**row, "label": labels.value(row[column])} for row in tables[table]],
            "most": max(row["conversations"] for row in tables[table]),
        }
        for table, column in DIMENSIONS.items()
        if any(row[column] not in (POOLED, UNKNOWN, None) for row in tables[table])
    ]


def categories(tables: Tables, labels: Labels) -> list[dict[str, Any]]:
    """Return a row for each category: as counted, and with its corrected share where there is a gold set."""
    nothing = {"users": None, "mean_inquiry_score": None, "corrected_share": None}
    merged: dict[str, dict[str, Any]] = {}
    for row in [*tables["category_shares"], *tables["category_counts"]]:
        merged.setdefault(row["category"], {**nothing}).update(row)
    return [
        {**row, "label": labels.category(row["category"]), "size": row["conversations"] or 0}
        for row in sorted(merged.values(), key=_by_size("category"))
    ]


def scores(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return the scores, best first; a score without a row is a zero only where nothing is pooled or left out."""
    told = [{**row, "label": row["inquiry_score"] or text("pooled_scores")} for row in rows]
    found = {row["inquiry_score"]: row for row in told}
    if None in found or not math.isclose(sum(row["share"] for row in told), 1):
        return told
    nobody = {"conversations": 0, "users": 0, "share": 0.0}
    return [found.get(value, {"label": value, **nobody}) for value in range(5, 0, -1)]


def trend(rows: Sequence[Row], labels: Labels) -> dict[str, Any] | None:
    """
    Return how the shares of the latest week or month that is told compare with those of the one before.

    Shape: the grain in which more categories are told apart, weeks where both tell as many; none where neither does.
    """
    told = {grain: [row for row in rows if row["grain"] == grain] for grain in ("week", "month")}
    grain = max(told, key=lambda each: len({row["category"] for row in told[each]} - {POOLED}))
    if not any(row["category"] != POOLED for row in told[grain]):
        return None
    latest = max(str(row["period"]) for row in told[grain])
    shown = [
        {
            **row,
            "label": labels.category(row["category"]),
            "verdict": text("more_than_noise" if is_true(row["is_more_than_noise"]) else "within_noise"),
            "is_more_than_noise": is_true(row["is_more_than_noise"]),
        }
        for row in told[grain]
        if str(row["period"]) == latest
    ]
    return {
        "grain": grain,
        "period": latest[: len("2026-10") if grain == "month" else None],
        "rows": shown,
        "has_before": any(row["change"] is not None for row in shown),
    }


def is_true(value: object) -> bool:
    """Return a boolean as Athena or Python writes it; null is false."""
    return value is True or value == "true"
