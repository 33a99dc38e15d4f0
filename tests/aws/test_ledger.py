"""The ledger: one budget for all segments, a row for each run, and one edition in the making."""

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from chatcensus.answer import Reason
from chatcensus.aws.ledger import Ledger
from chatcensus.conversation import Conversation, Turn
from chatcensus.tally import Outcome, Tally
from tests.aws.lost_replies import losing_the_first_reply

TABLE = "chatcensus-control"
RUN = "chat_census/manual__1"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def dynamodb(local_aws):
    local_aws.create_stack()
    return local_aws.client("dynamodb")


def _ledger(dynamodb, max_micro_usd=0, run_id=RUN):
    return Ledger(dynamodb, TABLE, run_id, max_micro_usd)


# The budget


def test_a_run_that_has_spent_nothing_has_spent_zero(dynamodb):
    assert _ledger(dynamodb).spent_micro_usd() == 0


@pytest.mark.parametrize(
    ("budget", "asked", "granted"),
    [
        pytest.param(10, [10], [True], id="all of it"),
        pytest.param(10, [11], [False], id="more than there is"),
        pytest.param(10, [4, 6, 1], [True, True, False], id="to the last micro-USD"),
        pytest.param(10, [9, 2, 1], [True, False, True], id="a smaller wish still fits"),
        pytest.param(0, [1], [False], id="no budget"),
        pytest.param(0, [0], [True], id="nothing costs nothing"),
        pytest.param(10**15, [10**15, 1], [True, False], id="a billion dollars"),
    ],
)
def test_a_reservation_never_exceeds_the_budget(dynamodb, budget, asked, granted):
    ledger = _ledger(dynamodb, budget)

    answers = [ledger.reserve(micro_usd) for micro_usd in asked]

    assert answers == granted
    assert ledger.spent_micro_usd() == sum(amount for amount, yes in zip(asked, granted, strict=True) if yes)


def test_a_run_asks_about_no_more_conversations_than_it_may_whichever_segment_they_are_in(dynamodb):
    ledgers = [Ledger(dynamodb, TABLE, RUN, max_conversations=10) for _ in range(4)]

    with ThreadPoolExecutor(8) as pool:
        admitted = sum(pool.map(lambda number: ledgers[number % 4].admit(), range(40)))

    assert admitted == 10
    assert ledgers[0].run()["conversations"] == 10


def test_a_run_without_a_limit_asks_about_all_and_counts_none(dynamodb):
    ledger = _ledger(dynamodb)

    assert all(ledger.admit() for _ in range(3))
    assert ledger.run() == {}


def test_calls_that_came_to_nothing_are_remembered_from_run_to_run_for_each_text(dynamodb):
    talk = Conversation("c1", (Turn("user", "hello"),))
    longer = Conversation("c1", (Turn("user", "hello"), Turn("user", "again")))

    counts = [_ledger(dynamodb, run_id=f"run-{number}").add_calls(talk, 2) for number in range(3)]

    assert counts == [2, 4, 6]
    assert _ledger(dynamodb).add_calls(longer, 1) == 1


def test_what_was_not_paid_is_given_back(dynamodb):
    ledger = _ledger(dynamodb, 100)
    ledger.reserve(80)

    ledger.settle(80, 30)

    assert ledger.spent_micro_usd() == 30
    assert ledger.reserve(70)
    assert not ledger.reserve(1)


def test_a_bill_above_its_reservation_is_booked_in_full_and_stops_the_run(dynamodb):
    ledger = _ledger(dynamodb, 100)
    ledger.reserve(80)

    ledger.settle(80, 130)

    assert ledger.spent_micro_usd() == 130
    assert not ledger.reserve(1)


def test_sixteen_segments_never_spend_more_than_the_budget_together(dynamodb):
    budget, price = 1_000, 70

    def spend(_):
        ledger = _ledger(dynamodb, budget)
        return [ledger.reserve(price) for _ in range(4)]

    with ThreadPoolExecutor(16) as pool:
        answers = [answer for answers in pool.map(spend, range(16)) for answer in answers]

    assert answers.count(True) == budget // price
    assert _ledger(dynamodb).spent_micro_usd() == price * (budget // price)


def test_reserving_and_settling_at_once_loses_nothing_and_never_passes_the_cap(dynamodb):
    budget, seen = 3_000, []

    def work(seed):
        chance, ledger, paid = random.Random(seed), _ledger(dynamodb, budget), 0
        for _ in range(6):
            reserved = chance.randint(50, 300)
            if ledger.reserve(reserved):
                seen.append(ledger.spent_micro_usd())
                bill = chance.randint(0, reserved)
                ledger.settle(reserved, bill)
                paid += bill
        return paid

    with ThreadPoolExecutor(16) as pool:
        paid = sum(pool.map(work, range(16)))

    assert _ledger(dynamodb).spent_micro_usd() == paid
    assert max(seen) <= budget


def test_a_lost_reply_to_a_reservation_hides_no_money(local_aws, dynamodb):
    with losing_the_first_reply(local_aws.endpoint_url, "dynamodb", "UpdateItem") as client:
        _ledger(client, 1_000).reserve(80)

    assert 80 <= _ledger(dynamodb).spent_micro_usd() <= 1_000


def test_a_lost_reply_to_a_settlement_hides_no_money(local_aws, dynamodb):
    _ledger(dynamodb, 1_000).reserve(80)

    with losing_the_first_reply(local_aws.endpoint_url, "dynamodb", "UpdateItem", max_attempts=1) as once:
        Ledger(dynamodb, TABLE, RUN, 1_000, once=once).settle(80, 30)

    assert _ledger(dynamodb).spent_micro_usd() >= 30


def test_each_run_has_a_budget_of_its_own(dynamodb):
    first, second = _ledger(dynamodb, 10), _ledger(dynamodb, 10, "chat_census/manual__2")
    first.reserve(10)

    assert second.reserve(10)


def test_a_retry_of_the_same_run_goes_on_with_what_is_left(dynamodb):
    _ledger(dynamodb, 10).reserve(8)

    again = _ledger(dynamodb, 10)

    assert not again.reserve(3)
    assert again.reserve(2)


def test_a_larger_budget_can_be_given_to_a_run_that_was_stopped(dynamodb):
    _ledger(dynamodb, 10).reserve(10)

    assert _ledger(dynamodb, 20).reserve(10)


# The row of a run


def test_a_run_that_wrote_nothing_has_an_empty_row(dynamodb):
    assert _ledger(dynamodb).run() == {}


def test_what_is_recorded_is_read_back(dynamodb):
    tally = Tally(read=3)
    tally.outcomes[Outcome.EVALUATED] = 2
    tally.outcomes[Outcome.LEFT_PENDING] = 1
    ledger = _ledger(dynamodb)

    ledger.record(tally=tally.as_dict(), generation=2, segments_ended=1)
    ledger.record(export={"generation": 2, "arn": "arn:aws:dynamodb:::export/1"})

    row = ledger.run()
    assert Tally.total([row["tally"]]) == tally
    assert (row["generation"], row["segments_ended"]) == (2, 1)
    assert row["export"] == {"generation": 2, "arn": "arn:aws:dynamodb:::export/1"}


def test_a_row_is_read_as_it_is_now(dynamodb):
    requests = []

    def note(params, **_):
        requests.append(params)

    dynamodb.meta.events.register("provide-client-params.dynamodb.GetItem", note)
    _ledger(dynamodb).run()
    dynamodb.meta.events.unregister("provide-client-params.dynamodb.GetItem", note)

    assert [request["ConsistentRead"] for request in requests] == [True]


def test_a_record_leaves_the_spending_alone(dynamodb):
    ledger = _ledger(dynamodb, 10)
    ledger.reserve(7)

    ledger.record(generation=1)

    assert ledger.spent_micro_usd() == 7


def test_a_recorded_word_of_dynamodb_is_no_trouble(dynamodb):
    ledger = _ledger(dynamodb)

    ledger.record(status="ended", name="x", count=1)

    row = ledger.run()
    assert {name: row[name] for name in ("status", "name", "count")} == {"status": "ended", "name": "x", "count": 1}


def test_runs_with_names_in_each_other_stay_apart(dynamodb):
    _ledger(dynamodb, run_id="a/b").record(generation=1)

    assert _ledger(dynamodb, run_id="a/b#run").run() == {}
    assert _ledger(dynamodb, run_id="a").run() == {}


# The turn to make an edition


def test_one_run_at_a_time_has_the_turn(dynamodb):
    ours, theirs = _ledger(dynamodb), _ledger(dynamodb, run_id="another")
    later = NOON + timedelta(minutes=30)

    assert ours.take_turn("chatcensus", NOON, later)
    assert not theirs.take_turn("chatcensus", NOON + timedelta(minutes=29), later)
    assert ours.take_turn("chatcensus", NOON, later)  # a retry goes on
    assert theirs.take_turn("elsewhere", NOON, later)

    theirs.end_turn("chatcensus")
    assert not theirs.take_turn("chatcensus", NOON, later)
    ours.end_turn("chatcensus")
    assert theirs.take_turn("chatcensus", NOON, later)


def test_the_turn_of_a_run_that_died_ends_by_itself(dynamodb):
    _ledger(dynamodb).take_turn("chatcensus", NOON, NOON + timedelta(minutes=30))

    assert _ledger(dynamodb, run_id="another").take_turn(
        "chatcensus", NOON + timedelta(minutes=31), NOON + timedelta(minutes=61)
    )


def test_of_many_runs_at_once_one_has_the_turn(dynamodb):
    with ThreadPoolExecutor(16) as pool:
        runs = [_ledger(dynamodb, run_id=str(number)) for number in range(16)]
        taken = list(pool.map(lambda run: run.take_turn("chatcensus", NOON, NOON + timedelta(minutes=30)), runs))

    assert sum(taken) == 1


# Conversations without room


def test_a_quarantined_conversation_has_a_row_with_its_reason_and_is_counted_once(dynamodb):
    answers = [
        _ledger(dynamodb, run_id=run_id).quarantine(conversation_id, Reason.TOO_LARGE)
        for run_id, conversation_id in (("first", "c1"), ("later", "c1"), ("later", "c2"))
    ]

    rows = dynamodb.scan(TableName=TABLE)["Items"]
    assert answers == [True, False, True]
    assert sorted(rows, key=lambda row: row["sk"]["S"]) == [
        {"pk": {"S": "quarantine"}, "sk": {"S": "c1"}, "reason": {"S": "too_large"}, "run_id": {"S": "first"}},
        {"pk": {"S": "quarantine"}, "sk": {"S": "c2"}, "reason": {"S": "too_large"}, "run_id": {"S": "later"}},
    ]


def test_a_missing_control_table_is_an_error(dynamodb):
    ledger = Ledger(dynamodb, "no-such-table", RUN, 10)

    for use in (ledger.run, lambda: ledger.reserve(1), lambda: ledger.record(generation=1)):
        with pytest.raises(ClientError, match="ResourceNotFoundException"):
            use()
