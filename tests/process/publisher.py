"""Publish one edition in a process of its own, which ends without a word right before or after one of its calls."""

import os
import sys
from typing import Any

import boto3

from tests.aws.edition_files import Shelf, edition


class Killing:
    """A client of a process that ends before or after its call number *number*, counted over all its clients."""

    def __init__(self, client: Any, calls: list[str], number: int, moment: str, kill: Any) -> None:
        self._client, self._calls, self._number, self._moment, self._kill = client, calls, number, moment, kill

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if not callable(found) or name == "exceptions":
            return found

        def call(**request: Any) -> Any:
            self._calls.append(name)
            is_last = len(self._calls) == self._number
            if is_last and self._moment == "before":
                self._kill()
            try:
                return found(**request)
            finally:
                if is_last and self._moment == "after":
                    self._kill()

        return call


def dying_shelf(glue: Any, s3: Any, number: int, moment: str, kill: Any) -> tuple[Shelf, list[str]]:
    """Return a shelf whose publisher is killed at its call *number*, and the calls it has made."""
    calls: list[str] = []
    return Shelf(*(Killing(client, calls, number, moment, kill) for client in (glue, s3))), calls


if __name__ == "__main__":
    endpoint_url, hour, base, number, moment = sys.argv[1:]
    clients = [boto3.client(service, endpoint_url=endpoint_url) for service in ("glue", "s3")]
    made = edition(int(hour))
    prefixes = Shelf(*clients).write(made)
    shelf, _ = dying_shelf(*clients, int(number), moment, lambda: os._exit(9))
    shelf.publish(made, base, prefixes)
