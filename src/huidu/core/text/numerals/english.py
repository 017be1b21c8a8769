"""English numbers in words: minus sixty, three thirty pm, two and a half million, nineteen fifties, one sixty six."""

import re
from collections.abc import Iterator
from decimal import Decimal

from huidu.core.text.numerals.english_amounts import Amount, amount, product
from huidu.core.text.numerals.english_context import (
    CENTS,
    CURRENCIES,
    NUMBER_WORDS,
    country_after,
    is_number,
    unit_after,
)
from huidu.core.text.numerals.english_runs import (
    ALL_SCALES,
    DECADES,
    OH,
    REPEATS,
    SCALE_ORDINALS,
    SIMPLE_ORDINALS,
    is_figures,
    percent_after,
    tokens,
    word_set,
)
from huidu.core.text.numerals.english_times import Found, small_number, time_of_day
from huidu.core.text.numerals.numeral import Numeral

_WORDS = NUMBER_WORDS | SIMPLE_ORDINALS.keys() | DECADES.keys() | SCALE_ORDINALS.keys() | OH
_STARTS = _WORDS | REPEATS.keys() | word_set("a an half quarter point minus negative plus")
# A text without any of these has no English number.
_TELLING = sorted(_WORDS | word_set("point percent per dozen half quarter past") | CURRENCIES.keys())
_POSSIBLE = re.compile(f"(?<![A-Za-z])(?:{'|'.join(_TELLING)})(?![A-Za-z])", re.IGNORECASE | re.ASCII)
_BETWEEN = frozenset({"to", "or"})


def english_numerals(text: str) -> Iterator[Numeral]:
    """The numbers of a plain text that have an English word, in order and disjoint; of digits alone nothing is read.

    Words are read by all that they may stand for, the commonest first: three thirty is 3:30 or 330, one sixty six 166
    or 1, 66. Zero and two to nine count by themselves. What is doubtful satisfies a reference and is not counted:
    a lone "one", but before a unit of measure or in "one to three" and "one or two"; first to ninth, but in a date;
    "a dozen", "half" and "a quarter of". "No one" is no number, nor are "oh", "point", "second" of time or "hundreds"
    without a number beside them.
    """
    if not _POSSIBLE.search(text):
        return
    words, spans = tokens(text)
    index = 0
    while index < len(spans):
        found = _found(words, index)
        if found is None:
            index += 1
            continue
        start, end = spans[index][0], spans[found.after - 1][1]
        yield Numeral(found.readings, found.form, start, end, found.counted)
        index = found.after


def _found(words: list[str], at: int) -> Found | None:
    if words[at] not in _STARTS and not is_figures(words[at]):
        return None
    found = time_of_day(words, at) or _signed(words, at)
    # Digits alone are left to the reader of digits, and in "a dollar" nobody has counted.
    has_number_word = not is_figures(words[at]) and words[at] != "a"
    return found if found and (has_number_word or found.after > at + 1) else None


def _signed(words: list[str], at: int) -> Found | None:
    sign, first = _sign(words, at)
    said = amount(words, first)
    if said is None:
        return None
    if sign == "+":
        # Two plus two has no sign; plus forty four one two three is a telephone number.
        return _plain(words, "", said) if len(said.texts[0]) > 6 and not said.leading else None
    if after := percent_after(words, said.after):
        readings = [sign + text + "%" for text in _quantities(said.texts)]
        return Found(tuple((reading,) for reading in readings), readings[0], after)
    if not sign and (found := _money(words, said) or _below_zero(words, said)):
        return found
    return _plain(words, sign, said)


def _sign(words: list[str], at: int) -> tuple[str, int]:
    """The sign, if any, and where the number begins; a minus between two numbers is no sign."""
    if words[at] == "plus":
        after = at + 1 + (words[at + 1] == "or")
        return ("±", after + 1) if words[after] == "minus" else ("+", at + 1)
    if words[at] == "negative" or (words[at] == "minus" and not is_number(words[at - 1])):
        return "-", at + 1
    return "", at


def _below_zero(words: list[str], said: Amount) -> Found | None:
    """Five below zero, ten degrees below zero."""
    unit = words[said.after] if words[said.after] in ("degree", "degrees") else ""
    at = said.after + (1 if unit else 0)
    if words[at : at + 2] != ["below", "zero"] or said.leading:
        return None
    value = "-" + said.texts[0]
    return Found(((value,),), f"{value} {unit}".rstrip(), at + 2)


def _money(words: list[str], said: Amount) -> Found | None:
    """Two dollars and seventy cents; seventy five dollars sixty three where the text ends there."""
    at = said.after + country_after(words, said.after)
    if words[at] not in CURRENCIES or not said.is_whole:
        return None
    has_and = words[at + 1] == "and"
    cents = small_number(words, at + 1 + has_and)
    if cents is None:
        return None
    whole = said.texts[0]
    value = product(f"{whole}.{cents[0]:02d}", 1)
    form = " ".join([value, *words[said.after : at], CURRENCIES[words[at]]])
    if words[cents[1]] in CENTS:
        return Found(((value,),), form, cents[1] + 1)
    if not has_and and cents[0] >= 10 and words[cents[1]] in ("", ","):
        return Found(((value,), (whole, str(cents[0]))), form, cents[1])
    return None


def _plain(words: list[str], sign: str, said: Amount) -> Found:
    is_measured = unit_after(words, said.after)
    texts = _quantities(said.texts) if is_measured else list(said.texts)
    texts += _by_what_follows(words, said) if said.is_whole else []
    singles = [(sign + text,) for text in texts]
    readings = singles if sign else [*said.leading, *singles, *said.others]
    form = said.form or " ".join(readings[0])
    if sign:
        form = sign + (said.form or texts[0])
    return Found(tuple(dict.fromkeys(readings)), form, said.after, said.counted or sign != "" or is_measured)


def _by_what_follows(words: list[str], said: Amount) -> list[str]:
    """Other values of a whole number: one cent is 0.01, five k 5000, and two to three million begins with 2000000."""
    after, whole = said.after, said.texts[0]
    if words[after] in CENTS:
        return [product(whole, Decimal("0.01"))]
    if words[after] == "k":
        return [product(whole, 1000)]
    if words[after] not in _BETWEEN:
        return []
    upper = amount(words, after + 1)
    if upper is None:
        return []
    if percent_after(words, upper.after):
        return [whole + "%"]
    scale = ALL_SCALES.get(words[upper.after - 1], 0)
    return [product(whole, scale)] if scale else []


def _quantities(texts: tuple[str, ...]) -> list[str]:
    """Quantities without the zeros that end a decimal, and as they were said."""
    short = [text.rstrip("0").rstrip(".") if "." in text else text for text in texts]
    return list(dict.fromkeys([*short, *texts]))
