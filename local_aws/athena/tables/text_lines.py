"""Files of lines, as Trino's TextLineReader cuts them."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from local_aws.athena.failures import StatementError, Unsupported
from local_aws.athena.tables.serdes import opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local_aws.athena.tables.serdes import Serde


def read_lines(body: bytes, key: str, serde: Serde) -> Iterator[str]:
    """
    Yield a file's lines without their ends (LF, CR or both) and without the header.

    Raises: StatementError HIVE_CURSOR_ERROR for a gzip file that is not whole; Unsupported for bytes that are no UTF-8.
    """
    try:
        for number, line in enumerate(io.TextIOWrapper(opened(body, key), encoding="utf-8", newline=None)):
            if number == 0 and line.startswith("\ufeff"):
                raise Unsupported(f"{key}: a byte order mark")
            if number >= serde.header_lines:
                yield line.removesuffix("\n")
    except UnicodeDecodeError as problem:
        raise Unsupported(f"{key}: bytes that are no UTF-8") from problem
    except (OSError, EOFError) as problem:
        raise StatementError("HIVE_CURSOR_ERROR", f"{key} is no whole gzip file") from problem
