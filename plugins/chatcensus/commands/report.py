"""`report`: the published report as a local file, and its summary on the terminal."""

import os
import tempfile
from pathlib import Path
from typing import Annotated, Literal

import typer

from chatcensus.commands import options
from chatcensus.commands.terminal import say, say_json
from chatcensus.errors import SetupError
from chatcensus.terminal_text import printable

FILES = {".html": "report.html", ".json": "report.json", ".md": "summary.md"}
EXAMPLES = """
[bold]Examples[/bold]

  chatcensus report --lang ja

  chatcensus report --output report.json --json
"""


def report(
    bucket: Annotated[
        str, typer.Option(envvar="AIRFLOW_VAR_CHATCENSUS_RESULT_BUCKET", help="The bucket of summaries and reports.")
    ],
    output: Annotated[
        Path, typer.Option(help="The file to write: .html is the page, .json its figures, .md the summary.")
    ] = Path("report.html"),
    lang: Annotated[Literal["en", "ja"], typer.Option(help="The language of the summary; the page has both.")] = "en",
    as_json: options.AsJson = False,
) -> None:
    """Fetch the report of the published edition into a file, and print its summary."""
    from chatcensus.aws.reports import current_edition, edition_file

    name = FILES.get(output.suffix)
    if name is None:
        raise SetupError(f"--output is {str(output)!r}: its name must end in {', '.join(FILES)}")
    summary = "summary.md" if lang == "en" else f"summary.{lang}.md"
    s3 = options.client("s3")
    current = current_edition(s3, bucket)
    if current is None:
        raise SetupError(
            f"no edition is published in {bucket!r}: run the DAG chat_census until its task publish has ended well"
        )
    told = edition_file(s3, bucket, current["edition"], summary)
    body = told if name == "summary.md" else edition_file(s3, bucket, current["edition"], name)
    _write(output, body)
    # Names of departments and groups come from the table.
    text = printable(told.decode(errors="replace"), keep="\n")
    if as_json:
        kept = ("edition", "run_id", "export_id", "export_time", "totals", "cost_micro_usd")
        say_json({name: current.get(name) for name in kept} | {"file": str(output), "summary": text})
    else:
        say([text.rstrip(), ""])
        typer.echo(f"Edition {current['edition']}: {len(body):,} bytes in {output}", err=True)


def _write(path: Path, body: bytes) -> None:
    """Write all of the file or nothing of it; what was there before is replaced."""
    try:
        handle, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(body)
            Path(part).chmod(0o644)
            Path(part).replace(path)
        except BaseException:
            Path(part).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise SetupError(f"--output is {str(path)!r}, which cannot be written: {error.strerror}") from None
