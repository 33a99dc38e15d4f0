"""The path every summary takes: items, Ion files in S3, the Glue table, the view, Athena's API, typed rows."""

import gzip
import hashlib
import hmac
import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any
from uuid import uuid4

from boto3.dynamodb.types import TypeSerializer
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from chatcensus.aws.athena import sql_string
from chatcensus.aws.catalog import (
    changed_table,
    curated_table,
    exported_table,
    parquet_table,
    upsert_partition,
    upsert_table,
)
from chatcensus.aws.id_key import put_key
from chatcensus.crosswalk import Crosswalk
from chatcensus.evaluation import conversation_subkey
from chatcensus.include import read_yaml
from chatcensus.layer_sql import LayerSql
from chatcensus.mapping import TableMapping
from chatcensus.snapshot import layer_name
from chatcensus.summaries import Summaries
from local_aws.dynamodb.ion import ion_line
from tests.sql.reference.conversations import Telling

SQL = Path(__file__).parents[2] / "include/sql"
SUMMARY_FILES = sorted((SQL / "summaries").glob("*.sql"))

DATABASE = WORKGROUP = "chatcensus"
BUCKET = "chatcensus-snapshots-123456789012-ap-northeast-1"
RESULTS = "chatcensus-results-123456789012-ap-northeast-1"
SUBKEY = conversation_subkey("a secret of the tests")

_READ = {
    "bigint": int,
    "integer": int,
    "double": float,
    "date": date.fromisoformat,
    "varchar": str,
    "boolean": lambda text: text == "true",
}


# How generated tables are mapped: with every attribute that a mapping may name for our dimensions.
GENERATED = read_yaml(SQL.parent / "table.yaml", TableMapping).model_copy(
    update={name: name for name in ("department", "user_group", "app_model", "language")}
)
# The steps before the tables, each of which reads those before it.
WORKINGS = ("shown_periods", "shown_values", "shown_series", "shown_pairs", "told")
# Of those, what the statements of the next edition ask of the published one.
PUBLISHED = {"shown_values": "dimension, value, counted_until, last_week", "shown_series": "grain, category"}


def _edition_table(name: str) -> dict[str, Any]:
    """The Glue table of what one of our statements returns, a partition for each edition."""
    summaries = read_yaml(SQL / "summaries.yaml", Summaries).summaries
    columns = [column.model_dump() for each in summaries if each.table == name for column in each.columns]
    location = f"s3://{RESULTS}/summaries/workings/{name}/"
    return parquet_table(f"{name}_editions", "", columns, location, ("edition",))


def render(name: str, **values: Any) -> str:
    """Return the SQL file *name* below include/sql/ as the operators render it."""
    environment = Environment(loader=FileSystemLoader(SQL), undefined=StrictUndefined, autoescape=False)  # noqa: S701
    environment.filters["sql_string"] = sql_string
    return environment.get_template(name).render(values)


def statement(table: str, edition: Mapping[str, str], min_users: int = 0, *, has_per_user_table: bool = False) -> str:
    """Return the SELECT of one table of an edition."""
    folder = "shown" if (SQL / f"shown/{table}.sql").exists() else "summaries"
    return render(
        f"{folder}/{table}.sql",
        edition=edition,
        min_users=str(min_users),
        per_user_table=str(has_per_user_table).lower(),
    )


def edition_of(export_id: str, telling: Telling) -> dict[str, str]:
    """Return what statements say of an edition of that snapshot."""
    return {
        "id": f"{export_id}-0a1b2c3d",
        "export_id": export_id,
        "counted_until": telling.counted_until,
        "open_week": telling.open_week.isoformat(),
        "open_month": telling.open_month.isoformat(),
    }


def keyed(conversation_id: str, subkey: str = SUBKEY) -> str:
    """Return what stands for a conversation's own id in every table."""
    return hmac.new(bytes.fromhex(subkey), conversation_id.encode(), hashlib.sha256).hexdigest()[:32]


@dataclass
class Warehouse:
    """The raw tables with a partition for each export, the curated one with its layers, and the view over it."""

    clients: dict[str, Any]
    timezone: str = "Asia/Tokyo"
    crosswalk: Crosswalk = field(default_factory=Crosswalk)
    mapping: TableMapping = field(default_factory=lambda: read_yaml(SQL.parent / "table.yaml", TableMapping))
    key_types: dict[str, str] = field(default_factory=lambda: {"conversation_id": "S"})

    def __post_init__(self) -> None:
        glue = self.clients["glue"]
        self.exported, self.changed = exported_table(self.mapping, BUCKET, "exports"), changed_table(BUCKET, "exports")
        self.curated = curated_table(f"s3://{RESULTS}/curated/")
        for table in (self.exported, self.changed, self.curated):
            upsert_table(glue, DATABASE, table)
        self.key = put_key(self.clients["s3"], glue, DATABASE, BUCKET, SUBKEY)
        self.run(render("views/evaluations.sql", timezone=self.timezone, crosswalk=self.crosswalk))
        self.workings = {name: _edition_table(name) for name in WORKINGS}
        for table in self.workings.values():
            upsert_table(glue, DATABASE, table)
        self.publish("none")

    def publish(self, edition_id: str) -> None:
        """Make that edition the one whose values and series are told already."""
        for name, columns in PUBLISHED.items():
            self.run(
                f"create or replace view {name} as select {columns}, edition from {name}_editions "
                f"where edition = {sql_string(edition_id)}"
            )

    def tell(self, edition: Mapping[str, str], min_users: int) -> None:
        """Decide what readers are told of an edition, as the statements do that all tables for readers read."""
        for name, table in self.workings.items():
            prefix = f"summaries/workings/{name}/edition={edition['id']}/try={uuid4().hex[:8]}/"
            self.unload(statement(name, edition, min_users), prefix)
            values = (edition["id"],)
            upsert_partition(self.clients["glue"], DATABASE, table, values, f"s3://{RESULTS}/{prefix}")

    def add_snapshot(
        self,
        export_id: str,
        items: Iterable[dict[str, Any]],
        *increments: Iterable[dict[str, Any]],
        files: int = 2,
    ) -> None:
        """
        Register *items* as one export would write them, spread over *files* and one more that holds nothing.

        Shape: *increments* are layers over it: changed items, or with nothing but the key for a deleted one.
        """
        serialize = TypeSerializer().serialize
        lines = [ion_line(serialize(item)["M"]) for item in items]
        self._add_layer(export_id, 0, self.exported, _spread(lines, files))
        for number, changes in enumerate(increments, 1):
            self._add_layer(export_id, number, self.changed, _spread([_change(c, self.key_types) for c in changes], 1))

    def _add_layer(self, snapshot: str, number: int, table: dict[str, Any], files: Iterable[bytes]) -> None:
        is_increment = table is self.changed
        export_id = f"{snapshot}.{number}" if is_increment else snapshot
        folder = f"exports/{export_id}/data/"
        for index, data in enumerate(files):
            self.clients["s3"].put_object(Bucket=BUCKET, Key=f"{folder}{index}.gz", Body=data)
        upsert_partition(self.clients["glue"], DATABASE, table, (export_id,), f"s3://{BUCKET}/{folder}")
        layer = LayerSql(self.mapping, self.key_types, is_increment=is_increment)
        prefix = f"curated/{export_id}/try={uuid4().hex[:8]}/"
        self.unload(render("layers/layer.sql", layer=layer), prefix, f"'{export_id}'", f"'{self.key}'")
        values = (snapshot, layer_name(number))
        upsert_partition(self.clients["glue"], DATABASE, self.curated, values, f"s3://{RESULTS}/{prefix}")

    @contextmanager
    def snapshot(self, export_id: str, items: Iterable[dict[str, Any]]) -> Iterator[None]:
        """Keep a snapshot in the catalog for a while: the engine lists all partitions for each query."""
        self.add_snapshot(export_id, items, files=1)
        yield
        for table, values in ((self.exported, [export_id]), (self.curated, [export_id, layer_name(0)])):
            self.clients["glue"].delete_partition(
                DatabaseName=DATABASE, TableName=table["Name"], PartitionValues=values
            )

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """Run *sql* and return its rows, typed by what Athena says of each column."""
        return self.rows_of({"": sql})[""]

    def rows_of(self, queries: Mapping[str, str]) -> dict[str, list[dict[str, Any]]]:
        """Run *queries* at the same time and return the rows of each, by its name."""
        started = {name: self._start(sql) for name, sql in queries.items()}
        return {name: self._result(query_id) for name, query_id in started.items()}

    def columns(self, sql: str) -> dict[str, str]:
        """Run *sql* and return the type that Athena gives for each of its columns."""
        query_id = self._start(sql)
        self._wait(query_id)
        result = self.clients["athena"].get_query_results(QueryExecutionId=query_id)["ResultSet"]
        return {column["Name"]: column["Type"] for column in result["ResultSetMetadata"]["ColumnInfo"]}

    def run(self, sql: str, parameters: Sequence[str] = ()) -> None:
        """Run *sql* to its end; a query that fails, fails the test with Athena's reason."""
        self._wait(self._start(sql, parameters))

    def unload(self, select: str, prefix: str, *parameters: str) -> None:
        """Write the rows of *select* as Parquet under *prefix* of the results bucket, as the operators do."""
        target = f"'s3://{RESULTS}/{prefix}'"
        self.run(f"UNLOAD (\n{select}\n) TO {target} WITH (format = 'PARQUET', compression = 'SNAPPY')", parameters)

    def objects(self, prefix: str) -> list[bytes]:
        """Return the content of everything under *prefix* of the results bucket."""
        s3 = self.clients["s3"]
        found = s3.list_objects_v2(Bucket=RESULTS, Prefix=prefix).get("Contents", [])
        return [s3.get_object(Bucket=RESULTS, Key=each["Key"])["Body"].read() for each in found]

    def _start(self, sql: str, parameters: Sequence[str] = ()) -> str:
        more = {"ExecutionParameters": list(parameters)} if parameters else {}
        return self.clients["athena"].start_query_execution(
            QueryString=sql, QueryExecutionContext={"Database": DATABASE}, WorkGroup=WORKGROUP, **more
        )["QueryExecutionId"]

    def _wait(self, query_id: str) -> None:
        def status() -> dict[str, Any]:
            return self.clients["athena"].get_query_execution(QueryExecutionId=query_id)["QueryExecution"]["Status"]

        while (found := status())["State"] in ("QUEUED", "RUNNING"):
            time.sleep(0.02)  # the engine is a thread of this process: asking without a pause would slow it down
        assert found["State"] == "SUCCEEDED", found.get("StateChangeReason")

    def _result(self, query_id: str) -> list[dict[str, Any]]:
        self._wait(query_id)
        pages = self.clients["athena"].get_paginator("get_query_results").paginate(QueryExecutionId=query_id)
        return list(_typed(page["ResultSet"] for page in pages))


def _spread(lines: list[str], files: int) -> list[bytes]:
    parts = [*(lines[number::files] for number in range(files)), []]
    return [gzip.compress("".join(f"{line}\n" for line in part).encode()) for part in parts]


def _change(item: dict[str, Any], key_types: Mapping[str, str]) -> str:
    image = TypeSerializer().serialize(item)["M"]
    change = {"Keys": {name: image[name] for name in key_types}}
    return json.dumps(change if set(item) == set(key_types) else {**change, "NewImage": image}, ensure_ascii=False)


def _typed(results: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for number, result in enumerate(results):
        columns = [(column["Name"], _READ[column["Type"]]) for column in result["ResultSetMetadata"]["ColumnInfo"]]
        for row in result["Rows"][1:] if number == 0 else result["Rows"]:
            texts = [cell.get("VarCharValue") for cell in row["Data"]]
            yield {
                name: None if text is None else read(text) for (name, read), text in zip(columns, texts, strict=True)
            }
