"""The numbers of a text, brought to one form whether they are spoken or written.

一零零八六 and 10086 have the key 10086, 一千零八十六 and 1086 the key 1086: equal keys mean equal numbers, so that
digits heard as a quantity of another value are an error and another way to write the same number is none. What words
such as 一起 hold is no number on either side.
"""

import re
from collections.abc import Callable, Iterator
from decimal import Decimal, localcontext

from huidu.core.text.itn import written
from huidu.core.text.itn.guard import MASK, masked
from huidu.core.text.itn.numbers import CHARACTERS, READABLE, cardinal, reading
from huidu.core.text.itn.units import CLASSIFIER, POINTS
from huidu.core.text.numerals.english import english_numerals
from huidu.core.text.numerals.numeral import Numeral

# Full-width digits and signs, the mathematician's minus, and the traditional forms of what numbers are made with.
_WIDTH = str.maketrans("０１２３４５６７８９％．，：／－−萬億兩點個塊號負鐘時", "0123456789%.,:/--万亿两点个块号负钟时")
_N = "[0-9]"
_SCALE = "(?:万亿|[百千]?[万亿]|百|千(?![克瓦卡赫帕伏]))"
_VALUE = f"(?:{_N}{{1,3}}(?:,{_N}{{3}})+(?![0-9])|{_N}+)(?:\\.{_N}+)?"
_CLOCK_HOUR = "(?<![0-9.])(?:[01]?[0-9]|2[0-4])"

_PATTERNS = {
    "date": f"(?<![0-9]){_N}{{4}}(?P<mark>[-/.]){_N}{{1,2}}(?P=mark){_N}{{1,2}}(?![0-9])",
    "clock": f"(?<![:]){_CLOCK_HOUR}:[0-5][0-9](?::[0-5][0-9])?(?![0-9:])",
    "hour": f"(?<!第){_CLOCK_HOUR}点(?:半|整|钟|(?P<quarter>[123])刻|(?P<of_hour>{_N}{{1,2}})分(?![之钟])"
    f"|(?P<minute>[0-5][0-9])(?![0-9.%点个位名人]))?",
    "percent": f"(?P<rate>-?{_VALUE})(?P<sign>[%‰])",
    "fraction": f"(?:{_N}+又)?(?P<above>{_N}+)/(?P<below>{_N}+)(?![/0-9])",
    "share": f"(?P<whole>{_N}+|万)分之(?P<part>{_VALUE})",
    "ratio": f"{_N}+(?:\\.{_N}+)?(?:[:比]{_N}+(?:\\.{_N}+)?)+",
    "phone": f"(?<![0-9])(?:{_N}{{3,4}}(?P<gap>[- ]){_N}{{3,4}}(?P=gap){_N}{{3,4}}|0{_N}{{2,3}}[- ]{_N}{{7,8}}"
    f"|[48]00[- ]{_N}{{7}}|{_N}(?: {_N}){{2,}})(?![0-9])",
    "version": f"{_N}+(?:\\.{_N}+){{2,}}",
    "tailed": f"(?P<whole_units>{_N}+)(?:[块元](?P<dime>{_N})(?![0-9.]|[个斤件只条本份杯瓶张])[毛角]?"
    f"(?:(?P<cent>{_N})(?![0-9.])分?)?"
    f"|[米度](?P<part_unit>{_N}{{1,2}})(?![0-9.个]))",
    "about": f"[几数][十百千万亿]+|(?:{_N}+|[{CHARACTERS}]+)几|(?:{_N}+|[{CHARACTERS}]+)来(?=[个位名人条天年次块岁])",
    "scaled": f"(?:(?<![0-9A-Za-z])-)?{_VALUE}{_SCALE}(?:零?{_VALUE}{_SCALE})*(?:零?{_N}{{1,4}}(?![0-9.]))?",
    "words": f"(?P<count>{_VALUE}) (?P<scale>thousand|million|billion|trillion)(?![A-Za-z])",
    # A dash before a ratio or a time is no sign: half of what is written as one would be left.
    "number": f"(?:(?<![0-9A-Za-z])-(?!{_VALUE}[:比]{_N}))?{_VALUE}",
    "chinese": f"[{CHARACTERS}]+",
}
_PATTERN = re.compile(
    "|".join(f"(?P<{name}>{pattern})" for name, pattern in _PATTERNS.items()), re.IGNORECASE | re.ASCII
)
_NAMES = tuple(_PATTERNS)
# Guarded words again, with their number in digits.
_GUARDED_DIGITS = re.compile("(?:周|星期|礼拜)[1-6](?![0-9.:号点月日天个条次])|双1[12](?![0-9.])|7天无理由")
_PART = re.compile(f"({_VALUE})({_SCALE})|零?({_N}+)")
_EXPONENTS = {"百": 2, "千": 3, "万": 4, "亿": 8, "thousand": 3, "million": 6, "billion": 9, "trillion": 12}
_DATE_UNIT = re.compile("[月日号]")
_LINK = re.compile(f"(?:[到至比]|分之)[0-9{CHARACTERS}]")
_HAN = re.compile(f"[\u4e00-\u9fff{MASK}]")
_LONGEST = 40
_POSSIBLE = re.compile(f"[0-9{CHARACTERS}]|[A-Za-z]{{3}}")


def numerals(text: str) -> list[Numeral]:
    """The numbers of a spoken or written text, in order.

    Single digits count before a unit or a classifier, after 第 and alone, in Chinese as in digits. Leading zeros of
    digit strings count; those of months, days and hours do not. Hyphens and spaces inside of what looks like a
    telephone number, and commas between thousands, are left out. A lone English "one" is no number.
    """
    folded = text.translate(_WIDTH)
    if not _POSSIBLE.search(folded):
        return []
    english = list(english_numerals(folded))
    left = folded
    for numeral in english:
        hidden = _HIDDEN * (numeral.end - numeral.start)
        left = left[: numeral.start] + hidden + left[numeral.end :]
    form = written(left)
    shown = _GUARDED_DIGITS.sub(lambda match: MASK * len(match[0]), masked(form.text))
    others = [
        Numeral(((key,),), key, *form.spoken_range(start, end))
        for match in _PATTERN.finditer(shown)
        for key, _, start, end in _read(match)
    ]
    return sorted([*english, *others], key=lambda numeral: numeral.start)


_HIDDEN = "\ue001"
_Found = tuple[str, str, int, int]


def _read(match: re.Match[str]) -> Iterator[_Found]:
    name = next(name for name in _NAMES if match[name] is not None)
    return _READERS[name](match)


def _date(match: re.Match[str]) -> Iterator[_Found]:
    for part in re.finditer(f"{_N}+", match[0]):
        start = match.start() + part.start()
        yield part[0].lstrip("0") or "0", "number", start, start + len(part[0])


def _clock(match: re.Match[str]) -> Iterator[_Found]:
    hour, rest = match[0].split(":", 1)
    yield f"{int(hour)}:{rest}", "time", *match.span()


def _hour(match: re.Match[str]) -> Iterator[_Found]:
    text, start, end = match[0], *match.span()
    hour = int(text[: text.index("点")])
    if text.endswith("点") and POINTS.match(match.string, end):
        yield str(hour), "number", start, end - 1
        return
    if match["quarter"]:
        minute = 15 * int(match["quarter"])
    else:
        minute = 30 if text.endswith("半") else int(match["of_hour"] or match["minute"] or 0)
    yield f"{hour}:{minute:02d}", "time", start, end


def _percent(match: re.Match[str]) -> Iterator[_Found]:
    yield _plain(match["rate"]) + match["sign"], "percent", *match.span()


def _share(match: re.Match[str]) -> Iterator[_Found]:
    whole = "10000" if match["whole"] == "万" else _plain(match["whole"])
    yield f"{_plain(match['part'])}/{whole}", "fraction", *match.span()


def _ratio(match: re.Match[str]) -> Iterator[_Found]:
    yield match[0].replace("比", ":"), "ratio", *match.span()


def _phone(match: re.Match[str]) -> Iterator[_Found]:
    yield re.sub("[- ]", "", match[0]), "number", *match.span()


def _tailed(match: re.Match[str]) -> Iterator[_Found]:
    """Decimals named by their unit: 13块5毛2 is 13.52, 1米75 is 1.75."""
    decimals = match["part_unit"] or match["dime"] + (match["cent"] or "")
    yield _plain(f"{match['whole_units']}.{decimals}"), "number", *match.span()


def _scaled(match: re.Match[str]) -> Iterator[_Found]:
    if len(match[0]) > _LONGEST:
        yield match[0], "number", *match.span()
        return
    sign, text = ("-", match[0][1:]) if match[0][0] == "-" else ("", match[0])
    with localcontext(prec=4 * _LONGEST):
        total, unit = Decimal(0), 0
        for part in _PART.finditer(text):
            if part[3]:
                short = len(part[3]) == 1 and part[0] == part[3]
                total += Decimal(part[3]).scaleb(unit - 1 if short else 0)
            else:
                unit = sum(_EXPONENTS[character] for character in part[2])
                total += Decimal(part[1].replace(",", "")).scaleb(unit)
        yield sign + _plain(f"{total:f}"), "number", *match.span()


def _words(match: re.Match[str]) -> Iterator[_Found]:
    key = match["count"]
    if len(key) <= _LONGEST:
        with localcontext(prec=4 * _LONGEST):
            value = Decimal(key.replace(",", "")).scaleb(_EXPONENTS[match["scale"].lower()])
            key = _plain(f"{value:f}")
    yield key, "number", *match.span()


def _one_number(match: re.Match[str]) -> Iterator[_Found]:
    key = _plain(match[0])
    if len(key) == 2 and key[0] == "0" and _DATE_UNIT.match(match.string, match.end()):
        key = key[1]
    yield key, "number", *match.span()


def _about(match: re.Match[str]) -> Iterator[_Found]:
    def read(number: re.Match[str]) -> str:
        long = len(number[0]) > len(str(READABLE)) - 1
        return number[0] if long else reading(int(number[0]))

    yield re.sub(f"{_N}+", read, match[0]), "about", *match.span()


def _chinese(match: re.Match[str]) -> Iterator[_Found]:
    run, start, end = match[0], *match.span()
    if not run.strip("百千万亿") or run == "一一":
        return
    if len(run) == 2 and run[1] == "两" and cardinal(run[0]):
        yield str(cardinal(run[0])), "number", start, end - 1
    elif len(run) > 1 and cardinal(run) is None:
        yield run.replace("两", "二"), "about", start, end
    elif len(run) > 1 or _single_counts(match.string, start, end):
        # 幺 is the one of digit strings; by itself it is no quantity.
        yield str(cardinal(run.replace("幺", "一"))), "number", start, end


def _single_counts(text: str, start: int, end: int) -> bool:
    before, after = text[start - 1 : start], text[end : end + 1]
    if text[start] == "一" and after in ("点", "块") and not POINTS.match(text, end + 1):
        return False
    if before == "第" or CLASSIFIER.match(text, end) or _LINK.match(text, end):
        return True
    alone = not _HAN.match(after) and not after.isdecimal()
    return alone and (text[start] not in "一两" or not _HAN.match(before))


def _version(match: re.Match[str]) -> Iterator[_Found]:
    yield match[0], "version", *match.span()


def _fraction(match: re.Match[str]) -> Iterator[_Found]:
    yield match[0], "fraction", *match.span()


def _plain(number: str) -> str:
    """Without commas between thousands and without zeros that end a decimal; leading zeros of an integer stay."""
    number = number.replace(",", "")
    if "." not in number:
        return number
    whole, decimals = number.split(".")
    sign, whole = ("-", whole[1:]) if whole[0] == "-" else ("", whole)
    decimals = decimals.rstrip("0")
    return sign + (whole.lstrip("0") or "0") + ("." + decimals if decimals else "")


_READERS: dict[str, Callable[[re.Match[str]], Iterator[_Found]]] = {
    "date": _date,
    "clock": _clock,
    "hour": _hour,
    "percent": _percent,
    "fraction": _fraction,
    "share": _share,
    "ratio": _ratio,
    "phone": _phone,
    "version": _version,
    "tailed": _tailed,
    "about": _about,
    "scaled": _scaled,
    "words": _words,
    "number": _one_number,
    "chinese": _chinese,
}
