"""Runs of number characters without a construction around them, and about-numbers."""

import re
from dataclasses import replace

from huidu.core.text.itn.units import CLASSIFIER, ORDINAL, POINTS, STRICT, code_before
from huidu.core.text.numerals.context import is_day_of_week, is_han, is_label, is_linked, minus_start
from huidu.core.text.numerals.found import KILO, Found, is_measured, one_numeral, quantity
from huidu.core.text.numerals.numeral import Numeral
from huidu.core.text.numerals.values import (
    CHARACTERS,
    DIGIT,
    DIGITS,
    RUN,
    TIES,
    about,
    cardinal,
    digits,
    is_digits,
    is_short,
    number,
    split,
)

_PEOPLE = {"俩": "2", "仨": "3"}
_SOME = re.compile("[几数][十百千万亿]+")
_ODD = re.compile(f"(?P<count>{RUN})几(?P<scale>[十百千万亿]*)")
_INFORMAL = re.compile(f"(?P<count>[0-9]+(?:\\.[0-9]+)?|{DIGITS})(?P<scale>[wWkK])(?![A-Za-z0-9{CHARACTERS}])")
_POWER = re.compile("(?P<base>[0-9]+)\\^(?P<power>[0-9]+)")
_RUN = re.compile(RUN)
# 十千米 and 35千米 are kilometres, 三千米 is 3000 metres.
_TENS_OF_KILO = re.compile(f"[0-9]{{2,}}(?:\\.[0-9]+)?千|[{CHARACTERS}]*[十{TIES}][{DIGIT}]?千")
_DATE_UNIT = re.compile("[月日号点时]")
_YEAR = re.compile("年(?![多来间内前后中])")


def two_or_three_people(text: str, start: int) -> Found | None:
    """俩 and 仨 are two and three of something, and seldom meant as a number."""
    if text[start] not in _PEOPLE:
        return None
    return [Numeral(((_PEOPLE[text[start]],),), text[start], start, start + 1, counted=False)], start + 1


def some(text: str, start: int) -> Found | None:
    """几十, 数百, 二十几, 10几万."""
    found = _SOME.match(text, start)
    if found:
        return one_numeral([found[0]], found[0], start, found.end())
    found = _ODD.match(text, start)
    count = number(found["count"]) if found else None
    if not found or count is None:
        return None
    key = f"{count}几{found['scale']}"
    return one_numeral([key], key, start, found.end())


def informal(text: str, start: int) -> Found | None:
    """2w and 5k are 20000 and 5000, or as they stand: a w may be a watt, and 4k a screen."""
    found = _INFORMAL.match(text, start)
    if not found:
        return _power(text, start)
    count = number(found["count"])
    value = cardinal(f"{count}{'万' if found['scale'] in 'wW' else '千'}")
    if count is None or value is None:
        return None
    return one_numeral([value, count if found["scale"] in "wW" else count + "k"], value, start, found.end())


def _power(text: str, start: int) -> Found | None:
    found = _POWER.match(text, start)
    return one_numeral([found[0]], found[0], start, found.end()) if found else None


def plain_run(text: str, start: int) -> Found:
    """A run without a construction around it."""
    found = _RUN.match(text, start)
    if not found:
        return [], start + 1
    run, end = found[0], found.end()
    if len(run) > 1 and run[-1] in "百千万" and text.startswith("分之", end):
        run, end = run[:-1], end - 1
    if run[-1] == "千" and (KILO.match(text, end) or (text[end : end + 1] == "米" and _TENS_OF_KILO.fullmatch(run))):
        return _kilo(text, start, run), end
    weighs = len(run) > 1 and run[-1] == "两" and run[-2] != "零"
    if weighs and not about(run) and not (is_digits(run) and len(run) > 2):
        # A weight: 一百两. Before what is counted it is a number of its own: 一千两位.
        run = run[:-1]
        own = _single(text, end - 1, end) if is_measured(text, end) else []
        return [*_number(text, start, run), *own], end
    return _number(text, start, run), end


def _kilo(text: str, start: int, run: str) -> list[Numeral]:
    """三千克 is three of a unit, or three thousand of a thousandth of it."""
    numerals = _number(text, start, run[:-1])
    whole = cardinal(run)
    return [replace(one, readings=(*one.readings, (whole,)), counted=True) for one in numerals] if whole else numerals


def _number(text: str, start: int, run: str) -> list[Numeral]:
    end = start + len(run)
    if not run.strip("百千万亿兆"):
        return []
    if len(run) == 1:
        return _single(text, start, end)
    if run.isascii() or is_digits(run):
        return _string(text, start, end, run)[0]
    return _amount(text, start, end, run)[0]


def _string(text: str, start: int, end: int, run: str) -> Found:
    if run.isascii():
        key = number(run)
        if key is None:
            return [], end
        if len(key) == 2 and key[0] == "0" and _DATE_UNIT.match(text, end):
            return one_numeral([key[1]], key[1], start, end)
        return quantity(text, key, start, end)
    key, bounds = digits(run), about(run)
    if not bounds or _is_code(text, start, end):
        return one_numeral([key], key, start, end)
    if "两" in run or is_measured(text, end):
        return _about(bounds, start, end)
    return [Numeral(((key,), ("~".join(bounds),), bounds), key, start, end)], end


def _is_code(text: str, start: int, end: int) -> bool:
    before = text[max(0, start - 1) : start]
    return (
        _YEAR.match(text, end) is not None
        or (code_before(text, start) and not is_measured(text, end))
        or (before.isascii() and before.isalpha())
    )


def _about(bounds: tuple[str, str], start: int, end: int) -> Found:
    return [Numeral((("~".join(bounds),), bounds), "到".join(bounds), start, end)], end


def _amount(text: str, start: int, end: int, run: str) -> Found:
    bounds = about(run)
    if bounds:
        return _about(bounds, start, end)
    value = cardinal(run)
    if value is None:
        parts = split(run)
        numerals = [one for left, right in parts for one in _part(text, start, left, right, run)]
        return numerals, end
    if is_short(run) and CLASSIFIER.match(text, end):
        # 一百一个 is 110 of something, or 100 and one.
        last = (cardinal(run[:-1]) or "", number(run[-1]) or "")
        return [Numeral(((value,), last), value, start, end)], end
    return one_numeral([value], value, start, end)


def _part(text: str, start: int, left: int, right: int, run: str) -> list[Numeral]:
    if right - left == 1:
        return _single(text, start + left, start + right)
    key = number(run[left:right])
    return [Numeral(((key,),), key, start + left, start + right)] if key else []


def _single(text: str, start: int, end: int) -> list[Numeral]:
    """One digit: a count, a label that some write with a figure, or part of a word."""
    character = text[start]
    key = number(character)
    if key is None or text.startswith("零下", start):
        return []
    if is_day_of_week(text, start, end):
        return [Numeral(((key,),), key, start, end, counted=False)]
    before, after = text[max(0, start - 1) : start], text[end : end + 1]
    # A word that some write with a figure is right where the same word is written with it.
    words = tuple((word,) for word in (key + after, before + key) if len(word) > 1 and word.strip(key).strip())
    if character.isascii():
        return [Numeral(((key,), *words), key, start, end)]
    if _is_count(text, start, end):
        return [Numeral(((key,), *words), key, start, end)]
    if is_label(text, start, end):
        return [Numeral(((key,), *words), key, start, end, counted=False)]
    return [Numeral(words, character, start, end, counted=False)] if words else []


def _is_count(text: str, start: int, end: int) -> bool:
    before, after = text[max(0, start - 1) : start], text[end : end + 1]
    if before == "第":
        return ORDINAL.match(text, end) is not None or not is_han(after)
    if text[start] == "一" and after in ("点", "块") and not POINTS.match(text, end + 1):
        return text.startswith("块钱", end)
    if minus_start(text, start) is not None or after == "两":
        return True
    if CLASSIFIER.match(text, end) or STRICT.match(text, end) or is_linked(text, start, end):
        return not is_label(text, start, end) or is_linked(text, start, end)
    if (before.isascii() and before.isalpha()) or (after.isascii() and after.isupper() and text[start] not in "一两零"):
        return True
    if after and after in "多余来" and CLASSIFIER.match(text, end + 1):
        return True
    alone = not is_han(after) and not after.isdecimal()
    return alone and (text[start] not in "一两" or not is_han(before))
