from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from chatcensus.conversation import Conversation, Turn
from chatcensus.mapping import Stored, TableMapping, read_time
from tests.fakes import MAPPING

OTHER = TableMapping(
    partition_key="pk", sort_key="sk", turns="log", role="who", text="words", user=None, created_at={"attribute": "at"}
)

attributes = st.recursive(
    st.none()
    | st.booleans()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.text(st.characters())
    | st.sets(st.text()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
turns = st.lists(st.fixed_dictionaries({}, optional={"role": attributes, "content": attributes}) | attributes)


def test_an_item_is_read_by_the_names_of_the_mapping():
    item = {
        "pk": "team",
        "sk": Decimal(7),
        "log": [{"who": "user", "words": "Hi", "at": "now"}, {"who": "assistant", "words": "Hello"}],
        "at": "2026-10-01T12:00:00+09:00",
        "user": "somebody",
    }

    assert OTHER.conversation(Stored(item, has_room=True)) == Conversation(
        "team/7", (Turn("user", "Hi"), Turn("assistant", "Hello")), None, datetime(2026, 10, 1, 3, tzinfo=UTC)
    )
    assert OTHER.key(item) == {"pk": "team", "sk": Decimal(7)}


def test_a_table_without_a_sort_key_has_a_key_of_one_part():
    assert MAPPING.key({"conversation_id": "c1", "turns": []}) == {"conversation_id": "c1"}


def test_the_turns_themselves_tell_a_change_unless_an_attribute_does():
    assert MAPPING.marker == "turns"
    assert MAPPING.model_copy(update={"change_marker": "updated_at"}).marker == "updated_at"


@pytest.mark.parametrize(
    "kept",
    [
        pytest.param("not a list", id="text"),
        pytest.param({"role": "user", "content": "Hi"}, id="one map"),
        pytest.param(["Hi"], id="list of texts"),
        pytest.param([{"role": "user"}], id="no text"),
        pytest.param([{"content": "Hi"}], id="no role"),
        pytest.param([{"role": "user", "content": [{"text": "Hi"}]}], id="blocks"),
        pytest.param([{"role": Decimal(1), "content": "Hi"}], id="role a number"),
        pytest.param(None, id="null"),
    ],
)
def test_turns_in_another_form_are_left_out(kept: object):
    assert MAPPING.conversation(Stored({"conversation_id": "c1", "turns": kept}, has_room=True)).turns == ()


def test_one_unreadable_turn_does_not_hide_the_others():
    kept = [None, {"role": "user", "content": "Hi"}, {"role": "user"}]

    assert MAPPING.conversation(Stored({"conversation_id": "c1", "turns": kept}, has_room=True)).turns == (
        Turn("user", "Hi"),
    )


@given(
    st.fixed_dictionaries(
        {"conversation_id": st.text(st.characters())},
        optional={"turns": turns | attributes, "user_id": attributes, "created_at": attributes, "language": attributes},
    )
)
def test_any_item_is_a_conversation(item: dict[str, Any]):
    conversation = MAPPING.conversation(Stored(item, has_room=True))

    assert conversation.conversation_id == item["conversation_id"]
    assert all(isinstance(turn.text, str) and isinstance(turn.role, str) for turn in conversation.turns)
    assert conversation.created_at is None or conversation.created_at.tzinfo is UTC
    assert len(conversation.content_hash) == 32


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-10-01T03:04:05Z", datetime(2026, 10, 1, 3, 4, 5, tzinfo=UTC)),
        ("2026-10-01T12:04:05+09:00", datetime(2026, 10, 1, 3, 4, 5, tzinfo=UTC)),
        ("2026-10-01T03:04:05.678Z", datetime(2026, 10, 1, 3, 4, 5, 678000, tzinfo=UTC)),
        ("2026-10-01T03:04:05", datetime(2026, 10, 1, 3, 4, 5, tzinfo=UTC)),
        ("2026-10-01", datetime(2026, 10, 1, tzinfo=UTC)),
        ("2028-02-29T23:59:59-01:00", datetime(2028, 3, 1, 0, 59, 59, tzinfo=UTC)),
    ],
)
def test_a_time_is_read_as_utc(text: str, time: datetime):
    assert read_time(text) == time
    assert read_time(text).tzinfo is UTC


@pytest.mark.parametrize(
    "value",
    [
        *(None, "", "yesterday", Decimal(1759287845), 1759287845, True, ["2026-10-01"], "２０２６-10-01", "\ud800"),
        *("2026-02-29", "2026-10-01T25:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"),
    ],
)
def test_anything_else_is_no_time(value: object):
    assert read_time(value) is None


@pytest.mark.parametrize("name", ["partition_key", "sort_key", "turns", "user", "created_at", "change_marker"])
def test_our_own_attribute_cannot_be_mapped(name: str):
    ours = {"attribute": "evaluation"} if name == "created_at" else "evaluation"

    with pytest.raises(ValidationError, match="the attribute 'evaluation' is the one that the census writes"):
        TableMapping.model_validate(MAPPING.model_dump() | {name: ours})


@pytest.mark.parametrize("wrong", [{"partition_key": ""}, {"turns": ""}, {"role": None}, {"partitions": 3}])
def test_a_mapping_with_a_hole_or_an_unknown_name_is_refused(wrong: dict[str, Any]):
    with pytest.raises(ValidationError):
        TableMapping.model_validate(MAPPING.model_dump() | wrong)
