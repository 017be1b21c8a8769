"""How numbers are put into words: percents, dates, times, prices, telephone numbers; one rule for each.

A rule looks at a plain text at an offset where a run of number characters begins, and gives the numerals that it reads
there and the offset behind them, or None where the text is of another kind.
"""

import re

from huidu.core.text.numerals.found import Found, Rule
from huidu.core.text.numerals.groups import grouped_digits
from huidu.core.text.numerals.measures import and_a_half, half, length, money
from huidu.core.text.numerals.numeral import Numeral
from huidu.core.text.numerals.runs import informal, plain_run, some, two_or_three_people
from huidu.core.text.numerals.shares import fraction, percent, ratio, signed_percent, version
from huidu.core.text.numerals.times import clock, date, of_hour, point
from huidu.core.text.numerals.values import CHARACTERS, scaled, without_zeros

_CURRENCIES = {"$": "美元", "¥": "元", "€": "欧元", "£": "英镑", "₽": "卢布"}
_PRICE = re.compile(rf"(?P<sign>[$¥€£₽]) ?(?=[0-9{CHARACTERS}.])")


# $45 billion: behind a sign the figures are read here, and so is their scale.
_ENGLISH_SCALE = re.compile(" (?P<word>thousand|million|billion|trillion)(?![A-Za-z])", re.IGNORECASE)
_EXPONENTS = {"thousand": 3, "million": 6, "billion": 9, "trillion": 12}


def read(text: str, start: int) -> Found:
    """The numerals that begin at an offset, none perhaps, and the offset behind what was read."""
    for rule in _RULES:
        found = rule(text, start)
        if found is not None:
            return found
    return plain_run(text, start)


def _price(text: str, start: int) -> Found | None:
    """A number behind the sign of its currency, which its form names behind it: $13.50 is 13.5美元."""
    sign = _PRICE.match(text, start)
    if not sign:
        return None
    numerals, end = read(text, sign.end())
    if len(numerals) != 1:
        return [], sign.end()
    one = numerals[0]
    key = without_zeros(one.keys[0])
    scale = _ENGLISH_SCALE.match(text, end)
    if scale and key.replace(".", "", 1).isdecimal():
        key, end = scaled(key, _EXPONENTS[scale["word"].lower()]), scale.end()
        return [Numeral(((key,),), f"{key}{_CURRENCIES[sign['sign']]}", start, end)], end
    readings = tuple(dict.fromkeys([(key,), *one.readings])) if key.isdecimal() or "." in key else one.readings
    word = _CURRENCIES[sign["sign"]]
    spent = end + (len(word) if text.startswith(word, end) else 0)
    return [Numeral(readings, f"{key}{word}", start, spent)], spent


_RULES: tuple[Rule, ...] = (
    two_or_three_people, half, _price, percent, signed_percent, date, fraction, version, clock, ratio, grouped_digits,
    of_hour, point, money, length, and_a_half, some, informal,
)  # fmt: skip
