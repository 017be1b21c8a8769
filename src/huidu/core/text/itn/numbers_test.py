import pytest
from hypothesis import given
from hypothesis import strategies as st

from huidu.core.text.itn.numbers import READABLE, amount, cardinal, digit_reading, digits, reading


@given(st.integers(0, READABLE - 1))
def test_a_reading_has_its_value(value: int) -> None:
    assert cardinal(reading(value)) == value


@given(st.text("0123456789", min_size=1, max_size=30))
def test_digits_read_one_by_one_come_back(text: str) -> None:
    assert digits(digit_reading(text)) == text


@given(st.integers(0, READABLE - 1))
def test_an_amount_has_its_value(value: int) -> None:
    text = amount(value).replace("万亿", "*10**12+").replace("亿", "*10**8+").replace("万", "*10**4+")
    assert eval(text + "0" if text.endswith("+") else text) == value


@pytest.mark.parametrize(
    ("run", "value"),
    [
        ("两百五", 250),
        ("一万二", 12000),
        ("三千二", 3200),
        ("三千二百五", 3250),
        ("三亿五", 350_000_000),
        ("一万零二", 10002),
        ("一百一十五", 115),
        ("一百十五", 115),
        ("二百二十二", 222),
        ("三万亿", 3 * 10**12),
        ("一万两千亿", 12 * 10**11),
        ("一百零两", 102),
        ("一亿七万两千三百", 100_072_300),
        ("一百〇八", 108),
        ("零", 0),
        ("廿二", 22),
        ("卅", 30),
        ("一百廿", 120),
        ("一兆三百万", 10**12 + 3 * 10**6),
        ("两兆五", 25 * 10**11),
        ("伍仟", 5000),
        ("壹拾万叁仟肆佰伍拾叁", 103_453),
        ("陸佰萬", 6_000_000),
    ],
)
def test_colloquial_numbers(run: str, value: int) -> None:
    assert cardinal(run) == value


@pytest.mark.parametrize(
    "run",
    [
        "",
        "百",
        "一一",
        "万一",
        "十二十三",
        "七八十",
        "三三百",
        "零五",
        "一零零八六",
        "千万",
        "亿" * 50,
        "十二两",
        "一百两",
        "一万两",
        "三千两",
        "廿十",
        "二廿",
    ],
)
def test_other_runs_are_no_number(run: str) -> None:
    assert cardinal(run) is None


@given(st.text("零一两二五十百千万亿", max_size=60))
def test_any_run_is_a_number_or_none(run: str) -> None:
    value = cardinal(run)
    assert value is None or value >= 0
