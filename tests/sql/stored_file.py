"""One file as a table, without a catalog or SQL around it."""

from typing import Any

from local_aws.athena.language.trino_types import from_hive
from local_aws.athena.results import text_of
from local_aws.athena.tables.catalog import Scan, Table, TableName
from local_aws.athena.tables.files import TableFiles
from local_aws.athena.tables.parsed_files import ParsedFiles
from local_aws.athena.tables.store import StoredObject


class OneFile:
    """A store with one object; *reads* counts how often its bytes were fetched."""

    def __init__(self, body: bytes, key: str = "0.txt") -> None:
        self.body = body
        self.key = key
        self.reads = 0

    def visible(self, uri: str) -> list[StoredObject]:  # noqa: ARG002 - every folder holds it
        """Return the object, under an etag of its bytes."""
        return [StoredObject("b", self.key, str(hash(self.body)), len(self.body))]

    def read(self, entry: StoredObject) -> bytes:  # noqa: ARG002 - there is but one
        """Return its bytes."""
        self.reads += 1
        return self.body


def a_scan(columns: dict[str, str], library: str, **parameters: str) -> Scan:
    """Return the scan of a table with these Hive types; `__` in a parameter's name stands for a dot."""
    settings = {name.replace("__", "."): text for name, text in parameters.items()}
    storage = {
        "Location": "s3://b/",
        "Columns": [{"Name": name, "Type": kind} for name, kind in columns.items()],
        "SerdeInfo": {"SerializationLibrary": library, "Parameters": settings},
    }
    kinds = tuple((name, from_hive(kind)) for name, kind in columns.items())
    return Scan(0, Table(TableName("d", "t"), kinds, (), {"Name": "t", "StorageDescriptor": storage}))


def read_texts(columns: dict[str, str], body: str, library: str, **parameters: str) -> list[tuple[str | None, ...]]:
    """Return the rows of a file as Athena's answers show them."""
    scan = a_scan(columns, library, **parameters)
    loaded = TableFiles(OneFile(body.encode()), None, ParsedFiles()).load(scan, set(range(len(columns))), {})
    cells = [
        _texts(loaded.column(index).to_pylist(maps_as_pydicts="strict"), kind)
        for index, (_, kind) in enumerate(scan.table.columns)
    ]
    return list(zip(*cells, strict=True))


def _texts(values: list[Any], kind: Any) -> list[str | None]:
    return [text_of(value, kind) for value in values]
