from hypothesis import given
from hypothesis import strategies as st

from huidu.control.memory import Lives

MB = 10**6


def lived(sizes_mb: list[int], stored: object = None) -> Lives:
    lives = Lives(stored)
    for minute, size in enumerate(sizes_mb):
        lives.note({"v1": size * MB}, 60.0 * minute)
    return lives


def test_what_is_declared_counts_before_anything_else() -> None:
    peak = lived([300] * 30).peak("v1", 4000 * MB, 900 * MB)
    assert (peak.memory_bytes, peak.source) == (4000 * MB, "declared")


def test_a_version_that_never_ran_is_guessed() -> None:
    peak = Lives().peak("v1", None, None)
    assert (peak.memory_bytes, peak.source) == (500 * MB, "not known: assumed")


def test_a_short_life_counts_with_the_largest_that_was_ever_measured() -> None:
    peak = lived([300] * 9).peak("v1", None, 16_560 * MB)
    assert (peak.memory_bytes, peak.source) == (16_560 * MB, "the largest measured so far")


def test_a_few_minutes_of_much_do_not_count_for_ever() -> None:
    peak = lived([300] * 200 + [16_560] * 5 + [320] * 200).peak("v1", None, 16_560 * MB)
    assert (peak.memory_bytes, peak.source) == (320 * MB, "p95 of the last 6 h that it ran")
    assert lived([16_560] * 1440 + [300] * 1440).peak("v1", None, None).memory_bytes == 300 * MB


def test_what_is_taken_often_counts() -> None:
    assert lived([300, 300, 300, 900] * 10).peak("v1", None, None).memory_bytes == 900 * MB


def test_the_largest_of_a_minute_counts_once() -> None:
    lives = Lives()
    assert [lives.note({"v1": size * MB}, 60.0 + second) for second, size in ((0, 100), (20, 300), (40, 200))] == [
        True,
        False,
        False,
    ]
    assert lives.note({"v1": 100 * MB}, 120.0)
    assert lives.to_json() == {"v1": [300, 100]}


def test_a_process_that_is_gone_has_no_size() -> None:
    lives = Lives()
    assert not lives.note({"v1": 0}, 0.0)
    assert lives.to_json() == {}


@given(
    st.recursive(st.none() | st.integers() | st.text(), lambda each: st.lists(each) | st.dictionaries(st.text(), each))
)
def test_whatever_is_stored_a_life_can_begin(stored: object) -> None:
    lives = lived([300] * 20, stored)
    assert Lives(lives.to_json()).to_json() == lives.to_json()
    assert lives.peak("v1", None, None).memory_bytes > 0
