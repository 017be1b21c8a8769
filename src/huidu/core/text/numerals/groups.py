"""Digits in groups: telephone numbers, and numbers one after the other."""

import re

from huidu.core.text.numerals.found import Found
from huidu.core.text.numerals.numeral import Numeral
from huidu.core.text.numerals.values import CHARACTERS, DIGITS, number

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


def grouped_digits(text: str, start: int) -> Found | None:
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
