"""What Glue says of how a table's files are written: the SerDe, its parameters, and the codec by a file's name."""

from __future__ import annotations

import gzip
import io
import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from local_aws.athena.failures import StatementError, Unsupported

if TYPE_CHECKING:
    from collections.abc import Mapping

ION = "com.amazon.ionhiveserde.IonHiveSerDe"
PARQUET = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
OPENX_JSON = "org.openx.data.jsonserde.JsonSerDe"
HIVE_JSON = "org.apache.hive.hcatalog.data.JsonSerDe"
HIVE_JSON_2 = "org.apache.hadoop.hive.serde2.JsonSerDe"
LAZY_SIMPLE = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"
OPEN_CSV = "org.apache.hadoop.hive.serde2.OpenCSVSerde"
TEXT_INPUT = "org.apache.hadoop.mapred.TextInputFormat"
ION_INPUT = "com.amazon.ionhiveserde.formats.IonInputFormat"
PARQUET_INPUT = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat"

SKIPPED_LINES = "skip.header.line.count"
_NULL_TEXT = "serialization.null.format"
_COMPRESSED = (".bz2", ".deflate", ".lz4", ".lzo", ".lzo_deflate", ".snappy", ".zst", ".zz")


@dataclass(frozen=True)
class Serde:
    """
    A SerDe class and its parameters.

    Shape: *names* are the columns in the order in which a line holds them; *header_lines* of each file are no rows.
    """

    library: str
    pairs: tuple[tuple[str, str], ...] = ()
    names: tuple[str, ...] = ()
    header_lines: int = 0

    @property
    def parameters(self) -> dict[str, str]:
        """Return the SERDEPROPERTIES."""
        return dict(self.pairs)


def serde_of(table: Mapping[str, Any], storage: Mapping[str, Any]) -> Serde:
    """
    Return the SerDe of a partition's, or an unpartitioned table's, storage.

    Raises: StatementError for a header count that is no count; Unsupported for headers of files that are no lines of
    text, for footers, and for files that are not listed as they are, such as those of a manifest.
    """
    info = storage.get("SerdeInfo") or {}
    library = info.get("SerializationLibrary") or ""
    parameters = {**(table.get("Parameters") or {}), **(storage.get("Parameters") or {})}
    count = parameters.get(SKIPPED_LINES, "0")
    if not count.isdecimal():
        raise StatementError("HIVE_INVALID_METADATA", f"{SKIPPED_LINES} of {table['Name']!r} is no count of lines")
    is_lines = library in (LAZY_SIMPLE, OPEN_CSV)
    if int(count) and not is_lines:
        raise Unsupported(f"{SKIPPED_LINES} with SerDe {library!r}")
    if parameters.get("skip.footer.line.count", "0") != "0":
        raise Unsupported("skip.footer.line.count")
    usual = {ION: ION_INPUT, PARQUET: PARQUET_INPUT}.get(library, TEXT_INPUT)
    if storage.get("InputFormat", usual) != usual:
        raise Unsupported(f"input format {storage['InputFormat']!r} with SerDe {library!r}")
    columns = storage.get("Columns") or (table.get("StorageDescriptor") or {}).get("Columns") or []
    settings = {name: parameters[name] for name in (_NULL_TEXT,) if is_lines and name in parameters}
    settings |= info.get("Parameters") or {}
    return Serde(
        library,
        tuple(sorted(settings.items())),
        tuple(column["Name"].lower() for column in columns),
        int(count) if is_lines else 0,
    )


def opened(body: bytes, key: str) -> BinaryIO:
    """
    Return a file's uncompressed bytes as a stream; the ending of *key* tells the codec, as in Trino's CompressionKind.

    Raises: Unsupported for codecs other than gzip. What is no gzip shows when the stream is read (`OSError`).
    """
    ending = posixpath.splitext(key)[1]
    if ending == ".gz":
        return gzip.GzipFile(fileobj=io.BytesIO(body))
    if ending in _COMPRESSED:
        raise Unsupported(f"files compressed as {ending!r}")
    return io.BytesIO(body)
