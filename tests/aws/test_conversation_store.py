"""The conversation table: every item is read once, and a write happens only while its three conditions hold."""

import logging
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from threading import Barrier

import pytest
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from chatcensus.answer import Judgement, Reason
from chatcensus.aws.conversation_store import ConversationStore
from chatcensus.aws.item_size import MAX_ITEM_BYTES, ROOM_BYTES, item_bytes
from chatcensus.errors import StoreBusy
from chatcensus.evaluation import Evaluation, of_previous
from chatcensus.mapping import Stored, TableMapping
from chatcensus.partition import PendingIndex, ScanPart
from chatcensus.tally import Outcome
from tests.aws.lost_replies import losing_the_first_reply

TABLE = "chat-conversations"
CANARY = "canary-4711-の会話"
MAPPING = TableMapping(partition_key="conversation_id", turns="turns", role="role", text="content", user="user_id")
MARKED = MAPPING.model_copy(update={"change_marker": "updated_at"})
TURNS = {"L": [{"M": {"role": {"S": "user"}, "content": {"S": CANARY}}}]}
LONGER = {"L": [*TURNS["L"], {"M": {"role": {"S": "user"}, "content": {"S": f"{CANARY} again"}}}]}
EVALUATION = Evaluation(
    key="0123456789abcdef0123456789abcdef",
    verdict=Judgement("coding", 3),
    content_hash="f" * 32,
    prompt_version="a" * 12,
    taxonomy_version="b" * 12,
    model="stand-in",
    answered_by="stand-in",
    attempts=1,
    input_tokens=700,
    output_tokens=20,
    cost_micro_usd=88,
    is_clipped=False,
    user_pseudonym="0123456789abcdef",
    run_id="manual__1",
    evaluated_at=datetime(2026, 11, 22, 3, 4, 5, tzinfo=UTC),
)
# Every type of DynamoDB, with the widest values that each can hold.
ALL_TYPES = {
    "text": {"S": '改行\n"quoted" \u0000 😀'},
    "empty": {"S": ""},
    "digits": {"N": "12345678901234567890123456789012345678"},
    "fraction": {"N": "-0.00000000000000000000000000000000000001"},
    "largest": {"N": "9.9999999999999999999999999999999999999E+125"},
    "smallest": {"N": "1E-130"},
    "binary": {"B": bytes(range(256))},
    "yes": {"BOOL": True},
    "nothing": {"NULL": True},
    "words": {"SS": ["a", "b", "改"]},
    "numbers": {"NS": ["1", "2.5", "-3"]},
    "blobs": {"BS": [b"\x00", b"\xff\xfe"]},
    "list": {"L": [{"S": "x"}, {"L": [{"M": {"deep": {"L": [{"NULL": True}, {"B": b"\x80"}]}}}]}]},
    "map": {"M": {"a.b": {"N": "7"}, "#key": {"M": {}}}},
}


@pytest.fixture
def dynamodb(local_aws):
    local_aws.create_stack()
    return local_aws.client("dynamodb")


@pytest.fixture
def store(dynamodb):
    return ConversationStore(dynamodb, TABLE, MAPPING)


def _put(dynamodb, key="c1", **attributes):
    item = {"conversation_id": {"S": key}, "turns": TURNS} | attributes
    dynamodb.put_item(TableName=TABLE, Item={name: value for name, value in item.items() if value})


def _get(dynamodb, key="c1"):
    answer = dynamodb.get_item(TableName=TABLE, Key={"conversation_id": {"S": key}}, ConsistentRead=True)
    return answer.get("Item")


def _stored_evaluation(dynamodb):
    return (_get(dynamodb) or {}).get("evaluation")


def _serialized(evaluation):
    return TypeSerializer().serialize(evaluation.attribute())


def _one(store):
    [stored] = _read(store)
    return stored


def _read(store):
    return [stored for stored in store.read() if stored]


# Reading


@pytest.mark.parametrize("segments", [1, 3, 16])
def test_the_segments_together_read_every_item_once_over_many_pages(dynamodb, segments):
    keys = [f"c{number:02}" for number in range(48)]
    for key in keys:
        _put(dynamodb, key, padding={"S": "x" * 60_000})  # 3 MB: pages end at 1 MB

    stores = [
        ConversationStore(dynamodb, TABLE, MAPPING, ScanPart(segment=number, segments=segments))
        for number in range(segments)
    ]
    read = [stored.item["conversation_id"] for store in stores for stored in _read(store)]

    assert sorted(read) == keys


def test_every_page_is_read_consistently(dynamodb):
    for number in range(20):
        _put(dynamodb, f"c{number}", padding={"S": "x" * 120_000})
    requests = []

    def note(params, **_):
        requests.append(params)

    dynamodb.meta.events.register("provide-client-params.dynamodb.Scan", note)
    list(ConversationStore(dynamodb, TABLE, MAPPING, ScanPart(segment=0, segments=2)).read())
    dynamodb.meta.events.unregister("provide-client-params.dynamodb.Scan", note)

    assert len(requests) > 1
    assert all(request["ConsistentRead"] is True for request in requests)
    assert {(request["Segment"], request["TotalSegments"]) for request in requests} == {(0, 2)}


def test_an_item_is_read_as_it_is_when_its_page_is_asked_for(dynamodb, store):
    for number in range(20):
        _put(dynamodb, f"c{number:02}", padding={"S": "x" * 120_000})
    reading = store.read()
    seen = {next(reading).item["conversation_id"]}

    for number in range(20):
        _put(dynamodb, f"c{number:02}", language={"S": "ja"})
    later = [stored.item for stored in reading if stored]

    assert len(seen | {item["conversation_id"] for item in later}) == 20
    assert any(item.get("language") == "ja" for item in later)


def test_an_empty_table_has_nothing_to_read(store):
    assert _read(store) == []


def test_an_item_of_every_type_can_be_read(dynamodb, store):
    _put(dynamodb, **ALL_TYPES)

    item = _one(store).item

    assert item.keys() == {"conversation_id", "turns", *ALL_TYPES}
    assert {name: item[name] for name in ALL_TYPES} == {
        name: TypeDeserializer().deserialize(value) for name, value in ALL_TYPES.items()
    }


# Writing


def test_a_judgement_is_written_beside_its_conversation(dynamodb, store):
    _put(dynamodb)

    outcome = store.write(_one(store), EVALUATION)

    assert outcome is Outcome.EVALUATED
    assert _get(dynamodb) == {
        "conversation_id": {"S": "c1"},
        "turns": TURNS,
        "evaluation": _serialized(EVALUATION),
    }


def test_a_quarantine_is_written_the_same_way(dynamodb, store):
    _put(dynamodb)

    outcome = store.write(_one(store), replace(EVALUATION, verdict=Reason.TRUNCATED, user_pseudonym=None))

    written = _stored_evaluation(dynamodb)["M"]
    assert outcome is Outcome.EVALUATED
    assert written["reason"] == {"S": "truncated"}
    assert not written.keys() & {"category", "inquiry_score", "user_pseudonym"}


def test_no_other_attribute_changes_by_a_byte(dynamodb, store):
    _put(dynamodb, **ALL_TYPES)
    before = _get(dynamodb)

    outcome = store.write(_one(store), EVALUATION)

    after = _get(dynamodb)
    assert outcome is Outcome.EVALUATED
    assert after.pop("evaluation") == _serialized(EVALUATION)
    assert after == before


def test_turns_of_every_type_still_count_as_unchanged(dynamodb, store):
    _put(dynamodb, turns={"L": [*TURNS["L"], {"M": ALL_TYPES}]})

    assert store.write(_one(store), EVALUATION) is Outcome.EVALUATED


def test_only_the_item_with_both_keys_is_written(local_aws):
    client = local_aws.client("dynamodb")
    client.create_table(
        TableName="sorted",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "n", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "n", "AttributeType": "N"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    for number in ("1", "2"):
        client.put_item(TableName="sorted", Item={"pk": {"S": "a"}, "n": {"N": number}, "turns": TURNS})
    mapping = MAPPING.model_copy(update={"partition_key": "pk", "sort_key": "n"})
    store = ConversationStore(client, "sorted", mapping)
    [second] = [stored for stored in _read(store) if stored.item["n"] == 2]

    outcome = store.write(second, EVALUATION)

    judged = [item["n"]["N"] for item in client.scan(TableName="sorted")["Items"] if "evaluation" in item]
    assert outcome is Outcome.EVALUATED
    assert judged == ["2"]


# The three conditions


def test_a_deleted_conversation_stays_deleted(dynamodb, store):
    _put(dynamodb)
    stored = _one(store)
    dynamodb.delete_item(TableName=TABLE, Key={"conversation_id": {"S": "c1"}})

    outcome = store.write(stored, EVALUATION)

    assert outcome is Outcome.DELETED
    assert dynamodb.scan(TableName=TABLE)["Count"] == 0


@pytest.mark.parametrize(
    ("mapping", "before", "after", "outcome"),
    [
        pytest.param(MAPPING, {}, {"turns": LONGER}, Outcome.CHANGED, id="another turn"),
        pytest.param(MAPPING, {}, {"turns": None}, Outcome.CHANGED, id="the turns are gone"),
        pytest.param(MAPPING, {"turns": None}, {"turns": TURNS}, Outcome.CHANGED, id="the turns came"),
        pytest.param(MAPPING, {"turns": None}, {"turns": None}, Outcome.EVALUATED, id="never any turns"),
        pytest.param(
            MAPPING, {"turns": {"S": "text"}}, {"turns": {"S": "text"}}, Outcome.EVALUATED, id="turns as text"
        ),
        pytest.param(MAPPING, {}, {"title": {"S": "new"}}, Outcome.EVALUATED, id="another attribute"),
        pytest.param(
            MARKED, {"updated_at": {"N": "1"}}, {"updated_at": {"N": "2"}}, Outcome.CHANGED, id="another marker"
        ),
        pytest.param(
            MARKED,
            {"updated_at": {"N": "1"}},
            {"updated_at": {"S": "1"}},
            Outcome.CHANGED,
            id="a marker of another type",
        ),
        pytest.param(
            MARKED, {"updated_at": {"N": "1"}}, {"updated_at": {"N": "1.0"}}, Outcome.EVALUATED, id="the same number"
        ),
        pytest.param(
            MARKED,
            {"updated_at": {"N": "1"}},
            {"updated_at": {"N": "1"}, "turns": LONGER},
            Outcome.EVALUATED,
            id="the marker decides, not the turns",
        ),
        pytest.param(MARKED, {}, {"updated_at": {"N": "1"}}, Outcome.CHANGED, id="the marker came"),
        pytest.param(MARKED, {"updated_at": {"N": "1"}}, {}, Outcome.CHANGED, id="the marker is gone"),
    ],
)
def test_a_conversation_that_went_on_is_not_given_the_old_judgement(dynamodb, mapping, before, after, outcome):
    store = ConversationStore(dynamodb, TABLE, mapping)
    _put(dynamodb, **before)
    stored = _one(store)
    _put(dynamodb, **after)
    unjudged = _get(dynamodb)

    found = store.write(stored, EVALUATION)

    assert found is outcome
    if outcome is Outcome.CHANGED:
        assert _get(dynamodb) == unjudged


def test_who_was_first_with_a_key_stays(dynamodb, store):
    _put(dynamodb)
    stored = _one(store)
    first = replace(EVALUATION, run_id="manual__0", verdict=Judgement("writing", 5))
    store.write(stored, first)

    outcome = store.write(stored, EVALUATION)

    assert outcome is Outcome.ALREADY_EVALUATED
    assert _stored_evaluation(dynamodb) == _serialized(first)


@pytest.mark.parametrize(
    "earlier",
    [
        pytest.param(_serialized(replace(EVALUATION, content_hash="e" * 32)), id="of another text"),
        pytest.param({"M": {}}, id="an empty map"),
        pytest.param({"M": {"content_hash": {"N": "1"}}}, id="a hash of another type"),
        pytest.param({"S": EVALUATION.content_hash}, id="a text"),
        pytest.param({"NULL": True}, id="null"),
        pytest.param({"L": []}, id="a list"),
    ],
)
def test_an_earlier_evaluation_is_replaced_whole(dynamodb, store, earlier):
    _put(dynamodb, evaluation=earlier)

    outcome = store.write(_one(store), EVALUATION)

    assert outcome is Outcome.EVALUATED
    assert _stored_evaluation(dynamodb) == _serialized(EVALUATION)


def test_our_own_lost_reply_is_success(local_aws, dynamodb):
    _put(dynamodb)

    with losing_the_first_reply(local_aws.endpoint_url, "dynamodb", "UpdateItem") as client:
        store = ConversationStore(client, TABLE, MAPPING)
        outcome = store.write(_one(store), EVALUATION)

    assert outcome is Outcome.EVALUATED
    assert _stored_evaluation(dynamodb) == _serialized(EVALUATION)


def test_the_like_evaluation_of_another_try_in_the_same_second_is_not_our_own(dynamodb, store):
    _put(dynamodb)
    stored = _one(store)
    store.write(stored, EVALUATION)

    outcome = store.write(stored, replace(EVALUATION, evaluated_at=EVALUATION.evaluated_at.replace(microsecond=1)))

    assert outcome is Outcome.ALREADY_EVALUATED
    assert _stored_evaluation(dynamodb) == _serialized(EVALUATION)


def test_our_lost_reply_of_a_conversation_that_then_went_on_is_a_change(dynamodb, store):
    _put(dynamodb)
    stored = _one(store)
    store.write(stored, EVALUATION)
    _put(dynamodb, turns=LONGER, evaluation=_stored_evaluation(dynamodb))

    assert store.write(stored, EVALUATION) is Outcome.CHANGED


def test_of_sixteen_writers_at_once_one_wins_and_the_others_learn_it(dynamodb, store):
    _put(dynamodb)
    stored, together = _one(store), Barrier(16)

    def write(number):
        together.wait()
        return store.write(stored, replace(EVALUATION, run_id=f"run {number}"))

    with ThreadPoolExecutor(16) as pool:
        outcomes = list(pool.map(write, range(16)))

    assert sorted(outcomes) == [Outcome.ALREADY_EVALUATED] * 15 + [Outcome.EVALUATED]
    winner = outcomes.index(Outcome.EVALUATED)
    assert _stored_evaluation(dynamodb)["M"]["run_id"] == {"S": f"run {winner}"}


# Re-evaluation

ANEW = replace(
    EVALUATION,
    key="9" * 32,
    prompt_version="c" * 12,
    verdict=Judgement("writing", 5),
    run_id="manual__2",
    previous=of_previous(EVALUATION.attribute()),
)


def test_a_reevaluation_replaces_what_it_has_read_and_keeps_what_it_was(dynamodb, store):
    _put(dynamodb, evaluation=_serialized(EVALUATION))

    outcome = store.write(_one(store), ANEW)

    assert outcome is Outcome.EVALUATED
    assert _stored_evaluation(dynamodb) == _serialized(ANEW)
    assert _stored_evaluation(dynamodb)["M"]["previous"]["M"]["category"] == {"S": "coding"}


def test_a_quarantine_is_replaced_under_the_same_key(dynamodb, store):
    refused = replace(EVALUATION, verdict=Reason.REFUSED)
    _put(dynamodb, evaluation=_serialized(refused))
    judged = replace(EVALUATION, run_id="manual__2", previous=of_previous(refused.attribute()))

    assert store.write(_one(store), judged) is Outcome.EVALUATED
    assert _stored_evaluation(dynamodb) == _serialized(judged)


@pytest.mark.parametrize("now", [replace(EVALUATION, run_id="manual__3"), ANEW], ids=["another", "this very one"])
def test_a_reevaluation_leaves_what_it_has_not_read(dynamodb, store, now):
    _put(dynamodb, evaluation=_serialized(EVALUATION))
    stored = _one(store)
    _put(dynamodb, evaluation=_serialized(now))

    outcome = store.write(stored, ANEW)

    assert outcome is (Outcome.EVALUATED if now is ANEW else Outcome.ALREADY_EVALUATED)
    assert _stored_evaluation(dynamodb) == _serialized(now)


def test_a_first_evaluation_that_comes_late_never_replaces_a_reevaluation(dynamodb, store):
    _put(dynamodb)
    frozen = _one(store)
    _put(dynamodb, evaluation=_serialized(ANEW))

    assert store.write(frozen, EVALUATION) is Outcome.ALREADY_EVALUATED
    assert _stored_evaluation(dynamodb) == _serialized(ANEW)


# The index of what is pending

PENDING = MAPPING.model_copy(
    update={"partition": PendingIndex(strategy="pending-index", index="pending", attribute="is_pending", values=("1",))}
)


def test_the_write_takes_the_conversation_out_of_the_index_of_what_is_pending(dynamodb):
    _put(dynamodb, is_pending={"S": "1"}, title={"S": "t"})
    stored = _one(ConversationStore(dynamodb, TABLE, MAPPING))

    outcome = ConversationStore(dynamodb, TABLE, PENDING).write(stored, EVALUATION)

    assert outcome is Outcome.EVALUATED
    assert _get(dynamodb).keys() == {"conversation_id", "turns", "title", "evaluation"}


def test_what_went_on_meanwhile_stays_in_the_index_of_what_is_pending(dynamodb):
    _put(dynamodb, is_pending={"S": "1"})
    stored, store = _one(ConversationStore(dynamodb, TABLE, MAPPING)), ConversationStore(dynamodb, TABLE, PENDING)
    _put(dynamodb, is_pending={"S": "1"}, turns=LONGER)

    assert store.write(stored, EVALUATION) is Outcome.CHANGED
    store.release(stored)

    assert _get(dynamodb)["is_pending"] == {"S": "1"}


@pytest.mark.parametrize(
    ("mapping", "attributes", "left"),
    [
        pytest.param(PENDING, {"is_pending": {"S": "1"}}, {"evaluation"}, id="taken out"),
        pytest.param(PENDING, {}, {"evaluation"}, id="not in it"),
        pytest.param(MAPPING, {"is_pending": {"S": "1"}}, {"evaluation", "is_pending"}, id="no such index"),
    ],
)
def test_what_needs_nothing_is_taken_out_of_the_index_and_nothing_else_changes(dynamodb, mapping, attributes, left):
    _put(dynamodb, evaluation=_serialized(EVALUATION), **attributes)
    stored = _one(ConversationStore(dynamodb, TABLE, MAPPING))

    ConversationStore(dynamodb, TABLE, mapping).release(stored)

    assert _get(dynamodb).keys() == {"conversation_id", "turns"} | left


def test_a_deleted_conversation_is_not_brought_back_to_be_taken_out_of_an_index(dynamodb):
    _put(dynamodb, is_pending={"S": "1"})
    stored = _one(ConversationStore(dynamodb, TABLE, MAPPING))
    dynamodb.delete_item(TableName=TABLE, Key={"conversation_id": {"S": "c1"}})

    ConversationStore(dynamodb, TABLE, PENDING).release(stored)

    assert _get(dynamodb) is None


# One item is a message

MESSAGES = TableMapping(
    partition_key="conversation_id", sort_key="n", one_item_is="message", role="role", text="content"
)


@pytest.fixture
def messages(local_aws):
    client = local_aws.client("dynamodb")
    client.create_table(
        TableName="messages",
        KeySchema=[
            {"AttributeName": "conversation_id", "KeyType": "HASH"},
            {"AttributeName": "n", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": "conversation_id", "AttributeType": "S"},
            {"AttributeName": "n", "AttributeType": "N"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    for number in range(3):
        _say(client, number)
    return client


def _say(client, number, text=CANARY):
    message = {"role": {"S": "assistant" if number % 2 else "user"}, "content": {"S": text}}
    client.put_item(TableName="messages", Item={"conversation_id": {"S": "c1"}, "n": {"N": str(number)}, **message})


def _unsay(client, number):
    client.delete_item(TableName="messages", Key={"conversation_id": {"S": "c1"}, "n": {"N": str(number)}})


def _carriers(client):
    items = client.scan(TableName="messages", ConsistentRead=True)["Items"]
    return [item["n"]["N"] for item in items if "evaluation" in item]


def test_the_evaluation_of_messages_is_on_the_first_of_them(messages):
    store = ConversationStore(messages, "messages", MESSAGES)

    assert store.write(_one(store), EVALUATION) is Outcome.EVALUATED
    assert _carriers(messages) == ["0"]
    assert store.write(_one(store), replace(EVALUATION, run_id="manual__2")) is Outcome.ALREADY_EVALUATED


@pytest.mark.parametrize(
    ("event", "outcome"),
    [
        pytest.param(lambda client: _say(client, 3), Outcome.CHANGED, id="another message"),
        pytest.param(lambda client: _say(client, -1), Outcome.CHANGED, id="one before the first"),
        pytest.param(lambda client: _say(client, 1, "other words"), Outcome.CHANGED, id="another text in the middle"),
        pytest.param(lambda client: _say(client, 0, "other words"), Outcome.CHANGED, id="another first text"),
        pytest.param(lambda client: _unsay(client, 2), Outcome.CHANGED, id="the last is gone"),
        pytest.param(lambda client: [_unsay(client, n) for n in range(3)], Outcome.DELETED, id="all are gone"),
    ],
)
def test_messages_that_went_on_are_not_given_the_old_judgement(messages, event, outcome):
    store = ConversationStore(messages, "messages", MESSAGES)
    stored = _one(store)
    event(messages)

    assert store.write(stored, EVALUATION) is outcome
    assert _carriers(messages) == []


# Conversation text stays where it is


@pytest.mark.parametrize("outcome", [Outcome.CHANGED, Outcome.ALREADY_EVALUATED, Outcome.DELETED])
def test_a_false_condition_shows_no_conversation(dynamodb, store, caplog, capfd, outcome):
    caplog.set_level(logging.INFO)
    _put(dynamodb)
    stored = _one(store)
    if outcome is Outcome.CHANGED:
        _put(dynamodb, turns=LONGER)
    elif outcome is Outcome.ALREADY_EVALUATED:
        store.write(stored, replace(EVALUATION, run_id="manual__0"))
    else:
        dynamodb.delete_item(TableName=TABLE, Key={"conversation_id": {"S": "c1"}})

    assert store.write(stored, EVALUATION) is outcome

    assert CANARY not in caplog.text
    assert CANARY not in "".join(capfd.readouterr())


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("ProvisionedThroughputExceededException", StoreBusy),
        ("InternalServerError", StoreBusy),
        ("ThrottlingException", StoreBusy),
        ("ValidationException", ClientError),
        ("AccessDeniedException", ClientError),
    ],
)
def test_any_other_refusal_is_raised_without_the_conversation(dynamodb, store, code, error):
    _put(dynamodb)
    stored = _one(store)

    with Stubber(dynamodb) as stubber:
        stubber.add_client_error("update_item", service_error_code=code)
        with pytest.raises(error, match=code) as caught:
            store.write(stored, EVALUATION)

    assert CANARY not in "".join(traceback.format_exception(caught.value))
    assert CANARY not in repr(getattr(caught.value, "response", ""))
    assert _stored_evaluation(dynamodb) is None


def test_a_table_that_is_gone_is_an_error_and_not_a_deleted_conversation(dynamodb, store):
    _put(dynamodb)
    stored = _one(store)
    dynamodb.delete_table(TableName=TABLE)

    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        store.write(stored, EVALUATION)


# Room


def test_an_item_near_the_limit_takes_an_evaluation(dynamodb, store):
    _put(dynamodb, padding={"S": "x" * 400_000})
    stored = _one(store)

    outcome = store.write(stored, EVALUATION)

    assert stored.has_room
    assert outcome is Outcome.EVALUATED


def _read_back(dynamodb, item):
    """Read an item that only the real service could hold: moto's limit is 405,000 bytes, DynamoDB's 409,600."""
    with Stubber(dynamodb) as stubber:
        stubber.add_response("scan", {"Items": [item], "Count": 1, "ScannedCount": 1})
        return _one(ConversationStore(dynamodb, TABLE, MAPPING))


@pytest.mark.parametrize("evaluation", [{}, {"evaluation": _serialized(EVALUATION)}], ids=["pending", "judged before"])
def test_there_is_room_exactly_as_long_as_the_widest_evaluation_fits(dynamodb, evaluation):
    others = item_bytes({"conversation_id": {"S": "c1"}, "padding": {"S": ""}, "evaluation": {"NULL": True}})
    most = MAX_ITEM_BYTES - ROOM_BYTES - others

    stored = [
        _read_back(dynamodb, {"conversation_id": {"S": "c1"}, "padding": {"S": "x" * size}} | evaluation)
        for size in (most, most + 1)
    ]

    assert [isinstance(found, Stored) and found.has_room for found in stored] == [True, False]


def test_the_widest_evaluation_fits_in_the_room_kept_for_it():
    widest = replace(
        EVALUATION,
        verdict=Judgement("c" * 40, 5),
        model="arn:aws:bedrock:ap-northeast-1:123456789012:application-inference-profile/" + "p" * 64,
        answered_by="arn:aws:bedrock:ap-northeast-1:123456789012:application-inference-profile/" + "p" * 64,
        attempts=10**9,
        input_tokens=10**12,
        output_tokens=10**12,
        cost_micro_usd=10**15,
        run_id="改" * 250,  # Airflow's longest
        evaluated_at=datetime(2026, 11, 22, 3, 4, 5, 999_999, tzinfo=UTC),
    )
    widest = replace(widest, previous=of_previous(widest.attribute()))

    assert item_bytes({"evaluation": _serialized(widest)}) <= ROOM_BYTES


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ({"S": "改行"}, 6),
        ({"S": ""}, 0),
        ({"B": b"\x00\xff"}, 2),
        ({"BOOL": False}, 1),
        ({"NULL": True}, 1),
        ({"L": []}, 3),
        ({"M": {}}, 3),
        ({"L": [{"S": "ab"}, {"BOOL": True}]}, 3 + (1 + 2) + (1 + 1)),
        ({"M": {"k": {"S": "ab"}}}, 3 + 1 + (1 + 2)),
    ],
    ids=str,
)
def test_sizes_are_those_of_the_developer_guide(value, size):
    assert item_bytes({"名": value}) == 3 + size


@pytest.mark.parametrize(
    ("number", "least"),
    [
        ("0", 1),
        ("7", 2),
        ("-7", 3),
        ("1234", 3),
        ("0.5", 2),
        ("-0.5", 3),
        ("12345678901234567890123456789012345678", 20),
    ],
)
def test_a_number_is_never_taken_for_smaller_than_it_is(number, least):
    assert least <= item_bytes({"": {"N": number}}) <= 21


@pytest.mark.parametrize(
    "values",
    [{"SS": ["ab", "c"]}, {"BS": [b"ab", b"c"]}, {"NS": ["1", "-22"]}],
    ids=["SS", "BS", "NS"],
)
def test_a_set_is_never_taken_for_smaller_than_its_members(values):
    [(kind, members)] = values.items()

    assert item_bytes({"": values}) >= sum(item_bytes({"": {kind[0]: member}}) for member in members)


def test_texts_are_counted_as_the_local_dynamodb_counts_them(dynamodb):
    def padded(to_bytes):
        bare = {"conversation_id": {"S": "c1"}, "改": {"S": "行"}, "binary": {"B": b"\xff" * 1_000}}
        return bare | {"p": {"S": "x" * (to_bytes - item_bytes(bare) - 1)}}

    dynamodb.put_item(TableName=TABLE, Item=padded(405_000))

    assert item_bytes(padded(405_000)) == 405_000
    with pytest.raises(ClientError, match="Item size has exceeded"):
        dynamodb.put_item(TableName=TABLE, Item=padded(405_001))
