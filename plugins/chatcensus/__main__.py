"""The command `python -m chatcensus`: one line a command."""

import sys

import typer
from botocore.exceptions import BotoCoreError, ClientError

from chatcensus.commands.reevaluate import reevaluate
from chatcensus.commands.table import app as table
from chatcensus.errors import ChatCensusError

app = typer.Typer(help="Chat Census.", no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)
app.add_typer(table, name="table")
app.command()(reevaluate)


def main() -> None:
    """Run the command that the arguments name; an error of ours or of AWS is one line and exit code 1."""
    try:
        app(prog_name="chatcensus")
    except ChatCensusError as error:
        sys.exit(str(error))
    except ClientError as error:  # its message may quote the request
        code = error.response["Error"]["Code"]
        sys.exit(f"{error.operation_name} answered {code}: check the names of table, model and bucket, and the access")
    except BotoCoreError as error:
        what = type(error).__name__
        sys.exit(f"AWS cannot be asked ({what}): check Region, credentials, names and, if it is set, AWS_ENDPOINT_URL")
    except ValueError as error:
        if not str(error).startswith("Invalid endpoint"):  # botocore has no class for it
            raise
        sys.exit(f"{error}: correct AWS_ENDPOINT_URL, or the Region")


if __name__ == "__main__":
    main()
