"""Where a request to Bedrock is made: in which Region, of which account. Quotas and prompt caches are of one place."""

import re

from moto.core import DEFAULT_ACCOUNT_ID
from moto.iam.models import get_account_id_from

from local_aws.wsgi import Request

_KEY = re.compile(r"Credential=([^/]+)/")
_OF_A_ROLE = "ASIA"  # how the access keys of assumed roles begin


def place_of(request: Request, region: str) -> str:
    """
    Return the Region that *request* was signed for, else *region*; before it `<account>/`, if a role of another has.

    The account is that of the role whose credentials signed, as moto's STS has given them out.
    """
    region = request.region or region
    key = _KEY.search(request.environ.get("HTTP_AUTHORIZATION", ""))
    if not (key and key[1].startswith(_OF_A_ROLE)):
        return region
    account = get_account_id_from(key[1])
    return region if account == DEFAULT_ACCOUNT_ID else f"{account}/{region}"
