"""
Results in S3, the only place that keeps them: written when a statement ends, read back in pages.

SELECT leaves a CSV with a header; SHOW and DESCRIBE leave lines of text, the last of them without an end, and DDL an
empty object; what wrote to a table of Hive leaves the manifest of its objects; what Hive failed leaves Hive's words.
The `.metadata` beside them, which only Athena reads, and which has no documented form, is not written.
Source: Athena user guide, "Working with query results"; observed on the live service in September 2026:
github.com/aoyagikouhei/athena-local, docs/dev/measurements/result-files.md and query-results.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from local_aws.athena.api.validation import invalid
from local_aws.athena.language.trino_types import Type
from local_aws.athena.results import ResultColumn, column_info, to_csv

if TYPE_CHECKING:
    from local_aws.athena.outcome import Outcome
    from local_aws.athena.tables.store import Store
    from local_aws.aws_error import AwsError

Row = list[str | None]

# One cell of the CSV and what ends it: a quoted text, or nothing for NULL.
_CELL = re.compile(rb'(?:"((?:[^"]|"")*+)"|)[,\n]')
_WINDOW_BYTES = 1024 * 1024


@dataclass(frozen=True)
class StoredResult:
    """
    What GetQueryResults needs of a result; *rows* counts them without the header row.

    Units: *size* in bytes, 0 where there is nothing to page through.
    """

    uri: str
    columns: tuple[dict[str, Any], ...] = ()
    rows: int = 0
    size: int = 0
    etag: str = ""
    update_count: int | None = None
    manifest: str | None = None


def store_result(store: Store, uri: str, outcome: Outcome) -> StoredResult:
    """
    Write the result of a statement at its place: CSV with a header, lines of text, or the manifest of what it wrote.

    Raises: StatementError when S3 refuses.
    """
    if outcome.written_rows is not None:
        manifest = None
        if outcome.written_objects or outcome.substatement == "UNLOAD":
            manifest = f"{uri}-manifest.csv"
            store.write(manifest, "".join(f"{written}\n" for written in outcome.written_objects).encode())
        counted = (column_info(ResultColumn("rows", Type("bigint"))),) if outcome.substatement != "UNLOAD" else ()
        rows = outcome.written_rows
        return StoredResult(uri, counted, rows, update_count=rows, manifest=manifest)
    if outcome.substatement == "SELECT":
        body = to_csv(outcome.result)
        etag = store.write(uri, body)
        columns = tuple(column_info(column) for column in outcome.result.columns)
        return StoredResult(uri, columns, len(outcome.result.rows), len(body), etag, update_count=0)
    listing = outcome.listing
    body = "\n".join(listing.lines).encode() if listing else b""
    etag = store.write(uri, body)
    if listing is None:
        return StoredResult(uri)
    columns = tuple(_column_of_texts(name, listing.type) for name in listing.columns)
    return StoredResult(uri, columns, len(listing.lines), len(body), etag, listing.update_count)


def _column_of_texts(name: str, kind: str) -> dict[str, Any]:
    column = column_info(ResultColumn(name, Type("boolean")))  # like a text of Hive: no precision, no case
    return {**column, "Type": kind}


def read_page(s3: Any, result: StoredResult, start: int, most: int) -> tuple[list[Row], int | None]:
    """
    Return up to *most* rows from place *start* on, header row included, and the place of the next one.

    A page that is full always has a next one, which may be empty. A place is a byte of a CSV or the number of a line.
    Raises: AwsError InvalidRequestException when the object is gone or was replaced.
    """
    if not result.uri.endswith(".csv"):
        lines = _read(s3, result, 0, result.size).decode().split("\n")[start : start + most] if result.size else []
        return [[line] for line in lines], start + most if len(lines) == most else None
    window = _WINDOW_BYTES
    rows: list[Row] = []
    while start < result.size:
        body = _read(s3, result, start, min(window, result.size - start))
        rows, used = _rows(body, most)
        if len(rows) == most:
            return rows, start + used
        if start + len(body) == result.size:
            break
        window *= 4
    return rows, None


def _read(s3: Any, result: StoredResult, start: int, count: int) -> bytes:
    bucket, _, key = result.uri.partition("://")[2].partition("/")
    part = f"bytes={start}-{start + count - 1}"
    try:
        return s3.get_object(Bucket=bucket, Key=key, Range=part, IfMatch=result.etag)["Body"].read()
    except ClientError as problem:
        raise not_found(f": {result.uri}: {problem.response['Error']['Code']}") from problem


def not_found(why: str = "") -> AwsError:
    """Return Athena's answer where a statement left no results."""
    return invalid(f"Could not find results{why}", "RESULT_NOT_FOUND")


def _rows(body: bytes, most: int) -> tuple[list[Row], int]:
    """Return the whole rows at the beginning of *body*, up to *most*, and how many bytes they take."""
    rows: list[Row] = []
    row: Row = []
    used = place = 0
    while len(rows) < most:
        cell = _CELL.match(body, place)
        if cell is None:
            break
        place = cell.end()
        text = cell[1]
        row.append(None if text is None else text.replace(b'""', b'"').decode())
        if body[place - 1 : place] == b"\n":
            rows.append(row)
            row, used = [], place
    return rows, used
