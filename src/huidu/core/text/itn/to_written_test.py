import csv
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from huidu.core.text.itn import spoken, written
from huidu.core.text.numerals import numeral_errors, numerals

ROOT = Path(__file__).parents[5]
with (ROOT / "tests/data/itn_cases.tsv").open(encoding="utf-8", newline="") as lines:
    CASES = [(row["spoken"], row["written"]) for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)]

DENSE = (
    "零〇一幺二两三五九十廿百千万亿萬兩伍拾仟洞点分之负第比到至又几来多年月日号天半刻块毛元米个人起下直些星期周"
    " ，。-a12.5:%／３"
)
ENGLISH = ["one", "oh", "zero", "twenty", "five", "nineteen", "hundred", "thousand", "million", "and", "point", "first"]
texts = st.one_of(
    st.text(max_size=40),
    st.text(DENSE, max_size=40),
    st.lists(
        st.sampled_from([*ENGLISH, "double", "minus", "half", "thirds", "pm", "tenth", "percent", "三点", "-", "A"]),
        max_size=12,
    ).map(" ".join),
)


def test_the_table_is_large_and_says_each_thing_once() -> None:
    assert len(CASES) >= 900
    assert len({said for said, _ in CASES}) == len(CASES)


def test_written_form() -> None:
    assert [(said, written(said).text) for said, _ in CASES] == CASES


def test_a_written_form_stays() -> None:
    forms = [form for _, form in CASES]
    assert [written(form).text for form in forms] == forms


def test_blanks_between_chinese_characters_change_no_number() -> None:
    cases = [(said, form) for said, form in CASES if " " not in said]
    spaced = [re.sub(r"(?<=[\u4e00-\u9fff])(?=[\u4e00-\u9fff])", " ", said) for said, _ in cases]
    assert [written(said).text.replace(" ", "") for said in spaced] == [form for _, form in cases]


@settings(deadline=None, max_examples=300)
@given(texts)
def test_no_two_numbers_are_glued_together(text: str) -> None:
    form = written(text)
    ends = [end for span in form.spans for end in (span.written_start, span.written_end)]
    assert not [end for end in ends if form.text[end - 1 : end].isdigit() and form.text[end : end + 1].isdigit()]


@settings(deadline=None, max_examples=600)
@given(st.text("一二三五六八九十百千万亿天个人斤年岁，我是电话第到", min_size=2, max_size=10))
def test_the_numbers_of_a_text_stay_the_same(text: str) -> None:
    form = written(text).text
    # Where a text has several readings, its written form may choose one of them.
    if all(len(numeral.readings) == 1 and numeral.counted for numeral in numerals(text)):
        assert (form, numeral_errors(text, form).errors, numeral_errors(form, text).errors) == (form, 0, 0)


@settings(deadline=None, max_examples=300)
@given(texts)
def test_spans_cover_all_that_changed(text: str) -> None:
    form = written(text)
    here = there = 0
    for span in form.spans:
        assert here <= span.spoken_start < span.spoken_end <= len(text)
        assert there <= span.written_start < span.written_end <= len(form.text)
        assert text[here : span.spoken_start] == form.text[there : span.written_start]
        here, there = span.spoken_end, span.written_end
    assert text[here:] == form.text[there:]


@settings(deadline=None, max_examples=300)
@given(texts)
def test_offsets_never_fall(text: str) -> None:
    form = written(text)
    there = [form.to_written(offset) for offset in range(len(text) + 1)]
    back = [form.to_spoken(offset) for offset in range(len(form.text) + 1)]
    assert there == sorted(there)
    assert back == sorted(back)
    assert (there[0], there[-1]) == (0, len(form.text))
    assert (back[0], back[-1]) == (0, len(text))


@settings(deadline=None, max_examples=100)
@given(st.text("今天气很好我们去公园吧请您检查账单，。abc", max_size=40))
def test_text_without_numbers_stays(text: str) -> None:
    assert written(text).text == text
    assert written(text).spans == ()


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "unit",
    [
        "一",
        "十",
        "1",
        "一点",
        "百分之一",
        "一又二分之一",
        "一到",
        "一比",
        "第一",
        "1万",
        "1,",
        "1:1点",
        "twenty-one-",
        "one-point-",
    ],
)
def test_time_is_linear_on_long_repetitions(unit: str) -> None:
    # Were a step quadratic, it would not come to an end in time.
    text = (unit * 50_000)[:50_000] + "点"
    written(text)
    spoken(text)
    numerals(text)


def test_very_long_numbers_are_written() -> None:
    assert written("一" * 100_000).text == "1" * 100_000
    assert spoken("1" * 100_000) == "一" * 100_000
    assert [numeral.keys for numeral in numerals("九" * 100_000)] == [("9" * 100_000,)]
