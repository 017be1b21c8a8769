import itertools
import re
import time
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from huidu.core.text.align import align
from huidu.core.text.normalise import VERSION, Normaliser
from huidu.core.text.tokens import Unit

PLAIN = Normaliser()
ALL = [Normaliser(fillers, simplified) for fillers, simplified in itertools.product((False, True), repeat=2)]

# Words without numbers: those are told by the punctuation around them, and so have tests of their own.
CHINESE = st.text("你好请拨打客服转人工谢谢我们的", min_size=1, max_size=5)
ENGLISH = st.sampled_from(["hello", "iphone", "pro", "it's", "café", "model"])
WORDS = st.lists(st.one_of(CHINESE, ENGLISH), max_size=8)
# Not + and #, which are a word's own in C++ and C#.
MARKS = st.text('，。？！、；：“”《》（）…—,.?!;:"()~*&=|^', max_size=3)
NUMBERLESS = WORDS.map(" ".join)


@st.composite
def rewritten(draw: st.DrawFn) -> tuple[str, str]:
    """A text, and the same with other punctuation, width, case and spacing."""
    words = draw(WORDS)
    other = []
    for word in words:
        letters = [
            chr(ord(letter) + 0xFEE0) if letter.isascii() and letter.isalpha() and draw(st.booleans()) else letter
            for letter in word
        ]
        styled = "".join(letter.upper() if draw(st.booleans()) else letter for letter in letters)
        other.append(draw(MARKS) + draw(st.sampled_from([" ", "\u3000", "\t "])) + styled + draw(MARKS))
    return " ".join(words), "".join(other) + draw(MARKS)


@settings(deadline=None)
@given(rewritten())
def test_how_a_text_is_written_makes_no_difference(texts: tuple[str, str]) -> None:
    one, other = texts
    for normaliser in ALL:
        assert normaliser.normalised(one) == normaliser.normalised(other)


@settings(deadline=None)
@given(st.lists(CHINESE, min_size=1, max_size=5), st.data())
def test_blanks_between_chinese_make_no_difference(words: list[str], data: st.DataObject) -> None:
    spaced = "".join(letter + data.draw(st.sampled_from(["", " ", "\u3000"])) for letter in "".join(words))
    assert PLAIN.normalised(spaced) == PLAIN.normalised("".join(words))


@pytest.mark.parametrize(
    ("spoken", "written"),
    [
        ("一零零八六", "10086"),
        ("幺零零八六", "10086"),
        ("一千零八十六", "1086"),
        ("三点半", "3:30"),
        ("三点四十五分", "3:45"),
        ("百分之五十", "50%"),
        ("三点一四", "3.14"),
        ("三分之二", "2/3"),
        ("一万二千", "1.2万"),
        ("一万二千", "12,000"),
        ("twenty five", "25"),
        ("二零二六年三月五日", "2026年03月05日"),
    ],
)
@given(before=CHINESE, after=st.sampled_from(["", "，谢谢", "。", " hello"]))
@settings(deadline=None, max_examples=20)
def test_numbers_come_to_one_form(spoken: str, written: str, before: str, after: str) -> None:
    assert PLAIN.normalised(f"{before}，{spoken}{after}") == PLAIN.normalised(f"{before}，{written}{after}")


@pytest.mark.parametrize(
    ("one", "other"),
    [("一零零八六", "一千零八十六"), ("三点半", "三点"), ("50%", "50"), ("2/3", "3/2"), ("十三", "三十")],
)
def test_different_numbers_stay_different(one: str, other: str) -> None:
    assert PLAIN.normalised(one) != PLAIN.normalised(other)


@pytest.mark.parametrize("tag", ["<noise>", "[laughter]", "<unk>", "[笑]", "＜noise＞"])
@settings(deadline=None)
@given(words=WORDS, data=st.data())
def test_tags_are_dropped(tag: str, words: list[str], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(words)))
    tagged = " ".join([*words[:at], tag, *words[at:]])
    assert PLAIN.normalised(tagged) == PLAIN.normalised(" ".join(words))


@settings(deadline=None)
@given(words=WORDS, filler=st.sampled_from(["嗯", "呃啊", "um", "Umm", "uh", "erm", "hmm"]), data=st.data())
def test_fillers_are_dropped_where_asked_for(words: list[str], filler: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(words)))
    blank = data.draw(st.sampled_from([" ", "，", ", "]))
    filled = blank.join([*words[:at], filler, *words[at:]])
    assert Normaliser(drop_fillers=True).normalised(filled) == PLAIN.normalised(" ".join(words))
    assert PLAIN.normalised(filled) != PLAIN.normalised(" ".join(words))


def test_a_filler_is_a_whole_word() -> None:
    dropping = Normaliser(drop_fillers=True)
    assert dropping.normalised("um我们hmm去嗯um") == "我们去"
    assert dropping.normalised("the umbrella, summer's hum") == "the umbrella summer's hum"
    assert dropping.normalised("嗯，三点半") == dropping.normalised("3:30")


def test_traditional_characters_are_simplified_where_asked_for() -> None:
    assert Normaliser(simplified=True).normalised("臺灣的電話") == "台湾的电话"
    assert PLAIN.normalised("臺灣的電話") == "臺灣的電話"


def test_apostrophes_stay_inside_words_only() -> None:
    assert PLAIN.normalised("'It’s' the boys' car") == "it's the boys car"


@settings(deadline=None)
@given(NUMBERLESS)
def test_without_numbers_a_normal_text_is_its_own(text: str) -> None:
    for normaliser in ALL:
        once = normaliser.normalised(text)
        assert normaliser.normalised(once) == once


@settings(deadline=None, max_examples=300)
@given(st.text(max_size=30) | st.text("一二三零百万点半分之几:./-% 0189<>[]'嗯um臺\0\ud800", max_size=20))
def test_any_text_has_a_normal_form(text: str) -> None:
    for normaliser in ALL:
        normal = normaliser.normalised(text)
        assert normal == " ".join(normal.split())
        assert not any(unicodedata.category(letter) in ("Cc", "Cs") for letter in normal)
        assert align([normal], [normal], Unit.MIXED).counts()[0, 1:].sum() == 0


@pytest.mark.parametrize(
    "unit", ["a", "一", "1,", "1 ", "1:", "[", "<a", " ", "\0", "\ud800", "三点半", "百", "twenty-", "ﷺ"]
)
def test_long_texts_take_time_by_their_length_only(unit: str) -> None:
    text = (unit * 100_000)[:100_000]
    started = time.process_time()
    ALL[-1].normalised(text)
    # About a second; a square of the length would take hours.
    assert time.process_time() - started < 60


def test_the_name_tells_normalisers_apart() -> None:
    names = [normaliser.name for normaliser in ALL]
    assert names == [VERSION, f"{VERSION}+simplified", f"{VERSION}+fillers", f"{VERSION}+fillers+simplified"]


@pytest.mark.parametrize(
    "same",
    [
        ["C++很难", "c++ 很难", "Ｃ＋＋很难"],
        ["C++17", "C++ 17", "c++十七"],
        ["C#很难", "c# 很难"],
        ["C很难", "C，很难"],
        ["A.I.很好", "AI很好", "a.i. 很好", "A.I很好"],
        ["in the U.S.A.", "in the USA"],
        ["at p.m.", "at pm"],
        ["我用iPhone15和5G", "我用iPhone 15和5 G", "我用iPhone十五和五G"],
        ["粤B七八K九二", "粤B78K92", "粤B 78K92"],
        ["10⁵", "10^5"],
        ["120m²", "120㎡"],
        ["A+", "a+"],
        ["a+b", "a b"],
        ["www.a.b.com", "www a b com"],
    ],
)
def test_signs_and_digits_in_words_have_one_form(same: list[str]) -> None:
    assert len({PLAIN.normalised(text) for text in same}) == 1


def test_what_differs_by_a_sign_stays_different() -> None:
    texts = ["C++很难", "C#很难", "C很难", "10⁵", "105", "10 5", "17 18", "1718", "m²", "m2", "A+", "A"]
    assert len({PLAIN.normalised(text) for text in texts}) == len(texts)


@settings(deadline=None)
@given(st.lists(st.sampled_from(["17", "五", "3.5", "iPhone", "5G", "A.I.", "很好", "C++"]), max_size=6))
def test_numerals_never_run_together_with_what_stands_beside_them(words: list[str]) -> None:
    normal = PLAIN.normalised(", ".join(words))
    assert not re.search("[0-9][a-z]|[a-z+][0-9]", normal)
    assert [word for word in re.findall("[0-9.]+", normal) if word != "."] == [
        {"五": "5", "5G": "5"}.get(word, word) for word in words if word in ("17", "五", "3.5", "5G")
    ]


@pytest.mark.parametrize(
    ("reference", "hypothesis", "equal"),
    [
        ("台湾的电话", "臺灣的電話", True),
        ("看着你", "看著妳", True),
        ("臺灣的電話", "台湾的电话", False),
        ("臺灣的電話", "臺灣的電話", True),
        ("藉此机会", "借此機會", True),
        ("hello", "hello", True),
    ],
)
def test_beside_a_simplified_reference_traditional_characters_are_no_errors(
    reference: str, hypothesis: str, equal: bool
) -> None:
    beside = PLAIN.beside(reference)
    assert (beside.normalised(reference) == beside.normalised(hypothesis)) == equal
    assert Normaliser(simplified=True).beside(reference) == Normaliser(simplified=True)


def test_fractions_of_one_character_are_fractions() -> None:
    assert Normaliser().normalised("½") == Normaliser().normalised("二分之一") == "1/2"
