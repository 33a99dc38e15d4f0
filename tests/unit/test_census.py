"""The use case: every outcome that a conversation can have in a run, on a table in memory."""

import logging
import threading
import traceback
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatcensus.answer import Reason
from chatcensus.census import LAST_CALLS_S, Census
from chatcensus.errors import (
    FeatureRefused,
    ModelBusy,
    QuotaExhausted,
    ReplyLost,
    RequestRefused,
    SetupError,
    SnapshotIncomplete,
    Throttled,
)
from chatcensus.evaluation import ATTRIBUTE, pseudonym
from chatcensus.interval import Window
from chatcensus.mapping import Stored
from chatcensus.pacing import Quota
from chatcensus.tally import Tally
from tests.fakes import (
    BAD,
    COST,
    GOOD,
    TAXONOMY,
    USAGE,
    FakeClaim,
    FakeClock,
    FakeLedger,
    FakeModel,
    FakeStore,
    census,
    conversation_item,
    conversation_items,
    during_the_call,
    reply,
)

CANARY = "the canary sings at midnight"


def outcomes(tally: Tally) -> dict[str, int]:
    """What the conversations of a run ended in."""
    return tally.as_dict()["outcomes"]


def reasons(tally: Tally) -> dict[str, int]:
    """Why conversations were quarantined."""
    return tally.as_dict()["reasons"]


def edited(store: FakeStore, name: str) -> None:
    """Add a turn to a conversation, as the chat tool would."""
    item = store.items[name]
    store.items[name] = item | {"turns": [*item["turns"], {"role": "user", "content": "One more thing."}]}


def test_a_pending_conversation_is_judged_and_carries_its_evaluation():
    store, model = FakeStore([conversation_item("c1", user_id="taro")]), FakeModel(GOOD)

    tally = census(store, model).run()

    assert outcomes(tally) == {"evaluated": 1}
    evaluation = store.evaluation("c1")
    assert {name: evaluation[name] for name in evaluation if name not in ("key", "content_hash", "prompt_version")} == {
        "outcome": "evaluated",
        "category": "coding",
        "inquiry_score": 3,
        "taxonomy_version": TAXONOMY.version,
        "model": "fake",
        "answered_by": "fake",
        "attempts": 1,
        "input_tokens": USAGE.input_tokens,
        "output_tokens": USAGE.output_tokens,
        "cost_micro_usd": COST,
        "is_clipped": False,
        "user_pseudonym": pseudonym("taro", "a secret of the tests"),
        "run_id": "run-1",
        "evaluated_at": "2026-10-01T12:00:00.000000Z",
    }
    assert tally.as_dict() == {
        "outcomes": {"evaluated": 1},
        "reasons": {},
        "skipped": {},
        "read": 1,
        "calls": 1,
        "possibly_paid": 0,
        "throttled": 0,
        "input_tokens": USAGE.input_tokens,
        "output_tokens": USAGE.output_tokens,
        "cost_micro_usd": COST,
        "due": 0,
        "forecast_micro_usd": 0,
        "cache_read_tokens": 0,
        "cache_write_tokens": 0,
        "saved_micro_usd": 0,
    }


def test_nothing_else_of_the_item_is_touched():
    item = conversation_item("c1", user_id="taro", language="ja", colour="blue")
    store = FakeStore([dict(item)])

    census(store, FakeModel()).run()

    assert {name: value for name, value in store.items["c1"].items() if name != ATTRIBUTE} == item


def test_a_judged_conversation_is_never_sent_again():
    store, again = FakeStore(conversation_items(3)), FakeModel()
    census(store, FakeModel()).run()

    tally = census(store, again).run()

    assert outcomes(tally) == {"already_evaluated": 3}
    assert again.history == []
    assert tally.cost_micro_usd == 0
    assert store.written == 3


def test_a_quarantined_conversation_is_not_sent_again_either():
    store, again = FakeStore(conversation_items(1)), FakeModel()
    census(store, FakeModel(reply(stop_reason="refusal"))).run()

    assert outcomes(census(store, again).run()) == {"already_evaluated": 1}
    assert again.history == []


def test_a_conversation_that_went_on_is_judged_again_by_its_new_text():
    store = FakeStore(conversation_items(1))
    census(store, FakeModel()).run()
    before = store.evaluation("c0")
    edited(store, "c0")

    tally = census(store, FakeModel({"category": "writing", "inquiry_score": 5})).run()

    assert outcomes(tally) == {"evaluated": 1}
    assert store.evaluation("c0")["category"] == "writing"
    assert store.evaluation("c0")["content_hash"] != before["content_hash"]
    assert store.evaluation("c0")["key"] != before["key"]


@pytest.mark.parametrize("changed", [{"instructions": "Judge it well."}, {"model_id": "another"}])
def test_another_prompt_or_model_alone_does_not_pay_for_the_same_text_again(changed: dict[str, Any]):
    store, again = FakeStore(conversation_items(2)), FakeModel()
    census(store, FakeModel()).run()

    assert outcomes(census(store, again, **changed).run()) == {"already_evaluated": 2}
    assert again.history == []


@pytest.mark.parametrize("found", [None, {"content_hash": "of another text"}])
def test_an_attribute_that_is_no_evaluation_of_this_text_leaves_it_pending(found: object):
    store = FakeStore([conversation_item("c1", **{ATTRIBUTE: found})])

    assert outcomes(census(store, FakeModel()).run()) == {"evaluated": 1}
    assert store.evaluation("c1")["category"] == "coding"


def test_only_conversations_of_the_window_are_read():
    start, end = datetime(2026, 9, 29, tzinfo=UTC), datetime(2026, 9, 30, tzinfo=UTC)
    times = ["2026-09-28T23:59:59Z", "2026-09-29T00:00:00Z", "2026-09-29T23:59:59Z", "2026-09-30T00:00:00Z", None]
    store = FakeStore([conversation_item(f"c{n}", created_at=time) for n, time in enumerate(times)])

    tally = census(store, FakeModel(), window=Window(start, end)).run()

    assert tally.read == 2
    assert [name for name in store.items if store.evaluation(name)] == ["c1", "c2"]


def test_a_conversation_without_a_time_is_judged_by_a_run_that_has_no_start():
    store = FakeStore([conversation_item("c1", created_at=None)])

    assert outcomes(census(store, FakeModel()).run()) == {"evaluated": 1}


def test_a_run_whose_tally_does_not_add_up_fails():
    counting = census(FakeStore(conversation_items(1)), FakeModel())
    counting.tally.read += 1

    with pytest.raises(SnapshotIncomplete, match="2 conversations read, 1 ended"):
        counting.run()


def test_an_empty_segment_is_a_tally_of_nothing():
    assert census(FakeStore([]), FakeModel()).run() == Tally()


@pytest.mark.parametrize("turns", [[], [{"role": "user", "content": " \u200b"}]])
def test_a_conversation_without_a_question_is_quarantined_for_nothing(turns: object):
    store, model, ledger = FakeStore([conversation_item("c1", turns=turns)]), FakeModel(), FakeLedger(0)

    tally = census(store, model, ledger).run()

    assert (outcomes(tally), reasons(tally)) == ({"quarantined": 1}, {"empty": 1})
    assert model.history == []
    assert store.evaluation("c1")["reason"] == "empty"
    assert store.evaluation("c1")["attempts"] == 0


def test_an_item_without_room_is_quarantined_once_however_often_it_is_read():
    store, model, ledger = FakeStore(conversation_items(1), full=["c0"]), FakeModel(), FakeLedger()

    tallies = [census(store, model, ledger).run() for _ in range(2)]

    assert [outcomes(tally) for tally in tallies] == [{"quarantined": 1}, {"already_evaluated": 1}]
    assert tallies[1].written == 0
    assert model.history == []


def test_an_item_without_room_is_never_sent_and_its_quarantine_is_in_the_ledger():
    store, model, ledger = FakeStore(conversation_items(2), full=["c1"]), FakeModel(), FakeLedger()

    tally = census(store, model, ledger).run()

    assert outcomes(tally) == {"evaluated": 1, "quarantined": 1}
    assert ledger.quarantined == {"c1": Reason.TOO_LARGE}
    assert store.evaluation("c1") is None
    assert len(model.history) == 1


@pytest.mark.parametrize(
    ("answers", "reason", "calls"),
    [
        pytest.param([reply(stop_reason="refusal")], "refused", 1, id="refused"),
        pytest.param([reply(stop_reason="max_tokens")] * 2, "truncated", 2, id="truncated twice"),
        pytest.param([BAD] * 3, "score_out_of_range", 3, id="useless three times"),
        pytest.param([BAD, "prose", {"category": "none", "inquiry_score": 1}], "unknown_category", 3, id="last reason"),
        pytest.param([RequestRefused("too long")] * 2, "too_large", 0, id="too large for the model"),
    ],
)
def test_a_conversation_that_cannot_be_judged_is_quarantined_with_the_reason(answers: list, reason: str, calls: int):
    store = FakeStore(conversation_items(2))

    tally = census(store, FakeModel(*answers)).run()

    assert (outcomes(tally), reasons(tally)) == ({"evaluated": 1, "quarantined": 1}, {reason: 1})
    assert store.evaluation("c0")["reason"] == reason
    assert store.evaluation("c0")["attempts"] == calls
    assert "category" not in store.evaluation("c0")
    assert tally.calls == calls + 1


@pytest.mark.parametrize("answers", [[BAD, GOOD], [reply(stop_reason="max_tokens"), GOOD], [BAD, "prose", GOOD]])
def test_an_evaluation_counts_every_call_that_it_took(answers: list[object]):
    store = FakeStore(conversation_items(1))

    tally = census(store, FakeModel(*answers)).run()

    assert outcomes(tally) == {"evaluated": 1}
    assert store.evaluation("c0")["attempts"] == tally.calls == len(answers)
    assert store.evaluation("c0")["cost_micro_usd"] == tally.cost_micro_usd == len(answers) * COST
    assert store.evaluation("c0")["input_tokens"] == len(answers) * USAGE.input_tokens


@pytest.mark.parametrize(
    ("errors", "possibly_paid"),
    [
        pytest.param([ReplyLost("timeout")] * 2, 2, id="two lost replies"),
        pytest.param([QuotaExhausted("used up")], 0, id="quota of the day"),
    ],
)
def test_a_fault_of_the_infrastructure_leaves_a_conversation_pending_and_never_quarantines_it(
    errors: list[Exception], possibly_paid: int
):
    store, ledger = FakeStore(conversation_items(1)), FakeLedger()

    tally = census(store, FakeModel(*errors), ledger).run()

    assert (outcomes(tally), reasons(tally)) == ({"left_pending": 1}, {})
    assert tally.possibly_paid == possibly_paid
    assert ATTRIBUTE not in store.items["c0"]
    assert ledger.quarantined == {}
    assert outcomes(census(store, FakeModel()).run()) == {"evaluated": 1}


def test_a_task_with_nothing_left_to_read_asks_only_for_what_its_last_calls_need():
    clock, claim = FakeClock(), FakeClaim()
    slow = [during_the_call(lambda: clock.sleep(2))] * 8
    quota = Quota(requests_per_minute=1000, tokens_per_minute=1e9)

    census(FakeStore(conversation_items(8)), FakeModel(*slow), clock=clock, claim=claim, in_flight=2, quota=quota).run()

    assert claim.asked == sorted(claim.asked, reverse=True)
    assert claim.asked[0] == 1.0
    assert claim.asked[-1] <= 2 / (1000 / 60 * LAST_CALLS_S)  # two calls at most are under way


def test_what_a_task_did_not_spend_is_given_back_at_its_end():
    ledger = FakeLedger()

    tally = census(FakeStore(conversation_items(5)), FakeModel(BAD), ledger).run()

    assert ledger.spent == tally.cost_micro_usd == 6 * COST


def test_a_model_that_is_away_for_long_ends_the_try_and_never_quarantines_a_conversation():
    store, ledger, busy = FakeStore(conversation_items(3)), FakeLedger(), FakeModel(*[Throttled("429")] * 1_000)
    counting = census(store, busy, ledger)

    with pytest.raises(ModelBusy):
        counting.run()

    assert ledger.spent == store.written == 0
    assert outcomes(census(store, FakeModel()).run()) == {"evaluated": 3}


def test_a_busy_model_is_counted_and_waited_for():
    clock = FakeClock()

    tally = census(FakeStore(conversation_items(2)), FakeModel(Throttled("429"), ModelBusy("503")), clock=clock).run()

    assert (outcomes(tally), tally.throttled) == ({"evaluated": 2}, 2)
    assert clock.seconds == 2 + 4


def test_a_lost_reply_is_repeated_once_and_counted():
    store, model = FakeStore(conversation_items(1)), FakeModel(ReplyLost("timeout"))

    tally = census(store, model).run()

    assert outcomes(tally) == {"evaluated": 1}
    assert (tally.calls, tally.possibly_paid, len(model.history)) == (1, 1, 2)


def test_a_refused_feature_is_learned_once_for_the_whole_segment():
    model = FakeModel(FeatureRefused("no tools"))

    tally = census(FakeStore(conversation_items(3)), model).run()

    assert outcomes(tally) == {"evaluated": 3}
    assert [call.mode for call in model.history] == ["tool", "prompt", "prompt", "prompt"]


def test_a_deleted_conversation_stays_deleted():
    store, model = FakeStore(conversation_items(2)), FakeModel()
    model.enqueue(during_the_call(lambda: store.items.pop("c0")))

    tally = census(store, model).run()

    assert outcomes(tally) == {"deleted": 1, "evaluated": 1}
    assert list(store.items) == ["c1"]
    assert tally.cost_micro_usd == 2 * COST


def test_a_conversation_that_changes_during_its_call_never_carries_the_judgement_of_its_older_text():
    store, model = FakeStore(conversation_items(1)), FakeModel()
    model.enqueue(during_the_call(lambda: edited(store, "c0")))

    assert outcomes(census(store, model).run()) == {"changed": 1}
    assert store.evaluation("c0") is None
    assert outcomes(census(store, FakeModel()).run()) == {"evaluated": 1}


def test_a_quarantine_of_a_text_that_changed_meanwhile_is_not_counted_as_one():
    store, model = FakeStore(conversation_items(1)), FakeModel()
    model.enqueue(lambda: edited(store, "c0") or reply(stop_reason="refusal"))

    tally = census(store, model).run()

    assert (outcomes(tally), reasons(tally)) == ({"changed": 1}, {})


def test_of_two_runs_at_the_same_time_the_first_to_write_stays():
    store, first, second = FakeStore(conversation_items(1)), FakeModel(), FakeModel()
    second.enqueue(during_the_call(census(store, first, run_id="run-1").run, {"category": "other", "inquiry_score": 1}))

    tally = census(store, second, run_id="run-2").run()

    assert outcomes(tally) == {"already_evaluated": 1}
    assert tally.cost_micro_usd == COST
    assert (store.evaluation("c0")["run_id"], store.evaluation("c0")["category"]) == ("run-1", "coding")
    assert store.written == 1


@pytest.mark.parametrize("in_flight", [1, 4])
def test_the_budget_is_never_exceeded_and_the_rest_is_judged_by_the_next_run(in_flight: int):
    store, model, ledger = FakeStore(conversation_items(30)), FakeModel(), FakeLedger(10 * COST)

    tally = census(store, model, ledger, in_flight=in_flight).run()

    assert 0 < outcomes(tally)["evaluated"] <= 10
    assert set(outcomes(tally)) == {"evaluated", "left_pending"}
    assert ledger.most_spent <= 10 * COST
    assert ledger.spent == tally.cost_micro_usd == len(model.history) * COST
    assert census(store, model).run().read == 30
    assert len(model.history) == store.written == 30


def test_a_run_that_may_spend_nothing_calls_nothing_and_reads_on_no_further():
    store, model = FakeStore(conversation_items(30)), FakeModel()

    tally = census(store, model, FakeLedger(0)).run()

    assert set(outcomes(tally)) == {"left_pending"}
    assert tally.read <= 2
    assert model.history == []


@pytest.mark.parametrize("in_flight", [1, 4])
def test_a_used_up_quota_ends_the_run_cleanly(in_flight: int):
    store, model = FakeStore(conversation_items(40)), FakeModel(GOOD, GOOD, QuotaExhausted("used up"))

    tally = census(store, model, in_flight=in_flight).run()

    assert set(outcomes(tally)) == {"evaluated", "left_pending"}
    assert tally.read < 40
    assert not reasons(tally)
    assert outcomes(census(store, FakeModel()).run())["evaluated"] == 40 - outcomes(tally)["evaluated"]


@pytest.mark.parametrize("in_flight", [1, 4])
def test_a_setup_error_stops_everything_within_one_call_a_worker_and_quarantines_nothing(in_flight: int):
    store, ledger = FakeStore(conversation_items(40)), FakeLedger()
    model = FakeModel(*[SetupError("no access to the model")] * 40)

    counting = census(store, model, ledger, in_flight=in_flight)

    with pytest.raises(SetupError, match="no access to the model"):
        counting.run()

    assert counting.stop.is_set()
    assert len(model.history) <= in_flight
    assert not any(ATTRIBUTE in item for item in store.items.values())
    assert ledger.quarantined == {}
    assert ledger.spent == 0


def test_what_is_in_flight_beside_a_setup_error_is_written():
    store, together = FakeStore(conversation_items(10)), threading.Barrier(2, timeout=20)
    model = FakeModel(during_the_call(together.wait), lambda: SetupError("no access") if together.wait() < 2 else None)

    with pytest.raises(SetupError):
        census(store, model, in_flight=2).run()

    assert store.written >= 1
    assert len(model.history) <= 4


def test_a_stop_finishes_what_is_in_flight_and_takes_nothing_new():
    store, model = FakeStore(conversation_items(40)), FakeModel()
    counting = census(store, model, in_flight=4)
    all_under_way = threading.Barrier(4, action=counting.stop.set, timeout=20)
    model.enqueue(*[during_the_call(all_under_way.wait)] * 4)

    tally = counting.run()

    assert outcomes(tally)["evaluated"] == len(model.history) == store.written == 4
    assert tally.read <= 4 + 1


def test_a_stop_before_the_run_reads_nothing():
    store, model = FakeStore(conversation_items(3)), FakeModel()
    counting = census(store, model)
    counting.stop.set()

    assert counting.run() == Tally()
    assert model.history == []


class WatchedStore(FakeStore):
    """Knows how many conversations were handed out and not written yet, at most."""

    most_unwritten = 0

    def read(self) -> Iterator[Stored]:
        for handed_out, stored in enumerate(super().read(), 1):
            self.most_unwritten = max(self.most_unwritten, handed_out - self.written)
            yield stored


class WatchedModel(FakeModel):
    """Knows how many calls were under way at the same time, at most."""

    def __init__(self) -> None:
        super().__init__()
        self.under_way, self.most_under_way, self.lock = 0, 0, threading.Lock()

    def ask(self, *request: Any) -> Any:
        with self.lock:
            self.under_way += 1
            self.most_under_way = max(self.most_under_way, self.under_way)
        answer = super().ask(*request)
        with self.lock:
            self.under_way -= 1
        return answer


def test_a_large_segment_is_held_in_memory_a_few_conversations_at_a_time():
    store, model, in_flight = WatchedStore(conversation_items(2_000)), WatchedModel(), 8

    tally = census(store, model, in_flight=in_flight).run()

    assert outcomes(tally) == {"evaluated": 2_000}
    assert store.most_unwritten <= in_flight + 1
    assert 1 <= model.most_under_way <= in_flight


def test_a_table_that_cannot_be_read_on_fails_after_writing_what_was_paid():
    class Broken(FakeStore):
        def read(self) -> Iterator[Stored]:
            yield from super().read()
            raise SnapshotIncomplete("the table is gone")

    store, model = Broken(conversation_items(3)), FakeModel()

    with pytest.raises(SnapshotIncomplete, match="the table is gone"):
        census(store, model, in_flight=4).run()
    assert store.written == len(model.history)


def test_progress_is_told_every_ten_seconds_and_once_at_the_end(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    clock, model = FakeClock(), FakeModel()
    model.enqueue(*[during_the_call(lambda: clock.sleep(3))] * 39, BAD, "prose", BAD)

    census(FakeStore(conversation_items(40)), model, clock=clock).run()

    *progress, last = caplog.messages
    assert 8 <= len(progress) <= 11
    assert progress[0] == ("segment 1/1 4/40 evaluated=4 already=0 quarantined=0 pending=0 429=0 usd=0.0004 eta=108s")
    assert last == ("segment 1/1 40/40 evaluated=39 already=0 quarantined=1 pending=0 429=0 usd=0.0042 eta=0s done")


def test_no_text_of_a_conversation_an_answer_or_a_user_reaches_a_log_or_an_error(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    items = [conversation_item(f"c{n}", f"{CANARY} {n}", CANARY, user_id=CANARY, language=CANARY) for n in range(14)]
    store = FakeStore([*items, conversation_item("full", CANARY)], full=["full"])
    model = FakeModel(
        *[GOOD, CANARY, {"category": CANARY, "inquiry_score": 1}, {CANARY: CANARY}, Throttled("429"), ReplyLost("500")],
        *[RequestRefused("too long"), RequestRefused("too long"), FeatureRefused("no tools")],
        *[reply(CANARY, "refusal"), reply(CANARY, "max_tokens"), reply(CANARY, "max_tokens")],
        *[during_the_call(lambda: store.items.pop("c7")), GOOD, SetupError("no access")],
    )

    with pytest.raises(SetupError) as raised:
        census(store, model, clock=FakeClock()).run()
    tally = census(store, FakeModel(QuotaExhausted("used up"))).run()
    rest = census(store, FakeModel()).run()

    assert rest.outcomes["already_evaluated"] > 0
    assert caplog.messages
    assert not any(CANARY in text for record in caplog.records for text in (record.getMessage(), repr(record.__dict__)))
    assert CANARY not in "".join(traceback.format_exception(raised.value))
    assert CANARY not in str([tally.as_dict(), rest.as_dict()])
    assert not any(CANARY in str(item.get(ATTRIBUTE)) for item in store.items.values())


answers = st.lists(
    st.sampled_from(
        [
            *(GOOD, BAD, "prose", {}, reply(stop_reason="max_tokens"), reply(stop_reason="refusal")),
            *(Throttled("429"), ReplyLost("timeout"), QuotaExhausted("used up"), RequestRefused("too long")),
            *(FeatureRefused("no tools"), SetupError("no access"), "edit", "delete", "stop"),
        ]
    ),
    max_size=25,
)


@settings(max_examples=150)
@given(answers, st.integers(1, 12), st.integers(1, 4), st.integers(0, 5_000))
def test_whatever_happens_the_tally_adds_up_and_one_more_run_leaves_nothing_pending(
    answers: list[object], conversations: int, in_flight: int, max_micro_usd: int
):
    store, ledger, model = FakeStore(conversation_items(conversations)), FakeLedger(max_micro_usd), FakeModel()
    counting = census(store, model, ledger, in_flight=in_flight)
    model.enqueue(*[event(answer, store, counting) for answer in answers])

    with suppress(SetupError):  # what was counted until then must hold all the same
        counting.run()
    tally = counting.tally

    assert ledger.most_spent <= max_micro_usd
    assert tally.cost_micro_usd == tally.calls * COST <= ledger.spent
    assert tally.calls + tally.possibly_paid <= len(model.history)
    for name, content_hash in store.hash_when_written.items():
        assert name not in store.items or store.evaluation(name)["content_hash"] == content_hash

    final = census(store, FakeModel()).run()
    assert set(outcomes(final)) <= {"evaluated", "already_evaluated"}
    assert all(ATTRIBUTE in item for item in store.items.values())
    assert_every_evaluation_is_of_its_text(store)


def event(answer: object, store: FakeStore, counting: Census) -> object:
    """What FakeModel does at one word of the script."""

    def edit_all() -> None:
        for name in list(store.items):
            edited(store, name)

    def delete_one() -> None:
        store.items.pop(next(iter(store.items), None), None)

    happening = {"edit": edit_all, "delete": delete_one, "stop": counting.stop.set}
    return during_the_call(happening[answer]) if isinstance(answer, str) and answer in happening else answer


def assert_every_evaluation_is_of_its_text(store: FakeStore) -> None:
    for name, item in store.items.items():
        if ATTRIBUTE in item:
            assert (
                store.evaluation(name)["content_hash"]
                == store.mapping.conversation(Stored(item, has_room=True)).content_hash
            )
            assert ("reason" in item[ATTRIBUTE]) != ("category" in item[ATTRIBUTE])
