"""
Reports (`report.json`) of made-up conversations, by name: what the dashboard's tests, pictures and figures show.

`python -m tests.browser.reports FOLDER` writes each as a file.
"""

import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from chatcensus import publication
from chatcensus.crosswalk import Crosswalk
from chatcensus.custody import Counted, Custody, LayerCount, Writes
from chatcensus.edition import Edition
from chatcensus.include import read_yaml
from chatcensus.publication import compact_json
from chatcensus.snapshot import Snapshot
from chatcensus.summaries import Summaries
from chatcensus.taxonomy import Taxonomy
from tests.browser.conversations import Company, Told
from tests.browser.judging import operator_tables, usage_by_user
from tests.browser.tables import Census

ROOT = Path(__file__).parents[2]
TAXONOMY = read_yaml(ROOT / "include/prompts/taxonomy.yaml", Taxonomy)
SUMMARIES = read_yaml(ROOT / "include/sql/summaries.yaml", Summaries)
KEYS = tuple(category.key for category in TAXONOMY.categories)
ZONE, MODEL = "Asia/Tokyo", "anthropic.claude-haiku-4-5-20251001-v1:0"

MORE_LABELS = {
    "planning": ("Planning", "計画"), "legal": ("Legal questions", "法務相談"), "hiring": ("Hiring", "採用"),
    "support": ("Customer support", "顧客対応"), "design": ("Design", "デザイン"), "testing": ("Testing", "試験"),
    "procurement": ("Procurement", "調達"), "accounting": ("Accounting", "経理"), "quality": ("Quality", "品質"),
    "safety": ("Safety", "安全衛生"),
}  # fmt: skip
LABELS = {category.key: category.label.model_dump() for category in TAXONOMY.categories} | {
    key: {"en": english, "ja": japanese} for key, (english, japanese) in MORE_LABELS.items()
}
DEPARTMENTS = (
    "Engineering", "Sales", "Manufacturing", "Research and Development", "Customer Service", "Finance", "Marketing",
    "人事部", "Legal", "Purchasing", "Quality Assurance", "IT", "Logistics", "Planning", "経営企画室", "Facilities",
    "Public Relations", "Audit", "Osaka branch", "Kyushu branch",
)  # fmt: skip
TINY = ("Tiny one", "Tiny two", "Tiny three")  # too few people each: readers must never see these names
MODELS = ("claude-3-haiku", "gpt-4o-mini", "claude-sonnet-4", "gpt-5-mini", "claude-haiku-4-5", "claude-sonnet-4-5")

HOSTILE = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(2)>",
    "</script><script>alert(3)</script>",
    '"><iframe src="javascript:alert(4)"></iframe>',
    "' onmouseover='alert(5)' x='",
    "{b} {b|bold} {value} {{7*7}} {% if %} ${7*7} %s",
    "=HYPERLINK(\"http://evil.example\",\"click\")",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "line one\nline two\r\nline\tthree",
    "\u202eright to left\u202c עברית العربية",
    "W" * 200,
    "&amp;&lt;b&gt; <!-- --> <![CDATA[ ]]> \u2028\u2029",
    "__proto__",
    "constructor",
)  # fmt: skip


def _company(**more: Any) -> Company:
    usual: dict[str, Any] = {
        "first_day": date(2026, 8, 3), "days": 63, "conversations": 1600, "users": 90, "categories": KEYS,
        "departments": DEPARTMENTS[:6], "user_groups": ("staff", "managers", "contractors"),
        "app_models": MODELS[2:5], "languages": ("ja", "en"), "grows": "coding",
    }  # fmt: skip
    return Company(**{**usual, **more})


@cache
def large() -> str:
    """500 days, 20 categories, 20 departments, 6 models, 5 languages, a gold set: the most that one page shows."""
    company = _company(
        first_day=date(2025, 5, 20), days=500, conversations=90_000, users=2600, categories=(*KEYS, *MORE_LABELS),
        departments=(*DEPARTMENTS[:19], "unknown"), tiny=TINY,
        user_groups=("staff", "managers", "contractors", "interns"),
        app_models=MODELS, languages=("ja", "en", "zh", "vi", "pt"),
    )  # fmt: skip
    return _report(company, min_users=5, gold_size=600)


@cache
def small() -> str:
    """Nine weeks as the demo makes them: nothing is hidden, and the stand-in answered."""
    return _report(_company(), min_users=0, answered_by="stand-in", per_user=True)


@cache
def plain() -> str:
    """Half a year of a company of 700 people, judged by a model: what the pictures show."""
    company = _company(
        first_day=date(2026, 3, 30), days=189, conversations=26_000, users=700, departments=DEPARTMENTS[:10],
        tiny=TINY, app_models=MODELS[1:], languages=("ja", "en", "zh"), seed=5,
    )  # fmt: skip
    return _report(company, min_users=5, gold_size=400)


@cache
def empty() -> str:
    """A table without a conversation."""
    return _report(_company(conversations=0, days=0), min_users=5)


@cache
def one_day() -> str:
    """The first day of use, told when its week was over."""
    return _report(_company(days=1, conversations=160), min_users=5, open_week=date(2026, 8, 10))


@cache
def no_weeks_told() -> str:
    """Three people: no week has enough of them to be told of."""
    return _report(_company(users=3, conversations=120), min_users=5)


@cache
def hostile() -> str:
    """Labels, departments, groups, models and keys that try to be markup, formulas, templates or code."""
    categories = (*KEYS[:2], "<b>key</b>", "__proto__", "=1+1", "constructor", "toString")
    company = _company(
        categories=categories, departments=HOSTILE, user_groups=HOSTILE[::-1], app_models=HOSTILE[:7], days=133,
        first_day=date(2026, 5, 25), languages=HOSTILE[5:10], conversations=9000, users=400,
        reasons=("refused", *HOSTILE[:3]),
    )  # fmt: skip
    labels = {key: {"en": HOSTILE[n], "ja": HOSTILE[-n - 1]} for n, key in enumerate(categories)}
    return _report(company, min_users=0, per_user=True, labels=labels, model=HOSTILE[0], pseudonyms=HOSTILE)


NAMES = {each.__name__: each for each in (large, small, plain, empty, one_day, hostile, no_weeks_told)}


def report(name: str) -> dict[str, Any]:
    """Return the report called *name*, a copy of its own."""
    made: dict[str, Any] = json.loads(NAMES[name]())
    return made


def _report(
    company: Company,
    *,
    min_users: int,
    open_week: date | None = None,
    answered_by: str = MODEL,
    gold_size: int | None = None,
    per_user: bool = False,
    labels: Mapping[str, Any] | None = None,
    model: str = MODEL,
    pseudonyms: Sequence[str] = (),
) -> str:
    talk = list(company.talk()) if company.conversations else []
    last_day = company.first_day + timedelta(days=company.days)
    open_week = open_week or last_day - timedelta(days=last_day.weekday())
    census = Census(talk, open_week, min_users)
    judge = {"model": model, "answered_by": answered_by}
    tables = _reader_tables(census, gold_size) | operator_tables(talk, judge)
    tables["usage_by_user"] = usage_by_user(census.told, pseudonyms) if per_user else []
    made = _published(talk, open_week, min_users, tables) | {"labels": labels or LABELS}
    return compact_json(made)


def _published(talk: Sequence[Told], open_week: date, min_users: int, tables: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `publish` makes of *tables* on the day after the last conversation."""
    exported = datetime.combine(max([open_week, *(t.day for t in talk)]), time(18), UTC)
    snapshot = Snapshot("01604474914028-a1b2c3d4", exported.isoformat(), {"conversation_id": "S"}, ())
    edition = Edition.of(snapshot, ZONE, "0a1b2c3d")
    if edition.open_week != open_week.isoformat():
        raise ValueError(f"the week of the export is {edition.open_week}, the tables end before {open_week}")
    return publication.report(
        run_id=f"scheduled__{exported.isoformat()}",
        now=exported + timedelta(minutes=21),
        edition=edition,
        timezone=ZONE,
        min_users=min_users,
        custody=_custody(snapshot.export_id, Counter(t.outcome for t in talk)),
        tables=tables,
        summaries=SUMMARIES.summaries,
        taxonomy=TAXONOMY,
        crosswalk=Crosswalk(),
    )


def _custody(export_id: str, outcomes: Counter[str]) -> Custody:
    """Two layers: a full export, and an incremental one that replaces some of it."""
    count = outcomes.total()
    added, other, deleted, replaced = count // 20, count // 40, count // 200, count // 9
    full = {"conversation": count - added, "other_item": other}
    newest = {"conversation": count - added - replaced, "other_item": other}
    later = {"conversation": added + replaced, "deleted": deleted}
    full, newest, later = ({kind: n for kind, n in each.items() if n} for each in (full, newest, later))
    layers = (
        LayerCount("full", "01603000000000-00ff00ff", "", sum(full.values()), "", full, newest),
        LayerCount("later", export_id, "", sum(later.values()), "", later, later),
    )
    written = outcomes["evaluated"] // 30
    return Custody(count + other, layers, (), Counted(outcomes), Writes(written, written))


def _reader_tables(census: Census, gold_size: int | None) -> dict[str, Any]:
    counts = census.usage("category", lambda each: each.category)
    scores = census.usage("inquiry_score", lambda each: each.score, mean=False, pooled=None)
    return {
        "category_counts": counts,
        "category_shares": [_corrected(row, n, gold_size) for n, row in enumerate(counts)],
        "category_trends": census.trends(),
        "score_by_category": census.score_by_category(),
        "score_distribution": scores,
        "department_usage": census.usage("department", lambda each: each.person.department),
        "user_group_usage": census.usage("user_group", lambda each: each.person.user_group),
        "app_model_usage": census.usage("app_model", lambda each: each.app_model),
        "language_usage": census.usage("language", lambda each: each.person.language),
        "hour_usage": census.usage("hour", lambda each: each.hour, pooled=None),
        **census.periods(),
        "concentration": census.concentration(),
        "category_by_group": census.category_by_group(),
        "hour_by_weekday": census.hour_by_weekday(),
    }


def _corrected(row: Mapping[str, Any], n: int, gold_size: int | None) -> dict[str, Any]:
    share = row["share"] * (1.08 if n % 2 else 0.94)
    half = 1.96 * (share * (1 - share) / gold_size) ** 0.5 if gold_size else 0
    told = (share, max(share - half, 0), min(share + half, 1)) if gold_size else (None, None, None)
    names = ("corrected_share", "corrected_low", "corrected_high")
    kept = {name: row[name] for name in ("category", "conversations", "users", "share")}
    return {**kept, **dict(zip(names, told, strict=True)), "gold_size": gold_size}


def main(folder: Path) -> None:
    """Write every report into *folder*."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        (folder / f"{name}.json").write_text(NAMES[name]())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
