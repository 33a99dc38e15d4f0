"""What a run of the demo came to: read from the published tables, compared with the conversation table, printed."""

import json
import tomllib
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from boto3.dynamodb.types import TypeDeserializer

from chatcensus.aws.athena import Athena
from chatcensus.aws.ledger import Ledger
from chatcensus.edition import week_of
from chatcensus.include import include_dir, read_yaml
from chatcensus.moment import read_iso
from chatcensus.summaries import POOLED, Summaries
from chatcensus.taxonomy import Taxonomy
from demo.airflow_home import VARIABLES
from demo.load import client

TEXTS: dict[str, dict[str, str]] = tomllib.loads(Path(__file__).with_name("texts.toml").read_text(encoding="utf-8"))
BAR, WIDTH = 30, 34
SHOWN_OUTCOMES = ("evaluated", "already_evaluated", "quarantined")
# What is compared, and the table that tells it to readers.
COMPARED = {"category": "category_counts", "inquiry_score": "score_distribution"}


@dataclass(frozen=True)
class Judged:
    """An evaluated conversation as a scan finds it; *week* is the Monday of its week, None where its day is unknown."""

    user: str | None
    week: date | None
    evaluated_at: str
    category: str
    inquiry_score: str


@dataclass(frozen=True)
class Told:
    """How far a value is counted: what was judged by *counted_until*, and of no later week than *last_week*."""

    counted_until: str
    last_week: date | None

    def holds(self, each: Judged) -> bool:
        """Return whether a conversation counts under the value."""
        is_of_week = each.week is None or (self.last_week is not None and each.week <= self.last_week)
        return is_of_week and each.evaluated_at <= self.counted_until


@dataclass(frozen=True)
class Outcome:
    """
    The published summaries of a run, its tally, and what a scan of the table finds.

    Shape: *told* is, for each dimension and value that readers are told apart, how far it is counted. *weeks* are the
    Mondays of the weeks that readers are told of; *judged* are the evaluated conversations of all weeks.
    """

    tables: dict[str, list[dict[str, Any]]]
    tally: dict[str, Any]
    told: dict[str, dict[str, Told]]
    weeks: frozenset[date]
    min_users: int
    judged: list[Judged]

    @property
    def judged_and_told(self) -> list[Judged]:
        """Those of the weeks that readers are told of, or of an unknown day."""
        return [each for each in self.judged if each.week is None or each.week in self.weeks]

    @property
    def summarised(self) -> dict[str, list[tuple[str, int]]]:
        """Conversations by category and by score, as the summary tables have them, a pair for each row."""
        return {
            dimension: sorted((_value(row[dimension]), row["conversations"]) for row in self.tables[table])
            for dimension, table in COMPARED.items()
        }

    @property
    def scanned(self) -> dict[str, list[tuple[str, int]]]:
        """The same counts as the scan gives them: what is not told apart is one, unless it is of too few people."""
        return {dimension: self._count(dimension) for dimension in COMPARED}

    def _count(self, dimension: str) -> list[tuple[str, int]]:
        told = self.told.get(dimension, {})
        groups: dict[str, list[Judged]] = defaultdict(list)
        for each in self.judged_and_told:
            value = getattr(each, dimension)
            groups[value if value in told and told[value].holds(each) else POOLED].append(each)
        return sorted((value, len(group)) for value, group in groups.items() if _people(group) >= self.min_users)

    @property
    def is_equal(self) -> bool:
        """Whether table and summaries say the same."""
        return self.scanned == self.summarised

    @property
    def is_stand_in(self) -> bool:
        """Whether any evaluation is the stand-in's."""
        return any(row["answered_by"] == "stand-in" for row in self.tables["model_cost"])


def _value(value: str | int | None) -> str:
    return POOLED if value is None else str(value)


def _people(group: Iterable[Judged]) -> int:
    return len({each.user for each in group} - {None})


def read_outcome(endpoint_url: str, run_id: str) -> Outcome:
    """Return what the run *run_id* came to."""
    athena = Athena(client("athena", endpoint_url), VARIABLES["chatcensus_database"], VARIABLES["chatcensus_workgroup"])
    summaries = read_yaml(include_dir(__file__) / "sql/summaries.yaml", Summaries).summaries
    order = {
        "category_counts": "category = '(few)', conversations desc, category",
        "score_distribution": "inquiry_score nulls last",
    }
    tables = {
        summary.table: [
            dict(row)
            for row in summary.read(
                athena.rows(f"select * from {summary.table} order by {order.get(summary.table, '1')}")  # noqa: S608 - names from our own file
            )
        ]
        for summary in summaries
        if summary.audience != "workings"
    }
    report = json.loads(_published(endpoint_url, ".json"))
    dynamodb = client("dynamodb", endpoint_url)
    ledger = Ledger(dynamodb, VARIABLES["chatcensus_control_table"], f"chat_census/{run_id}")
    judged = list(_scan(dynamodb, ZoneInfo(report["timezone"])))
    return Outcome(tables, ledger.run()["tally"], _told(athena), _weeks(athena), report["min_users"], judged)


def _told(athena: Athena) -> dict[str, dict[str, Told]]:
    told: dict[str, dict[str, Told]] = defaultdict(dict)
    for row in athena.rows("select dimension, value, counted_until, last_week from shown_values"):
        last_week = date.fromisoformat(row["last_week"]) if row["last_week"] else None
        told[str(row["dimension"])][str(row["value"])] = Told(str(row["counted_until"]), last_week)
    return dict(told)


def _weeks(athena: Athena) -> frozenset[date]:
    rows = athena.rows("select period from shown_periods where kind = 'week'")
    return frozenset(date.fromisoformat(str(row["period"])) for row in rows)


def save_report(endpoint_url: str, path: Path) -> None:
    """Write the published report to *path*."""
    path.write_bytes(_published(endpoint_url, ".html"))


def _published(endpoint_url: str, suffix: str) -> bytes:
    """Return the published report as a page (.html), or as the values that are shown there (.json)."""
    s3, bucket = client("s3", endpoint_url), VARIABLES["chatcensus_result_bucket"]
    current = json.loads(s3.get_object(Bucket=bucket, Key="current.json")["Body"].read())
    key = current["report"].removesuffix(".html") + suffix
    return bytes(s3.get_object(Bucket=bucket, Key=key)["Body"].read())


def _scan(dynamodb: Any, zone: ZoneInfo) -> Iterator[Judged]:
    deserialize = TypeDeserializer().deserialize
    for page in dynamodb.get_paginator("scan").paginate(
        TableName=VARIABLES["chatcensus_table"], ProjectionExpression="created_at, evaluation", ConsistentRead=True
    ):
        for item in page["Items"]:
            evaluation = deserialize(item["evaluation"]) if "evaluation" in item else {}
            created_at = read_iso(deserialize(item["created_at"])) if "created_at" in item else None
            if evaluation.get("outcome") == "evaluated":
                yield _judged(evaluation, created_at and week_of(created_at.astimezone(zone).date()))


def _judged(evaluation: Mapping[str, Any], week: date | None) -> Judged:
    score = str(int(evaluation["inquiry_score"]))
    return Judged(evaluation.get("user_pseudonym"), week, evaluation["evaluated_at"], evaluation["category"], score)


def print_outcome(outcome: Outcome, language: str) -> None:
    """Print the categories, the scores, the tally and the cost."""
    text = TEXTS[language]
    pooled = text["pooled"].format(min_users=outcome.min_users)
    labels = {
        category.key: getattr(category.label, language)
        for category in read_yaml(include_dir(__file__) / "prompts/taxonomy.yaml", Taxonomy).categories
    } | {POOLED: pooled}
    last_day = max(outcome.weeks) + timedelta(days=6) if outcome.weeks else "–"
    if outcome.weeks:
        print("\n" + text["told_until"].format(count=f"{len(outcome.judged_and_told):,}", last_day=last_day))
    print(f"\n{text['categories']}")
    for row in outcome.tables["category_counts"]:
        _print_row(labels.get(row["category"], row["category"]), row)
    print(f"\n{text['scores']}")
    for row in outcome.tables["score_distribution"]:
        _print_row(pooled if row["inquiry_score"] is None else str(row["inquiry_score"]), row)
    tally = outcome.tally
    counts = {name: int(tally["outcomes"].get(name, 0)) for name in SHOWN_OUTCOMES}
    quality = outcome.tables["evaluation_quality"]
    counts["pending"] = sum(row["conversations"] for row in quality if row["outcome"] == "pending")
    tokens = int(tally["input_tokens"]) + int(tally["output_tokens"])
    usd = f"{int(tally['cost_micro_usd']) / 1e6:.4f}"
    print("\n" + text["tally"].format(**counts, calls=int(tally["calls"]), tokens=f"{tokens:,}", usd=usd))
    if outcome.is_stand_in:
        print(text["stand_in"])
    if outcome.is_equal:
        print(text["equal"].format(count=sum(map(len, outcome.summarised.values()))))
    else:
        print(text["unequal"].format(scan=outcome.scanned, summary=outcome.summarised))


def _print_row(label: str, row: dict[str, Any]) -> None:
    bar = "█" * max(1, round(row["share"] * BAR))
    print(f"  {_padded(label, WIDTH)} {row['conversations']:6,} {row['share']:7.1%} {bar}")


def _padded(text: str, width: int) -> str:
    """Return *text* filled up to *width* columns of a terminal, where Japanese letters take two."""
    return text + " " * (width - sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text))
