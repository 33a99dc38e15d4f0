"""Lines of JSON as Python values that keep what was written: numbers as text, objects as pairs."""

from __future__ import annotations

import json
from typing import Any

from local_aws.athena.failures import Unsupported


class Number(str):
    """A number as it was written."""

    __slots__ = ()


class JsonObject(list):
    """The (name, value) pairs of an object."""

    def by_name(self) -> dict[str, Any]:
        """
        Return name in lower case -> value.

        Raises: Unsupported for a name that stands twice, in whatever case: readers choose different ones.
        """
        found = {name.lower(): value for name, value in self}
        if len(found) != len(self):
            raise Unsupported("a JSON object with one name twice, or in two cases")
        return found


def _no_number(text: str) -> None:
    raise json.JSONDecodeError("no JSON value", text, 0)


_DECODER = json.JSONDecoder(
    object_pairs_hook=JsonObject, parse_int=Number, parse_float=Number, parse_constant=_no_number
)


def parse(line: str) -> Any:
    """
    Return the value at the start of *line*; what stands after it is not looked at.

    Raises: json.JSONDecodeError.
    """
    return _DECODER.raw_decode(line.lstrip(" \t\r\n"))[0]
