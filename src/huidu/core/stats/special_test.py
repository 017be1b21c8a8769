import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from huidu.core.stats.special import beta_below, beta_quantile, log_binomial, student_above, student_quantile

sizes = st.floats(-1, 6).map(lambda exponent: 10.0**exponent)
tails = st.floats(-30, -0.31).map(lambda exponent: 10.0**exponent)
freedoms = st.floats(-0.3, 5).map(lambda exponent: 10.0**exponent)


@settings(deadline=None)
@given(sizes, sizes, st.floats(-12, 12))
def test_the_incomplete_beta_function_agrees_with_scipy(a: float, b: float, deviations: float) -> None:
    mean, spread = a / (a + b), np.sqrt(a * b / (a + b + 1)) / (a + b)
    x = float(np.clip(mean + deviations * spread, 0, 1))
    expected = special.betainc(a, b, x)
    assert beta_below(a, b, x) == pytest.approx(expected, rel=1e-9, abs=1e-280)


@settings(deadline=None)
@given(freedoms, st.floats(-40, 40))
def test_students_tail_agrees_with_scipy(df: float, t: float) -> None:
    assert student_above(t, df) == pytest.approx(stats.t.sf(t, df), rel=1e-10, abs=1e-280)


@settings(deadline=None)
@given(tails, freedoms)
def test_students_quantile_inverts_the_tail(p: float, df: float) -> None:
    t = student_quantile(p, df)
    if t < 1e120:
        assert student_above(t, df) == pytest.approx(p, rel=1e-10)


@pytest.mark.parametrize("df", [1, 2.5, 7, 19, 38, 1e4])
@pytest.mark.parametrize("p", [1e-10, 1e-6, 0.001, 0.025, 0.4, 0.5, 0.9])
def test_students_quantile_agrees_with_scipy(p: float, df: float) -> None:
    assert student_quantile(p, df) == pytest.approx(stats.t.isf(p, df), rel=1e-9, abs=1e-12)


@settings(deadline=None)
@given(st.floats(-10, -0.0001).map(lambda exponent: 10.0**exponent), st.floats(0.5, 1e5), st.floats(0.5, 1e5))
def test_the_beta_quantile_inverts_the_function(p: float, a: float, b: float) -> None:
    x = beta_quantile(p, a, b)
    assert special.betainc(a, b, x) == pytest.approx(p, rel=1e-7)


@pytest.mark.parametrize(("k", "n"), [(0, 10), (1, 10), (10, 10), (3, 1000), (500_000, 1_000_000), (7, 1_000_000)])
@pytest.mark.parametrize("p", [1e-6, 0.01, 0.5, 0.99])
def test_binomial_terms_agree_with_scipy(k: int, n: int, p: float) -> None:
    assert log_binomial(k, n, p) == pytest.approx(stats.binom.logpmf(k, n, p), rel=1e-8, abs=1e-8)


def test_a_tail_beyond_every_double_is_nothing() -> None:
    assert student_above(1e200, 5) == 0.0
    assert student_above(-1e200, 5) == 1.0
