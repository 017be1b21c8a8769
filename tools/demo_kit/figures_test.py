"""Errors are counted as the kit's README says."""

from __future__ import annotations

import math

import pytest
from figures import Errors, compare, numbers_in, total
from hypothesis import given
from hypothesis import strategies as st

TEXT = st.text("请拨打一零八百千点", max_size=12)


def test_a_number_expression_is_a_maximal_run() -> None:
    assert numbers_in("下午三点二十分拨打一零零八六") == {"三": 1, "二十": 1, "一零零八六": 1}


def test_a_cardinal_for_a_digit_string_is_a_number_missed() -> None:
    errors = compare("请拨打一零零八六", "请拨打一千零八十六")
    assert errors == Errors(edits=2, characters=8, numbers_missed=1, numbers=1)


def test_each_expression_of_the_transcript_counts_once() -> None:
    assert compare("三和三", "三").numbers_missed == 1


def test_no_reference_has_no_rate() -> None:
    assert math.isnan(compare("", "零").cer)
    assert math.isnan(compare("请", "请").numerals_error)


@given(TEXT)
def test_a_text_equals_itself(text: str) -> None:
    errors = compare(text, text)
    assert (errors.edits, errors.numbers_missed) == (0, 0)


@given(st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=5))
def test_counts_of_parts_add_up(pairs: list[tuple[str, str]]) -> None:
    whole = total(compare(*pair) for pair in pairs)
    assert whole.characters == sum(len(reference) for reference, _ in pairs)
    assert whole.edits >= 0
    assert whole.numbers_missed <= whole.numbers
    if whole.characters:
        assert whole.cer == pytest.approx(100 * whole.edits / whole.characters)
