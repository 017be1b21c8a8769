import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from huidu.core.stats.ratios import MeanDifference, difference, ratio


def test_with_clusters_of_one_size_a_ratio_is_a_mean() -> None:
    values = np.array([1.0, 4.0, 2.0, 7.0])
    found = ratio(values, np.ones(4))
    assert found is not None
    assert found.value == values.mean()
    assert found.variance == pytest.approx(values.var(ddof=1) / 4)


def test_clusters_without_size_are_left_out() -> None:
    assert ratio([1, 2, 0], [10, 10, 0]) == ratio([1, 2], [10, 10])
    assert ratio([1, 0], [10, 0]) is None


@settings(deadline=None)
@given(
    st.lists(st.floats(0, 9), min_size=10, max_size=10, unique=True),
    st.lists(st.floats(0, 9), min_size=10, max_size=10, unique=True),
)
def test_with_arms_of_one_size_the_test_is_no_sharper_than_welchs(ours: list[float], theirs: list[float]) -> None:
    found = difference(ratio(ours, np.ones(10)), ratio(theirs, np.ones(10)))
    expected = stats.ttest_ind(ours, theirs, equal_var=False, alternative="greater").pvalue
    assert found is not None
    if expected < 0.5:
        level = expected * (1 - 1e-9)
        assert not found.worse(0.0, level)


def test_with_equal_spread_the_test_is_welchs() -> None:
    ours, theirs = np.arange(12.0) + 6, np.arange(12.0)[::-1]
    found = difference(ratio(ours, np.ones(12)), ratio(theirs, np.ones(12)))
    expected = stats.ttest_ind(ours, theirs, equal_var=False, alternative="greater").pvalue
    assert found is not None
    assert found.worse(0.0, expected * 1.000001)
    assert not found.worse(0.0, expected * 0.999999)


def test_a_small_arm_whose_clusters_agree_by_chance_proves_little() -> None:
    stable = ratio([1, 0, 2, 0, 1, 0, 1, 0, 0, 1], [10] * 10)
    both_wrong = difference(ratio([1, 1], [1, 1]), stable)
    assert both_wrong is not None
    assert not both_wrong.worse(0.0, 0.001)


def test_a_total_failure_is_proven_although_nothing_varies() -> None:
    outage = difference(ratio([9] * 13, [9] * 13), ratio([0] * 20, [90] * 20))
    assert outage is not None
    assert outage.worse(0.01, 1e-6)


def test_nothing_wrong_on_both_sides_does_not_certify_a_tight_margin() -> None:
    clean = difference(ratio([0] * 20, [90] * 20), ratio([0] * 20, [90] * 20))
    assert clean is not None
    assert not clean.within(0.03, 0.05)


def test_the_interval_is_students() -> None:
    lower, upper = MeanDifference(1.0, 3.0, 1.0, 7.0).interval(0.05)
    assert (lower, upper) == pytest.approx(stats.t.interval(0.95, 7, 1, 2))


def test_certifying_supposes_the_spread_of_a_candidate_at_the_margin() -> None:
    """None of 30 wrong happens in 3 % of candidates that are wrong in 11 %: that does not prove less than 10 points."""
    rare = ratio([0, 1, 0, 0, 1, 0, 1, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], [20] * 20)
    few = difference(ratio([0] * 20, [1.5] * 20), rare)
    many = difference(ratio([0] * 20, [15] * 20), rare)
    assert few is not None
    assert many is not None
    assert not few.within(0.10, 0.0125)
    assert many.within(0.10, 0.0125)
