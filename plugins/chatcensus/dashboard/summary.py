"""Write the summary of a report: some 15 lines of Markdown that Slack and a mail show as well."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from chatcensus.dashboard.figures import number, percent, points, usd_rounded
from chatcensus.publication import rows_of
from chatcensus.summaries import POOLED

STAND_IN, NOBODY = "stand-in", "nobody"  # the latter where a conversation was quarantined without a call
CHANGES_TOLD = 3

Row = Mapping[str, Any]
# A mail shows a Markdown escape as it is written, and Slack does too: so what they would interpret takes full width.
# What turns the direction of a line goes: it would turn the digits of the share behind it.
_INTERPRETED: dict[int, str | None] = {
    **{ord(each): chr(ord(each) + 0xFEE0) for each in r"\`*_[]()<>&|@#~!:"},
    **{ord(each): " " for each in "\r\n"},
    **dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)]),
}


def summary_markdown(report: Mapping[str, Any], language: str, places: Mapping[str, str]) -> str:
    """
    Return *report*, as `publication.report` makes it, in a few lines of Markdown in *language*, en or ja.

    Shape: *places* says where each of `page` (a URL), `report` and `tables` (S3 addresses) is, those that there are.
    """
    words = Words(language, report["labels"])
    blocks = [
        [_finding(words, report)],
        [words.text(key) for key in _notice(report["answered_by"])],
        [_as_of(words, report)],
        [f"- {line}" for line in _counts(words, report)],
        list(_changes(words, rows_of(report, "category_trends"))),
        [f"- {words.text(name, place=place)}" for name, place in places.items()],
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


@dataclass(frozen=True)
class Words:
    """The words of one language, and the labels of the categories: {category: {language: label}}."""

    language: str
    labels: Mapping[str, Mapping[str, str]]

    def text(self, key: str, **values: object) -> str:
        """Return the words for *key*."""
        return _texts(self.language)[key].format(**values)

    def counted(self, noun: str, count: int) -> str:
        """Return *count* with its noun, in the singular or the plural."""
        return self.text(f"{noun}_one" if count == 1 else f"{noun}_many", count=number(count))

    def category(self, category: str) -> str:
        """Return what a category is called, its key where the taxonomy no longer knows it, and never a mention."""
        return self.labels.get(category, {}).get(self.language, category).translate(_INTERPRETED)


@cache
def _texts(language: str) -> dict[str, str]:
    path = Path(__file__).parent / "texts" / f"summary.{language}.json"
    texts: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return texts


def _finding(words: Words, report: Mapping[str, Any]) -> str:
    total = report["totals"]["conversations"]
    rows = rows_of(report, "category_counts")
    told = [row for row in rows if row["category"] != POOLED]
    conversations = words.counted("conversations", total)
    if not total:
        return words.text("finding_empty")
    if not told:
        reason = "unjudged" if not report["totals"]["evaluated"] else "pooled" if rows else "early"
        return words.text(f"finding_{reason}", conversations=conversations)
    largest = min(told, key=lambda row: (-row["conversations"], row["category"]))
    return words.text(
        "finding",
        conversations=conversations,
        categories=words.counted("categories", len(told)),
        label=words.category(largest["category"]),
        share=percent(largest["share"], 0),
    )


def _notice(answered_by: Sequence[str]) -> list[str]:
    if STAND_IN not in answered_by:
        return []
    return ["notice_some" if set(answered_by) - {STAND_IN, NOBODY} else "notice_all"]


def _as_of(words: Words, report: Mapping[str, Any]) -> str:
    moment, zone = datetime.fromisoformat(report["export_time"]), ZoneInfo(report["timezone"])
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    open_week = date.fromisoformat(report["told_until"])
    weeks = [date.fromisoformat(row["week"]) for row in rows_of(report, "weekly_usage")]
    last_day = max(weeks, default=open_week - timedelta(days=7)) + timedelta(days=6)
    return words.text("as_of", time=f"{moment.astimezone(zone):%Y-%m-%d %H:%M} ({zone.key})", last_day=last_day)


def _counts(words: Words, report: Mapping[str, Any]) -> Iterator[str]:
    totals = report["totals"]
    if not totals["conversations"]:
        return
    counts = {name: number(totals[name]) for name in ("evaluated", "quarantined", "pending")}
    yield words.text("totals", **counts, coverage=percent(totals["evaluated"] / totals["conversations"]))
    yield words.text("cost", cost=usd_rounded(report["cost_micro_usd"]))


def _changes(words: Words, rows: Sequence[Row]) -> Iterator[str]:
    """Tell the largest changes that are more than noise, of the latest period of the grain that tells more apart."""
    told = {grain: [row for row in rows if row["grain"] == grain] for grain in ("week", "month")}
    grain = max(told, key=lambda each: len({row["category"] for row in told[each]} - {POOLED}))
    latest = max((row["period"] for row in told[grain]), default=None)
    compared = [row for row in told[grain] if row["period"] == latest and row["change"] is not None]
    if latest is None or not compared:
        return
    period = latest[: len("2026-10")] if grain == "month" else latest
    changed = [row for row in compared if row["is_more_than_noise"] and row["category"] != POOLED]
    if not changed:
        yield words.text(f"no_change_{grain}", period=period)
        return
    yield words.text(f"changes_{grain}", period=period) + "\n"
    changed.sort(key=lambda row: (-abs(row["change"]), row["category"]))
    for row in changed[:CHANGES_TOLD]:
        yield f"- {_change(words, row)}"
    if (more := len(changed) - CHANGES_TOLD) > 0:
        yield f"- {words.text('more_changes', count=more)}"


def _change(words: Words, row: Row) -> str:
    return words.text(
        "change",
        label=words.category(row["category"]),
        previous=percent(row["previous_share"]),
        share=percent(row["share"]),
        change=points(row["change"]),
        low=points(row["change_low"]),
        high=points(row["change_high"]),
    )
