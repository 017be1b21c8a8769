from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huidu.core.errors import InvalidError
from huidu.core.window import Window, days, intervals, intervals_around, minute_of_day

ZONES = ["UTC", "Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]
FIRST = date(2026, 3, 1)

windows = st.builds(
    lambda on, start, length, tz: Window(tuple(sorted(on)), start, (start + length) % 1440, tz),
    st.sets(st.integers(0, 6), min_size=1),
    st.integers(0, 1439),
    st.integers(1, 1439),
    st.sampled_from(ZONES),
)


@given(windows, st.integers(2 * 86400, 250 * 86400))
def test_open_is_what_the_clock_on_the_wall_says(window: Window, offset: int) -> None:
    moment = int(datetime(2026, 3, 1, tzinfo=UTC).timestamp()) + offset
    found = intervals([window], FIRST - timedelta(days=2), 260)
    local = datetime.fromtimestamp(moment, ZoneInfo(window.tz))
    # Around a change of summer time the wall shows some times twice or never: the rule for these is tested below.
    near = [local + timedelta(hours=hours) for hours in (-30, 30)]
    if len({each.astimezone(ZoneInfo(window.tz)).utcoffset() for each in (local, *near)}) > 1:
        return
    minute = local.hour * 60 + local.minute
    today, yesterday = local.weekday() in window.days, (local.weekday() - 1) % 7 in window.days
    if window.start_minute < window.end_minute:
        meant = today and window.start_minute <= minute < window.end_minute
    else:
        meant = (today and minute >= window.start_minute) or (yesterday and minute < window.end_minute)
    assert any(start <= moment < end for start, end in found) == meant


@given(st.lists(windows, max_size=3), st.integers(0, 400 * 86400))
def test_intervals_are_ordered_and_apart(several: list[Window], offset: int) -> None:
    found = intervals_around(several, 1_770_000_000 + offset)
    assert all(start < end for start, end in found)
    assert all(one[1] < other[0] for one, other in pairwise(found))


def test_office_hours_in_shanghai() -> None:
    office = Window(days("mon-fri"), minute_of_day("09:00"), minute_of_day("18:00"), "Asia/Shanghai")
    monday = intervals([office], date(2026, 11, 23), 1)
    assert monday == (
        (
            int(datetime(2026, 11, 23, 1, tzinfo=UTC).timestamp()),
            int(datetime(2026, 11, 23, 10, tzinfo=UTC).timestamp()),
        ),
    )


def test_a_window_over_midnight_belongs_to_the_day_it_starts_on() -> None:
    night = Window(days("sat"), minute_of_day("22:00"), minute_of_day("06:00"), "UTC")
    (found,) = intervals([night], date(2026, 11, 23), 7)
    assert [datetime.fromtimestamp(each, UTC).strftime("%a %H:%M") for each in found] == ["Sat 22:00", "Sun 06:00"]


def test_summer_time_begins_and_ends() -> None:
    # Berlin, 29 March 2026: 02:00 becomes 03:00; 25 October: 03:00 becomes 02:00.
    early = Window(days("sun"), minute_of_day("01:00"), minute_of_day("04:00"), "Europe/Berlin")
    ((start, end),) = intervals([early], date(2026, 3, 29), 1)
    assert end - start == 2 * 3600
    ((start, end),) = intervals([early], date(2026, 10, 25), 1)
    assert end - start == 4 * 3600
    inside = Window(days("sun"), minute_of_day("02:30"), minute_of_day("04:00"), "Europe/Berlin")
    ((start, end),) = intervals([inside], date(2026, 3, 29), 1)
    assert datetime.fromtimestamp(start, ZoneInfo("Europe/Berlin")).strftime("%H:%M") == "03:30"


def test_intervals_are_equal_all_day_long() -> None:
    window = Window(days("mon-sun"), 0, 1440, "Asia/Shanghai")
    noon = datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()
    assert intervals_around([window], noon) == intervals_around([window], noon + 11 * 3600)
    assert any(start <= noon + 14 * 86400 < end for start, end in intervals_around([window], noon))


@pytest.mark.parametrize("text", ["", "monday", "mon-", "mon--fri", "1-5", "mon;tue"])
def test_invalid_days_are_refused(text: str) -> None:
    with pytest.raises(InvalidError, match="accepted: mon tue"):
        days(text)


def test_days_may_run_over_the_end_of_the_week() -> None:
    assert days("fri-mon") == (0, 4, 5, 6)
    assert days("Mon-Fri, sun") == (0, 1, 2, 3, 4, 6)


@pytest.mark.parametrize("text", ["", "9", "25:00", "24:01", "09:60", "9:5", "-1:00", "09:00:00"])
def test_invalid_times_are_refused(text: str) -> None:
    with pytest.raises(InvalidError, match="accepted: HH:MM"):
        minute_of_day(text)


def test_an_invalid_window_is_refused() -> None:
    with pytest.raises(InvalidError, match="accepted: a time zone"):
        Window((0,), 0, 60, "Mars/Olympus")
    with pytest.raises(InvalidError, match="same time"):
        Window((0,), 60, 60, "UTC")
