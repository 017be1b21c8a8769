import pytest
from hypothesis import given
from hypothesis import strategies as st

from huidu.core.retention import Cutoffs, Remembered, cutoffs, doubt, remembered, takes_much

NOW, DAY = 1_795_334_400.0, 86_400.0
KEEP = 30 * DAY


def test_limits_lie_as_far_back_as_texts_are_kept() -> None:
    assert cutoffs(NOW, KEEP) == Cutoffs(NOW - KEEP, NOW - 7 * DAY)
    assert cutoffs(NOW, None).texts_before is None
    assert cutoffs(0.0, KEEP) == Cutoffs(0.0, 0.0)


@pytest.mark.parametrize(
    ("ahead_days", "passed", "believed"),
    [
        (0.0, 0.0, True),
        (0.03, 0.0, True),
        (0.05, 0.0, False),
        (10.0, 10 * DAY, True),
        (10.0, 9 * DAY, False),
        # Nobody looked: a machine that was off for a week is no wonder, one from the next year is.
        (7.0, None, True),
        (8.0, None, False),
        (365.0, None, False),
        (-1000.0, None, True),
    ],
)
def test_a_clock_that_went_further_than_time_can_have_passed_is_doubted(
    ahead_days: float, passed: float | None, believed: bool
) -> None:
    before = Remembered(believed_at=NOW)
    said = doubt(NOW + ahead_days * DAY, before, None, passed, KEEP)
    assert (said == "") is believed
    assert believed or "accepted: a clock that is right" in said


def test_without_memory_the_newest_row_tells_how_late_it_is() -> None:
    assert doubt(NOW, Remembered(), None, None, KEEP) == ""
    assert doubt(NOW, Remembered(), NOW - DAY, None, KEEP) == ""
    assert doubt(NOW, Remembered(), NOW - 3000 * DAY, None, KEEP) != ""


@given(st.floats(NOW, 1e11), st.floats(3600, 3650 * DAY), st.none() | st.just(0.0))
def test_a_jump_never_makes_more_than_a_quarter_of_what_is_kept_old(
    now: float, keep: float, passed: float | None
) -> None:
    if doubt(now, Remembered(believed_at=NOW), None, passed, keep) == "":
        assert now - NOW <= max(DAY, keep / 4) + 1


def test_a_copy_is_made_where_the_limit_leaps() -> None:
    due = cutoffs(NOW, KEEP)
    assert takes_much(Remembered(), due)
    assert not takes_much(Remembered(pruned_before=NOW - KEEP - 3600), due)
    assert takes_much(Remembered(pruned_before=NOW - KEEP - 2 * DAY), due)
    assert not takes_much(Remembered(pruned_before=0.0, copied_before=NOW - KEEP), due)
    assert not takes_much(Remembered(), cutoffs(NOW, None))


def test_a_prune_that_reaches_less_far_is_forgotten() -> None:
    assert Remembered(1.0).pruned(5.0).pruned(3.0) == Remembered(1.0, 5.0)
    assert Remembered(1.0, 5.0).pruned(None) == Remembered(1.0, 5.0)


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text() | st.integers(), st.lists))
def test_a_memory_that_is_none_counts_as_none(value: object) -> None:
    for stored in (value, {"believed_at": value}, {"pruned_before": value, "more": 1}):
        found = remembered(stored)
        assert all(each is None or 0 <= each < 1e11 for each in (found.believed_at, found.pruned_before))
