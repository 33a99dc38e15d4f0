"""The summary tables: their columns, types and descriptions (`include/sql/summaries.yaml`)."""

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

ColumnType = Literal["string", "bigint", "int", "double", "date", "boolean"]
Audience = Literal["readers", "operators", "workings"]
Value = str | int | float | None

POOLED = "(few)"  # what a text column has in the row of values that readers are not told apart


class Column(BaseModel):
    """One column of a summary table."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z_][a-z0-9_]{0,62}$")
    type: ColumnType
    description: str

    @property
    def athena_type(self) -> str:
        """The name that Athena has for the type, where Glue has another."""
        return {"string": "varchar", "int": "integer"}.get(self.type, self.type)

    def read(self, text: str | None) -> Value:
        """Return a value of this column from the text that Athena prints; dates stay ISO texts."""
        if text is None or self.type in ("string", "date"):
            return text
        if self.type == "boolean":
            return text == "true"
        return float(text) if self.type == "double" else int(text)


class Summary(BaseModel):
    """
    One summary table; its statement is `include/sql/summaries/<table>.sql`.

    Shape: tables for *readers* hide small groups, those for *operators* of the census do not; *workings* are what later
    statements read, and no person. *may_empty* is a table that may lose all of its rows from one edition to the next.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    table: str = Field(pattern=r"^[a-z_][a-z0-9_]{0,62}$")
    description: str
    audience: Audience
    may_empty: bool = False
    columns: tuple[Column, ...] = Field(min_length=1)

    @property
    def folder(self) -> str:
        """The folder of its files in the result bucket."""
        return f"summaries/{self.audience}/{self.table}/"

    def read(self, rows: list[dict[str, str | None]]) -> list[Mapping[str, Value]]:
        """Return *rows* of texts as rows of values."""
        return [{column.name: column.read(row[column.name]) for column in self.columns} for row in rows]


class Summaries(BaseModel):
    """All summary tables."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    summaries: tuple[Summary, ...] = Field(min_length=1)
