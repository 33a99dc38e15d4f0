"""Trino's types: how each is spelled in Trino, Hive, DuckDB and Athena's answers, and where two of them meet."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from local_aws.athena.failures import StatementError, Unsupported


@dataclass(frozen=True)
class Type:
    """
    A Trino type.

    Shape: *args* is (precision, scale) of a decimal, (length or None,) of a varchar, (zone,) of a timestamp with time
    zone, element types of an array or map, and (name or None, type) pairs of a row. A timestamp that has less than
    milliseconds has its precision as the last of them.
    """

    name: str
    args: tuple[Any, ...] = ()

    def __str__(self) -> str:
        return trino_name(self)


UNKNOWN = Type("unknown")
BOOLEAN = Type("boolean")
TINYINT, SMALLINT, INTEGER, BIGINT = Type("tinyint"), Type("smallint"), Type("integer"), Type("bigint")
REAL, DOUBLE = Type("real"), Type("double")
VARCHAR = Type("varchar", (None,))
VARBINARY, DATE, TIMESTAMP, JSON = Type("varbinary"), Type("date"), Type("timestamp"), Type("json")
INTERVAL_DAY, INTERVAL_MONTH = Type("interval day to second"), Type("interval year to month")
TIME = Type("time")
UTC_TIMESTAMP = Type("timestamp with time zone", ("UTC",))

# Digits of a second: what every column and function has, and only a literal may not.
PRECISION = 3
# Digits of a whole number seen as a decimal: the widening order of the integer types as well.
DIGITS = {"tinyint": 3, "smallint": 5, "integer": 10, "bigint": 19}
_SIMPLE_DUCKDB = {
    "unknown": "INTEGER", "boolean": "BOOLEAN", "tinyint": "TINYINT", "smallint": "SMALLINT", "integer": "INTEGER",
    "bigint": "BIGINT", "real": "FLOAT", "double": "DOUBLE", "varchar": "VARCHAR", "char": "VARCHAR",
    "varbinary": "BLOB", "date": "DATE", "timestamp": "TIMESTAMP", "timestamp with time zone": "TIMESTAMP",
    "json": "VARCHAR", "time": "TIME", "interval day to second": "BIGINT", "interval year to month": "INTEGER",
}  # fmt: skip
_HIVE_TO_TRINO = {
    "boolean": BOOLEAN, "tinyint": TINYINT, "smallint": SMALLINT, "int": INTEGER, "integer": INTEGER,
    "bigint": BIGINT, "float": REAL, "double": DOUBLE, "string": VARCHAR, "binary": VARBINARY, "date": DATE,
    "timestamp": TIMESTAMP,
}  # fmt: skip
_TRINO_TO_HIVE = {"integer": "int", "real": "float", "varbinary": "binary"}
_HIVE_SAME = {"boolean", "tinyint", "smallint", "bigint", "double", "date", "timestamp"}


def decimal(precision: int, scale: int) -> Type:
    """Return decimal(precision, scale), capped at Trino's 38 digits."""
    if not 0 <= scale <= 38:
        raise StatementError("TYPE_MISMATCH", f"decimal scale must be between 0 and 38, is {scale}")
    return Type("decimal", (max(1, min(38, precision), scale), scale))


def array(element: Type) -> Type:
    """Return the array type of *element*."""
    return Type("array", (element,))


def map_of(key: Type, value: Type) -> Type:
    """Return the map type of *key* and *value*."""
    return Type("map", (key, value))


def row(*fields: tuple[str | None, Type]) -> Type:
    """Return the row type of (name, type) pairs."""
    return Type("row", fields)


def timestamp(precision: int) -> Type:
    """Return timestamp(precision), 0 to 3 digits of a second."""
    return TIMESTAMP if precision == PRECISION else Type("timestamp", (precision,))


def with_zone(zone: str, precision: int = PRECISION) -> Type:
    """Return timestamp with time zone whose values are shown in *zone*; the instant is held in UTC."""
    return Type("timestamp with time zone", (zone,) if precision == PRECISION else (zone, precision))


def precision_of(kind: Type) -> int:
    """Return how many digits of a second a timestamp has, with a zone or without."""
    digits = kind.args[1:] if kind.name == "timestamp with time zone" else kind.args
    return digits[0] if digits else PRECISION


def is_integer(kind: Type) -> bool:
    """Tell whether *kind* is one of tinyint to bigint."""
    return kind.name in DIGITS


def is_numeric(kind: Type) -> bool:
    """Tell whether arithmetic works on *kind*."""
    return kind.name in DIGITS or kind.name in ("decimal", "real", "double")


def is_nested(kind: Type) -> bool:
    """Tell whether *kind* has types inside."""
    return kind.name in ("array", "map", "row")


def trino_name(kind: Type) -> str:
    """Return the name typeof() gives."""
    match kind.name:
        case "decimal":
            return f"decimal({kind.args[0]},{kind.args[1]})"
        case "varchar":
            return "varchar" if kind.args[0] is None else f"varchar({kind.args[0]})"
        case "char":
            return f"char({kind.args[0]})"
        case "time":
            return "time(3)"
        case "timestamp":
            return f"timestamp({precision_of(kind)})"
        case "timestamp with time zone":
            return f"timestamp({precision_of(kind)}) with time zone"
        case "array" | "map":
            return f"{kind.name}({', '.join(trino_name(arg) for arg in kind.args)})"
        case "row":
            return f"row({', '.join(f'{name or str()} {trino_name(field)}'.lstrip() for name, field in kind.args)})"
    return kind.name


def athena_name(kind: Type) -> str:
    """Return the Type that GetQueryResults gives in its column info."""
    return {"real": "float"}.get(kind.name, kind.name)


def duckdb_name(kind: Type) -> str:
    """Return the DuckDB type that holds values of *kind*; fields of rows are f0, f1, … in DuckDB."""
    match kind.name:
        case "decimal":
            return f"DECIMAL({kind.args[0]},{kind.args[1]})"
        case "array":
            return duckdb_name(kind.args[0]) + "[]"
        case "map":
            return f"MAP({duckdb_name(kind.args[0])}, {duckdb_name(kind.args[1])})"
        case "row":
            fields = (f"f{index} {duckdb_name(field)}" for index, (_, field) in enumerate(kind.args))
            return f"STRUCT({', '.join(fields)})"
    return _SIMPLE_DUCKDB[kind.name]


def hive_name(kind: Type) -> str:
    """
    Return the Hive type under which Glue stores a column of *kind*.

    Raises: StatementError for types that Hive tables cannot hold (json, timestamp with time zone, unknown).
    """
    match kind.name:
        case "decimal":
            return f"decimal({kind.args[0]},{kind.args[1]})"
        case "varchar":
            return "string" if kind.args[0] is None else f"varchar({kind.args[0]})"
        case "char":
            return f"char({kind.args[0]})"
        case "array":
            return f"array<{hive_name(kind.args[0])}>"
        case "map":
            return f"map<{hive_name(kind.args[0])},{hive_name(kind.args[1])}>"
        case "row" if all(name for name, _ in kind.args):
            return f"struct<{','.join(f'{name}:{hive_name(field)}' for name, field in kind.args)}>"
    if kind.name in _TRINO_TO_HIVE:
        return _TRINO_TO_HIVE[kind.name]
    if kind.name in _HIVE_SAME:
        return kind.name
    raise StatementError("NOT_SUPPORTED", f"Unsupported Hive type: {trino_name(kind)}")


_HIVE_TOKEN = re.compile(r"\s*([A-Za-z_0-9$]+|`[^`]+`|[<>(),:])")


def from_hive(text: str) -> Type:
    """
    Return the Trino type of a Hive type as Glue stores it, e.g. `array<struct<role:string,content:string>>`.

    Raises: Unsupported for a type that is not in the list.
    """
    tokens = _HIVE_TOKEN.findall(text)
    if "".join(tokens) != re.sub(r"\s", "", text):
        raise Unsupported(f"column type {text!r}")
    kind, rest = _hive(tokens, text)
    if rest:
        raise Unsupported(f"column type {text!r}")
    return kind


def _hive(tokens: list[str], text: str) -> tuple[Type, list[str]]:
    head, rest = (tokens[0].lower(), tokens[1:]) if tokens else ("", [])
    numbers: list[int] = []
    if rest[:1] == ["("] and ")" in rest:
        end = rest.index(")")
        numbers, rest = [int(token) for token in rest[1:end] if token.isdigit()], rest[end + 1 :]
    if head == "decimal" and len(numbers) in (0, 1, 2):
        precision, scale = (*numbers, 10, 0)[:2] if not numbers else (*numbers, 0)[:2]
        return decimal(precision, scale), rest
    if head in ("varchar", "char") and len(numbers) == 1:
        return Type(head, (numbers[0],)), rest
    if head in _HIVE_TO_TRINO and not numbers:
        return _HIVE_TO_TRINO[head], rest
    if head == "array" and rest[:1] == ["<"]:
        element, rest = _hive(rest[1:], text)
        return array(element), _after(rest, ">", text)
    if head == "map" and rest[:1] == ["<"]:
        key, rest = _hive(rest[1:], text)
        value, rest = _hive(_after(rest, ",", text), text)
        return map_of(key, value), _after(rest, ">", text)
    if head == "struct" and rest[:1] == ["<"]:
        fields: list[tuple[str | None, Type]] = []
        while rest[0] in "<,":
            name = rest[1].strip("`").lower() if len(rest) > 1 else ""
            field, rest = _hive(_after(rest[2:], ":", text), text)
            fields.append((name, field))
            rest = rest or [""]
        return row(*fields), _after(rest, ">", text)
    raise Unsupported(f"column type {text!r}")


def _after(tokens: list[str], expected: str, text: str) -> list[str]:
    if tokens[:1] != [expected]:
        raise Unsupported(f"column type {text!r}")
    return tokens[1:]


_SQL_TYPES = {
    "BOOLEAN": BOOLEAN, "TINYINT": TINYINT, "SMALLINT": SMALLINT, "INT": INTEGER, "BIGINT": BIGINT, "FLOAT": REAL,
    "DOUBLE": DOUBLE, "VARCHAR": VARCHAR, "VARBINARY": VARBINARY, "DATE": DATE, "TIMESTAMP": TIMESTAMP,
    "TIMESTAMPTZ": UTC_TIMESTAMP, "JSON": JSON, "TIME": TIME,
}  # fmt: skip


def from_sql(node: exp.DataType) -> Type:
    """
    Return the type named in a CAST.

    Raises: Unsupported for a type, or a precision, that this engine does not hold.
    """
    if not isinstance(node, exp.DataType) or not isinstance(node.this, exp.DType):
        raise Unsupported(f"type {node.sql('trino')}")
    kind = node.this.value
    parts = node.expressions
    numbers = [int(part.this.this) for part in parts if isinstance(part, exp.DataTypeParam) and part.this.is_int]
    if kind == "DECIMAL":
        return decimal(*((*numbers, 0)[:2] if numbers else (38, 0)))
    if kind in ("VARCHAR", "CHAR") and len(numbers) <= 1:
        return Type(kind.lower(), (numbers[0] if numbers else (None if kind == "VARCHAR" else 1),))
    if kind in ("TIME", "TIMESTAMP", "TIMESTAMPTZ") and numbers in ([], [3]):
        return _SQL_TYPES[kind]
    if kind == "ARRAY" and len(parts) == 1:
        return array(from_sql(parts[0]))
    if kind == "MAP" and len(parts) == 2:
        return map_of(from_sql(parts[0]), from_sql(parts[1]))
    if kind == "STRUCT":
        return row(*(_field(part) for part in parts))
    if kind in _SQL_TYPES and not numbers:
        return _SQL_TYPES[kind]
    raise Unsupported(f"type {node.sql('trino')}")


def _field(part: exp.Expression) -> tuple[str | None, Type]:
    if isinstance(part, exp.ColumnDef):
        return part.name.lower(), from_sql(part.kind)
    if isinstance(part, exp.DataType):
        return None, from_sql(part)
    raise Unsupported(f"row field {part.sql('trino')}")


def common(left: Type, right: Type) -> Type | None:
    """
    Return the type in which values of both types meet without being asked to, or None.

    Source: Trino's TypeCoercion: integers widen, meet decimals as decimals and floating point as itself; text never
    meets a number.
    """
    if left == right or right == UNKNOWN:
        return left
    if left == UNKNOWN:
        return right
    names = {left.name, right.name}
    if names <= set(DIGITS):
        return max(left, right, key=lambda kind: DIGITS[kind.name])
    if is_numeric(left) and is_numeric(right):
        if names & {"real", "double"}:
            return DOUBLE if "double" in names else REAL
        return _wider_decimal(as_decimal(left), as_decimal(right))
    if names == {"varchar"}:
        lengths = left.args + right.args
        return VARCHAR if None in lengths else Type("varchar", (max(lengths),))
    if names == {"timestamp"}:
        return max(left, right, key=precision_of)
    if names == {"date", "timestamp"}:
        return left if left.name == "timestamp" else right
    if left.name == right.name == "array":
        element = common(left.args[0], right.args[0])
        return element and array(element)
    if left.name == right.name == "map":
        key, value = common(left.args[0], right.args[0]), common(left.args[1], right.args[1])
        return map_of(key, value) if key and value else None
    if left.name == right.name == "row" and len(left.args) == len(right.args):
        fields = [
            (a[0] if a[0] == b[0] else None, common(a[1], b[1])) for a, b in zip(left.args, right.args, strict=True)
        ]
        return None if any(kind is None for _, kind in fields) else row(*fields)
    if "timestamp with time zone" in names and names <= {"timestamp with time zone", "timestamp", "date"}:
        zones = {kind.args[0] for kind in (left, right) if kind.name == "timestamp with time zone"}
        if len(zones) == 1 and (names == {"timestamp with time zone"} or zones == {"UTC"}):
            return with_zone(*zones, max(precision_of(kind) for kind in (left, right) if kind != DATE))
        raise Unsupported(f"implicit conversion between {trino_name(left)} and {trino_name(right)} of another zone")
    if names == {"char", "varchar"}:
        raise Unsupported("implicit conversion between char and varchar")
    return None


def as_decimal(kind: Type) -> Type:
    """Return the decimal type an integer type counts as."""
    return kind if kind.name == "decimal" else decimal(DIGITS[kind.name], 0)


def _wider_decimal(left: Type, right: Type) -> Type:
    scale = max(left.args[1], right.args[1])
    return decimal(max(left.args[0] - left.args[1], right.args[0] - right.args[1]) + scale, scale)
