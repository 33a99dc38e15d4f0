"""What of a segment is the work of a run: re-evaluations, dry runs, what is left out, and what cannot be read."""

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chatcensus.answer import Reason
from chatcensus.census import LEAST_SHARE
from chatcensus.conversation import estimated_tokens
from chatcensus.errors import SetupError
from chatcensus.evaluation import ATTRIBUTE
from chatcensus.interval import Window
from chatcensus.mapping import Body, Stored
from chatcensus.reevaluation import Where
from chatcensus.selection import MOST_UNREADABLE
from tests.fakes import (
    GOOD,
    MAPPING,
    NOON,
    FakeClaim,
    FakeLedger,
    FakeModel,
    FakeStore,
    census,
    conversation_item,
    conversation_items,
    during_the_call,
    reply,
)

WRITING = {"category": "writing", "inquiry_score": 5}
ANEW = {"instructions": "Judge it well.", "run_id": "run-2"}


def unreadable(*names: str) -> list[dict[str, Any]]:
    """Conversations whose turns are not what the mapping says."""
    return [conversation_item(name, turns=7) for name in names]


def told(tally: Any) -> tuple[dict[str, int], dict[str, int]]:
    """Outcomes and skipped of a run."""
    counts = tally.as_dict()
    return counts["outcomes"], counts["skipped"]


# What is left out


@pytest.mark.parametrize("theirs", ["thumbs up, canary-4711", [], {}, {"stars": 5}])
def test_an_attribute_of_the_tables_own_under_our_name_stops_the_run_and_stays(theirs: object):
    store = FakeStore([conversation_item("a", **{ATTRIBUTE: theirs})])

    with pytest.raises(SetupError, match="'evaluation' of conversation a is not of the census") as stopped:
        census(store, FakeModel()).run()

    assert "canary" not in str(stopped.value)
    assert store.items["a"][ATTRIBUTE] == theirs


def test_what_is_left_out_is_counted_by_its_name_and_not_as_read():
    items = [
        conversation_item("in"),
        conversation_item("old", created_at="2026-09-01T00:00:00Z"),
        conversation_item("later", created_at="2026-10-01T11:00:00Z"),
        conversation_item("future", created_at="2031-01-01T00:00:00Z"),
    ]
    store = FakeStore(items)
    window = Window(datetime(2026, 9, 30, tzinfo=UTC), NOON - timedelta(hours=2))
    store.skipped["other_item"] = 3

    tally = census(store, FakeModel(), window=window).run()

    assert told(tally) == ({"evaluated": 1}, {"created_in_future": 1, "other_item": 3, "outside_interval": 2})
    assert tally.read == 1


def test_a_conversation_that_is_read_twice_is_judged_once():
    class Twice(FakeStore):
        def read(self) -> Any:
            for stored in super().read():
                yield from (stored, stored)

    store, model = Twice(conversation_items(3)), FakeModel()

    assert told(census(store, model).run()) == ({"evaluated": 3}, {"duplicate": 3})
    assert len(model.history) == 3


# What cannot be read


def test_an_unreadable_conversation_is_quarantined_without_a_call_and_named_once(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.WARNING)
    store, model = FakeStore([*unreadable("c1", "c2"), *conversation_items(1)]), FakeModel()

    tally = census(store, model).run()

    assert tally.as_dict()["reasons"] == {"unreadable": 2}
    assert (len(model.history), store.evaluation("c1")["attempts"]) == (1, 0)
    assert [message for message in caplog.messages if "cannot be read" in message] == [caplog.messages[0]]
    assert "'turns'" in caplog.messages[0]
    assert told(census(store, model).run())[0] == {"already_evaluated": 3}


def test_a_wrong_mapping_stops_the_segment_before_anything_is_written():
    store = FakeStore(unreadable(*(f"c{number}" for number in range(MOST_UNREADABLE + 5))))

    with pytest.raises(SetupError, match=r"the mapping does not fit: none of the first 20 .*'turns'.*table check"):
        census(store, FakeModel()).run()

    assert store.written == 0


@pytest.mark.parametrize("readable_at", [0, MOST_UNREADABLE - 1])
def test_one_readable_conversation_shows_that_the_mapping_fits(readable_at: int):
    items = unreadable(*(f"c{number:02}" for number in range(MOST_UNREADABLE + 5)))
    store = FakeStore([*items[:readable_at], conversation_item("good"), *items[readable_at:]])

    tally = census(store, FakeModel()).run()

    assert tally.as_dict()["reasons"] == {"unreadable": len(items)}


def test_a_few_unreadable_ones_alone_are_quarantined_at_the_end_of_the_segment():
    store = FakeStore(unreadable("c1", "c2"))

    assert told(census(store, FakeModel()).run())[0] == {"quarantined": 2}


def test_a_stop_leaves_what_was_held_back_uncounted_and_unwritten():
    store = FakeStore(unreadable("c1"))
    counting = census(store, FakeModel())
    read = store.read

    def stop_after() -> Any:
        yield from read()
        counting.stop.set()
        yield Stored(conversation_item("c2"), has_room=True)

    store.read = stop_after

    assert told(counting.run()) == ({}, {})
    assert store.written == 0


def test_a_corrected_mapping_judges_what_was_unreadable():
    store = FakeStore(unreadable("c1"))
    census(store, FakeModel()).run()
    store.items["c1"]["turns"] = conversation_item("c1")["turns"]

    assert told(census(store, FakeModel()).run())[0] == {"evaluated": 1}


# Re-evaluation


def judged(*answers: object) -> FakeStore:
    """A table of which every conversation has been judged."""
    store = FakeStore(conversation_items(len(answers)))
    census(store, FakeModel(*answers)).run()
    return store


def reevaluated(store: FakeStore, where: str, model: FakeModel | None = None, **of_the_job: Any) -> Any:
    return census(store, model or FakeModel(WRITING, WRITING, WRITING), where=Where.parse(where), **of_the_job)


def test_exactly_what_matches_is_judged_again_and_nothing_pending():
    store = judged(GOOD, WRITING, GOOD)
    store.items["new"] = conversation_item("new")
    model = FakeModel(WRITING, WRITING)

    tally = reevaluated(store, "category=coding", model, **ANEW).run()

    assert told(tally) == ({"evaluated": 2}, {"not_chosen": 2})
    assert len(model.history) == 2
    assert store.evaluation("new") is None
    assert store.evaluation("c1")["run_id"] == "run-1"


def test_a_new_evaluation_keeps_what_it_replaces():
    store = judged(GOOD)
    before = store.evaluation("c0")

    reevaluated(store, "category=coding", **ANEW).run()

    assert store.evaluation("c0")["category"] == "writing"
    assert store.evaluation("c0")["previous"] == {
        "outcome": "evaluated",
        "category": "coding",
        "inquiry_score": 3,
        "prompt_version": before["prompt_version"],
        "model": "fake",
        "evaluated_at": "2026-10-01T12:00:00.000000Z",
    }


@pytest.mark.parametrize("run_id", ["run-2", "run-3"])
def test_a_repeated_reevaluation_makes_no_call_and_no_write(run_id: str):
    store = judged(GOOD, GOOD)
    reevaluated(store, "category=coding", FakeModel(), **ANEW).run()
    written, again = store.written, FakeModel()

    tally = reevaluated(store, "category=coding", again, **ANEW | {"run_id": run_id}).run()

    assert told(tally)[0] == {"already_evaluated": 2}
    assert (again.history, store.written) == ([], written)


def test_a_quarantine_is_driven_again_by_the_same_prompt_and_model():
    store = judged(reply(stop_reason="refusal"), GOOD)

    tally = reevaluated(store, "reason=refused", run_id="run-2").run()

    assert told(tally) == ({"evaluated": 1}, {"not_chosen": 1})
    assert store.evaluation("c0")["category"] == "writing"
    assert store.evaluation("c0")["previous"]["reason"] == "refused"


def test_a_quarantine_that_stays_one_is_paid_for_once_a_run():
    store = judged(reply(stop_reason="refusal"))
    for expected in ({"quarantined": 1}, {"already_evaluated": 1}):
        model = FakeModel(reply(stop_reason="refusal"))

        assert told(reevaluated(store, "reason=refused", model, run_id="run-2").run())[0] == expected


def test_an_evaluation_of_an_older_text_is_pending_and_not_chosen():
    store = judged(GOOD)
    store.items["c0"]["turns"] = conversation_item("c0", "Another text")["turns"]

    assert told(reevaluated(store, "category=coding").run()) == ({}, {"not_chosen": 1})


def test_an_evaluation_outlives_the_body_in_s3_that_it_is_about():
    kept = {ATTRIBUTE: {"content_hash": "of the body", "outcome": "evaluated", "category": "coding"}}
    mapping = MAPPING.model_copy(update={"body": Body(key="large", bucket="bodies")})
    store = FakeStore([conversation_item("a", large="a.json", **kept), conversation_item("b", large="b.json")], mapping)

    tally = census(store, FakeModel()).run()

    assert told(tally) == ({"already_evaluated": 1, "quarantined": 1}, {})
    assert store.evaluation("a") == kept[ATTRIBUTE]
    assert store.evaluation("b")["reason"] == Reason.UNREADABLE


def test_what_still_cannot_be_read_is_not_written_again():
    store = FakeStore(unreadable("c1"))
    census(store, FakeModel()).run()

    assert told(reevaluated(store, "reason=unreadable", **ANEW).run())[0] == {"already_evaluated": 1}


def test_of_two_reevaluations_at_the_same_time_the_first_to_write_stays():
    store, second = judged(GOOD), FakeModel()
    first = reevaluated(store, "category=coding", FakeModel(WRITING), **ANEW)
    second.enqueue(during_the_call(first.run, {"category": "other", "inquiry_score": 1}))

    tally = reevaluated(store, "category=coding", second, instructions="Judge it better.", run_id="run-3").run()

    assert told(tally)[0] == {"already_evaluated": 1}
    assert store.evaluation("c0")["run_id"] == "run-2"


def test_an_item_that_has_no_more_room_keeps_the_evaluation_that_it_has():
    store, ledger = judged(GOOD), FakeLedger()
    store.full = ["c0"]

    tally = census(store, FakeModel(), ledger, where=Where.parse("category=coding"), **ANEW).run()

    assert told(tally)[0] == {"already_evaluated": 1}
    assert ledger.quarantined == {}


# The index of what is pending


def test_what_needs_nothing_leaves_the_index_of_what_is_pending():
    store = judged(GOOD, GOOD)
    store.items["full"] = conversation_item("full")
    store.full = ["full"]

    tally = census(store, FakeModel()).run()

    assert tally.as_dict()["reasons"] == {Reason.TOO_LARGE: 1}
    assert sorted(store.released) == ["c0", "c1", "full"]


# Dry runs


@pytest.mark.parametrize("where", [None, Where.parse("category=coding")])
def test_a_dry_run_counts_what_is_due_and_what_it_would_cost_and_does_nothing(where: Where | None):
    store = judged(GOOD, GOOD)
    store.items["new"] = conversation_item("new", "あ" * 100)
    model, ledger, before = FakeModel(), FakeLedger(0), {name: dict(item) for name, item in store.items.items()}

    tally = census(store, model, ledger, where=where, is_dry_run=True, **ANEW).run()

    assert tally.due == tally.outcomes["left_pending"] == (2 if where else 1)
    assert (model.history, store.items, ledger.begun, store.released) == ([], before, 0, [])
    assert tally.forecast_micro_usd > (0 if where else 100 + 40 * 5 + estimated_tokens(ANEW["instructions"]))


def test_a_dry_run_leaves_the_quota_to_those_that_make_calls():
    claim = FakeClaim()

    census(FakeStore(conversation_items(3)), FakeModel(), claim=claim, is_dry_run=True).run()

    assert set(claim.asked) == {LEAST_SHARE}


def test_a_dry_run_expects_no_cost_of_what_would_not_be_asked():
    store = FakeStore([*unreadable("c1"), conversation_item("c2", " "), conversation_item("c3")], full=["c3"])

    tally = census(store, FakeModel(), is_dry_run=True).run()

    assert (tally.due, tally.forecast_micro_usd) == (3, 0)
    assert all(ATTRIBUTE not in item for item in store.items.values())
