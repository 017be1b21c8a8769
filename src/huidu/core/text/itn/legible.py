"""A text in the characters that the rules know, to be read beside the one that was given.

traditional  萬 億 兩 and what stands beside numbers in simplified forms
formal       伍仟 of cheques as 五千, where it is a sum or has three characters: 大陆 and 伍佰 alone are words
radio        洞 拐 勾 as 零 七 九 in a string of digits that holds two of them, or one and 幺
blanks       none between Chinese characters, where some recognisers put them: 三 十 五 岁 is 三十五岁. They stay
             between words that are numbers each and none together: 二十 三百五十人
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from huidu.core.text.itn.numbers import CHARACTERS, DIGIT, EVERYDAY, FORMAL, cardinal

_TRADITIONAL = "萬億兩點塊個號負鐘時歲週屆級頁條幾張雙樓層間項輪題課隊類後錢餘來"
_SIMPLIFIED = str.maketrans(_TRADITIONAL, "万亿两点块个号负钟时岁周届级页条几张双楼层间项轮题课队类后钱余来")

_FORMAL_RUN = re.compile(f"(?<!大)[{FORMAL.partition('拾')[0]}][零万亿{FORMAL}]*")
_SUM_BEFORE = re.compile("(?:(?:人民币|金额|合计|共计|总计)(?:是|为|[:：])?|[元圆角]零?)$")
_SUM_BEHIND = re.compile("[元圆整]")
_RADIO = str.maketrans("洞拐勾", "零七九")
_RADIO_RUN = re.compile(f"[{DIGIT}洞拐勾]{{3,}}")

_HAN = "[\u4e00-\u9fff〇]"
_BLANKS = "[ \t\u3000]+"
_GAP = re.compile(f"(?<={_HAN}){_BLANKS}(?={_HAN})")
_PARTED = re.compile(f"(?<![{CHARACTERS}])[{CHARACTERS}]++(?:{_BLANKS}[{CHARACTERS}]++)+")
_UNUSUAL = re.compile(f"[{_TRADITIONAL}{FORMAL}洞拐勾]|{_GAP.pattern}")


class Legible(NamedTuple):
    """The text to read, and for each of its characters the offset in the text that was given (None: the same)."""

    text: str
    offsets: Sequence[int] | None

    def given(self, start: int, end: int) -> tuple[int, int]:
        """The offsets, in the text that was given, of the characters start to end (exclusive)."""
        return (start, end) if self.offsets is None else (self.offsets[start], self.offsets[end - 1] + 1)


def legible(text: str) -> Legible:
    """The text as the rules read it."""
    if not _UNUSUAL.search(text):
        return Legible(text, None)
    text = text.translate(_SIMPLIFIED)
    gaps = set(_gaps(text))
    offsets = [offset for offset in range(len(text)) if offset not in gaps] if gaps else None
    if offsets is not None:
        text = "".join(text[offset] for offset in offsets)
    return Legible(_RADIO_RUN.sub(_from_radio, _FORMAL_RUN.sub(_from_formal, text)), offsets)


def _from_formal(run: re.Match[str]) -> str:
    everyday = run[0].translate(EVERYDAY)
    text, (start, end) = run.string, run.span()
    is_sum = _SUM_BEHIND.match(text, end) or _SUM_BEFORE.search(text[max(0, start - 6) : start])
    counts = is_sum or (end - start > 2 and re.search("[十百千]", everyday))
    return everyday if counts and cardinal(everyday) is not None else run[0]


def _from_radio(run: re.Match[str]) -> str:
    own = sum(map(run[0].count, "洞拐勾"))
    return run[0].translate(_RADIO) if own and own + run[0].count("幺") > 1 else run[0]


def _gaps(text: str) -> list[int]:
    """The offsets of the blanks to leave out."""
    kept = {offset for run in _PARTED.finditer(text) if _apart(run[0]) for offset in range(*run.span())}
    return [offset for gap in _GAP.finditer(text) for offset in range(*gap.span()) if offset not in kept]


def _apart(run: str) -> bool:
    """Whether each of some words is a number of two characters or more, and all together are none."""
    words = run.split()
    joined = "".join(words)
    if cardinal(joined) is not None or not joined.strip(DIGIT):
        return False
    return all(len(word) > 1 and cardinal(word) is not None for word in words)
