"""What a rule gives, and the ways to give it that several of them share."""

import re
from collections.abc import Callable

from huidu.core.text.numerals.context import is_version, unit_end
from huidu.core.text.numerals.numeral import Numeral
from huidu.core.text.numerals.values import DIGITS, RUN, digits, number, without_zeros

Found = tuple[list[Numeral], int]
Rule = Callable[[str, int], Found | None]
SPOKEN = f"(?:{RUN})(?:点{DIGITS})?"
KILO = re.compile("[克瓦卡赫帕伏](?!服|拉|车)")


def one_numeral(readings: list[str], form: str, start: int, end: int) -> Found:
    """A numeral of readings that are one number each, the likeliest first."""
    return [Numeral(tuple((key,) for key in dict.fromkeys(readings)), form, start, end)], end


def decimal(text: str) -> str | None:
    """A number with decimals behind 点, or any other, in plain digits."""
    whole, point, decimals = text.partition("点")
    value = number(whole)
    return f"{value}.{digits(decimals)}" if value is not None and point else value


def quantity(text: str, key: str, start: int, end: int) -> Found:
    """A decimal, whose last zeros count only where nothing is measured: 13.50元 is 13.5, version 3.10 is not 3.1."""
    if "." not in key:
        return one_numeral([key], key, start, end)
    if is_measured(text, end):
        return one_numeral([without_zeros(key)], without_zeros(key), start, end)
    whole, decimals = key.split(".")
    if is_version(text, start, end):
        return one_numeral([key], key, start, end)
    if len(decimals) == 2 and decimals[0] == "0" and len(whole) <= 2 and int(whole) <= 24 and decimals != "00":
        return one_numeral([key], f"{whole}:{decimals}", start, end)
    return one_numeral([key, whole] if decimals == "00" else [key], key, start, end)


def is_measured(text: str, end: int) -> bool:
    """Whether a unit or a counted thing stands behind a number that ends there."""
    return unit_end(text, end) > end
