"""Values as Athena prints them, and the rows of GetQueryResults."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from local_aws.athena.failures import Unsupported
from local_aws.athena.functions.floating_text import java_digits
from local_aws.athena.functions.intervals import text_of_interval
from local_aws.athena.functions.zones import wall_clock
from local_aws.athena.language.trino_types import Type, athena_name, is_nested, trino_name

_PRECISION = {"boolean": 0, "tinyint": 3, "smallint": 5, "integer": 10, "bigint": 19, "real": 17, "double": 17,
              "varchar": 2147483647, "timestamp": 3, "timestamp with time zone": 3}  # fmt: skip


@dataclass(frozen=True)
class ResultColumn:
    """Name and type of one column of an answer."""

    name: str
    type: Type


@dataclass(frozen=True)
class ResultSet:
    """An answer: columns, and rows of texts (None for NULL)."""

    columns: tuple[ResultColumn, ...] = ()
    rows: tuple[tuple[str | None, ...], ...] = ()


def java_double(value: float, *, is_real: bool = False) -> str:
    """Return a floating-point number as Java prints it: plain from 10^-3 up to below 10^7, else d.dE±n."""
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0:
        return "-0.0" if str(value).startswith("-") else "0.0"
    sign, figures, exponent = java_digits(value, is_real=is_real).as_tuple()
    text = "".join(map(str, figures)).rstrip("0") or "0"
    point = len(figures) + exponent  # the number is 0.text * 10^point
    minus = "-" if sign else ""
    if 1e-3 <= abs(value) < 1e7:
        if point <= 0:
            return f"{minus}0.{'0' * -point}{text}"
        return f"{minus}{text[:point].ljust(point, '0')}.{text[point:] or '0'}"
    return f"{minus}{text[0]}.{text[1:] or '0'}E{point - 1}"


def text_of(value: Any, kind: Type) -> str | None:
    """
    Return *value* as GetQueryResults gives it, None for NULL.

    Raises: Unsupported for types whose printed form was not checked.
    """
    if value is None:
        return None
    match kind.name:
        case "boolean":
            return "true" if value else "false"
        case "double":
            return java_double(value)
        case "real":
            return java_double(value, is_real=True)
        case "decimal":
            return format(Decimal(value), "f")
        case "date":
            return value.isoformat() if isinstance(value, date) else _refuse_year()
        case "timestamp":
            return _clock(value)
        case "timestamp with time zone":
            local = value if kind.args[0] == "UTC" else wall_clock(value, kind.args[0])
            return f"{_clock(local)} {kind.args[0]}"
        case "time":
            return f"{value:%H:%M:%S}.{value.microsecond // 1000:03}"
        case "interval day to second" | "interval year to month":
            return text_of_interval(value, kind)
        case "varbinary":
            return value.hex(" ")
        case "char":
            return value.ljust(kind.args[0])
        case "array":
            return "[" + ", ".join(_inside(item, kind.args[0]) for item in value) + "]"
        case "map":
            # DuckDB gives a map whose keys cannot be those of a dict as its lists of keys and values.
            entries = zip(value["key"], value["value"], strict=True) if is_nested(kind.args[0]) else value.items()
            pairs = (f"{_inside(key, kind.args[0])}={_inside(item, kind.args[1])}" for key, item in entries)
            return "{" + ", ".join(pairs) + "}"
        case "row":
            fields = (
                f"{name or f'field{index}'}={_inside(value[f'f{index}'], field)}"
                for index, (name, field) in enumerate(kind.args)
            )
            return "{" + ", ".join(fields) + "}"
        case "varchar" | "json" | "tinyint" | "smallint" | "integer" | "bigint":
            return str(value)
    raise Unsupported(f"result of type {trino_name(kind)}")


def _inside(value: Any, kind: Type) -> str:
    text = text_of(value, kind)
    return "null" if text is None else text


def _clock(value: Any) -> str:
    if not isinstance(value, datetime):
        _refuse_year()
    return value.strftime("%Y-%m-%d %H:%M:%S").rjust(19, "0") + f".{value.microsecond // 1000:03}"


def _refuse_year() -> str:
    raise Unsupported("a date outside the years 1 to 9999")


def column_info(column: ResultColumn) -> dict[str, Any]:
    """Return the ColumnInfo of GetQueryResults."""
    kind = column.type
    precision, scale = _PRECISION.get(kind.name, 0), 0
    if kind.name == "decimal":
        precision, scale = kind.args
    if kind.name in ("varchar", "char") and kind.args[0] is not None:
        precision = kind.args[0]
    return {
        "CatalogName": "hive",
        "SchemaName": "",
        "TableName": "",
        "Name": column.name,
        "Label": column.name,
        "Type": athena_name(kind),
        "Precision": precision,
        "Scale": scale,
        "Nullable": "UNKNOWN",
        "CaseSensitive": kind.name in ("varchar", "char"),
    }


def to_csv(result: ResultSet) -> bytes:
    """Return the result object: every value quoted, NULL as nothing between the commas."""
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow([column.name for column in result.columns])
    for row in result.rows:
        out.write(",".join("" if text is None else '"' + text.replace('"', '""') + '"' for text in row) + "\n")
    return out.getvalue().encode()
