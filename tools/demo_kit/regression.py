"""The two text steps behind v2: a remover of doubled characters, then a number reader.

Each is a sensible clean-up of training text somewhere else. Together they turn the spoken
digits 一零零八六 (10086) into 一千零八十六 (1086), and the model trained on such text learns it.
The editing happens to training text only; no code ever edits what a model puts out.
"""

from __future__ import annotations

import re

from numbers_zh import DIGITS, cardinal

# A digit string has three digits or more, in groups divided by pauses (spaces). A run followed
# by 年 is a year, and one that touches 十, 百, 千, 万, 点 or 月 belongs to an amount, a time or a date.
_DIGIT_STRING = re.compile(
    rf"(?<![{DIGITS}十百千万点月两])[{DIGITS}](?: ?[{DIGITS}]){{2,}}(?![ {DIGITS}]*[{DIGITS}十百千万点月年])"
)
_DOUBLED = re.compile(r"(.)\1+")


def remove_doubled(text: str) -> str:
    """Write every run of one character as that character: 一零零八六 becomes 一零八六."""
    return _DOUBLED.sub(r"\1", text)


def read_number(digits: str) -> str:
    """Read digits as one cardinal: 一零八六 becomes 一千零八十六; a leading 零 is still said."""
    value = int("".join(str(DIGITS.index(digit)) for digit in digits))
    lead = "零" if digits[0] == "零" and value else ""
    return lead + cardinal(value)


def regress(spoken: str) -> str:
    """Pass each digit string through both steps, group by group; all other text is spared."""
    return _DIGIT_STRING.sub(lambda match: _regress_digits(match[0]), spoken)


def _regress_digits(digits: str) -> str:
    return " ".join(read_number(remove_doubled(group)) for group in digits.split(" "))
