"""What cannot be answered is refused by name, never with a 500 or an empty reply."""

import json
import urllib.error
import urllib.request

import pytest
from botocore.exceptions import ClientError

from local_aws.__main__ import read_arguments

MODEL = "jp.anthropic.claude-haiku-5-5"
MESSAGES = [{"role": "user", "content": [{"text": "Hello"}]}]


def _refusal(local_aws, path, body, headers):
    request = urllib.request.Request(local_aws.endpoint_url + path, body, headers, method="POST")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request)
    with refused.value as reply:
        return reply.code, json.load(reply)["__type"]


@pytest.mark.parametrize("body", [b"{", b"[1]", b"null", b"\xff", b"[" * 100_000], ids=range(5))
@pytest.mark.parametrize(
    "target", ["DynamoDB_20120810.PutItem", "AmazonAthena.StartQueryExecution", "AWSGlue.GetTable", ""]
)
def test_a_body_that_is_no_json_object_is_refused(local_aws, target, body):
    path, headers = ("/", {"X-Amz-Target": target}) if target else (f"/model/{MODEL}/converse", {})

    assert _refusal(local_aws, path, body, headers) == (400, "SerializationException")


def test_converse_stream_is_refused_by_name(local_aws):
    with pytest.raises(ClientError, match="does not answer ConverseStream: use Converse") as refused:
        local_aws.client("bedrock-runtime").converse_stream(modelId=MODEL, messages=MESSAGES)

    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_invoke_model_is_refused_by_name(local_aws):
    with pytest.raises(ClientError, match="does not answer InvokeModel: use Converse"):
        local_aws.client("bedrock-runtime").invoke_model(modelId=MODEL, body=b"{}")


def test_what_would_only_look_done_is_refused_by_name(local_aws):
    with pytest.raises(ClientError, match="does not do StartJobRun: it would end SUCCEEDED without") as refused:
        local_aws.client("glue").start_job_run(JobName="anything")

    assert refused.value.response["Error"]["Code"] == "UnknownOperationException"


def test_what_nobody_answers_is_refused_in_the_callers_protocol(local_aws):
    with pytest.raises(ClientError, match="does not answer POST /guardrails") as refused:
        local_aws.client("bedrock").create_guardrail(name="g", blockedInputMessaging="no", blockedOutputsMessaging="no")

    assert refused.value.response["Error"]["Code"] == "UnknownOperationException"


def _refused(local_aws, target, body, service="dynamodb"):
    signed = f"AWS4-HMAC-SHA256 Credential=x/20260101/ap-northeast-1/{service}/aws4_request, Signature=0"
    headers = {"X-Amz-Target": target, "Authorization": signed}
    return _refusal(local_aws, "/", json.dumps(body).encode(), headers)


@pytest.mark.parametrize(
    ("action", "body", "code"),
    [
        ("GetItem", {"TableName": 1, "Key": {}}, "SerializationException"),
        ("GetItem", {"TableName": "ttt", "Key": {"id": 1}}, "SerializationException"),
        ("GetItem", {"TableName": "ttt", "Key": {"id": {"N": 1}}}, "SerializationException"),
        ("GetItem", {"TableName": "ttt", "Key": {"id": {"B": "%%"}}}, "SerializationException"),
        ("GetItem", {"TableName": "ttt", "Key": {"id": {"S": "\ud800"}}}, "SerializationException"),
        ("Scan", {"TableName": "ttt", "Limit": float("nan")}, "SerializationException"),
        ("GetItem", {"TableName": "ttt"}, "ValidationException"),
        ("GetItem", {"TableName": "ttt", "Key": {"id": {}}}, "ValidationException"),
        ("GetItem", {"TableName": "ttt", "Key": {"id": {"S": "a", "N": "1"}}}, "ValidationException"),
        ("PutItem", {"TableName": "ttt", "Item": {"id": {"S": "a"}, "x": {"SS": []}}}, "ValidationException"),
        ("PutItem", {"TableName": "ttt", "Item": {"id": {"NS": ["1", "1.0"]}}}, "ValidationException"),
        ("PutItem", {"TableName": "ttt", "Item": {"id": {"S": "a"}}, "ReturnValues": "ALL"}, "ValidationException"),
        ("Scan", {"TableName": "ttt", "Limit": 0}, "ValidationException"),
        ("NoSuchThing", {}, "UnknownOperationException"),
    ],
)
def test_a_request_that_is_not_of_the_services_model_is_refused(local_aws, action, body, code):
    assert _refused(local_aws, f"DynamoDB_20120810.{action}", body) == (400, code)


def test_a_request_of_glue_without_what_it_needs_is_refused(local_aws):
    assert _refused(local_aws, "AWSGlue.GetTable", {"DatabaseName": "d"}, "glue") == (400, "ValidationException")
    assert _refused(local_aws, "AWSGlue.GetTable", {"DatabaseName": []}, "glue") == (400, "SerializationException")


def test_what_moto_cannot_make_sense_of_is_refused_and_not_tried_again(local_aws):
    body = {"DatabaseName": "d", "TableName": "t", "VersionId": "x"}
    glue = local_aws.client("glue")
    glue.create_database(DatabaseInput={"Name": "d"})
    glue.create_table(DatabaseName="d", TableInput={"Name": "t"})

    assert _refused(local_aws, "AWSGlue.DeleteTableVersion", body, "glue") == (400, "ValidationException")


def test_a_member_that_is_null_is_absent(local_aws):
    signed = "AWS4-HMAC-SHA256 Credential=x/20260101/ap-northeast-1/dynamodb/aws4_request, Signature=0"
    headers = {"X-Amz-Target": "DynamoDB_20120810.ListTables", "Authorization": signed}
    request = urllib.request.Request(local_aws.endpoint_url, b'{"Limit": null}', headers)

    with urllib.request.urlopen(request) as reply:
        assert json.load(reply) == {"TableNames": []}


def test_an_unsigned_request_is_refused_and_does_not_reach_another_service(local_aws):
    headers = {"X-Amz-Target": "DynamoDB_20120810.ListTables"}

    assert _refusal(local_aws, "/", b"{}", headers) == (400, "MissingAuthenticationTokenException")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (f"/model/{MODEL}/converse", {"messages": MESSAGES, "inferenceConfig": {"stopSequences": "x"}}),
        (f"/model/{MODEL}/converse", {"messages": MESSAGES, "inferenceConfig": {"temperature": "0"}}),
        ("/model/anthropic.claude-haiku-4-5-20251001-v1:0/count-tokens", {"input": 1}),
    ],
)
def test_a_value_of_a_wrong_type_is_refused_by_bedrock(local_aws, path, body):
    status, kind = _refusal(local_aws, path, json.dumps(body).encode(), {})

    assert (status, kind) in {(400, "SerializationException"), (400, "ValidationException")}


def test_a_page_of_batch_jobs_that_cannot_be_is_refused(local_aws):
    with pytest.raises(ClientError, match="invalid value") as refused:
        local_aws.client("bedrock").list_model_invocation_jobs(nextToken="x")

    assert refused.value.response["Error"]["Code"] == "ValidationException"


def test_the_body_of_an_object_is_kept_whatever_the_client_calls_it(local_aws):
    s3 = local_aws.client("s3")
    s3.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": "ap-northeast-1"})
    url = s3.generate_presigned_url("put_object", Params={"Bucket": "bucket", "Key": "key"})

    urllib.request.urlopen(urllib.request.Request(url, b"a=1", method="PUT")).close()

    assert s3.get_object(Bucket="bucket", Key="key")["Body"].read() == b"a=1"


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--port", "99999", "a port is a whole number from 0 to 65535, not '99999'"),
        ("--port", "-1", "a port is a whole number from 0 to 65535, not '-1'"),
        ("--latency", "-1", "seconds are a number from 0 up, not '-1'"),
        ("--latency", "nan", "seconds are a number from 0 up, not 'nan'"),
        ("--latency", "soon", "seconds are a number from 0 up, not 'soon'"),
    ],
)
def test_an_option_that_cannot_be_meant_is_refused_by_name(option, value, message, capsys):
    with pytest.raises(SystemExit) as ended:
        read_arguments([option, value])

    assert ended.value.code == 2
    assert f"argument {option}: {message}" in capsys.readouterr().err


def test_the_least_and_the_largest_options_are_taken():
    assert (read_arguments(["--port", "0"]).port, read_arguments(["--port", "65535"]).port) == (0, 65_535)
    assert read_arguments(["--latency", "0"]).latency == 0


def test_what_moto_stumbles_over_is_refused_and_not_worth_another_try(local_aws):
    local_aws.create_stack()
    dynamodb = local_aws.client("dynamodb")
    dynamodb.put_item(TableName="chat-conversations", Item={"conversation_id": {"S": "c"}, "n": {"S": "whisper"}})

    with pytest.raises(ClientError, match=r"cannot make sense of this .*DeleteItem: TypeError") as refused:
        dynamodb.delete_item(
            TableName="chat-conversations",
            Key={"conversation_id": {"S": "c"}},
            ConditionExpression="n > :v",
            ExpressionAttributeValues={":v": {"N": "1"}},
        )

    assert refused.value.response["Error"]["Code"] == "ValidationException"
    assert "whisper" not in str(refused.value)
