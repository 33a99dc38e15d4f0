"""
Workgroups and prepared statements as Athena keeps them: what moto lacks of them, put into moto.

There they share its lock, and the journal that every change goes through. Written against moto 5.2.5, held by
tests/sql/test_athena_workgroups.py. Source: the API model of Athena and the API reference of each action; observed on
the live service in September 2026: github.com/aoyagikouhei/athena-local, docs/dev/measurements/work-groups.md.
"""

from __future__ import annotations

import json
import re
import time
from typing import Any

from moto.athena.models import WorkGroup
from moto.athena.responses import AthenaResponse
from moto.core.exceptions import JsonRESTError

from local_aws.athena.api.paging import page
from local_aws.athena.api.validation import checked
from local_aws.aws_error import AwsError

ENGINE = "Athena engine version 3"
_NAME = re.compile(r"[a-zA-Z0-9._-]{1,128}")
_LEAST_CUTOFF = 10_000_000
_FLAGS = {
    "EnforceWorkGroupConfiguration", "PublishCloudWatchMetricsEnabled", "RequesterPaysEnabled",
    "EnableMinimumEncryptionConfiguration",
}  # fmt: skip
_SETTINGS = {*_FLAGS, "BytesScannedCutoffPerQuery", "EngineVersion", "ResultConfiguration"}
_RESULT_SETTINGS = ("OutputLocation", "EncryptionConfiguration", "ExpectedBucketOwner", "AclConfiguration")


def request_of(response: AthenaResponse) -> dict[str, Any]:
    """Return the JSON object that was sent, as Athena reads it."""
    try:
        return checked(response._get_action(), json.loads(response.body or "{}"))  # noqa: SLF001 - it has no other
    except AwsError as problem:
        raise _as_moto(problem) from problem


def refused(message: str, code: str = "InvalidRequestException") -> JsonRESTError:
    """Return the error that moto turns into the reply."""
    members = {"AthenaErrorCode": "INVALID_INPUT", "ErrorCode": "INVALID_INPUT"}
    return _as_moto(AwsError(code, message, members=members if code == "InvalidRequestException" else None))


def _as_moto(problem: AwsError) -> JsonRESTError:
    error = JsonRESTError(problem.code, problem.message)
    error.description = json.dumps({"__type": problem.code, **problem.members, "Message": problem.message})
    return error


def paged(response: AthenaResponse, member: str, found: list[tuple[str, Any]]) -> str:
    """Return one page of *found* as the reply of a List action."""
    try:
        return json.dumps(page(request_of(response), member, found))
    except AwsError as problem:
        raise _as_moto(problem) from problem


def _check(settings: dict[str, Any], known: set[str]) -> None:
    unknown = sorted(set(settings) - known)
    if unknown:
        raise refused(f"LOCAL_AWS_UNSUPPORTED: workgroup setting {unknown[0]}")
    cutoff = settings.get("BytesScannedCutoffPerQuery")
    if cutoff is not None and cutoff < _LEAST_CUTOFF:
        raise refused(f"BytesScannedCutoffPerQuery must be at least {_LEAST_CUTOFF}, is {cutoff}")
    engine = (settings.get("EngineVersion") or {}).get("SelectedEngineVersion", "AUTO")
    if engine not in ("AUTO", ENGINE):
        raise refused(f"LOCAL_AWS_UNSUPPORTED: engine version {engine!r}; there is {ENGINE!r}")


def group_of(response: AthenaResponse) -> WorkGroup:
    """Return the workgroup that a request names."""
    group = response.athena_backend.work_groups.get(request_of(response)["WorkGroup"])
    if group is None:
        raise refused("WorkGroup is not found.")
    return group


def _engine(group: WorkGroup) -> dict[str, str]:
    selected = (group.configuration.get("EngineVersion") or {}).get("SelectedEngineVersion", "AUTO")
    return {"SelectedEngineVersion": selected, "EffectiveEngineVersion": ENGINE}


def _summary(group: WorkGroup) -> dict[str, Any]:
    return {"Name": group.name, "State": group.state, "CreationTime": group.created}


def _create(response: AthenaResponse) -> str:
    request = request_of(response)
    name, settings = request.get("Name") or "", request.get("Configuration") or {}
    if not _NAME.fullmatch(name):
        raise refused(f"Name must match {_NAME.pattern}, is {name[:130]!r}")
    _check(settings, _SETTINGS)
    group = response.athena_backend.create_work_group(
        name, dict(settings), request.get("Description") or "", request.get("Tags") or []
    )
    if group is None:
        raise refused(f"WorkGroup {name} is already created")
    return "{}"


def _get(response: AthenaResponse) -> str:
    group = group_of(response)
    # Only the list says of a group without a description that it is empty.
    described = {**_summary(group), **({"Description": group.description} if group.description else {})}
    settings = {"ResultConfiguration": {}, **group.configuration}
    return json.dumps({"WorkGroup": {**described, "Configuration": {**settings, "EngineVersion": _engine(group)}}})


def _list(response: AthenaResponse) -> str:
    groups = response.athena_backend.work_groups.values()
    entries = [
        (group.name, {**_summary(group), "Description": group.description or "", "EngineVersion": _engine(group)})
        for group in groups
    ]
    return paged(response, "WorkGroups", entries)


def _update(response: AthenaResponse) -> str:
    group, request = group_of(response), request_of(response)
    updates = dict(request.get("ConfigurationUpdates") or {})
    state = request.get("State")
    if state not in (None, "ENABLED", "DISABLED"):
        raise refused(f"State must be ENABLED or DISABLED, is {state!r}")
    of_results = dict(updates.pop("ResultConfigurationUpdates", None) or {})
    drops_cutoff = updates.pop("RemoveBytesScannedCutoffPerQuery", False)
    _check(updates, _SETTINGS - {"ResultConfiguration"})
    configuration = {**group.configuration, **updates}
    if drops_cutoff:
        configuration.pop("BytesScannedCutoffPerQuery", None)
    results = {**(configuration.get("ResultConfiguration") or {})}
    for key in _RESULT_SETTINGS:
        if of_results.get(f"Remove{key}"):
            results.pop(key, None)
        elif key in of_results:
            results[key] = of_results[key]
    group.configuration = {**configuration, "ResultConfiguration": results}
    group.state = state or group.state
    group.description = request.get("Description", group.description)
    return "{}"


def _delete(response: AthenaResponse) -> str:
    name, backend = group_of(response).name, response.athena_backend
    if name == "primary":
        raise refused("The primary workgroup cannot be deleted")
    prepared = [key for key in backend.prepared_statements if key[0] == name]
    if prepared and not request_of(response).get("RecursiveDeleteOption"):
        raise refused(f"WorkGroup {name} is not empty")
    for key in prepared:
        del backend.prepared_statements[key]
    backend.delete_work_group(name)
    return "{}"


_plain_init = WorkGroup.__init__


def _init_with_time(group: WorkGroup, *given: Any, **named: Any) -> None:
    _plain_init(group, *given, **named)
    group.created = time.time()  # moto says that every workgroup is made now


WorkGroup.__init__ = _init_with_time
AthenaResponse.create_work_group = _create
AthenaResponse.get_work_group = _get
AthenaResponse.list_work_groups = _list
AthenaResponse.update_work_group = _update
AthenaResponse.delete_work_group = _delete
