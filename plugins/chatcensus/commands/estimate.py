"""`estimate`: what a run would judge, cost and take, from the table itself, before anything is paid."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from chatcensus.commands import options
from chatcensus.commands.terminal import progress, say, say_json
from chatcensus.pacing import REQUESTS_PER_MINUTE, TOKENS_PER_MINUTE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from chatcensus.job import Job

EXAMPLES = """
[bold]Examples[/bold]

  chatcensus estimate --table chat-conversations --model stand-in

  chatcensus estimate --items 0 --json
"""


def estimate(
    table: options.Table,
    model: options.Model,
    items: Annotated[int, typer.Option(min=0, help="Read about so many items, drawn at random; 0 reads all.")] = 10_000,
    requests_per_minute: Annotated[
        float, typer.Option(min=0.001, help="The quota of requests, as the DAG's Param of this name.")
    ] = REQUESTS_PER_MINUTE,
    tokens_per_minute: Annotated[
        float, typer.Option(min=0.001, help="The quota of tokens, as the DAG's Param of this name.")
    ] = TOKENS_PER_MINUTE,
    control_table: options.ControlTable = "",
    include: options.Include = options.INCLUDE,
    as_json: options.AsJson = False,
) -> None:
    """
    Count what is due and forecast tokens, USD and minutes; nothing is paid but the reading, and nothing is written.

    A table with more than --items is sampled: parts of it, drawn at random, are read, and the rest is taken to be like
    them. The range of the due and of the cost is told. Every model that can be called stands beside the chosen one.
    What its calls have really taken is read from the evaluations, and from the ledger where --control-table is given.
    """
    from chatcensus.estimate import estimate_lines
    from chatcensus.routes import read_routes

    of_params = {"requests_per_minute": requests_per_minute, "tokens_per_minute": tokens_per_minute}
    quota = read_routes(include / "prompts/models.yaml").quota(of_params)
    job = options.preview_job(include, model)
    figures = {"table": table, "model": model} | _figures(job, table, control_table, items, quota, include)
    if as_json:
        say_json(figures)
    else:
        say([f"Table {table} by model {model}, {figures['strategy']}", *estimate_lines(figures, quota)])


def _figures(
    job: "Job", table: str, control_table: str, at_least: int, quota: "Mapping[str, float]", include: "Path"
) -> dict[str, Any]:
    from datetime import UTC, datetime

    from chatcensus.aws.ledger import Ledger
    from chatcensus.aws.table_walk import TableWalk, describe
    from chatcensus.estimate import Estimate
    from chatcensus.forecast import read_units
    from chatcensus.include import read_yaml
    from chatcensus.model_catalog import ModelCatalog
    from chatcensus.pricing import TablePrices

    today = datetime.now(UTC).date()
    prices, price = read_yaml(include / "prices.yaml", TablePrices), job.model.price(today)
    catalog = read_yaml(include / "prompts/models.yaml", ModelCatalog)
    dynamodb, s3 = options.client("dynamodb"), options.client("s3") if job.mapping.body else None
    description = describe(dynamodb, table, job.mapping)
    runs = list(Ledger(dynamodb, control_table, job.run_id).usages()) if control_table else []
    found = Estimate(job, price)
    total = min(at_least, description["ItemCount"]) or description["ItemCount"]
    with progress("items read", total) as tell:
        walk = TableWalk(dynamodb, description, job, s3, at_least, tell=tell)
        for each in walk.found():
            found.add(each)
    units = read_units(walk.strategy, walk.whole, description["ItemCount"], description["TableSizeBytes"])
    return {
        "strategy": job.mapping.partition.strategy,
        "items": walk.whole,
        "items_read": walk.items_read,
        "is_sample": not walk.is_whole,
        **found.of_table(walk.times, catalog, runs, quota, today),
        "read_units": units,
        "read_micro_usd": prices.read_micro_usd(units, today),
        "skipped": {reason: count for reason, count in walk.skipped.items() if count},
    }
