"""Written to spoken Chinese (text normalisation): numbers in digits are read out."""

import re
from collections.abc import Callable

from huidu.core.text.itn.numbers import HUNDRED_MILLION, READABLE, TEN_THOUSAND, digit_reading, reading
from huidu.core.text.itn.units import CLASSIFIER, LOOSE, STRICT, code_before

_N = "[0-9]"
_NUMBER = f"(?:{_N}{{1,3}}(?:,{_N}{{3}})+(?![0-9])|{_N}+)"

_PATTERNS = {
    "date": f"(?<![0-9])(?P<year>{_N}{{4}})(?P<mark>[-/])(?P<month>{_N}{{1,2}})(?P=mark)(?P<day>{_N}{{1,2}})(?![0-9])",
    "clock": "(?<![0-9:.])(?P<hour>[01]?[0-9]|2[0-4]):(?P<minute>[0-5][0-9])(?::(?P<second>[0-5][0-9]))?(?![0-9:])",
    "percent": f"(?P<minus>(?<![0-9A-Za-z])-)?(?P<rate>{_NUMBER}(?:\\.{_N}+)?)(?P<sign>[%‰])",
    "fraction": f"(?P<above>{_N}+)/(?P<below>{_N}+)(?![/0-9])",
    "ratio": f"{_N}+(?::{_N}+)+",
    "phone": f"(?<![0-9])(?:{_N}{{3,4}}(?P<gap>[- ]){_N}{{3,4}}(?P=gap){_N}{{3,4}}|0{_N}{{2,3}}-{_N}{{7,8}})(?![0-9])",
    "version": f"{_N}+(?:\\.{_N}+){{2,}}",
    "currency": f"(?P<symbol>[¥￥$€£])(?P<price>{_NUMBER}(?:\\.{_N}+)?)(?P<price_scale>[万亿]?)",
    "scaled": f"(?P<negative>(?<![0-9A-Za-z])-)?(?P<count>{_N}+)(?P<scale>万亿|万|亿(?:(?P<myriads>{_N}{{1,4}})万)?)",
    "number": f"(?P<below_zero>(?<![0-9A-Za-z])-)?(?P<whole>{_NUMBER})(?:\\.(?P<decimals>{_N}+))?(?!st|nd|rd|th|[0-9])",
}
# The first look spares most characters of a text all the alternatives.
_PATTERN = re.compile(
    "(?=[-0-9¥￥$€£])(?:" + "|".join(f"(?P<{name}>{pattern})" for name, pattern in _PATTERNS.items()) + ")"
)
_CURRENCY = {"¥": "元", "￥": "元", "$": "美元", "€": "欧元", "£": "英镑"}
_SCALES = {"万": TEN_THOUSAND, "亿": HUNDRED_MILLION, "万亿": TEN_THOUSAND * HUNDRED_MILLION}
_WIDTH = str.maketrans("０１２３４５６７８９％．，：／－", "0123456789%.,:/-")
_FULL_WIDTH = re.compile("[０-９][０-９．，：／％－]*")

_YEAR = re.compile("年")
_YEAR_AND_MONTH = re.compile("年[0-9]{1,2}月")
_DIGITWISE_PAIR = re.compile("折|[0-9]?后(?![天面来边续期])")
_NUMBERED = re.compile("号|室|路(?:公交|车)")
_TWO_AS_ORDINAL = re.compile("[月日号楼度级代路]|年级|[到至比]|分之|个?百分点")
_BEFORE_TWO = re.compile("(?:第|点|[0-9][块毛元角米])$")


def spoken(text: str) -> str:
    """The text with its numbers as Chinese speech; everything else stays.

    Digits do not tell how they are read, so that conventions decide:
    - Digit by digit: a leading zero; after words such as 电话, 编号 and 验证码 (two digits or more,
      no unit or classifier behind); three digits or
      more before 号, 室 and 路公交, or after a Latin letter with no unit behind; five digits or more with no unit or
      classifier behind; four digits before 年; two digits before 年 with a month behind, before 折 and before 后
      (九零后); telephone groups; versions. 1 is 一, never 幺.
    - Everything else is a quantity: 10086元 is 一万零八十六元, 1086 is 一千零八十六, 98年 alone is 九十八年.
    - 2 is 两 before 百, 千, 万, 亿, 点 and units (两公里), 二 in dates, after 第, before 楼 and 度, and elsewhere.
    - 3:30 is 三点三十分, with less than two digits after the colon it is a ratio (3:2 is 三比二); 100% is 百分之百;
      -3% is 负百分之三.

    `spoken(written(s).text) == s` holds for speech s within these conventions. Other readings of the same digits
    (二百 for 两百, 幺, 十三块五毛钱 within a code) come back in the convention's words.
    """
    folded = _FULL_WIDTH.sub(lambda match: match[0].translate(_WIDTH), text)
    return _PATTERN.sub(_read, folded)


def _read(match: re.Match[str]) -> str:
    return _READERS[next(name for name in _PATTERNS if match[name] is not None)](match)


def _quantity(number: str) -> str:
    """An integer or a decimal by value; digit by digit where it is too long to have a reading."""
    whole, _, decimals = number.replace(",", "").partition(".")
    text = reading(int(whole)) if len(whole) < len(str(READABLE)) else digit_reading(whole)
    return text + ("点" + digit_reading(decimals) if decimals else "")


def _date(match: re.Match[str]) -> str:
    return f"{digit_reading(match['year'])}年{_quantity(match['month'])}月{_quantity(match['day'])}日"


def _clock(match: re.Match[str]) -> str:
    hour, minute, second = match["hour"], match["minute"], match["second"]
    text = ("两" if int(hour) == 2 else _quantity(hour)) + "点"
    if minute != "00" or second:
        text += _sixtieth(minute) + "分"
    return text + (_sixtieth(second) + "秒" if second else "")


def _sixtieth(number: str) -> str:
    return digit_reading(number) if number[0] == "0" else _quantity(number)


def _percent(match: re.Match[str]) -> str:
    rate = "百" if match["rate"] == "100" else _quantity(match["rate"])
    return ("负" if match["minus"] else "") + ("百分之" if match["sign"] == "%" else "千分之") + rate


def _fraction(match: re.Match[str]) -> str:
    return f"{_quantity(match['below'])}分之{_quantity(match['above'])}"


def _ratio(match: re.Match[str]) -> str:
    return "比".join(_quantity(side) for side in match[0].split(":"))


def _phone(match: re.Match[str]) -> str:
    return digit_reading(match[0].replace("-", "").replace(" ", ""))


def _version(match: re.Match[str]) -> str:
    return "点".join(digit_reading(part) for part in match[0].split("."))


def _currency(match: re.Match[str]) -> str:
    price = "两" if match["price"] == "2" else _quantity(match["price"])
    return price + match["price_scale"] + _CURRENCY[match["symbol"]]


def _scaled(match: re.Match[str]) -> str:
    scale, sign = match["scale"], "负" if match["negative"] else ""
    if len(match["count"]) > 8:
        return sign + digit_reading(match["count"]) + match[0][match.end("count") - match.start() :]
    value = int(match["count"]) * _SCALES[scale if scale in _SCALES else "亿"]
    if match["myriads"]:
        value += int(match["myriads"]) * TEN_THOUSAND
    if value >= READABLE:
        return sign + _quantity(match["count"]) + scale
    return sign + reading(value)


def _number(match: re.Match[str]) -> str:
    sign = "负" if match["below_zero"] else ""
    number = match["whole"]
    if match["decimals"]:
        return sign + _quantity(f"{number}.{match['decimals']}")
    if _digit_by_digit(match.string, match.start("whole"), match.end(), number):
        return sign + digit_reading(number)
    if number == "2" and _counted(match.string, match.start(), match.end()):
        return sign + "两"
    return sign + _quantity(number)


def _digit_by_digit(text: str, start: int, end: int, number: str) -> bool:
    length = len(number)
    if "," in number or length == 1:
        return False
    if number[0] == "0" or length >= len(str(READABLE)):
        return True
    if code_before(text, start) and not _unit(text, end):
        return True
    if length == 2:
        tail = text[start - 1 : start] == "米" and "0" <= text[start - 2 : start - 1] <= "9"
        return tail or _YEAR_AND_MONTH.match(text, end) is not None or _DIGITWISE_PAIR.match(text, end) is not None
    before = text[start - 1 : start]
    if _NUMBERED.match(text, end) or (before.isascii() and before.isalpha() and not _unit(text, end)):
        return True
    if length == 4 and _YEAR.match(text, end):
        return True
    return length >= 5 and not _unit(text, end)


def _unit(text: str, end: int) -> bool:
    return any(pattern.match(text, end) for pattern in (CLASSIFIER, STRICT, LOOSE))


def _counted(text: str, start: int, end: int) -> bool:
    """Whether a 2 counts something, and is read 两."""
    if _BEFORE_TWO.search(text[max(0, start - 3) : start]) or _TWO_AS_ORDINAL.match(text, end):
        return False
    return _unit(text, end)


_READERS: dict[str, Callable[[re.Match[str]], str]] = {
    "date": _date,
    "clock": _clock,
    "percent": _percent,
    "fraction": _fraction,
    "ratio": _ratio,
    "phone": _phone,
    "version": _version,
    "currency": _currency,
    "scaled": _scaled,
    "number": _number,
}
