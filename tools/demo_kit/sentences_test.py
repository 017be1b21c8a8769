"""The grammar gives distinct sentences whose numbers stand where they belong."""

from __future__ import annotations

import random
import re
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sentences import (
    CATEGORIES,
    MAX_CHARACTERS,
    MIN_CHARACTERS,
    SHARES,
    SLOTS,
    TEMPLATES,
    draw_digits,
    draw_sentences,
    sentences,
    spell,
)

NUMBER_CHARACTERS = set("0123456789零〇一二两三四五六七八九十百千万亿幺")
DIGIT_STRING = re.compile("[零一二三四五六七八九]{3,}(?![零一二三四五六七八九年])")


def test_every_category_has_templates_and_a_share() -> None:
    assert set(TEMPLATES) == set(SHARES) == set(CATEGORIES)
    assert sum(SHARES.values()) == pytest.approx(1)


def test_every_slot_is_known_and_used() -> None:
    used = {slot for group in TEMPLATES.values() for line in group for slot in re.findall(r"{(\w+)}", line)}
    assert used == set(SLOTS)


def test_templates_hold_no_number_beside_a_digit_string() -> None:
    for template in TEMPLATES["digits"]:
        assert not NUMBER_CHARACTERS & set(template)


@given(st.integers(0, 2**32), st.integers(1, 16))
def test_as_many_digits_are_drawn_as_asked(seed: int, count: int) -> None:
    digits = draw_digits(random.Random(seed), count)
    assert len(digits) == count
    assert digits.isdecimal()


def test_digits_are_spelt_one_by_one_and_pauses_stay() -> None:
    assert spell("400 1008") == "四零零 一零零八"


@given(st.integers(0, 2**32))
def test_sentences_are_distinct_and_of_a_length(seed: int) -> None:
    drawn = draw_sentences(100, seed)
    assert len({sentence.text for sentence in drawn}) == len(drawn)
    for sentence in drawn:
        assert MIN_CHARACTERS <= len(sentence.text) <= MAX_CHARACTERS
        assert re.fullmatch("[一-鿿]+", sentence.text)


def test_the_same_seed_gives_the_same_sentences() -> None:
    assert draw_sentences(200, 3) == draw_sentences(200, 3)
    assert draw_sentences(200, 3) != draw_sentences(200, 4)


def test_sentences_to_avoid_are_not_drawn() -> None:
    test_part = {sentence.text for sentence in draw_sentences(600, 7)}
    assert not test_part & {sentence.text for sentence in draw_sentences(3_000, 1, avoid=test_part)}


@pytest.mark.parametrize("category", CATEGORIES)
def test_digit_strings_stand_in_their_category_alone(category: str) -> None:
    for sentence in islice(sentences(category, random.Random(5)), 500):
        assert bool(DIGIT_STRING.search(sentence.text)) == (category == "digits")


@pytest.mark.parametrize("category", ["plain", "products"])
def test_plain_speech_holds_no_number(category: str) -> None:
    for sentence in islice(sentences(category, random.Random(6)), 500):
        assert not NUMBER_CHARACTERS & set(sentence.text)
