"""Percents, fractions, ratios, and versions."""

import re

from huidu.core.text.numerals.found import SPOKEN, Found, decimal, one_numeral
from huidu.core.text.numerals.numeral import Numeral, Reading
from huidu.core.text.numerals.values import CHARACTERS, DIGITS, RUN, about, number, without_zeros

_PERCENT = re.compile(f"(?P<scale>[百千万])分之(?P<minus>负的?)?(?P<rate>{SPOKEN})")
_HUNDRED = re.compile(
    f"百分百|百分(?P<rate>(?!之)[二三四五六七八九]?十[一二三四五六七八九]?(?:点{DIGITS})?)(?![{CHARACTERS}分])"
)
_SIGNED_PERCENT = re.compile(f"(?P<rate>{SPOKEN}) ?(?P<sign>[%‰])")
_FRACTION = re.compile(f"(?:(?P<whole>{RUN})又)?(?P<below>{RUN})分之(?P<above>{SPOKEN})")
_SLASH = re.compile(r"(?:(?P<whole>[0-9]+)又)?(?P<above>[0-9]+) ?/ ?(?P<below>[0-9]+)(?![/0-9])")
_RATIO = re.compile(rf"{SPOKEN}(?:(?: ?: ?|比){SPOKEN}){{1,7}}(?![点分{CHARACTERS}])")
_VERSION = re.compile(rf"[0-9]+(?:\.[0-9]+){{2,}}|(?:{RUN})(?:点(?:{RUN})){{2,7}}(?![点半分刻钟整{CHARACTERS}])")


def percent(text: str, start: int) -> Found | None:
    found = _PERCENT.match(text, start)
    if not found:
        return _hundred(text, start)
    sign = {"百": "%", "千": "‰", "万": "/10000"}[found["scale"]]
    bounds = about(found["rate"])
    if bounds and not found["minus"]:
        low, high = (bound + sign for bound in bounds)
        return [Numeral(((f"{low}~{high}",), (low, high)), f"{low}到{high}", *found.span())], found.end()
    # All of a hundred, but one 百 alone is no number.
    rate = "100" if found["rate"] == "百" else decimal(found["rate"])
    if rate is None:
        return None
    key = ("-" if found["minus"] else "") + without_zeros(rate) + sign
    return one_numeral([key], key, start, found.end())


def _hundred(text: str, start: int) -> Found | None:
    """百分百 and, with 之 swallowed, 百分三十."""
    found = _HUNDRED.match(text, start)
    if not found:
        return None
    key = f"{decimal(found['rate']) if found['rate'] else 100}%"
    return one_numeral([key], key, start, found.end())


def signed_percent(text: str, start: int) -> Found | None:
    found = _SIGNED_PERCENT.match(text, start)
    rate = decimal(found["rate"]) if found else None
    if not found or rate is None:
        return None
    key = without_zeros(rate) + found["sign"]
    return one_numeral([key], key, start, found.end())


def fraction(text: str, start: int) -> Found | None:
    found = _FRACTION.match(text, start) or _SLASH.match(text, start)
    if not found:
        return None
    if found["below"][0].isdecimal() and found["below"][-1] in "百千万":
        # 8999百分之十五 is a number and a percentage.
        return None
    above, below = decimal(found["above"]), number(found["below"])
    whole = number(found["whole"]) if found["whole"] else ""
    if above is None or below is None or whole is None:
        return None
    key = f"{whole}又{above}/{below}" if whole else f"{above}/{below}"
    readings: list[Reading] = [(key,)]
    if found.re is _SLASH and "0" in (above[0], below[0]) and int(above) <= 12 and int(below) <= 31:
        readings.append((str(int(above)), str(int(below))))
    return [Numeral(tuple(readings), key, start, found.end())], found.end()


def ratio(text: str, start: int) -> Found | None:
    found = _RATIO.match(text, start)
    if not found:
        return None
    sides = [decimal(side.strip()) for side in re.split("[:比]", found[0])]
    if None in sides:
        return None
    key = ":".join(side for side in sides if side is not None)
    return one_numeral([key], key, start, found.end())


def version(text: str, start: int) -> Found | None:
    found = _VERSION.match(text, start)
    if not found:
        return None
    parts = [number(part) for part in re.split("[点.]", found[0])]
    if None in parts:
        return None
    key = ".".join(part for part in parts if part is not None)
    return one_numeral([key], key, start, found.end())
