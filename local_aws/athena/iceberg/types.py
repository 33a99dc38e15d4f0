"""
Iceberg's types as Trino's, and which of them a statement may touch.

Source: Athena user guide, Supported data types for Iceberg tables; Trino's TypeConverter of the Iceberg connector.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyiceberg import types as iceberg

from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.iceberg.fields import unread
from local_aws.athena.language import trino_types as trino
from local_aws.athena.tables.hive_columns import column_type

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local_aws.athena.language.trino_types import Type

_SAME = [
    (iceberg.BooleanType(), trino.BOOLEAN),
    (iceberg.IntegerType(), trino.INTEGER),
    (iceberg.LongType(), trino.BIGINT),
    (iceberg.FloatType(), trino.REAL),
    (iceberg.DoubleType(), trino.DOUBLE),
    (iceberg.StringType(), trino.VARCHAR),
    (iceberg.BinaryType(), trino.VARBINARY),
    (iceberg.DateType(), trino.DATE),
]
_TO_TRINO = {str(kind): name for kind, name in _SAME}
_TO_ICEBERG = {name: kind for kind, name in _SAME}


def stored_type(kind: iceberg.IcebergType) -> Type | None:
    """Return the type in which a column takes values, None where no statement may give it any."""
    match kind:
        case iceberg.TimestampType():
            return trino.TIMESTAMP
        case iceberg.DecimalType():
            return trino.decimal(kind.precision, kind.scale)
        case iceberg.ListType():
            element = stored_type(kind.element_type)
            return element and trino.array(element)
        case iceberg.MapType():
            key, value = stored_type(kind.key_type), stored_type(kind.value_type)
            return trino.map_of(key, value) if key and value else None
        case iceberg.StructType():
            fields = [(field.name.lower(), stored_type(field.field_type)) for field in kind.fields]
            return None if any(field is None for _, field in fields) else trino.row(*fields)
    return _TO_TRINO.get(str(kind))


def read_type(kind: iceberg.IcebergType) -> Type:
    """
    Return the type a query sees.

    An Iceberg timestamp is timestamp(6) in Athena, which this engine does not hold: a statement that touches such a
    column is refused, as are uuid, fixed, time and timestamptz.
    """
    stored = stored_type(kind)
    if stored is None or trino.TIMESTAMP in _parts(stored):
        return unread("timestamp(6)" if stored == trino.TIMESTAMP else f"Iceberg {kind}")
    return stored


def _parts(kind: Type) -> Iterator[Type]:
    yield kind
    inner = [field for _, field in kind.args] if kind.name == "row" else kind.args
    for part in inner if trino.is_nested(kind) else ():
        yield from _parts(part)


def query_type(kind: Type, ids: Iterator[int]) -> iceberg.IcebergType:
    """
    Return the Iceberg type of a column that CTAS makes; *ids* number the fields inside it.

    Raises: StatementError NOT_SUPPORTED for types that Iceberg has not, and for timestamps other than timestamp(6).
    """
    match kind.name:
        case "decimal":
            return iceberg.DecimalType(*kind.args)
        case "varchar":
            return iceberg.StringType()
        case "array":
            return iceberg.ListType(next(ids), query_type(kind.args[0], ids), element_required=False)
        case "map":
            key_id, value_id = next(ids), next(ids)
            key, value = (query_type(part, ids) for part in kind.args)
            return iceberg.MapType(key_id, key, value_id, value, value_required=False)
        case "row":
            return iceberg.StructType(*(_struct_field(label, field, ids) for label, field in kind.args))
        case "timestamp" | "timestamp with time zone":
            wanted = trino.trino_name(kind).replace("(3)", "(6)")
            raise StatementError(
                "NOT_SUPPORTED", f'Timestamp precision (3) not supported for Iceberg. Use "{wanted}" instead.'
            )
    if kind not in _TO_ICEBERG:
        raise StatementError("NOT_SUPPORTED", f"Type not supported for Iceberg: {trino.trino_name(kind)}")
    return _TO_ICEBERG[kind]


def _struct_field(label: str | None, kind: Type, ids: Iterator[int]) -> iceberg.NestedField:
    if not label:
        raise StatementError("NOT_SUPPORTED", "Row type field does not have a name")
    return iceberg.NestedField(next(ids), label, query_type(kind, ids), required=False)


def defined_type(text: str, ids: Iterator[int]) -> iceberg.IcebergType:
    """
    Return the Iceberg type of a column in CREATE TABLE or ALTER TABLE, from its Hive name such as `array<int>`.

    Raises: Unsupported for types outside Athena's list: tinyint, smallint, char, varchar(n), timestamptz.
    """
    if text == "timestamp":
        return iceberg.TimestampType()
    kind = column_type(text)
    for part in _parts(kind):
        is_bounded = part.name == "varchar" and part.args[0] is not None
        if is_bounded or part.name in ("tinyint", "smallint", "char", "timestamp"):
            raise Unsupported(f"Iceberg column of type {text}")
    return query_type(kind, ids)
