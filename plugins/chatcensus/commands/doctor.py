"""`doctor`: look at everything that a run needs, and say what is wrong and how to put it right."""

from functools import partial
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
    include: options.Include = options.INCLUDE,
    as_json: options.AsJson = False,
) -> None:
    """Look at everything a run needs: read only, unpaid, ten seconds at most; exit code 1 if something is wrong."""
    from chatcensus.aws.doctor import CLIENT_CONFIG, examine
    from chatcensus.doctor import Names, as_dicts, is_ill, lines

    names = Names(table, control_table, snapshot_bucket, result_bucket, database, workgroup, model)
    findings = examine(names, include, options.rendered_instructions, partial(options.client, config=CLIENT_CONFIG))
    if as_json:
        say_json(as_dicts(findings))
    else:
        say(lines(findings))
    raise typer.Exit(1 if is_ill(findings) else 0)
