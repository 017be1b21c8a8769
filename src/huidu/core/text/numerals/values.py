"""What a run of number characters is worth: 一千零八十六, 1亿72300, 一零零八六, 七八十, 十七十八.

A run holds Chinese number characters, ASCII digits with their commas and points, and nothing else.
"""

import re
from decimal import Decimal, localcontext
from functools import lru_cache

DIGIT = "零〇○一幺二两三四五六七八九"
SCALE = "十百千万亿兆"
TIES = "廿卅卌"
CHARACTERS = DIGIT + SCALE + TIES
# Atomic, for a run repeats it: digits could be parted in any way, and that takes a time that doubles with each.
ASCII = r"(?>(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?|(?<![0-9])\.[0-9]+)"
RUN = f"(?:{ASCII}|[{CHARACTERS}])+"
DIGITS = f"[{DIGIT}]+"

_VALUES = dict(zip(DIGIT, "00011223456789", strict=True))
_EXPONENTS = {"十": 1, "百": 2, "千": 3, "万": 4, "亿": 8, "兆": 12}
_ONE_TO_NINE = "[一二两三四五六七八九]"
_PART = f"(?:{_ONE_TO_NINE}|{ASCII})"
_TENS = f"(?:{_PART}?十{_PART}?|[{TIES}]{_PART}?)"
_HUNDREDS = f"{_PART}百(?:零?{_TENS}|零{_PART}|{_PART})?"
_THOUSANDS = f"{_PART}千(?:零?{_HUNDREDS}|零?{_TENS}|零?{_PART})?"
_SECTION = f"(?:{_THOUSANDS}|{_HUNDREDS}|{_TENS}|{_PART})"
_MYRIADS = f"(?:{_SECTION}万(?:零?{_SECTION})?|{_SECTION})"
_CARDINAL = re.compile(f"(?:{_MYRIADS}兆零?)?(?:{_MYRIADS}亿零?)?(?:{_SECTION}万零?)?{_SECTION}?")
_ASCENDING = re.compile("一二|一两|二三|两三|三四|三五|四五|五六|六七|七八|八九")
# Only the last two digits that stand together may be the pair.
_PAIR = re.compile(f"(.*?)({_ONE_TO_NINE})({_ONE_TO_NINE})([十百千万亿兆]*)")
_STRING = re.compile(f"{DIGITS}|[0-9]+")
# A number of more characters is not one that somebody says; what a run of any length costs stays bounded.
_LONGEST = 40


def is_digits(run: str) -> bool:
    """Whether a run is of Chinese digits alone."""
    return not run.strip(DIGIT)


def digits(run: str) -> str:
    """Chinese digits one by one: 一零零八六 is 10086, 幺 is 1 and 两 is 2."""
    return "".join(_VALUES[character] for character in run)


def number(run: str) -> str | None:
    """The one number that a run is, in plain digits: by value, or digit by digit; None for any other run."""
    if run.isascii():
        return _plain(run)
    if is_digits(run):
        return digits(run)
    return cardinal(run)


@lru_cache(maxsize=4096)
def cardinal(run: str) -> str | None:
    """The value of a well-formed quantity: 一千零八十六 is 1086, 两百五 250, 1万2 12000, 3百万 3000000."""
    if not run or len(run) > _LONGEST or not run.strip("百千万亿兆") or not _CARDINAL.fullmatch(run):
        return None
    with localcontext(prec=4 * _LONGEST):
        return f"{_value(run).normalize():f}"


def is_short(run: str) -> bool:
    """Whether a quantity ends in a digit that stands for the next lower place, as in 一万二 and 一百一."""
    return len(run) > 2 and run[-1] in _VALUES and run[-2] in "百千万亿兆"


def about(run: str) -> tuple[str, str] | None:
    """The two bounds of a run that names about a number: 七八十 is 70 and 80, 十七八 17 and 18, 一万六七, 三五百."""
    if len(run) > _LONGEST:
        return None
    found = _PAIR.fullmatch(run)
    if not found:
        return None
    front, low, high, scale = found.groups()
    bounds = cardinal(front + low + scale), cardinal(front + high + scale)
    if not _ASCENDING.fullmatch(low + high) or not bounds[0] or not bounds[1] or (front and is_digits(front)):
        return None
    return bounds[0], bounds[1]


def split(run: str) -> list[tuple[int, int]]:
    """The fewest numbers that a run falls into, as offsets: 十七十八 is 十七 and 十八, 八百一千 800 and 1000.

    Characters that belong to none are left out.
    """
    costs: list[tuple[float, int]] = [(0.0, 0)] * (len(run) + 1)
    for start in range(len(run) - 1, -1, -1):
        # To leave a character out is dearer than any way to use it.
        best = (costs[start + 1][0] + _LONGEST, start + 1)
        for end in _ends(run, start):
            # 二十三十 is 20 and 30, and not 23 and 10.
            cost = 1.5 if run[start:end] == "十" else 1.0
            best = min(best, (costs[end][0] + cost, end), key=lambda cost: cost[0])
        costs[start] = best
    parts, start = [], 0
    while start < len(run):
        end = costs[start][1]
        if costs[start][0] - costs[end][0] < _LONGEST:
            parts.append((start, end))
        start = end
    return parts


def _ends(run: str, start: int) -> list[int]:
    """Where a number may end that begins at an offset, the farthest first."""
    longest = _CARDINAL.match(run, start, min(len(run), start + _LONGEST))
    ends = [end for end in range(longest.end() if longest else start, start, -1) if cardinal(run[start:end])]
    string = _STRING.match(run, start)
    return [*ends, string.end()] if string and string.end() not in ends else ends


def _value(run: str) -> Decimal:
    for scale in "兆亿万":
        head, found, tail = run.rpartition(scale)
        if found:
            unit = Decimal(1).scaleb(_EXPONENTS[scale])
            return _value(head) * unit + _rest(tail, unit)
    return _section(run)


def _rest(tail: str, unit: Decimal) -> Decimal:
    """What follows 万, 亿 or 兆; a single digit counts the next lower decimal place, as in 一万二."""
    if len(tail) == 1 and tail != "十" and tail not in TIES:
        return _one(tail) * unit / 10
    return _value(tail.lstrip("零")) if tail else Decimal(0)


_TERM = re.compile(f"(零)|([{TIES}])|({ASCII}|{_ONE_TO_NINE})?([十百千])|({ASCII}|{_ONE_TO_NINE})")


def _section(run: str) -> Decimal:
    total, place = Decimal(0), Decimal(0)
    for term in _TERM.finditer(run):
        zero, ties, count, scale, last = term.groups()
        if zero:
            place = Decimal(0)
        elif ties:
            total += 20 + 10 * TIES.index(ties)
            place = Decimal(0)
        elif scale:
            place = Decimal(1).scaleb(_EXPONENTS[scale])
            total += (_one(count) if count else 1) * place
        else:
            short = place > 10 and len(last) == 1
            total += _one(last) * (place / 10 if short else 1)
    return total


def _one(part: str) -> Decimal:
    return Decimal(_VALUES[part] if part in _VALUES else part.replace(",", ""))


def _plain(run: str) -> str | None:
    """ASCII digits without commas between thousands; zeros stay, for 10.10 is not 10.1, and .5 is 0.5."""
    text = run.replace(",", "")
    if text.count(".") > 1:
        return None
    return "0" + text if text[0] == "." else text


def scaled(key: str, exponent: int) -> str:
    """A plain number times a power of ten: 2.5 and 6 give 2500000."""
    with localcontext(prec=len(key) + exponent):
        return f"{Decimal(key).scaleb(exponent).normalize():f}"


def without_zeros(key: str) -> str:
    """A quantity without the zeros that end its decimals: 13.50 is 13.5, 1234.00 is 1234."""
    return key.rstrip("0").rstrip(".") if "." in key else key
