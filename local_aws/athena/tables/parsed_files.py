"""Columns of files that were parsed once: a second query over the same objects parses nothing."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from local_aws.athena.language.trino_types import Type

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pyarrow as pa

    from local_aws.athena.tables.serdes import Serde
    from local_aws.athena.tables.store import StoredObject

Column = tuple[str, Type]
# The summaries' columns of a million conversations take about 400 MB.
CACHE_BYTES = 1 << 30
_FACTS_BYTES = 1 << 10


@dataclass(frozen=True)
class FileKey:
    """What a parsed column depends on besides its name and type; the object's etag changes with its bytes."""

    entry: StoredObject
    serde: Serde


@dataclass(frozen=True)
class FileFacts:
    """
    Rows of a file, and what a query has to read of it.

    Units: bytes; *always* whatever the query, *by_column* for each column of the file that it needs.
    """

    rows: int
    always: int
    by_column: Mapping[str, int] = field(default_factory=dict)

    def read_bytes(self, columns: Iterable[Column]) -> int:
        """Return the bytes that a query over *columns* reads."""
        return self.always + sum(self.by_column.get(name, 0) for name, _ in columns)


class ParsedFiles:
    """Facts and columns of parsed files within *limit* bytes; what was longest unused goes first."""

    def __init__(self, limit: int = CACHE_BYTES) -> None:
        self._limit = limit
        self._facts: OrderedDict[FileKey, FileFacts] = OrderedDict()
        self._columns: OrderedDict[tuple[FileKey, Column], pa.ChunkedArray] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()
        self._being_read: WeakValueDictionary[FileKey, threading.Lock] = WeakValueDictionary()

    def reading(self, key: FileKey) -> threading.Lock:
        """Return the lock of one file: queries that start together parse it once."""
        with self._lock:
            return self._being_read.setdefault(key, threading.Lock())

    def get(self, key: FileKey, columns: Iterable[Column]) -> tuple[FileFacts | None, dict[Column, pa.ChunkedArray]]:
        """Return what is known of a file: its facts, and those of *columns* that were parsed."""
        with self._lock:
            found = {column: self._columns[key, column] for column in columns if (key, column) in self._columns}
            for column in found:
                self._columns.move_to_end((key, column))
            if key in self._facts:
                self._facts.move_to_end(key)
            return self._facts.get(key), found

    def put(self, key: FileKey, facts: FileFacts, cells: Mapping[Column, pa.ChunkedArray]) -> None:
        """Keep what was parsed of a file."""
        with self._lock:
            if key not in self._facts:
                self._facts[key] = facts
                self._bytes += _FACTS_BYTES
            for column, parsed in cells.items():
                if (key, column) not in self._columns:
                    self._columns[key, column] = parsed
                    self._bytes += parsed.nbytes
            while self._bytes > self._limit and self._columns:
                self._bytes -= self._columns.popitem(last=False)[1].nbytes
            while self._bytes > self._limit and self._facts:
                self._facts.popitem(last=False)
                self._bytes -= _FACTS_BYTES
