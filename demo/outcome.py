"""What a run of the demo came to: read from the published tables, compared with the conversation table, printed."""

import json
import tomllib
import unicodedata
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boto3.dynamodb.types import TypeDeserializer

from chatcensus.aws.athena import Athena
from chatcensus.aws.ledger import Ledger
from chatcensus.include import include_dir, read_yaml
from chatcensus.summaries import Summaries
from chatcensus.taxonomy import Taxonomy
from demo.airflow_home import VARIABLES
from demo.load import client

TEXTS: dict[str, dict[str, str]] = tomllib.loads(Path(__file__).with_name("texts.toml").read_text(encoding="utf-8"))
BAR = 30
SHOWN_OUTCOMES = ("evaluated", "already_evaluated", "quarantined")


@dataclass(frozen=True)
class Outcome:
    """The published summaries of a run, its tally, and the same counts from a scan of the table."""

    tables: dict[str, list[dict[str, Any]]]
    tally: dict[str, Any]
    scanned: dict[str, Counter[Any]]

    @property
    def summarised(self) -> dict[str, dict[Any, int]]:
        """Conversations by category and by score, as the summary tables have them."""
        return {
            "category": {row["category"]: row["conversations"] for row in self.tables["category_counts"]},
            "inquiry_score": {row["inquiry_score"]: row["conversations"] for row in self.tables["score_distribution"]},
        }

    @property
    def is_equal(self) -> bool:
        """Whether table and summaries say the same."""
        return {name: dict(counts) for name, counts in self.scanned.items()} == self.summarised

    @property
    def is_stand_in(self) -> bool:
        """Whether any evaluation is the stand-in's."""
        return any(row["answered_by"] == "stand-in" for row in self.tables["model_cost"])


def read_outcome(endpoint_url: str, run_id: str) -> Outcome:
    """Return what the run *run_id* came to."""
    athena = Athena(client("athena", endpoint_url), VARIABLES["chatcensus_database"], VARIABLES["chatcensus_workgroup"])
    summaries = read_yaml(include_dir(__file__) / "sql/summaries.yaml", Summaries).summaries
    order = {"category_counts": "conversations desc, category", "score_distribution": "inquiry_score"}
    tables = {
        summary.table: [
            dict(row)
            for row in summary.read(
                athena.rows(f"select * from {summary.table} order by {order.get(summary.table, '1')}")  # noqa: S608 - names from our own file
            )
        ]
        for summary in summaries
    }
    dynamodb = client("dynamodb", endpoint_url)
    ledger = Ledger(dynamodb, VARIABLES["chatcensus_control_table"], f"chat_census/{run_id}")
    return Outcome(tables, ledger.run()["tally"], _scan(dynamodb))


def save_report(endpoint_url: str, path: Path) -> None:
    """Write the published report to *path*."""
    s3, bucket = client("s3", endpoint_url), VARIABLES["chatcensus_result_bucket"]
    current = json.loads(s3.get_object(Bucket=bucket, Key="current.json")["Body"].read())
    path.write_bytes(s3.get_object(Bucket=bucket, Key=current["report"])["Body"].read())


def _scan(dynamodb: Any) -> dict[str, Counter[Any]]:
    deserialize = TypeDeserializer().deserialize
    counts: dict[str, Counter[Any]] = {"category": Counter(), "inquiry_score": Counter()}
    for page in dynamodb.get_paginator("scan").paginate(
        TableName=VARIABLES["chatcensus_table"], ProjectionExpression="evaluation", ConsistentRead=True
    ):
        for item in page["Items"]:
            evaluation = deserialize(item["evaluation"]) if "evaluation" in item else {}
            if evaluation.get("outcome") == "evaluated":
                counts["category"][evaluation["category"]] += 1
                counts["inquiry_score"][int(evaluation["inquiry_score"])] += 1
    return counts


def print_outcome(outcome: Outcome, language: str) -> None:
    """Print the categories, the scores, the tally and the cost."""
    text = TEXTS[language]
    labels = {
        category.key: getattr(category.label, language)
        for category in read_yaml(include_dir(__file__) / "prompts/taxonomy.yaml", Taxonomy).categories
    }
    print(f"\n{text['categories']}")
    for row in outcome.tables["category_counts"]:
        _print_row(labels.get(row["category"], row["category"]), row)
    print(f"\n{text['scores']}")
    for row in outcome.tables["score_distribution"]:
        _print_row(str(row["inquiry_score"]), row)
    tally = outcome.tally
    counts = {name: int(tally["outcomes"].get(name, 0)) for name in SHOWN_OUTCOMES}
    counts["pending"] = sum(row["pending"] for row in outcome.tables["daily_usage"])
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
    print(f"  {_padded(label, 22)} {row['conversations']:6,} {row['share']:7.1%} {bar}")


def _padded(text: str, width: int) -> str:
    """Return *text* filled up to *width* columns of a terminal, where Japanese letters take two."""
    return text + " " * (width - sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text))
