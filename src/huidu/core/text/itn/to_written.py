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

    What is doubtful stays in words, and two numbers that stand side by side are never run together. The style:
    - Numbers of two digits or more become digits: 一千零八十六 is 1086, 一零零八六 is 10086. Digit strings are never
      spaced. 幺 is 1, 两 within a digit string is 2, and so are 洞 拐 勾 of radio 0, 7, 9: 洞八拐勾 is 0879.
    - 万 and 亿 stay where the number is round in them: 123万, 3.5亿, 3亿5000万; otherwise 10086, 123456, 12000.
    - A single digit becomes a digit in dates, times, money, percents, fractions, decimals, scores and ranges with
      such, after 第 before a noun (第3季度), after 负, beside Latin letters, before a measured unit (5千克, 3天,
      晚上8点), and in sums with a larger number (10加5). It stays before a plain classifier (三个苹果) and alone
      (五星酒店, 按一转人工, 买一送一). 一 stays before 天, 年, 周, 块, 度 and such.
    - Units stay as they are said: 13.5元, 100块钱, 13块5, 30分钟, 零下5度, 3点1刻. 两 behind a number is a weight:
      100两, 3斤2两.
    - Percents are 50%, 3‰, -3%, also for 百分五十; fractions 2/3; scores 3:2; versions and addresses 1.2.3, and 3.12
      for 三点十二 behind a Latin name or 版本. 八点零五 is 8点05 beside what tells a time, otherwise 8.05.
    - About-numbers stay: 几十, 二十几, 十来个, 七八十, 三五个; so do neighbours with no sign between (十七十八岁)
      and guarded words: 一起, 十分感谢, 星期三, 双十一.
    - Cheque characters (伍仟元 is 5000元) and traditional ones (三萬塊 is 3萬塊) are read; what is no number keeps its
      script. Blanks between Chinese characters are read over: 三 十 五 岁 is 35 岁.
    - English: 25, 105, 1984, 1950s, 3.5, 50%, -500, 21st, 2 million, 3:30 pm, 2/3, 10086, 007; a single word one to
      nine stays unless a unit follows, and so do first to ninth, and numbers side by side (one sixty six).
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
