"""
What a batch job is made of, and what of it AWS refuses.

Source: botocore's model of CreateModelInvocationJob; the user guide's page batch-inference-data.
"""

import json
import re
from typing import Any

from local_aws.aws_error import AwsError
from local_aws.bedrock.model_directory import ACCOUNT, ModelDirectory
from local_aws.ids import new_id
from local_aws.request_model import check_types

_PATTERNS = {
    # The same texts as botocore's pattern, which takes Python years to refuse some of them.
    "jobName": re.compile(r"[a-zA-Z0-9][a-zA-Z0-9+\-.]{0,62}"),
    "roleArn": re.compile(r"arn:aws(-[^:]+)?:iam::([0-9]{12})?:role/.+"),
    "clientRequestToken": re.compile(r"(?=.{1,256}\Z)[a-zA-Z0-9](-*[a-zA-Z0-9])*"),
}
_S3_URI = re.compile(
    r"s3://([a-z0-9][-.a-z0-9]{1,61}[a-z0-9])(?:/([-!_*'().a-z0-9A-Z]+(?:/[-!_*'().a-z0-9A-Z]+)*/?)?)?"
)
_LONGEST_URI = 1024
_HOURS = range(24, 169)
_KNOWN = {
    *_PATTERNS,
    "modelId",
    "inputDataConfig",
    "outputDataConfig",
    "timeoutDurationInHours",
    "tags",
    "modelInvocationType",
}


def check_job(models: ModelDirectory, body: dict[str, Any]) -> None:
    """Raise AwsError (ValidationException, AccessDeniedException, ResourceNotFoundException) where AWS makes no job."""
    check_types("bedrock", "CreateModelInvocationJob", body)
    for member in body.keys() - _KNOWN:
        raise AwsError("ValidationException", f"The local AWS does not make batch jobs with {member!r}")
    for member in ("jobName", "roleArn", "modelId", "inputDataConfig", "outputDataConfig"):
        if not body.get(member):
            raise _unsatisfied(member, "Member must not be null")
    for member, pattern in _PATTERNS.items():
        if body.get(member) is not None and not pattern.fullmatch(str(body[member])):
            raise _unsatisfied(member, f"Member must satisfy regular expression pattern: {pattern.pattern}")
    if body.get("timeoutDurationInHours", 24) not in _HOURS:
        raise _unsatisfied("timeoutDurationInHours", "Member must have value between 24 and 168")
    for config, member in (("inputDataConfig", "s3InputDataConfig"), ("outputDataConfig", "s3OutputDataConfig")):
        uri = str((body[config].get(member) or {}).get("s3Uri", ""))
        if len(uri) > _LONGEST_URI or not _S3_URI.fullmatch(uri):
            raise _unsatisfied(
                f"{config}.{member}.s3Uri", "Member must be the URI of a bucket, a folder or a file in S3"
            )
        for extra in body[config][member].keys() - {"s3Uri", "s3InputFormat", "s3BucketOwner"}:
            raise AwsError("ValidationException", f"The local AWS does not make batch jobs with {extra!r}")
    if body.get("modelInvocationType", "InvokeModel") != "Converse":
        raise AwsError(
            "ValidationException", "The local AWS makes batch jobs of the modelInvocationType Converse alone"
        )
    if f":{ACCOUNT}:" not in body["roleArn"]:
        raise AwsError("AccessDeniedException", "Cross-account pass role is not allowed.", 403)
    if not models.resolve(body["modelId"]).batch:
        raise AwsError("ValidationException", "Batch inference is not supported for the requested model")


def s3_place(uri: str) -> tuple[str, str]:
    """Return bucket and key of an S3 URI that was checked."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


def jsonl_keys(s3: Any, bucket: str, prefix: str) -> list[str]:
    """Return the JSONL files below a prefix. Raises: AwsError when there is none."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", ()) if entry["Key"].endswith(".jsonl")]
    if not keys:
        raise AwsError("ValidationException", f"s3://{bucket}/{prefix} holds no .jsonl file")
    return keys


def records_of(name: str, content: bytes) -> list[dict[str, Any]]:
    """Return the records of one file, each with an id. Raises: AwsError that names the line that is none."""
    records = []
    for number, text in enumerate(content.splitlines(), 1):
        if not text.strip():
            continue
        try:
            line = json.loads(text)
        except ValueError:
            line = None
        if not isinstance(line, dict) or not isinstance(line.get("modelInput"), dict):
            raise AwsError("ValidationException", f"line {number} of {name} is no JSON object with a modelInput")
        records.append({"recordId": line.get("recordId") or new_id(12), "modelInput": line["modelInput"]})
    return records


def model_input(line: dict[str, Any]) -> dict[str, Any]:
    """Return the request of a record without cachePoints, which save nothing in a batch. Raises: AwsError for tools."""
    body = line["modelInput"]
    if "toolConfig" in body:
        raise AwsError("ValidationException", "A batch job of the type Converse cannot use tools.")
    if isinstance(body.get("system"), list):
        body = body | {"system": [block for block in body["system"] if "cachePoint" not in block]}
    return body


def _unsatisfied(member: str, constraint: str) -> AwsError:
    return AwsError(
        "ValidationException",
        f"1 validation error detected: Value at '{member}' failed to satisfy constraint: {constraint}",
    )
