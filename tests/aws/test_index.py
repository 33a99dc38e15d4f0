"""An index is refused unless it fits, and is cut by counting alone, so that no segment is larger than it may be."""

import logging

import pytest
from pydantic import TypeAdapter

from chatcensus.aws.index import IndexWalk, checked_index
from chatcensus.aws.reading import SegmentReader
from chatcensus.errors import SetupError
from chatcensus.partition import Partition, index_segments
from tests.aws.indexed_table import BY_DAY, MAPPING, PENDING, TABLE, create, index_of, put, put_day

WINDOW = {"start": None, "end": "2026-11-22T12:00:00+00:00"}
strategy = TypeAdapter(Partition).validate_python


@pytest.fixture
def dynamodb(local_aws):
    return local_aws.client("dynamodb")


def _checked(dynamodb, named=BY_DAY):
    return checked_index(TABLE, dynamodb.describe_table(TableName=TABLE)["Table"], strategy(named))


def _pieces(dynamodb, per_segment, *days):
    return IndexWalk(dynamodb, TABLE, _checked(dynamodb), per_segment).pieces((day, day) for day in days)


def _held(dynamodb, piece):
    """The entries of a piece, counted by reading them."""
    within = piece.range
    start, end = ((border or {"S": other})["S"] for border, other in ((within.start, ""), (within.end, "~")))
    items = dynamodb.scan(TableName=TABLE)["Items"]
    return sum(item["day"]["S"] == within.value and start <= item["created_at"]["S"] < end for item in items)


def test_a_fitting_index_is_taken_with_the_names_of_its_keys(dynamodb):
    create(dynamodb)

    index = _checked(dynamodb)

    assert (index.key, index.sort) == ("day", "created_at")


@pytest.mark.parametrize(
    ("indexes", "types", "named", "complaint"),
    [
        pytest.param([], {}, BY_DAY | {"index": "none"}, r"'none' .* does not exist, there are \['by-day'", id="none"),
        pytest.param(
            [index_of("by-day", "day", "created_at", "ALL")], {}, BY_DAY, "projects ALL.*KEYS_ONLY", id="projects all"
        ),
        pytest.param(
            [index_of("by-day", "day", None)], {"day": "N"}, BY_DAY, "must be one attribute of type S", id="a number"
        ),
        pytest.param(
            [index_of("by-day", "day", "at")], {"at": "B"}, BY_DAY, "the sort key S or N", id="a binary sort key"
        ),
        pytest.param(
            [index_of("pending", "state", "created_at")],
            {},
            PENDING,
            "removing 'pending' takes nothing",
            id="other key",
        ),
        pytest.param(
            [index_of("pending", "pending", "id")],
            {},
            PENDING | {"attribute": "id"},
            "removing 'id' takes nothing",
            id="a key of the table",
        ),
    ],
)
def test_an_index_that_does_not_fit_is_refused_with_the_remedy(dynamodb, indexes, types, named, complaint):
    create(dynamodb, *indexes, types=types)

    with pytest.raises(SetupError, match=complaint):
        _checked(dynamodb, named)


@pytest.mark.parametrize(
    ("state", "complaint"),
    [
        ({"IndexStatus": "CREATING"}, "still being built: clear plan when it is ACTIVE"),
        ({"IndexStatus": "ACTIVE", "Backfilling": True}, "still being built: clear plan when it is ACTIVE"),
        ({"IndexStatus": "DELETING"}, "is being deleted: correct the mapping"),
    ],
)
def test_an_index_that_is_being_built_or_deleted_is_refused(dynamodb, state, complaint):
    with pytest.raises(SetupError, match=complaint):
        checked_index(TABLE, _described(dynamodb, state), strategy(BY_DAY))


def test_an_index_whose_capacity_is_being_changed_can_be_read(dynamodb):
    assert checked_index(TABLE, _described(dynamodb, {"IndexStatus": "UPDATING"}), strategy(BY_DAY)).key == "day"


def test_an_index_whose_partition_key_is_of_two_attributes_is_refused(dynamodb):
    keys = [{"AttributeName": name, "KeyType": "HASH"} for name in ("day", "created_at")]

    with pytest.raises(SetupError, match="must be one attribute of type S"):
        checked_index(TABLE, _described(dynamodb, {"KeySchema": keys}), strategy(BY_DAY))


def _described(dynamodb, state):
    create(dynamodb)
    description = dynamodb.describe_table(TableName=TABLE)["Table"]
    for index in description["GlobalSecondaryIndexes"]:
        index |= state
    return description


def test_a_day_that_fits_is_one_piece_and_a_day_without_entries_none(dynamodb):
    create(dynamodb)
    put_day(dynamodb, "2026-11-01", 5)

    [piece] = _pieces(dynamodb, 5, "2026-11-01", "2026-11-02")

    assert (piece.entries, piece.range.start, piece.range.end) == (5, None, None)


@pytest.mark.parametrize("count", [6, 10, 11, 23])
def test_a_hot_day_is_cut_by_time_and_every_piece_fits(dynamodb, count):
    create(dynamodb)
    put_day(dynamodb, "2026-11-01", count)

    pieces = _pieces(dynamodb, 5, "2026-11-01")

    assert [_held(dynamodb, piece) for piece in pieces] == [piece.entries for piece in pieces]
    assert sum(piece.entries for piece in pieces) == count
    assert max(piece.entries for piece in pieces) <= 5
    assert len(pieces) == -(-count // 5)


def test_a_sort_key_of_numbers_is_cut_by_their_size_and_every_entry_is_in_one_segment(dynamodb):
    create(dynamodb, index_of("by-day", "day", "ms"), types={"ms": "N"})
    numbers = ["5", "40", "300", "2000", "-7", "2E+3", "2000.0", "10000"]
    for place, number in enumerate(numbers):
        put(dynamodb, f"c{place}", "2026-11-01T00:00:00Z", ms={"N": number})

    index = _checked(dynamodb)
    segments = index_segments(_pieces(dynamodb, 2, "2026-11-01"), 2, index, WINDOW)
    read = [
        stored.item["id"]
        for segment in segments
        for stored in SegmentReader(dynamodb, TABLE, MAPPING, segment.read).read()
        if stored
    ]

    assert sorted(read) == [f"c{place}" for place in range(len(numbers))]
    assert max(segment.expected for segment in segments) == 3  # those at 2,000


def test_entries_of_one_instant_cannot_be_cut_and_the_log_says_so(dynamodb, caplog):
    create(dynamodb)
    for number in range(12):
        put(dynamodb, f"c{number}", "2026-11-01T00:00:00Z")

    with caplog.at_level(logging.INFO):
        [piece] = _pieces(dynamodb, 5, "2026-11-01")

    assert piece.entries == 12
    assert "12 entries of '2026-11-01' have the same sort key, and cannot be cut: one segment" in caplog.text


def test_what_lies_beside_a_crowded_instant_is_cut_as_ever(dynamodb):
    create(dynamodb)
    put_day(dynamodb, "2026-11-01", 8)
    for number in range(12):
        put(dynamodb, f"same{number}", "2026-11-01T00:00:03Z")

    pieces = _pieces(dynamodb, 5, "2026-11-01")

    held = [_held(dynamodb, piece) for piece in pieces]
    assert sum(held) == 20
    assert max(held) == 13  # those of the instant
    assert sorted(held)[-2] <= 5
    assert all(has <= piece.entries for has, piece in zip(held, pieces, strict=True))


def test_an_index_without_a_sort_key_is_counted_whole(dynamodb):
    create(dynamodb, index_of("by-day", "day", None))
    put_day(dynamodb, "2026-11-01", 12)

    [piece] = _pieces(dynamodb, 5, "2026-11-01")

    assert piece.entries == 12


def test_counting_reads_no_conversation(local_aws, dynamodb):
    create(dynamodb)
    put_day(dynamodb, "2026-11-01", 12)
    _pieces(dynamodb, 5, "2026-11-01")

    reads = local_aws.stats()["dynamodb_reads"]

    assert TABLE not in reads
    assert reads[f"{TABLE}/by-day"]["items"] <= 12 + 2  # each border is seen twice


def test_an_empty_index_is_one_empty_segment(dynamodb):
    create(dynamodb)

    pieces = _pieces(dynamodb, 5, "2026-11-01")

    assert len(index_segments(pieces, 5, _checked(dynamodb), WINDOW)) == 1
