"""What a run tells of itself while it works: a row for each segment that has begun, and never at the work's expense."""

import logging
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from boto3.dynamodb.types import TypeDeserializer

from chatcensus.aws.ledger import Ledger
from chatcensus.aws.progress import SegmentProgress, planned
from chatcensus.interval import Window
from chatcensus.partition import MAX_SEGMENTS, scan_segments
from chatcensus.tally import Tally
from tests.fakes import FakeClaim, FakeClock, FakeModel, FakeStore, census, conversation_items, during_the_call

TABLE, RUN = "chatcensus-control", "chat_census/manual__1"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SEGMENTS = scan_segments(12, 4, Window(None, NOON).as_dict())

_deserialize = TypeDeserializer().deserialize


@pytest.fixture
def dynamodb(local_aws):
    local_aws.create_stack()
    return local_aws.client("dynamodb")


def _rows(dynamodb):
    """What is told of the segments, in their order."""
    items = dynamodb.query(
        TableName=TABLE,
        KeyConditionExpression="pk = :pk AND begins_with(sk, :segment)",
        ExpressionAttributeValues={":pk": {"S": f"run#{RUN}"}, ":segment": {"S": "segment#"}},
    )["Items"]
    return [{name: _deserialize(value) for name, value in item.items()} for item in items]


def _progress(dynamodb, map_index=0, minutes=0, table=TABLE):
    def now():
        return NOON + timedelta(minutes=minutes)

    return SegmentProgress(Ledger(dynamodb, table, RUN), map_index, SEGMENTS[map_index], now)


def _ended(evaluated):
    return Tally(read=evaluated, outcomes=Counter(evaluated=evaluated))


def test_a_segment_is_told_with_its_name_its_times_and_its_tally(dynamodb):
    _progress(dynamodb, 1).tell(_ended(3), False)

    [row] = _rows(dynamodb)

    assert row == {
        "pk": f"run#{RUN}",
        "sk": "segment#0001",
        "map_index": 1,
        "name": "segment 2/3 (4)",
        "expected": 4,
        "started_at": "2026-11-22T12:00:00.000+00:00",
        "told_at": "2026-11-22T12:00:00.000+00:00",
        "is_done": False,
        "tally": _ended(3).as_dict(),
    }


def test_a_later_try_of_a_segment_takes_the_place_of_the_earlier_one(dynamodb):
    earlier = _ended(3)
    earlier.reasons["empty"] = 1
    _progress(dynamodb).tell(earlier, True)

    _progress(dynamodb, minutes=5).tell(Tally(), False)

    [row] = _rows(dynamodb)
    assert row["tally"] == Tally().as_dict()
    assert (row["started_at"], row["is_done"]) == ("2026-11-22T12:05:00.000+00:00", False)


def test_the_rows_stand_in_the_order_of_the_segments(dynamodb):
    segments = scan_segments(MAX_SEGMENTS, 1, Window(None, NOON).as_dict())
    for map_index in (1023, 99, 100, 2, 10):
        SegmentProgress(Ledger(dynamodb, TABLE, RUN), map_index, segments[map_index]).tell(Tally(), False)

    assert [row["map_index"] for row in _rows(dynamodb)] == [2, 10, 99, 100, 1023]


def test_what_is_told_of_a_run_is_not_the_row_of_the_run(dynamodb):
    ledger = Ledger(dynamodb, TABLE, RUN)
    ledger.record(generation=1)

    _progress(dynamodb).tell(_ended(3), True)

    assert ledger.run()["generation"] == 1
    assert "tally" not in ledger.run()


def test_a_telling_that_is_lost_is_logged_once_by_its_class_and_hurts_nobody(dynamodb, caplog):
    progress = _progress(dynamodb, table="no-such-table")
    store = FakeStore(conversation_items(3))

    with caplog.at_level(logging.WARNING):
        tally = _watched(store, progress.tell).run()

    assert tally.outcomes == {"evaluated": 3}
    assert [record.getMessage() for record in caplog.records] == [
        "who watches segment 1/3 (4) may see it late (ResourceNotFoundException)"
    ]


def test_the_plan_that_is_told_is_small_since_every_reservation_writes_its_row(dynamodb):
    forecast = dict.fromkeys(
        ("conversations", "input_tokens", "output_tokens", "cost_micro_usd", "minutes", "read_units", "read_micro_usd"),
        10**12,
    )
    quota = {"requests_per_minute": 0.5, "tokens_per_minute": 1.6e6}
    plan = planned(SEGMENTS, "global.anthropic.claude-haiku-5-5", 5, quota, 5_000_000, forecast, lambda: NOON)

    Ledger(dynamodb, TABLE, RUN).record(planned=plan)

    read = Ledger(dynamodb, TABLE, RUN).run()["planned"]
    assert read == plan
    assert (read["segments"], read["expected"], float(read["requests_per_minute"])) == (3, 12, 0.5)
    assert len(repr(plan)) < 600


# When the census tells


def _watched(store, tell, claim=None, clock=None, model=None):
    watched = census(store, model or FakeModel(), claim=claim, clock=clock)
    watched.tell = tell
    return watched


def test_the_census_tells_at_its_start_every_ten_seconds_and_at_its_end():
    store, clock, told = FakeStore(conversation_items(5)), FakeClock(), []
    slow = FakeModel(*[during_the_call(lambda: clock.sleep(4)) for _ in range(5)])

    _watched(store, lambda _, is_done: told.append((clock.seconds, is_done)), None, clock, slow).run()

    assert told == [(0.0, False), (12.0, False), (20.0, True)]


def test_a_task_that_has_lost_its_segment_tells_no_more_of_it():
    told = []
    claim = FakeClaim(1.0, None)
    clock = FakeClock()
    slow = FakeModel(*[during_the_call(lambda: clock.sleep(20)) for _ in range(3)])

    _watched(FakeStore(conversation_items(3)), lambda _, is_done: told.append(is_done), claim, clock, slow).run()

    assert True not in told
