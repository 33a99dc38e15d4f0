"""The model: its inference profile, life, access and quota; and whether Bedrock keeps the text that it is sent."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from chatcensus.aws.probing import Probe
from chatcensus.doctor import Files, Finding, Names, fail, ok, warn
from chatcensus.model_catalog import Model
from chatcensus.throughput import Load, QuotaLine, check_quota

if TYPE_CHECKING:
    from mypy_boto3_bedrock import BedrockClient
    from mypy_boto3_service_quotas import ServiceQuotasClient

_SYSTEM_PROFILE = re.compile(r"(global|jp|au|apac|eu|us|us-gov|ca)\.(.+)")
_NO_MODEL = ("ResourceNotFoundException", "ValidationException")
_SOON = timedelta(days=90)
_CHOOSE = "choose another model in the Airflow Variable chatcensus_model"


def model_probes(names: Names, files: Files, clients: dict[str, Any], now: Callable[[], datetime]) -> Iterator[Probe]:
    """Yield the looks at the model and at Bedrock itself."""
    model = names.model
    profile, foundation = "bedrock:GetInferenceProfile", "bedrock:GetFoundationModel"
    availability, logging = "GetFoundationModelAvailability", "GetModelInvocationLoggingConfiguration"
    if _is_profile(model):
        yield Probe("model-profile", "bedrock", profile, lambda bedrock: [_profile(bedrock, model)])
    yield Probe("model-lifecycle", "bedrock", foundation, lambda bedrock: [_lifecycle(bedrock, names, files, now())])
    yield Probe("model-access", "bedrock", f"bedrock:{availability}", lambda bedrock: _access(bedrock, model))
    yield Probe("invocation-logging", "bedrock", f"bedrock:{logging}", lambda bedrock: [_logging(bedrock)])
    yield Probe(
        "quota",
        "service-quotas",
        f"servicequotas:ListServiceQuotas and {foundation}",
        lambda quotas: _quota(quotas, clients, names, files),
    )


def _is_profile(model: str) -> bool:
    return bool(_SYSTEM_PROFILE.fullmatch(model)) or "inference-profile/" in model


def _foundation_id(bedrock: "BedrockClient", model: str) -> tuple[str, str]:
    """Return the foundation model's id, and how it is called: on-demand, cross-region or global cross-region."""
    if system := _SYSTEM_PROFILE.fullmatch(model.rpartition("/")[2]):
        return system[2], "global cross-region" if system[1] == "global" else "cross-region"
    if not _is_profile(model):
        return model.rpartition("/")[2], "on-demand"
    arns = [each["modelArn"] for each in bedrock.get_inference_profile(inferenceProfileIdentifier=model)["models"]]
    is_global = any(arn.split(":")[3] == "" for arn in arns)
    kind = "global cross-region" if is_global else "cross-region" if len(arns) > 1 else "on-demand"
    return arns[0].rpartition("/")[2], kind


def _profile(bedrock: "BedrockClient", model: str) -> Finding:
    try:
        profile = bedrock.get_inference_profile(inferenceProfileIdentifier=model)
    except ClientError as error:
        if error.response["Error"]["Code"] not in _NO_MODEL:
            raise
        found = f"there is no inference profile {model} in {bedrock.meta.region_name}"
        return fail("model-profile", found, f"{_CHOOSE}; aws bedrock list-inference-profiles names those there are")
    if profile["status"] != "ACTIVE":
        return fail("model-profile", f"{model} is {profile['status']}", _CHOOSE)
    regions = sorted({each["modelArn"].split(":")[3] for each in profile["models"]} - {""})
    return ok("model-profile", f"{model}, which may answer from {', '.join(regions) or 'any Region'}")


def _lifecycle(bedrock: "BedrockClient", names: Names, files: Files, now: datetime) -> Finding:
    model_id, _ = _foundation_id(bedrock, names.model)
    try:
        details = bedrock.get_foundation_model(modelIdentifier=model_id)["modelDetails"]
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code not in _NO_MODEL:
            raise
        found = f"{bedrock.meta.region_name} has no model {model_id} ({code}): its life is over, or it never came"
        return fail("model-lifecycle", found, _CHOOSE)
    life: Any = details.get("modelLifecycle", {})
    status, by_aws = life.get("status", "of no known status"), life.get("endOfLifeTime")
    by_catalog = _end_by_catalog(files.model)
    end = min((day for day in (by_aws, by_catalog) if day), default=None)
    said_by = " by models.yaml" if end and end != by_aws else ""
    told = f"{model_id} is {status}" + (f", its life ends on {end:%Y-%m-%d}{said_by}" if end else "")
    if end and end <= now:
        return fail("model-lifecycle", told, _CHOOSE)
    if status != "ACTIVE" or (end and end - now < _SOON):
        remedy = "choose its successor: add it to include/prompts/models.yaml, and try it with chatcensus reevaluate"
        return warn("model-lifecycle", told, remedy)
    return ok("model-lifecycle", told)


def _end_by_catalog(model: Model | None) -> datetime | None:
    """Return the end that was announced when the catalog was written: Bedrock may tell of it late, or not at all."""
    day = model and model.life and model.life.ends
    return datetime.combine(day, time(), UTC) if day else None


def _access(bedrock: "BedrockClient", model: str) -> Iterator[Finding]:
    model_id, kind = _foundation_id(bedrock, model)
    try:
        told: Any = bedrock.get_foundation_model_availability(modelId=model_id)
    except ClientError as error:
        if error.response["Error"]["Code"] not in _NO_MODEL:
            raise
        return  # `model-lifecycle` says so
    states = {
        "agreement": told["agreementAvailability"]["status"],
        "authorization": told["authorizationStatus"],
        "entitlement": told["entitlementAvailability"],
        "Region": told["regionAvailability"],
    }
    if kind != "on-demand":
        del states["Region"]  # a profile may be called from where its model does not run
    bad = {name: state for name, state in states.items() if state not in ("AVAILABLE", "AUTHORIZED")}
    if not bad:
        yield ok("model-access", f"granted to this account for {model_id}")
        return
    found = f"{model_id}: {', '.join(f'{name} {state}' for name, state in bad.items())}"
    if set(bad.values()) <= {"PENDING", "ERROR"}:
        yield warn("model-access", found, "wait a few minutes, and run the doctor again")
        return
    remedy = "an administrator opens the model once in the Bedrock console (Model catalog), and sends its form if asked"
    yield fail("model-access", found, remedy)


def _logging(bedrock: "BedrockClient") -> Finding:
    settings: Any = bedrock.get_model_invocation_logging_configuration().get("loggingConfig") or {}
    places = [
        *(f"log group {to['logGroupName']}" for to in [settings.get("cloudWatchConfig")] if to),
        *(f"bucket {to['bucketName']}" for to in [settings.get("s3Config")] if to),
    ]
    if not places:
        return ok("invocation-logging", "off: Bedrock keeps nothing of what it is sent")
    if not settings.get("textDataDeliveryEnabled", True):
        return ok("invocation-logging", "on, without text")
    found = f"ON: THE TEXT OF EVERY CONVERSATION IS STORED in {' and '.join(places)}"
    remedy = "aws bedrock delete-model-invocation-logging-configuration, or guard that place as you do the table"
    return warn("invocation-logging", found, remedy)


def _quota(quotas: "ServiceQuotasClient", clients: dict[str, Any], names: Names, files: Files) -> Iterator[Finding]:
    bedrock: BedrockClient = clients["bedrock"]
    model_id, kind = _foundation_id(bedrock, names.model)
    try:
        details = bedrock.get_foundation_model(modelIdentifier=model_id)["modelDetails"]
    except ClientError as error:
        if error.response["Error"]["Code"] not in _NO_MODEL:
            raise
        return  # `model-lifecycle` says so
    labels = [f"{details.get('providerName', '')} {details.get('modelName', '')}".strip()]
    if files.model and files.model.quota_name:  # Service Quotas writes some names in another way than Bedrock
        labels.insert(0, files.model.quota_name)
    pages = quotas.get_paginator("list_service_quotas").paginate(
        ServiceCode="bedrock", PaginationConfig={"PageSize": 100}
    )
    lines = [
        QuotaLine(quota["QuotaName"], quota["Value"])
        for page in pages
        for quota in page["Quotas"]
        if "QuotaName" in quota and "Value" in quota
    ]
    item_bytes = _item_bytes(clients["dynamodb"], names.table)
    label = next((name for name in labels if any(name.lower() in line.name.lower() for line in lines)), labels[0])
    yield check_quota(lines, kind, label, Load.of(item_bytes, files.instructions, files.model))


def _item_bytes(dynamodb: Any, table: str) -> float | None:
    """Return how large an item is on average; None where that cannot be told."""
    try:
        described = dynamodb.describe_table(TableName=table)["Table"]
    except ClientError:  # `table` says why
        return None
    return described["TableSizeBytes"] / described["ItemCount"] if described["ItemCount"] else None
