"""
Write the report of a run: one HTML file that needs nothing else, in English and Japanese, without a script.

Standard library and Jinja only: operators, demo and tests render the same page. It never sees conversation text.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from chatcensus.dashboard import figures
from chatcensus.dashboard.report_texts import TEXTS
from chatcensus.dashboard.rows import (
    ORDER,
    OUTCOMES,
    UNKNOWN,
    Labels,
    Row,
    categories,
    dimensions,
    in_order,
    scores,
    trend,
)
from chatcensus.dashboard.when import when
from chatcensus.dashboard.words import counted, each_language, text
from chatcensus.summaries import POOLED

STAND_IN, NOBODY = "stand-in", "nobody"  # the latter where a conversation was quarantined without a call
USERS_SHOWN = 20
HALF = 0.5

TEMPLATES = Path(__file__).parent / "templates"

SHOWN = tuple(ORDER)  # the tables that the report is made of


def render_report(report: Mapping[str, Any], language: str = "en") -> str:
    """
    Return the report as one HTML page, opened in *language*; a reader can switch without a script.

    Shape: run_id, generated_at, export_id, export_time (ISO 8601), told_until (the first day that the tables for
    readers do not describe), timezone, min_users, answered_by (list), totals {conversations, evaluated, quarantined,
    pending}, custody {items, skipped {kind: items}}, cost_micro_usd, labels {category: {en, ja}}, and tables {each of
    SHOWN: its rows as dicts, in any order}. Days are dates or ISO text.
    Errors: KeyError for a part that is missing, ValueError for an unknown language.
    """
    if language not in TEXTS:
        raise ValueError(f"no report in language {language!r}: choose one of {', '.join(TEXTS)}")
    page = _page({**report, "tables": in_order(report["tables"])})
    return _environment().get_template("report.html.jinja").render(language=language, languages=TEXTS, **page)


@cache
def _environment() -> Environment:
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        loader=FileSystemLoader(TEMPLATES),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(text=text, style=_style())
    for name in ("number", "percent", "points", "score", "usd", "usd_rounded", "bar"):
        environment.filters[name] = getattr(figures, name)
    return environment


def _style() -> dict[str, Markup]:
    css = (TEMPLATES / "report.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    return {"css": Markup(css), "hash": Markup(f"sha256-{digest}")}  # noqa: S704 - our own file and its own digest


def _page(report: Mapping[str, Any]) -> dict[str, Any]:
    tables, zone = report["tables"], ZoneInfo(report["timezone"])
    labels = Labels(report["labels"], report["min_users"])
    custody = _custody(report)
    last_complete = date.fromisoformat(str(report["told_until"])) - timedelta(days=1)
    latest_week = _latest_week(tables["weekly_usage"])
    last_day = date.fromisoformat(str(latest_week["week"])) + timedelta(days=6) if latest_week else last_complete
    gold_size = max((row["gold_size"] or 0 for row in tables["category_shares"]), default=0)
    return {
        **report,
        "finding": _finding(report, labels),
        "notice": _notice(report["answered_by"]),
        "custody": custody,
        "is_complete": _is_complete(report, custody),
        "export_time": _moment(report["export_time"], zone),
        "generated_at": _moment(report["generated_at"], zone),
        "last_day": last_day,
        "is_waiting": last_day < last_complete,
        "latest_week": latest_week,
        "people": _people(tables["concentration"]),
        "categories": categories(tables, labels),
        "gold_size": gold_size,
        "labelled": counted("labelled", gold_size),
        "trend": trend(tables["category_trends"], labels),
        "scores": scores(tables["score_distribution"]),
        "score_by_category": [
            {**row, "label": labels.category(row["category"])} for row in tables["score_by_category"]
        ],
        "when": when(tables),
        "concentration": _concentration(tables["concentration"], report["min_users"]),
        "dimensions": dimensions(tables, labels),
        **_users(tables["usage_by_user"]),
        **_judging(report),
    }


def _finding(report: Mapping[str, Any], labels: Labels) -> Markup:
    conversations = report["totals"]["conversations"]
    rows = report["tables"]["category_counts"]
    told = [row for row in rows if row["category"] != POOLED]
    if not conversations:
        return text("finding_empty")
    if not told:
        reason = "unjudged" if not report["totals"]["evaluated"] else "pooled" if rows else "early"
        return text(f"finding_{reason}", conversations=counted("conversations", conversations))
    return text(
        "finding",
        conversations=counted("conversations", conversations),
        categories=counted("categories", len(told)),
        label=labels.category_texts(told[0]["category"]),
        share=figures.percent(told[0]["share"], 0),
    )


def _notice(answered_by: Sequence[str]) -> str | None:
    if STAND_IN not in answered_by:
        return None
    return "notice_some" if set(answered_by) - {STAND_IN, NOBODY} else "notice_all"


def _custody(report: Mapping[str, Any]) -> dict[str, Any]:
    """Return how many items the export holds and what became of them, without kinds that it has none of."""
    skipped = {kind: count for kind, count in report["custody"]["skipped"].items() if count}
    return {**report["totals"], "items": report["custody"]["items"], "skipped": skipped}


def _is_complete(report: Mapping[str, Any], custody: Mapping[str, Any]) -> bool:
    """Return whether every item is accounted for, and no table counts more than there is."""
    tables, evaluated = report["tables"], report["totals"]["evaluated"]
    accounted = {
        custody["items"] - sum(custody["skipped"].values()),
        report["totals"]["conversations"],
        sum(custody[outcome] for outcome in OUTCOMES),
        _conversations(tables["evaluation_quality"]),
    }
    told = [_conversations(tables[table]) for table in ("category_counts", "score_distribution")]
    return len(accounted) == 1 and max(told) <= evaluated


def _conversations(rows: Sequence[Row]) -> int:
    return sum(row["conversations"] for row in rows)


def _moment(iso: str, zone: ZoneInfo) -> str:
    moment = datetime.fromisoformat(str(iso))
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M} ({zone.key})"


def _latest_week(rows: Sequence[Row]) -> Row | None:
    return max(rows, key=lambda row: str(row["week"]), default=None)


def _people(rows: Sequence[Row]) -> int | None:
    """Return how many people there are: what the table divided by to get a share of them."""
    told = [row for row in rows if row["share_of_users"]]
    return round(told[-1]["users"] / told[-1]["share_of_users"]) if told else None


def _concentration(rows: Sequence[Row], min_users: int) -> list[Markup]:
    """Return by how many people half of the use is; where these are too few to be told, the next part that is told."""
    people = _people(rows)
    sentences: list[Markup] = []
    for row in (row for row in rows if row["share_of_use"] >= HALF):
        share = each_language("half") if row["share_of_use"] == HALF else figures.percent(row["share_of_use"], 0)
        if row["users"] is not None:
            told = {"users": figures.number(row["users"]), "people": counted("people", people or 0)}
            return [*sentences, text("concentration", share=share, **told)]
        sentences = sentences or [text("concentration_untold", share=share, min_users=min_users)]
    return sentences


def _users(rows: Sequence[Row]) -> dict[str, Any]:
    known = [row for row in rows if row["user_pseudonym"] != UNKNOWN]
    return {
        "users": counted("users", len(known)),
        "users_shown": min(len(known), USERS_SHOWN),
        "user_rows": [*known[:USERS_SHOWN], *rows[len(known) :]],
    }


def _judging(report: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a conversation cost on average, and how many of the evaluated ones needed one answer only."""
    evaluated, cost = report["totals"]["evaluated"], report["cost_micro_usd"]
    judged = evaluated + report["totals"]["quarantined"]
    quality = [row for row in report["tables"]["evaluation_quality"] if row["outcome"] == "evaluated"]
    return {
        "cost_each": f"{cost / judged / 1_000_000:.6f}" if judged else None,
        "first_attempt": sum(row["first_attempt"] for row in quality) / evaluated if evaluated else None,
    }
