"""The summary tables: their columns, types and descriptions (`include/sql/summaries.yaml`)."""

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

ColumnType = Literal["string", "bigint", "int", "double", "date"]
Value = str | int | float | None


class Column(BaseModel):
    """One column of a summary table."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z_][a-z0-9_]{0,62}$")
    type: ColumnType
    description: str

    def read(self, text: str | None) -> Value:
        """Return a value of this column from the text that Athena prints; dates stay ISO texts."""
        if text is None or self.type in ("string", "date"):
            return text
        return float(text) if self.type == "double" else int(text)


class Summary(BaseModel):
    """One summary table; its statement is `include/sql/summaries/<table>.sql`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    table: str = Field(pattern=r"^[a-z_][a-z0-9_]{0,62}$")
    description: str
    columns: tuple[Column, ...] = Field(min_length=1)

    def read(self, rows: list[dict[str, str | None]]) -> list[Mapping[str, Value]]:
        """Return *rows* of texts as rows of values."""
        return [{column.name: column.read(row[column.name]) for column in self.columns} for row in rows]


class Summaries(BaseModel):
    """All summary tables."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    summaries: tuple[Summary, ...] = Field(min_length=1)
