"""Trials as `compare` of the DAG model_trial has published them: the list, and the report of one, as they are."""

import json
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from chatcensus.aws.trials import INDEX, report_key
from chatcensus.dashboard.sources import client, variable
from chatcensus.errors import SnapshotIncomplete

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MAX_BYTES = 2_000_000  # ten times what six contenders and all their pairs take


def read_trials(_: None = None) -> list[dict[str, Any]]:
    """Return the trials that there are, the newest first. Errors: SetupError, SnapshotIncomplete, or of botocore."""
    return _read(INDEX) or []


def read_trial(name: str) -> dict[str, Any] | None:
    """Return the report of the trial *name*; None when there is none. Errors: as `read_trials`."""
    found: dict[str, Any] | None = _read(report_key(name))
    return found


def _read(key: str) -> Any:
    s3: S3Client = client("s3")
    try:
        answer = s3.get_object(Bucket=variable("chatcensus_result_bucket"), Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchKey":
            return None
        raise
    if answer["ContentLength"] > MAX_BYTES:
        raise SnapshotIncomplete(f"{key!r} has {answer['ContentLength']} bytes, the limit is {MAX_BYTES}")
    return json.loads(answer["Body"].read())
