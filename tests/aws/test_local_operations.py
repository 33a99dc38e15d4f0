"""The local AWS tells who has asked for what, and of which resource."""

import json
from urllib.request import urlopen

import boto3
import pytest
from botocore.exceptions import ClientError

BUCKET = "chatcensus-results-123456789012-ap-northeast-1"
ARN = "arn:aws:{}:ap-northeast-1:123456789012:{}".format


def _told(local_aws, who):
    with urlopen(f"{local_aws.endpoint_url}/_local/operations") as answer:
        found = json.load(answer)["operations"]
    return {(each["operation"], each["resource"]): each["count"] for each in found if each["who"] == who}


def _client(service):
    return boto3.client(service, aws_access_key_id="ann", aws_secret_access_key="secret")


@pytest.mark.parametrize(
    ("service", "call", "request_", "told"),
    [
        (
            "dynamodb",
            "scan",
            {"TableName": "chat-conversations"},
            ("dynamodb:Scan", ARN("dynamodb", "table/chat-conversations")),
        ),
        (
            "dynamodb",
            "batch_get_item",
            {"RequestItems": {"chatcensus-control": {"Keys": [{"pk": {"S": "a"}, "sk": {"S": "b"}}]}}},
            ("dynamodb:BatchGetItem", ARN("dynamodb", "table/chatcensus-control")),
        ),
        ("glue", "get_database", {"Name": "chatcensus"}, ("glue:GetDatabase", ARN("glue", "database/chatcensus"))),
        (
            "athena",
            "get_work_group",
            {"WorkGroup": "chatcensus"},
            ("athena:GetWorkGroup", ARN("athena", "workgroup/chatcensus")),
        ),
        ("s3", "list_objects_v2", {"Bucket": BUCKET}, ("s3:ListObjectsV2", f"arn:aws:s3:::{BUCKET}")),
        ("s3", "head_bucket", {"Bucket": BUCKET}, ("s3:HeadBucket", f"arn:aws:s3:::{BUCKET}")),
        ("s3", "get_bucket_encryption", {"Bucket": BUCKET}, ("s3:GetBucketEncryption", f"arn:aws:s3:::{BUCKET}")),
        (
            "s3",
            "put_object",
            {"Bucket": BUCKET, "Key": "reports/edition=01-a/report.json", "Body": b"{}"},
            ("s3:PutObject", f"arn:aws:s3:::{BUCKET}/reports/x/report.json"),
        ),
        ("sts", "get_caller_identity", {}, ("sts:GetCallerIdentity", "")),
        (
            "bedrock-runtime",
            "converse",
            {"modelId": "stand-in", "messages": [{"role": "user", "content": [{"text": "Hello"}]}]},
            ("bedrock:Converse", "arn:aws:bedrock:ap-northeast-1::foundation-model/stand-in"),
        ),
    ],
)
def test_a_request_is_told_by_its_operation_and_its_resource(local_aws, service, call, request_, told):
    local_aws.create_stack()

    getattr(_client(service), call)(**request_)

    assert _told(local_aws, "ann") == {told: 1}


def test_a_copy_is_no_put_and_its_key_holds_no_id(local_aws):
    local_aws.create_stack()
    s3 = _client("s3")
    s3.put_object(Bucket=BUCKET, Key="summaries/a", Body=b"")

    s3.copy_object(Bucket=BUCKET, Key="reports/0a1b2c3d", CopySource={"Bucket": BUCKET, "Key": "summaries/a"})

    assert ("s3:CopyObject", f"arn:aws:s3:::{BUCKET}/reports/x") in _told(local_aws, "ann")


def test_what_was_refused_was_asked_for_too_and_a_fresh_aws_knows_of_nothing(local_aws):
    with pytest.raises(ClientError):
        _client("dynamodb").scan(TableName="nothing")

    assert _told(local_aws, "ann") == {("dynamodb:Scan", ARN("dynamodb", "table/nothing")): 1}
    local_aws.reset()
    assert _told(local_aws, "ann") == {}
