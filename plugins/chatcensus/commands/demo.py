"""`demo`: the whole census on this machine, as `make demo` runs it; it is part of a checkout, and of no package."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from chatcensus.errors import SetupError

CHECKOUT = Path(__file__).resolve().parents[3]
EXAMPLES = """
[bold]Examples[/bold]

  chatcensus demo --latency 0

  chatcensus demo --data my-conversations.jsonl --report /tmp/report.html
"""


def demo(
    data: Annotated[
        Path | None, typer.Option(help="Conversations of your own, a JSONL file: docs/conversations-file.md.")
    ] = None,
    latency: Annotated[float, typer.Option(min=0, help="Median seconds that the stand-in takes for a call.")] = 0.3,
    report: Annotated[
        Path | None, typer.Option(help="Where the report is written; without it, report.html of the repository.")
    ] = None,
) -> None:
    """Run the census over sample conversations without an AWS account: a local AWS, a real Airflow, a report."""
    if not (CHECKOUT / "demo" / "__main__.py").is_file():
        raise SetupError("the demo is part of the repository: clone it, and run `make demo` or `chatcensus demo` there")
    given = {"--data": data and data.resolve(), "--latency": latency, "--report": report and report.resolve()}
    arguments = [part for name, value in given.items() if value is not None for part in (name, str(value))]
    environment = os.environ | {"PYTHONPATH": str(CHECKOUT / "plugins")}
    with subprocess.Popen(  # noqa: S603 - the demo of this checkout
        [sys.executable, "-m", "demo", *arguments], cwd=CHECKOUT, env=environment
    ) as process:
        code = _waited(process)
    raise typer.Exit(code)


def _waited(process: "subprocess.Popen[bytes]") -> int:
    """Wait for the demo, which gets the Ctrl-C of a terminal too and ends what it has started."""
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue
