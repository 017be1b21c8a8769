"""What stands around a number and tells how it is meant: units, counted things, labels, times, versions."""

import re

from huidu.core.text.itn.guard import MASK
from huidu.core.text.itn.units import CLASSIFIER, LOOSE, STRICT, one_of
from huidu.core.text.numerals.values import CHARACTERS

HAN = f"[\u3400-\u9fff{MASK}]"
_HAN = re.compile(HAN)
_LATIN_UNIT = re.compile(
    r" ?(?:[kKcCmMdDµn]?m(?:\^?[23])?|[kKmM]?g|[mM]?[lL]|k?[VWA]|kWh|[kMG]?Hz|[kKMGT]?B|h|min|s|ms|km/h)(?![A-Za-z0-9])"
)
_SIGN_BEHIND = re.compile("[%‰°℃]|摄氏度|华氏度")
_CURRENCY_WORD = re.compile(one_of("人民币 新台币 台币 卢布 澳元 加元 韩元 法郎 令吉 卢比 泰铢 比索 美分"))
_UNITS = (STRICT, LOOSE, CLASSIFIER, _LATIN_UNIT, _SIGN_BEHIND, _CURRENCY_WORD)

# Nouns that a small number ranks or sizes: with them a single digit is doubtful, and no count of anything.
_RANKED = re.compile(
    one_of("""
星 线 核 单元 居室 室 厅 卫 环 等奖 等舱 等 级 题 学分 期 档 挡 座 驱 缸 胎 维 阶 战 局 年级 学期 声道 通道 卡 股 方面
人份 成 进制 轮 驾 段 侧 端 孔 键
""")
)
# Words whose object is named by a digit: the menu of a call centre, a choice, a figure of a text.
_LABEL = re.compile(
    "(?:按下?|请按|按键|键入|输入|回复?|选择?|选项|第|双|初|周|星期|礼拜|买|送|加|减|乘|拖|拨打?|转|数字|方案|附件|图|表|例|题"
    "|步骤|阶段|类型?|型|级|版|卷|篇|区|期|条|档|场景|情况|问题|其)$"
)
_BETWEEN = "选合对送拖带赠换帮免减加乘除"
_OF_TWO = re.compile(f"[{_BETWEEN}][0-9{CHARACTERS}]")
_OF_TWO_BEFORE = re.compile(f"[0-9{CHARACTERS}][{_BETWEEN}]$")
_DAY_OF_WEEK = re.compile("(?:周|星期|礼拜)$")
_OF_MONTH = re.compile("[0-9.:号点月日天个条次分]")

_LINK_BEHIND = re.compile(f"(?:[到至比~]|分之|[加减乘除]以?|等于)[0-9{CHARACTERS}]")
_LINK_BEFORE = re.compile(f"[0-9{CHARACTERS}%‰](?:[到至比~]|分之|[加减乘除]以?|等于|得)$")

_CLOCK = re.compile(
    "(?:凌晨|清晨|早上|早晨|上午|中午|下午|傍晚|晚上|今晚|明晚|昨晚|明早|今早|夜里|半夜|深夜|夜间|今天|明天|后天|昨天|前天"
    "|[日号]|(?:周|星期|礼拜).|[点半分刻][到至])$"
)
_VERSION_BEFORE = re.compile(r"(?:版本?|升级|更新|[Vv]er(?:sion)?|[A-Za-z][A-Za-z+#]*)[号为是到至\. ]{0,2}$")
_VERSION_BEHIND = re.compile("的?版")
_NEGATIVE = re.compile(
    f"(?<![正胜抱自担肩欠辜{CHARACTERS}])负的?$|零下$|(?<![A-Za-z])(?:minus|negative) $", re.IGNORECASE
)


def is_han(character: str) -> bool:
    """Whether a character, or none, is Chinese; the masked digits of a word are."""
    return _HAN.match(character) is not None


def unit_end(text: str, start: int) -> int:
    """Where the longest unit or counted thing ends that stands at an offset; the offset, if there is none."""
    end = max((match.end() for pattern in _UNITS if (match := pattern.match(text, start))), default=start)
    return end + 1 if text.startswith("人", end) and text[start:end] == "个" else end


def is_label(text: str, start: int, end: int) -> bool:
    """Whether a digit is a name more than a count: 五星, 按一, 二选一, 第三, 三年级."""
    before = text[max(0, start - 4) : start]
    return (
        _RANKED.match(text, end) is not None
        or _LABEL.search(before) is not None
        or _OF_TWO.match(text, end) is not None
        or _OF_TWO_BEFORE.search(before) is not None
    )


def is_day_of_week(text: str, start: int, end: int) -> bool:
    """Whether a digit names a day as in 星期三 and 周3; not in 周3月 or 周三点, which count something else."""
    return _DAY_OF_WEEK.search(text[max(0, start - 2) : start]) is not None and not _OF_MONTH.match(text, end)


def is_linked(text: str, start: int, end: int) -> bool:
    """Whether a number stands beside another one, with 到, 比, 加 or the like between them."""
    return _LINK_BEHIND.match(text, end) is not None or _LINK_BEFORE.search(text[max(0, start - 3) : start]) is not None


def is_clock(text: str, start: int) -> bool:
    """Whether words before an offset announce a time of day."""
    return _CLOCK.search(text[max(0, start - 4) : start]) is not None


def is_version(text: str, start: int, end: int) -> bool:
    """Whether a number is one of a version: behind 版本 or a Latin name, or before 版."""
    return (
        _VERSION_BEFORE.search(text[max(0, start - 20) : start]) is not None
        or _VERSION_BEHIND.match(text, end) is not None
    )


def minus_start(text: str, start: int) -> int | None:
    """Where 负, 负的 or 零下 begins that stands directly before an offset."""
    found = _NEGATIVE.search(text[max(0, start - 10) : start])
    return max(0, start - 10) + found.start() if found else None
