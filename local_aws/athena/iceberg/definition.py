"""
CREATE TABLE and ALTER TABLE of Iceberg tables, as plain values.

Source: Athena user guide, Create Iceberg tables and the ALTER TABLE pages of Iceberg tables. This module does not
import pyiceberg: every statement passes through the parser.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from local_aws.athena.failures import SyntaxRejection, Unsupported

if TYPE_CHECKING:
    from sqlglot.tokens import Token

_TRANSFORMS = {"Year": "year", "Month": "month", "Day": "day", "Hour": "hour"}
_NAME = r"(?:`[^`]+`|\w+)"
_CHANGE = re.compile(
    rf"\s*alter\s+table\s+(?P<table>{_NAME}(?:\.{_NAME})?)\s+change\s+(?:column\s+)?(?P<old>{_NAME})\s+(?P<new>{_NAME})\s+"
    rf"(?P<type>.+?)(?P<comment>\s+comment\s+'(?:[^']|'')*')?(?:\s+(?P<first>first)|\s+after\s+(?P<after>{_NAME}))?\s*;?\s*",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True)
class ColumnDefinition:
    """A column by name and Hive type, such as `array<int>`."""

    name: str
    type: str
    comment: str | None = None


@dataclass(frozen=True)
class Partitioning:
    """One term of PARTITIONED BY: identity, year, month, day, hour, bucket or truncate of a column."""

    transform: str
    column: str
    argument: int | None = None


@dataclass(frozen=True)
class IcebergTable:
    """What CREATE TABLE … TBLPROPERTIES ('table_type' = 'ICEBERG') says; *parts* is [database,] name."""

    parts: list[str]
    has_if_not_exists: bool
    columns: tuple[ColumnDefinition, ...]
    partitioning: tuple[Partitioning, ...]
    location: str
    properties: dict[str, str]


@dataclass(frozen=True)
class AddColumns:
    """ALTER TABLE … ADD COLUMNS."""

    parts: list[str]
    columns: tuple[ColumnDefinition, ...]


@dataclass(frozen=True)
class DropColumn:
    """ALTER TABLE … DROP COLUMN."""

    parts: list[str]
    name: str


@dataclass(frozen=True)
class ChangeColumn:
    """ALTER TABLE … CHANGE COLUMN: *after* is a column, an empty text for FIRST, or None."""

    parts: list[str]
    old: str
    new: ColumnDefinition
    after: str | None


@dataclass(frozen=True)
class SetProperties:
    """ALTER TABLE … SET TBLPROPERTIES."""

    parts: list[str]
    properties: dict[str, str]


@dataclass(frozen=True)
class Vacuum:
    """VACUUM of a table."""

    parts: list[str]


AlterTable = AddColumns | DropColumn | ChangeColumn | SetProperties | Vacuum


def parse_definition(text: str, tokens: list[Token]) -> IcebergTable | AlterTable | None:
    """
    Return what a statement makes or alters, None when it is none of CREATE TABLE (but AS), ALTER TABLE and VACUUM.

    Raises: SyntaxRejection, Unsupported.
    """
    words = [token.text.lower() for token in tokens]
    if words[0] == "alter":
        return parse_alter(text)
    if words[0] == "vacuum":
        return parse_vacuum(text)
    return parse_table(text) if _is_table_definition(words) else None


def _is_table_definition(words: list[str]) -> bool:
    if words[:2] != ["create", "table"]:
        return False
    depth = 0
    for before, word in itertools.pairwise(words):
        depth += {"(": 1, ")": -1}.get(word, 0)
        if depth == 0 and word == "as" and before != "stored":
            return False
    return "(" in words


def parse_table(text: str) -> IcebergTable:
    """
    Return the table that *text* defines.

    Raises: SyntaxRejection; Unsupported for clauses that Athena's page does not list.
    """
    tree = _tree(text)
    if not isinstance(tree, exp.Create) or not isinstance(tree.this, exp.Schema):
        raise SyntaxRejection("CREATE TABLE needs a list of columns")
    if re.search(r"\b(bucket|truncate)\s*\(\s*[^\d\s]", text, re.IGNORECASE):
        raise Unsupported("bucket or truncate with the column first")
    location, partitioning, properties = "", (), {}
    parts = tree.args.get("properties")
    for part in parts.expressions if parts is not None else ():
        if isinstance(part, exp.LocationProperty):
            location = part.name
        elif isinstance(part, exp.PartitionedByProperty) and isinstance(part.this, exp.Schema):
            partitioning = tuple(_partitioning(term) for term in part.this.expressions)
        elif type(part) is exp.Property:
            properties[part.name.lower()] = part.args["value"].name
        else:
            raise Unsupported(f"CREATE TABLE with {part.key}")
    if not location:
        raise SyntaxRejection("No location was specified for table. An S3 location must be specified")
    if properties.pop("table_type", "").lower() != "iceberg":
        raise Unsupported("CREATE TABLE of a table that is neither EXTERNAL nor Iceberg")
    columns = tuple(_column(node) for node in tree.this.expressions)
    return IcebergTable(
        _parts(tree.this.this), bool(tree.args.get("exists")), columns, partitioning, location, properties
    )


def parse_alter(text: str) -> AlterTable:
    """
    Return what an ALTER TABLE changes.

    Raises: SyntaxRejection; Unsupported for the forms that this engine has not.
    """
    change = _CHANGE.fullmatch(text)
    if change:
        new = _column(_type_of(change["new"], change["type"], change["comment"] or ""))
        after = "" if change["first"] else change["after"] and _plain(change["after"])
        return ChangeColumn(
            [_plain(part) for part in re.findall(_NAME, change["table"])], _plain(change["old"]), new, after
        )
    form = re.search(r"\s(add\s+columns|drop\s+column|set\s+tblproperties)\b", text, re.IGNORECASE)
    if form is None:
        raise Unsupported("ALTER TABLE other than ADD COLUMNS, DROP COLUMN, CHANGE COLUMN and SET TBLPROPERTIES")
    tree = _tree(text)
    actions = tree.args.get("actions") or [] if isinstance(tree, exp.Alter) else []
    match form[1].lower().split()[0], *actions:
        case "add", exp.Schema() as schema:
            return AddColumns(_parts(tree.this), tuple(_column(node) for node in schema.expressions))
        case "drop", exp.Drop() as drop if len(drop.args["tables"]) == 1 and not drop.args.get("exists"):
            return DropColumn(_parts(tree.this), drop.args["tables"][0].name.lower())
        case "set", exp.AlterSet() as assigned:
            pairs = assigned.find_all(exp.Property)
            return SetProperties(_parts(tree.this), {pair.name.lower(): pair.args["value"].name for pair in pairs})
    raise Unsupported(f"this form of ALTER TABLE {form[1].upper()}")


def ctas_properties(tree: exp.Create) -> dict[str, Any] | None:
    """
    Return the properties of CREATE TABLE AS, None when they do not say table_type = 'ICEBERG'.

    Shape: texts by name in lower case; `partitioning` is a list of Partitioning.
    """
    found: dict[str, Any] = {}
    for part in tree.args["properties"].expressions if tree.args.get("properties") else []:
        if isinstance(part, exp.LocationProperty | exp.FileFormatProperty):
            found["location" if isinstance(part, exp.LocationProperty) else "format"] = part.this.name
            continue
        value = part.args.get("value")
        if isinstance(value, exp.Array) and part.name.lower() == "partitioning":
            found[part.name.lower()] = [parse_partitioning(item.name) for item in value.expressions]
        else:
            found[part.name.lower()] = value.name if isinstance(value, exp.Literal) else str(value).lower()
    return found if found.pop("table_type", "").lower() == "iceberg" else None


def parse_vacuum(text: str) -> Vacuum:
    """
    Return the table that VACUUM names.

    Raises: SyntaxRejection.
    """
    match = re.fullmatch(rf"\s*vacuum\s+({_NAME}(?:\.{_NAME})?)\s*;?\s*", text, re.IGNORECASE)
    if match is None:
        raise SyntaxRejection("VACUUM takes the name of a table")
    return Vacuum([_plain(part) for part in re.findall(_NAME, match[1])])


def parse_partitioning(text: str) -> Partitioning:
    """Return one element of CTAS's partitioning = ARRAY['month(ts)', 'bucket(c, 5)', …]."""
    match = re.fullmatch(r"\s*(?:(\w+)\s*\(\s*(\w+)\s*(?:,\s*(\d+)\s*)?\)|(\w+))\s*", text)
    if match is None:
        raise Unsupported(f"partitioning {text!r}")
    transform, column, argument, plain = match.groups()
    if plain:
        return Partitioning("identity", plain.lower())
    takes_argument = transform.lower() in ("bucket", "truncate")
    if transform.lower() not in {*_TRANSFORMS.values(), "bucket", "truncate"} or takes_argument != bool(argument):
        raise Unsupported(f"partitioning {text!r}")
    return Partitioning(transform.lower(), column.lower(), int(argument) if argument else None)


def _tree(text: str) -> exp.Expression:
    try:
        trees = [tree for tree in sqlglot.parse(text, dialect="athena") if tree is not None]
    except (SqlglotError, RecursionError) as problem:
        raise SyntaxRejection("the statement cannot be read") from problem
    if len(trees) != 1:
        raise SyntaxRejection("Only one sql statement is allowed")
    return trees[0]


def _parts(table: exp.Expression) -> list[str]:
    return [part.name for part in table.parts]


def _plain(name: str) -> str:
    return name.strip("`").lower()


def _type_of(name: str, kind: str, comment: str) -> exp.Expression:
    return _tree(f"CREATE TABLE t ({name} {kind} {comment}) LOCATION ''").this.expressions[0]


def _column(node: exp.Expression) -> ColumnDefinition:
    if not isinstance(node, exp.ColumnDef) or node.args.get("kind") is None:
        raise SyntaxRejection("a column needs a name and a type")
    if any(kind.is_type("timestamp") and kind.expressions for kind in node.args["kind"].find_all(exp.DataType)):
        raise Unsupported("a timestamp with a precision in an Iceberg table")
    comment = None
    for constraint in node.args.get("constraints") or []:
        if not isinstance(constraint.kind, exp.CommentColumnConstraint):
            raise Unsupported("a column constraint of an Iceberg table")
        comment = constraint.kind.this.name
    return ColumnDefinition(node.name.lower(), re.sub(r"\s", "", node.args["kind"].sql("hive")).lower(), comment)


def _partitioning(term: exp.Expression) -> Partitioning:
    column = next(iter(term.find_all(exp.Column)), None)
    if isinstance(term, exp.Identifier):
        return Partitioning("identity", term.name.lower())
    if isinstance(term, exp.PartitionedByBucket | exp.PartitionByTruncate) and column is not None:
        transform = "bucket" if isinstance(term, exp.PartitionedByBucket) else "truncate"
        return Partitioning(transform, column.name.lower(), int(term.expression.name))
    if type(term).__name__ in _TRANSFORMS and column is not None:
        return Partitioning(_TRANSFORMS[type(term).__name__], column.name.lower())
    raise Unsupported(f"PARTITIONED BY {term.key}")
