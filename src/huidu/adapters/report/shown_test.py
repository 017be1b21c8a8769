"""Texts and numbers as shown."""

import math
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huidu.adapters.report.shown import ABSENT, count, decimal, moment, number, percent, points, rows, shown, table


@given(st.text(st.characters()))
def test_a_shown_text_holds_nothing_that_vanishes_or_turns_the_line(text: str) -> None:
    found = shown(text)
    found.encode("utf-8")
    assert all(unicodedata.category(letter) not in ("Cc", "Cs") for letter in found)
    assert all(
        unicodedata.bidirectional(letter) not in ("RLO", "LRO", "RLE", "LRE", "RLI", "LRI", "FSI") for letter in found
    )


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"])))
def test_a_plain_text_is_shown_as_it_is(text: str) -> None:
    assert shown(text) == text


@pytest.mark.parametrize("nothing", [None, math.nan, math.inf, "3", True, [], {}])
def test_what_is_no_number_is_absent(nothing: object) -> None:
    assert number(nothing) is None
    assert {count(nothing), percent(nothing), points(nothing), decimal(nothing, 1)} == {ABSENT}


@given(st.floats(-1, 1))
def test_points_carry_the_sign_of_what_is_seen(difference: float) -> None:
    text = points(difference)
    assert abs(float(text.replace("−", "-")) - difference * 100) <= 0.05 + 1e-9
    assert text[0] in "+−" or text == "0.0"


def test_times_that_no_calendar_has_are_none() -> None:
    assert moment(1e300) is None
    assert moment(None) is None
    assert str(moment(0)) == "1970-01-01 00:00:00+00:00"


@pytest.mark.parametrize("value", [None, 3, "x", [], {}, {"a": None}, {"a": "x"}])
def test_parts_of_another_shape_are_empty(value: object) -> None:
    assert table(value, "a") == {}
    assert rows(value, "a") == []
