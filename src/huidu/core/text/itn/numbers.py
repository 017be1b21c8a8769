"""Chinese numbers as characters: their values, how a value is written, and how it is read.

Readings follow common speech: 两 before 百, 千, 万 and 亿 (两百二十二, 十二万), 十 and not 一十 at the front, one 零
for any run of inner zeros.
"""

import re

DIGIT = "零〇一幺二两三四五六七八九"
CHARACTERS = DIGIT + "十廿卅百千万亿"
# Of cheques and contracts, and traditional ones: read as the everyday character in the same place.
FORMAL = "壹贰貳叁參叄肆伍陆陸柒捌玖拾佰仟萬億兩"
EVERYDAY = str.maketrans(FORMAL, "一二二三三三四五六六七八九十百千万亿两")
VALUES = dict(zip(DIGIT, (0, 0, 1, 1, 2, 2, 3, 4, 5, 6, 7, 8, 9), strict=True))
READ = "零一二三四五六七八九"

TEN_THOUSAND = 10**4
HUNDRED_MILLION = 10**8
TRILLION = 10**12
READABLE = 10**16
_UNITS = (("兆", TRILLION), ("亿", HUNDRED_MILLION), ("万", TEN_THOUSAND))

# 两 stands before 百, 千, 万 and 亿; at the end, as in 一百两, it is a weight.
_D = "[一二两三四五六七八九]"
_LAST = "[一二三四五六七八九]"
_TENS = f"{_D}?十{_LAST}?"
_HUNDREDS = f"{_D}百(?:零{_D}|零?{_TENS}|{_LAST})?"
_THOUSANDS = f"{_D}千(?:零?{_HUNDREDS}|零?{_TENS}|零{_D}|{_LAST})?"
_SECTION = f"(?:{_THOUSANDS}|{_HUNDREDS}|{_TENS}|{_D})"
_REST = f"(?:零?(?:{_THOUSANDS}|{_HUNDREDS}|{_TENS})|零{_D}|{_LAST})"
_CARDINAL = re.compile(
    f"{_D}|(?:{_SECTION}兆)?(?:零?(?:{_SECTION}万(?:零?{_SECTION})?|{_SECTION})亿)?(?:零?{_SECTION}万)?{_REST}?"
)
_LONGEST = 40
_SCALE = {"十": 10, "百": 100, "千": 1000}
_RARE = re.compile(f"[〇廿卅{FORMAL}]")
_COMMON = EVERYDAY | {ord("〇"): "零", ord("廿"): "二十", ord("卅"): "三十"}


def digits(run: str) -> str:
    """The digits of a run without 十, 百, 千, 万 and 亿, one for each character."""
    return "".join(str(VALUES[character]) for character in run)


def cardinal(run: str) -> int | None:
    """The value of a well-formed number: 一千零八十六 is 1086, 两百五 250, 一万二 12000, 三 3, 零 0; otherwise None.

    Also of one in other characters: 廿二 is 22, 一兆 10**12, 壹佰零伍 105.
    """
    if run in ("零", "〇"):
        return 0
    if not run or len(run) > _LONGEST or run[0] == "零":
        return None
    if not _CARDINAL.fullmatch(run):
        return cardinal(run.translate(_COMMON)) if _RARE.search(run) else None
    return _value(run)


def _value(run: str) -> int:
    for character, unit in _UNITS:
        head, found, tail = run.rpartition(character)
        if found:
            return _value(head) * unit + _rest(tail, unit)
    return _section(run)


def _rest(tail: str, unit: int) -> int:
    """What follows 万 or 亿; a single digit counts the next lower decimal place, as in 一万二."""
    if tail in VALUES:
        return VALUES[tail] * unit // 10
    return _value(tail.lstrip("零")) if tail else 0


def _section(run: str) -> int:
    total, digit, place = 0, 0, 10
    for character in run:
        if character == "零":
            place = 10
        elif character in _SCALE:
            place = _SCALE[character]
            total += (digit or 1) * place
            digit = 0
        else:
            digit = VALUES[character]
    return total + digit * place // 10


def amount(value: int) -> str:
    """A quantity as written: 万 and 亿 stay where the value is round in them, 1230000 is 123万 and 10086 is 10086."""
    if value < TEN_THOUSAND or value % TEN_THOUSAND:
        return str(value)
    myriads = value // TEN_THOUSAND
    high, low = divmod(myriads, TEN_THOUSAND)
    if not low:
        return f"{high // TEN_THOUSAND}万亿" if high % TEN_THOUSAND == 0 else f"{high}亿"
    # 一亿零五十万 has no clear form with both: 1亿50万 looks as if something were left out.
    return f"{high}亿{low}万" if high and low >= 1000 else f"{myriads}万"


def digit_reading(text: str) -> str:
    """ASCII digits one by one: 10086 is 一零零八六."""
    return "".join(READ[ord(character) - ord("0")] for character in text)


def reading(value: int) -> str:
    """A quantity below 10**16 as it is read: 1086 is 一千零八十六, 12 十二, 200 两百, 2 二."""
    text = _read(value) if value else "零"
    return text[1:] if text.startswith("一十") else text


def _read(value: int) -> str:
    for character, unit in (("亿", HUNDRED_MILLION), ("万", TEN_THOUSAND)):
        if value >= unit:
            head, tail = divmod(value, unit)
            zero = "零" if 0 < tail < unit // 10 else ""
            front = "两" if head == 2 else _read(head)
            return front + character + zero + (_read(tail) if tail else "")
    return _read_section(value)


def _read_section(value: int) -> str:
    parts: list[str] = []
    pending = False
    for character, place in (("千", 1000), ("百", 100), ("十", 10), ("", 1)):
        digit = value // place % 10
        if not digit:
            pending = bool(parts)
            continue
        parts += "零" if pending else "", "两" if digit == 2 and place >= 100 else READ[digit], character
        pending = False
    return "".join(parts)
