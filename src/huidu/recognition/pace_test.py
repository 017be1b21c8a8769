"""How slow is slow."""

from hypothesis import given
from hypothesis import strategies as st

from huidu.recognition.pace import Pace

_WINDOW, _RATE = 30.0, 4_000


def slow_for(pace: Pace, waiting_seconds: float = 0.0) -> float:
    return pace.slow_for(_WINDOW, _RATE, waiting_seconds)


def test_who_sends_nothing_is_slow_after_the_window_and_not_before() -> None:
    pace = Pace(_WINDOW)
    pace.came(200, 0.0)
    assert slow_for(pace, 29.9) == 0.0
    assert slow_for(pace, 30.0) == 30.0


def test_who_sent_much_and_stops_is_slow_a_window_later() -> None:
    pace = Pace(_WINDOW)
    for _ in range(100):
        pace.came(100_000, 0.1)
    assert slow_for(pace, 29.0) == 0.0
    assert slow_for(pace, 31.0) > 0.0


@given(st.floats(0.001, 10.0), st.integers(1, 300))
def test_a_slow_mobile_uplink_is_never_slow(every_seconds: float, times: int) -> None:
    pace = Pace(_WINDOW)
    for _ in range(times):
        assert slow_for(pace, every_seconds * 0.99) == 0.0
        pace.came(round(20_000 * every_seconds), every_seconds)
        assert slow_for(pace) == 0.0


@given(st.floats(0.01, 10.0))
def test_a_trickle_is_slow_however_evenly_it_comes(every_seconds: float) -> None:
    pace = Pace(_WINDOW)
    for _ in range(round(40 / every_seconds) + 1):
        pace.came(round(2_000 * every_seconds), every_seconds)
    assert slow_for(pace) > 0.0


def test_a_time_in_which_nobody_reads_makes_nobody_slow() -> None:
    pace = Pace(_WINDOW)
    for _ in range(1000):
        pace.came(10, 0.0)
    assert slow_for(pace) == 0.0
