"""Editions of made-up summaries for tests: three tables that must agree, and readers who say what they saw."""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from chatcensus.aws.athena import Athena
from chatcensus.aws.editions import CURRENT, Editions
from chatcensus.edition import Edition
from chatcensus.summaries import Column, Summary

DATABASE, BUCKET = "chatcensus", "chatcensus-results-123456789012-ap-northeast-1"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
COLUMNS = (
    Column(name="word", type="string", description="A word"),
    Column(name="conversations", type="bigint", description="How many"),
)
SUMMARIES = tuple(
    Summary(table=table, description=f"The {table}", audience="readers", columns=COLUMNS)
    for table in ("apples", "pears", "plums")
)


def edition(hour: int, suffix: str = "a") -> Edition:
    """Return an edition of the snapshot made *hour* hours after noon."""
    time = (NOON + timedelta(hours=hour)).isoformat()
    return Edition(f"e{hour:04d}-{suffix}", f"e{hour:04d}", time, "", "", "", {})


@dataclass(frozen=True)
class Shelf:
    """A database with editions, through *glue* and *s3* as a publisher would, or through clients that fail."""

    glue: Any
    s3: Any

    @property
    def editions(self) -> Editions:
        """The code under test."""
        return Editions(self.glue, self.s3, DATABASE, BUCKET)

    def write(self, made: Edition, rows: int = 3) -> dict[str, str]:
        """Write the files of an edition; in every table the conversations add up to the same number."""
        prefixes = {}
        for summary in SUMMARIES:
            key = f"{summary.folder}edition={made.id}/try=1/"
            numbers = pa.array([int(made.export_id[1:])] * rows, pa.int64())
            body = io.BytesIO()
            pq.write_table(pa.table({"word": [summary.table] * rows, "conversations": numbers}), body)
            self.s3.put_object(Bucket=BUCKET, Key=f"{key}part.parquet", Body=body.getvalue())
            prefixes[summary.table] = f"s3://{BUCKET}/{key}"
        return prefixes

    def publish(self, made: Edition, base: str | None, prefixes: dict[str, str]) -> bool:
        """Do what the tasks from summarise on do with the catalog and `current.json`."""
        editions = self.editions
        for summary in SUMMARIES:
            editions.stage(summary, made.id, prefixes[summary.table])
        is_shown = editions.switch(made, base)
        if is_shown:
            editions.put_current(current(made, prefixes))
        return is_shown


def current(made: Edition, prefixes: dict[str, str]) -> dict[str, Any]:
    """Return the content of `current.json`."""
    return {"edition": made.id, "export_id": made.export_id, "export_time": made.export_time, "tables": prefixes}


def seen_in_views(athena: Athena, tables: Sequence[str] = ("apples", "pears", "plums")) -> list[tuple[str, int]]:
    """Return, of one statement over several views, the edition and the conversations of each."""
    counts = (f"select edition, sum(conversations) as n from {table} group by edition" for table in tables)
    return [(str(row["edition"]), int(row["n"] or 0)) for row in athena.rows(" union all ".join(counts))]


def seen_in_files(s3: Any) -> list[tuple[str, int]]:
    """Return, of `current.json` and the files it names, the edition and the conversations of each table."""
    named = json.loads(s3.get_object(Bucket=BUCKET, Key=CURRENT)["Body"].read())
    seen = []
    for prefix in named["tables"].values():
        key = prefix.removeprefix(f"s3://{BUCKET}/") + "part.parquet"
        part = pq.read_table(io.BytesIO(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()))
        seen.append((named["edition"], sum(part["conversations"].to_pylist())))
    return seen


def is_whole(seen: Sequence[tuple[str, int]], rows: int = 3) -> bool:
    """Tell whether all tables were of one edition, and hold what that edition has."""
    return len(seen) == len(SUMMARIES) and set(seen) == {(seen[0][0], rows * int(seen[0][0][1:5]))}
