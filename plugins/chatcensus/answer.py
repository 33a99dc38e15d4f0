"""
Read a model's answer: it is data, so it is accepted or rejected with a reason, and nothing in it can raise.

The order of the checks is the specification; the first thing wrong is the reason. Nothing is repaired or guessed.
"""

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum

from chatcensus.pricing import Usage
from chatcensus.strict_json import NotJson, count_objects, parse
from chatcensus.taxonomy import Taxonomy


class Reason(StrEnum):
    """Why a conversation could not be judged; none of them stands for a fault of the infrastructure."""

    TRUNCATED = "truncated"
    REFUSED = "refused"
    EMPTY = "empty"
    NOT_JSON = "not_json"
    EXTRA_TEXT = "extra_text"
    SEVERAL_OBJECTS = "several_objects"
    WRONG_TYPE = "wrong_type"
    MISSING_FIELD = "missing_field"
    EXTRA_FIELD = "extra_field"
    UNKNOWN_CATEGORY = "unknown_category"
    SCORE_OUT_OF_RANGE = "score_out_of_range"
    TOO_LARGE = "too_large"
    UNANSWERED = "unanswered"
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class Reply:
    """
    What one paid call gave back: the raw answer (tool input, or text), and what it cost in tokens.

    Shape: *is_batch* when it came by batch inference, which has prices of its own.
    """

    answer: object
    stop_reason: str | None
    usage: Usage
    answered_by: str
    is_batch: bool = False


@dataclass(frozen=True)
class Judgement:
    """What a valid answer says: one category of the taxonomy and an inquiry score from 1 to 5."""

    category: str
    inquiry_score: int


# The stop reasons that decide by themselves. The list is open on Bedrock's side: any other decides nothing.
_DECIDING_STOPS = {
    "max_tokens": Reason.TRUNCATED,
    "model_context_window_exceeded": Reason.TRUNCATED,
    "refusal": Reason.REFUSED,
    "content_filtered": Reason.REFUSED,
    "guardrail_intervened": Reason.REFUSED,
}
# The White_Space property of Unicode; str.strip() would also take the separators U+001C to U+001F.
_WHITE_SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
_FENCE = re.compile(r"```[^\W\d_]*+(.*)```", re.DOTALL)
_FIELDS = {"category", "inquiry_score"}


def read_answer(answer: object, stop_reason: str | None, taxonomy: Taxonomy) -> Judgement | Reason:
    """
    Return the judgement in *answer*, or the reason why there is none.

    Shape: *answer* is the tool's input (any JSON value, or its text), or the text of the reply; None when the reply
    holds neither. *stop_reason* is the reply's.
    Errors: none, for any input.
    """
    plain = read_object(answer, stop_reason)
    return plain if isinstance(plain, Reason) else _read_judgement(plain, taxonomy)


def read_object(answer: object, stop_reason: str | None) -> dict[str, object] | Reason:
    """
    Return the one JSON object that *answer* is, or the reason why it is none.

    Shape: as for `read_answer`. Errors: none, for any input.
    """
    if stop_reason in _DECIDING_STOPS:
        return _DECIDING_STOPS[stop_reason]
    if isinstance(answer, str):
        answer = _read_text(answer)
    if answer is None:
        return Reason.EMPTY
    if isinstance(answer, Reason):
        return answer
    return answer if isinstance(answer, dict) else Reason.WRONG_TYPE


def _read_text(text: str) -> object:
    """Return the one JSON value of *text*, or the reason why there is not exactly one."""
    text = text.removeprefix("\ufeff").strip(_WHITE_SPACE)
    if fenced := _FENCE.fullmatch(text):
        text = fenced[1].strip(_WHITE_SPACE)
    if not text:
        return Reason.EMPTY
    try:
        value = parse(text)
    except NotJson:
        return {0: Reason.NOT_JSON, 1: Reason.EXTRA_TEXT}.get(count_objects(text, at_most=2), Reason.SEVERAL_OBJECTS)
    return value if isinstance(value, dict) else Reason.WRONG_TYPE


def _read_judgement(answer: dict[str, object], taxonomy: Taxonomy) -> Judgement | Reason:
    if _FIELDS - answer.keys():
        return Reason.MISSING_FIELD
    if answer.keys() - _FIELDS:
        return Reason.EXTRA_FIELD
    category, inquiry_score = answer["category"], answer["inquiry_score"]
    if not isinstance(category, str) or type(inquiry_score) is not int:  # a bool is an int to isinstance
        return Reason.WRONG_TYPE
    key = unicodedata.normalize("NFKC", category).casefold()
    if key not in taxonomy.keys:
        return Reason.UNKNOWN_CATEGORY
    if not 1 <= inquiry_score <= 5:
        return Reason.SCORE_OUT_OF_RANGE
    return Judgement(key, inquiry_score)
