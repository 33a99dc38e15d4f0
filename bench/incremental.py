"""
What an incremental export costs beside a full one, and three ways to merge it, as one table.

    PYTHONPATH=plugins:. python -m bench.incremental --items 200000

For each share of changed conversations, at random or the most recent: bytes scanned and rows written by Athena, and
seconds. The rows of the view are compared with those of a full export of the same moment.
"""

import argparse
import logging
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from jinja2 import Environment, FileSystemLoader

from chatcensus.aws.athena import Athena, sql_string
from chatcensus.aws.exporting import Exporter
from chatcensus.aws.layers import Layers
from chatcensus.aws.ledger import Ledger
from chatcensus.crosswalk import Crosswalk
from chatcensus.evaluation import conversation_subkey
from chatcensus.include import read_yaml
from chatcensus.layer_sql import CURATED_COLUMNS, LayerSql
from chatcensus.mapping import TableMapping
from chatcensus.snapshot import Snapshot
from local_aws.server import LocalAws
from local_aws.settings import Settings
from local_aws.stack import create_stack

INCLUDE = Path(__file__).parents[1] / "include"
TABLE, CONTROL_TABLE, DATABASE = "chat-conversations", "chatcensus-control", "chatcensus"
SNAPSHOTS, RESULTS = (f"chatcensus-{kind}-123456789012-ap-northeast-1" for kind in ("snapshots", "results"))
SHARES, DAYS, TEXT = (0.1, 0.01, 0.001), 50, "何を聞いたか " * 40
COLUMNS = ", ".join(CURATED_COLUMNS)
ROW = "| {} | {} | {:,} | {:,} | {:.1f} |"


class Bench:
    """One table whose clock is ours, and what Athena was asked."""

    def __init__(self, items: int) -> None:
        self.items, self.time, self.random = items, datetime(2026, 11, 1, tzinfo=UTC), Random(1)
        self.aws = LocalAws(Settings(export_delay_s=0), now=lambda: self.time).start()
        create_stack(self.aws.client("cloudformation"), {"CreateConversationTable": "true"})
        self.dynamodb, self.scanned = self.aws.client("dynamodb"), 0
        self.mapping = read_yaml(INCLUDE / "table.yaml", TableMapping)
        environment = Environment(loader=FileSystemLoader(INCLUDE / "sql"), autoescape=False)  # noqa: S701 - SQL
        environment.filters["sql_string"] = sql_string
        self.render = lambda name, **values: environment.get_template(name).render(values)

    def write(self, numbers: Iterable[int], category: str) -> None:
        """Put conversations, 25 at a time."""
        numbers = list(numbers)
        for first in range(0, len(numbers), 25):
            requests = [{"PutRequest": {"Item": self._item(n, category)}} for n in numbers[first : first + 25]]
            self.dynamodb.batch_write_item(RequestItems={TABLE: requests})
        self.time += timedelta(hours=2)

    def _item(self, number: int, category: str) -> dict[str, Any]:
        day = datetime(2026, 9, 1, tzinfo=UTC) + timedelta(days=number * DAYS // self.items)
        texts = {"outcome": "evaluated", "category": category, "model": "stand-in", "evaluated_at": day.isoformat()}
        evaluation: dict[str, Any] = {name: {"S": text} for name, text in texts.items()}
        evaluation |= {"inquiry_score": {"N": str(1 + number % 5)}, "cost_micro_usd": {"N": str(number)}}
        turns = [{"M": {"role": {"S": "user"}, "content": {"S": TEXT}}}]
        return {
            "conversation_id": {"S": f"c{number:09d}"},
            "created_at": {"S": day.isoformat()},
            "turns": {"L": turns},
            "evaluation": {"M": evaluation},
        }

    def exporter(self, run: str) -> Exporter:
        """Return the exporter of a new run."""
        ledger = Ledger(self.dynamodb, CONTROL_TABLE, run)
        ledger.record(generation=1)
        return Exporter(
            self.dynamodb, self.aws.client("s3"), ledger, TABLE, SNAPSHOTS, "exports", 3600,
            sleep=self._sleep, now=lambda: self.time,
        )  # fmt: skip

    def _sleep(self, seconds: float) -> None:
        self.aws.wait_for_exports()
        self.time += timedelta(seconds=seconds)

    def register(self, snapshot: Snapshot) -> None:
        """Write and register the layers as the pipeline does."""
        selects = [
            self.render("layers/layer.sql", layer=LayerSql(self.mapping, snapshot.key_types, is_increment=increment))
            for increment in (False, True)
        ]
        athena = Athena(self.aws.client("athena"), DATABASE, DATABASE)
        ledger = Ledger(self.dynamodb, CONTROL_TABLE, "any")
        glue, s3, subkey = self.aws.client("glue"), self.aws.client("s3"), conversation_subkey("a secret of the bench")
        Layers(glue, s3, athena, ledger, self.mapping, subkey, RESULTS, *selects).register(snapshot)
        self.query(self.render("views/evaluations.sql", timezone="Asia/Tokyo", crosswalk=Crosswalk()))

    def query(self, sql: str) -> list[dict[str, str | None]]:
        """Run a statement."""
        return Athena(self.aws.client("athena"), DATABASE, DATABASE).rows(sql)

    def scanned_since(self, known: set[str]) -> int:
        """Return the bytes scanned by statements that are not *known*, which they are after this."""
        athena, total = self.aws.client("athena"), 0
        for page in athena.get_paginator("list_query_executions").paginate(WorkGroup=DATABASE):
            for query_id in set(page["QueryExecutionIds"]) - known:
                known.add(query_id)
                statistics = athena.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]["Statistics"]
                total += statistics.get("DataScannedInBytes", 0)
        return total


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip().split("\n")[0])
    parser.add_argument("--items", type=int, default=200_000)
    bench = Bench(parser.parse_args().items)
    bench.write(range(bench.items), "coding")
    print("| changed | way | bytes scanned | rows written | seconds |\n|---|---|---:|---:|---:|")  # noqa: T201
    bench.register(bench.exporter("first").incremental(DATABASE, "v1"))
    for share in SHARES:
        for spread in ("at random", "recent"):
            count = int(bench.items * share)
            chosen = bench.random.sample(range(bench.items), count) if spread == "at random" else _last(bench, count)
            bench.write(chosen, f"{spread[:2]}{count}")
            for line in _measured(bench, f"{share:.1%} {spread}", f"{share}{spread[:2]}"):
                print(line, flush=True)  # noqa: T201
    bench.aws.stop()


def _last(bench: Bench, count: int) -> Iterable[int]:
    return range(bench.items - count, bench.items)


def _measured(bench: Bench, name: str, run: str) -> Iterator[str]:
    known: set[str] = set()
    bench.scanned_since(known)
    watermark = Ledger(bench.dynamodb, CONTROL_TABLE, "any").watermark(DATABASE)
    if watermark is None:
        raise SystemExit("there is no first export")
    before = watermark.snapshot
    start = time.perf_counter()
    layered = bench.exporter(run).incremental(DATABASE, "v1")
    exported = time.perf_counter() - start
    bench.register(layered)
    yield ROW.format(
        name, "layers", bench.scanned_since(known), layered.layers[-1].item_count, time.perf_counter() - start
    )

    start = time.perf_counter()
    full = bench.exporter(f"full{run}").full()
    bench.register(full)
    yield ROW.format(
        name, "full export", bench.scanned_since(known), full.layers[0].item_count, time.perf_counter() - start
    )

    yield from _other_ways(bench, name, before, layered, exported, known)
    same = "select count(*) as n from (({0} except {1}) union all ({1} except {0})) as different"
    columns = "conversation_id, outcome, category, inquiry_score, cost_micro_usd, day, created_at, evaluated_at"
    rows = [f"select {columns} from evaluations where export_id = '{s.export_id}'" for s in (layered, full)]
    [different] = bench.query(same.format(*rows))
    yield f"| {name} | rows that differ between layers and full export: {different['n']} | | | |"
    bench.scanned_since(known)


def _other_ways(
    bench: Bench, name: str, before: Snapshot, after: Snapshot, exported: float, known: set[str]
) -> Iterator[str]:
    """Merge the newest layer of *after* into what *before* showed: by MERGE, and by writing it all anew."""
    table, newest = f"merged_{len(known)}", f"{len(after.layers) - 1:06d}"
    curated = f"select {COLUMNS} from conversations_curated where export_id = '{{}}' and layer = '{{}}'"
    changes = curated.format(after.export_id, newest)
    present = f"""select {COLUMNS} from (
        select {COLUMNS}, row_number() over (partition by conversation_id order by layer desc) as nth
        from conversations_curated where export_id = '{before.export_id}') as ranked where nth = 1"""
    bench.query(
        f"create table {table} with (table_type = 'ICEBERG', is_external = false, format = 'PARQUET', "
        f"location = 's3://{RESULTS}/{table}/') as {present}"
    )
    bench.scanned_since(known)
    start = time.perf_counter()
    sets = ", ".join(f"{column} = s.{column}" for column in CURATED_COLUMNS)
    values = ", ".join(f"s.{column}" for column in CURATED_COLUMNS)
    bench.query(
        f"merge into {table} as t using ({changes}) as s on t.conversation_id = s.conversation_id "
        f"when matched and s.item_kind = 'deleted' then delete when matched then update set {sets} "
        f"when not matched then insert ({COLUMNS}) values ({values})"
    )
    seconds, scanned = time.perf_counter() - start, bench.scanned_since(known)
    yield ROW.format(name, "Iceberg MERGE (locally whole files)", scanned, bench.items, exported + seconds)

    start = time.perf_counter()
    bench.query(
        f"unload (select {COLUMNS} from ({present}) as p where conversation_id not in "
        f"(select conversation_id from ({changes}) as c) union all ({changes})) "
        f"to 's3://{RESULTS}/rewritten/{table}/' with (format = 'PARQUET', compression = 'SNAPPY')"
    )
    seconds, scanned = time.perf_counter() - start, bench.scanned_since(known)
    yield ROW.format(name, "all written anew", scanned, bench.items, exported + seconds)


if __name__ == "__main__":
    logging.disable(logging.INFO)
    main()
