from itertools import islice, pairwise, takewhile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from huidu.core.looks import due, look_times, spend
from huidu.core.plan import Share

stages = st.floats(0, 90_000).map(lambda seconds: Share(500, seconds))


@settings(deadline=None)
@given(st.integers(1, 10_000), st.floats(0.0001, 0.5))
def test_what_all_looks_spend_stays_within_the_total(looks: int, total: float) -> None:
    spent = sum(spend(total, index) for index in range(1, looks + 1))
    assert spent == pytest.approx(total * looks / (looks + 1))


def test_looks_double_to_the_end_of_the_stage_and_then_come_by_quarters() -> None:
    assert list(islice(look_times(Share(500, 20.0)), 8)) == [1.25, 2.5, 5.0, 10.0, 20.0, 25.0, 30.0, 35.0]
    assert next(look_times(Share(500, 1280.0))) == 10.0


@pytest.mark.parametrize("hours", [1, 2, 24, 72, 24 * 30])
def test_a_long_stage_is_looked_at_from_about_ten_seconds_on(hours: float) -> None:
    """What fails altogether must not go on for the first hundredth of it."""
    times = list(islice(look_times(Share(500, hours * 3600.0)), 40))
    assert 10.0 <= times[0] < 20.0
    assert hours * 3600.0 in times
    doubled = [later / earlier for earlier, later in pairwise(times) if later <= hours * 3600.0]
    assert doubled == [2.0] * len(doubled)


def test_a_short_stage_keeps_its_looks() -> None:
    assert next(look_times(Share(500, 1280.0))) == 10.0
    assert next(look_times(Share(500, 600.0))) == 600 / 128


@settings(deadline=None)
@given(stages, st.floats(0.0001, 0.5))
def test_a_stage_of_any_length_spends_no_more_than_the_total(stage: Share, total: float) -> None:
    looks = len(list(takewhile(lambda at: at <= 10 * max(stage.for_seconds, 1.0), look_times(stage))))
    assert sum(spend(total, index) for index in range(1, looks + 1)) < total


@settings(deadline=None)
@given(stages)
def test_look_times_rise_from_a_second_on(stage: Share) -> None:
    times = list(islice(look_times(stage), 20))
    assert times == sorted(set(times))
    assert times[0] >= 1.0


@settings(deadline=None)
@given(stages, st.lists(st.floats(0, 200_000), min_size=1, max_size=30))
def test_each_look_time_is_taken_once_and_missed_ones_together(stage: Share, ticks: list[float]) -> None:
    taken = 0.0
    for elapsed in sorted(ticks):
        point = due(stage, elapsed, taken)
        if point is not None:
            assert taken < point <= elapsed
            taken = point
        assert due(stage, elapsed, taken) is None


def test_before_the_first_look_time_nothing_is_due() -> None:
    assert due(Share(500, 20.0), 1.2, 0.0) is None
    assert due(Share(500, 20.0), 21.0, 0.0) == 20.0


@settings(deadline=None)
@given(stages, st.floats(0, 400_000))
def test_the_latest_look_time_is_the_one_that_counting_finds(stage: Share, elapsed: float) -> None:
    elapsed = min(elapsed, 50 * max(stage.for_seconds, 1.0))
    times = [at for at in islice(look_times(stage), 220) if at <= elapsed]
    assert due(stage, elapsed, 0.0) == (times[-1] if times else None)
