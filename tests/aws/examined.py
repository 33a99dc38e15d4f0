"""A deployment as the doctor finds it, and clients that are answered by a test."""

import json
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3

from chatcensus.aws.doctor import examine
from chatcensus.doctor import Finding, Names
from demo.airflow_home import VARIABLES
from tests.conftest import LocalAwsForTests
from tests.fakes import INCLUDE

CANARY = "canary-4711-の会話"
NAMES = Names(**{name.removeprefix("chatcensus_"): value for name, value in VARIABLES.items()})
HAIKU = "jp.anthropic.claude-haiku-5-5"
NEVER_FOR_THE_STAND_IN = {"model-profile"}  # it is called by its own name
PATIENT_S = 60.0
# The permission that each look at AWS needs, and what it then says nothing of.
DENIED = {
    "table": "dynamodb:DescribeTable",
    "table-backups": "dynamodb:DescribeContinuousBackups",
    "control-table": "dynamodb:DescribeTable",
    "model-profile": "bedrock:GetInferenceProfile",
    "model-lifecycle": "bedrock:GetFoundationModel",
    "model-access": "bedrock:GetFoundationModelAvailability",
    "quota": "servicequotas:ListServiceQuotas and bedrock:GetFoundationModel",
    "invocation-logging": "bedrock:GetModelInvocationLoggingConfiguration",
    "workgroup": "athena:GetWorkGroup",
    "database": "glue:GetDatabase",
    "database-tables": "glue:GetTables",
    "snapshot-bucket": "s3:ListBucket (without a condition on the prefix)",
    "snapshot-bucket-public": "s3:GetBucketPublicAccessBlock",
    "snapshot-bucket-encryption": "s3:GetEncryptionConfiguration",
    "snapshot-bucket-lifecycle": "s3:GetLifecycleConfiguration",
    "result-bucket": "s3:ListBucket (without a condition on the prefix)",
    "result-bucket-public": "s3:GetBucketPublicAccessBlock",
    "result-bucket-encryption": "s3:GetEncryptionConfiguration",
}


def examined(
    names: Names = NAMES,
    *,
    client: Callable[[str], Any],
    include: Path = INCLUDE,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> dict[str, Finding]:
    """Return what the doctor finds, by check; nothing that AWS says in its own words is in it."""
    findings = examine(names, include, client, now, PATIENT_S)
    assert CANARY not in str(findings)
    assert len({finding.check for finding in findings}) == len(findings)
    assert all(finding.remedy for finding in findings if finding.level != "OK")
    return {finding.check: finding for finding in findings}


def answering(
    aws: LocalAwsForTests, service: str, operation: str, reply: dict[str, Any], status: int = 200
) -> Callable[[str], Any]:
    """Make the clients of *aws*, of which that of *service* gets *reply* to *operation* and asks nobody."""

    def client(name: str) -> Any:
        if name != service:
            return aws.client(name)
        made = boto3.client(name)
        answer = (SimpleNamespace(status_code=status), {"ResponseMetadata": {"HTTPHeaders": {}}, **reply})
        event = f"before-call.{made.meta.service_model.service_id.hyphenize()}.{operation}"
        made.meta.events.register(event, lambda **_: answer)
        return made

    return client


def refusing(code: str) -> Callable[[str], Any]:
    """Make clients whose every request is refused with *code*."""

    def client(name: str) -> Any:
        made = boto3.client(name)
        error = {"Error": {"Code": code, "Message": CANARY}, "ResponseMetadata": {"HTTPHeaders": {}}}
        made.meta.events.register("before-call", lambda **_: (SimpleNamespace(status_code=403), error))
        return made

    return client


def set_faults(aws: LocalAwsForTests, plan: dict[str, Any]) -> None:
    """Set a fault plan, as another process would."""
    body = json.dumps(plan).encode()
    request = urllib.request.Request(f"{aws.endpoint_url}/_local/faults", body, method="PUT")
    urllib.request.urlopen(request).close()
