"""A transaction that comes again with its token is not done again, which moto forgets. The caller holds the lock."""

import hashlib
import json
from typing import Any

from local_aws.aws_error import AwsError

# Source: TransactWriteItems of the API reference: a token is valid for 10 minutes after the request that used it.
_VALID_MICROS = 10 * 60 * 1_000_000


class Transactions:
    """Remember the tokens of the transactions that were done."""

    def __init__(self) -> None:
        self._done: dict[str, tuple[str, int]] = {}

    def clear(self) -> None:
        self._done.clear()

    def done(self, token: str, digest: str, at: int) -> None:
        """Remember one, done at *at* (microseconds since 1970), and forget those that are too old."""
        self._done[token] = digest, at
        self._done = {name: of for name, of in self._done.items() if at - of[1] < _VALID_MICROS}

    def is_repeat(self, token: str, digest: str, at: int) -> bool:
        """
        Say whether this very transaction was done already.

        Raises: AwsError (IdempotentParameterMismatchException) when another one had the token.
        """
        known, since = self._done.get(token, ("", at - _VALID_MICROS))
        if at - since >= _VALID_MICROS:
            return False
        if known != digest:
            raise AwsError(
                "IdempotentParameterMismatchException",
                "The request uses the same client token as a previous, but non-identical request.",
            )
        return True


def token_of(region: str, body: dict[str, Any]) -> list[str]:
    """Return the token of a TransactWriteItems, by Region, and a digest of all else; nothing where it has none."""
    token = body.get("ClientRequestToken")
    if not token:
        return []
    others = {name: value for name, value in body.items() if name != "ClientRequestToken"}
    return [f"{region} {token}", hashlib.sha256(json.dumps(others, sort_keys=True).encode()).hexdigest()]
