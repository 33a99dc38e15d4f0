"""Answers written as Parquet: what CTAS, INSERT and UNLOAD leave in S3."""

from __future__ import annotations

from io import BytesIO

import pyarrow as pa
import pyarrow.parquet as pq

from local_aws.athena.failures import Unsupported
from local_aws.athena.files import arrow_type
from local_aws.athena.trino_types import Type, hive_name

_CODECS = {"snappy": "snappy", "gzip": "gzip", "zstd": "zstd", "lz4": "lz4", "none": "none", "uncompressed": "none"}


def codec(name: str) -> str:
    """Return pyarrow's name of a compression."""
    if name.lower() not in _CODECS:
        raise Unsupported(f"compression {name!r}")
    return _CODECS[name.lower()]


def parquet(table: pa.Table, columns: list[tuple[str, Type]], compression: str) -> bytes:
    """
    Return *table* (c0, c1, …) as one Parquet file under the names and types of *columns*.

    Raises: StatementError for types that Hive has not; Unsupported for nested types with rows inside.
    """
    fields = []
    for name, kind in columns:
        hive_name(kind)
        if "row" in repr(kind):
            raise Unsupported(f"writing a row column ({name!r})")
        stored = pa.timestamp("ms") if kind.name == "timestamp" else arrow_type(kind)
        fields.append((name, stored))
    schema = pa.schema(fields)
    out = BytesIO()
    pq.write_table(table.rename_columns([name for name, _ in columns]).cast(schema), out, compression=compression)
    return out.getvalue()
