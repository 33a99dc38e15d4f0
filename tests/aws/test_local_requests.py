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
    request = urllib.request.Request(local_aws.endpoint_url + path, body, headers, method="POST")  # noqa: S310  loopback
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request)  # noqa: S310  our own loopback address
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

    assert refused.value.response["Error"]["Code"] == "NotImplemented"


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
