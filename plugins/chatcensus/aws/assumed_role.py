"""The credentials of a role in another account, renewed before they end: botocore's own, entered from a session."""

import boto3
import botocore.session
from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials

from chatcensus.errors import SetupError

_SESSION_NAME = "chat-census"  # as CloudTrail of the other account shows it


def assumed(session: boto3.session.Session, role_arn: str) -> boto3.session.Session:
    """
    Return a session in *role_arn*, entered with the credentials of *session*, in its Region.

    Nothing is asked of AWS before the first call; a role that cannot be entered fails that call.
    Errors: SetupError when there are no credentials to enter it with.
    Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
    """
    own = session.get_credentials()
    if own is None:
        raise SetupError(f"there are no credentials to enter {role_arn!r} with: check the profile or the connection")
    fetcher = AssumeRoleCredentialFetcher(session.client, own, role_arn, {"RoleSessionName": _SESSION_NAME})
    entered = botocore.session.get_session()
    # Where Airflow's hook puts them too: botocore has no public place for credentials that renew themselves.
    credentials = DeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role")
    entered._credentials = credentials  # type: ignore[attr-defined]  # noqa: SLF001
    return boto3.session.Session(botocore_session=entered, region_name=session.region_name)
