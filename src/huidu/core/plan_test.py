from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huidu.core import plan
from huidu.core.errors import InvalidError
from huidu.core.plan import (
    DEFAULT_GUARDS,
    DEFAULT_PLAN,
    Answer,
    Golden,
    Guard,
    Measure,
    Plan,
    Rules,
    Share,
    usual_holdback_bp,
)


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


@pytest.mark.parametrize("share", [0, 1, 500, 9_999])
def test_a_holdback_stands_beside_everybody_alone(share: int) -> None:
    with pytest.raises(InvalidError, match="accepted: beside 100% only"):
        Share(share, 1.0, holdback_bp=1)
    assert Share(share, 1.0).candidate_share == share / 10_000


@pytest.mark.parametrize("holdback", [-1, 10_000, 20_000])
def test_a_holdback_is_a_part_of_the_users(holdback: int) -> None:
    with pytest.raises(InvalidError, match="accepted: 0% to less than 100%"):
        Share(10_000, 1.0, holdback_bp=holdback)


@given(st.integers(1, 9_999), st.integers(0, 9_999))
def test_a_holdback_puts_nobody_back_who_had_the_candidate(last: int, holdback: int) -> None:
    stages = (Share(last, 1.0), Share(10_000, 1.0, holdback_bp=holdback))
    if last + holdback <= 10_000:
        assert Plan(stages).stages[-1].candidate_share >= last / 10_000  # type: ignore[union-attr]
    else:
        with pytest.raises(InvalidError, match="so that nobody is put back"):
            Plan(stages)


@given(st.integers(0, 9_999))
def test_the_usual_holdback_fits_behind_any_share(last: int) -> None:
    holdback_bp = usual_holdback_bp(last)
    assert holdback_bp == (500 if last <= 9_000 else (10_000 - last) // 2)
    if last:
        assert Plan((Share(last, 1.0), Share(10_000, 1.0, holdback_bp=holdback_bp)))


def test_what_is_usual_asks_for_evidence_and_keeps_some_users_back() -> None:
    shares = [stage for stage in DEFAULT_PLAN.stages if isinstance(stage, Share)]
    assert [(share.at_least, share.units, share.holdback_bp) for share in shares] == [
        (500, 3, 0), (100, 3, 0), (100, 3, 0), (100, 3, 500),
    ]  # fmt: skip
    assert {guard.name for guard in DEFAULT_GUARDS if guard.answer is Answer.HOLD} == {"rejects"}
    # What only holds, and what is counted, certifies nothing.
    assert {guard.name for guard in DEFAULT_GUARDS if guard.at_most is None} == {"crashes", "rejects", "empty"}


def test_guards_and_error_probabilities_refuse_nonsense() -> None:
    with pytest.raises(InvalidError, match="at_most"):
        Guard("errors", Measure.DIFFERENCE, 0.01, 0.01)
    with pytest.raises(InvalidError, match="alpha"):
        Rules(alpha=0.0)
