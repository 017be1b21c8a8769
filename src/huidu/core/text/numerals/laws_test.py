"""Laws of the comparison over made sentences: what may never change the numerals error, and what always must."""

import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numbers_said import ENGLISH, KINDS, RANGE_SIGNS, Kind, Number, single
from recognisers import STYLES, Clause, Style, plain

from huidu.core.text.errors import ErrorCounts
from huidu.core.text.normalise import Normaliser
from huidu.core.text.numerals import missed, numeral_errors, numerals

# Words without a number in them, of which none makes one with what it stands beside.
BEFORE = ["我们", "他说", "然后", "已经", "大家觉得", "公司确认", "请记住", "Kubernetes里"]
BEHIND = ["没有问题", "然后确认", "谢谢", "对吗", "这样可以", "还有呢", "搞定了"]
ENGLISH_BEFORE = ["we think", "he told us", "please remember", "they agreed that"]
ENGLISH_BEHIND = ["is right", "thank you", "and so it went", "please"]
DIGIT = re.compile("[0-9]")

chances = st.randoms(use_true_random=False)


def clause(form: str, kind: Kind, rng: Random) -> Clause:
    if kind in ENGLISH:
        return [rng.choice(ENGLISH_BEFORE), form, rng.choice(ENGLISH_BEHIND)]
    return [rng.choice(BEFORE), form, rng.choice(BEHIND)]


def sentences(kinds: Sequence[Kind], rng: Random) -> tuple[list[Clause], list[Clause]]:
    """One sentence twice, with a number of each kind, and each number in any of its forms."""
    said, heard = [], []
    for kind in kinds:
        number = kind(rng)
        before, _, behind = clause("", kind, rng)
        said.append([before, rng.choice(number.forms), behind])
        heard.append([before, rng.choice(number.forms), behind])
    return said, heard


def differ(reference: str, hypothesis: str) -> bool:
    said, heard = numerals(reference), numerals(hypothesis)
    return bool(missed(said, heard) or missed(heard, said))


# ------------------------------------------------------------------ spoken against written


def mismatches(count: int, seed: int) -> Iterator[tuple[str, str, str]]:
    """By kind: of so many numbers spoken and written those that come out as different ones."""
    rng = Random(seed)
    every = [*KINDS, *ENGLISH]
    for index in range(count):
        kind = every[index % len(every)]
        number = kind(rng)
        before, _, behind = clause("", kind, rng)
        said, heard = (
            plain([[before, form, behind]], rng) for form in (rng.choice(number.spoken), rng.choice(number.written))
        )
        if differ(said, heard):
            yield kind.__name__, said, heard


def assert_none(found: Sequence[tuple[str, str, str]]) -> None:
    assert not found, (Counter(kind for kind, _, _ in found), found[:20])


def test_four_thousand_numbers_spoken_and_written_are_the_same() -> None:
    assert_none(list(mismatches(4_000, seed=1)))


@pytest.mark.deep
def test_forty_thousand_numbers_spoken_and_written_are_the_same() -> None:
    assert_none(list(mismatches(40_000, seed=2)))


@pytest.mark.parametrize("kind", [*KINDS, *ENGLISH], ids=lambda kind: kind.__name__)
def test_all_forms_of_a_number_are_the_same(kind: Kind) -> None:
    rng = Random(kind.__name__)
    for _ in range(4):
        first, *others = kind(rng).forms
        before, _, behind = clause("", kind, rng)
        found = [plain([[before, form, behind]], rng) for form in (first, *others)]
        assert [other for other in found[1:] if differ(found[0], other)] == []


# ------------------------------------------------------------------ what never changes the error


@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.__name__)
@settings(deadline=None, max_examples=60)
@given(kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=3), rng=chances)
def test_the_style_of_a_recogniser_is_no_error(style: Style, kinds: list[Kind], rng: Random) -> None:
    said, heard = sentences(kinds, rng)
    assert not differ(plain(said, rng), style(heard, rng))


@settings(deadline=None, max_examples=100)
@given(kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=3), rng=chances)
def test_the_style_of_a_recogniser_changes_no_error(kinds: list[Kind], rng: Random) -> None:
    said, heard = sentences(kinds, rng)
    # One of the numbers is lost.
    heard[rng.randrange(len(heard))][1:2] = []
    here = (plain(said, rng), plain(heard, rng))
    there = (rng.choice(STYLES)(said, rng), rng.choice(STYLES)(heard, rng))
    assert numeral_errors(*here) == numeral_errors(*there), (here, there)


@settings(deadline=None, max_examples=60)
@given(
    low=st.integers(3, 60),
    high=st.integers(61, 99),
    unit=st.sampled_from(["%", "元", "岁", "月", "年", "公里", "个人"]),
)
def test_the_sign_of_a_range_is_no_error(low: int, high: int, unit: str) -> None:
    signs = [*RANGE_SIGNS, " - ", " ~ ", " 到 ", "－"]
    forms = [f"大概{low}{behind}{sign}{high}{unit}吧" for sign in signs for behind in ("", unit)]
    assert [form for form in forms if numeral_errors(forms[-1], form) != ErrorCounts(0, 2)] == []


@settings(deadline=None, max_examples=100)
@given(kinds=st.lists(st.sampled_from(KINDS), min_size=2, max_size=3), rng=chances)
def test_punctuation_between_words_is_no_error(kinds: list[Kind], rng: Random) -> None:
    said, heard = sentences(kinds, rng)
    marked = [
        piece + rng.choice(["", "，", "。", "？", "！", "、", "；", ", ", "…"]) for part in heard for piece in part
    ]
    assert not differ(plain(said, rng), "".join(marked))


# ------------------------------------------------------------------ what always does


def mutated(form: str, rng: Random) -> str | None:
    """A written number with a digit changed, lost, or exchanged with its neighbour; None where that says the same."""
    places = [match.start() for match in DIGIT.finditer(form)]
    at = rng.choice(places)
    fate = rng.choice(["changed", "lost", "exchanged"])
    if fate == "changed":
        other = rng.choice([each for each in "0123456789" if each != form[at]])
        return form[:at] + other + form[at + 1 :]
    if fate == "lost":
        return form[:at] + form[at + 1 :]
    if at + 1 in places and form[at] != form[at + 1]:
        return form[:at] + form[at + 1] + form[at] + form[at + 2 :]
    return None


def says_the_same(form: str, other: str) -> bool:
    """Whether all that was lost is leading zeros, zeros behind a point (.5), or tens that a range says once (45-6)."""
    values = []
    for text in (form, other):
        text = re.sub(r"(?<![0-9])0+(?=[0-9.])|(\.[0-9]*?)0+(?![0-9])", r"\1", text)
        values.append(re.sub(r"(?<![0-9])([0-9])([0-9])([-~–—～到至])([0-9])(?![0-9])", r"\1\2\3\1\4", text))
    return values[0] == values[1]


@settings(deadline=None, max_examples=600)
@given(kind=st.sampled_from([kind for kind in KINDS if kind is not single] + ENGLISH), rng=chances)
def test_a_digit_that_was_changed_lost_or_exchanged_is_an_error(kind: Kind, rng: Random) -> None:
    number = kind(rng)
    digits = [form for form in number.written if DIGIT.search(form)]
    form = rng.choice(digits)
    wrong = mutated(form, rng)
    if wrong is None or says_the_same(form, wrong):
        return
    before, _, behind = clause("", kind, rng)
    for right in (form, rng.choice(number.forms)):
        said, heard = (plain([[before, each, behind]], rng) for each in (right, wrong))
        counts = numeral_errors(said, heard)
        assert counts.errors or not counts.reference, (said, heard)
        assert counts.reference, said


MEANINGS = [
    ["{}元", "¥{}", "￥{}"],
    ["{}美元", "${}"],
    ["{}欧元", "€{}"],
    ["{}英镑", "£{}"],
    ["{}日元"],
    ["{}米", "{}m"],
    ["{}公里", "{}km"],
    ["{}厘米", "{}cm"],
    ["{}毫米", "{}mm"],
    ["{}公斤", "{}kg"],
    ["{}斤"],
    ["{}吨"],
    ["{}升"],
    ["{}度"],
    ["{}%"],
    ["{}‰"],
    ["{}岁"],
    ["{}小时"],
    ["{}分钟"],
    ["{}秒"],
    ["{}天"],
    ["{}年"],
    ["{}平方米", "{}㎡"],
    ["{}个"],
    ["{}次"],
    ["第{}"],
    ["{}"],
]


@settings(deadline=None, max_examples=400)
@given(
    value=st.integers(3, 9999).map(str) | st.decimals(3, 999, places=1).map(str),
    meanings=st.lists(st.sampled_from(MEANINGS), min_size=2, max_size=2, unique_by=tuple),
    rng=chances,
)
def test_another_unit_or_currency_changes_the_normalised_text(
    value: str, meanings: list[list[str]], rng: Random
) -> None:
    normalised = Normaliser().normalised
    one, other = (f"大概{rng.choice(forms).format(value)}吧" for forms in meanings)
    assert normalised(one) != normalised(other)


# ------------------------------------------------------------------ counts


texts = st.one_of(
    st.text(max_size=30),
    st.text(
        "请拨到至零一二两三六八十百千万亿点分之半块元米个年月日负比几来第周1086.,：:/%~-—+$¥ ，、<>|[]", max_size=30
    ),
    st.text("one two point oh hundred and million minus $%.-0123 ", max_size=40),
)


@settings(deadline=None, max_examples=300)
@given(texts, texts)
def test_errors_lie_between_none_and_all(reference: str, hypothesis: str) -> None:
    counts = numeral_errors(reference, hypothesis)
    assert 0 <= counts.errors <= counts.reference == sum(numeral.size for numeral in numerals(reference))
    assert numeral_errors(reference, reference).errors == 0


@settings(deadline=None, max_examples=100)
@given(kinds=st.lists(st.sampled_from([*KINDS, *ENGLISH]), min_size=1, max_size=4), rng=chances)
def test_what_is_the_same_has_no_error_in_either_direction(kinds: list[Kind], rng: Random) -> None:
    said, heard = (plain(found, rng) for found in sentences(kinds, rng))
    assert (numeral_errors(said, heard).errors, numeral_errors(heard, said).errors) == (0, 0)


LONG = ["1", "1,", "12,345", "1 ", "1-", "1.", "1:", "一", "十", "一千", "一，", "一点", "一 ", "两", "one ", "百分之"]


@pytest.mark.timeout(30)
@pytest.mark.parametrize("piece", LONG)
def test_reading_takes_a_time_that_hardly_grows_faster_than_the_text(piece: str) -> None:
    text = piece * (3000 // len(piece))
    started = time.perf_counter()
    numerals(text)
    assert time.perf_counter() - started < 5


def test_the_numbers_of_the_laws_have_forms_of_both_kinds() -> None:
    for kind in (*KINDS, *ENGLISH):
        number = kind(Random(1))
        assert isinstance(number, Number)
        assert number.spoken
        assert number.written
