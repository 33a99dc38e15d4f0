"""`doctor`: look at everything that a run needs, and say what is wrong and how to put it right."""

import os
import time
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from chatcensus.commands import options
from chatcensus.commands.terminal import say, say_json

EXAMPLES = """
[bold]Examples[/bold]

  chatcensus doctor

  chatcensus doctor --json
"""


def doctor(
    table: options.Table = "",
    control_table: options.ControlTable = "",
    snapshot_bucket: Annotated[
        str, typer.Option(envvar="AIRFLOW_VAR_CHATCENSUS_SNAPSHOT_BUCKET", help="The bucket for exports.")
    ] = "",
    result_bucket: Annotated[
        str, typer.Option(envvar="AIRFLOW_VAR_CHATCENSUS_RESULT_BUCKET", help="The bucket of summaries and reports.")
    ] = "",
    database: Annotated[str, typer.Option(envvar="AIRFLOW_VAR_CHATCENSUS_DATABASE", help="The Glue database.")] = "",
    workgroup: Annotated[
        str, typer.Option(envvar="AIRFLOW_VAR_CHATCENSUS_WORKGROUP", help="The Athena workgroup.")
    ] = "",
    model: options.Model = "",
    include: Annotated[
        Path, typer.Option(help="The folder with prompt, taxonomy, models, prices and mapping.")
    ] = options.INCLUDE,  # which may be missing: that is a finding
    as_json: options.AsJson = False,
) -> None:
    """Look at everything a run needs: read only, unpaid, ten seconds at most; exit code 1 if something is wrong."""
    from chatcensus.aws.doctor import CLIENT_CONFIG, examine
    from chatcensus.doctor import Names, as_dicts, is_ill, lines

    names = Names(table, control_table, snapshot_bucket, result_bucket, database, workgroup, model)
    client = partial(options.client, config=CLIENT_CONFIG)
    findings = examine(names, include, client, deadline_s=deadline_s(process_age_s()))
    if as_json:
        say_json(as_dicts(findings))
    else:
        say(lines(findings))
    raise typer.Exit(1 if is_ill(findings) else 0)


def process_age_s() -> float:
    """Return how long this process lives; 0 where the system does not say: only Linux has such a file."""
    try:
        ticks = int(Path("/proc/self/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19])
    except OSError:
        return 0.0
    return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK"))


def deadline_s(age_s: float) -> float:
    """Return how long AWS may take when the start of Python took *age_s*: ten seconds are meant for all of it."""
    from chatcensus.aws.doctor import DEADLINE_S

    return min(DEADLINE_S, max(_LEAST_S, _ALL_S - age_s))


_ALL_S, _LEAST_S = 8.0, 2.0  # with two seconds to print and to end
