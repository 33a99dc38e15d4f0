"""
What a statement gave: an answer, a listing, or rows written to S3.

Source of the listings' form: observed on the live service in September 2026: github.com/aoyagikouhei/athena-local,
docs/dev/measurements/query-results.md and result-files.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from local_aws.athena.results import ResultSet


@dataclass(frozen=True)
class Listing:
    """
    The answer of SHOW and DESCRIBE: names of columns of one type, but one text a line, which holds all its columns.

    *update_count* is None where the API leaves it out.
    """

    columns: tuple[str, ...]
    lines: tuple[str, ...]
    type: str = "string"
    update_count: int | None = 0


@dataclass(frozen=True)
class Outcome:
    """
    What a statement gave: an answer, or how many rows it wrote and, outside of Iceberg, the objects that hold them.

    *substatement* is given where the text alone does not tell it, and for SELECT and UNLOAD.
    """

    substatement: str = ""
    result: ResultSet = field(default_factory=ResultSet)
    written_rows: int | None = None
    written_objects: tuple[str, ...] = ()
    scanned_bytes: int = 0
    listing: Listing | None = None
