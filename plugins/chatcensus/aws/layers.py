"""The layers of a snapshot in the catalog: each export written once as narrow Parquet, and shown in every snapshot."""

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

from chatcensus.aws.athena import Athena, sql_string
from chatcensus.aws.catalog import changed_table, curated_table, exported_table, upsert_partition, upsert_table
from chatcensus.aws.ledger import Ledger
from chatcensus.mapping import TableMapping
from chatcensus.snapshot import Export, Snapshot, layer_name

if TYPE_CHECKING:
    from mypy_boto3_glue import GlueClient

LONGEST_LAYER_S = 3600.0  # of an UNLOAD over a whole table


@dataclass(frozen=True)
class Layers:
    """
    Writes and registers layers.

    Shape: *full* and *increment* are the SELECTs over a full and an incremental export, whose id is the `?`.
    What was written is kept in the ledger: a layer that an earlier snapshot has is not written again.
    """

    glue: "GlueClient"
    athena: Athena
    ledger: Ledger
    mapping: TableMapping
    result_bucket: str
    full: str
    increment: str

    def register(self, snapshot: Snapshot) -> None:
        """Make every layer of *snapshot* a partition of the curated table, and write those that are new."""
        database = self.athena.database
        curated = curated_table(f"s3://{self.result_bucket}/curated/")
        upsert_table(self.glue, database, curated)
        for index, export in enumerate(snapshot.layers):
            values = (snapshot.export_id, layer_name(index))
            upsert_partition(self.glue, database, curated, values, self._written(export))

    def _written(self, export: Export) -> str:
        """Return where the rows of *export* lie; write them, unless this very statement has written them before."""
        select = (self.increment if export.from_time else self.full).strip()
        layer_id = f"{export.export_id}/{hashlib.sha256(select.encode()).hexdigest()[:12]}"
        if known := self.ledger.layer(self.athena.database, layer_id):
            return known
        self._add_export(export)
        # A failed UNLOAD may leave files that later queries would read: every try has a prefix of its own.
        prefix = f"s3://{self.result_bucket}/curated/{export.export_id}/try={uuid4().hex[:12]}/"
        statement = f"unload (\n{select}\n)\nto {sql_string(prefix)}\nwith (format = 'PARQUET', compression = 'SNAPPY')"
        self.athena.rows(statement, LONGEST_LAYER_S, parameters=[sql_string(export.export_id)])
        self.ledger.keep_layer(self.athena.database, layer_id, prefix)
        return prefix

    def _add_export(self, export: Export) -> None:
        database = self.athena.database
        if export.from_time:
            table = changed_table(export.bucket, export.data_prefix.split("/increments/")[0])
        else:
            table = exported_table(self.mapping, export.bucket, export.data_prefix.split("/AWSDynamoDB/")[0])
        upsert_table(self.glue, database, table)
        data = f"s3://{export.bucket}/{export.data_prefix}"
        upsert_partition(self.glue, database, table, (export.export_id,), data)
