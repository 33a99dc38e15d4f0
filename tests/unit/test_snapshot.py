"""What a watermark allows, and the windows in which DynamoDB is asked for what has changed."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from chatcensus.snapshot import LONGEST, OLDEST_BASE, SHORTEST, Export, Recovery, Snapshot, Watermark, windows

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


def _watermark(base: datetime, until: datetime) -> Watermark:
    layer = Export("e", "arn", base.isoformat(), "bucket", "data/", 1)
    return Watermark(Snapshot("f", until.isoformat(), {"id": "S"}, (layer,)), "table", "columns", 1)


@pytest.mark.parametrize(("age", "is_full"), [(OLDEST_BASE, False), (OLDEST_BASE + timedelta(seconds=1), True)])
def test_a_full_export_too_old_for_its_rows_to_be_kept_long_enough_is_made_anew(age, is_full):
    watermark = _watermark(NOON - age, NOON - timedelta(days=1))
    recovery = Recovery("table", NOON - timedelta(days=35), {"id": "S"})

    why = watermark.why_full(recovery, "columns", NOON)

    assert (why is not None and f"more than {OLDEST_BASE.days} days ago" in why) is is_full


@pytest.mark.parametrize(
    "seconds", [0, 1, 899, 900, 901, 86_399, 86_400, 86_401, 172_800, 172_801, 1_000_003, 2_999_999]
)
@pytest.mark.parametrize("micros", [0, 1, 999_999])
def test_windows_leave_nothing_out_and_are_such_as_dynamodb_takes(seconds, micros):
    until, to = NOON.replace(microsecond=micros), NOON + timedelta(seconds=seconds)

    found = windows(until, to)

    assert found[0][0] <= until
    assert found[-1][1] == to
    assert all(before[1] == after[0] for before, after in pairwise(found))
    assert all(SHORTEST <= end - begin <= LONGEST for begin, end in found)
    assert all(time.microsecond == 0 for window in found for time in window)
