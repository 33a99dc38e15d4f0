"""How the table is cut: every conversation in one segment, 1 to 1,024 of them, none larger than it may be."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from chatcensus.partition import (
    MAX_SEGMENTS,
    DateIndex,
    IndexPart,
    PendingIndex,
    Piece,
    Range,
    Segment,
    index_segments,
    scan_segments,
)

WINDOW = {"start": None, "end": "2026-11-22T12:00:00+00:00"}
INDEX = IndexPart(index="by-day", key="day", sort="created_at", ranges=())
BY_DAY = DateIndex(strategy="date-index", index="by-day", first_day="2026-11-20")


def _at(*parts):
    return datetime(*parts, tzinfo=UTC)


def _piece(value, entries, start=None, end=None, day=""):
    border = {None: None} | {name: {"S": name} for name in (start, end) if name}
    return Piece(Range(value=value, start=border[start], end=border[end]), entries, day)


@pytest.mark.parametrize(
    ("start", "end", "days"),
    [
        pytest.param(None, _at(2026, 11, 22, 12), ["2026-11-20", "2026-11-21", "2026-11-22"], id="from the first day"),
        pytest.param(None, _at(2026, 11, 22), ["2026-11-20", "2026-11-21"], id="the end is exclusive"),
        pytest.param(_at(2026, 11, 21, 15), _at(2026, 11, 22, 15), ["2026-11-21", "2026-11-22"], id="a day of Tokyo"),
        pytest.param(_at(2026, 1, 1), _at(2026, 11, 21), ["2026-11-20"], id="nothing before the first day"),
        pytest.param(None, _at(2026, 11, 1), [], id="before the history begins"),
    ],
)
def test_a_date_index_has_the_days_of_the_window(start, end, days):
    assert [day for _, day in BY_DAY.keys(start, end)] == days


def test_days_that_the_tool_cuts_in_its_own_zone_are_asked_for_as_it_names_them():
    tokyo = BY_DAY.model_copy(update={"timezone": "Asia/Tokyo"})

    assert [day for _, day in tokyo.keys(_at(2026, 11, 21, 15), _at(2026, 11, 22, 15))] == ["2026-11-22"]
    assert [day for _, day in tokyo.keys(_at(2026, 11, 21), _at(2026, 11, 22))] == ["2026-11-21", "2026-11-22"]


@pytest.mark.parametrize("wrong", [{"timezone": "Tokyo"}, {"first_day": "2026-02-30"}])
def test_a_zone_or_day_that_does_not_exist_is_refused(wrong):
    with pytest.raises(ValidationError):
        DateIndex.model_validate(BY_DAY.model_dump() | wrong)


@pytest.mark.parametrize("day", ["%Y-%m", "%d.%m.", "day", ""])
def test_a_form_that_gives_two_days_one_key_is_refused_since_both_would_read_its_entries(day):
    with pytest.raises(ValidationError, match="two days would have one key: name the day, the month and the year"):
        DateIndex.model_validate({**BY_DAY.model_dump(), "day": day})


def test_a_day_that_is_spread_over_shards_is_asked_for_in_each():
    sharded = BY_DAY.model_copy(update={"shards": 2, "day": "%Y%m%d"})

    keys = list(sharded.keys(None, _at(2026, 11, 21)))

    assert keys == [("20261120#0", "2026-11-20"), ("20261120#1", "2026-11-20")]


@pytest.mark.parametrize("values", [[], [""], ["1", ""]])
def test_a_pending_index_without_a_value_that_a_key_can_have_is_refused(values):
    with pytest.raises(ValidationError, match="at least 1"):
        PendingIndex(strategy="pending-index", index="pending", attribute="pending", values=values)


def test_a_pending_index_is_asked_for_each_of_its_values_once():
    pending = PendingIndex(strategy="pending-index", index="pending", attribute="pending", values=("1", "2", "1"))

    assert list(pending.keys(None, _at(2026, 11, 22))) == [("1", ""), ("2", "")]


def test_small_days_share_a_segment_and_a_large_one_has_its_own():
    pieces = [_piece("a", 3), _piece("b", 4), _piece("c", 9), _piece("d", 1)]

    segments = index_segments(pieces, 10, INDEX, WINDOW)

    assert [[each.value for each in segment.read.ranges] for segment in segments] == [["a", "b"], ["c", "d"]]
    assert [segment.expected for segment in segments] == [7, 10]
    assert [segment.name for segment in segments] == ["segment 1/2 (7)", "segment 2/2 (10)"]


def test_neighbouring_pieces_of_one_day_are_read_as_one_range():
    pieces = [_piece("a", 3, None, "m"), _piece("a", 3, "m", "t"), _piece("a", 3, "t", None)]

    [segment] = index_segments(pieces, 10, INDEX, WINDOW)

    assert segment.read.ranges == (Range(value="a"),)


def test_an_empty_index_is_one_segment_that_reads_nothing():
    [segment] = index_segments([], 10, INDEX, WINDOW)

    assert segment.read.ranges == ()
    assert segment.expected == 0


def test_a_segment_survives_an_xcom():
    segments = [*scan_segments(7, 3, WINDOW), *index_segments([_piece("a", 1, "m", "t")], 3, INDEX, WINDOW)]

    assert [Segment.model_validate(json.loads(json.dumps(segment.as_dict()))) for segment in segments] == segments


def test_two_plans_with_other_borders_are_other_splits():
    one, same, other = (
        index_segments([_piece("a", 1, None, border), _piece("a", 1, border, None)], 1, INDEX, WINDOW)[0].split
        for border in ("m", "m", "n")
    )

    assert one == same != other


@given(st.lists(st.integers(1, 50), max_size=3000), st.integers(1, 60))
def test_no_segment_is_larger_than_it_may_be_and_no_piece_is_lost(entries, per_segment):
    pieces = [_piece(f"{number:04}", count) for number, count in enumerate(entries)]

    segments = index_segments(pieces, per_segment, INDEX, WINDOW)

    values = [each.value for segment in segments for each in segment.read.ranges]
    assert values == [piece.range.value for piece in pieces]
    assert sum(segment.expected for segment in segments) == sum(entries)
    assert 1 <= len(segments) <= MAX_SEGMENTS
    assert len({segment.part for segment in segments}) == len(segments)
    if len(pieces) <= MAX_SEGMENTS:
        assert all(s.expected <= per_segment or len(s.read.ranges) == 1 for s in segments)


def test_more_than_1024_segments_of_the_stated_size_become_larger_ones():
    segments = index_segments([_piece(f"{number:05}", 10) for number in range(5000)], 10, INDEX, WINDOW)

    assert MAX_SEGMENTS / 2 < len(segments) <= MAX_SEGMENTS
    assert sum(segment.expected for segment in segments) == 50_000
