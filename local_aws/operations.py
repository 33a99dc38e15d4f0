"""
What was asked of this AWS, by whom, and of which resource: for the test that compares it with the IAM policies.

    who        the access key that signed the request
    operation  as botocore names it, such as `s3:HeadObject`
    resource   its ARN, the parts of an S3 key that are ids replaced by `x`; empty where the request names none
"""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, unquote

from moto.core import DEFAULT_ACCOUNT_ID

from local_aws.wsgi import Request

_KEY = re.compile(r"Credential=([^/]*)/")
_FORM_ACTION = re.compile(rb"(?:^|&)Action=(\w+)")
_CBOR = re.compile(r"/service/\w+/operation/(\w+)")
_LARGE = 100_000  # bytes of a body that is not read a second time for the names in it
_ID = re.compile(r".*[0-9].*|.{41,}")
# By method, whether there is a key, and the query's name or the header that tells one operation from another.
_S3 = (
    ("GET", True, "uploadId", "ListParts"),
    ("PUT", True, "uploadId", "UploadPart"),
    ("POST", True, "uploads", "CreateMultipartUpload"),
    ("POST", True, "uploadId", "CompleteMultipartUpload"),
    ("DELETE", True, "uploadId", "AbortMultipartUpload"),
    ("PUT", True, "HTTP_X_AMZ_COPY_SOURCE", "CopyObject"),
    ("GET", True, "", "GetObject"),
    ("HEAD", True, "", "HeadObject"),
    ("PUT", True, "", "PutObject"),
    ("DELETE", True, "", "DeleteObject"),
    ("GET", False, "publicAccessBlock", "GetPublicAccessBlock"),
    ("GET", False, "encryption", "GetBucketEncryption"),
    ("GET", False, "lifecycle", "GetBucketLifecycleConfiguration"),
    ("GET", False, "location", "GetBucketLocation"),
    ("GET", False, "uploads", "ListMultipartUploads"),
    ("GET", False, "list-type", "ListObjectsV2"),
    ("HEAD", False, "", "HeadBucket"),
    ("PUT", False, "", "CreateBucket"),
)
_BEDROCK = (
    ("POST", re.compile(r"/model/([^/]+)/converse"), "Converse"),
    ("POST", re.compile(r"/model/([^/]+)/count-tokens"), "CountTokens"),
    ("GET", re.compile(r"/inference-profiles/(.+)"), "GetInferenceProfile"),
    ("GET", re.compile(r"/foundation-models/(.+)"), "GetFoundationModel"),
    ("GET", re.compile(r"/foundation-model-availability/(.+)"), "GetFoundationModelAvailability"),
    ("GET", re.compile(r"/logging/modelinvocations"), "GetModelInvocationLoggingConfiguration"),
    ("POST", re.compile(r"/model-invocation-job"), "CreateModelInvocationJob"),
    ("GET", re.compile(r"/model-invocation-job/(.+)"), "GetModelInvocationJob"),
    ("POST", re.compile(r"/model-invocation-job/(.+)/stop"), "StopModelInvocationJob"),
)


class Operations:
    """Count the requests of one life."""

    def __init__(self, region: str) -> None:
        self._region = region
        self._counts: Counter[tuple[str, str, str]] = Counter()

    def note(self, request: Request) -> None:
        """Count one request, whatever becomes of it; one that nobody has signed is nobody's."""
        key = _KEY.search(str(request.environ.get("HTTP_AUTHORIZATION", "")))
        if key and request.service:
            for operation, resource in self._asked(request):
                self._counts[key[1], operation, resource] += 1

    def told(self) -> list[dict[str, Any]]:
        """Return who has asked for what, and how often."""
        return [
            {"who": who, "operation": operation, "resource": resource, "count": count}
            for (who, operation, resource), count in sorted(self._counts.copy().items())
        ]

    def _asked(self, request: Request) -> Iterator[tuple[str, str]]:
        service, region = str(request.service), request.region or self._region
        if request.target:
            operation = request.target.rpartition(".")[2]
            body = request.json() if len(request.body) < _LARGE else {}
            for tail in _named(service, operation, body):
                arn = tail if tail.startswith("arn:") or not tail else _arn(service, region, tail)
                yield f"{service}:{operation}", arn
        elif service == "s3":
            yield _of_s3(request)
        elif service == "bedrock":
            yield _of_bedrock(request, region)
        elif found := _FORM_ACTION.search(request.body[:4096]):
            topic = parse_qs(request.body.decode()).get("TopicArn", [""])[0] if service == "sns" else ""
            yield f"{service}:{found[1].decode()}", topic
        elif called := _CBOR.fullmatch(request.path):
            yield f"{service}:{called[1]}", ""


def _named(service: str, operation: str, body: dict[str, Any]) -> list[str]:
    """Return the resources that a request of the JSON protocol names, as the end of an ARN or as a whole one."""
    if service == "dynamodb":
        if arn := body.get("ExportArn") or body.get("TableArn"):
            return [str(arn)]
        index = f"/index/{body['IndexName']}" if "IndexName" in body else ""
        tables = [body["TableName"]] if "TableName" in body else list(body.get("RequestItems", {}))
        tables += [write["TableName"] for each in body.get("TransactItems", ()) for write in each.values()]
        return [f"table/{table}{index}" for table in tables] or [""]
    if service == "glue" and "DatabaseName" in body:
        table = body.get("TableName") or body.get("TableInput", {}).get("Name") or body.get("Name")
        return [f"table/{body['DatabaseName']}/{table or 'any'}"]
    if service == "glue" and operation == "GetDatabase":
        return [f"database/{body.get('Name')}"]
    if service == "athena" and "WorkGroup" in body:
        return [f"workgroup/{body['WorkGroup']}"]
    return [""]


def _arn(service: str, region: str, tail: str) -> str:
    return f"arn:aws:{service}:{region}:{DEFAULT_ACCOUNT_ID}:{tail}"


def _of_s3(request: Request) -> tuple[str, str]:
    bucket, _, key = request.path.lstrip("/").partition("/")
    query = parse_qs(str(request.environ.get("QUERY_STRING", "")), keep_blank_values=True)
    signs = {"", *query, *request.environ}
    asked = (request.method, bool(key))
    found = [name for method, has_key, sign, name in _S3 if (method, has_key) == asked and sign in signs]
    operation = found[0] if found else f"{request.method} {' '.join(query)}"
    path = "/".join(_ID.sub("x", part) for part in key.split("/"))
    return f"s3:{operation}", f"arn:aws:s3:::{bucket}/{path}" if key else f"arn:aws:s3:::{bucket}"


def _of_bedrock(request: Request, region: str) -> tuple[str, str]:
    found = [
        (operation, unquote(match[1]) if path.groups else "")
        for method, path, operation in _BEDROCK
        if method == request.method and (match := path.fullmatch(request.path))
    ]
    operation, model = found[0] if found else (f"{request.method} {request.path}", "")
    if model.startswith("arn:"):
        return f"bedrock:{operation}", model
    if operation == "GetInferenceProfile" or re.match(r"(global|us|eu|jp|au|apac)\.", model):
        return f"bedrock:{operation}", _arn("bedrock", region, f"inference-profile/{model}")
    return f"bedrock:{operation}", f"arn:aws:bedrock:{region}::foundation-model/{model}" if model else ""
