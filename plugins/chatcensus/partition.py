"""How the table is cut into segments: the strategies, as `include/table.yaml` names them."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class _Strategy(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Scan(_Strategy):
    """A parallel scan: works on any table, and reads all of it."""

    strategy: Literal["scan"]


class DateIndex(_Strategy):
    """
    Queries on a global secondary index whose partition key is the day of creation.

    Shape: *day* is the format of that key for `datetime.strftime`, in UTC; *shards* > 0 where the tool spreads a day
    over `<day>#0` to `<day>#<shards - 1>`. *first_day* is where the history begins.
    """

    strategy: Literal["date-index"]
    index: str = Field(min_length=1)
    day: str = "%Y-%m-%d"
    shards: int = Field(default=0, ge=0, le=1000)
    first_day: str = Field(pattern=r"^\d{4}-\d\d-\d\d$")


class PendingIndex(_Strategy):
    """
    Queries on a sparse global secondary index that holds what is pending.

    Shape: the chat tool sets *attribute*, and the write of an evaluation removes it; *values* are the values that the
    index's partition key takes.
    """

    strategy: Literal["pending-index"]
    index: str = Field(min_length=1)
    attribute: str = Field(min_length=1)
    values: tuple[str, ...] = Field(min_length=1)


Partition = Scan | DateIndex | PendingIndex
