"""Which evaluations a person chooses to have made anew."""

from datetime import UTC, datetime
from typing import Any

import pytest

from chatcensus.conversation import Conversation
from chatcensus.errors import SetupError
from chatcensus.reevaluation import EXAMPLE, Where

EVALUATION = {
    "outcome": "evaluated",
    "category": "coding",
    "prompt_version": "0123456789ab",
    "model": "jp.anthropic.claude-haiku-5-5",
}
REFUSED = {"outcome": "quarantined", "reason": "refused", "prompt_version": "0123456789ab", "model": "nova"}


def conversation(created_at: str | None = "2026-10-01T00:00:00+00:00") -> Conversation:
    return Conversation("c1", (), created_at=datetime.fromisoformat(created_at) if created_at else None)


@pytest.mark.parametrize(
    ("text", "evaluation", "created_at", "is_match"),
    [
        pytest.param("category=coding", EVALUATION, None, True, id="category"),
        pytest.param("category=writing,coding", EVALUATION, None, True, id="one of several"),
        pytest.param(" category = writing , coding ; ", EVALUATION, None, True, id="white space"),
        pytest.param("category=writing", EVALUATION, None, False, id="another category"),
        pytest.param("category=coding", REFUSED, None, False, id="a quarantine has no category"),
        pytest.param("reason=refused", REFUSED, None, True, id="reason"),
        pytest.param("reason=truncated,refused", EVALUATION, None, False, id="a judgement has no reason"),
        pytest.param("prompt_version=0123456789ab", EVALUATION, None, True, id="version"),
        pytest.param("model=nova", REFUSED, None, True, id="model"),
        pytest.param("category=coding; model=nova", EVALUATION, None, False, id="every part must hold"),
        pytest.param("created_from=2026-10-01", EVALUATION, "2026-10-01T00:00:00+00:00", True, id="from, inclusive"),
        pytest.param("created_before=2026-10-01", EVALUATION, "2026-10-01T00:00:00+00:00", False, id="before, not at"),
        pytest.param(
            "created_from=2026-10-01T09:00:00+09:00", EVALUATION, "2026-09-30T23:59:59+00:00", False, id="zone"
        ),
        pytest.param("created_before=2027-01-01", EVALUATION, None, False, id="no time is in no range"),
        pytest.param("category=coding", {"category": {"a": 1}}, None, False, id="a category that is no text"),
    ],
)
def test_every_part_must_hold(text: str, evaluation: dict[str, Any], created_at: str | None, is_match: bool):
    assert Where.parse(text).matches(evaluation, conversation(created_at)) is is_match


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param("", "is empty: write one such as", id="nothing"),
        pytest.param(" ; ", "is empty", id="only separators"),
        pytest.param("coding", "'coding': a part is name=value, and the names are category, reason", id="no name"),
        pytest.param("colour=red", "'colour=red': a part is name=value", id="unknown name"),
        pytest.param("category=", "'category=': a value is missing", id="no value"),
        pytest.param("category=coding,", "'category=coding,': a value is missing", id="half a list"),
        pytest.param("category=a; category=b", "'category=b': category stands there twice", id="twice"),
        pytest.param("reason=bad", "'reason=bad': 'bad': a reason is one of truncated, refused", id="unknown reason"),
        pytest.param("prompt_version=v2", "12 hex digits", id="no version"),
        pytest.param("created_from=tomorrow", "'created_from=tomorrow': a time is written as", id="no time"),
        pytest.param("created_from=2026-10-02;created_before=2026-10-02", "must be later", id="an empty range"),
    ],
)
def test_a_condition_that_cannot_be_read_is_refused_with_its_part_and_the_remedy(text: str, complaint: str):
    with pytest.raises(SetupError, match=complaint):
        Where.parse(text)


@pytest.mark.parametrize("name", ["reason", "prompt_version", "created_from", "colour"])
@pytest.mark.parametrize("value", ["a\nb", "\ud800", "a" * 100_000], ids=["two lines", "half a character", "huge"])
def test_a_refusal_is_one_short_line_whatever_was_written(name: str, value: str):
    with pytest.raises(SetupError) as refused:
        Where.parse(f"{name}={value}")

    assert str(refused.value).encode().isascii()
    assert len(str(refused.value).splitlines()) == 1
    assert len(str(refused.value)) < 600


def test_the_example_can_be_read():
    assert Where.parse(EXAMPLE).created_from == datetime(2026, 10, 1, tzinfo=UTC)
