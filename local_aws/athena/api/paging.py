"""Pages of what has names."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from local_aws.athena.api.validation import invalid

if TYPE_CHECKING:
    from collections.abc import Iterable

_MOST_RESULTS = 50


def page(body: dict[str, Any], member: str, found: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """
    Return one page of *found* (name, description), in the order of names; a token is the last name of a page.

    Raises: AwsError InvalidRequestException for a token that no page gave.
    """
    size = body.get("MaxResults", _MOST_RESULTS)
    after = _name(body["NextToken"]) if "NextToken" in body else ""
    rest = sorted((pair for pair in found if pair[0] > after), key=lambda pair: pair[0])
    answer: dict[str, Any] = {member: [described for _, described in rest[:size]]}
    if len(rest) > size:
        answer["NextToken"] = base64.b64encode(rest[size - 1][0].encode()).decode()
    return answer


def _name(token: str) -> str:
    try:
        return base64.b64decode(token, validate=True).decode()
    except (binascii.Error, ValueError) as problem:
        raise invalid(f"The nextPageToken is malformed: {token}") from problem
