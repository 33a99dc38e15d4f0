"""`review`: fetch the sheet of a review, and give it back filled in; for people without the AWS console."""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chatcensus.commands import options
from chatcensus.commands.terminal import say
from chatcensus.errors import SetupError

if TYPE_CHECKING:
    from chatcensus.aws.reviews import Reviews

FETCH_EXAMPLES = """
[bold]Example[/bold]

  chatcensus review fetch 3fa9c1d27b04 --to sheet.csv
"""
RETURN_EXAMPLES = """
[bold]Example[/bold]

  chatcensus review return 3fa9c1d27b04 sheet.csv
"""

app = typer.Typer(help="Conversations that a person is asked about: fetch the sheet, return it.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="The name of the review, which its task `answered` shows.")]
Bucket = Annotated[
    str,
    typer.Option(
        "--snapshot-bucket", envvar="AIRFLOW_VAR_CHATCENSUS_SNAPSHOT_BUCKET", help="The bucket for exports and reviews."
    ),
]


@app.command(epilog=FETCH_EXAMPLES)
def fetch(
    review: Name,
    snapshot_bucket: Bucket,
    to: Annotated[Path, typer.Option(help="The file to write; there must be none of that name yet.")] = Path(
        "sheet.csv"
    ),
) -> None:
    """Write the sheet to a file that only you can read, and the categories beside it. It holds conversations."""
    from chatcensus.aws.reviews import CATEGORIES, SHEET
    from chatcensus.review_sheet import read_column

    reviews = _reviews(review, snapshot_bucket)
    sheet, categories = reviews.read(SHEET), reviews.read(CATEGORIES)
    beside = to.with_name(f"{to.stem}-categories.csv")
    for path, content in ((to, sheet), (beside, categories)):
        _write_private(path, content)
    say(
        [
            f"{len(read_column(sheet, 'row')):,} rows are in {to}, the categories in {beside}",
            "Fill in category, inquiry_score and reviewed_by, save as CSV UTF-8, and give it back with:",
            f"chatcensus review return {review} {to}",
        ]
    )


@app.command(name="return", epilog=RETURN_EXAMPLES)
def return_(
    review: Name,
    sheet: Annotated[Path, typer.Argument(help="The sheet, filled in.")],
    snapshot_bucket: Bucket,
) -> None:
    """Check what is filled in, and put it where `collect` looks; without the conversations."""
    from chatcensus.aws.reviews import ANSWERS, CATEGORIES, SHEET
    from chatcensus.review_sheet import read_column, read_reviewed, returned_bytes

    try:
        filled_in = sheet.read_bytes()
    except OSError as error:
        raise SetupError(f"{str(sheet)!r} cannot be read: {error.strerror}") from None
    reviews = _reviews(review, snapshot_bucket)
    rows = read_column(reviews.read(SHEET), "row")
    answered = len(read_reviewed(filled_in, rows, read_column(reviews.read(CATEGORIES), "category")))
    reviews.write(ANSWERS, returned_bytes(filled_in))
    say(
        [
            f"{answered:,} of {len(rows):,} rows are answered, in {reviews.place}{ANSWERS}",
            "Say collect at the task answered of the DAG review, and delete your copy of the sheet",
        ]
    )


def _reviews(name: str, bucket: str) -> "Reviews":
    from chatcensus.aws.reviews import Reviews

    if not re.fullmatch(r"[0-9a-f]{12}", name):
        raise SetupError("the name of a review is 12 hex digits: the task answered of its run shows it")
    return Reviews(options.client("s3"), bucket, name)


def _write_private(path: Path, content: bytes) -> None:
    """Write a new file for its owner alone; a sheet that is there may be half filled in."""
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
    except FileExistsError:
        raise SetupError(f"{str(path)!r} is there already: name another file with --to, or move it away") from None
    except OSError as error:
        raise SetupError(f"{str(path)!r} cannot be written: {error.strerror}") from None
