"""How numbers are put into words: percents, dates, times, prices, telephone numbers; one rule for each.

A rule looks at a plain text at an offset where a run of number characters begins, and gives the numerals that it reads
there and the offset behind them, or None where the text is of another kind.
"""

import re
from collections.abc import Callable
from dataclasses import replace

from huidu.core.text.itn.units import CLASSIFIER, ORDINAL, POINTS, STRICT, code_before
from huidu.core.text.numerals.context import (
    is_clock,
    is_day_of_week,
    is_han,
    is_label,
    is_linked,
    is_version,
    minus_start,
    unit_end,
)
from huidu.core.text.numerals.numeral import Numeral, Reading
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
    without_zeros,
)

Found = tuple[list[Numeral], int]
Rule = Callable[[str, int], Found | None]

_SPOKEN = f"(?:{RUN})(?:点{DIGITS})?"
_PERCENT = re.compile(f"(?P<scale>[百千万])分之(?P<minus>负的?)?(?P<rate>{_SPOKEN})")
_HUNDRED = re.compile(
    f"百分百|百分(?P<rate>(?!之)[二三四五六七八九]?十[一二三四五六七八九]?(?:点{DIGITS})?)(?![{CHARACTERS}分])"
)
_SIGNED_PERCENT = re.compile(f"(?P<rate>{_SPOKEN}) ?(?P<sign>[%‰])")
_FRACTION = re.compile(f"(?:(?P<whole>{RUN})又)?(?P<below>{RUN})分之(?P<above>{_SPOKEN})")
_SLASH = re.compile(r"(?:(?P<whole>[0-9]+)又)?(?P<above>[0-9]+) ?/ ?(?P<below>[0-9]+)(?![/0-9])")
_DATE = re.compile(
    r"(?P<year>[0-9]{4}|[0-9]{2}(?=/[0-9]{2}/))(?P<mark>[-/.])(?P<month>[01]?[0-9])(?P=mark)(?P<day>[0-3]?[0-9])(?![0-9])"
    r"|(?P<first>[0-3][0-9])(?P<other>[-/])(?P<second>[01][0-9])(?P=other)(?P<last>[0-9]{4})(?![0-9])"
)
_YEAR_MONTH = re.compile(r"(?P<year>[0-9]{4})[/](?P<month>0[1-9]|1[0-2])(?![/0-9])")
_CLOCK = re.compile(r"(?P<hour>[01]?[0-9]|2[0-4]):(?P<rest>[0-5][0-9](?::[0-5][0-9])?)(?![:0-9])")
_RATIO = re.compile(rf"{_SPOKEN}(?:(?: ?: ?|比){_SPOKEN}){{1,7}}(?![点分{CHARACTERS}])")
_VERSION = re.compile(rf"[0-9]+(?:\.[0-9]+){{2,}}|(?:{RUN})(?:点(?:{RUN})){{2,7}}(?![点半分刻钟整{CHARACTERS}])")
_POINT = re.compile(f"(?P<hour>{RUN})点(?P<tail>半|整|钟(?![表头情爱])|[一三123两]刻|(?P<minute>{RUN})?)")
_MINUTE = re.compile(f"分(?!之|钟|[公贝])(?:(?P<second>{RUN})秒)?")
_OF_HOUR = re.compile(f"时(?P<minute>{RUN})分(?!之|钟)(?:(?P<second>{RUN})秒)?")
_BIG = re.compile("万亿|[百千]?[万亿]")
_KILO = re.compile("[克瓦卡赫帕伏](?!服|拉|车)")

_CURRENCIES = {"$": "美元", "¥": "元", "€": "欧元", "£": "英镑", "₽": "卢布"}
_PRICE = re.compile(rf"(?P<sign>[$¥€£₽]) ?(?=[0-9{CHARACTERS}.])")
# 三块五一斤: the one pound is not of the price.
_DIME = f"[{DIGIT}0-9](?:(?![0-9.{CHARACTERS}点])|(?=[一两][个斤件只条本份杯瓶张]))"
_MONEY = re.compile(
    f"(?P<whole>{RUN})(?P<unit>[块元])(?:钱)?(?:"
    f"(?P<pair>[一二三四五六七八九]{{2}}(?![{CHARACTERS}点毛角])|[0-9]{{2}}(?![0-9.点毛角]))"
    f"|[零0](?P<cent_alone>{_DIME})分?"
    f"|(?P<dime>{_DIME}|[{DIGIT}0-9](?=[毛角]))(?:[毛角](?:(?P<cent>{_DIME})分?)?)?)"
    "(?![个斤件只条本份杯瓶张位名])"
)
_CENTS = re.compile(
    f"(?P<whole>{RUN})(?P<unit>美元|欧元|英镑|澳元|加元|港元|港币)零?(?P<cents>{RUN})(?:美分|欧分|分|便士)"
)
_LENGTH = re.compile(
    f"(?P<whole>{RUN})(?P<unit>[米度])(?P<part>[{DIGIT}]{{1,2}}|[0-9]{{1,2}})"
    f"(?![0-9.{CHARACTERS}点个米厘分毫公级人位%到至比])"
)
_AND_A_HALF = re.compile(f"(?P<whole>{RUN})(?P<unit>个|年|天|斤|里|周|倍|米|公里|块)半(?![圆球径场价载夜截数途])")
_WHOLE_UNIT = re.compile("小时|钟头|月|星期|礼拜|学期|世纪")

_GROUP = f"(?:[0-9]+|{DIGITS})"
_GROUPS = re.compile(
    f"(?:[0-9]{{3,4}}\\)[- ]?[0-9]{{7,8}}"
    f"|{_GROUP}(?:[- ]{_GROUP}){{1,7}}|{_GROUP}(?:[、,] ?{_GROUP}){{1,7}}|[0-9](?: [0-9]){{2,20}})"
    f"(?![0-9{CHARACTERS}])"
)
_THOUSANDS = re.compile("[0-9]{1,3}(?:,[0-9]{3})+")
_GROUP_PATTERN = re.compile(_GROUP)
_TELEPHONE = re.compile("(?:00)?(?:86)?(?:1[3-9][0-9]{9}|0[0-9]{9,11}|[48]00[0-9]{7})")
_GROUPS_OF_ELSEWHERE = re.compile("[0-9]{3,4}([- ])[0-9]{3,4}\\1[0-9]{3,4}")
# Groups with commas between them are one number where together they are longer than a quantity in groups of three.
_LONGEST_QUANTITY = 6

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


def read(text: str, start: int) -> Found:
    """The numerals at an offset, none perhaps, and the offset behind what was read."""
    for rule in _RULES:
        found = rule(text, start)
        if found is not None:
            return found
    return _plain(text, start)


def _one(readings: list[str], form: str, start: int, end: int) -> Found:
    return [Numeral(tuple((key,) for key in dict.fromkeys(readings)), form, start, end)], end


def _decimal(text: str) -> str | None:
    """A number with decimals behind 点, or any other, in plain digits."""
    whole, point, decimals = text.partition("点")
    value = number(whole)
    return f"{value}.{digits(decimals)}" if value is not None and point else value


def _percent(text: str, start: int) -> Found | None:
    found = _PERCENT.match(text, start)
    if not found:
        return _hundred(text, start)
    # All of a hundred, but one 百 alone is no number.
    rate = "100" if found["rate"] == "百" else _decimal(found["rate"])
    if rate is None:
        return None
    key = ("-" if found["minus"] else "") + without_zeros(rate)
    key += {"百": "%", "千": "‰", "万": "/10000"}[found["scale"]]
    return _one([key], key, start, found.end())


def _hundred(text: str, start: int) -> Found | None:
    """百分百 and, with 之 swallowed, 百分三十."""
    found = _HUNDRED.match(text, start)
    if not found:
        return None
    key = f"{_decimal(found['rate']) if found['rate'] else 100}%"
    return _one([key], key, start, found.end())


def _signed_percent(text: str, start: int) -> Found | None:
    found = _SIGNED_PERCENT.match(text, start)
    rate = _decimal(found["rate"]) if found else None
    if not found or rate is None:
        return None
    key = without_zeros(rate) + found["sign"]
    return _one([key], key, start, found.end())


def _fraction(text: str, start: int) -> Found | None:
    found = _FRACTION.match(text, start) or _SLASH.match(text, start)
    if not found:
        return None
    if found["below"][0].isdecimal() and found["below"][-1] in "百千万":
        # 8999百分之十五 is a number and a percentage.
        return None
    above, below = _decimal(found["above"]), number(found["below"])
    whole = number(found["whole"]) if found["whole"] else ""
    if above is None or below is None or whole is None:
        return None
    key = f"{whole}又{above}/{below}" if whole else f"{above}/{below}"
    readings: list[Reading] = [(key,)]
    if found.re is _SLASH and "0" in (above[0], below[0]) and int(above) <= 12 and int(below) <= 31:
        readings.append((str(int(above)), str(int(below))))
    return [Numeral(tuple(readings), key, start, found.end())], found.end()


def _date(text: str, start: int) -> Found | None:
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


def _clock(text: str, start: int) -> Found | None:
    found = _CLOCK.match(text, start)
    if not found or text[max(0, start - 1) : start] in (":", "."):
        return None
    hour, rest = int(found["hour"]), found["rest"]
    return _time(hour, rest, start, found.end())


def _time(hour: int, rest: str, start: int, end: int, *others: str) -> Found:
    """A time; on the hour nothing tells it from the hour's number."""
    key = f"{hour}:{rest}"
    if rest == "00":
        return _one([key, str(hour)], f"{hour}点", start, end)
    return _one([key, *others], key, start, end)


def _version(text: str, start: int) -> Found | None:
    found = _VERSION.match(text, start)
    if not found:
        return None
    parts = [number(part) for part in re.split("[点.]", found[0])]
    if None in parts:
        return None
    key = ".".join(part for part in parts if part is not None)
    return _one([key], key, start, found.end())


def _ratio(text: str, start: int) -> Found | None:
    found = _RATIO.match(text, start)
    if not found:
        return None
    sides = [_decimal(side.strip()) for side in re.split("[:比]", found[0])]
    if None in sides:
        return None
    key = ":".join(side for side in sides if side is not None)
    return _one([key], key, start, found.end())


def _point(text: str, start: int) -> Found | None:
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
        return _one([str(hour)], str(hour), start, end - 1)
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
            return _one([f"{hour}.{value}", f"{hour}:{value}"], f"{hour}.{value}", start, end)
        return _time(hour, value, start, end)
    decimal = _spoken_decimal(text, start, found)
    if (
        not decimal
        or len(minute) != 2
        or minute[0] not in "零〇0"
        or _quantity_end(text, decimal[1])
        or decimal[1] != end
    ):
        return decimal
    key = f"{hour}.{int(value):02d}"
    if is_version(text, start, end):
        return _one([key], key, start, end)
    return _one([key, f"{hour}:{int(value):02d}"], f"{hour}:{int(value):02d}", start, end)


def _spoken_decimal(text: str, start: int, found: re.Match[str]) -> Found | None:
    whole, decimals, end = number(found["hour"]), found["minute"], found.end()
    # 三点五两: the 两 is a weight.
    string = re.match(f"[{DIGIT}]+?(?=两$)|{DIGITS}|[0-9]+", decimals)
    if whole is None or "." in whole or not string:
        return None
    key = whole + "." + (string[0] if string[0].isascii() else digits(string[0]))
    stop = found.start("minute") + string.end()
    scale = _BIG.match(text, stop)
    if scale and not _KILO.match(text, scale.end()):
        key = cardinal(key + scale[0]) or key
        stop = scale.end()
    if stop < end and not (stop == end - 1 and text[stop] in "千两") and not scale:
        return None
    return _quantity(text, key, start, stop)


def _quantity(text: str, key: str, start: int, end: int) -> Found:
    """A decimal, whose last zeros count only where nothing is measured: 13.50元 is 13.5, version 3.10 is not 3.1."""
    if "." not in key:
        return _one([key], key, start, end)
    if _quantity_end(text, end):
        return _one([without_zeros(key)], without_zeros(key), start, end)
    whole, decimals = key.split(".")
    if is_version(text, start, end):
        return _one([key], key, start, end)
    if len(decimals) == 2 and decimals[0] == "0" and len(whole) <= 2 and int(whole) <= 24 and decimals != "00":
        return _one([key], f"{whole}:{decimals}", start, end)
    return _one([key, whole] if decimals == "00" else [key], key, start, end)


def _quantity_end(text: str, end: int) -> bool:
    return unit_end(text, end) > end


def _of_hour(text: str, start: int) -> Found | None:
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


def _price(text: str, start: int) -> Found | None:
    sign = _PRICE.match(text, start)
    if not sign:
        return None
    numerals, end = read(text, sign.end())
    if len(numerals) != 1:
        return [], sign.end()
    one = numerals[0]
    key = without_zeros(one.keys[0])
    readings = tuple(dict.fromkeys([(key,), *one.readings])) if key.isdecimal() or "." in key else one.readings
    word = _CURRENCIES[sign["sign"]]
    spent = end + (len(word) if text.startswith(word, end) else 0)
    return [Numeral(readings, f"{key}{word}", start, spent)], spent


def _money(text: str, start: int) -> Found | None:
    """Decimals named by their unit: 13块5毛2 is 13.52元, 三块零五 3.05元."""
    found = _MONEY.match(text, start)
    whole = number(found["whole"]) if found else None
    if not found or whole is None or "." in whole:
        return _cents(text, start)
    parts = [
        found["pair"],
        found["cent_alone"] and "零" + found["cent_alone"],
        (found["dime"] or "") + (found["cent"] or ""),
    ]
    decimals = "".join(number(character) or "" for character in next(part for part in parts if part))
    key = without_zeros(f"{whole}.{decimals}")
    return _one([key], f"{key}元", start, found.end())


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
    return _one([key], key + found["unit"], start, found.end())


def _length(text: str, start: int) -> Found | None:
    """1米75 is 1.75米, 36度5 is 36.5度."""
    found = _LENGTH.match(text, start)
    whole = number(found["whole"]) if found else None
    if not found or whole is None or "." in whole:
        return None
    part = found["part"] if found["part"].isascii() else digits(found["part"])
    key = without_zeros(f"{whole}.{part}")
    return _one([key], key + found["unit"], start, found.end())


def _and_a_half(text: str, start: int) -> Found | None:
    found = _AND_A_HALF.match(text, start)
    whole = number(found["whole"]) if found else None
    if not found or whole is None or not whole.isdecimal():
        return None
    unit = found["unit"]
    dropped = unit == "个" and _WHOLE_UNIT.match(text, found.end())
    key = f"{whole}.5"
    return _one([key], key + ("" if dropped else {"块": "元"}.get(unit, unit)), start, found.end())


def _groups(text: str, start: int) -> Found | None:
    """Digits in groups: a telephone number with its gaps is one number, others may be one or several."""
    found = _GROUPS.match(text, start)
    if not found:
        return None
    keys = tuple(number(group[0]) or "" for group in _GROUP_PATTERN.finditer(found[0]))
    joined = "".join(keys)
    if _TELEPHONE.fullmatch(joined) or _GROUPS_OF_ELSEWHERE.fullmatch(found[0]) or _spelt(found[0]):
        return [Numeral(((joined,), keys), joined, *found.span())], found.end()
    several = len(keys) > 2 or "-" not in found[0]
    thousands = _THOUSANDS.fullmatch(found[0]) is not None
    if thousands or len(joined) <= _LONGEST_QUANTITY or not several or min(map(len, keys)) < 2:
        return None
    return [Numeral((keys, (joined,)), " ".join(keys), *found.span())], found.end()


def _spelt(text: str) -> bool:
    return len(text) > 4 and all(len(digit) == 1 and digit.isascii() for digit in text.split(" "))


def _both(text: str, start: int) -> Found | None:
    """俩 and 仨 are two and three of something, and seldom meant as a number."""
    if text[start] not in _PEOPLE:
        return None
    return [Numeral(((_PEOPLE[text[start]],),), text[start], start, start + 1, counted=False)], start + 1


def _some(text: str, start: int) -> Found | None:
    """几十, 数百, 二十几, 10几万."""
    found = _SOME.match(text, start)
    if found:
        return _one([found[0]], found[0], start, found.end())
    found = _ODD.match(text, start)
    count = number(found["count"]) if found else None
    if not found or count is None:
        return None
    key = f"{count}几{found['scale']}"
    return _one([key], key, start, found.end())


def _informal(text: str, start: int) -> Found | None:
    """2w and 5k are 20000 and 5000, or as they stand: a w may be a watt, and 4k a screen."""
    found = _INFORMAL.match(text, start)
    if not found:
        return _power(text, start)
    count = number(found["count"])
    value = cardinal(f"{count}{'万' if found['scale'] in 'wW' else '千'}")
    if count is None or value is None:
        return None
    return _one([value, count if found["scale"] in "wW" else count + "k"], value, start, found.end())


def _power(text: str, start: int) -> Found | None:
    found = _POWER.match(text, start)
    return _one([found[0]], found[0], start, found.end()) if found else None


def _plain(text: str, start: int) -> Found:
    """A run without a construction around it."""
    found = _RUN.match(text, start)
    if not found:
        return [], start + 1
    run, end = found[0], found.end()
    if len(run) > 1 and run[-1] in "百千万" and text.startswith("分之", end):
        run, end = run[:-1], end - 1
    if run[-1] == "千" and (_KILO.match(text, end) or (text[end : end + 1] == "米" and _TENS_OF_KILO.fullmatch(run))):
        return _kilo(text, start, run), end
    weighs = len(run) > 1 and run[-1] == "两" and run[-2] != "零"
    if weighs and not about(run) and not (is_digits(run) and len(run) > 2):
        # A weight: 一百两. Before what is counted it is a number of its own: 一千两位.
        run = run[:-1]
        own = _single(text, end - 1, end) if _quantity_end(text, end) else []
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
            return _one([key[1]], key[1], start, end)
        return _quantity(text, key, start, end)
    key, bounds = digits(run), about(run)
    if not bounds or _is_code(text, start, end):
        return _one([key], key, start, end)
    if "两" in run or _quantity_end(text, end):
        return _about(bounds, start, end)
    return [Numeral(((key,), ("~".join(bounds),), bounds), key, start, end)], end


def _is_code(text: str, start: int, end: int) -> bool:
    before = text[max(0, start - 1) : start]
    return (
        _YEAR.match(text, end) is not None
        or (code_before(text, start) and not _quantity_end(text, end))
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
    return _one([value], value, start, end)


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
        return ORDINAL.match(text, end) is not None
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


_RULES: tuple[Rule, ...] = (
    _both, _price, _percent, _signed_percent, _date, _fraction, _version, _clock, _ratio, _groups, _of_hour, _point,
    _money, _length, _and_a_half, _some, _informal,
)  # fmt: skip
