"""The counts of the chain of custody: in Athena, in the catalog, and in the live table."""

import logging
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from chatcensus.aws.athena import Athena, sql_string
from chatcensus.aws.catalog import CURATED
from chatcensus.custody import Counted, Custody, LayerCount, Writes
from chatcensus.edition import Edition
from chatcensus.errors import SnapshotIncomplete
from chatcensus.evaluation import ATTRIBUTE
from chatcensus.layer_sql import sql_text
from chatcensus.snapshot import Snapshot, layer_name

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_glue import GlueClient

log = logging.getLogger(__name__)

LONGEST_COUNT_S = 3600.0  # of a query over all layers of a snapshot
READ_UNIT_BYTES = 4096  # of a consistent read


def table_of(snapshot: Snapshot) -> str:
    """Return the name of the table that the newest export of *snapshot* is of."""
    return snapshot.layers[-1].export_arn.split("/")[1]


def read_custody(
    athena: Athena, glue: "GlueClient", dynamodb: "DynamoDBClient", edition: Edition, run: Mapping[str, Any]
) -> Custody:
    """
    Count what the chain of custody of *edition* is made of.

    Shape: *run* is the run's row of the ledger, where `register` has left what it found of the run's own writes.
    Errors: SnapshotIncomplete when a layer cannot be read.
    """
    snapshot = Snapshot.from_dict(edition.snapshot)
    places = _places(glue, athena.database, snapshot.export_id)
    rows = _rows(athena, snapshot.export_id)
    expected = [layer_name(index) for index in range(len(snapshot.layers))]
    writes = run.get("writes") or {}
    return Custody(
        live_items=dynamodb.describe_table(TableName=table_of(snapshot))["Table"]["ItemCount"],
        layers=tuple(
            LayerCount(
                name=name,
                export_id=export.export_id,
                table=export.export_arn.split("/export/")[0],
                manifest_items=export.item_count,
                location=places.get(name, ""),
                rows=_by_kind(row for row in rows if row["layer"] == name),
                newest=_by_kind(row for row in rows if row["layer"] == name and row["is_newest"] == "true"),
            )
            for name, export in zip(expected, snapshot.layers, strict=True)
        ),
        unknown_layers=tuple(sorted({*places, *(str(row["layer"]) for row in rows)} - set(expected))),
        counted=count_conversations(athena, edition),
        writes=_writes(writes) if writes.get("export_id") == snapshot.export_id else None,
    )


def count_conversations(athena: Athena, edition: Edition) -> Counted:
    """
    Return what the view `evaluations` counts of an edition's snapshot, and how much of it readers are told of.

    Shape: which weeks are told is what `shown_periods` of the edition says; `told`, which the tables sum, is not read.
    """
    rows = athena.rows(
        "select held.outcome, count(*) as conversations, count_if(held.previous_outcome is not null) as judged_again, "  # noqa: S608 - quoted
        "count_if(held.day is null or week.told_with is not null) as told, "
        "count_if(week.told_with is not null) as dated, "
        "count_if(cast(date_trunc('month', date_add('day', 3, week.told_with)) as date) "
        f"< date {sql_string(edition.open_month)}) as in_months "
        f"from evaluations as held left join shown_periods_editions as week on week.edition = {sql_string(edition.id)} "
        "and week.kind = 'week' and held.week = week.period "
        f"where held.export_id = {sql_string(edition.export_id)} group by held.outcome",
        LONGEST_COUNT_S,
    )
    return Counted(
        outcomes={str(row["outcome"]): int(row["conversations"] or 0) for row in rows},
        judged_again=_sum(rows, "judged_again"),
        evaluated_told=_sum((row for row in rows if row["outcome"] == "evaluated"), "told"),
        dated_told=_sum(rows, "dated"),
        months_told=_sum(rows, "in_months"),
    )


def count_rows(athena: Athena, tables: Iterable[str], edition_id: str) -> dict[str, int]:
    """Return how many rows of an edition each of *tables* has, in one query."""
    counts = [
        f"select '{table}' as name, count(*) as written from {table}_editions "  # noqa: S608 - our names, quoted
        f"where edition = {sql_string(edition_id)}"
        for table in tables
    ]
    return {str(row["name"]): int(row["written"] or 0) for row in athena.rows(" union all ".join(counts))}


def count_written(athena: Athena, export_id: str, run_id: str) -> int:
    """Return how many items of a snapshot carry an evaluation that the run *run_id* has made."""
    counted = f"select count_if(is_newest and run_id = {sql_text(run_id)}) as written from placed"  # noqa: S608 - quoted
    return _sum(_layers(athena, export_id, counted), "written")


def count_live(dynamodb: "DynamoDBClient", table: str, run_id: str) -> int:
    """
    Return how many items of the live table carry an evaluation that the run *run_id* has made.

    Units: a Scan reads the whole table once, one read unit for 4 KB; the log says how many that were.
    """
    described = dynamodb.describe_table(TableName=table)["Table"]
    log.info(
        "counting in the live table what this run wrote: a Scan of about %d items, %d read units",
        described["ItemCount"],
        described["TableSizeBytes"] // READ_UNIT_BYTES + 1,
    )
    pages = dynamodb.get_paginator("scan").paginate(
        TableName=table,
        Select="COUNT",
        ConsistentRead=True,
        FilterExpression="#evaluation.#run_id = :run_id",
        ExpressionAttributeNames={"#evaluation": ATTRIBUTE, "#run_id": "run_id"},
        ExpressionAttributeValues={":run_id": {"S": run_id}},
        ReturnConsumedCapacity="TOTAL",
    )
    found, read_units = 0, 0.0
    for page in pages:
        found += page["Count"]
        read_units += page.get("ConsumedCapacity", {}).get("CapacityUnits", 0.0)
    log.info("the live table has %d of them (%.1f read units)", found, read_units)
    return found


def _rows(athena: Athena, export_id: str) -> list[dict[str, str | None]]:
    grouped = "select layer, item_kind, is_newest, count(*) as items from placed group by layer, item_kind, is_newest"
    return _layers(athena, export_id, grouped)


def _layers(athena: Athena, export_id: str, select: str) -> list[dict[str, str | None]]:
    """Run *select* over `placed`: the rows of all layers of a snapshot, and whether no later layer replaces them."""
    try:
        return athena.rows(
            "with placed as (select layer, item_kind, run_id, layer = max(layer) over (partition by conversation_id) "  # noqa: S608 - quoted
            f"as is_newest from {CURATED} where export_id = {sql_string(export_id)}) {select}",
            LONGEST_COUNT_S,
        )
    except SnapshotIncomplete as error:
        raise SnapshotIncomplete(
            f"the layers of snapshot {export_id} cannot be counted, {error}: nothing is published; clear this task, "
            f"and if that does not help start a run with full_export"
        ) from None


def _places(glue: "GlueClient", database: str, export_id: str) -> dict[str, str]:
    """Return where each layer of a snapshot lies, by the catalog."""
    pages = glue.get_paginator("get_partitions").paginate(
        DatabaseName=database, TableName=CURATED, Expression=f"export_id = {sql_string(export_id)}"
    )
    found = [partition for page in pages for partition in page["Partitions"]]
    return {partition["Values"][1]: partition["StorageDescriptor"]["Location"] for partition in found}


def _by_kind(rows: Iterable[Mapping[str, str | None]]) -> dict[str, int]:
    kinds: dict[str, int] = {}
    for row in rows:
        kind = str(row["item_kind"])
        kinds[kind] = kinds.get(kind, 0) + int(row["items"] or 0)
    return kinds


def _writes(plain: Mapping[str, Any]) -> Writes:
    in_table = plain["in_table"]
    return Writes(int(plain["written"]), int(plain["in_snapshot"]), None if in_table is None else int(in_table))


def _sum(rows: Iterable[Mapping[str, str | None]], column: str) -> int:
    return sum(int(row[column] or 0) for row in rows)
