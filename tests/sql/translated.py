"""Our statements as the local Athena translates them: once each, then run over many small tables in DuckDB."""

import io
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from local_aws.athena.execution import Job, Run
from local_aws.athena.language.parsing import parse_statement
from tests.sql.reference.conversations import Row, Telling
from tests.sql.warehouse import DATABASE, PUBLISHED, WORKINGS, Warehouse, edition_of, keyed, statement

_EXPORT = "01604474914028-a1b2c3d4"
_TYPES = {
    "string": pa.string(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "date": pa.date32(),
    "boolean": pa.bool_(),
}
# What an edition pins, in a form that stands nowhere else in a statement; each run puts its own in the place.
_PINNED = Telling("3333-03-03T03:03:03Z", date(1111, 11, 11), date(2222, 2, 2), 987654321)


def pinned(telling: Telling, edition_id: str, published: str) -> dict[str, str]:
    """Return what replaces what in a translated statement."""
    own, places = edition_of(_EXPORT, telling), edition_of(_EXPORT, _PINNED)
    return {
        places["id"]: edition_id,
        places["counted_until"]: own["counted_until"],
        places["open_week"]: own["open_week"],
        places["open_month"]: own["open_month"],
        str(_PINNED.min_users): str(telling.min_users),
        "published": published,
    }


class Statement:
    """One statement, translated; a connection of its own holds the functions that it needs."""

    def __init__(self, warehouse: Warehouse, table: str) -> None:
        text = statement(table, edition_of(_EXPORT, _PINNED), _PINNED.min_users, has_per_user_table=True)
        run = Run(warehouse.clients["glue"], None, None, Job(text, DATABASE, "", False, ""), lambda _: None)  # type: ignore[arg-type]
        relation = run.translate(parse_statement(text))
        self._sql, self._scans = relation.sql, run.catalog.scans
        self._columns = [column.name for column in relation.columns]
        self._connection = duckdb.connect(":memory:", config={"threads": 1})
        self._connection.execute("SET TimeZone = 'UTC'")
        self._connection.execute("SET disabled_optimizers = 'expression_rewriter,statistics_propagation'")
        run._helpers.install(self._connection, self._sql)

    def rows(self, tables: Mapping[str, pa.Table], places: Mapping[str, str]) -> list[Row]:
        """Return its rows over *tables*, by the names of the Glue tables."""
        for scan in self._scans:
            columns = [name for name, _ in (*scan.table.columns, *scan.table.partition_keys)]
            table = tables[scan.table.name.name].select(columns)
            self._connection.register(
                f"scan_{scan.number}", table.rename_columns([f"c{i}" for i in range(len(columns))])
            )
        sql = self._sql
        for place, value in places.items():
            sql = sql.replace(place, value)
        found = self._connection.execute(sql).fetchall()
        return [dict(zip(self._columns, row, strict=True)) for row in found]


def _schema(table: Mapping[str, Any]) -> pa.Schema:
    columns = [*table["StorageDescriptor"]["Columns"], *table["PartitionKeys"]]
    return pa.schema([(column["Name"], _TYPES[column["Type"]]) for column in columns])


class Statements:
    """All of our statements over snapshots that one export holds together."""

    def __init__(
        self, warehouse: Warehouse, tables: Iterable[str], snapshots: Mapping[str, list[dict[str, Any]]]
    ) -> None:
        warehouse.publish("published")
        self._schemas = {name: _schema(table) for name, table in warehouse.workings.items()}
        self._statements = {table: Statement(warehouse, table) for table in (*WORKINGS, *tables)}
        items = {
            f"{name}/{item['conversation_id']}": (name, item) for name, listed in snapshots.items() for item in listed
        }
        warehouse.add_snapshot(_EXPORT, ({**item, "conversation_id": key} for key, (_, item) in items.items()), files=1)
        files = [pq.read_table(io.BytesIO(data)) for data in warehouse.objects(f"curated/{_EXPORT}/")]
        curated = pa.concat_tables(file for file in files if len(file))
        of_keyed = {keyed(key): name for key, (name, _) in items.items()}
        names = pa.array([of_keyed[each] for each in curated["conversation_id"].to_pylist()])
        curated = curated.append_column("export_id", pa.repeat(pa.scalar(_EXPORT), len(curated)))
        curated = curated.append_column("layer", pa.repeat(pa.scalar("000000"), len(curated)))
        self._curated = {name: curated.filter(pc.equal(names, name)) for name in snapshots}

    def rows(
        self, snapshot: str, telling: Telling, published: Mapping[str, list[Row]] | None = None
    ) -> dict[str, list[Row]]:
        """Return every table of an edition of *snapshot*, where the tables of another one are *published*."""
        places = pinned(telling, "edition", "published")
        partitions = {name: [self._partition(name, published or {}, "published")] for name in PUBLISHED}
        held = {"conversations_curated": self._curated[snapshot]}
        found: dict[str, list[Row]] = {}
        for table, each in self._statements.items():
            held |= {f"{name}_editions": pa.concat_tables(parts) for name, parts in partitions.items()}
            found[table] = each.rows(held, places)
            if table in WORKINGS:
                partitions.setdefault(table, []).append(self._partition(table, found, "edition"))
        return found

    def _partition(self, table: str, tables: Mapping[str, list[Row]], edition: str) -> pa.Table:
        rows = [{**row, "edition": edition} for row in tables.get(table, [])]
        return pa.Table.from_pylist(rows, self._schemas[table])
