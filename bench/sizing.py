"""
What a census of so many conversations takes, reckoned and not measured: `python -m bench.sizing`.

Prices of the model and of reading are the repository's own, all other numbers are those of bench/sizing.yaml; the
tables stand in docs/scale.md.
"""

import math
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from chatcensus.forecast import OUTPUT_TOKENS, TASKS_AT_ONCE, forecast, most_in_time, read_units
from chatcensus.include import read_yaml
from chatcensus.model_catalog import ModelCatalog
from chatcensus.partition import MAX_SEGMENTS
from chatcensus.pricing import TablePrices, Usage, cost_micro_usd

REPOSITORY = Path(__file__).parents[1]
GB, TB = 10**9, 10**12
WRITE_UNIT_BYTES = 1024
LEAST_EXPORT_BYTES = LEAST_SCAN_BYTES = 10**7  # billed for an incremental export, and for a statement
FULL_EXPORT_EVERY = 31  # nights: after 30 layers
SNAPSHOT_DAYS, MONTH_DAYS = 14, 30

Cell = Callable[[int], str]


class Prices(BaseModel):
    """USD of what `include/` has no price for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    write_per_million_units: Decimal
    export_per_gb: Decimal
    recovery_per_gb_month: Decimal
    s3_per_gb_month: Decimal
    athena_per_tb: Decimal
    mwaa_per_hour: Decimal


class Assumptions(BaseModel):
    """The numbers of bench/sizing.yaml."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    conversations: tuple[int, ...]
    new_a_day: float
    instruction_tokens: int
    conversation_tokens: int
    item_bytes: int
    compressed: int
    model: str
    day: date
    quota: dict[str, float]
    max_usd: int
    conversations_per_segment: int
    in_flight: int
    bytes_scanned_limit: int
    summary_bytes: int
    statements: int
    cpu_s_per_call: float
    latency_s: float
    usd: Prices


class Sizing:
    """The arithmetic; each method says what *items* conversations in the table, or *new* ones, take."""

    def __init__(self, given: Assumptions) -> None:
        self.given, self.usd = given, given.usd
        self.model = read_yaml(REPOSITORY / "include/prompts/models.yaml", ModelCatalog).model(given.model)
        self.price = self.model.price(given.day)
        self.table_prices = read_yaml(REPOSITORY / "include/prices.yaml", TablePrices)
        self.one = Usage(given.instruction_tokens + given.conversation_tokens, OUTPUT_TOKENS)
        # Cached instructions are read at a tenth of the price, and take nothing of the quota.
        self.cached = Usage(given.conversation_tokens, OUTPUT_TOKENS, given.instruction_tokens)
        self.quota_tokens = self.one.input_tokens + self.model.burndown * self.one.output_tokens
        self.per_minute = min(given.quota["requests_per_minute"], given.quota["tokens_per_minute"] / self.quota_tokens)
        self.most_in_segment = most_in_time(self.one, self.model, given.quota)

    def new(self, items: int) -> int:
        return round(items * self.given.new_a_day)

    def minutes(self, judged: int, one: Usage | None = None) -> int:
        usage, given = one or self.one, self.given
        return forecast(judged, 0, usage, self.price, self.model.burndown, given.quota)["minutes"]

    def segments(self, items: int) -> int:
        per_segment = min(self.given.conversations_per_segment, self.most_in_segment)
        return min(MAX_SEGMENTS, math.ceil(items / per_segment))

    def model_usd(self, judged: int, one: Usage | None = None) -> Decimal:
        usage = one or self.one
        each = Usage(
            *(tokens * judged for tokens in (usage.input_tokens, usage.output_tokens, usage.cache_read_tokens))
        )
        return Decimal(cost_micro_usd(each, self.price, calls=judged)) / 10**6

    def reading_usd(self, strategy: str, found: int, items: int) -> Decimal:
        units = read_units(strategy, found, items, items * self.given.item_bytes)
        return Decimal(self.table_prices.read_micro_usd(units, self.given.day)) / 10**6

    def writing_usd(self, judged: int) -> Decimal:
        units = judged * math.ceil(self.given.item_bytes / WRITE_UNIT_BYTES)
        return units * self.usd.write_per_million_units / 10**6

    def ledger_usd(self, judged: int) -> Decimal:
        seconds = self.minutes(judged) * 60 * TASKS_AT_ONCE  # a write and a read in each
        read = Decimal(self.table_prices.read_micro_usd(seconds, self.given.day))
        return (seconds * self.usd.write_per_million_units + read) / 10**6

    def full_export_usd(self, items: int) -> Decimal:
        return items * self.given.item_bytes * self.usd.export_per_gb / GB

    def increment_usd(self, items: int) -> Decimal:
        changed = max(LEAST_EXPORT_BYTES, self.new(items) * self.given.item_bytes)
        return changed * self.usd.export_per_gb / GB + self.full_export_usd(items) / FULL_EXPORT_EVERY

    def kept_usd(self, items: int) -> Decimal:
        size = items * self.given.item_bytes / self.given.compressed
        return Decimal(size) * self.usd.s3_per_gb_month / GB * SNAPSHOT_DAYS / MONTH_DAYS

    def edition_bytes(self, items: int) -> int:
        return max(self.given.statements * LEAST_SCAN_BYTES, items * self.given.summary_bytes)

    def athena_usd(self, items: int, exported: int) -> Decimal:
        read = exported * self.given.item_bytes // self.given.compressed
        return (read + self.edition_bytes(items)) * self.usd.athena_per_tb / TB

    def recovery_usd(self, items: int) -> Decimal:
        return items * self.given.item_bytes * self.usd.recovery_per_gb_month / GB / MONTH_DAYS

    def mwaa_usd(self, minutes: int) -> Decimal:
        return minutes * self.usd.mwaa_per_hour / 60

    def first_run(self) -> dict[str, Cell]:
        """Return the rows of the run over all of history, by `scan`, with a full export."""
        costs: dict[str, Callable[[int], Decimal]] = {
            "model, no cache": self.model_usd,
            "reading once, `scan`": lambda items: self.reading_usd("scan", items, items),
            "writing evaluations": self.writing_usd,
            "the ledger": self.ledger_usd,
            "full export": self.full_export_usd,
            "its files for 14 days, S3": self.kept_usd,
            "Athena, one edition": lambda items: self.athena_usd(items, items),
            "MWAA, while it runs": lambda items: self.mwaa_usd(self.minutes(items)),
        }
        return {
            "table, GB": lambda items: f"{items * self.given.item_bytes / GB:,.2f}",
            "segments": lambda items: f"{self.segments(items):,}",
            "conversations in each": lambda items: f"{math.ceil(items / self.segments(items)):,}",
            "minutes at the quota": lambda items: f"{self.minutes(items):,}",
            "minutes, instructions cached": lambda items: f"{self.minutes(items, self.cached):,}",
            **_in_usd(costs),
            "model, instructions cached, instead": lambda items: _usd(self.model_usd(items, self.cached)),
        }

    def each_night(self) -> dict[str, Cell]:
        """Return the rows of the run that follows each night, by `pending-index`, with an incremental export."""
        costs: dict[str, Callable[[int], Decimal]] = {
            "model, no cache": lambda items: self.model_usd(self.new(items)),
            "reading, `pending-index`": lambda items: self.reading_usd("pending-index", self.new(items), items),
            "writing evaluations": lambda items: self.writing_usd(self.new(items)),
            "the ledger": lambda items: self.ledger_usd(self.new(items)),
            "incremental export, and a full one in 31 nights": self.increment_usd,
            "point-in-time recovery": self.recovery_usd,
            "Athena, one edition": lambda items: self.athena_usd(items, self.new(items) + items // FULL_EXPORT_EVERY),
            "MWAA, a day": lambda _: self.mwaa_usd(24 * 60),
        }
        return {
            "new conversations": lambda items: f"{self.new(items):,}",
            "minutes at the quota": lambda items: f"{self.minutes(self.new(items)):,}",
            **_in_usd(costs),
            "reading by `scan` instead": lambda items: _usd(self.reading_usd("scan", items, items)),
        }

    def limits(self) -> dict[str, tuple[float, str]]:
        """Return each limit with the number at which it is met, and what is done about it."""
        given = self.given
        calls = TASKS_AT_ONCE * given.in_flight / given.latency_s * 60
        in_statement = given.bytes_scanned_limit * given.compressed // given.item_bytes
        day = int(self.per_minute * 24 * 60)
        return {
            f"conversations that `max_usd` of {given.max_usd} pays for": (
                int(given.max_usd / self.model_usd(1)),
                "raise `max_usd`; the rest waits for the next run",
            ),
            "conversations in an hour at the quota": (int(self.per_minute * 60), "ask AWS for more quota"),
            "conversations in a day at the quota": (day, "as above; what comes in a day must be less"),
            f"conversations in one run of {MAX_SEGMENTS:,} segments of three hours": (
                MAX_SEGMENTS * self.most_in_segment,
                "cut history with `created_from` and `created_before`",
            ),
            "conversations in a full export of one Athena statement": (in_statement, "raise `BytesScannedLimit`"),
            "calls a minute that 4 × 64 in flight make": (
                int(calls),
                f"{calls / self.per_minute:.0f} times the quota: no limit",
            ),
            "calls a minute on one vCPU": (
                int(60 / given.cpu_s_per_call),
                f"{60 / given.cpu_s_per_call / self.per_minute:.0f} times the quota: no limit",
            ),
        }


def _usd(amount: Decimal) -> str:
    return f"{amount:,.2f}" if amount >= Decimal("0.005") else "< 0.01"


def _in_usd(costs: dict[str, Callable[[int], Decimal]]) -> dict[str, Cell]:
    def cell(cost: Callable[[int], Decimal]) -> Cell:
        return lambda items: _usd(cost(items))

    def all_of_it(items: int) -> str:
        return f"**{_usd(sum((cost(items) for cost in costs.values()), Decimal(0)))}**"

    return {f"{name}, USD": cell(cost) for name, cost in costs.items()} | {"**all, USD**": all_of_it}


def table(title: str, rows: dict[str, Cell], sizes: tuple[int, ...]) -> str:
    """Return *rows* as a Markdown table with a column for each of *sizes*."""
    head = [f"| {title} | {' | '.join(f'{size:,}' for size in sizes)} |", f"|---|{'---:|' * len(sizes)}"]
    return "\n".join([*head, *(f"| {name} | {' | '.join(map(cell, sizes))} |" for name, cell in rows.items())])


def tables(given: Assumptions) -> list[str]:
    """Return the three tables of docs/scale.md."""
    sizing = Sizing(given)
    limits = [f"| {name} | {at:,} | {remedy} |" for name, (at, remedy) in sizing.limits().items()]
    return [
        table("First run, conversations", sizing.first_run(), given.conversations),
        table("Each night, of a table of", sizing.each_night(), given.conversations),
        "\n".join(["| Limit | At | What then |", "|---|---:|---|", *limits]),
    ]


def assumptions() -> Assumptions:
    """Return the numbers of bench/sizing.yaml."""
    return read_yaml(REPOSITORY / "bench/sizing.yaml", Assumptions)


if __name__ == "__main__":
    print("\n\n".join(tables(assumptions())))  # noqa: T201 - what it is for
