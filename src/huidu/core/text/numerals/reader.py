"""The numbers of a text, spoken or written, Chinese or English."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from huidu.core.text.itn.guard import left_spans, masked_idioms
from huidu.core.text.numerals.constructions import read
from huidu.core.text.numerals.english import english_numerals
from huidu.core.text.numerals.numeral import Numeral
from huidu.core.text.numerals.ranges import linked
from huidu.core.text.numerals.values import CHARACTERS
from huidu.core.text.plain import plain, simplified

# Stands for the characters of English numbers, which were read before.
HIDDEN = "\ue001"
_POSSIBLE = re.compile(f"[0-9半{CHARACTERS}壹贰叁肆伍陆柒捌玖貳參陸拾佰仟俩仨洞拐勾兩萬億幾]|[A-Za-z]{{3}}")
_START = re.compile(
    rf"(?<!\^)[0-9{CHARACTERS}俩仨]|[几数](?=[十百千万亿])|(?<![大小多过年月天点个一])半(?=个?(?:小时|钟头|公斤|公里))"
    rf"|[$¥€£₽] ?(?=[0-9{CHARACTERS}.])|(?<![0-9.])\.(?=[0-9])"
)

# The words of left_spans that are written with figures, too.
_NAMES_IN_FIGURES = re.compile(
    "双1[12](?![0-9.])|7天无理由|(?:51|61|38|71|81|54)(?=[^0-9]{0,2}节|假期|黄金周|小?长假|广场)|11(?=黄金周|小?长假)"
)
_CAPITALS = "壹贰叁肆伍陆柒捌玖拾佰仟"
_CAPITAL_RUN = re.compile(f"[{CHARACTERS}{_CAPITALS}洞拐勾]{{2,}}|[{_CAPITALS}](?=[元圆角分])")
_PLAIN_CAPITALS = str.maketrans(_CAPITALS + "洞拐勾", "一二三四五六七八九十百千零七九")
_RADIO = re.compile("[洞拐勾]")


def numerals(text: str) -> list[Numeral]:
    """The numbers of a spoken or written text, in order and disjoint; offsets are those of `plain(text)`."""
    text = plain(text)
    if not _POSSIBLE.search(text):
        return []
    english = list(english_numerals(text))
    # Traditional characters are read as simplified ones, whatever script is compared.
    shown = masked_idioms(_folded(simplified(_without(text, english))))
    found = sorted([*english, *_read_all(shown)], key=lambda numeral: numeral.start)
    return list(linked(shown, found))


def _without(text: str, numerals: Iterable[Numeral]) -> str:
    """The text, as long as before, with the numerals made unreadable."""
    parts, position = [], 0
    for numeral in numerals:
        parts += [text[position : numeral.start], HIDDEN * (numeral.end - numeral.start)]
        position = numeral.end
    return "".join([*parts, text[position:]])


def _read_all(text: str) -> Iterator[Numeral]:
    names = [*left_spans(text), *(match.span() for match in _NAMES_IN_FIGURES.finditer(text))]
    position = 0
    while start := _START.search(text, position):
        found, end = read(text, start.start())
        position = max(end, start.start() + 1)
        for numeral in found:
            name = any(left <= numeral.start and numeral.end <= right for left, right in names)
            yield replace(numeral, counted=False) if name and numeral.keys[0].isdecimal() else numeral


def _folded(text: str) -> str:
    """Capital and radio digits as plain ones, where they surely are digits: 壹佰贰拾元, 洞八拐勾; not 大陆 or 山洞."""

    def fold(match: re.Match[str]) -> str:
        run, before = match[0], match.string[max(0, match.start() - 1) : match.start()]
        capitals = sum(character in _CAPITALS for character in run)
        radio = len(_RADIO.findall(run))
        sure = (
            capitals > 1
            or (capitals and match.string[match.end() : match.end() + 1] in ("元", "圆", "整"))
            or radio > 1
            or len(run) == 1
            or (len(run) > 3 and (run[0] in CHARACTERS + "洞拐勾" and before not in ("打", "挂")) and capitals + radio)
        )
        return run.translate(_PLAIN_CAPITALS) if sure else run

    return _CAPITAL_RUN.sub(fold, text)
