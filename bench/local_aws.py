"""
What the local AWS takes and gives, as one table: the server is a process of its own, held to one core.

    make bench-local                  50,000 conversations
    make bench-local ITEMS=1000000    a million, which takes about half an hour
"""

import argparse
import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import boto3
from boto3.dynamodb.types import TypeSerializer
from botocore.config import Config
from jinja2 import Environment, FileSystemLoader

from bench.records import records
from chatcensus.answer import Judgement
from chatcensus.aws.athena import sql_string
from chatcensus.aws.catalog import curated_table, exported_table, upsert_partition, upsert_table
from chatcensus.aws.id_key import put_key
from chatcensus.crosswalk import Crosswalk
from chatcensus.evaluation import Evaluation, conversation_subkey
from chatcensus.include import read_yaml
from chatcensus.layer_sql import LayerSql
from chatcensus.mapping import TableMapping
from chatcensus.snapshot import layer_name
from local_aws.stack import create_stack

ROOT = Path(__file__).parents[1]
SQL = ROOT / "include/sql"
DATABASE = WORKGROUP = "chatcensus"
TABLE = "chat-conversations"
MODEL = "global.anthropic.claude-haiku-5-5"
CONVERSE_CALLS, CONVERSE_CONNECTIONS = 8_000, 4
PARSED_RECORDS = 20_000
ITEM_TOKENS = 250  # with its evaluation, an item is then about 1.3 KB
CATEGORIES = ("coding", "writing", "translation", "office")
Rows = list[tuple[str, str]]


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip().split("\n")[0])
    parser.add_argument("--items", type=int, default=50_000, help="conversations to export and summarise")
    count = parser.parse_args().items
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder)) as server:
        rows = [
            ("start of `python -m local_aws`, until the first answer", f"{server.start_s:.2f} s"),
            *converse(server),
            *parsing(),
            *snapshot(server, count),
        ]
        rows.append(("most memory of the server's process", f"{server.peak_mb():,.0f} MB"))
    heading = f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, `make bench-local ITEMS={count}`"
    table_rows = "".join(f"| {what} | {figure} |\n" for what, figure in rows)
    sys.stdout.write(f"{heading}\n\n| What | Figure |\n|---|---:|\n{table_rows}")


class Server:
    """`python -m local_aws` as its users start it, on the first core."""

    def __init__(self, folder: Path) -> None:
        ready = folder / "ready"
        began = time.monotonic()
        command = [sys.executable, "-m", "local_aws", "--port", "0", "--latency", "0", "--until-stdin-closes"]
        self._process = subprocess.Popen(
            [*command, "--ready-file", str(ready)], cwd=ROOT, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        os.sched_setaffinity(self._process.pid, {0})
        while not ready.exists():
            if self._process.poll() is not None:
                raise SystemExit("the local AWS did not start")
            time.sleep(0.005)
        self.url = ready.read_text()
        self.client("dynamodb").list_tables()
        self.start_s = time.monotonic() - began
        os.sched_setaffinity(0, set(range(1, os.cpu_count() or 1)) or {0})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()  # closes its standard input, which ends it

    def client(self, service: str) -> Any:
        """Return a boto3 client of the server."""
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name="ap-northeast-1",
            aws_access_key_id="local",
            aws_secret_access_key="local",  # noqa: S106  the local AWS takes any
            config=Config(read_timeout=3600, proxies={}, max_pool_connections=20),
        )

    def peak_mb(self) -> float:
        """Return the most memory that the process ever held: VmHWM of proc_pid_status(5)."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


def converse(server: Server) -> Rows:
    """Ask as the census asks, over connections that are kept open, from another core."""
    address = urlsplit(server.url)
    message = next(records(1, 300))["message"]
    body = json.dumps(
        {
            "system": [{"text": "Judge the conversation. " * 50}],
            "messages": [{"role": "user", "content": [{"text": message}]}],
            "inferenceConfig": {"maxTokens": 128},
        }
    ).encode()
    path, headers = f"/model/{MODEL}/converse", {"Content-Type": "application/json"}

    def ask(calls: int) -> None:
        connection = http.client.HTTPConnection(str(address.hostname), address.port)
        for _ in range(calls):
            connection.request("POST", path, body, headers)
            reply = connection.getresponse()
            if reply.status != 200:
                raise SystemExit(f"Converse answered {reply.status}")
            reply.read()
        connection.close()

    ask(200)
    share = CONVERSE_CALLS // CONVERSE_CONNECTIONS
    threads = [threading.Thread(target=ask, args=(share,)) for _ in range(CONVERSE_CONNECTIONS)]
    seconds = timed(lambda: [thread.start() for thread in threads] and [thread.join() for thread in threads])
    return [("Converse calls a second, server on one core", f"{share * CONVERSE_CONNECTIONS / seconds:,.0f}")]


def parsing() -> Rows:
    """Read exported items as the Ion table's columns, in this process, on one core."""
    from local_aws.athena.language.trino_types import from_hive
    from local_aws.athena.tables.ion_rows import read_columns
    from local_aws.athena.tables.serdes import ION, Serde
    from local_aws.dynamodb.ion import ion_line

    storage = table()["StorageDescriptor"]
    columns = [(column["Name"], from_hive(column["Type"])) for column in storage["Columns"]]
    text = "".join(ion_line(item) + "\n" for item in items(PARSED_RECORDS)).encode()
    serde = Serde(ION, tuple(storage["SerdeInfo"]["Parameters"].items()))
    seconds = timed(lambda: read_columns(text, "data.ion", columns, serde))
    return [
        ("Ion records a second, one core", f"{PARSED_RECORDS / seconds:,.0f}"),
        ("bytes of such a record", f"{len(text) / PARSED_RECORDS:,.0f}"),
    ]


def snapshot(server: Server, count: int) -> Rows:
    """Fill the table, export it, and summarise the snapshot twice."""
    create_stack(server.client("cloudformation"), {"CreateConversationTable": "true"})
    loading = timed(lambda: load(server, count))
    exported, export_id = export(server)
    first, second = (timed(lambda: query(server, model_cost(export_id))) for _ in range(2))
    return [
        (f"{count:,} items written, 25 at a time", f"{loading:.0f} s, {count / loading:,.0f} a second"),
        ("exported in Ion", f"{exported:.1f} s"),
        ("first query over the snapshot (`model_cost`)", f"{first:.2f} s"),
        ("the same query again", f"{second:.2f} s"),
    ]


def items(count: int) -> Iterator[dict[str, Any]]:
    """Yield judged conversations in DynamoDB's JSON, about 1.3 KB each."""
    serialize = TypeSerializer().serialize
    judged = Evaluation(
        key="0" * 32, verdict=Judgement("coding", 3), content_hash="0" * 64, prompt_version="0" * 12,
        taxonomy_version="0" * 12, model=MODEL, answered_by="stand-in", attempts=1, input_tokens=600, output_tokens=20,
        cost_micro_usd=700, is_clipped=False, user_pseudonym="", run_id="bench",
        evaluated_at=datetime(2026, 10, 3, tzinfo=UTC),
    )  # fmt: skip
    for number, record in enumerate(records(count, ITEM_TOKENS)):
        verdict = Judgement(CATEGORIES[number % 4], number % 5 + 1)
        evaluation = replace(judged, verdict=verdict, user_pseudonym=f"{number % 500:016x}")
        item = {
            "conversation_id": record["id"],
            "user_id": f"u{number % 500}",
            "created_at": f"2026-10-{number % 28 + 1:02}T0{number % 10}:00:00Z",
            "language": "en",
            "turns": record["turns"],
            "evaluation": evaluation.attribute(),
        }
        yield {name: serialize(value) for name, value in item.items()}


def load(server: Server, count: int) -> None:
    dynamodb, made = server.client("dynamodb"), items(count)

    def put(batch: list[dict[str, Any]]) -> None:
        requests = [{"PutRequest": {"Item": item}} for item in batch]
        dynamodb.batch_write_item(RequestItems={TABLE: requests})

    # A few ahead and no more, so that the client stays small.
    with ThreadPoolExecutor(2) as pool:
        while batches := list(islice(iter(lambda: list(islice(made, 25)), []), 20)):
            list(pool.map(put, batches))


def export(server: Server) -> tuple[float, str]:
    """Export the table and register the snapshot as the pipeline does; return the seconds and the export's id."""
    dynamodb, s3 = server.client("dynamodb"), server.client("s3")
    arn = dynamodb.describe_table(TableName=TABLE)["Table"]["TableArn"]
    bucket = next(one["Name"] for one in s3.list_buckets()["Buckets"] if "snapshots" in one["Name"])
    description: dict[str, Any] = {}

    def run() -> None:
        description.update(
            dynamodb.export_table_to_point_in_time(
                TableArn=arn, S3Bucket=bucket, S3Prefix="exports", ExportFormat="ION"
            )["ExportDescription"]
        )
        while description["ExportStatus"] == "IN_PROGRESS":
            time.sleep(0.05)
            description.update(dynamodb.describe_export(ExportArn=description["ExportArn"])["ExportDescription"])

    seconds = timed(run)
    if description["ExportStatus"] != "COMPLETED":
        raise SystemExit(f"the export ended {description['ExportStatus']}: {description.get('FailureMessage')}")
    export_id = description["ExportArn"].rpartition("/")[2]
    glue, results = server.client("glue"), f"s3://{bucket.replace('snapshots', 'results')}/curated/"
    made, curated = table(bucket), curated_table(results)
    upsert_table(glue, DATABASE, made)
    upsert_table(glue, DATABASE, curated)
    key = put_key(server.client("s3"), glue, DATABASE, bucket, conversation_subkey("a secret of the bench"))
    upsert_partition(glue, DATABASE, made, (export_id,), f"s3://{bucket}/exports/AWSDynamoDB/{export_id}/data/")
    mapping = read_yaml(ROOT / "include/table.yaml", TableMapping)
    layer = LayerSql(mapping, {mapping.partition_key: "S"}, is_increment=False)
    select = render("layers/layer.sql", layer=layer).replace("?", f"'{export_id}'", 1).replace("?", f"'{key}'", 1)
    query(server, f"unload (\n{select}\n) to '{results}{export_id}/' with (format = 'PARQUET')")
    upsert_partition(glue, DATABASE, curated, (export_id, layer_name(0)), f"{results}{export_id}/")
    query(server, render("views/evaluations.sql", timezone="Asia/Tokyo", crosswalk=Crosswalk()))
    return seconds, export_id


def table(bucket: str = "bucket") -> dict[str, Any]:
    return exported_table(read_yaml(ROOT / "include/table.yaml", TableMapping), bucket, "exports")


def model_cost(export_id: str) -> str:
    return render("summaries/model_cost.sql", edition={"export_id": export_id})


def render(name: str, **values: Any) -> str:
    environment = Environment(loader=FileSystemLoader(SQL), autoescape=False)  # noqa: S701  SQL, no HTML
    environment.filters["sql_string"] = sql_string
    return environment.get_template(name).render(values)


def query(server: Server, sql: str) -> None:
    athena = server.client("athena")
    query_id = athena.start_query_execution(
        QueryString=sql, QueryExecutionContext={"Database": DATABASE}, WorkGroup=WORKGROUP
    )["QueryExecutionId"]
    while True:
        status = athena.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]["Status"]
        if status["State"] == "SUCCEEDED":
            return
        if status["State"] in {"FAILED", "CANCELLED"}:
            raise SystemExit(status.get("StateChangeReason"))
        time.sleep(0.02)


def timed(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


if __name__ == "__main__":
    main()
