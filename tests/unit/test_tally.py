import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcensus.answer import Reason
from chatcensus.errors import SnapshotIncomplete
from chatcensus.tally import Outcome, Tally

SKIPPED = ("other_item", "outside_interval", "created_in_future", "duplicate", "not_chosen")
counts = st.integers(0, 10**9)
tallies = st.builds(
    Tally,
    read=counts,
    outcomes=st.dictionaries(st.sampled_from(Outcome), counts).map(Counter),
    reasons=st.dictionaries(st.sampled_from(Reason), counts).map(Counter),
    skipped=st.dictionaries(st.sampled_from(SKIPPED), counts).map(Counter),
    calls=counts,
    possibly_paid=counts,
    throttled=counts,
    input_tokens=counts,
    output_tokens=counts,
    cost_micro_usd=counts,
    due=counts,
    forecast_micro_usd=counts,
    cache_read_tokens=counts,
    cache_write_tokens=counts,
    saved_micro_usd=st.integers(-(10**9), 10**9),
)


def test_a_tally_that_adds_up_passes():
    Tally(read=3, outcomes=Counter({Outcome.EVALUATED: 2, Outcome.LEFT_PENDING: 1})).check()


@pytest.mark.parametrize("read", [0, 2, 4])
def test_a_tally_that_does_not_add_up_says_both_numbers_and_what_to_do(read: int):
    tally = Tally(read=read, outcomes=Counter({Outcome.EVALUATED: 2, Outcome.DELETED: 1}))

    with pytest.raises(SnapshotIncomplete, match=rf"{read} conversations read, 3 ended .*deleted.*clear the classify"):
        tally.check()


def test_what_was_written_is_evaluations_and_quarantines():
    outcomes = Counter({outcome: 10**index for index, outcome in enumerate(Outcome)})

    assert Tally(outcomes=outcomes).written == outcomes[Outcome.EVALUATED] + outcomes[Outcome.QUARANTINED]


@given(st.lists(tallies, max_size=5))
def test_the_total_is_the_sum_of_its_parts(parts: list[Tally]):
    total = Tally.total(json.loads(json.dumps([part.as_dict() for part in parts])))

    assert total.read == sum(part.read for part in parts)
    assert total.calls == sum(part.calls for part in parts)
    assert total.possibly_paid == sum(part.possibly_paid for part in parts)
    assert total.throttled == sum(part.throttled for part in parts)
    assert total.input_tokens == sum(part.input_tokens for part in parts)
    assert total.output_tokens == sum(part.output_tokens for part in parts)
    assert total.cost_micro_usd == sum(part.cost_micro_usd for part in parts)
    assert total.due == sum(part.due for part in parts)
    assert total.forecast_micro_usd == sum(part.forecast_micro_usd for part in parts)
    assert total.cache_read_tokens == sum(part.cache_read_tokens for part in parts)
    assert total.cache_write_tokens == sum(part.cache_write_tokens for part in parts)
    assert total.saved_micro_usd == sum(part.saved_micro_usd for part in parts)
    assert total.skipped == sum((part.skipped for part in parts), Counter())
    for outcome in Outcome:
        assert total.outcomes[outcome] == sum(part.outcomes[outcome] for part in parts)
    for reason in Reason:
        assert total.reasons[reason] == sum(part.reasons[reason] for part in parts)


@given(tallies)
def test_the_total_of_one_tally_is_that_tally(tally: Tally):
    assert Tally.total([tally.as_dict()]).as_dict() == tally.as_dict()


def test_a_tally_that_was_written_before_there_was_a_cache_is_read_as_one_without():
    old = {"outcomes": {"evaluated": 2}, "reasons": {}, "skipped": {}, "read": 2, "calls": 2, "possibly_paid": 0}
    old |= {"throttled": 0, "input_tokens": 9, "output_tokens": 5, "cost_micro_usd": 7}

    total = Tally.total([old, Tally(cache_read_tokens=4, saved_micro_usd=3).as_dict()])

    assert (total.read, total.cost_micro_usd, total.cache_read_tokens, total.saved_micro_usd) == (2, 7, 4, 3)


def test_what_never_happened_is_not_listed():
    assert Tally(outcomes=Counter({Outcome.CHANGED: 0})).as_dict()["outcomes"] == {}


def test_the_largest_tally_fits_in_a_kilobyte():
    most, most_tokens = 10**8, 10**12
    tally = Tally(
        read=most,
        outcomes=Counter(dict.fromkeys(Outcome, most)),
        reasons=Counter(dict.fromkeys(Reason, most)),
        skipped=Counter(dict.fromkeys(SKIPPED, most)),
        calls=most,
        throttled=most,
        input_tokens=most_tokens,
        output_tokens=most_tokens,
        cost_micro_usd=most_tokens,
        cache_read_tokens=most_tokens,
        saved_micro_usd=most_tokens,
    )

    assert len(json.dumps(tally.as_dict())) < 1024
