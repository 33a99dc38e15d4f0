"""Service Quotas and the access to models in the local AWS: what the fault plan enforces, and nothing else."""

import pytest
from botocore.exceptions import ClientError

from tests.aws.examined import set_faults

HAIKU = "anthropic.claude-haiku-5-5"


@pytest.fixture
def quotas(local_aws):
    return local_aws.client("service-quotas")


def set_quota(local_aws, **quota: float) -> None:
    set_faults(local_aws, {"quota": quota})


def listed(quotas, **given) -> dict[str, float]:
    pages = quotas.get_paginator("list_service_quotas").paginate(ServiceCode="bedrock", **given)
    return {quota["QuotaName"]: quota["Value"] for page in pages for quota in page["Quotas"]}


def refusal(call, **given) -> str:
    with pytest.raises(ClientError) as caught:
        call(**given)
    return caught.value.response["Error"]["Code"]


def test_without_a_quota_none_is_listed(quotas):
    assert listed(quotas) == {}


def test_the_quota_of_the_plan_is_listed_for_each_way_of_calling_a_model(local_aws, quotas):
    set_quota(local_aws, tokens_per_minute=2_000_000)

    found = listed(quotas)

    of_haiku = {name for name in found if name.endswith("Anthropic Claude Haiku 5.5")}
    assert of_haiku == {
        "Cross-region model inference tokens per minute for Anthropic Claude Haiku 5.5",
        "Global cross-region model inference tokens per minute for Anthropic Claude Haiku 5.5",
    }
    assert found["On-demand model inference tokens per minute for Amazon Nova Micro"] == 2_000_000
    assert not any("requests per minute" in name for name in found)


def test_the_list_comes_in_pages(local_aws, quotas):
    set_quota(local_aws, tokens_per_minute=2_000_000, requests_per_minute=1000)

    page = quotas.list_service_quotas(ServiceCode="bedrock", MaxResults=2)

    assert len(page["Quotas"]) == 2
    assert listed(quotas, PaginationConfig={"PageSize": 2}) == listed(quotas)
    assert len(listed(quotas)) > 4


def test_a_code_belongs_to_one_quota(local_aws, quotas):
    set_quota(local_aws, tokens_per_minute=2_000_000, requests_per_minute=1000)

    codes = [quota["QuotaCode"] for quota in quotas.list_service_quotas(ServiceCode="bedrock")["Quotas"]]

    assert len(set(codes)) == len(codes)


def test_what_is_not_there_is_refused(quotas):
    ask = quotas.list_service_quotas

    assert refusal(ask, ServiceCode="vpc") == "NoSuchResourceException"
    assert refusal(ask, ServiceCode="bedrock", NextToken="b25l") == "InvalidPaginationTokenException"
    assert refusal(ask, ServiceCode="bedrock", QuotaCode="L-0") == "IllegalArgumentException"


def test_every_model_that_lives_is_open_to_the_account(local_aws):
    ask = local_aws.client("bedrock").get_foundation_model_availability

    told = ask(modelId=HAIKU)

    assert told.pop("ResponseMetadata")
    assert told == {
        "modelId": HAIKU,
        "agreementAvailability": {"status": "AVAILABLE"},
        "authorizationStatus": "AUTHORIZED",
        "entitlementAvailability": "AVAILABLE",
        "regionAvailability": "AVAILABLE",
    }
    assert refusal(ask, modelId="anthropic.nothing") == "ValidationException"
    assert refusal(ask, modelId="anthropic.claude-3-haiku-20240307-v1:0") == "ResourceNotFoundException"


def test_invocation_logging_is_kept_until_it_is_deleted(local_aws):
    bedrock = local_aws.client("bedrock")
    where = {"cloudWatchConfig": {"logGroupName": "calls", "roleArn": "arn:aws:iam::123456789012:role/logs"}}
    assert not bedrock.get_model_invocation_logging_configuration().get("loggingConfig")

    bedrock.put_model_invocation_logging_configuration(loggingConfig=where)
    kept = bedrock.get_model_invocation_logging_configuration()["loggingConfig"]
    bedrock.delete_model_invocation_logging_configuration()

    assert kept == where
    assert not bedrock.get_model_invocation_logging_configuration().get("loggingConfig")
