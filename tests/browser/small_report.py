"""A report of 16 conversations, written by hand so that each number of it can be told from the others."""

import copy
from typing import Any

FEW = "(few)"


def usage(column: str, *rows: tuple[Any, int, int, float]) -> list[dict[str, Any]]:
    """The rows of a table that tells use apart by *column*: its value, conversations, users and share."""
    return [
        {
            column: value,
            "conversations": count,
            "users": users,
            "share": share,
            "coverage": 0.8,
            "mean_inquiry_score": 3.5,
        }
        for value, count, users, share in rows
    ]


def period(conversations: int, users: int, **periods: Any) -> dict[str, Any]:
    """A row of daily_usage, weekly_usage or monthly_usage."""
    counts = {"conversations": conversations, "evaluated": conversations, "quarantined": 0, "pending": 0}
    means = {"coverage": 1.0, "mean_inquiry_score": 3.25, "cost_micro_usd": 100}
    return {**periods, **counts, "users": users, **means}


def change(category: str, previous: float | None, share: float, low: float, high: float, **more: Any) -> dict[str, Any]:
    """A row of category_trends for the week of 2026-09-21, or of what *more* says."""
    has_before = previous is not None
    return {
        "grain": "week",
        "period": "2026-09-21",
        "category": category,
        "conversations": 3,
        "users": 5,
        "share": share,
        "share_low": 0.1,
        "share_high": 0.9,
        "previous_share": previous,
        "change": share - previous if has_before else None,
        "change_low": low if has_before else None,
        "change_high": high if has_before else None,
        "is_more_than_noise": (low > 0 or high < 0) if has_before else None,
        **more,
    }


TOKENS = {"attempts": 6, "input_tokens": 8000, "output_tokens": 60, "cost_micro_usd": 1_234_567}

REPORT: dict[str, Any] = {
    "run_id": "manual__2026-10-02",
    "generated_at": "2026-10-02T00:10:00Z",
    "export_id": "01604474914028-a1b2c3d4",
    "export_time": "2026-10-01T23:59:00Z",
    "told_until": "2026-09-28",
    "min_users": 5,
    "timezone": "Asia/Tokyo",
    "answered_by": ["claude"],
    "totals": {"conversations": 16, "evaluated": 14, "quarantined": 1, "pending": 1},
    "custody": {"items": 16, "skipped": {}},
    "cost_micro_usd": 1_234_567,
    "labels": {"coding": {"en": "Coding", "ja": "コーディング"}, "writing": {"en": "Writing", "ja": "文章作成"}},
    "tables": {
        "category_counts": usage("category", ("writing", 3, 5, 0.25), (FEW, 3, 6, 0.25), ("coding", 6, 8, 0.5)),
        "category_shares": [],
        "category_trends": [
            change("writing", 0.4, 0.39, -0.05, 0.03),
            change("coding", 0.3, 0.421, 0.05, 0.192),
            change("coding", 0.9, 0.3, -0.8, -0.4, period="2026-09-14"),
            change("coding", 0.2, 0.7, 0.1, 0.9, grain="month", period="2026-10-01"),
        ],
        "score_distribution": usage("inquiry_score", (3, 6, 8, 0.5), (5, 6, 7, 0.5)),
        "score_by_category": [
            {
                "category": "coding",
                "conversations": 6,
                "mean_inquiry_score": 3.5,
                "mean_low": 3.1,
                "mean_high": 3.9,
            }
        ],
        "department_usage": usage("department", ("unknown", 4, 5, 0.33), ("Sales", 5, 6, 0.42), (FEW, 3, 5, 0.25)),
        "user_group_usage": usage("user_group", ("unknown", 12, 14, 1.0)),
        "app_model_usage": usage("app_model", ("unknown", 6, 8, 0.5), (FEW, 6, 7, 0.5)),
        "language_usage": usage("language", ("ja", 12, 14, 1.0)),
        "hour_usage": usage("hour", (None, 4, 5, 0.33), (9, 6, 8, 0.5), (23, 2, 5, 0.17)),
        "weekday_usage": [
            {"weekday": 1, "days": 2, "conversations": 9, "conversations_per_day": 4.5},
            {"weekday": 3, "days": 1, "conversations": 1, "conversations_per_day": 1.0},
        ],
        "daily_usage": [
            period(4, 6, week="2026-09-14", day="2026-09-14", days=1),
            period(1, 5, week="2026-09-14", day="2026-09-16", days=3),
            period(3, 5, week="2026-09-21", day=None, days=2),
        ],
        "weekly_usage": [
            period(5, 8, month="2026-09-01", week="2026-09-14", weeks=2),
            period(3, 5, month="2026-09-01", week="2026-09-21", weeks=1),
        ],
        "monthly_usage": [
            period(8, 9, month="2026-09-01", first_day="2026-08-31", last_day="2026-09-27", weeks=4),
        ],
        "concentration": [
            {"share_of_use": 0.25, "users": None, "share_of_users": None},
            {"share_of_use": 0.5, "users": 7, "share_of_users": 7 / 42},
            {"share_of_use": 0.9, "users": 30, "share_of_users": 30 / 42},
        ],
        "usage_by_user": [
            {
                "user_pseudonym": user,
                "conversations": count,
                "mean_inquiry_score": mean,
                "input_tokens": 4000,
                "output_tokens": 30,
                "cost_micro_usd": 617_283,
                "last_day": last_day,
            }
            for user, count, mean, last_day in [("5f3a", 4, 4.0, "2026-10-02"), ("unknown", 1, None, None)]
        ],
        "model_cost": [{"model": "haiku", "answered_by": "claude", "conversations": 15, **TOKENS}],
        "evaluation_quality": [
            {
                "model": model,
                "prompt_version": version,
                "outcome": outcome,
                "reason": reason,
                "conversations": count,
                "first_attempt": first,
                "clipped": 0,
            }
            for model, version, outcome, reason, count, first in [
                ("haiku", "abc", "evaluated", None, 14, 13),
                ("haiku", "abc", "quarantined", "refused", 1, 1),
                (None, None, "pending", None, 1, 0),
            ]
        ],
        "failures": [
            {
                "reason": "refused",
                "model": "haiku",
                "prompt_version": "abc",
                "replay": "reason=refused;model=haiku;prompt_version=abc",
                "conversations": 1,
                **TOKENS,
                "first_seen": "2026-09-30T01:00:00Z",
                "last_seen": "2026-10-01T01:00:00Z",
            }
        ],
    },
}


def small_report(**changes: Any) -> dict[str, Any]:
    """Return a copy of the report, with *changes* to its parts."""
    return copy.deepcopy(REPORT) | changes


def empty_report() -> dict[str, Any]:
    """Return the report of a table without a conversation."""
    return small_report(
        answered_by=[],
        totals=dict.fromkeys(REPORT["totals"], 0),
        custody={"items": 0, "skipped": {}},
        cost_micro_usd=0,
        tables={name: [] for name in REPORT["tables"]},
    )


def as_published(report: dict[str, Any]) -> dict[str, Any]:
    """Return *report*, whose tables are lists of rows by column, as `report.json` has it."""
    return report | {"tables": {name: _columnar(rows) for name, rows in report["tables"].items()}}


def _columnar(rows: list[dict[str, Any]]) -> dict[str, Any]:
    columns = list(rows[0]) if rows else []
    return {"columns": columns, "rows": [[row[name] for name in columns] for row in rows]}
