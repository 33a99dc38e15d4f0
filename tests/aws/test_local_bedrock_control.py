"""Bedrock's control plane: what a preflight asks before it pays for a call, and CountTokens."""

from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError

from local_aws.aws_error import AwsError
from local_aws.bedrock.model_directory import ModelDirectory

HAIKU = "anthropic.claude-haiku-5-5"
HAIKU_4_5 = "anthropic.claude-haiku-4-5-20251001-v1:0"
GONE = "anthropic.claude-3-haiku-20240307-v1:0"
REGION, ACCOUNT = "ap-northeast-1", "123456789012"


@pytest.fixture
def bedrock(local_aws):
    return local_aws.client("bedrock")


def converse_request(text="Hello"):
    return {
        "system": [{"text": "Judge."}],
        "messages": [{"role": "user", "content": [{"text": text}]}],
        "toolConfig": {"tools": [{"toolSpec": {"name": "record", "inputSchema": {"json": {"type": "object"}}}}]},
    }


def refusal(call, **given):
    with pytest.raises(ClientError) as caught:
        call(**given)
    error = caught.value.response["Error"]
    return caught.value.response["ResponseMetadata"]["HTTPStatusCode"], error["Code"], error["Message"]


def test_a_model_says_when_it_began_and_that_it_lives(bedrock):
    details = bedrock.get_foundation_model(modelIdentifier=HAIKU)["modelDetails"]

    assert details["modelArn"] == f"arn:aws:bedrock:{REGION}::foundation-model/{HAIKU}"
    assert details["modelLifecycle"] == {"status": "ACTIVE", "startOfLifeTime": datetime(2026, 10, 7, tzinfo=UTC)}
    assert bedrock.get_foundation_model(modelIdentifier=details["modelArn"])["modelDetails"] == details


def test_a_model_with_an_end_is_legacy_before_it_and_gone_after():
    before = ModelDirectory(lambda: datetime(2026, 9, 9, tzinfo=UTC))
    after = ModelDirectory(lambda: datetime(2026, 9, 10, tzinfo=UTC))

    lifecycle = before.foundation_model(GONE, REGION)["modelDetails"]["modelLifecycle"]

    assert lifecycle["status"] == "LEGACY"
    assert lifecycle["endOfLifeTime"] == "2026-09-10T00:00:00+00:00"
    with pytest.raises(AwsError, match="ResourceNotFoundException"):
        after.foundation_model(GONE, REGION)
    listed = [
        {model["modelId"] for model in models.foundation_models({}, REGION)["modelSummaries"]}
        for models in (before, after)
    ]
    assert [GONE in ids for ids in listed] == [True, False]


def test_models_are_listed_by_provider_and_by_how_they_are_called(bedrock):
    def listed(**given):
        return {model["modelId"] for model in bedrock.list_foundation_models(**given)["modelSummaries"]}

    assert {HAIKU, "amazon.nova-micro-v1:0"} <= listed()
    assert listed(byProvider="amazon") == {f"amazon.nova-{name}-v1:0" for name in ("micro", "lite", "2-lite")}
    assert HAIKU not in listed(byInferenceType="ON_DEMAND")
    assert listed(byOutputModality="IMAGE") == set()


def test_an_unknown_model_has_an_invalid_identifier(bedrock):
    assert refusal(bedrock.get_foundation_model, modelIdentifier="anthropic.nothing") == (
        400,
        "ValidationException",
        "The provided model identifier is invalid.",
    )


def test_a_profile_names_the_models_in_the_regions_that_it_reaches(bedrock):
    profile = bedrock.get_inference_profile(inferenceProfileIdentifier=f"jp.{HAIKU}")

    assert profile["type"] == "SYSTEM_DEFINED"
    assert [model["modelArn"] for model in profile["models"]] == [
        f"arn:aws:bedrock:{region}::foundation-model/{HAIKU}" for region in ("ap-northeast-1", "ap-northeast-3")
    ]
    by_arn = bedrock.get_inference_profile(inferenceProfileIdentifier=profile["inferenceProfileArn"])
    assert by_arn["inferenceProfileId"] == f"jp.{HAIKU}"


def test_the_profiles_of_a_region_are_those_that_may_be_called_from_it(bedrock):
    listed = {
        profile["inferenceProfileId"] for profile in bedrock.list_inference_profiles()["inferenceProfileSummaries"]
    }

    assert {f"jp.{HAIKU}", f"global.{HAIKU}"} <= listed
    assert f"us.{HAIKU}" not in listed
    assert refusal(bedrock.get_inference_profile, inferenceProfileIdentifier=f"us.{HAIKU}")[:2] == (
        404,
        "ResourceNotFoundException",
    )


def test_a_profile_whose_regions_are_not_known_is_refused_by_name(bedrock):
    status, _, message = refusal(bedrock.get_inference_profile, inferenceProfileIdentifier=f"eu.{HAIKU}")

    assert (status, message) == (400, f"The local AWS does not know which Regions eu.{HAIKU} reaches")


def test_an_application_profile_is_called_by_its_arn_until_it_is_deleted(local_aws, bedrock):
    source = f"arn:aws:bedrock:{REGION}:{ACCOUNT}:inference-profile/jp.{HAIKU}"
    arn = bedrock.create_inference_profile(inferenceProfileName="census", modelSource={"copyFrom": source})[
        "inferenceProfileArn"
    ]
    runtime = local_aws.client("bedrock-runtime")
    asked = {"modelId": arn, "messages": converse_request()["messages"]}

    runtime.converse(**asked)
    profile = bedrock.get_inference_profile(inferenceProfileIdentifier=arn)
    own = bedrock.list_inference_profiles(typeEquals="APPLICATION")["inferenceProfileSummaries"]
    twice = refusal(bedrock.create_inference_profile, inferenceProfileName="census", modelSource={"copyFrom": source})
    bedrock.delete_inference_profile(inferenceProfileIdentifier=arn)

    assert profile["models"] == bedrock.get_inference_profile(inferenceProfileIdentifier=f"jp.{HAIKU}")["models"]
    assert [found["inferenceProfileArn"] for found in own] == [arn]
    assert twice[:2] == (400, "ConflictException")
    assert refusal(runtime.converse, **asked)[2] == "The provided model identifier is invalid."
    assert refusal(runtime.converse, **{**asked, "inferenceConfig": {"temperature": 1}})[1] == "ValidationException"


def test_what_the_control_plane_has_not_stays_with_moto(bedrock):
    assert bedrock.list_model_customization_jobs()["modelCustomizationJobSummaries"] == []


@pytest.mark.parametrize("bucket", ["foundation-models", "model-invocation-job"])
def test_a_bucket_may_be_named_like_a_path_of_bedrock(local_aws, bucket):
    s3 = local_aws.client("s3")
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})

    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_tokens_are_counted_as_converse_bills_them(local_aws):
    runtime = local_aws.client("bedrock-runtime")
    request = converse_request("Count me, 数えて。")

    counted = runtime.count_tokens(modelId=HAIKU_4_5, input={"converse": request})["inputTokens"]
    billed = runtime.converse(modelId=f"jp.{HAIKU_4_5}", **request)["usage"]["inputTokens"]

    assert counted == billed > 0


@pytest.mark.parametrize("model", [HAIKU, f"jp.{HAIKU_4_5}", "amazon.nova-micro-v1:0"])
def test_models_that_do_not_count_and_profiles_are_refused(local_aws, model):
    status, code, message = refusal(
        local_aws.client("bedrock-runtime").count_tokens, modelId=model, input={"converse": converse_request()}
    )

    assert (status, code) == (400, "ValidationException")
    assert message == "The provided model doesn't support counting tokens."


def test_the_tokens_of_another_body_are_refused_by_name(local_aws):
    count = local_aws.client("bedrock-runtime").count_tokens

    assert "input.converse alone" in refusal(count, modelId=HAIKU_4_5, input={"invokeModel": {"body": b"{}"}})[2]
    assert refusal(count, modelId=GONE, input={"converse": converse_request()})[0] == 404
    assert "identifier is invalid" in refusal(count, modelId="a.b", input={"converse": converse_request()})[2]
