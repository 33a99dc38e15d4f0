from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcensus.errors import SetupError
from chatcensus.interval import Window, window

TOKYO, NEW_YORK = ZoneInfo("Asia/Tokyo"), ZoneInfo("America/New_York")
START, END = datetime(2026, 10, 1, 18, tzinfo=UTC), datetime(2026, 10, 2, 18, tzinfo=UTC)
DUE = datetime(2026, 10, 2, 18, 0, 7, tzinfo=UTC)
A_SECOND = timedelta(seconds=1)


def day(zone: ZoneInfo, of: date) -> Window:
    """A backfill's window over one calendar day of *zone*."""
    start, end = (datetime.combine(day, datetime.min.time(), zone) for day in (of, of + timedelta(days=1)))
    return window("backfill", DUE, start, end)


def test_a_scheduled_run_judges_everything_created_before_its_intervals_end():
    judged = window("scheduled", DUE, START, END)

    assert judged == Window(None, END)
    assert datetime(2020, 1, 1, tzinfo=UTC) in judged
    assert END - A_SECOND in judged
    assert END not in judged


def test_a_backfill_judges_what_was_created_inside_its_interval():
    judged = window("backfill", DUE, START, END)

    assert judged == Window(START, END)
    assert START - A_SECOND not in judged
    assert START in judged
    assert END - A_SECOND in judged
    assert END not in judged


@pytest.mark.parametrize("run_type", ["manual", "asset_triggered", "asset_materialization", "operator_triggered"])
@pytest.mark.parametrize("interval", [(None, None), (START, END)], ids=["no interval", "an interval"])
def test_any_other_run_judges_everything_created_before_it_was_due(run_type: str, interval: tuple[datetime, datetime]):
    assert window(run_type, DUE, *interval) == Window(None, DUE)


def test_a_scheduled_run_without_an_interval_judges_everything_before_it_was_due():
    assert window("scheduled", DUE) == Window(None, DUE)


@pytest.mark.parametrize("interval", [(None, None), (START, None), (None, END)])
def test_a_backfill_without_an_interval_is_refused_with_the_remedy(interval: tuple[datetime, datetime]):
    with pytest.raises(SetupError, match="airflow backfill create"):
        window("backfill", DUE, *interval)


def test_a_conversation_of_unknown_time_is_judged_by_every_run_but_a_backfill():
    assert None in window("scheduled", DUE, START, END)
    assert None in window("manual", DUE)
    assert None not in window("backfill", DUE, START, END)


@pytest.mark.parametrize(
    ("zone", "of", "hours"),
    [
        pytest.param(NEW_YORK, date(2026, 3, 8), 23, id="New York, clocks go forward"),
        pytest.param(NEW_YORK, date(2026, 11, 1), 25, id="New York, clocks go back"),
        pytest.param(NEW_YORK, date(2026, 7, 1), 24, id="New York, summer"),
        pytest.param(TOKYO, date(2026, 10, 1), 24, id="Tokyo"),
        pytest.param(TOKYO, date(2028, 2, 29), 24, id="leap day"),
    ],
)
def test_a_day_is_as_long_as_it_is_in_its_zone(zone: ZoneInfo, of: date, hours: int):
    midnight = datetime(of.year, of.month, of.day, tzinfo=zone).astimezone(UTC)
    every_half_hour = [midnight + timedelta(minutes=30 * count) for count in range(-10, 60)]

    judged = [time for time in every_half_hour if time in day(zone, of)]

    assert len(judged) == hours * 2
    assert {time.astimezone(zone).date() for time in judged} == {of}


def test_tokyos_day_begins_at_three_in_the_afternoon_utc():
    assert datetime(2026, 9, 30, 14, 59, 59, tzinfo=UTC) not in day(TOKYO, date(2026, 10, 1))
    assert datetime(2026, 9, 30, 15, tzinfo=UTC) in day(TOKYO, date(2026, 10, 1))


def test_the_hour_that_comes_twice_is_told_apart():
    first, second = (datetime(2026, 11, 1, 1, 30, tzinfo=NEW_YORK, fold=fold) for fold in (0, 1))
    until_the_second = window("backfill", DUE, first, second)

    assert datetime(2026, 11, 1, 5, 30, tzinfo=UTC) in until_the_second
    assert datetime(2026, 11, 1, 6, 29, tzinfo=UTC) in until_the_second
    assert datetime(2026, 11, 1, 6, 30, tzinfo=UTC) not in until_the_second


@pytest.mark.parametrize("zone", [TOKYO, NEW_YORK], ids=str)
@given(first=st.dates(date(2025, 1, 1), date(2029, 1, 1)), seconds=st.integers(0, 5 * 24 * 3600 - 3601))
def test_of_adjacent_intervals_exactly_one_judges_a_conversation(zone: ZoneInfo, first: date, seconds: int):
    midnights = [datetime.combine(first + timedelta(days=n), datetime.min.time(), zone) for n in range(6)]
    windows = [window("backfill", DUE, start, end) for start, end in pairwise(midnights)]

    created_at = midnights[0].astimezone(UTC) + timedelta(seconds=seconds)

    assert sum(created_at in judged for judged in windows) == 1


@pytest.mark.parametrize("judged", [Window(None, END), Window(START, END), day(NEW_YORK, date(2026, 3, 8))])
def test_a_window_survives_its_way_through_an_xcom(judged: Window):
    texts = judged.as_dict()

    assert Window.from_dict(texts) == judged
    assert all(text is None or isinstance(text, str) for text in texts.values())


@pytest.mark.parametrize("end", [None, "", "tomorrow"])
def test_a_window_without_an_end_is_refused(end: str | None):
    with pytest.raises(SetupError, match="a window needs an end"):
        Window.from_dict({"start": None, "end": end})
