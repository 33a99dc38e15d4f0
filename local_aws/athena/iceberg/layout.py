"""
Schema, partition spec and properties of a table that is made or altered.

Source: Athena user guide, Create Iceberg tables (partition transforms, the closed list of table properties); Iceberg
specification, Partition Transforms.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from pyiceberg import transforms
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.types import NestedField

from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.iceberg.types import defined_type, query_type
from local_aws.athena.tables.hive_columns import repeated

if TYPE_CHECKING:
    from local_aws.athena.iceberg.definition import ColumnDefinition, Partitioning
    from local_aws.athena.language.trino_types import Type

_FIRST_PARTITION_FIELD = 1000
_DATED = ("date", "timestamp")
_TRANSFORMS = {
    "identity": (transforms.IdentityTransform, ("boolean", "int", "long", "decimal", "string", "binary", *_DATED)),
    "year": (transforms.YearTransform, _DATED),
    "month": (transforms.MonthTransform, _DATED),
    "day": (transforms.DayTransform, _DATED),
    "hour": (transforms.HourTransform, ("timestamp",)),
    "bucket": (transforms.BucketTransform, ("int", "long", "decimal", "string", "binary", *_DATED)),
    "truncate": (transforms.TruncateTransform, ("int", "long", "decimal", "string")),
}
_COMPRESSIONS = ("gzip", "snappy", "zstd")
# Whole numbers that decide when OPTIMIZE and VACUUM do something, or how large files get.
_NUMBERS = (
    "write_target_data_file_size_bytes",
    "optimize_rewrite_min_data_file_size_bytes",
    "optimize_rewrite_max_data_file_size_bytes",
    "optimize_rewrite_data_file_threshold",
    "optimize_rewrite_delete_file_threshold",
    "vacuum_min_snapshots_to_keep",
    "vacuum_max_snapshot_age_seconds",
    "vacuum_max_metadata_files_to_keep",
)


def defined_schema(columns: tuple[ColumnDefinition, ...]) -> Schema:
    """
    Return the schema of CREATE TABLE.

    Raises: StatementError DUPLICATE_COLUMN_NAME; Unsupported for types that Athena's Iceberg tables have not.
    """
    ids = itertools.count(len(columns) + 1)
    if twice := repeated(column.name for column in columns):
        raise StatementError("DUPLICATE_COLUMN_NAME", f"Column name '{twice}' specified more than once")
    return Schema(
        *(
            NestedField(number, column.name, defined_type(column.type, ids), required=False, doc=column.comment)
            for number, column in enumerate(columns, start=1)
        )
    )


def query_schema(columns: list[tuple[str, Type]]) -> Schema:
    """
    Return the schema of a CTAS.

    Raises: StatementError for a type that Iceberg has not.
    """
    ids = itertools.count(len(columns) + 1)
    return Schema(
        *(
            NestedField(number, label, query_type(kind, ids), required=False)
            for number, (label, kind) in enumerate(columns, start=1)
        )
    )


def partition_spec(schema: Schema, terms: tuple[Partitioning, ...]) -> PartitionSpec:
    """
    Return the partition spec of PARTITIONED BY or of CTAS's partitioning.

    Raises: StatementError for a column that is not there; Unsupported for a transform of another type than Athena
    lists, and for several transforms of one column.
    """
    fields: list[PartitionField] = []
    for term in terms:
        field = next((field for field in schema.fields if field.name == term.column), None)
        if field is None:
            raise StatementError("COLUMN_NOT_FOUND", f"partition column '{term.column}' is not a column of the table")
        if any(other.source_id == field.field_id for other in fields):
            raise Unsupported(f"partitioning by column {term.column!r} twice")
        make, kinds = _TRANSFORMS[term.transform]
        if str(field.field_type).partition("(")[0] not in kinds or term.argument == 0:
            raise Unsupported(f"partitioning by {term.transform} of {field.field_type}")
        transform = make(term.argument) if term.argument else make()
        name = term.column if term.transform == "identity" else f"{term.column}_{_suffix(term.transform)}"
        number = _FIRST_PARTITION_FIELD + len(fields)
        fields.append(PartitionField(source_id=field.field_id, field_id=number, transform=transform, name=name))
    return PartitionSpec(*fields)


def _suffix(transform: str) -> str:
    return "trunc" if transform == "truncate" else transform


def stored_properties(properties: dict[str, str]) -> dict[str, str]:
    """
    Return table properties as the metadata file keeps them; without a compression it is ZSTD.

    Raises: StatementError for a key that is not on Athena's list or a value that it does not take.
    """
    stored: dict[str, str] = {}
    for key, value in properties.items():
        if key == "format" and value.lower() == "parquet":
            stored["write.format.default"] = "PARQUET"
        elif key == "format":
            raise Unsupported(f"Iceberg data format {value}")
        elif key == "write_compression" and value.lower() in _COMPRESSIONS:
            stored["write.parquet.compression-codec"] = value.lower()
        elif key in _NUMBERS and value.isdigit():
            stored[key] = value
        elif key in (*_NUMBERS, "write_compression"):
            raise StatementError("INVALID_TABLE_PROPERTY", f"table property {key} does not take {value!r}")
        else:
            raise StatementError("INVALID_TABLE_PROPERTY", f"Unsupported table property key: {key}")
    return stored
