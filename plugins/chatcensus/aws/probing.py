"""Looks at many things at once and within a deadline; whatever stops a look is itself a finding."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointProviderError,
    HTTPClientError,
    InvalidRegionError,
    NoRegionError,
    ParamValidationError,
)
from botocore.exceptions import ConnectionError as NoConnection
from botocore.parsers import ResponseParserError

from chatcensus.doctor import Finding, fail, warn

# A run needs these; the others are asked by the doctor alone.
NEEDED = ("dynamodb", "s3", "glue", "athena")
SERVICES = (*NEEDED, "bedrock", "service-quotas", "sts")

_DENIED = {"AccessDenied", "AccessDeniedException", "403", "Forbidden"}
_NOT_KNOWN = {
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
    "RequestExpired",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}


@dataclass(frozen=True)
class Probe:
    """One look at a *service*; if it cannot be done, *check* says so, and names the *action* that it needs."""

    check: str
    service: str
    action: str
    look: Callable[[Any], Iterable[Finding]]


@dataclass
class _Answer:
    findings: list[Finding]
    is_whole: bool = False
    endpoint: str = ""  # that gave no answer


def made_clients(client: Callable[[str], Any]) -> dict[str, Any]:
    """Return the client of each service, or the exception that making it raised; made here, on one thread."""
    return {service: _made(client, service) for service in SERVICES}


def look_everywhere(probes: Sequence[Probe], clients: dict[str, Any], ends_at: float) -> list[Finding]:
    """Return what *probes* find until *ends_at* of the monotonic clock; who has not answered is told by its address."""
    answers = [_Answer([]) for _ in probes]
    # Threads that nobody waits for when the program ends: the look-up of a name cannot be interrupted.
    threads = [
        threading.Thread(target=_look, args=(probe, clients[probe.service], answer), daemon=True)
        for probe, answer in zip(probes, answers, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, ends_at - time.monotonic()))
    found: list[Finding] = []
    silent: dict[str, list[Probe]] = {}
    for probe, answer in zip(probes, answers, strict=True):
        if not answer.is_whole:
            silent.setdefault(answer.endpoint or clients[probe.service].meta.endpoint_url, []).append(probe)
        found += answer.findings
    return found + [_silence(endpoint, asked) for endpoint, asked in silent.items()]


def _made(client: Callable[[str], Any], service: str) -> Any:
    try:
        return client(service)
    except Exception as error:  # noqa: BLE001 - each probe of the service tells it
        return error


def _look(probe: Probe, client: Any, answer: _Answer) -> None:
    if isinstance(client, Exception):
        answer.findings.append(_hindrance(probe, client))
        answer.is_whole = True
        return
    try:
        for finding in probe.look(client):
            answer.findings.append(finding)
    except (HTTPClientError, NoConnection) as error:
        answer.endpoint = address_of(error)
        return
    except Exception as error:  # noqa: BLE001 - whatever it is, the other checks are told
        answer.findings.append(_hindrance(probe, error))
    answer.is_whole = True


def address_of(error: BotoCoreError) -> str:
    """Return where the request went, without its path: it may have been for credentials, and not for the probe."""
    url = urlsplit(str(error.kwargs.get("endpoint_url", "")))
    return f"{url.scheme}://{url.netloc}" if url.netloc else ""


def is_from_aws(error: ClientError) -> bool:
    """Return whether it was AWS that answered: a proxy refuses with an HTTP status, and none of AWS's headers."""
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    is_status = error.response["Error"]["Code"].isdecimal()
    return not is_status or any(name.lower().startswith("x-amz") for name in headers)


def _hindrance(probe: Probe, error: Exception) -> Finding:
    """Return what stopped a look, by its code or class: a message of AWS may quote the request."""
    kind = type(error).__name__
    match error:
        case ClientError() if is_from_aws(error):
            return _refusal(probe, error.operation_name, error.response["Error"]["Code"])
        case ClientError() | ResponseParserError():
            return fail("connection", "somebody answers who is not AWS", "check the proxy, and AWS_ENDPOINT_URL")
        case NoRegionError() | InvalidRegionError() | EndpointProviderError():
            remedy = "set AWS_DEFAULT_REGION, or region_name in the Airflow connection"
            return fail("region", f"none is set that AWS knows ({kind})", remedy)
        case ParamValidationError():
            return fail(probe.check, "AWS allows no such name", "correct the Airflow Variable that names it")
        case BotoCoreError():
            remedy = "at a shell set AWS_PROFILE or a role; in Airflow, the role of the connection"
            return fail("credentials", f"no credentials that can be used ({kind})", remedy)
        case ValueError() if str(error).startswith("Invalid endpoint"):  # botocore has no class for it
            return fail("connection", "the address of AWS is no address", "correct AWS_ENDPOINT_URL, or the Region")
    return fail(probe.check, f"could not be looked at ({kind})", "see docs/doctor.md")


def _refusal(probe: Probe, operation: str, code: str) -> Finding:
    if code in _DENIED:
        return warn(probe.check, f"not allowed to look: needs {probe.action}", f"allow {probe.action} to this role")
    if code in _NOT_KNOWN:
        remedy = "renew the credentials (such as `aws sso login`), or correct those of the Airflow connection"
        return fail("credentials", f"AWS refuses the credentials: {code}", remedy)
    return warn(probe.check, f"{operation} answered {code}", "run the doctor again in a minute")


def _silence(endpoint: str, asked: Sequence[Probe]) -> Finding:
    found = f"no answer from {endpoint}; not looked at: {', '.join(probe.check for probe in asked)}"
    if any(probe.service in NEEDED for probe in asked):
        return fail("connection", found, "open the way to it: a VPC endpoint, NAT or proxy; check AWS_ENDPOINT_URL")
    return warn("connection", found, "a run does without it; for these checks, open the way to it")
