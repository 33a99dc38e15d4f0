"""
What the summaries of a large table take: seconds and bytes scanned of every statement of one edition, as one table.

    PYTHONPATH=plugins:. python -m bench.summaries --conversations 1000000

The rows are written as `register` writes them, as narrow Parquet; statements, tables and Athena's API are those of a
run. Athena bills bytes scanned, with at least 10 MB a statement.
"""

import argparse
import io
import logging
import resource
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from jinja2 import Environment, FileSystemLoader

from chatcensus.aws.athena import Athena, sql_string
from chatcensus.aws.catalog import curated_table, upsert_partition, upsert_table
from chatcensus.aws.editions import Editions
from chatcensus.crosswalk import Crosswalk
from chatcensus.edition import Edition
from chatcensus.include import read_yaml
from chatcensus.layer_sql import CURATED_COLUMNS
from chatcensus.snapshot import Snapshot, layer_name
from chatcensus.summaries import Summaries
from local_aws.server import LocalAws
from local_aws.settings import Settings
from local_aws.stack import create_stack

SQL = Path(__file__).parents[1] / "include/sql"
DATABASE, RESULTS = "chatcensus", "chatcensus-results-123456789012-ap-northeast-1"
SNAPSHOT = Snapshot("01604474914028-a1b2c3d4", "2026-11-02T18:00:00+00:00", {"conversation_id": "S"}, ())
EDITION = Edition.of(SNAPSHOT, "Asia/Tokyo", "0a1b2c3d")
FIRST_DAY, DAYS, PEOPLE_PER_CONVERSATION, ROWS_PER_FILE = datetime(2026, 5, 4, tzinfo=UTC), 182, 0.02, 250_000
CATEGORIES = ("coding", "writing", "office", "learning", "research", "translation", "brainstorming", "other")
TYPES = {"string": pa.string(), "bigint": pa.int64(), "int": pa.int32(), "boolean": pa.bool_()}


def files(conversations: int) -> Iterator[bytes]:
    """Return a layer of *conversations* as Parquet files: uneven categories, departments and people."""
    random = Random(1)
    people = int(conversations * PEOPLE_PER_CONVERSATION) + 1
    schema = pa.schema([(name, TYPES[kind]) for name, kind in CURATED_COLUMNS.items()])
    for first in range(0, conversations, ROWS_PER_FILE):
        numbers = range(first, min(conversations, first + ROWS_PER_FILE))
        table = pa.Table.from_pylist([_row(random, number, people) for number in numbers], schema)
        buffer = io.BytesIO()
        pq.write_table(table, buffer, compression="snappy")
        yield buffer.getvalue()


def _row(random: Random, number: int, people: int) -> dict[str, Any]:
    began = FIRST_DAY + timedelta(seconds=random.random() * DAYS * 86_400)
    row = {
        "conversation_id": f"{number:032x}",
        "item_kind": "conversation",
        "created_at": f"{began:%Y-%m-%dT%H:%M:%SZ}",
        "language": "ja" if random.random() < 0.7 else "en",
        "department": f"department {int(20 * random.random() ** 2)}",
        "app_model": f"model {int(4 * random.random() ** 3)}",
    }
    # What is pending is new: a month in which anything is pending has no pairs.
    if f"{began:%Y-%m-%d}" >= EDITION.open_month and random.random() < 0.1:
        return row
    category = CATEGORIES[int(len(CATEGORIES) * random.random() ** 2)]
    return row | {
        "outcome": "evaluated",
        "category": category,
        "inquiry_score": random.randint(1, 5),
        "prompt_version": "3f2a9c41d07e",
        "taxonomy_version": "9be01d",
        "model": "stand-in",
        "answered_by": "stand-in",
        "user_pseudonym": f"{int(people * random.random() ** 2):016x}",
        "run_id": "bench",
        "attempts": 1,
        "input_tokens": 600,
        "output_tokens": 20,
        "cost_micro_usd": random.randint(50, 150),
        "is_clipped": False,
        "evaluated_at": f"{began + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}",
    }


class Bench:
    """One database with one snapshot, in which an edition is made as a run makes it."""

    def __init__(self, conversations: int) -> None:
        self.aws = LocalAws(Settings()).start()
        create_stack(self.aws.client("cloudformation"), {})
        self.glue, self.s3 = self.aws.client("glue"), self.aws.client("s3")
        self.athena = Athena(self.aws.client("athena"), DATABASE, DATABASE)
        self.editions = Editions(self.glue, self.s3, DATABASE, RESULTS)
        self.summaries = read_yaml(SQL / "summaries.yaml", Summaries).summaries
        environment = Environment(loader=FileSystemLoader(SQL), autoescape=False)  # noqa: S701 - SQL, not HTML
        environment.filters["sql_string"] = sql_string
        self.templates = environment
        curated = curated_table(f"s3://{RESULTS}/curated/")
        upsert_table(self.glue, DATABASE, curated)
        prefix = f"curated/{SNAPSHOT.export_id}/"
        for number, content in enumerate(files(conversations)):
            self.s3.put_object(Bucket=RESULTS, Key=f"{prefix}{number}", Body=content)
        values = (SNAPSHOT.export_id, layer_name(0))
        upsert_partition(self.glue, DATABASE, curated, values, f"s3://{RESULTS}/{prefix}")
        view = self.templates.get_template("views/evaluations.sql")
        self.athena.rows(view.render(timezone="Asia/Tokyo", crosswalk=Crosswalk()))
        self.editions.prepare(self.summaries, self.athena)

    def statement(self, folder: str, table: str) -> tuple[float, int]:
        """Run the statement of *table* and stage it; return seconds and bytes scanned."""
        select = self.templates.get_template(f"{folder}/{table}.sql").render(
            edition=EDITION.as_dict(), min_users="5", per_user_table="false"
        )
        [summary] = [each for each in self.summaries if each.table == table]
        prefix = f"s3://{RESULTS}/{summary.folder}edition={EDITION.id}/try=1/"
        start = time.perf_counter()
        self.athena.rows(f"unload (\n{select}\n) to '{prefix}' with (format = 'PARQUET', compression = 'SNAPPY')", 3600)
        seconds = time.perf_counter() - start
        self.editions.stage(summary, EDITION.id, prefix)
        [query_id] = self.aws.client("athena").list_query_executions(WorkGroup=DATABASE, MaxResults=1)[
            "QueryExecutionIds"
        ]
        execution = self.aws.client("athena").get_query_execution(QueryExecutionId=query_id)["QueryExecution"]
        return seconds, execution["Statistics"]["DataScannedInBytes"]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip().split("\n")[0])
    parser.add_argument("--conversations", type=int, default=1_000_000)
    count = parser.parse_args().conversations
    logging.disable(logging.INFO)
    bench = Bench(count)
    print("| statement | seconds | bytes scanned |\n|---|---:|---:|", flush=True)  # noqa: T201
    shown = ("shown_periods", "shown_values", "shown_series", "shown_pairs", "told")
    tables = sorted(path.stem for path in (SQL / "summaries").glob("*.sql"))
    total_s, total_bytes = 0.0, 0
    for folder, names in (("shown", shown), ("summaries", tables)):
        for table in names:
            seconds, scanned = bench.statement(folder, table)
            total_s, total_bytes = total_s + seconds, total_bytes + scanned
            print(f"| {table} | {seconds:.1f} | {scanned:,} |", flush=True)  # noqa: T201
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"| all of {count:,} conversations, peak {peak:,} MB | {total_s:.1f} | {total_bytes:,} |")  # noqa: T201
    bench.aws.stop()


if __name__ == "__main__":
    main()
