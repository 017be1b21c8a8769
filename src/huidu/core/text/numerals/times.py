"""Dates, times of day, and what stands with 点: a time, a decimal, or either."""

import re

from huidu.core.text.itn.units import CLASSIFIER, POINTS, STRICT
from huidu.core.text.numerals.context import is_clock, is_linked, is_version
from huidu.core.text.numerals.found import KILO, Found, is_measured, one_numeral, quantity
from huidu.core.text.numerals.numeral import Numeral
from huidu.core.text.numerals.runs import _RUN
from huidu.core.text.numerals.values import DIGIT, DIGITS, RUN, cardinal, digits, is_digits, number

_DATE = re.compile(
    r"(?P<year>[0-9]{4}|[0-9]{2}(?=/[0-9]{2}/))(?P<mark>[-/.])(?P<month>[01]?[0-9])(?P=mark)(?P<day>[0-3]?[0-9])(?![0-9])"
    r"|(?P<first>[0-3][0-9])(?P<other>[-/])(?P<second>[01][0-9])(?P=other)(?P<last>[0-9]{4})(?![0-9])"
)
_YEAR_MONTH = re.compile(r"(?P<year>(?:19|20)[0-9]{2})[-/](?P<month>0[1-9]|1[0-2](?=月|$|[^-/0-9年岁]))(?![-/0-9])")
_CLOCK = re.compile(r"(?P<hour>[01]?[0-9]|2[0-4]):(?P<rest>[0-5][0-9](?::[0-5][0-9])?)(?![:0-9])")
_POINT = re.compile(f"(?P<hour>{RUN})点(?P<tail>半|整|钟(?![表头情爱])|[一三123两]刻|(?P<minute>{RUN})?)")
_MINUTE = re.compile(f"分(?!之|钟|[公贝])(?:(?P<second>{RUN})秒)?")
_OF_HOUR = re.compile(f"时(?P<minute>{RUN})分(?!之|钟)(?:(?P<second>{RUN})秒)?")
_BIG = re.compile("万亿|[百千]?[万亿]")


def date(text: str, start: int) -> Found | None:
    found = _DATE.match(text, start)
    if found and found["year"]:
        return _parts(found, ["year", "month", "day"])
    if found:
        return _parts(found, ["last", "second", "first"])
    found = _YEAR_MONTH.match(text, start)
    return _parts(found, ["year", "month"]) if found else None


def _parts(found: re.Match[str], names: list[str]) -> Found:
    """A date in figures: a number for each part, months and days without leading zeros."""
    parts = sorted((*found.span(name), name) for name in names)
    if names[0] == "last":
        keys = (found["last"], str(int(found["second"])), str(int(found["first"])))
        return [Numeral((keys,), "年".join(keys[:1]) + f"年{keys[1]}月{keys[2]}日", *found.span())], found.end()
    units = dict(zip(("year", "month", "day"), "年月日", strict=True))
    numerals = []
    for index, (start, end, name) in enumerate(parts):
        key = found[name] if name == "year" else str(int(found[name]))
        last = index + 1 == len(parts)
        numerals.append(Numeral(((key,),), key + units[name], start, end if last else parts[index + 1][0]))
    return numerals, found.end()


def clock(text: str, start: int) -> Found | None:
    found = _CLOCK.match(text, start)
    if not found or text[max(0, start - 1) : start] in (":", "."):
        return None
    hour, rest = int(found["hour"]), found["rest"]
    return _time(hour, rest, start, found.end())


def _time(hour: int, rest: str, start: int, end: int, *others: str) -> Found:
    """A time; on the hour nothing tells it from the hour's number."""
    key = f"{hour}:{rest}"
    if rest == "00":
        return one_numeral([key, str(hour)], f"{hour}点", start, end)
    return one_numeral([key, *others], key, start, end)


def of_hour(text: str, start: int) -> Found | None:
    """三时二十分: only with its minutes is 时 surely one of the clock."""
    run = _RUN.match(text, start)
    found = _OF_HOUR.match(text, run.end()) if run else None
    if not run or not found:
        return None
    hour, minute = number(run[0]), number(found["minute"])
    second = number(found["second"]) if found["second"] else None
    if not hour or not minute or not hour.isdecimal() or not minute.isdecimal() or int(hour) > 24 or int(minute) > 59:
        return None
    rest = f"{int(minute):02d}" + (f":{int(second):02d}" if second and second.isdecimal() else "")
    return _time(int(hour), rest, start, found.end())


def point(text: str, start: int) -> Found | None:
    """What stands with 点: a time, a decimal, or what could be either."""
    found = _POINT.match(text, start)
    if not found:
        return None
    run, minute = found["hour"], found["minute"]
    hour = cardinal(run) if not run.isascii() or run.isdecimal() else None
    if run in ("零", "〇", "0"):
        hour = "0"
    is_hour = hour is not None and "." not in hour and int(hour) <= 24 and text[start - 1 : start] != "第"
    if minute:
        return _point_and_run(text, start, found, int(hour) if is_hour and hour else None)
    if not is_hour or hour is None:
        return None
    tail = found["tail"]
    if tail:
        minutes = {"半": "30", "整": "00", "钟": "00"}.get(tail) or f"{15 * int(number(tail[0]) or 0):02d}"
        return _time(int(hour), minutes, start, found.end())
    return _bare_hour(text, start, found.end(), run, int(hour))


def _bare_hour(text: str, start: int, end: int, run: str, hour: int) -> Found | None:
    if POINTS.match(text, end):
        return one_numeral([str(hour)], str(hour), start, end - 1)
    # 一点 is a bit, unless a time is spoken of.
    if run == "一" and not is_clock(text, start) and not is_linked(text, start, end):
        return None
    return _time(hour, "00", start, end)


def _point_and_run(text: str, start: int, found: re.Match[str], hour: int | None) -> Found | None:
    minute, end = found["minute"], found.end()
    behind = _MINUTE.match(text, end)
    value = number(minute.lstrip("零〇") or "零") if not minute.isascii() else minute
    exact = value is not None and value.isdecimal() and int(value) < 60 and len(minute) <= 3
    if text[end : end + 1] == "点":
        # 两点三点都行: two hours.
        return _time(hour, "00", start, found.start("minute")) if hour is not None and len(minute) <= 2 else None
    if hour is not None and exact and behind and value is not None:
        second = number(behind["second"]) if behind["second"] else None
        rest = f"{int(value):02d}" + (f":{int(second):02d}" if second and second.isdecimal() else "")
        score = [f"{hour}.{digits(minute)}"] if is_digits(minute) and not second else []
        return _time(hour, rest, start, behind.end(), *score)
    if hour is not None and exact and value is not None and not (is_digits(minute) and len(minute) == 1):
        return _time_or_decimal(text, start, found, hour, value)
    if hour is not None and is_clock(text, start) and _counts_something(text, end):
        return _time(hour, "00", start, found.start("minute"))
    return _spoken_decimal(text, start, found)


def _counts_something(text: str, start: int) -> bool:
    return CLASSIFIER.match(text, start) is not None and STRICT.match(text, start) is None


def _time_or_decimal(text: str, start: int, found: re.Match[str], hour: int, value: str) -> Found | None:
    """三点十二 is a time, behind the name of a program 3.12; 八点零五 is either, and so is 3点05."""
    minute, end = found["minute"], found.end()
    timely = not is_digits(minute) if not minute.isascii() else len(minute) == 2
    if timely and not (minute.isascii() and minute[0] == "0"):
        if is_version(text, start, end):
            return one_numeral([f"{hour}.{value}", f"{hour}:{value}"], f"{hour}.{value}", start, end)
        return _time(hour, value, start, end)
    decimal = _spoken_decimal(text, start, found)
    if (
        not decimal
        or len(minute) != 2
        or minute[0] not in "零〇0"
        or is_measured(text, decimal[1])
        or decimal[1] != end
    ):
        return decimal
    key = f"{hour}.{int(value):02d}"
    if is_version(text, start, end):
        return one_numeral([key], key, start, end)
    return one_numeral([key, f"{hour}:{int(value):02d}"], f"{hour}:{int(value):02d}", start, end)


def _spoken_decimal(text: str, start: int, found: re.Match[str]) -> Found | None:
    whole, decimals, end = number(found["hour"]), found["minute"], found.end()
    # 三点五两: the 两 is a weight.
    string = re.match(f"[{DIGIT}]+?(?=两$)|{DIGITS}|[0-9]+", decimals)
    if whole is None or "." in whole or not string:
        return None
    key = whole + "." + (string[0] if string[0].isascii() else digits(string[0]))
    stop = found.start("minute") + string.end()
    scale = _BIG.match(text, stop)
    if scale and not KILO.match(text, scale.end()):
        key = cardinal(key + scale[0]) or key
        stop = scale.end()
    if stop < end and not (stop == end - 1 and text[stop] in "千两") and not scale:
        return None
    return quantity(text, key, start, stop)
