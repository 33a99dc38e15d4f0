"""What a model call and the reading of the table cost, in whole micro-USD."""

from dataclasses import dataclass
from datetime import date
from decimal import ROUND_CEILING, Decimal

from pydantic import BaseModel, ConfigDict, Field

from chatcensus.errors import SetupError


@dataclass(frozen=True)
class Usage:
    """The tokens of one paid call, as the reply counts them."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0

    @property
    def all_input_tokens(self) -> int:
        """Every token that went in, cached or not."""
        return self.input_tokens + self.cache_read_tokens + self.cache_write_tokens


class Rates(BaseModel):
    """USD per million tokens; what a model does not cache has no rate of its own, and costs what any input does."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: Decimal = Field(ge=0)
    output: Decimal = Field(ge=0)
    cache_read: Decimal | None = Field(default=None, ge=0)
    cache_write: Decimal | None = Field(default=None, ge=0)


class LongPromptRates(Rates):
    """The rates of a whole request whose input is longer than *over_tokens*."""

    over_tokens: int = Field(gt=0)


class Price(Rates):
    """
    The rates in force since *since*; *source* says who says so, and when that was read.

    Shape: *batch* is null where the model takes no batch inference, which has no discount for what is cached.
    """

    since: str = Field(pattern=r"^\d{4}-\d\d-\d\d$")
    batch: Rates | None = None
    long_prompt: LongPromptRates | None = None
    source: str = Field(min_length=1)


def micro_usd(usd: str | float) -> int:
    """Return a budget, in USD as the trigger form gives it, in whole micro-USD; what is less than one is left out."""
    return int(Decimal(str(usd)) * 1_000_000)


def cost_micro_usd(usage: Usage, price: Price, *, calls: int = 1, is_batch: bool = False) -> int:
    """
    Return what paid calls cost, rounded up once to a whole micro-USD.

    Shape: *usage* is that of all *calls* together, each taken to be as long as their mean.
    Units: *price* is USD per million tokens, which is the same number as micro-USD per token.
    Errors: SetupError for batch inference where the model has no price of it.
    Source: https://aws.amazon.com/bedrock/pricing/; the figures stand, dated, in include/prompts/models.yaml.
    """
    rates = _rates(usage, price, calls, is_batch)
    exact = (
        usage.input_tokens * rates.input
        + usage.output_tokens * rates.output
        + usage.cache_read_tokens * (rates.input if rates.cache_read is None else rates.cache_read)
        + usage.cache_write_tokens * (rates.input if rates.cache_write is None else rates.cache_write)
    )
    return int(exact.to_integral_value(rounding=ROUND_CEILING))


def _rates(usage: Usage, price: Price, calls: int, is_batch: bool) -> Rates:
    if is_batch:
        if price.batch is None:
            raise SetupError("the model has no price of batch inference: choose mode realtime, or another model")
        return price.batch
    if price.long_prompt and usage.all_input_tokens > price.long_prompt.over_tokens * calls:
        return price.long_prompt
    return price


class ReadPrice(BaseModel):
    """USD per million read request units of DynamoDB, in force since *since*; *source* says who says so."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    since: str = Field(pattern=r"^\d{4}-\d\d-\d\d$")
    usd_per_million_units: Decimal = Field(ge=0)
    source: str


class TablePrices(BaseModel):
    """What the use of the table costs (`include/prices.yaml`)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reads: tuple[ReadPrice, ...] = Field(min_length=1)

    def read_micro_usd(self, units: int, day: date) -> int:
        """Return what reading *units* costs on *day*. Errors: SetupError when no price was in force."""
        in_force = [price for price in self.reads if price.since <= day.isoformat()]
        if not in_force:
            raise SetupError(f"reads have no price for {day}: add one to include/prices.yaml")
        price = max(in_force, key=lambda price: price.since)
        return int((units * price.usd_per_million_units).to_integral_value(rounding=ROUND_CEILING))
