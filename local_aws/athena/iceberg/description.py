"""
An Iceberg table as DESCRIBE prints it: its columns, then what it is partitioned by.

Source: observed on the live service in September 2026: github.com/aoyagikouhei/athena-local,
docs/dev/measurements/query-results.md.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pyiceberg import types as iceberg

from local_aws.athena.failures import StatementError, Unsupported

if TYPE_CHECKING:
    from pyiceberg.table import Table

_TYPES = {
    iceberg.BooleanType: "boolean", iceberg.IntegerType: "int", iceberg.LongType: "bigint", iceberg.FloatType: "float",
    iceberg.DoubleType: "double", iceberg.StringType: "string", iceberg.BinaryType: "binary", iceberg.DateType: "date",
    iceberg.TimestampType: "timestamp", iceberg.TimestamptzType: "timestamp",
}  # fmt: skip
_NOT_DESCRIBED = (iceberg.TimeType, iceberg.UUIDType)
_TRANSFORM = re.compile(r"(?:identity|year|month|day|hour|bucket\[\d+\]|truncate\[\d+\])")


def described(table: Table) -> tuple[str, ...]:
    """
    Return the lines of DESCRIBE.

    Raises: StatementError for a column of time or uuid, as Athena; Unsupported for types and transforms not observed.
    """
    schema = table.schema()
    lines = ["# Table schema:\t\t", "# col_name\tdata_type\tcomment"]
    for field in schema.fields:
        if "\n" in (field.doc or "") or "\t" in (field.doc or ""):
            raise Unsupported("DESCRIBE of a comment with tabs or line breaks")
        lines.append(f"{field.name}\t{_type_name(field.field_type)}\t{field.doc or ''}")
    lines += ["\t\t", "# Partition spec:\t\t", "# field_name\tfield_transform\tcolumn_name"]
    for part in table.spec().fields:
        transform = str(part.transform)
        if not _TRANSFORM.fullmatch(transform):
            raise Unsupported(f"DESCRIBE of a table partitioned by {transform}")
        lines.append(f"{part.name}\t{transform}\t{schema.find_column_name(part.source_id)}")
    return tuple(lines)


def _type_name(kind: iceberg.IcebergType) -> str:
    match kind:
        case iceberg.DecimalType():
            return f"decimal({kind.precision}, {kind.scale})"
        case iceberg.ListType():
            return f"array<{_type_name(kind.element_type)}>"
        case iceberg.MapType():
            return f"map<{_type_name(kind.key_type)}, {_type_name(kind.value_type)}>"
        case iceberg.StructType():
            return f"struct<{', '.join(f'{field.name}: {_type_name(field.field_type)}' for field in kind.fields)}>"
    if isinstance(kind, _NOT_DESCRIBED):
        raise StatementError("", "Table has unsupported column types", kind=1100)
    if type(kind) not in _TYPES:
        raise Unsupported(f"DESCRIBE of a column of type {kind}")
    return _TYPES[type(kind)]
