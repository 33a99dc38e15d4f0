"""What a command says: data to stdout, as words or as one JSON document; progress and errors to stderr."""

import json
import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import typer

from chatcensus.terminal_text import printable

TELL_EVERY_S = 10.0


def say(lines: Iterable[str]) -> None:
    """Print *lines*."""
    typer.echo("\n".join(lines))


def say_json(document: object) -> None:
    """Print *document* as one JSON document, in ASCII: no terminal takes anything in it for a command."""
    typer.echo(json.dumps(document, indent=2))


class OneLine(logging.Formatter):
    """A warning of the library as one line: an id in it may hold anything, and a traceback quotes."""

    def format(self, record: logging.LogRecord) -> str:
        """Return its message alone, escaped."""
        return printable(record.getMessage())


@contextmanager
def progress(what: str, total: int, clock: Callable[[], float] = time.monotonic) -> Iterator[Callable[[int], None]]:
    """
    Give the block a function that is told how much is done: a bar on a terminal, elsewhere a line in ten seconds.

    Shape: *total* is about how much there is; 0 where nobody knows.
    """
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import Progress

        with Progress(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(what, total=total or None)
            yield lambda done: bar.update(task, completed=done)
        return
    told_at = clock()

    def tell(done: int) -> None:
        nonlocal told_at
        if clock() - told_at >= TELL_EVERY_S:
            told_at = clock()
            typer.echo(f"{what}: {done:,} of about {total:,}" if total else f"{what}: {done:,}", err=True)

    yield tell
