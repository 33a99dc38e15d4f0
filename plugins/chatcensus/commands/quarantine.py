"""`quarantine`: which conversations could not be judged and why, and how they are judged again."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chatcensus.answer import Reason
from chatcensus.commands import options
from chatcensus.commands.terminal import progress, say, say_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from chatcensus.job import Job

LIST_EXAMPLES = """
[bold]Examples[/bold]

  chatcensus quarantine list --limit 5

  chatcensus quarantine list --reason refused --reason truncated --json
"""
RETRY_EXAMPLES = """
[bold]Examples[/bold]

  chatcensus quarantine retry --reason not_json

  chatcensus quarantine retry --reason too_large --yes
"""

app = typer.Typer(help="Conversations that could not be judged: list them, judge them again.", no_args_is_help=True)
Reasons = Annotated[
    list[Reason] | None, typer.Option("--reason", help="Only this reason; may be given several times. All without it.")
]


@app.command(name="list", epilog=LIST_EXAMPLES)
def list_(
    table: options.Table,
    control_table: options.ControlTable,
    reason: Reasons = None,
    limit: Annotated[int, typer.Option(min=0, max=10_000, help="Show so many ids; all are counted.")] = 20,
    include: options.Include = options.INCLUDE,
    as_json: options.AsJson = False,
) -> None:
    """
    Count the quarantined conversations by reason, day and run, and show their ids; never a text.

    It reads the whole table (DynamoDB sends only what is quarantined). A conversation that has gone on since is shown
    until the next run judges it.
    """
    from chatcensus.aws.ledger import Ledger
    from chatcensus.aws.quarantines import in_ledger, on_items
    from chatcensus.aws.table_walk import describe
    from chatcensus.include import read_yaml
    from chatcensus.mapping import TableMapping
    from chatcensus.quarantines import Quarantines

    mapping, dynamodb = read_yaml(include / "table.yaml", TableMapping), options.client("dynamodb")
    description = describe(dynamodb, table, mapping)
    quarantines = Quarantines(limit)
    for found in in_ledger(Ledger(dynamodb, control_table, ""), reason or ()):
        quarantines.add(found)
    with progress("items read", description["ItemCount"]) as tell:
        for found in on_items(dynamodb, table, mapping, reason or (), tell):
            quarantines.add(found)
    if as_json:
        say_json({"table": table, **quarantines.as_dict()})
    else:
        say([f"Table {table}", *quarantines.lines()])


@app.command(epilog=RETRY_EXAMPLES)
def retry(
    table: options.Table,
    control_table: options.ControlTable,
    model: options.Model,
    reason: Reasons = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Forget in the ledger the items that are gone, judged, or have room by now.")
    ] = False,
    include: options.Include = options.INCLUDE,
    as_json: options.AsJson = False,
) -> None:
    """
    Show what judging the quarantined again would cost, and the JSON with which the DAG does it.

    The command itself judges nothing and writes nothing to the conversation table: the run does, and replaces a
    quarantine only if it is still the one it has read. What the ledger remembers is of items that had no room for an
    evaluation; every run looks at them again by itself, and no row there decides what is paid.
    """
    from chatcensus.aws.table_walk import describe

    reasons = reason or list(Reason)
    job = options.preview_job(include, model, f"reason={','.join(reasons)}")
    dynamodb = options.client("dynamodb")
    description = describe(dynamodb, table, job.mapping)
    found = _items(job, dynamodb, description) | _ledger(job, dynamodb, description, control_table, reasons, yes=yes)
    if as_json:
        say_json({"table": table, "model": model, **found})
    else:
        say(_lines(found, yes=yes))


def _items(job: "Job", dynamodb: Any, description: "Mapping[str, Any]") -> dict[str, Any]:
    from datetime import UTC, datetime

    from chatcensus.aws.table_walk import TableWalk
    from chatcensus.preview import Preview

    s3 = options.client("s3") if job.mapping.body else None
    preview = Preview(0, job.instructions, job.model.price(datetime.now(UTC).date()))
    with progress("items read", description["ItemCount"]) as tell:
        for each in TableWalk(dynamodb, description, job, s3, tell=tell).found():
            preview.add(each)
    where = "reason=" + ",".join(job.where.values["reason"] if job.where else ())
    return {
        "matching": preview.matching.total(),
        "due": preview.due,
        "forecast_micro_usd": preview.forecast_micro_usd,
        "conf": json.loads(preview.conf(where)) if preview.due else None,
    }


def _ledger(
    job: "Job",
    dynamodb: Any,
    description: "Mapping[str, Any]",
    control_table: str,
    reasons: "list[Reason]",
    *,
    yes: bool,
) -> dict[str, Any]:
    from chatcensus.aws.ledger import Ledger
    from chatcensus.aws.quarantines import Room, in_ledger, room_of

    ledger, forgotten, counts = Ledger(dynamodb, control_table, ""), 0, dict.fromkeys(Room, 0)
    for row in in_ledger(ledger, reasons):
        room = room_of(dynamodb, description, job.mapping, row.id)
        counts[room] += 1
        if yes and room is not Room.STILL_NONE:
            forgotten += ledger.forget_quarantine(row.id, row.run_id)
    return {"ledger": {str(room): count for room, count in counts.items()}, "forgotten": forgotten}


def _lines(found: "Mapping[str, Any]", *, yes: bool) -> "Iterator[str]":
    ledger = found["ledger"]
    yield f"{found['matching']:,} of the table are quarantined for it, {found['due']:,} of them would be judged again"
    if found["matching"] > found["due"]:
        yield "The others cannot be read by the mapping: correct it by `chatcensus table check`, and they are pending"
    yield f"Estimated cost: {found['forecast_micro_usd'] / 1e6:.4f} USD (one call each)"
    if sum(ledger.values()):
        yield (
            f"In the ledger, without room for an evaluation: {ledger['still_no_room']:,} as before; "
            f"{ledger['has_room']:,} have room by now, and the next run judges them by itself; "
            f"{ledger['judged']:,} are judged; {ledger['gone']:,} are gone"
        )
        stale = sum(ledger.values()) - ledger["still_no_room"]
        if yes:
            yield f"{found['forgotten']:,} of them are forgotten"
        elif stale:
            yield f"--yes forgets the {stale:,} that are not as before"
    if found["conf"]:
        yield "To judge them again, trigger the DAG chat_census with:"
        yield json.dumps(found["conf"])
