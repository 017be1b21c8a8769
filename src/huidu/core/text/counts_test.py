from hypothesis import given
from hypothesis import strategies as st

from huidu.core.text.counts import Counts, error_rate

number = st.integers(0, 10**6)
counts = st.builds(Counts, number, number, number, number)


@given(counts, counts, counts)
def test_counts_add_up_in_any_order(a: Counts, b: Counts, c: Counts) -> None:
    assert a + b == b + a
    assert (a + b) + c == a + (b + c)
    assert a + Counts() == a
    assert (a + b).errors == a.errors + b.errors
    assert (a + b).reference == a.reference + b.reference


@given(counts)
def test_a_rate_is_errors_per_reference_token(one: Counts) -> None:
    assert one.rate == error_rate(one.errors, one.reference)
    if one.reference:
        assert abs(one.rate * one.reference - one.errors) < 1e-6 * (one.errors + 1)
        assert (one.rate == 0) == (one.errors == 0)


def test_over_an_empty_reference_anything_is_wrong() -> None:
    assert Counts().rate == 0
    assert Counts(insertions=3).rate == 1
    assert error_rate(0, 0) == 0


@given(counts)
def test_json_holds_the_counts_the_reference_and_the_rate(one: Counts) -> None:
    found = one.to_json()
    assert list(found) == ["substitutions", "deletions", "insertions", "hits", "reference", "rate"]
    assert found["reference"] == found["hits"] + found["substitutions"] + found["deletions"]
    assert Counts(*(int(found[name]) for name in ("hits", "substitutions", "deletions", "insertions"))) == one
    assert abs(found["rate"] - one.rate) <= 5e-7
