"""Where Chinese numbers are in a text, and how each is written.

The functions take the masked text (see guard.py), so that no character they read belongs to a guarded word.
"""

import re
from collections.abc import Callable, Iterator

from huidu.core.text.itn.numbers import CHARACTERS, DIGIT, VALUES, amount, cardinal, digits
from huidu.core.text.itn.offsets import Edit
from huidu.core.text.itn.units import CLASSIFIER, LOOSE, ORDINAL, POINTS, STRICT, code_before

_N = f"[{CHARACTERS}]+"
_D = f"[{DIGIT}]+"
_RUN = re.compile(_N)
_APPROXIMATE = re.compile(
    r"(?:[一二两三四五六七八九]?[十百千万亿零])*([一二两三四五六七八九])([一二两三四五六七八九])[十百千万亿]*"
)
_ASCENDING = re.compile("一二|一两|二三|两三|三四|三五|四五|五六|六七|七八|八九")
_KILO = re.compile("[克瓦卡赫帕伏](?!服|拉|车)")

_PERCENT = re.compile(
    f"(?:([百千])分之|(百)分(?!之))(负?)({_N}|[0-9]+(?:\\.[0-9]+)?)(?:点({_D}))?(?:[到至]({_N})(?![点分几{CHARACTERS}]))?"
)
_ABOUT_PERCENT = re.compile(f"(?:[到至]{_N})?几")
_MYRIADTH = re.compile(f"万分之({_N})")
_FRACTION = re.compile(f"(?:({_N})又)?({_N})分之({_N})(?!点)")
_RATIO = re.compile(f"{_N}(?:点{_D})?(?:比{_N}(?:点{_D})?){{1,7}}(?![点分{CHARACTERS}])")
_OPERATOR = "(?:乘以?|除以|加上?|减去?|等于)"
_ARITHMETIC = re.compile(f"{_N}(?:点{_D})?(?:{_OPERATOR}{_N}(?:点{_D})?){{1,7}}(?![点分{CHARACTERS}])")
_OPERAND = re.compile(f"{_N}(?:点{_D})?")
_VERSION = re.compile(f"{_N}(?:点{_N}){{2,7}}(?![点半分刻钟整{CHARACTERS}])")
_DECIMAL = re.compile(f"({_N})点({_D})(万亿|[百千]?[万亿])?(?![点{CHARACTERS}])")
_NAMED_VERSION = re.compile(f"({_N})点({_N})(?![点半分刻钟整{CHARACTERS}])")
_BEFORE_VERSION = re.compile("(?:[A-Za-z] ?|版本号?(?:是|为|到)?|升级[到为])$")
# What happens at a time: 八点零五开会 is no 8.05.
_AT = re.compile(
    "(?:开会|开始|开播|开门|开车|开饭|出发|到达?|见面?|起飞|起床|集合|上[班课车]|下[班课车]|睡觉?|吃饭?|来|走|回|前|后|之[前后]|以[前后]|左右"
    "|的(?:火?车|飞机|航班|高铁|动车|票|会议?|课|闹钟))"
)
_KILO_DECIMAL = re.compile(f"({_N})点({_D})(?=千[克瓦卡赫帕伏])")
_TIME_TAIL = re.compile(f"半|整|钟(?!表|头|情|爱)|({_N})")
_RANGE = re.compile(f"[到至]({_N})")

_CLOCK = re.compile(
    "(?:凌晨|清晨|早上|早晨|上午|中午|下午|傍晚|晚上|今晚|明晚|昨晚|明早|今早|夜里|半夜|深夜|夜间|今天|明天|后天|昨天|前天|大后天"
    "|[日号]|(?:周|星期|礼拜)(?:\ue000|末|天)|(?:[0-9零〇一二两三四五六七八九十]点(?:半|整|钟)?|分|刻)[到至])$"
)
_TO_HOUR = re.compile(f"[到至][{CHARACTERS}]{{1,3}}点")
_NOT_CLOCK = re.compile("(?:有|这|那|几|以下|如下|下面|另外|满|得|加|扣|提|说|讲|第|每|差|早|晚)$")
_SCORE = re.compile(
    "(?:得了|得|评分|评分是|打了|打|扣|扣了|加|减|考了|均分|均分是|分数是|绩点|提高|高了|低了|领先|落后|差)$"
)
_NEGATIVE = re.compile(f"(?<![正胜抱自担肩欠{CHARACTERS}])负的?$")
_FIGURE = re.compile("[0-9０-９]")
_YEAR_AND_MONTH = re.compile("年[0-9一二三四五六七八九十]{1,2}月")
_PRICED = re.compile("[块毛元角]")
_TAILED = re.compile("[块毛元角米度兆]")
_THING = re.compile("[个位名人张只件本条份杯瓶天年]")
_HAN_BUT_MORE = re.compile("[\u4e00-\u9fff\ue000](?<![多余])")
_PRICE = re.compile("块[一二三四五六七八九](?![个位名人张只件本条份杯瓶天年])")

Piece = tuple[list[Edit], int]
Rule = Callable[[str, int, int], Piece | None]


def edits(text: str) -> Iterator[Edit]:
    """The replacements in a masked text, in order."""
    position = 0
    previous = -1
    while run := _RUN.search(text, position):
        start, end = run.span()
        for rule in _RULES:
            if found := rule(text, start, end):
                break
        else:
            found = _plain(text, start, end, previous)
        pieces, position = found
        # Digits that follow are another number: both would run together.
        if pieces and not _FIGURE.match(text, pieces[-1].end):
            previous = pieces[-1].end
            yield from pieces


def approximate(run: str) -> bool:
    """Whether a run names about a number: 七八十, 三四百, 十七八, 三五."""
    found = _APPROXIMATE.fullmatch(run)
    return found is not None and _ASCENDING.fullmatch(found[1] + found[2]) is not None


def _number(run: str) -> str | None:
    """A run as one number in plain digits: by value, or digit by digit; None for what is no number."""
    value = cardinal(run)
    if value is not None:
        return str(value)
    if run.strip(DIGIT) or approximate(run):
        return None
    return digits(run)


def _decimal_number(text: str) -> str | None:
    whole, point, decimals = text.partition("点")
    number = _number(whole)
    return f"{number}.{digits(decimals)}" if number and point else number


def _sign(text: str, start: int) -> int:
    """How many characters of 负 or 负的 stand before a number; none where 胜负 or 正负 does."""
    if text[start - 1 : start] not in ("负", "的"):
        return 0
    found = _NEGATIVE.search(text[max(0, start - 3) : start])
    return len(found[0]) if found else 0


def _signed(text: str, start: int, end: int, written: str) -> Edit:
    sign = _sign(text, start)
    return Edit(start - sign, end, "-" + written) if sign else Edit(start, end, written)


def _percent(text: str, start: int, end: int) -> Piece | None:
    found = _PERCENT.match(text, start)
    if not found:
        return _myriadth(text, start)
    scale, short, minus, number, decimals, upper = found.groups()
    stop = found.end(5) if decimals else found.end(4)
    if about := _ABOUT_PERCENT.match(text, stop):
        return [], about.end()
    if scale != "千" and number == "百":
        whole: str | None = "100"
    else:
        whole = number if number[0].isascii() else _number(number)
    if whole is None:
        return None
    if short and len(number) == 1 and CLASSIFIER.match(text, stop):
        return [], stop
    sign = "‰" if scale == "千" else "%"
    rate = whole + ("." + digits(decimals) if decimals else "")
    edit = _signed(text, start, stop, rate + sign)
    pieces = [Edit(edit.start, edit.end, "-" + edit.text) if minus else edit]
    high = _number(upper) if upper else None
    if high is None:
        return pieces, stop
    return [*pieces, Edit(*found.span(6), high + sign)], found.end(6)


def _myriadth(text: str, start: int) -> Piece | None:
    found = _MYRIADTH.match(text, start)
    number = _number(found[1]) if found else None
    if not found or number is None:
        return None
    return [Edit(found.start(1), found.end(1), number)], found.end()


def _fraction(text: str, start: int, end: int) -> Piece | None:
    found = _FRACTION.match(text, start)
    if not found:
        return None
    whole, below, above = (cardinal(part) if part else None for part in found.groups())
    if not below or above is None or (found[1] and whole is None):
        return None
    front = "" if whole is None else f"{whole}又"
    return [_signed(text, start, found.end(), f"{front}{above}/{below}")], found.end()


def _ratio(text: str, start: int, end: int) -> Piece | None:
    found = _RATIO.match(text, start)
    if not found:
        return None
    sides = [_decimal_number(side) for side in found[0].split("比")]
    if None in sides:
        return None
    return [Edit(start, found.end(), ":".join(side for side in sides if side))], found.end()


def _arithmetic(text: str, start: int, end: int) -> Piece | None:
    """Numbers that are added or multiplied: all in digits where one of them would be, none in 三加五等于八."""
    found = _ARITHMETIC.match(text, start)
    if not found:
        return None
    operands = [(operand.span(), _decimal_number(operand[0])) for operand in _OPERAND.finditer(text, *found.span())]
    numbers = [number for _, number in operands if number]
    if len(numbers) < len(operands) or not (
        any(len(number) > 1 for number in numbers) or STRICT.match(text, found.end())
    ):
        return None
    (first, number), *others = ((span, number) for span, number in operands if number)
    return [_signed(text, *first, number), *(Edit(*span, number) for span, number in others)], found.end()


def _version(text: str, start: int, end: int) -> Piece | None:
    found = _VERSION.match(text, start)
    if not found:
        return None
    parts = [_number(part) if part.strip(DIGIT) else digits(part) for part in found[0].split("点")]
    if None in parts:
        return None
    return [Edit(start, found.end(), ".".join(part for part in parts if part))], found.end()


def _named_version(text: str, start: int, end: int) -> Piece | None:
    """三点十二 behind a Latin name or beside 版本, which would be a time elsewhere."""
    found = _NAMED_VERSION.match(text, start)
    if not found or _AT.match(text, found.end()):
        return None
    named = _BEFORE_VERSION.search(text[max(0, start - 5) : start]) or text.startswith("版", found.end())
    major, minor = cardinal(found[1]), cardinal(found[2])
    if not named or major is None or minor is None or not found[2].strip(DIGIT):
        return None
    return [Edit(start, found.end(), f"{major}.{minor}")], found.end()


def _time(text: str, start: int, end: int) -> Piece | None:
    """An hour before 点 with what tells it from a decimal or from points of a list."""
    if text[end : end + 1] != "点":
        return None
    hour = cardinal(text[start:end])
    before = text[max(0, start - 6) : start]
    if hour is None or hour > 24 or before.endswith("第"):
        return None
    clock = _CLOCK.search(before) is not None
    hours = Edit(start, end, str(hour))
    tail = _TIME_TAIL.match(text, end + 1)
    if tail is None:
        return ([hours], end) if _bare_hour(text, start, end, hour, before, clock) else None
    if not tail[1]:
        return [hours], end
    minutes = _minutes(text, *tail.span(1), clock, before)
    if minutes is not None:
        return [hours, minutes], tail.end(1)
    after = text[tail.end(1) : tail.end(1) + 1]
    if clock and after != "点" and CLASSIFIER.match(text, tail.end(1)) and not STRICT.match(text, tail.end(1)):
        return [hours], end
    return ([hours], end) if after == "点" and tail.end(1) - tail.start(1) <= 2 else None


def _bare_hour(text: str, start: int, end: int, hour: int, before: str, clock: bool) -> bool:
    if POINTS.match(text, end + 1):
        return False
    if clock or hour > 9 or _TO_HOUR.match(text, end + 1):
        return True
    return text[start] not in "一" and not _NOT_CLOCK.search(before)


def _minutes(text: str, start: int, end: int, clock: bool, before: str) -> Edit | None:
    run = text[start:end]
    after = text[end : end + 1]
    if after == "刻" and run in ("一", "三", "两"):
        return Edit(start, end, str(VALUES[run]))
    minute = cardinal(run[1:]) if run[0] in "零〇" and len(run) == 2 else cardinal(run)
    if minute is None or minute > 59 or (run[0] in "零〇" and len(run) != 2):
        return None
    of_hour = after == "分" and text[end + 1 : end + 2] not in ("之", "钟")
    if "十" in run:
        return Edit(start, end, str(minute)) if after != "点" else None
    if run[0] in "零〇":
        # 2.05 is 二点零五: with 两 it is an hour.
        timely = of_hour or ((clock or text[start - 2] == "两" or _AT.match(text, end)) and after != "点")
        return Edit(start, end, f"{minute:02d}") if timely else None
    return Edit(start, end, str(minute)) if of_hour and not _SCORE.search(before) else None


def _decimal(text: str, start: int, end: int) -> Piece | None:
    found = _KILO_DECIMAL.match(text, start) or _DECIMAL.match(text, start)
    if not found:
        return None
    whole, (start_of_tail, stop) = _number(found[1]), found.span(2)
    unit = found[3] or "" if found.re is _DECIMAL else ""
    if not unit and text[stop - 1] == "两":
        stop -= 1
    if whole is None or stop == start_of_tail:
        return None
    end = found.end() if unit else stop
    return [_signed(text, start, end, f"{whole}.{digits(text[start_of_tail:stop])}{unit}")], end


def _mixed(text: str, start: int, end: int) -> Piece | None:
    """3百万 is 300万; other numbers partly in digits stay as they are."""
    if _FIGURE.match(text, end):
        return [], end
    if start == 0 or not _FIGURE.match(text, start - 1):
        return None
    run = text[start:end]
    front = re.search("(?<![0-9０-９.．,，])[1-9][0-9]{0,3}$", text[max(0, start - 6) : start])
    if front and len(run) == 2 and run[0] in "百千" and run[1] in "万亿":
        zeros = "00" if run[0] == "百" else "000"
        return [Edit(start - len(front[0]), end, front[0] + zeros + run[1])], end
    return [], end


def _plain(text: str, start: int, end: int, previous: int) -> Piece:
    """A run without a construction around it."""
    run = text[start:end]
    if run[-1] == "千" and (_KILO.match(text, end) or (text[end : end + 1] == "米" and cardinal(run) is None)):
        kilo = cardinal(run[:-1])
        if kilo is not None:
            return [_signed(text, start, end - 1, amount(kilo))], end
    if len(run) == 1:
        return _single(text, start, end, previous), end
    if not run.strip(DIGIT):
        return _digit_string(text, start, end, previous), end
    value, stop = cardinal(run), end
    if value is None and run[-1] == "两":
        # A weight: the number ends before it.
        value, stop = cardinal(run[:-1]), end - 1
    if value is None or _about(text, start, end):
        return [], end
    return [_signed(text, start, stop, amount(value))], end


def _about(text: str, start: int, end: int) -> bool:
    before, after = text[start - 1 : start], text[end : end + 1]
    return (
        before in ("几", "数") or after == "几" or (after == "来" and text[end + 1 : end + 2] not in ("自", "了", "到"))
    )


def _digit_string(text: str, start: int, end: int, previous: int) -> list[Edit]:
    run = text[start:end]
    after_unit = _after_number_and_unit(text, start, previous)
    if text[end : end + 1] == "几" or (text[start - 1 : start] == "第" and not set(run) & set("零〇幺")):
        return []
    if len(run) > 2 and run[-1] == "两":
        return []
    if len(run) > 2:
        return [_signed(text, start, end, digits(run))]
    if after_unit and _PRICED.match(text, start - 1):
        return _after_price(text, start, end)
    if run[1] == "两":
        return [Edit(start, end - 1, digits(run[0]))] if text[start - 1 : start] == "斤" else []
    doubtful = run == "一一" or run[0] == "两" or _ASCENDING.fullmatch(run)
    decimals = after_unit and _TAILED.match(text, start - 1)
    if doubtful and not decimals and not _pair_is_code(text, start, end):
        return []
    return [_signed(text, start, end, digits(run))]


def _after_price(text: str, start: int, end: int) -> list[Edit]:
    """Two digits after 块: 零五毛 is one number; in 五一斤 only 五 belongs to the price."""
    if text[start] in "零〇":
        return [Edit(start + 1, end, digits(text[start + 1 : end]))]
    if CLASSIFIER.match(text, end):
        return [Edit(start, start + 1, digits(text[start]))]
    return [Edit(start, end, digits(text[start:end]))]


def _pair_is_code(text: str, start: int, end: int) -> bool:
    if _YEAR_AND_MONTH.match(text, end):
        return True
    return not CLASSIFIER.match(text, end) and (code_before(text, start) or (start > 0 and text[start - 1].isascii()))


def _single(text: str, start: int, end: int, previous: int) -> list[Edit]:
    character = text[start]
    value = cardinal(character)
    if value is None:
        return []
    edit = _signed(text, start, end, str(value))
    if text[start - 1 : start] == "第":
        return [edit] if value > 9 or ORDINAL.match(text, end) else []
    return [edit] if _single_counts(text, start, end, previous, value) else []


def _single_counts(text: str, start: int, end: int, previous: int, value: int) -> bool:
    if _about(text, start, end) or _sold(text, start, end, previous):
        return False
    return (
        _measured(text, start, end)
        or _after_unit(text, start, end, previous)
        or _beside_latin(text, start, end)
        or (value == 10 and (CLASSIFIER.match(text, end) is not None or not _HAN_BUT_MORE.match(text, end)))
        or (_sign(text, start) > 0 and not CLASSIFIER.match(text, end))
        or _opens_range(text, end)
    )


def _sold(text: str, start: int, end: int, previous: int) -> bool:
    """Whether a price stands before and a thing behind: written 5块1斤, 五块一斤 would be another price."""
    priced = _after_number_and_unit(text, start, previous) and _PRICED.match(text, start - 1) is not None
    return priced and text[end : end + 1] not in tuple("毛角分") and CLASSIFIER.match(text, end) is not None


def _measured(text: str, start: int, end: int) -> bool:
    """Whether a unit follows; 一 before the looser ones seldom counts, save for 一日 of a month and 一块五."""
    if STRICT.match(text, end):
        return True
    if text[start] == "一":
        return (text[start - 1 : start] == "月" and text[end : end + 1] == "日") or _PRICE.match(text, end) is not None
    return LOOSE.match(text, end) is not None and text[start : end + 1] != "两度"


def _after_unit(text: str, start: int, end: int, previous: int) -> bool:
    """Whether a written number and its unit stand directly before, as in 十三块五."""
    tailed = _after_number_and_unit(text, start, previous) and _TAILED.match(text, start - 1) is not None
    return tailed and not _THING.match(text, end)


def _after_number_and_unit(text: str, start: int, previous: int) -> bool:
    """Whether one character stands between an offset and a number in digits, made here or found in the text."""
    return start >= 2 and (previous == start - 1 or _FIGURE.match(text, start - 2) is not None)


def _beside_latin(text: str, start: int, end: int) -> bool:
    before, after = text[start - 1 : start], text[end : end + 1]
    if before.isascii() and before.isalpha():
        return not CLASSIFIER.match(text, end)
    return text[start] not in "一两零" and after.isascii() and after.isupper()


def _opens_range(text: str, end: int) -> bool:
    found = _RANGE.match(text, end)
    if not found or text[found.end() : found.end() + 1] == "点":
        return False
    upper = cardinal(found[1])
    if upper is None or approximate(found[1]):
        return False
    stop = found.end()
    if upper == 10 or text[end - 1] == "十":
        return upper > 10 or CLASSIFIER.match(text, stop) is not None
    return upper > 9 or bool(STRICT.match(text, stop) or (found[1] != "一" and LOOSE.match(text, stop)))


_RULES: tuple[Rule, ...] = (_mixed, _percent, _fraction, _ratio, _version, _named_version, _arithmetic, _time, _decimal)
