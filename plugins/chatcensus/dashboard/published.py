"""The report that readers see: `report.json` of the edition that `current.json` names, passed on byte for byte."""

import gzip
import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from chatcensus.aws.editions import CURRENT, EDITION_KEY
from chatcensus.dashboard.sources import client, variable
from chatcensus.errors import SnapshotIncomplete

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MAX_BYTES = 16_000_000  # eight times what a report may have: more is no report of ours
_EDITION = re.compile(r"[0-9A-Za-z-]{1,200}")


@dataclass(frozen=True)
class _Object:
    s3_etag: str
    body: bytes


@dataclass(frozen=True)
class Report:
    """The published report as it is sent; *etag* changes with its bytes."""

    body: bytes
    compressed: bytes
    etag: str


class PublishedReport:
    """What is published, as this process knows it: one edition, and S3 sends it again only when it has changed."""

    def __init__(self) -> None:
        self._current: _Object | None = None
        self._object: _Object | None = None
        self._report: Report | None = None

    def read(self) -> Report | None:
        """
        Return the report that readers see now; None before the first edition. One thread at a time.

        Errors: SetupError, SnapshotIncomplete, or of botocore.
        """
        s3, bucket = client("s3"), variable("chatcensus_result_bucket")
        self._current = _load(s3, bucket, CURRENT, self._current)
        if self._current is None:
            return None
        edition = str(json.loads(self._current.body).get(EDITION_KEY))
        if not _EDITION.fullmatch(edition):
            raise SnapshotIncomplete(f"{CURRENT} names no edition of ours: clear publish, which writes it again")
        found = _load(s3, bucket, f"reports/edition={edition}/report.json", self._object)
        if found is None:
            raise SnapshotIncomplete(f"edition {edition!r} has no report.json: run the pipeline again")
        if found is not self._object:
            self._object, self._report = found, _report(found.body)
        return self._report


def _report(body: bytes) -> Report:
    etag = hashlib.sha256(body).hexdigest()[:32]
    # Compressed once here: Airflow would do it for each reader, and on the event loop.
    return Report(body, gzip.compress(body, compresslevel=6, mtime=0), f'W/"{etag}"')


def _load(s3: "S3Client", bucket: str, key: str, kept: _Object | None) -> _Object | None:
    """
    Return the object at *key*, which is *kept* when S3 says that these are its bytes; None when there is none.

    Where *kept* is from does not matter: the same ETag is the same content, in whatever edition.
    """
    condition = {"IfNoneMatch": kept.s3_etag} if kept else {}
    try:
        answer = s3.get_object(Bucket=bucket, Key=key, **condition)  # type: ignore[arg-type]
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in ("304", "NotModified"):
            return kept
        if code == "NoSuchKey":
            return None
        raise
    if answer["ContentLength"] > MAX_BYTES:
        raise SnapshotIncomplete(f"{key!r} has {answer['ContentLength']} bytes, the limit is {MAX_BYTES}")
    return _Object(answer["ETag"], answer["Body"].read())
