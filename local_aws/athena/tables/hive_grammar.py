"""The statements about databases, partitions and names that Athena reads as Hive does: text to one dataclass each."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from local_aws.athena.failures import SyntaxRejection, Unsupported

_TOKEN = re.compile(
    r"\s+|--[^\n]*|/\*.*?\*/"
    r"|(?P<string>'[^']*'|\"[^\"]*\")|`(?P<name>[^`]+)`|(?P<word>[A-Za-z_]\w*)|(?P<number>-?\d+(?:\.\d+)?)|(?P<mark>.)",
    re.DOTALL,
)


@dataclass(frozen=True)
class CreateDatabase:
    """CREATE DATABASE with what it keeps."""

    name: str
    is_optional: bool
    comment: str | None = None
    location: str | None = None
    properties: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class DropDatabase:
    """DROP DATABASE; *is_cascading* drops its tables too."""

    name: str
    is_optional: bool
    is_cascading: bool


@dataclass(frozen=True)
class AddPartitions:
    """ALTER TABLE ADD PARTITION: values by key, and a location if one is given, for each partition."""

    table: tuple[str, ...]
    is_optional: bool
    partitions: list[tuple[dict[str, str], str | None]]


@dataclass(frozen=True)
class DropPartitions:
    """ALTER TABLE DROP PARTITION: values by key for each partition."""

    table: tuple[str, ...]
    is_optional: bool
    partitions: list[dict[str, str]]


@dataclass(frozen=True)
class ShowDatabases:
    """SHOW DATABASES, those whose names match."""

    pattern: str | None


@dataclass(frozen=True)
class ShowTables:
    """SHOW TABLES of one database, or of the current one, those whose names match."""

    database: str | None
    pattern: str | None


@dataclass(frozen=True)
class ShowPartitions:
    """SHOW PARTITIONS."""

    table: tuple[str, ...]


@dataclass(frozen=True)
class ShowColumns:
    """SHOW COLUMNS."""

    table: tuple[str, ...]


@dataclass(frozen=True)
class Describe:
    """DESCRIBE of a table or view."""

    table: tuple[str, ...]


Statement = (
    CreateDatabase | DropDatabase | AddPartitions | DropPartitions | ShowDatabases | ShowTables | ShowPartitions
    | ShowColumns | Describe
)  # fmt: skip


def parse(text: str) -> Statement | None:
    """
    Return the statement in *text*, None when it is none of these.

    Raises: SyntaxRejection; Unsupported for a text that only Hive reads as one.
    Source: Athena user guide, "DDL statements".
    """
    first = next((found["word"] for found in _TOKEN.finditer(text) if found.lastgroup), None)
    if not first or first.lower() not in {words[0] for words in _STATEMENTS}:
        return None
    reader = _Reader(text)
    for words, read in _STATEMENTS.items():
        if reader.take(*words):
            statement = read(reader)
            if statement is not None:
                reader.end()
            return statement
    return None


class _Reader:
    """The tokens of one statement; what is asked for and not there is a SyntaxRejection."""

    def __init__(self, text: str) -> None:
        self._tokens = [(found.lastgroup, found[found.lastgroup]) for found in _TOKEN.finditer(text) if found.lastgroup]
        while self._tokens and self._tokens[-1] == ("mark", ";"):
            self._tokens.pop()
        self._place = 0
        self.has_block_comment = any(found[0].startswith("/*") for found in _TOKEN.finditer(text))

    def take(self, *words: str) -> bool:
        """Step over *words* (in lower case) or marks, if all of them come next."""
        coming = self._tokens[self._place : self._place + len(words)]
        if [text.lower() if kind in ("word", "mark") else None for kind, text in coming] != list(words):
            return False
        self._place += len(words)
        return True

    def expect(self, *words: str) -> None:
        if not self.take(*words):
            raise SyntaxRejection(f"expected {' '.join(words).upper()}")

    def _next(self, *kinds: str) -> str:
        if self._place == len(self._tokens) or self._tokens[self._place][0] not in kinds:
            raise SyntaxRejection(f"expected a {kinds[0]}")
        self._place += 1
        return self._tokens[self._place - 1][1]

    def name(self) -> str:
        return self._next("name", "word").lower()

    def table(self) -> tuple[str, ...]:
        parts = [self.name()]
        while self.take("."):
            parts.append(self.name())
        return tuple(parts)

    def string(self) -> str:
        text = self._next("string")[1:-1]
        if "\\" in text or self.has("string"):
            raise Unsupported("a text with a backslash, or two texts in a row, in a statement of Hive")
        return text

    def value(self) -> str:
        if self.has("word"):
            raise Unsupported("a partition's value that is neither text nor number")
        return self.string() if self.has("string") else self._next("number")

    def has(self, *kinds: str) -> bool:
        return self._place < len(self._tokens) and self._tokens[self._place][0] in kinds

    def end(self) -> None:
        if self._place < len(self._tokens):
            raise SyntaxRejection(f"extraneous input {self._tokens[self._place][1][:40]!r}")


def _create_database(reader: _Reader) -> CreateDatabase:
    is_optional = reader.take("if", "not", "exists")
    name = reader.name()
    comment = reader.string() if reader.take("comment") else None
    location = reader.string() if reader.take("location") else None
    properties: dict[str, str] = {}
    if reader.take("with", "dbproperties", "("):
        while not properties or reader.take(","):
            key = reader.string()
            reader.expect("=")
            properties[key] = reader.string()
        reader.expect(")")
    return CreateDatabase(name, is_optional, comment, location, properties)


def _drop_database(reader: _Reader) -> DropDatabase:
    is_optional = reader.take("if", "exists")
    name = reader.name()
    is_cascading = reader.take("cascade") or (reader.take("restrict") and False)
    return DropDatabase(name, is_optional, is_cascading)


def _alter_table(reader: _Reader) -> AddPartitions | DropPartitions | None:
    table = reader.table()
    if reader.take("add"):
        is_optional = reader.take("if", "not", "exists")
        partitions: list[tuple[dict[str, str], str | None]] = []
        while reader.take("partition"):
            partitions.append((_values(reader), reader.string() if reader.take("location") else None))
        if partitions:
            return AddPartitions(table, is_optional, partitions)
    elif reader.take("drop"):
        is_optional = reader.take("if", "exists")
        dropped: list[dict[str, str]] = []
        while reader.take("partition") or (dropped and reader.take(",", "partition")):
            dropped.append(_values(reader))
        if dropped:
            return DropPartitions(table, is_optional, dropped)
    return None


def _values(reader: _Reader) -> dict[str, str]:
    values: dict[str, str] = {}
    reader.expect("(")
    while not values or reader.take(","):
        key = reader.name()
        reader.expect("=")
        if key in values:
            raise SyntaxRejection(f"partition key {key!r} is given twice")
        values[key] = reader.value()
    reader.expect(")")
    return values


def _show_databases(reader: _Reader) -> ShowDatabases:
    return ShowDatabases(reader.string() if reader.take("like") else None)


def _show_tables(reader: _Reader) -> ShowTables:
    database = reader.name() if reader.take("in") or reader.take("from") else None
    return ShowTables(database, reader.string() if reader.take("like") or reader.has("string") else None)


def _show_columns(reader: _Reader) -> ShowColumns:
    if not (reader.take("in") or reader.take("from")):
        raise SyntaxRejection("SHOW COLUMNS needs IN or FROM")
    table = reader.table()
    if reader.take("in") or reader.take("from"):
        table = (reader.name(), *table)
    return ShowColumns(table)


def _describe(reader: _Reader) -> Describe:
    table = reader.table()
    if reader.has("word", "name", "string", "mark"):
        raise Unsupported("DESCRIBE of more than a table's name")
    if reader.has_block_comment:
        raise Unsupported("DESCRIBE with a block comment, which Athena refuses for tables of Hive")
    return Describe(table)


_STATEMENTS = {
    ("create", "database"): _create_database,
    ("create", "schema"): _create_database,
    ("drop", "database"): _drop_database,
    ("drop", "schema"): _drop_database,
    ("alter", "table"): _alter_table,
    ("show", "databases"): _show_databases,
    ("show", "schemas"): _show_databases,
    ("show", "tables"): _show_tables,
    ("show", "partitions"): lambda reader: ShowPartitions(reader.table()),
    ("show", "columns"): _show_columns,
    ("describe",): _describe,
    ("desc",): _describe,
}
