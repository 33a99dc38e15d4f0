"""`reevaluate`: show what judging again would cost and change, before anybody starts it."""

import json
import math
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chatcensus.commands import options
from chatcensus.commands.terminal import progress, say, say_json
from chatcensus.errors import SetupError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from chatcensus.job import Job
    from chatcensus.preview import Preview, Sample

IN_FLIGHT = 4
WHERE = "category=coding,writing; created_from=2026-10-01"  # EXAMPLE of reevaluation.py, which is slow to import
EXAMPLES = """
[bold]Examples[/bold]

  chatcensus reevaluate --where "category=coding" --sample 0

  chatcensus reevaluate --where "reason=refused" --sample 20 --max-usd 0.5
"""


def reevaluate(
    table: options.Table,
    where: Annotated[str, typer.Option(help=f"What to judge again, such as '{WHERE}'.")],
    model: options.Model,
    sample: Annotated[int, typer.Option(min=0, max=1000, help="So many are judged now, to be compared: paid.")] = 20,
    max_usd: Annotated[float, typer.Option(min=0, help="The sample may cost so much.")] = 0.5,
    include: options.Include = options.INCLUDE,
    as_json: options.AsJson = False,
) -> None:
    """Count what a re-evaluation would judge, forecast its cost, and judge a sample; nothing is written."""
    if not math.isfinite(max_usd):
        raise SetupError(f"--max-usd is {max_usd}: write the USD that the sample may cost, such as 0.5")
    job = options.preview_job(include, model, where or ";", IN_FLIGHT)
    preview = _preview(job, table, sample)
    if not as_json:
        say(preview.lines())
    judged, paid = _judged(job, preview, int(max_usd * 1_000_000), include)
    if as_json:
        say_json({"table": table, "model": model, **_figures(preview, judged, paid, where)})
        return
    if judged:
        say([*judged.lines(), f"The sample cost {paid / 1e6:.4f} USD; nothing was written."])
    if preview.due:
        say(["To judge them again, trigger the DAG chat_census with:", preview.conf(where)])


def _preview(job: "Job", table: str, size: int) -> "Preview":
    from datetime import UTC, datetime

    from chatcensus.aws.table_walk import TableWalk, describe
    from chatcensus.preview import Preview

    preview = Preview(size, job.instructions, job.model.price(datetime.now(UTC).date()))
    dynamodb, s3 = options.client("dynamodb"), options.client("s3") if job.mapping.body else None
    description = describe(dynamodb, table, job.mapping)
    with progress("items read", description["ItemCount"]) as tell:
        for found in TableWalk(dynamodb, description, job, s3, tell=tell).found():
            preview.add(found)
    return preview


def _judged(job: "Job", preview: "Preview", max_micro_usd: int, include: "Path") -> "tuple[Sample | None, int]":
    """Judge the sample; return what has become of it, and what it cost in micro-USD."""
    from chatcensus.aws.judges import judges
    from chatcensus.census import Census
    from chatcensus.preview import Sample

    if not preview.sample:
        return None, 0
    ways = judges(include / "prompts/models.yaml", job.model_id, job.taxonomy, job.quota, IN_FLIGHT)
    sample = Sample(preview.sample, max_micro_usd)
    return sample, Census(job, store=sample, judge=ways, ledger=sample, claim=sample).run().cost_micro_usd


def _figures(preview: "Preview", judged: "Sample | None", paid: int, where: str) -> "Mapping[str, Any]":
    return {
        "where": where,
        "matching": preview.matching.total(),
        "due": preview.due,
        "forecast_micro_usd": preview.forecast_micro_usd,
        "kinds": list(_counted(preview.matching, "kind", "prompt_version", "model")),
        "sample": {
            "judged": judged.kinds.total() if judged else 0,
            "cost_micro_usd": paid,
            "changes": list(_counted(judged.kinds, "before", "after")) if judged else [],
        },
        "conf": json.loads(preview.conf(where)) if preview.due else None,
    }


def _counted(counts: "Mapping[Any, int]", *names: str) -> "Iterator[dict[str, Any]]":
    """Yield *counts* as plain values, the largest first."""
    for key, count in sorted(counts.items(), key=lambda each: (-each[1], each[0])):
        yield {**dict(zip(names, key, strict=True)), "conversations": count}
