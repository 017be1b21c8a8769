"""Spoken to written form (inverse text normalisation), Chinese, English and mixed text in one pass."""

import re

from huidu.core.text.itn.chinese import edits as chinese_edits
from huidu.core.text.itn.english import edits as english_edits
from huidu.core.text.itn.guard import masked
from huidu.core.text.itn.legible import legible
from huidu.core.text.itn.numbers import CHARACTERS, FORMAL
from huidu.core.text.itn.offsets import Edit, Written, replaced

_CHINESE = re.compile(f"[{CHARACTERS}{FORMAL}洞拐]")
_TRADITIONAL = str.maketrans("万亿", "萬億")
_LATIN = re.compile("[A-Za-z]{3}")


def written(text: str) -> Written:
    """The text with its spoken numbers in digits; everything else stays as it is, character for character.

    The style:
    - Numbers of two digits or more become digits: 一千零八十六 is 1086, 一零零八六 is 10086. Digit strings are never
      spaced. 幺 is 1, and 两 within a digit string is 2.
    - 万 and 亿 stay where the number is round in them: 123万, 3.5亿, 3亿5000万; otherwise 10086, 123456, 12000.
    - A single digit becomes a digit in dates, times, money, percents, fractions, decimals, scores and ranges with
      such, after 第 before a noun (第3季度), after 负, beside Latin letters, and before a measured unit (5千克, 3天,
      晚上8点). It stays before a plain classifier (三个苹果) and alone. 一 stays before 天, 年, 周, 块, 度 and such.
    - Units stay as they are said: 13.5元, 100块钱, 13块5, 30分钟, 零下5度, 3点1刻.
    - Percents are 50%, 3‰, -3%; fractions 2/3; scores 3:2; versions and addresses 1.2.3.
    - About-numbers stay: 几十, 二十几, 十来个, 七八十, 三五个; so do guarded words: 一起, 十分感谢, 星期三, 双十一.
    - English: 25, 105, 1984, 3.5, 50%, 21st, 2 million, 10086; a single word one to nine stays unless a unit
      follows, and first to ninth stay.
    """
    edits: list[Edit] = []
    if _CHINESE.search(text):
        edits = _chinese(text)
    if _LATIN.search(text):
        edits = sorted([*edits, *english_edits(text)])
    return replaced(text, edits)


def _chinese(text: str) -> list[Edit]:
    read = legible(text)
    edits = list(chinese_edits(masked(read.text)))
    if read.text == text:
        return edits
    edits = [Edit(*read.given(edit.start, edit.end), edit.text) for edit in edits]
    return [
        edit._replace(text=edit.text.translate(_TRADITIONAL)) if _traditional(text, edit) else edit for edit in edits
    ]


def _traditional(text: str, edit: Edit) -> bool:
    return any(character in text[edit.start : edit.end] for character in "萬億")
