from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from boto3.dynamodb.types import Binary
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from chatcensus.conversation import Conversation, Turn
from chatcensus.mapping import Stored, TableMapping
from chatcensus.moment import read_iso
from tests.fakes import MAPPING

OTHER = TableMapping(
    partition_key="pk", sort_key="sk", turns="log", role="who", text="words", user=None, created_at={"attribute": "at"}
)

TIME = datetime(2026, 10, 1, 3, 4, 5, tzinfo=UTC)


def mapping_with(**changes: object) -> TableMapping:
    """The mapping of the demo with some fields changed, validated."""
    return TableMapping.model_validate(MAPPING.model_dump() | changes)


FORMS = {
    "list": mapping_with(body={"key": "path", "bucket": "large"}),
    "tree": mapping_with(last_message="last"),
    "message": mapping_with(one_item_is="message", turns=None, sort_key="sk"),
}
texts = st.text(st.characters())
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


def read(mapping: TableMapping, item: dict[str, Any], **stored: Any) -> Conversation:
    """What *mapping* reads of *item*."""
    return mapping.conversation(Stored({"conversation_id": "c1", **item}, has_room=True, **stored))


@pytest.mark.parametrize(
    ("item", "problem"),
    [
        pytest.param({}, "attribute 'turns' is missing", id="missing"),
        pytest.param({"turns": None}, "attribute 'turns' is missing", id="null"),
        pytest.param({"turns": "secret"}, "attribute 'turns' is not JSON", id="text"),
        pytest.param({"turns": '{"a": "secret"}'}, "attribute 'turns' is not a list of messages", id="JSON of a map"),
        pytest.param({"turns": {"role": "user"}}, "attribute 'turns' is not a list of messages", id="one map"),
        pytest.param({"turns": Decimal(7)}, "attribute 'turns' is not a list of messages", id="number"),
        pytest.param({"turns": ["secret"]}, "a message is not a map with 'role' and 'content'", id="list of texts"),
        pytest.param({"turns": [{"role": "user"}]}, "a message has no text in 'content'", id="no text"),
        pytest.param({"turns": [{"content": "secret"}]}, "a message has no role in 'role'", id="no role"),
    ],
)
def test_turns_that_cannot_be_read_are_a_problem_that_names_the_attribute_and_shows_nothing(
    item: dict[str, Any], problem: str
):
    conversation = read(MAPPING, item)

    assert (conversation.turns, conversation.problem) == ((), problem)


@pytest.mark.parametrize("kept", [[], "[]"])
def test_no_turn_is_no_problem(kept: object):
    assert read(MAPPING, {"turns": kept}) == Conversation("c1", ())


@pytest.mark.parametrize("kept", [[{"role": "user", "content": "Hi"}], '[{"role": "user", "content": "Hi"}]'])
def test_turns_are_a_list_or_the_json_of_one(kept: object):
    assert read(MAPPING, {"turns": kept}).turns == (Turn("user", "Hi"),)


def test_a_conversation_that_becomes_readable_has_another_hash():
    assert read(MAPPING, {}).content_hash != read(MAPPING, {"turns": [{"role": "user", "content": "Hi"}]}).content_hash


IN_S3 = mapping_with(body={"key": "path", "bucket": "large"})
ITS_BUCKET = mapping_with(body={"key": "path", "bucket_attribute": "bucket"})


@pytest.mark.parametrize(
    ("mapping", "item", "pointer"),
    [
        pytest.param(MAPPING, {"path": "a/b"}, None, id="no body is mapped"),
        pytest.param(IN_S3, {"path": "a/b"}, ("large", "a/b"), id="a bucket for all"),
        pytest.param(IN_S3, {}, None, id="not a large one"),
        pytest.param(IN_S3, {"path": None}, None, id="null"),
        pytest.param(IN_S3, {"path": Decimal(1)}, None, id="a number"),
        pytest.param(IN_S3, {"path": ""}, None, id="no key"),
        pytest.param(ITS_BUCKET, {"path": "a/b", "bucket": "mine"}, ("mine", "a/b"), id="a bucket of its own"),
        pytest.param(ITS_BUCKET, {"path": "a/b"}, None, id="no bucket"),
        pytest.param(ITS_BUCKET, {"path": "a/b", "bucket": "arn:aws:s3:::mine"}, None, id="no name of a bucket"),
    ],
)
def test_an_item_may_point_to_its_turns_in_s3(mapping: TableMapping, item: dict[str, Any], pointer: object):
    assert mapping.body_pointer(item) == pointer


@pytest.mark.parametrize(
    ("item", "body", "turns", "problem"),
    [
        pytest.param({"path": "a"}, '[{"role": "user", "content": "S3"}]', "S3", None, id="the body counts"),
        pytest.param({}, None, "table", None, id="without a pointer the item counts"),
        pytest.param({"path": "a"}, None, None, "the S3 object that attribute 'path' names cannot be found", id="gone"),
        pytest.param({"path": 7}, None, None, "the S3 object that attribute 'path' names cannot be found", id="no key"),
        pytest.param({"path": "a"}, "secret", None, "attribute 'path' is not JSON", id="not JSON"),
    ],
)
def test_what_is_in_s3_is_read_in_the_place_of_the_item(
    item: dict[str, Any], body: str | None, turns: str | None, problem: str | None
):
    conversation = read(IN_S3, {"turns": [{"role": "user", "content": "table"}], **item}, body=body)

    assert conversation.turns == ((Turn("user", turns),) if turns else ())
    assert conversation.problem == problem


def test_the_messages_of_a_partition_key_are_one_conversation_of_what_the_first_says():
    mapping = mapping_with(
        one_item_is="message", turns=None, sort_key="n", user="who", created_at={"attribute": "n", "form": "epoch_s"}
    )
    messages = tuple(
        {"conversation_id": "a/b", "n": Decimal(n), "role": role, "content": "x", "who": f"u{n}"}
        for n, role in enumerate(["user", "assistant"])
    )

    assert mapping.conversation(Stored(messages[0], has_room=True, messages=messages)) == Conversation(
        "a/b", (Turn("user", "x"), Turn("assistant", "x")), "u0", datetime(1970, 1, 1, tzinfo=UTC)
    )
    assert mapping.marker == "content"


@given(st.tuples(texts, texts), st.tuples(texts, texts))
def test_two_keys_have_two_conversation_ids(one: tuple[str, str], other: tuple[str, str]):
    ids = {OTHER.conversation_id({"pk": partition, "sk": sort}) for partition, sort in (one, other)}

    assert len(ids) == len({one, other})


def test_a_conversation_id_is_the_key():
    assert MAPPING.conversation_id({"conversation_id": "a/b%"}) == "a/b%"
    assert OTHER.conversation_id({"pk": "a/b%", "sk": "c/d%"}) == "a%2Fb%25/c/d%"
    assert OTHER.conversation_id({"pk": Decimal(7), "sk": Binary(b"\x00\xff")}) == "7/00ff"


@pytest.mark.parametrize(
    ("value", "user"),
    [
        *(("ann", "ann"), (Decimal(7), "7"), (Binary(b"\x01"), "01")),
        *((None, None), ("", None), ({"name": "ann"}, None), (["ann"], None), (True, None)),
    ],
)
def test_a_user_is_a_name_or_a_number(value: object, user: str | None):
    assert read(MAPPING, {"user_id": value}).user == user


@pytest.mark.parametrize(
    ("form", "value", "time"),
    [
        pytest.param("epoch_s", Decimal(1_790_823_845), TIME, id="seconds"),
        pytest.param("epoch_s", "1790823845", TIME, id="seconds as text"),
        pytest.param("epoch_s", Decimal("1790823845.5"), TIME.replace(microsecond=500_000), id="half a second"),
        pytest.param("epoch_ms", Decimal(1_790_823_845_000), TIME, id="milliseconds"),
        pytest.param("epoch_ms", "1790823845000#0", TIME, id="what is before the mark"),
        pytest.param("iso", "2026-10-01T03:04:05Z#0", TIME, id="ISO before the mark"),
        pytest.param("epoch_s", Decimal(1_790_823_845_000), None, id="milliseconds are not seconds"),
        *(
            pytest.param("epoch_s", value, None, id=repr(value))
            for value in ("", "NaN", "Infinity", "1_0", " 1", "１", "x", True, None, [Decimal(1)], "9" * 5000)
        ),
        *(pytest.param("iso", value, None, id=f"iso {value!r}") for value in (Decimal(2026), "yesterday", None)),
    ],
)
def test_created_at_is_read_in_the_form_that_the_mapping_says(form: str, value: object, time: datetime | None):
    mapping = mapping_with(created_at={"attribute": "at", "form": form, "before": "#"})

    assert read(mapping, {"at": value}).created_at == time


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({}, True),
        *(({"begins_with": "chat#"}, True), ({"begins_with": "user#"}, False)),
        *(({"contains": "#C"}, True), ({"contains": "#D"}, False)),
        *(({"equals": "chat#C1"}, True), ({"equals": "chat#C"}, False)),
        ({"begins_with": "chat#", "contains": "D"}, False),
    ],
)
def test_only_items_that_fulfil_every_condition_are_conversations(condition: dict[str, str], holds: bool):
    mapping = mapping_with(only=[{"attribute": "pk", **condition}])

    assert mapping.is_conversation({"pk": "chat#C1"}) == holds
    assert not mapping.is_conversation({"other": "chat#C1"})
    assert mapping.is_conversation({"pk": Decimal(1)}) == (not condition)


@given(
    st.fixed_dictionaries(
        {"conversation_id": st.text(st.characters()), "sk": st.text(st.characters())},
        optional={
            **dict.fromkeys(("user_id", "created_at", "language", "last", "path", "role", "content"), attributes),
            "turns": turns | attributes,
        },
    ),
    st.none() | texts,
    st.sampled_from(["list", "tree", "message"]),
)
def test_any_item_is_a_conversation(item: dict[str, Any], body: str | None, form: str):
    mapping = FORMS[form]

    conversation = mapping.conversation(Stored(item, has_room=True, body=body))

    assert conversation.conversation_id == item["conversation_id"]
    assert all(isinstance(turn.text, str) and isinstance(turn.role, str) for turn in conversation.turns)
    assert conversation.problem is None or not conversation.turns
    assert conversation.user is None or conversation.user
    assert conversation.created_at is None or conversation.created_at.tzinfo is UTC
    assert len(conversation.content_hash) == 32
    mapping.body_pointer(item)
    mapping.is_conversation(item)


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
    assert read_iso(text) == time
    assert read_iso(text).tzinfo is UTC


@pytest.mark.parametrize(
    "value",
    [
        *(None, "", "yesterday", Decimal(1759287845), 1759287845, True, ["2026-10-01"], "２０２６-10-01", "\ud800"),
        *("2026-02-29", "2026-10-01T25:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"),
    ],
)
def test_anything_else_is_no_time(value: object):
    assert read_iso(value) is None


@pytest.mark.parametrize(
    "ours",
    [
        *({name: "evaluation"} for name in ("partition_key", "sort_key", "turns", "user", "department", "language")),
        *({name: "evaluation"} for name in ("app_model", "app_tokens", "change_marker", "last_message")),
        *({name: {"attribute": "evaluation"}} for name in ("created_at",)),
        {"only": [{"attribute": "evaluation"}]},
        {"body": {"key": "evaluation", "bucket": "large"}},
        {"one_item_is": "message", "turns": None, "sort_key": "n", "text": "evaluation"},
    ],
    ids=lambda ours: next(reversed(ours)),
)
def test_our_own_attribute_cannot_be_mapped(ours: dict[str, Any]):
    with pytest.raises(ValidationError, match="the attribute 'evaluation' is the one that the census writes"):
        mapping_with(**ours)


def pending(attribute: str) -> dict[str, object]:
    return {"strategy": "pending-index", "index": "pending", "attribute": attribute, "values": ["1"]}


DAYS = {"strategy": "date-index", "index": "by-day", "first_day": "2026-01-01"}
ONE_MESSAGE = {"one_item_is": "message", "turns": None, "sort_key": "n"}


@pytest.mark.parametrize(
    ("wrong", "field", "remedy"),
    [
        pytest.param({"turns": None}, "turns", "name the attribute that holds the turns", id="no turns"),
        pytest.param(ONE_MESSAGE | {"exports": "incremental"}, "exports", "say full", id="messages in increments"),
        pytest.param(ONE_MESSAGE | {"sort_key": None}, "one_item_is", "add sort_key", id="messages without an order"),
        pytest.param(ONE_MESSAGE | {"turns": "turns"}, "turns", "remove it", id="messages and turns"),
        pytest.param(ONE_MESSAGE | {"change_marker": "at"}, "change_marker", "remove it", id="messages and a marker"),
        pytest.param(ONE_MESSAGE | {"last_message": "last"}, "last_message", "remove it", id="messages and a tree"),
        pytest.param(ONE_MESSAGE | {"body": {"key": "k", "bucket": "large"}}, "body", "remove it", id="messages in S3"),
        pytest.param(ONE_MESSAGE | {"partition": DAYS}, "partition", "the only strategy is scan", id="messages by day"),
        pytest.param(
            ONE_MESSAGE | {"partition": pending("p")}, "partition", "the only strategy is scan", id="messages by index"
        ),
        *(
            pytest.param({"partition": pending(attribute)}, "partition", "must be none that is mapped", id=attribute)
            for attribute in ("conversation_id", "turns", "user_id", "created_at", "language", "evaluation")
        ),
        pytest.param({"body": {"key": "k"}}, "body", "name one bucket", id="a body without a bucket"),
        pytest.param(
            {"body": {"key": "k", "bucket": "large", "bucket_attribute": "b"}}, "body", "name one", id="two buckets"
        ),
    ],
)
def test_what_makes_no_sense_together_is_refused_at_its_field(wrong: dict[str, Any], field: str, remedy: str):
    with pytest.raises(ValidationError) as raised:
        mapping_with(**wrong)

    [error] = raised.value.errors(include_input=False, include_url=False)
    assert error["loc"][0] == field
    assert remedy in error["msg"]


@pytest.mark.parametrize(
    "wrong",
    [
        *(
            {"partition_key": ""},
            {"sort_key": ""},
            {"user": ""},
            {"turns": ""},
            {"role": None},
            {"partitions": 3},
            {"roles": {"human": "person"}},
        ),
        *({"body": {"key": "k", "bucket": "No Bucket"}}, {"created_at": {"attribute": "at", "form": "epoch"}}),
    ],
)
def test_a_mapping_with_a_hole_or_an_unknown_name_is_refused(wrong: dict[str, Any]):
    with pytest.raises(ValidationError):
        mapping_with(**wrong)
