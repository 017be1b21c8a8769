"""Prices and lengths whose decimals stand behind their unit: 三块五, 一米七五, 两年半."""

import re

from huidu.core.text.numerals.found import Found, one_numeral
from huidu.core.text.numerals.numeral import Numeral
from huidu.core.text.numerals.values import CHARACTERS, DIGIT, RUN, digits, number, without_zeros

# 三块五一斤: the one pound is not of the price.
_DIME = f"[{DIGIT}0-9](?:(?![0-9.{CHARACTERS}点])|(?=[一两][个斤件只条本份杯瓶张]))"
_MONEY = re.compile(
    f"(?P<whole>{RUN})(?P<unit>[块元])(?:钱)?(?:"
    f"(?P<pair>[一二三四五六七八九]{{2}}(?![{CHARACTERS}点毛角])|[0-9]{{2}}(?![0-9.点毛角]))"
    f"|[零0](?P<cent_alone>{_DIME})(?![毛角])分?"
    f"|[零0]?(?P<dime>{_DIME}|[{DIGIT}0-9](?=[毛角]))(?:[毛角](?:(?P<cent>{_DIME})分?)?)?)"
    "(?![个斤件只条本份杯瓶张位名])"
)
# 九毛九, without a whole unit.
_DIMES = re.compile(f"(?P<dime>[{DIGIT}0-9])[毛角](?P<cent>{_DIME})分?(?![个斤件只条本份杯瓶张位名])")
_HALF = re.compile("半个?(?=小时|钟头|公斤|公里)")
_CENTS = re.compile(
    f"(?P<whole>{RUN})(?P<unit>美元|欧元|英镑|澳元|加元|港元|港币)零?(?P<cents>{RUN})(?:美分|欧分|分|便士)"
)
_LENGTH = re.compile(
    f"(?P<whole>{RUN})(?P<unit>[米度])(?P<part>[{DIGIT}]{{1,2}}|[0-9]{{1,2}})"
    f"(?![0-9.{CHARACTERS}点个米厘分毫公级人位%到至比])"
)
_AND_A_HALF = re.compile(f"(?P<whole>{RUN})(?P<unit>个|年|天|斤|里|周|倍|米|公里|块)半(?![圆球径场价载夜截数途])")
_WHOLE_UNIT = re.compile("小时|钟头|月|星期|礼拜|学期|世纪")


def money(text: str, start: int) -> Found | None:
    """Decimals named by their unit: 13块5毛2 is 13.52元, 三块零五 3.05元."""
    found = _MONEY.match(text, start)
    whole = number(found["whole"]) if found else None
    if not found or whole is None or "." in whole:
        return _cents(text, start) or _dimes(text, start)
    parts = [
        found["pair"],
        found["cent_alone"] and "零" + found["cent_alone"],
        (found["dime"] or "") + (found["cent"] or ""),
    ]
    decimals = "".join(number(character) or "" for character in next(part for part in parts if part))
    key = without_zeros(f"{whole}.{decimals}")
    return one_numeral([key], f"{key}元", start, found.end())


def _dimes(text: str, start: int) -> Found | None:
    found = _DIMES.match(text, start)
    if not found:
        return None
    key = without_zeros(f"0.{number(found['dime'])}{number(found['cent'])}")
    return one_numeral([key], f"{key}元", start, found.end())


def half(text: str, start: int) -> Found | None:
    """半小时 is 0.5小时 to whoever writes it so, and no number to others."""
    found = _HALF.match(text, start)
    return ([Numeral((("0.5",),), "0.5", *found.span(), counted=False)], found.end()) if found else None


def _cents(text: str, start: int) -> Found | None:
    found = _CENTS.match(text, start)
    whole, cents = (number(found["whole"]), number(found["cents"])) if found else (None, None)
    if (
        not found
        or whole is None
        or cents is None
        or not (whole.isdecimal() and cents.isdecimal() and int(cents) < 100)
    ):
        return None
    key = without_zeros(f"{whole}.{int(cents):02d}")
    return one_numeral([key], key + found["unit"], start, found.end())


def length(text: str, start: int) -> Found | None:
    """1米75 is 1.75米, 36度5 is 36.5度."""
    found = _LENGTH.match(text, start)
    whole = number(found["whole"]) if found else None
    if not found or whole is None or "." in whole:
        return None
    part = found["part"] if found["part"].isascii() else digits(found["part"])
    key = without_zeros(f"{whole}.{part}")
    return one_numeral([key], key + found["unit"], start, found.end())


def and_a_half(text: str, start: int) -> Found | None:
    found = _AND_A_HALF.match(text, start)
    whole = number(found["whole"]) if found else None
    if not found or whole is None or not whole.isdecimal():
        return None
    unit = found["unit"]
    dropped = unit == "个" and _WHOLE_UNIT.match(text, found.end())
    key = f"{whole}.5"
    return one_numeral([key], key + ("" if dropped else {"块": "元"}.get(unit, unit)), start, found.end())
