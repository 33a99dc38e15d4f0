"""
Bedrock's list of models and inference profiles, and which of them a call may name.

As AWS lists them: models by their ids without the ended ones, the system's profiles of the caller's Region, and the
application profiles that were made here, which do not survive a restart. Profiles of eu. and apac. can be called but
are not described: which Regions they reach depends on the model, and no source lists them for all.
Source: the control plane's API pages; inference-profiles-support.html for jp., us. and au.
"""

import re
import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from typing import Any

from local_aws.aws_error import AwsError
from local_aws.bedrock.converse_rules import check_request
from local_aws.bedrock.models import INVALID, MODELS, PROFILES, FoundationModel, resolve
from local_aws.ids import new_id
from local_aws.request_model import check_types

ACCOUNT = "123456789012"  # moto's
_REGIONS = {
    "jp": ("ap-northeast-1", "ap-northeast-3"),
    "us": ("us-east-1", "us-east-2", "us-west-2"),
    "au": ("ap-southeast-2", "ap-southeast-4"),
}
_SOURCE = re.compile(r"arn:aws:bedrock:[a-z0-9-]*:[0-9]*:(?:inference-profile|foundation-model)/(.+)")
_NAME = re.compile(r"([0-9a-zA-Z][ _-]?){1,64}")

Answer = dict[str, Any]


class ModelDirectory:
    """What may be called, at the time of the caller's clock; safe for threads."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.now = now
        self._applications: dict[str, Answer] = {}
        self._sources: dict[str, str] = {}
        self._lock = threading.Lock()

    def resolve(self, identifier: str) -> FoundationModel:
        """Return the model behind a name. Raises: AwsError, see `models.resolve`."""
        return resolve(identifier, self._today(), self._sources)

    def check(self, identifier: str, body: dict[str, Any]) -> None:
        """Raise AwsError where Bedrock would not let a Converse request through."""
        check_request(self.resolve(identifier), body)

    def _today(self) -> date:
        return self.now().date()

    def foundation_model(self, identifier: str, region: str) -> Answer:
        """Answer GetFoundationModel. Raises: AwsError for an unknown name, and for a model past its end."""
        name = re.sub(r"^arn:aws:bedrock:[a-z0-9-]*::foundation-model/", "", identifier)
        model = MODELS.get(name)
        if model is None:
            raise AwsError(INVALID.code, INVALID.message)
        if model.has_ended(self._today()):
            raise AwsError("ResourceNotFoundException", "This model version has reached the end of its life.", 404)
        return {"modelDetails": _details(model, region)}

    def availability(self, identifier: str) -> Answer:
        """
        Answer GetFoundationModelAvailability: every model is open to the one account there is.

        Raises: AwsError as GetFoundationModel does.
        """
        model_id = self.foundation_model(identifier, "")["modelDetails"]["modelId"]
        return {
            "modelId": model_id,
            "agreementAvailability": {"status": "AVAILABLE"},
            "authorizationStatus": "AUTHORIZED",
            "entitlementAvailability": "AVAILABLE",
            "regionAvailability": "AVAILABLE",
        }

    def foundation_models(self, query: dict[str, str], region: str) -> Answer:
        """Answer ListFoundationModels."""
        _refuse_unknown(query, {"byProvider", "byOutputModality", "byInferenceType"})
        listed = [_details(model, region) for model in MODELS.values() if not model.has_ended(self._today())]
        if "byOutputModality" in query:
            listed = [model for model in listed if query["byOutputModality"] in model["outputModalities"]]
        if "byInferenceType" in query:
            listed = [model for model in listed if query["byInferenceType"] in model["inferenceTypesSupported"]]
        if "byProvider" in query:
            listed = [model for model in listed if model["providerName"].lower() == query["byProvider"].lower()]
        return {"modelSummaries": listed}

    def inference_profile(self, identifier: str, region: str) -> Answer:
        """Answer GetInferenceProfile. Raises: AwsError (ResourceNotFoundException) for an unknown one."""
        for profile in self._profiles(region):
            if identifier in {profile["inferenceProfileId"], profile["inferenceProfileArn"]}:
                return profile
        name = identifier.rpartition("/")[2]
        if name in PROFILES and name.partition(".")[0] not in {"global", *_REGIONS}:
            raise AwsError("ValidationException", f"The local AWS does not know which Regions {name} reaches")
        raise AwsError("ResourceNotFoundException", f"There is no inference profile {identifier!r} in {region}.", 404)

    def inference_profiles(self, query: dict[str, str], region: str) -> Answer:
        """Answer ListInferenceProfiles, all of them in one page."""
        _refuse_unknown(query, {"type", "maxResults"})
        kinds = [query["type"]] if "type" in query else ["SYSTEM_DEFINED", "APPLICATION"]
        listed = [profile for profile in self._profiles(region) if profile["type"] in kinds]
        if len(listed) > int(query.get("maxResults", 1000)):
            raise AwsError("ValidationException", "The local AWS does not answer ListInferenceProfiles in pages")
        return {"inferenceProfileSummaries": listed}

    def create_profile(self, body: dict[str, Any], region: str) -> Answer:
        """Answer CreateInferenceProfile. Raises: AwsError (ValidationException, ConflictException)."""
        check_types("bedrock", "CreateInferenceProfile", body)
        _refuse_unknown(body, {"inferenceProfileName", "description", "modelSource", "clientRequestToken", "tags"})
        name, source = str(body.get("inferenceProfileName")), (body.get("modelSource") or {}).get("copyFrom") or ""
        found = _SOURCE.fullmatch(source)
        model = found and (PROFILES.get(found[1]) or MODELS.get(found[1]))
        if not (_NAME.fullmatch(name) and found and model):
            raise AwsError("ValidationException", "The name or the model source of the inference profile is invalid.")
        with self._lock:
            if any(profile["inferenceProfileName"] == name for profile in self._applications.values()):
                raise AwsError("ConflictException", f"There is an inference profile named {name!r} already.")
            profile_id = new_id(12)
            arn = f"arn:aws:bedrock:{region}:{ACCOUNT}:application-inference-profile/{profile_id}"
            made = self.now().isoformat()
            self._applications[arn] = {
                **_profile(arn, profile_id, name, _models(found[1], model, region), "APPLICATION"),
                **({"description": body["description"]} if body.get("description") else {}),
                "createdAt": made,
                "updatedAt": made,
            }
            self._sources[arn] = found[1]
        return {"inferenceProfileArn": arn, "status": "ACTIVE"}

    def delete_profile(self, identifier: str, region: str) -> Answer:
        """Answer DeleteInferenceProfile. Raises: AwsError (ResourceNotFoundException) for an unknown one."""
        profile = self.inference_profile(identifier, region)
        with self._lock:
            if self._sources.pop(profile["inferenceProfileArn"], None) is None:
                raise AwsError("ValidationException", "A system-defined inference profile cannot be deleted.")
            del self._applications[profile["inferenceProfileArn"]]
        return {}

    def _profiles(self, region: str) -> list[Answer]:
        system = []
        for profile_id, model in PROFILES.items():
            geography = profile_id.partition(".")[0]
            if model.has_ended(self._today()) or region not in _REGIONS.get(geography, (region,)):
                continue
            if geography == "global" or geography in _REGIONS:
                arn = f"arn:aws:bedrock:{region}:{ACCOUNT}:inference-profile/{profile_id}"
                name = f"{geography.upper() if geography != 'global' else 'Global'} {model.provider} {model.name}"
                system.append(_profile(arn, profile_id, name, _models(profile_id, model, region), "SYSTEM_DEFINED"))
        with self._lock:
            own = [profile for arn, profile in self._applications.items() if arn.split(":")[3] == region]
        return system + own


def _models(source: str, model: FoundationModel, region: str) -> list[Answer]:
    """Return the ARNs that a caller's policy must allow; a global profile needs the one without a Region too."""
    geography = source.partition(".")[0] if source in PROFILES else ""
    regions = (region, "") if geography == "global" else _REGIONS.get(geography, (region,))
    return [{"modelArn": _arn(model, name)} for name in regions]


def _profile(arn: str, profile_id: str, name: str, models: list[Answer], kind: str) -> Answer:
    return {
        "inferenceProfileName": name,
        "inferenceProfileArn": arn,
        "inferenceProfileId": profile_id,
        "models": models,
        "status": "ACTIVE",
        "type": kind,
    }


def _arn(model: FoundationModel, region: str) -> str:
    return f"arn:aws:bedrock:{region}::foundation-model/{model.model_id}"


def _details(model: FoundationModel, region: str) -> Answer:
    lifecycle = {"status": "LEGACY" if model.end_of_life else "ACTIVE", "startOfLifeTime": _time(model.start_of_life)}
    if model.end_of_life:
        lifecycle["endOfLifeTime"] = _time(model.end_of_life)
    return {
        "modelArn": _arn(model, region),
        "modelId": model.model_id,
        "modelName": model.name,
        "providerName": model.provider,
        "outputModalities": ["TEXT"],
        "responseStreamingSupported": True,
        # AWS says INFERENCE_PROFILE where only a profile is callable; botocore's model does not have that word.
        "inferenceTypesSupported": ["ON_DEMAND"] if model.on_demand else [],
        "modelLifecycle": lifecycle,
    }


def _time(day: date) -> str:
    return datetime.combine(day, time(), UTC).isoformat()


def _refuse_unknown(given: dict[str, Any], known: set[str]) -> None:
    for name in given.keys() - known:
        raise AwsError("ValidationException", f"The local AWS does not answer this with {name!r}")
