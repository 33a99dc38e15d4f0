"""Service Quotas for Bedrock: the quota that the fault plan enforces, under AWS's names; none where there is none."""

import base64
import zlib
from collections.abc import Iterator
from typing import Any

from local_aws.aws_error import AwsError
from local_aws.bedrock.model_directory import ACCOUNT
from local_aws.bedrock.models import MODELS, FoundationModel
from local_aws.bedrock.quota import Quota
from local_aws.request_model import check_request

Answer = dict[str, Any]

_MOST = 100  # quotas on a page


def list_service_quotas(body: dict[str, Any], quota: Quota | None, region: str) -> Answer:
    """
    Answer ListServiceQuotas, in pages.

    Raises: AwsError: NoSuchResourceException for another service, IllegalArgumentException, and
    InvalidPaginationTokenException.
    Source: names as AWS lists them in 2026, such as `Cross-region model inference tokens per minute for Anthropic …`.
    """
    check_request("service-quotas", "ListServiceQuotas", body)
    if body["ServiceCode"] != "bedrock":
        raise AwsError("NoSuchResourceException", "The local AWS has quotas of the service bedrock alone.")
    for name in body.keys() & {"QuotaCode", "QuotaAppliedAtLevel"}:
        raise AwsError("IllegalArgumentException", f"The local AWS does not answer this with {name!r}")
    listed = list(_quotas(quota, region)) if quota else []
    start, most = _start(body.get("NextToken")), body.get("MaxResults", _MOST)
    page = listed[start : start + most]
    following = start + len(page)
    more = {"NextToken": base64.b64encode(str(following).encode()).decode()} if following < len(listed) else {}
    return {"Quotas": page, **more}


def _start(token: str | None) -> int:
    if token is None:
        return 0
    try:
        return int(base64.b64decode(token, validate=True))
    except ValueError:
        raise AwsError("InvalidPaginationTokenException", "The token of the next page is invalid.") from None


def _quotas(quota: Quota, region: str) -> Iterator[Answer]:
    rates = {"requests": quota.requests_per_minute, "tokens": quota.tokens_per_minute}
    for model in MODELS.values():
        for kind in _kinds(model):
            for unit, rate in rates.items():
                if rate is not None:
                    label = model.quota_name or f"{model.provider} {model.name}"
                    name = f"{kind} model inference {unit} per minute for {label}"
                    yield _described(name, rate, region)


def _kinds(model: FoundationModel) -> Iterator[str]:
    """Yield the ways in which a model may be called, as AWS names them."""
    if model.on_demand:
        yield "On-demand"
    if set(model.geographies) - {"global"}:
        yield "Cross-region"
    if "global" in model.geographies:
        yield "Global cross-region"


def _described(name: str, value: float, region: str) -> Answer:
    code = f"L-{zlib.crc32(name.encode()):08X}"
    return {
        "ServiceCode": "bedrock",
        "ServiceName": "Amazon Bedrock",
        "QuotaArn": f"arn:aws:servicequotas:{region}:{ACCOUNT}:bedrock/{code}",
        "QuotaCode": code,
        "QuotaName": name,
        "Value": float(value),
        "Unit": "None",
        "Adjustable": False,
        "GlobalQuota": False,
        "QuotaAppliedAtLevel": "ACCOUNT",
    }
