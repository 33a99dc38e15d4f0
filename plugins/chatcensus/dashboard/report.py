"""
Write the report of a run: one HTML file that needs nothing else, in English and Japanese, without a script.

Standard library and Jinja only: operators, demo and tests render the same page. It never sees conversation text.
"""

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from chatcensus.dashboard.report_texts import TEXTS

STAND_IN, NOBODY = "stand-in", "nobody"  # the latter where a conversation was quarantined without a call
UNKNOWN_USER = "unknown"
USERS_SHOWN = 20
BARS_SHOWN = 62  # bars in the chart of days before it counts months, then years
DAYS_UNFOLDED = 14  # rows of days a reader sees without opening the table

OUTCOMES = ("evaluated", "quarantined", "pending")

TEMPLATES = Path(__file__).parent / "templates"

Row = Mapping[str, Any]
Local = Mapping[str, str]  # one text for each language

# The order in which each table is read; Parquet files keep none.
_ORDER: Mapping[str, Callable[[Row], Any]] = {
    "category_counts": lambda row: (-row["conversations"], row["category"]),
    "score_distribution": lambda row: -row["inquiry_score"],
    "daily_usage": lambda row: (row["day"] is None, str(row["day"])),
    "usage_by_user": lambda row: (-row["conversations"], row["user_pseudonym"]),
    "model_cost": lambda row: (-row["cost_micro_usd"], str(row["model"]), str(row["answered_by"])),
    "evaluation_quality": lambda row: (
        OUTCOMES.index(row["outcome"]),
        -row["conversations"],
        str(row["reason"]),
        str(row["model"]),
        str(row["prompt_version"]),
    ),
}


def render_report(report: Mapping[str, Any], language: str = "en") -> str:
    """
    Return the report as one HTML page, opened in *language*; a reader can switch without a script.

    Shape: run_id, generated_at, export_id, export_time (ISO 8601), item_count, timezone, answered_by (list), totals
    {conversations, evaluated, quarantined, pending}, cost_micro_usd, labels {category: {en, ja}}, and tables
    {summary table: its rows as dicts, in any order}. Days are dates or ISO text.
    Raises: KeyError for a part that is missing, ValueError for an unknown language.
    """
    if language not in TEXTS:
        raise ValueError(f"no report in language {language!r}: choose one of {', '.join(TEXTS)}")
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        loader=FileSystemLoader(TEMPLATES),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(text=text, style=_style())
    environment.filters.update(number=number, percent=percent, score=score, usd=usd, usd_rounded=usd_rounded, bar=bar)
    page = _page({**report, "tables": _in_order(report["tables"])})
    return environment.get_template("report.html.jinja").render(language=language, languages=TEXTS, **page)


def text(key: str, **values: object) -> Markup:
    """Return the words for *key* in every language, one span each; a mapping among *values* differs by language."""
    return Markup().join(
        Markup('<span lang="{}">{}</span>').format(language, _words(language, key, values)) for language in TEXTS
    )


def number(count: int) -> str:
    """Return a whole number with its thousands apart."""
    return f"{count:,}"


def percent(share: float, digits: int = 1) -> str:
    """Return a share of 0 to 1 as a percentage, never rounding something down to nothing."""
    smallest = 10**-digits
    if 0 < share * 100 < smallest:
        return f"<{smallest:.{digits}f}%"
    return f"{share * 100:.{digits}f}%"


def score(mean: float | None) -> str:
    """Return a mean inquiry score with two digits; none is a dash."""
    return "–" if mean is None else f"{mean:.2f}"


def usd(micro_usd: int) -> str:
    """Return micro-USD as USD with all six digits, so that a column adds up by eye."""
    return f"{micro_usd // 1_000_000:,}.{micro_usd % 1_000_000:06d}"


def usd_rounded(micro_usd: int) -> str:
    """Return micro-USD as USD to the cent, below one dollar to a hundredth of a cent; half a digit goes up."""
    digits = 2 if micro_usd >= 1_000_000 else 4
    units = (micro_usd + 5 * 10 ** (5 - digits)) // 10 ** (6 - digits)
    return f"{units // 10**digits:,}.{units % 10**digits:0{digits}d}"


def bar(part: float, most: float) -> Markup:
    """Return a bar as wide as *part* is of *most*: by an attribute, since the policy allows no inline style."""
    width = 100 * part / most if most else 0
    return Markup(
        '<svg class="bar" width="100%" height="10" aria-hidden="true"><rect width="{:.2f}%" height="10" rx="2"/></svg>'
    ).format(width)


def _words(language: str, key: str, values: Mapping[str, object]) -> Markup:
    local = {name: value[language] if isinstance(value, Mapping) else value for name, value in values.items()}
    return Markup(TEXTS[language][key]).format(**local)  # noqa: S704 - our own words; format escapes the values


def _counted(noun: str, count: int) -> dict[str, Markup]:
    key = f"{noun}_one" if count == 1 else f"{noun}_many"
    return {language: _words(language, key, {"count": number(count)}) for language in TEXTS}


def _style() -> dict[str, Markup]:
    css = (TEMPLATES / "report.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    return {"css": Markup(css), "hash": Markup(f"sha256-{digest}")}  # noqa: S704 - our own file and its own digest


def _in_order(tables: Mapping[str, Sequence[Row]]) -> dict[str, list[Row]]:
    return {table: sorted(tables[table], key=order) for table, order in _ORDER.items()}


def _page(report: Mapping[str, Any]) -> dict[str, Any]:
    tables = report["tables"]
    evaluated, judged = report["totals"]["evaluated"], report["totals"]["evaluated"] + report["totals"]["quarantined"]
    zone = ZoneInfo(report["timezone"])
    labels = {row["category"]: _label(report["labels"], row["category"]) for row in tables["category_counts"]}
    users = [row for row in tables["usage_by_user"] if row["user_pseudonym"] != UNKNOWN_USER]
    userless = [row for row in tables["usage_by_user"] if row["user_pseudonym"] == UNKNOWN_USER]
    first_attempt = sum(row["first_attempt"] for row in tables["evaluation_quality"] if row["outcome"] == "evaluated")
    return {
        **report,
        "labels": labels,
        "finding": _finding(report, labels),
        "notice": _notice(report["answered_by"]),
        "is_complete": _is_complete(report),
        "export_time": _moment(report["export_time"], zone),
        "generated_at": _moment(report["generated_at"], zone),
        "mean_score": _mean_score(tables["score_distribution"]),
        "scores": _all_scores(tables["score_distribution"]),
        "days": _days(tables["daily_usage"]),
        "users": _counted("users", len(users)),
        "user_count": len(users),
        "users_shown": min(len(users), USERS_SHOWN),
        "user_rows": [*users[:USERS_SHOWN], *userless],
        "cost_each": f"{report['cost_micro_usd'] / judged / 1_000_000:.6f}" if judged else None,
        "first_attempt": first_attempt / evaluated if evaluated else None,
    }


def _label(labels: Mapping[str, Local], category: str) -> Local:
    return {language: labels.get(category, {}).get(language, category) for language in TEXTS}


def _finding(report: Mapping[str, Any], labels: Mapping[str, Local]) -> Markup:
    conversations = report["totals"]["conversations"]
    categories = report["tables"]["category_counts"]
    if not conversations:
        return text("finding_empty")
    if not categories:
        return text("finding_unjudged", conversations=_counted("conversations", conversations))
    return text(
        "finding",
        conversations=_counted("conversations", conversations),
        categories=_counted("categories", len(categories)),
        label=labels[categories[0]["category"]],
        share=percent(categories[0]["share"], 0),
    )


def _notice(answered_by: Sequence[str]) -> str | None:
    if STAND_IN not in answered_by:
        return None
    return "notice_some" if set(answered_by) - {STAND_IN, NOBODY} else "notice_all"


def _is_complete(report: Mapping[str, Any]) -> bool:
    totals, tables = report["totals"], report["tables"]
    counts = {
        report["item_count"],
        totals["conversations"],
        totals["evaluated"] + totals["quarantined"] + totals["pending"],
        sum(row["conversations"] for row in tables["daily_usage"]),
        sum(row["conversations"] for row in tables["evaluation_quality"]),
    }
    return len(counts) == 1 and totals["evaluated"] == sum(row["conversations"] for row in tables["category_counts"])


def _moment(iso: str, zone: ZoneInfo) -> str:
    moment = datetime.fromisoformat(str(iso))
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M} ({zone.key})"


def _mean_score(rows: Sequence[Row]) -> float | None:
    conversations = sum(row["conversations"] for row in rows)
    return sum(row["inquiry_score"] * row["conversations"] for row in rows) / conversations if conversations else None


def _all_scores(rows: Sequence[Row]) -> list[Row]:
    """Return five rows, the best score first, with zeros for the scores nobody got."""
    found = {row["inquiry_score"]: row for row in rows}
    nobody = {"conversations": 0, "share": 0.0}
    return [{"inquiry_score": value, **nobody, **found.get(value, {})} for value in range(5, 0, -1)]


def _days(rows: Sequence[Row]) -> dict[str, Any] | None:
    dated = [{**row, "day": date.fromisoformat(str(row["day"]))} for row in rows if row["day"] is not None]
    if not dated:
        return None
    busiest = max(dated, key=lambda row: row["conversations"])
    return {
        "first": min(row["day"] for row in dated),
        "last": max(row["day"] for row in dated),
        "busiest": busiest["day"],
        "busiest_conversations": _counted("conversations", busiest["conversations"]),
        "undated": sum(row["conversations"] for row in rows if row["day"] is None),
        "bars": _bars(dated),
        "is_unfolded": len(rows) <= DAYS_UNFOLDED,
    }


def _bars(dated: Sequence[Row]) -> list[dict[str, Any]]:
    """Return one bar for every day between first and last, for every month or year where days would be too many."""
    first, last = min(row["day"] for row in dated), max(row["day"] for row in dated)
    days = [(first + timedelta(days=offset)).isoformat() for offset in range((last - first).days + 1)]
    for length in (len("2026-10-01"), len("2026-10"), len("2026")):
        counts = dict.fromkeys((day[:length] for day in days), 0)
        if len(counts) <= BARS_SHOWN:
            break
    for row in dated:
        counts[row["day"].isoformat()[:length]] += row["conversations"]
    return [{"period": period, "conversations": count} for period, count in counts.items()]
