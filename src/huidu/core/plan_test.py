from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huidu.core import plan
from huidu.core.errors import InvalidError
from huidu.core.plan import Golden, Guard, Measure, Plan, Rules, Share


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (plan.duration_seconds, "30s", 30),
        (plan.duration_seconds, "15m", 900),
        (plan.duration_seconds, "1h", 3600),
        (plan.duration_seconds, "7d", 604800),
        (plan.share_bp, "5%", 500),
        (plan.share_bp, "0.5%", 50),
        (plan.share_bp, "0%", 0),
        (plan.share_bp, "100%", 10_000),
        (plan.size_bytes, "2GB", 2_000_000_000),
        (plan.difference, "+0.5pp", 0.005),
        (plan.difference, "+0pp", 0.0),
        (plan.ratio, "1.2x", 1.2),
        (plan.quantile, "p95", 0.95),
        (plan.quantile, "p99.9", 0.999),
    ],
)
def test_units_read_as_they_are_written(parse, text, value) -> None:  # type: ignore[no-untyped-def]
    assert parse(text) == pytest.approx(value)


PARSERS = (plan.duration_seconds, plan.share_bp, plan.size_bytes, plan.difference, plan.ratio, plan.quantile)


@given(st.sampled_from(PARSERS), st.text(alphabet="abc,;/\n -", max_size=8))
def test_any_other_text_is_refused_with_what_is_accepted(parse, text: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InvalidError, match="accepted"):
        parse(text)


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=6))
def test_a_plan_that_does_not_rise_to_everybody_cannot_exist(shares: list[int]) -> None:
    stages = tuple(Share(share, 1.0) for share in shares)
    rises = all(a < b for a, b in pairwise(shares)) and shares[-1] == 10_000 and len(shares) > 1
    if rises:
        assert Plan(stages).stages == stages
    else:
        with pytest.raises(InvalidError, match="accepted"):
            Plan(stages)


def test_a_golden_set_comes_first_or_not_at_all() -> None:
    shares = (Share(500, 1.0), Share(10_000, 1.0))
    assert Plan((Golden("a"), *shares))
    with pytest.raises(InvalidError, match="golden"):
        Plan((*shares, Golden("a")))


def test_guards_and_error_probabilities_refuse_nonsense() -> None:
    with pytest.raises(InvalidError, match="at_most"):
        Guard("errors", Measure.DIFFERENCE, 0.01, 0.01)
    with pytest.raises(InvalidError, match="alpha"):
        Rules(alpha=0.0)
