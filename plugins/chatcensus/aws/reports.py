"""The files of the published edition in the result bucket, as `publish` has put them there."""

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from chatcensus.aws.editions import CURRENT, EDITION_KEY
from chatcensus.aws.objects import found
from chatcensus.errors import SnapshotIncomplete

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_EDITION = re.compile(r"[0-9A-Za-z-]{1,200}")


def current_edition(s3: "S3Client", bucket: str) -> Mapping[str, Any] | None:
    """
    Return what `current.json` says of the edition that readers see; None before the first.

    Errors: SnapshotIncomplete when the object is none of ours.
    """
    body = found(s3, bucket, CURRENT)
    if body is None:
        return None
    try:
        current = json.loads(body)
        is_ours = _EDITION.fullmatch(current[EDITION_KEY]) is not None
    except (ValueError, KeyError, TypeError):
        is_ours = False
    if not is_ours:
        raise SnapshotIncomplete(f"{CURRENT} names no edition of ours: clear publish, which writes it again")
    return dict(current)


def edition_file(s3: "S3Client", bucket: str, edition: str, name: str) -> bytes:
    """Return the file *name* of the report of *edition*. Errors: SnapshotIncomplete when there is none."""
    body = found(s3, bucket, f"reports/edition={edition}/{name}")
    if body is None:
        raise SnapshotIncomplete(
            f"edition {edition!r} has no {name}; the next run that finds something new makes another"
        )
    return body
