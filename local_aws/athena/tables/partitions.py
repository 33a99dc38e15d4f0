"""
Partitions of a table as Glue lists them, and which of them a query reads.

Nothing is found by looking into S3: a folder that is no partition in Glue is not read.
Source: Athena user guide, "Partition your data"; Trino's HivePartitionManager.
"""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.language.trino_types import Type, is_integer, trino_name
from local_aws.athena.tables.hive_columns import column_type
from local_aws.athena.tables.hive_text import fits

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from local_aws.athena.tables.catalog import Table

_INTEGER = re.compile(r"-?\d+", re.ASCII)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"
_COMPARE = {"=": operator.eq, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
# org.apache.hadoop.hive.common.FileUtils: these are written %XX in a partition's folder.
ESCAPED = re.compile(r"[\x00-\x1f\x7f\"#%'*/:=?\\{\[\]^]")


@dataclass(frozen=True)
class Condition:
    """
    What a WHERE asks of a partition key: that it compares so to one of *values*.

    Shape: *subquery* is DuckDB text whose rows are the values, which are known once its tables are loaded.
    """

    comparison: str
    values: tuple[str | int | date, ...]
    subquery: str | None = None

    def holds(self, value: str | int | date | None) -> bool:
        """Tell whether a key's value can fulfil this; a NULL never does."""
        compare = _COMPARE[self.comparison]
        return value is not None and any(compare(value, other) for other in self.values)


@dataclass(frozen=True)
class Partition:
    """Where rows lie that share the values of the partition keys."""

    storage: Mapping[str, Any]
    values: tuple[Any, ...]


def read_partitions(glue: Any, table: Table, conditions: Mapping[str, Iterable[Condition]]) -> Iterator[Partition]:
    """
    Yield the partitions whose values fulfil *conditions* (key -> what is asked of it).

    Raises: StatementError for a value that does not fit its key's type.
    """
    if not table.partition_keys:
        yield Partition(table.glue["StorageDescriptor"], ())
        return
    pages = glue.get_paginator("get_partitions").paginate(DatabaseName=table.name.database, TableName=table.name.name)
    for page in pages:
        for found in page["Partitions"]:
            values = tuple(
                partition_value(text, kind)
                for text, (_, kind) in zip(found["Values"], table.partition_keys, strict=True)
            )
            named = {key: value for (key, _), value in zip(table.partition_keys, values, strict=True)}
            if all(condition.holds(named[key]) for key, asked in conditions.items() for condition in asked):
                yield Partition(found["StorageDescriptor"], values)


def partition_value(text: str, kind: Type) -> str | int | date | None:
    """
    Return the typed value of a partition key as Glue writes it.

    Raises: StatementError HIVE_INVALID_PARTITION_VALUE; Unsupported for keys of other types.
    """
    if text == NULL_PARTITION:
        return None
    check_key_type(kind)
    try:
        if is_integer(kind) and _INTEGER.fullmatch(text) and fits(int(text), kind):
            return int(text)
        if kind.name == "date" and _DATE.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass  # there is no such day
    if kind.name == "varchar" and (kind.args[0] is None or len(text) <= kind.args[0]):
        return text
    raise StatementError(
        "HIVE_INVALID_PARTITION_VALUE", f"a partition value is no {trino_name(kind)}: correct it in Glue"
    )


def check_key_type(kind: Type) -> None:
    """Raise Unsupported for a type of partition keys whose texts were not checked."""
    if not is_integer(kind) and kind.name not in ("date", "varchar"):
        raise Unsupported(f"partition key of type {trino_name(kind)}")


def partition_text(value: str | int | date | None) -> str:
    """
    Return the value of a partition key as Glue and folders write it.

    Raises: StatementError for text that is not printable ASCII; Unsupported for empty text, which Hive makes NULL.
    """
    if value is None:
        return NULL_PARTITION
    text = value.isoformat() if isinstance(value, date) else str(value)
    if not text:
        raise Unsupported("an empty text as the value of a partition key")
    if not all(" " <= letter <= "~" for letter in text):
        raise StatementError(
            "HIVE_INVALID_PARTITION_VALUE",
            "Hive partition keys can only contain printable ASCII characters (0x20 - 0x7E)",
        )
    return text


def partition_folder(keys: Iterable[str], texts: Iterable[str]) -> str:
    """Return the folder of a partition as Hive names it: `key=value/key=value/`, special characters as %XX."""
    return "".join(f"{_escaped(key)}={_escaped(text)}/" for key, text in zip(keys, texts, strict=True))


def _escaped(text: str) -> str:
    return ESCAPED.sub(lambda found: f"%{ord(found[0]):02X}", text)


def check_columns(table: Table, storage: Mapping[str, Any], wanted: Iterable[int], *, is_by_name: bool) -> None:
    """
    Refuse a partition whose own columns are not the table's: Athena reads some of them, and fails with others.

    Raises: Unsupported. Source: Athena user guide, "Update tables with partitions": Parquet columns are compared by
    name, those of other formats by place.
    """
    own = [(column["Name"].lower(), column.get("Type", "")) for column in storage.get("Columns") or []]
    for index in wanted if own else ():
        name, kind = table.columns[index]
        candidates = own if is_by_name else own[index : index + 1]
        found = next((text for label, text in candidates if label == name), None)
        if found is None and is_by_name:
            continue  # added to the table since: NULL, as in a file that has not got it
        if found is None or column_type(found) != kind:
            raise Unsupported(f"column {name!r} in a partition whose columns are not those of its table")
