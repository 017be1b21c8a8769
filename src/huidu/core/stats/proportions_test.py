import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from huidu.core.stats.proportions import (
    ExactDifference,
    Hits,
    binomial_greater,
    clopper_pearson,
    difference_bounds,
    fisher_greater,
)


@st.composite
def tables(draw: st.DrawFn, largest: int = 2000) -> tuple[int, int, int, int]:
    n1, n2 = draw(st.integers(1, largest)), draw(st.integers(1, largest))
    return draw(st.integers(0, n1)), n1, draw(st.integers(0, n2)), n2


@settings(deadline=None)
@given(tables())
def test_fishers_tail_agrees_with_scipy(table: tuple[int, int, int, int]) -> None:
    k1, n1, k2, n2 = table
    expected = stats.hypergeom.sf(k1 - 1, n1 + n2, k1 + k2, n1)
    assert fisher_greater(*table) == pytest.approx(expected, rel=1e-8, abs=1e-13)


@pytest.mark.parametrize(
    "table", [(60, 1_000_000, 20, 1_000_000), (500_900, 1_000_000, 500_000, 1_000_000), (1, 1_000_000, 0, 500_000)]
)
def test_fishers_tail_holds_at_a_million(table: tuple[int, int, int, int]) -> None:
    k1, n1, k2, n2 = table
    expected = stats.hypergeom.sf(k1 - 1, n1 + n2, k1 + k2, n1)
    assert fisher_greater(*table) == pytest.approx(expected, rel=1e-4)


def test_fishers_tail_without_hits_or_without_misses_proves_nothing() -> None:
    assert fisher_greater(0, 10, 0, 10) == 1.0
    assert fisher_greater(10, 10, 10, 10) == 1.0
    assert fisher_greater(3, 3, 0, 0) == 1.0


@settings(deadline=None)
@given(st.integers(0, 500), st.integers(1, 500), st.floats(0.001, 0.999))
def test_binomial_tails_agree_with_scipy(k: int, n: int, p: float) -> None:
    k = min(k, n)
    assert binomial_greater(k, n, p) == pytest.approx(stats.binom.sf(k - 1, n, p), rel=1e-9, abs=1e-280)


@settings(deadline=None)
@given(st.integers(0, 5000), st.integers(1, 5000), st.sampled_from([1e-6, 0.001, 0.025, 0.3]))
def test_clopper_pearson_agrees_with_scipy(k: int, n: int, level: float) -> None:
    k = min(k, n)
    expected = stats.binomtest(k, n).proportion_ci(1 - 2 * level, "exact")
    assert clopper_pearson(k, n, level) == pytest.approx((expected.low, expected.high), rel=1e-7, abs=1e-12)


def test_without_units_nothing_is_excluded() -> None:
    assert clopper_pearson(0, 0, 0.05) == (0.0, 1.0)
    assert difference_bounds(Hits(0, 0), Hits(0, 0), 0.05) == (-1.0, 1.0)


@settings(deadline=None)
@given(tables(60), st.sampled_from([0.001, 0.05]))
def test_a_difference_is_never_proven_worse_and_within_the_same_margin(
    table: tuple[int, int, int, int], level: float
) -> None:
    k1, n1, k2, n2 = table
    exact = ExactDifference(Hits(k1, n1, 3.0), Hits(k2, n2, 2.0))
    for margin in (0.01, 0.2):
        assert not (exact.worse(margin, level) and exact.within(margin, level))
    lower, upper = exact.interval(level)
    assert -1 <= lower < upper <= 1


def test_many_items_per_user_do_not_make_a_user_count_as_all_bad() -> None:
    most_users_hit_once = ExactDifference(Hits(90, 100, 50.0), Hits(0, 1000, 50.0))
    assert most_users_hit_once.worse(0.0, 0.001)
    assert not most_users_hit_once.worse(0.05, 0.001)


def test_fishers_test_needs_arms_that_are_alike() -> None:
    longer_on_the_candidate = ExactDifference(Hits(30, 100, 50.0), Hits(5, 100, 5.0), alike=False)
    assert not longer_on_the_candidate.worse(0.0, 0.01)
