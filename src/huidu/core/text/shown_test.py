"""Aligned rows line up in a terminal, and say what the texts and the counts say."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from huidu.core.text.align import Weights, align, counts_of
from huidu.core.text.normalise import Normaliser
from huidu.core.text.shown import Rows, aligned_rows, mark, visible, width
from huidu.core.text.tokens import Unit, split
from huidu.evaluation.differences import Aligned

TEXTS = st.text("我要打一二三百点半块iPhone15 é5%臺ｱかกิम्한", max_size=30) | st.text(max_size=20)
LETTERS = set("SDIＳＤＩ")


def rows(said: str, heard: str, columns: int, weights: Weights = Weights.UNIT) -> list[Rows]:
    ops = align([said], [heard], Unit.MIXED, weights).ops(0)
    pairs = Aligned(said, heard, ops).pairs()
    return list(aligned_rows([(mark(op), above, below) for op, above, below in pairs], columns))


@settings(deadline=None)
@given(said=TEXTS, heard=TEXTS, columns=st.integers(2, 90), weights=st.sampled_from(Weights))
def test_rows_are_equally_wide_hold_the_tokens_and_mark_each_error(
    said: str, heard: str, columns: int, weights: Weights
) -> None:
    said, heard = Normaliser().normalised(said), Normaliser().normalised(heard)
    found = rows(said, heard, columns, weights)
    for row in found:
        assert width(row.reference) == width(row.hypothesis) == width(row.marks) <= columns
    longest = max(map(width, split(said, Unit.MIXED) + split(heard, Unit.MIXED)), default=0)
    if longest <= columns:
        assert split(" ".join(row.reference for row in found), Unit.MIXED) == split(said, Unit.MIXED)
        assert split(" ".join(row.hypothesis for row in found), Unit.MIXED) == split(heard, Unit.MIXED)
    errors = counts_of(align([said], [heard], Unit.MIXED, weights).counts()[0]).errors
    assert sum(letter in LETTERS for row in found for letter in row.marks) == errors


@settings(deadline=None)
@given(said=st.text(st.characters()), heard=st.text(st.characters()), columns=st.integers(-3, 20))
def test_any_texts_can_be_shown_and_command_no_terminal(said: str, heard: str, columns: int) -> None:
    for row in rows(said, heard, columns):
        assert width(row.reference) == width(row.hypothesis) == width(row.marks)
        for shown in (row.reference, row.hypothesis, row.marks):
            assert visible(shown) == shown


def test_chinese_has_blanks_and_marks_of_its_own_width() -> None:
    (row,) = rows("我的电话是 10086 请拨", "我们的电话是 10068 请", 40)
    assert row.reference == "我　的电话是 10086 请拨"
    assert row.hypothesis == "我们的电话是 10068 请　"
    assert row.marks == "　Ｉ　　　　 S     　Ｄ"


def test_words_have_plain_blanks_and_stand_apart() -> None:
    (row,) = rows("turn left at the light", "turn at a light ok", 40)
    assert row.reference == "turn left at the light   "
    assert row.hypothesis == "turn      at a   light ok"
    assert row.marks == "     D       S         I "


def test_long_lines_are_wrapped_between_tokens() -> None:
    found = rows("一二三四五六七八九", "一二三四五六七八就", 8)
    assert [row.reference for row in found] == ["一二三四", "五六七八", "九"]
    assert [row.marks for row in found] == ["　　　　", "　　　　", "Ｓ"]


def test_a_word_longer_than_a_row_goes_on_in_the_next_and_is_marked_once() -> None:
    found = rows("abcdefghij", "abcdefghi", 4)
    assert [row.reference for row in found] == ["abcd", "efgh", "ij"]
    assert [row.hypothesis for row in found] == ["abcd", "efgh", "i "]
    assert [row.marks for row in found] == ["S   ", "    ", "  "]


def test_nothing_at_all_has_no_row() -> None:
    assert rows("", "", 80) == []


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        *(("", 0), ("abc", 3), ("你好", 4), ("ＡＢ", 4), ("１２", 4), ("、", 2), ("𠮷", 2), ("\u3000", 2)),
        *(("ｱ", 1), ("é", 1), ("e\u0301", 1), ("กิ", 1), ("한", 2), ("\u1112\u1161\u11ab", 2), ("\u200b", 0)),
    ],
)
def test_a_width_is_that_of_a_terminal(text: str, columns: int) -> None:
    assert width(text) == columns
