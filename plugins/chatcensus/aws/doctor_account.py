"""Who asks, in which Region, and whether this machine's clock is right."""

from collections.abc import Callable, Iterator
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from chatcensus.aws.probing import Probe
from chatcensus.doctor import Finding, fail, ok, warn

if TYPE_CHECKING:
    from mypy_boto3_sts import STSClient

# Where an inference profile may be called from, by how its id and the name of the Region begin.
_GEOGRAPHIES = {
    "jp": ("ap-northeast-1", "ap-northeast-3"),
    "au": ("ap-southeast-2", "ap-southeast-4"),
    "apac": ("ap-",),
    "eu": ("eu-",),
    "us": ("us-", "ca-"),
}
# AWS refuses what was signed more than 5 minutes off; claims of segments have 2 minutes to spare.
_WARN_S, _FAIL_S = 60, 300


def account_probes(model: str, now: Callable[[], datetime]) -> Iterator[Probe]:
    """Yield the looks at account, Region and clock."""
    yield Probe("identity", "sts", "sts:GetCallerIdentity", lambda sts: _identity(sts, now))
    yield Probe("region", "dynamodb", "", lambda client: [_region(client.meta.region_name, model)])


def _identity(sts: "STSClient", now: Callable[[], datetime]) -> Iterator[Finding]:
    try:
        caller = sts.get_caller_identity()
    except ClientError as error:
        yield from _clock(error.response, now)  # a wrong clock is why AWS refuses a signature
        raise
    yield from _clock(caller, now)
    kind, _, name = caller["Arn"].rpartition(":")[2].partition("/")
    who = f"{kind} {name.partition('/')[0]}".strip()  # the session, after the role, may be a person's name
    told = f"account {caller['Account']}, {who}"
    if kind == "root":
        yield warn("identity", f"{told}: may do everything", "use a role with the policies of deploy/")
    else:
        yield ok("identity", told)


def _clock(response: Any, now: Callable[[], datetime]) -> Iterator[Finding]:
    """
    Yield how far this clock is from AWS's.

    Source: a signature is valid for five minutes,
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html
    """
    sent = response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    if not sent:
        return
    off_s = int((now() - parsedate_to_datetime(sent)).total_seconds())
    told = f"{abs(off_s)} s {'ahead of' if off_s > 0 else 'behind'} AWS" if off_s else "right"
    remedy = "let the clock be set by NTP (chrony, or Amazon Time Sync at 169.254.169.123)"
    if abs(off_s) > _FAIL_S:
        yield fail("clock", f"{told}: AWS refuses requests that are more than {_FAIL_S} s off", remedy)
    elif abs(off_s) > _WARN_S:
        yield warn("clock", f"{told}: claims of segments allow for {_WARN_S} s", remedy)
    else:
        yield ok("clock", told)


def _region(region: str, model: str) -> Finding:
    geography = model.partition(".")[0]
    may = _GEOGRAPHIES.get(geography)
    if may and not region.startswith(may):
        found = f"{region}: models whose id begins with {geography}. are called from {', '.join(may)} only"
        return fail(
            "region", found, f"choose another model in chatcensus_model (global. ...), or a Region {geography}. knows"
        )
    return ok("region", region)
