"""The layers of a snapshot in the catalog: each export written once as narrow Parquet, and shown in every snapshot."""

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import uuid4

from chatcensus.aws.athena import Athena, sql_string, unload
from chatcensus.aws.catalog import changed_table, curated_table, exported_table, upsert_partition, upsert_table
from chatcensus.aws.id_key import put_key
from chatcensus.aws.ledger import Ledger
from chatcensus.errors import SnapshotIncomplete
from chatcensus.mapping import TableMapping
from chatcensus.snapshot import Export, Snapshot, layer_name

if TYPE_CHECKING:
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_s3 import S3Client

LONGEST_LAYER_S = 3600.0  # of an UNLOAD over a whole table


@dataclass(frozen=True)
class Layers:
    """
    Writes and registers layers.

    Shape: *full* and *increment* are the SELECTs over a full and an incremental export; their two `?` are its id and
    the fingerprint of *subkey*, the `conversation_subkey` of the secret.
    What was written is kept in the ledger: a layer that an earlier snapshot has is not written again. One that was
    written by another statement or under another key is another layer: no snapshot mixes ids of two keys.
    """

    glue: "GlueClient"
    s3: "S3Client"
    athena: Athena
    ledger: Ledger
    mapping: TableMapping
    subkey: str = field(repr=False)
    result_bucket: str
    full: str
    increment: str

    def register(self, snapshot: Snapshot) -> None:
        """
        Make every layer of *snapshot* a partition of the curated table, and write those that are new.

        Errors: SnapshotIncomplete when a layer must be written and its export is gone.
        """
        database = self.athena.database
        curated = curated_table(f"s3://{self.result_bucket}/curated/")
        upsert_table(self.glue, database, curated)
        key = put_key(self.s3, self.glue, database, snapshot.layers[-1].bucket, self.subkey)
        written = [self._written(export, key) for export in snapshot.layers]  # all, before one of them is shown
        for index, prefix in enumerate(written):
            upsert_partition(self.glue, database, curated, (snapshot.export_id, layer_name(index)), prefix)

    def _written(self, export: Export, key: str) -> str:
        """Return where the rows of *export* lie; write them, unless this statement has, under this very key."""
        select = (self.increment if export.from_time else self.full).strip()
        made_by = hashlib.sha256(f"{key}\n{select}".encode()).hexdigest()[:12]
        layer_id = f"{export.export_id}/{made_by}"
        if known := self.ledger.layer(self.athena.database, layer_id):
            return known
        self._add_export(export)
        # A failed UNLOAD may leave files that later queries would read: every try has a prefix of its own.
        prefix = f"s3://{self.result_bucket}/curated/{export.export_id}/try={uuid4().hex[:12]}/"
        parameters = [sql_string(export.export_id), sql_string(key)]
        self.athena.rows(unload(select, prefix), LONGEST_LAYER_S, parameters=parameters)
        self.ledger.keep_layer(self.athena.database, layer_id, prefix)
        return prefix

    def _add_export(self, export: Export) -> None:
        database, data = self.athena.database, f"s3://{export.bucket}/{export.data_prefix}"
        if not self.s3.list_objects_v2(Bucket=export.bucket, Prefix=export.data_prefix, MaxKeys=1)["KeyCount"]:
            raise SnapshotIncomplete(
                f"the mapping, the statement or the secret has changed since export {export.export_id} was read, and "
                f"its files are gone from {data}, so it cannot be read again: start a run with full_export"
            )
        if export.from_time:
            table = changed_table(export.bucket, export.data_prefix.split("/increments/")[0])
        else:
            table = exported_table(self.mapping, export.bucket, export.data_prefix.split("/AWSDynamoDB/")[0])
        upsert_table(self.glue, database, table)
        upsert_partition(self.glue, database, table, (export.export_id,), data)
