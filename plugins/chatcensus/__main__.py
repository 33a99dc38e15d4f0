"""The command `chatcensus`: one line a command. Exit codes: 0 good, 1 something is wrong, 2 wrong usage, 130 Ctrl-C."""

import logging
import sys
from typing import Annotated

import typer

from chatcensus.commands import (
    demo,
    doctor,
    estimate,
    gold,
    models,
    quarantine,
    reevaluate,
    report,
    review,
    table,
    taxonomy,
)
from chatcensus.commands.terminal import OneLine
from chatcensus.errors import ChatCensusError
from chatcensus.terminal_text import printable

EPILOG = """
[bold]Exit codes[/bold]: 0 good, 1 something is wrong, 2 wrong usage, 130 ended by Ctrl-C.

[bold]Manual[/bold]: docs/commands.md
"""

app = typer.Typer(
    help="Chat Census: what people use generative AI for, from a table of conversations.",
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.command(epilog=doctor.EXAMPLES)(doctor.doctor)
app.command(epilog=estimate.EXAMPLES)(estimate.estimate)
app.add_typer(table.app, name="table")
app.add_typer(models.app, name="models")
app.command(epilog=reevaluate.EXAMPLES)(reevaluate.reevaluate)
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(review.app, name="review")
app.add_typer(gold.app, name="gold")
app.add_typer(taxonomy.app, name="taxonomy")
app.command(epilog=report.EXAMPLES)(report.report)
app.command(epilog=demo.EXAMPLES)(demo.demo)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version

        try:
            typer.echo(f"chatcensus {version('chat-census')}")
        except PackageNotFoundError:
            typer.echo("chatcensus, from a folder that is not installed")
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and end.")
    ] = False,
) -> None:
    """Chat Census: what people use generative AI for, from a table of conversations."""


def main() -> None:
    """Run the command that the arguments name; whatever goes wrong is one line and exit code 1."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a terminal without a letter gets its escape, not an end
    warnings = logging.StreamHandler()
    warnings.setFormatter(OneLine())
    logging.basicConfig(handlers=[warnings], level=logging.WARNING)
    try:
        app(prog_name="chatcensus")
    except ChatCensusError as error:
        sys.exit(printable(str(error)))
    except Exception as error:  # noqa: BLE001 - the last place: a traceback may show what must not be shown
        from chatcensus.commands.aws_errors import line_of

        sys.exit(printable(line_of(error) or _line_of_unknown(error)))


def _line_of_unknown(error: Exception) -> str:
    """Return what kind of error it is and where, and not its message: that may quote a conversation."""
    place = error.__traceback__
    while place and place.tb_next:
        place = place.tb_next
    where = f"{place.tb_frame.f_code.co_filename}, line {place.tb_lineno}" if place else "an unknown place"
    return f"a fault of chatcensus itself: {type(error).__name__} at {where}; please report this line"


if __name__ == "__main__":
    main()
