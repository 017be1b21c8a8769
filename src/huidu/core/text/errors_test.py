from hypothesis import given, settings
from hypothesis import strategies as st

from huidu.core.text.errors import ErrorCounts, character_errors

text = st.text(alphabet="你好吗零一二 \t", max_size=12)


def test_each_kind_of_edit_is_one_error() -> None:
    assert character_errors("你好吗", "你好") == ErrorCounts(1, 3)
    assert character_errors("你好吗", "你们好吗") == ErrorCounts(1, 3)
    assert character_errors("你好吗", "你坏吗") == ErrorCounts(1, 3)


def test_white_space_does_not_count() -> None:
    assert character_errors("你 好\n吗", "你好　吗") == ErrorCounts(0, 3)


def test_an_empty_reference_makes_all_that_was_heard_an_error() -> None:
    assert character_errors("", "啊啊") == ErrorCounts(2, 0)
    assert character_errors("", "啊啊").rate == 1.0
    assert character_errors(" ", "").rate == 0.0


@settings(deadline=None)
@given(text, text)
def test_errors_are_symmetric_and_bounded(a: str, b: str) -> None:
    forth, back = character_errors(a, b), character_errors(b, a)
    assert forth.errors == back.errors <= max(forth.reference, back.reference)
    assert (forth.errors == 0) == ("".join(a.split()) == "".join(b.split()))


@settings(deadline=None)
@given(st.lists(st.builds(ErrorCounts, st.integers(0, 99), st.integers(1, 99)), min_size=1))
def test_counts_add_up(parts: list[ErrorCounts]) -> None:
    whole = sum(parts, ErrorCounts(0, 0))
    assert whole.rate == sum(part.errors for part in parts) / sum(part.reference for part in parts)


@settings(deadline=None)
@given(st.builds(ErrorCounts, st.integers(0, 99), st.integers(0, 99)))
def test_json_says_how_many_of_how_many_are_wrong(one: ErrorCounts) -> None:
    found = one.to_json()
    assert list(found) == ["reference", "wrong", "rate"]
    assert (found["wrong"], found["reference"]) == (one.errors, one.reference)
    assert abs(found["rate"] - one.rate) <= 5e-7
