"""The command `python -m chatcensus`: one line a command."""

import sys

import typer

from chatcensus.commands.reevaluate import reevaluate
from chatcensus.commands.table import app as table
from chatcensus.errors import ChatCensusError

app = typer.Typer(help="Chat Census.", no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)
app.add_typer(table, name="table")
app.command()(reevaluate)


def main() -> None:
    """Run the command that the arguments name; an error of ours is one line and exit code 1."""
    try:
        app(prog_name="chatcensus")
    except ChatCensusError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
