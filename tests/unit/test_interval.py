from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pendulum
import pytest
from airflow.timetables.base import TimeRestriction
from airflow.timetables.interval import CronDataIntervalTimetable
from airflow.utils.types import DagRunType
from hypothesis import given
from hypothesis import strategies as st

from chatcensus.errors import SetupError
from chatcensus.interval import Window, first_instant, window

NEW_YORK = ZoneInfo("America/New_York")
START, END = datetime(2026, 10, 1, 18, tzinfo=UTC), datetime(2026, 10, 2, 18, tzinfo=UTC)
DUE = datetime(2026, 10, 2, 18, 0, 7, tzinfo=UTC)
NEVER = datetime(2100, 1, 1, tzinfo=UTC)
A_SECOND = timedelta(seconds=1)


def airflow_days(zone: str, first: date, days: int, cron: str = "0 0 * * *") -> list[Window]:
    """The windows of the backfill runs that Airflow makes for *days* days from *first* on."""
    timetable = CronDataIntervalTimetable(cron, timezone=pendulum.timezone(zone))
    the_noon_before = pendulum.datetime(first.year, first.month, first.day, 12, tz=zone).subtract(days=1)
    since = TimeRestriction(earliest=the_noon_before, latest=None, catchup=True)
    windows, last = [], None
    for _ in range(days):
        run = timetable.next_dagrun_info(last_automated_data_interval=last, restriction=since)
        last = run.data_interval
        windows.append(Window.from_dict(window("backfill", run.run_after, last.start, last.end).as_dict()))
    return windows


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


@pytest.mark.parametrize("run_type", sorted(set(DagRunType) - {DagRunType.BACKFILL_JOB, DagRunType.SCHEDULED}))
@pytest.mark.parametrize("interval", [(None, None), (START, END)], ids=["no interval", "an interval"])
def test_any_other_run_judges_everything_created_before_it_was_due(
    run_type: DagRunType, interval: tuple[datetime, datetime]
):
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


def test_a_run_triggered_in_the_ui_judges_what_is_pending_whatever_date_its_form_holds():
    timetable = CronDataIntervalTimetable("0 3 * * *", timezone=pendulum.timezone("Asia/Tokyo"))
    for logical_date in (DUE, datetime(2026, 1, 31, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)):
        interval = timetable.infer_manual_data_interval(run_after=pendulum.instance(logical_date))

        assert window(DagRunType.MANUAL, DUE, *interval) == Window(None, DUE)


def test_an_interval_in_the_future_is_taken_as_it_is():
    start, end = datetime(2099, 1, 1, tzinfo=UTC), datetime(2099, 1, 2, tzinfo=UTC)

    assert window("backfill", DUE, start, end) == Window(start, end)
    assert window("scheduled", DUE, start, end) == Window(None, end)
    assert window("manual", start) == Window(None, start)


@pytest.mark.parametrize("run_type", ["backfill", "scheduled", "manual"])
def test_times_of_another_zone_are_the_same_window_in_utc(run_type: str):
    there = [time.astimezone(NEW_YORK) for time in (DUE, START, END)]

    judged = window(run_type, *there)

    assert judged == window(run_type, DUE, START, END)
    assert judged.end.tzinfo is UTC


@pytest.mark.parametrize(
    ("zone", "of", "hours"),
    [
        pytest.param("America/New_York", date(2026, 3, 8), 23, id="New York, clocks go forward"),
        pytest.param("America/New_York", date(2026, 11, 1), 25, id="New York, clocks go back"),
        pytest.param("America/New_York", date(2026, 7, 1), 24, id="New York, summer"),
        pytest.param("Europe/Berlin", date(2026, 3, 29), 23, id="Berlin, clocks go forward"),
        pytest.param("Europe/Berlin", date(2026, 10, 25), 25, id="Berlin, clocks go back"),
        pytest.param("Australia/Lord_Howe", date(2026, 10, 4), 23.5, id="Lord Howe, half an hour forward"),
        pytest.param("Australia/Lord_Howe", date(2026, 4, 5), 24.5, id="Lord Howe, half an hour back"),
        pytest.param("Asia/Beirut", date(2026, 3, 29), 23, id="Beirut, a day without a midnight"),
        pytest.param("Asia/Tokyo", date(2026, 10, 1), 24, id="Tokyo"),
        pytest.param("Asia/Tokyo", date(2028, 2, 29), 24, id="leap day"),
        pytest.param("Asia/Tokyo", date(2026, 12, 31), 24, id="last day of a year"),
        pytest.param("Pacific/Apia", date(2027, 1, 1), 24, id="furthest east"),
    ],
)
def test_a_day_is_as_long_as_it_is_in_its_zone(zone: str, of: date, hours: float):
    [by_airflow] = airflow_days(zone, of, days=1)
    after = (of + timedelta(days=1)).isoformat()
    by_hand = window("manual", NEVER, created_from=of.isoformat(), created_before=after, timezone=zone)
    every_half_hour = [by_airflow.start + timedelta(minutes=30 * count) for count in range(-10, 60)]

    judged = [time for time in every_half_hour if time in by_airflow]

    assert by_hand == by_airflow
    assert len(judged) == hours * 2
    assert {time.astimezone(ZoneInfo(zone)).date() for time in judged} == {of}


def test_tokyos_day_begins_at_three_in_the_afternoon_utc():
    [judged] = airflow_days("Asia/Tokyo", date(2026, 10, 1), days=1)

    assert datetime(2026, 9, 30, 14, 59, 59, tzinfo=UTC) not in judged
    assert datetime(2026, 9, 30, 15, tzinfo=UTC) in judged


@pytest.mark.parametrize(("year", "days"), [(2027, 365), (2028, 366)])
def test_the_days_of_a_year_are_all_judged_leap_day_included(year: int, days: int):
    windows = airflow_days("Asia/Tokyo", date(year, 1, 1), days)

    assert windows[0].start == first_instant("", f"{year}-01-01", "Asia/Tokyo")
    assert windows[-1].end == first_instant("", f"{year + 1}-01-01", "Asia/Tokyo")
    assert {judged.end - judged.start for judged in windows} == {timedelta(days=1)}


def test_the_hour_that_comes_twice_is_told_apart():
    first, second = (datetime(2026, 11, 1, 1, 30, tzinfo=NEW_YORK, fold=fold) for fold in (0, 1))
    until_the_second = window("backfill", DUE, first, second)

    assert datetime(2026, 11, 1, 5, 30, tzinfo=UTC) in until_the_second
    assert datetime(2026, 11, 1, 6, 29, tzinfo=UTC) in until_the_second
    assert datetime(2026, 11, 1, 6, 30, tzinfo=UTC) not in until_the_second


@given(
    zone=st.sampled_from(["Asia/Tokyo", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Beirut"]),
    cron=st.sampled_from(["0 0 * * *", "30 1 * * *", "30 2 * * *", "0 3 * * *"]),
    first=st.dates(date(2025, 1, 1), date(2029, 1, 1)),
    seconds=st.integers(0, 5 * 24 * 3600),
)
def test_the_windows_of_consecutive_days_tile_time(zone: str, cron: str, first: date, seconds: int):
    windows = airflow_days(zone, first, days=7, cron=cron)
    created_at = windows[0].start + timedelta(seconds=seconds)

    assert all(one.end == other.start for one, other in pairwise(windows))
    assert sum(created_at in judged for judged in windows) == 1


def test_a_run_by_hand_can_be_narrowed_to_some_days():
    from_the_first = {"created_from": "2026-09-01", "timezone": "Asia/Tokyo"}
    before_october = {"created_before": "2026-10-01", "timezone": "Asia/Tokyo"}
    september, october = (datetime(2026, month, day, 15, tzinfo=UTC) for month, day in ((8, 31), (9, 30)))

    assert window("manual", DUE, **from_the_first) == Window(september, DUE)
    assert window("manual", DUE, **before_october) == Window(None, october)
    assert window("manual", DUE, **(from_the_first | before_october)) == Window(september, october)
    assert window("scheduled", DUE, START, END, **from_the_first) == Window(september, END)


def test_a_day_begins_at_the_first_of_two_midnights_and_where_there_is_none_at_the_change():
    assert first_instant("", "2026-11-01", "America/Havana") == datetime(2026, 11, 1, 4, tzinfo=UTC)
    assert first_instant("", "2026-03-29", "Asia/Beirut") == datetime(2026, 3, 28, 22, tzinfo=UTC)


def test_days_that_have_not_come_yet_do_not_widen_what_a_run_judges():
    assert window("manual", DUE, created_before="2099-01-01") == Window(None, DUE)


@pytest.mark.parametrize("name", ["created_from", "created_before"])
@pytest.mark.parametrize(
    "text",
    ["yesterday", "2026-02-29", "2026-10-1", "20261001", "2026-W40-4", "2026-10-01T00:00", " 2026-10-01", "0001-01-01"],
)
def test_a_text_that_is_no_day_is_refused_by_name_with_the_form(name: str, text: str):
    with pytest.raises(SetupError, match=f"{name} is '{text}'.*YYYY-MM-DD"):
        window("manual", DUE, **{name: text}, timezone="Asia/Tokyo")


@pytest.mark.parametrize(
    "days",
    [
        pytest.param({"created_from": "2026-09-02", "created_before": "2026-09-01"}, id="turned round"),
        pytest.param({"created_from": "2026-09-01", "created_before": "2026-09-01"}, id="the same day"),
        pytest.param({"created_from": "2099-01-01"}, id="in the future"),
    ],
)
def test_days_that_hold_nothing_are_refused(days: dict[str, str]):
    with pytest.raises(SetupError, match="created_from has to be a day before created_before"):
        window("manual", DUE, **days)


@pytest.mark.parametrize("name", ["created_from", "created_before"])
def test_a_backfill_with_days_of_its_own_is_refused(name: str):
    with pytest.raises(SetupError, match="leave created_from and created_before empty"):
        window("backfill", DUE, START, END, **{name: "2026-10-01"})


@pytest.mark.parametrize("judged", [Window(None, END), Window(START, END)])
def test_a_window_survives_its_way_through_an_xcom(judged: Window):
    texts = judged.as_dict()

    assert Window.from_dict(texts) == judged
    assert all(text is None or isinstance(text, str) for text in texts.values())


@pytest.mark.parametrize("end", [None, "", "tomorrow"])
def test_a_window_without_an_end_is_refused(end: str | None):
    with pytest.raises(SetupError, match="a window needs an end"):
        Window.from_dict({"start": None, "end": end})
