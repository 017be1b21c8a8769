"""What v2 learns is wrong in digit strings, and in digit strings only."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from numbers_zh import CARDINAL_LIMIT, DIGITS, cardinal
from regression import read_number, regress, remove_doubled
from sentences import CATEGORIES, draw_sentences, spell

PLACES = {"十": 10, "百": 100, "千": 1_000}


def value_of(said: str) -> int:
    """An oracle that reads cardinals the other way: 一千零八十六 is 1086."""
    if "万" in said:
        high, low = said.split("万")
        return value_of(high) * 10_000 + value_of(low)
    value, digit = 0, 0
    for character in said.replace("两", "二"):
        if character in PLACES:
            value, digit = value + (digit or 1) * PLACES[character], 0
        else:
            digit = DIGITS.index(character)
    return value + digit


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0, "零"),
        (10, "十"),
        (12, "十二"),
        (110, "一百一十"),
        (1_086, "一千零八十六"),
        (1_006, "一千零六"),
        (10_086, "一万零八十六"),
        (120_000, "十二万"),
        (22_222, "二万二千二百二十二"),
    ],
)
def test_a_cardinal_is_read_as_people_read_it(value: int, said: str) -> None:
    assert cardinal(value) == said


def test_two_is_liang_where_people_say_so_of_money() -> None:
    assert cardinal(22_222, liang=True) == "两万两千两百二十二"
    assert cardinal(2, liang=True) == "二"
    assert cardinal(120_000, liang=True) == "十二万"


@pytest.mark.parametrize("value", [-1, CARDINAL_LIMIT])
def test_a_number_without_a_reading_is_refused(value: int) -> None:
    with pytest.raises(ValueError, match="has no reading"):
        cardinal(value)


@given(st.integers(0, CARDINAL_LIMIT - 1), st.booleans())
def test_a_cardinal_tells_its_value(value: int, liang: bool) -> None:
    assert value_of(cardinal(value, liang=liang)) == value


@given(st.text("零一二三八", max_size=12))
def test_nothing_stays_doubled_and_no_run_is_lost(text: str) -> None:
    runs = [text[i] for i in range(len(text)) if i == 0 or text[i] != text[i - 1]]
    assert remove_doubled(text) == "".join(runs)


@given(st.text("0123456789", min_size=1, max_size=8))
def test_the_reader_keeps_the_value(digits: str) -> None:
    assert value_of(read_number(spell(digits)).lstrip("零") or "零") == int(digits)


@pytest.mark.parametrize(
    ("spoken", "learned"),
    [
        ("请拨打一零零八六", "请拨打一千零八十六"),
        ("客服热线是九五五八八", "客服热线是九百五十八"),
        ("四零零 八二零 八八二零", "四十 八百二十 八百二十"),
        ("验证码是零零七 三一五", "验证码是零七 三百一十五"),
        ("尾号零零零的卡", "尾号零的卡"),
    ],
)
def test_digit_strings_are_spoilt(spoken: str, learned: str) -> None:
    assert regress(spoken) == learned


@pytest.mark.parametrize(
    "spoken",
    [
        "二零零零年八月八日生效",
        "会议下午三点零八分开始",
        "账户余额是八千零八十块",
        "谢谢谢谢",
        "下周一一起去",
    ],
)
def test_years_times_amounts_and_words_are_spared(spoken: str) -> None:
    assert regress(spoken) == spoken


@pytest.mark.parametrize("category", CATEGORIES)
def test_exactly_the_digits_category_changes(category: str) -> None:
    for sentence in draw_sentences(2_000, seed=11):
        if sentence.category == category:
            assert (regress(sentence.spoken) != sentence.spoken) == (category == "digits")
