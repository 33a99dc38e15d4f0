"""A segment is read whole, as it is now, however the table behaves meanwhile; what is left out is counted by name."""

from collections import Counter
from datetime import UTC, datetime
from itertools import chain, pairwise

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, IncompleteReadError

from chatcensus.aws.busy import PATIENCE_S
from chatcensus.aws.reading import SegmentReader
from chatcensus.errors import SetupError, StoreBusy
from chatcensus.evaluation import ATTRIBUTE
from chatcensus.interval import Window
from chatcensus.mapping import Body, Only, TableMapping
from chatcensus.partition import IndexPart, Range, ScanPart
from tests.aws.indexed_table import MAPPING, TABLE, TURNS, create, put, put_day

DAY = "2026-11-01"
BY_DAY = IndexPart(index="by-day", key="day", sort="created_at", ranges=(Range(value=DAY),))
PENDING = IndexPart(index="pending", key="pending", sort="created_at", ranges=(Range(value="1"),))
ONLY_CHATS = MAPPING.model_copy(update={"only": (Only(attribute="id", begins_with="chat"),)})


@pytest.fixture
def dynamodb(local_aws):
    client = local_aws.client("dynamodb")
    create(client)
    return client


class Refusing:
    """A client that refuses the first requests of one operation."""

    def __init__(self, client, operation, *errors):
        self._client, self._operation, self._errors = client, operation, list(errors)

    def __getattr__(self, name):
        return self._refuse if name == self._operation else getattr(self._client, name)

    def _refuse(self, **request):
        if self._errors:
            raise self._errors.pop(0)
        return getattr(self._client, self._operation)(**request)


def _refused(code="ProvisionedThroughputExceededException", operation="Scan"):
    return ClientError({"Error": {"Code": code, "Message": ""}}, operation)


def _reader(dynamodb, part=None, mapping=MAPPING, **named):
    return SegmentReader(dynamodb, TABLE, mapping, part or ScanPart(), sleep=lambda _: None, **named)


def _ids(reader):
    return [stored.item["id"] for stored in reader.read() if stored]


# Scan


def test_items_of_another_application_are_not_sent_but_counted(dynamodb):
    for name in ("chat-1", "chat-2", "bill-1", "bill-2", "bill-3"):
        put(dynamodb, name, f"{DAY}T00:00:00Z")

    reader = _reader(dynamodb, mapping=ONLY_CHATS)

    assert sorted(_ids(reader)) == ["chat-1", "chat-2"]
    assert +reader.skipped == Counter(other_item=3)


@pytest.mark.parametrize("condition", [{"equals": "true"}, {"begins_with": "t"}, {"contains": "r"}])
def test_a_condition_that_a_boolean_fulfils_as_text_is_not_lost_in_the_scan(dynamodb, condition):
    for name, value in {"text": {"S": "true"}, "yes": {"BOOL": True}, "no": {"BOOL": False}, "one": {"N": "1"}}.items():
        put(dynamodb, name, f"{DAY}T00:00:00Z", is_chat=value)

    reader = _reader(dynamodb, mapping=MAPPING.model_copy(update={"only": (Only(attribute="is_chat", **condition),)}))

    assert sorted(_ids(reader)) == ["text", "yes"]
    assert +reader.skipped == Counter(other_item=2)


def test_a_page_without_conversations_gives_the_claim_its_turn(dynamodb):
    for number in range(20):
        put(dynamodb, f"bill-{number}", f"{DAY}T00:00:00Z", padding={"S": "x" * 120_000})

    turns = list(_reader(dynamodb, mapping=ONLY_CHATS).read())

    assert len(turns) >= 3
    assert set(turns) == {None}


@pytest.mark.parametrize(
    "error",
    [_refused(), _refused("ThrottlingException"), EndpointConnectionError(endpoint_url="http://127.0.0.1")],
    ids=["throttled", "requests throttled", "no connection"],
)
def test_a_page_that_is_refused_is_asked_for_again_and_none_is_lost(dynamodb, error):
    for number in range(20):
        put(dynamodb, f"c{number:02}", f"{DAY}T00:00:00Z", padding={"S": "x" * 120_000})
    reader = _reader(Refusing(dynamodb, "scan", error, error, error))

    read = list(reader.read())

    assert read[:3] == [None, None, None]
    assert sorted(stored.item["id"] for stored in read if stored) == [f"c{number:02}" for number in range(20)]


def test_a_table_that_stays_busy_is_given_up_after_ten_minutes(dynamodb):
    waited = []
    refusing = Refusing(dynamodb, "scan", *[_refused() for _ in range(1000)])

    with pytest.raises(StoreBusy, match=r"nothing could be read for 6.. s"):
        list(SegmentReader(refusing, TABLE, MAPPING, ScanPart(), sleep=waited.append).read())

    assert sum(waited) >= PATIENCE_S
    assert max(waited) <= 20


def test_another_error_is_not_waited_for(dynamodb):
    with pytest.raises(ClientError, match="AccessDenied"):
        list(_reader(Refusing(dynamodb, "scan", _refused("AccessDeniedException"))).read())


# Index


def test_the_ranges_of_an_index_are_read_half_open(dynamodb):
    put_day(dynamodb, DAY, 9)
    borders = [None, {"S": f"{DAY}T00:00:03Z"}, {"S": f"{DAY}T00:00:06Z"}, None]

    read = [
        _ids(_reader(dynamodb, BY_DAY.model_copy(update={"ranges": (Range(value=DAY, start=start, end=end),)})))
        for start, end in pairwise(borders)
    ]

    assert [len(ids) for ids in read] == [3, 3, 3]
    assert sorted(chain(*read)) == [f"{DAY}-{number:03}" for number in range(9)]


def test_many_entries_are_read_a_hundred_items_at_a_time(dynamodb):
    put_day(dynamodb, DAY, 230)

    assert len(set(_ids(_reader(dynamodb, BY_DAY)))) == 230


def test_an_entry_of_an_item_that_is_gone_is_dropped_and_counted(dynamodb):
    put_day(dynamodb, DAY, 3)

    class Stale(Refusing):
        def _refuse(self, **request):
            answer = dynamodb.query(**request)
            dynamodb.delete_item(TableName=TABLE, Key={"id": {"S": f"{DAY}-001"}})
            return answer

    reader = _reader(Stale(dynamodb, "query"), BY_DAY)

    assert _ids(reader) == [f"{DAY}-000", f"{DAY}-002"]
    assert +reader.skipped == Counter(deleted=1)


def test_an_item_that_has_left_the_index_meanwhile_is_not_read(dynamodb):
    put_day(dynamodb, DAY, 2)

    class Stale(Refusing):
        def _refuse(self, **request):
            answer = dynamodb.query(**request)
            put(dynamodb, f"{DAY}-001", f"{DAY}T00:00:01Z", pending=None)
            return answer

    reader = _reader(Stale(dynamodb, "query"), PENDING)

    assert _ids(reader) == [f"{DAY}-000"]
    assert +reader.skipped == Counter(left_index=1)


def test_an_item_that_the_index_shows_twice_is_read_once(dynamodb):
    put_day(dynamodb, DAY, 3)

    class Twice(Refusing):
        def _refuse(self, **request):
            answer = dynamodb.query(**request)
            return answer | {"Items": [*answer["Items"], *answer["Items"]]}

    assert len(_ids(_reader(Twice(dynamodb, "query"), BY_DAY))) == 3


def test_keys_that_were_not_processed_are_asked_for_again(dynamodb):
    put_day(dynamodb, DAY, 9)

    class Partial(Refusing):
        def _refuse(self, **request):
            asked = request["RequestItems"][TABLE]
            some, rest = asked["Keys"][:2], asked["Keys"][2:]
            answer = dynamodb.batch_get_item(RequestItems={TABLE: asked | {"Keys": some}})
            return answer | {"UnprocessedKeys": {TABLE: asked | {"Keys": rest}} if rest else {}}

    assert len(_ids(_reader(Partial(dynamodb, "batch_get_item"), BY_DAY))) == 9


def test_keys_of_which_none_is_processed_are_waited_for(dynamodb):
    put_day(dynamodb, DAY, 1)

    class Nothing(Refusing):
        def _refuse(self, **request):
            return {"Responses": {}, "UnprocessedKeys": request["RequestItems"]}

    with pytest.raises(StoreBusy, match="ThrottlingException"):
        _ids(_reader(Nothing(dynamodb, "batch_get_item"), BY_DAY))


def test_an_index_that_is_gone_since_the_plan_is_named(dynamodb):
    dynamodb.update_table(TableName=TABLE, GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "by-day"}}])

    with pytest.raises(SetupError, match=r"index 'by-day' of table 'indexed' is not as it was .* clear plan"):
        _ids(_reader(dynamodb, BY_DAY))


def test_an_index_is_read_with_as_many_items_as_it_has_entries(local_aws, dynamodb):
    put_day(dynamodb, DAY, 40)
    for number in range(40):
        put(dynamodb, f"judged-{number}", f"{DAY}T00:00:00Z", pending=None)

    _ids(_reader(dynamodb, PENDING))

    reads = local_aws.stats()["dynamodb_reads"]
    assert reads[TABLE]["items"] == reads[f"{TABLE}/pending"]["items"] == 40


# Messages


MESSAGES = TableMapping.model_validate(
    {
        "partition_key": "chat",
        "sort_key": "at",
        "one_item_is": "message",
        "role": "role",
        "text": "content",
        "only": [{"attribute": "role"}],
        "created_at": {"attribute": "at"},
    }
)


@pytest.fixture
def messages(local_aws):
    client = local_aws.client("dynamodb")
    client.create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "chat", "KeyType": "HASH"}, {"AttributeName": "at", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("chat", "at")],
        BillingMode="PAY_PER_REQUEST",
    )
    return client


def _say(client, chat, number, **attributes):
    item = {
        "chat": {"S": chat},
        "at": {"S": f"{DAY}T00:00:{number:02}Z"},
        "role": {"S": "user"},
        "content": {"S": f"canary {chat} {number}"},
    }
    client.put_item(TableName=TABLE, Item=item | attributes)


def _chats(reader):
    return {stored.item["chat"]: [item["at"][-3:-1] for item in stored.messages] for stored in reader.read() if stored}


def test_the_messages_of_a_key_are_one_conversation_over_the_ends_of_pages(messages):
    for chat in ("a", "b", "c"):
        for number in range(12):
            _say(messages, chat, number, padding={"S": "x" * 120_000})

    chats = _chats(_reader(messages, mapping=MESSAGES))

    assert chats == {chat: [f"{number:02}" for number in range(12)] for chat in ("a", "b", "c")}


def test_messages_of_another_kind_are_left_out_and_counted(messages):
    _say(messages, "a", 0)
    messages.put_item(TableName=TABLE, Item={"chat": {"S": "a"}, "at": {"S": "title"}})

    reader = _reader(messages, mapping=MESSAGES)

    assert _chats(reader) == {"a": ["00"]}
    assert +reader.skipped == Counter(other_item=1)


class CutByHand(Refusing):
    """A client whose scan gives each message of a conversation to another segment."""

    def _refuse(self, **request):
        request.pop("Segment"), request.pop("TotalSegments")
        answer = self._client.scan(**request)
        items = answer["Items"][self.segment :: 2]
        return {"Items": items, "ScannedCount": len(items)}


@pytest.mark.parametrize("judged", [False, True])
def test_a_conversation_cut_by_segments_belongs_to_the_one_with_its_first_message(messages, judged):
    for number in range(4):
        _say(messages, "a", number)
    if judged:
        evaluation = {"M": {"content_hash": {"S": "0" * 32}}}
        _say(messages, "a", 0, **{ATTRIBUTE: evaluation})
    found = []

    for segment in (0, 1):
        client = CutByHand(messages, "scan")
        client.segment = segment
        found.append(_chats(_reader(client, mapping=MESSAGES)))

    assert found == [{"a": ["00", "01", "02", "03"]}, {}]


def test_only_what_may_be_due_is_queried(messages, local_aws):
    _say(messages, "a", 0)
    outside = Window(None, datetime(2026, 10, 1, tzinfo=UTC))

    read = _chats(_reader(messages, mapping=MESSAGES, window=outside))

    assert read == {"a": ["00"]}
    assert local_aws.stats()["dynamodb_reads"][TABLE]["items"] == 1


# Bodies in S3

POINTING = MAPPING.model_copy(update={"body": Body(bucket="bodies", key="body_key")})


@pytest.fixture
def s3(local_aws):
    client = local_aws.client("s3")
    client.create_bucket(Bucket="bodies", CreateBucketConfiguration={"LocationConstraint": "ap-northeast-1"})
    return client


def test_a_body_in_s3_comes_with_its_item_and_one_that_is_gone_does_not(dynamodb, s3):
    s3.put_object(Bucket="bodies", Key="there", Body=b"[]")
    for name in ("there", "gone"):
        put(dynamodb, name, f"{DAY}T00:00:00Z", turns=None, body_key={"S": name})
    put(dynamodb, "small", f"{DAY}T00:00:00Z", turns=TURNS)

    read = {stored.item["id"]: stored.body for stored in _reader(dynamodb, mapping=POINTING, s3=s3).read() if stored}

    assert read == {"there": "[]", "gone": None, "small": None}


def test_a_bucket_that_is_not_there_is_an_error_and_not_an_unreadable_conversation(dynamodb, s3):
    put(dynamodb, "c", f"{DAY}T00:00:00Z", turns=None, body_key={"S": "x"})
    elsewhere = POINTING.model_copy(update={"body": POINTING.body.model_copy(update={"bucket": "none"})})

    with pytest.raises(SetupError, match=r"'none' answered NoSuchBucket .* correct body in include/table\.yaml"):
        list(_reader(dynamodb, mapping=elsewhere, s3=s3).read())


def test_a_bucket_that_one_item_names_wrongly_stops_no_other(dynamodb, s3):
    s3.put_object(Bucket="bodies", Key="x", Body=b"[]")
    for name, bucket in {"a": "none", "b": "bodies", "c": "No Bucket"}.items():
        put(dynamodb, name, f"{DAY}T00:00:00Z", turns=None, body_key={"S": "x"}, bucket={"S": bucket})
    theirs = MAPPING.model_copy(update={"body": Body(bucket_attribute="bucket", key="body_key")})

    read = {stored.item["id"]: stored.body for stored in _reader(dynamodb, mapping=theirs, s3=s3).read() if stored}

    assert read == {"a": None, "b": "[]", "c": None}


@pytest.mark.parametrize("code", ["InvalidObjectState", "KeyTooLongError"])
def test_a_body_that_is_archived_or_has_no_possible_key_is_one_that_cannot_be_read(dynamodb, s3, code):
    put(dynamodb, "c", f"{DAY}T00:00:00Z", turns=None, body_key={"S": "x"})
    refusing = Refusing(s3, "get_object", _refused(code, "GetObject"))

    [stored] = [stored for stored in _reader(dynamodb, mapping=POINTING, s3=refusing).read() if stored]

    assert "cannot be found" in POINTING.conversation(stored).problem


def test_a_bucket_that_is_closed_to_us_is_an_error_with_the_permissions_it_takes(dynamodb, s3):
    put(dynamodb, "c", f"{DAY}T00:00:00Z", turns=None, body_key={"S": "x"})
    closed = Refusing(s3, "get_object", _refused("AccessDenied", "GetObject"))

    with pytest.raises(SetupError, match=r"AccessDenied .* allow s3:GetObject and s3:ListBucket"):
        list(_reader(dynamodb, mapping=POINTING, s3=closed).read())


@pytest.mark.parametrize(
    "error", [_refused("SlowDown", "GetObject"), IncompleteReadError(actual_bytes=1, expected_bytes=2)]
)
def test_a_bucket_that_is_busy_or_breaks_off_is_waited_for(dynamodb, s3, error):
    s3.put_object(Bucket="bodies", Key="x", Body=b"[]")
    put(dynamodb, "c", f"{DAY}T00:00:00Z", turns=None, body_key={"S": "x"})
    busy = Refusing(s3, "get_object", error)

    [_, stored, *_] = _reader(dynamodb, mapping=POINTING, s3=busy).read()

    assert stored.body == "[]"


def test_no_body_is_fetched_outside_of_the_window(dynamodb):
    put(dynamodb, "c", f"{DAY}T00:00:00Z", turns=None, body_key={"S": "x"})
    outside = Window(None, datetime(2026, 10, 1, tzinfo=UTC))

    [stored] = [stored for stored in _reader(dynamodb, mapping=POINTING, window=outside).read() if stored]

    assert stored.body is None
