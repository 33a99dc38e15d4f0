"""Which evaluations are made anew: a condition on what is stored, as a person writes it in one line."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chatcensus.answer import Reason
from chatcensus.conversation import Conversation
from chatcensus.errors import SetupError
from chatcensus.moment import read_iso

FIELDS = ("category", "reason", "prompt_version", "taxonomy_version", "model")
TIMES = ("created_from", "created_before")
_MOST_QUOTED = 80  # characters
EXAMPLE = "category=coding,writing; created_from=2026-10-01"


@dataclass(frozen=True)
class Where:
    """
    A condition on a stored evaluation and the conversation that it is about; all its parts must hold.

    Shape: *values* holds, for a name of FIELDS, what the evaluation may have there. *created_from* (inclusive) and
    *created_before* (exclusive) are in UTC.
    """

    values: Mapping[str, tuple[str, ...]]
    created_from: datetime | None = None
    created_before: datetime | None = None

    @classmethod
    def parse(cls, text: str) -> "Where":
        """
        Return the condition in *text*, such as `category=coding,writing; created_from=2026-10-01`.

        Shape: parts `name=value`, separated by semicolons; several values of one name, of which one must hold, by
        commas. A time without an offset is UTC.
        Errors: SetupError that names the part and says what may stand there.
        """
        values: dict[str, tuple[str, ...]] = {}
        times: dict[str, datetime] = {}
        for part in filter(None, map(str.strip, text.split(";"))):
            name, _, right = (side.strip() for side in part.partition("="))
            if name in values or name in times:
                raise _wrong(part, f"{name} stands there twice: write its values in one part, separated by commas")
            if name in FIELDS:
                values[name] = _values(part, name, right)
            elif name in TIMES:
                times[name] = _time(part, right)
            else:
                raise _wrong(part, f"a part is name=value, and the names are {', '.join(FIELDS + TIMES)}")
        if not values and not times:
            raise SetupError(f"the condition of a re-evaluation is empty: write one such as {EXAMPLE!r}")
        where = cls(values, **times)
        if where.created_from and where.created_before and where.created_from >= where.created_before:
            raise _wrong(text, "created_before must be later than created_from, or nothing can match")
        return where

    def matches(self, evaluation: Mapping[str, Any], conversation: Conversation) -> bool:
        """Return whether *evaluation*, as it is stored, and *conversation* fulfil every part."""
        return all(evaluation.get(name) in among for name, among in self.values.items()) and self._holds_for(
            conversation.created_at
        )

    def _holds_for(self, created_at: datetime | None) -> bool:
        if self.created_from is self.created_before is None:
            return True
        return (
            created_at is not None
            and (self.created_from is None or self.created_from <= created_at)
            and (self.created_before is None or created_at < self.created_before)
        )


def _values(part: str, name: str, text: str) -> tuple[str, ...]:
    values = tuple(value.strip() for value in text.split(","))
    if "" in values:
        raise _wrong(part, "a value is missing: write name=value, or name=value,value")
    is_of_the_name, remedy = _CHECKS.get(name, (lambda _: True, ""))
    for value in values:
        if not is_of_the_name(value):
            raise _wrong(part, f"{_quoted(value)}: {remedy}")
    return values


def _is_version(value: str) -> bool:
    return len(value) == 12 and set(value) <= set("0123456789abcdef")


_CHECKS: dict[str, tuple[Callable[[str], bool], str]] = {
    "reason": (lambda value: value in set(Reason), f"a reason is one of {', '.join(Reason)}"),
    "prompt_version": (_is_version, "a prompt version is 12 hex digits, as in the summary evaluation_quality"),
    "taxonomy_version": (_is_version, "a taxonomy version is 12 hex digits, as `chatcensus taxonomy show` prints it"),
}


def _time(part: str, text: str) -> datetime:
    time = read_iso(text)
    if time is None:
        raise _wrong(part, "a time is written as 2026-10-01 or 2026-10-01T09:00:00+09:00")
    return time


def _wrong(part: str, remedy: str) -> SetupError:
    return SetupError(f"the condition of the re-evaluation cannot be read at {_quoted(part)}: {remedy}")


def _quoted(text: str) -> str:
    """Return *text* as one short line, whatever is in it."""
    return repr(text[:_MOST_QUOTED])
