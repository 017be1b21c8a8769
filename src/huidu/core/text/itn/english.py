"""English numbers in words, and how each is written."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from huidu.core.text.itn.english_words import (
    DIGITS,
    MEASURES,
    ORDINALS,
    SCALES,
    TEEN_ORDINALS,
    TEENS,
    TENS,
    TENS_ORDINALS,
    written_ordinal,
)
from huidu.core.text.itn.offsets import Edit

_LATE_ORDINALS = TEEN_ORDINALS | {word: TENS_ORDINALS[word] for word in ("twentieth", "thirtieth")}
_PARTS = {f"{word}s": value for word, value in (ORDINALS | _LATE_ORDINALS).items() if 3 <= value <= 10}
_DECADES = {f"{word[:-1]}ies": value for word, value in TENS.items()}
_REPEATED = {"double": 2, "triple": 3}
_OH = ("oh", "o")
_MONTHS = "january february march april may june july august september october november december"
# What is left of these beside a number makes it doubtful: a hundred and twenty, nineteen hundreds, point five.
_LEFTOVERS = ("point", "hundred", "hundreds", "thousands", "millions", "billions", *_REPEATED, *_DECADES, *SCALES)
_JOINERS = (*_OH, "and", *_LEFTOVERS)

_WORD = re.compile("[A-Za-z]+")
_ANY = "|".join(sorted([*DIGITS, *TEENS, *TENS, *ORDINALS, *_LATE_ORDINALS, *_PARTS, *_JOINERS], key=len, reverse=True))
_RUN = re.compile(f"(?<![A-Za-z'’])(?:{_ANY})(?:[ -](?:and a half|{_ANY}))*(?![A-Za-z'’])", re.IGNORECASE | re.ASCII)
_HALF = ["and", "a", "half"]
_PERCENT = re.compile(" per ?cent(?![A-Za-z])", re.IGNORECASE | re.ASCII)
_MEASURE = re.compile(
    f" (?:{'|'.join(MEASURES.split())}|percentage point)(?:s|es)?(?![A-Za-z])"
    "| (?:km|kg|cm|mm|am|pm|a\\.m\\.|p\\.m\\.|o'clock|o’clock)(?![A-Za-z])",
    re.IGNORECASE | re.ASCII,
)


_MERIDIEM = re.compile(
    " (?:[ap]\\.?m\\b|[ap] m\\b|in the (?:morning|afternoon|evening)\\b|at night\\b)", re.IGNORECASE | re.ASCII
)
# 5 minus 3 is no sum of 5 and -3: a minus begins a sentence or stands behind such a word.
_MINUS = re.compile(
    "(?:(?:[.,:;!?，。：；！？\u4e00-\u9fff]"
    "|\\b(?:is|was|are|were|be|to|at|of|about|around|below|than|from|or|by|hit|reached)) ?"
    "(minus )|\\b(negative ))$",
    re.IGNORECASE | re.ASCII,
)
_MONTH_BEFORE = re.compile(f"(?:{_MONTHS.replace(' ', '|')}) $", re.IGNORECASE | re.ASCII)
_ORDINAL = re.compile("[0-9](?:st|nd|rd|th)$")
_POINT_IN_DIGITS = re.compile(
    "(?<![0-9A-Za-z.,])([0-9]+) point ([0-9]+)(?![0-9A-Za-z]|[.,][0-9])", re.IGNORECASE | re.ASCII
)


class _Token(NamedTuple):
    word: str
    start: int
    end: int


class _Item(NamedTuple):
    """A number in a run of number words: its tokens, and how it is written where it counts."""

    first: int
    after: int
    written: str
    ordinal: bool = False


def edits(text: str) -> Iterator[Edit]:
    """The replacements, in order."""
    made = [Edit(*found.span(), f"{found[1]}.{found[2]}") for found in _POINT_IN_DIGITS.finditer(text)]
    for run in _RUN.finditer(text):
        tokens = [_Token(word[0].lower(), *word.span()) for word in _WORD.finditer(text, *run.span())]
        for chain in _chains(text, tokens):
            if len(chain) == 1 or _is_date(text, tokens, chain):
                made += [edit for item in chain if (edit := _edit(text, tokens, item))]
    yield from sorted(made)


def _chains(text: str, tokens: list[_Token]) -> Iterator[list[_Item]]:
    """The numbers of a run that stand directly side by side, such as one sixty six; none of them if words are left."""
    chain: list[_Item] = []
    doubtful, index = False, 0
    while index < len(tokens):
        item = _item(text, tokens, index)
        word = tokens[index].word
        if item:
            chain.append(item)
            index = item.after
        else:
            doubtful = doubtful or word in _LEFTOVERS
            index += 1
        ends = index == len(tokens) or (item and item.ordinal) or (not item and word not in _LEFTOVERS)
        if ends and not (word == "and" and doubtful and index < len(tokens)):
            if chain and not doubtful:
                yield chain
            chain, doubtful = [], False


def _is_date(text: str, tokens: list[_Token], chain: list[_Item]) -> bool:
    """Whether two numbers are a day and a year, as in june twenty five nineteen ninety nine."""
    start = tokens[chain[0].first].start
    lengths = [len(item.written) for item in chain]
    return lengths in ([1, 4], [2, 4]) and _MONTH_BEFORE.search(text[max(0, start - 10) : start]) is not None


def _item(text: str, tokens: list[_Token], index: int) -> _Item | None:
    """The number at a token, if there is one."""
    for read in (_clock, _bare_point):
        if found := read(text, tokens, index):
            return _Item(index, *found)
    for reader in (_fraction, _digit_string, _year, _cardinal):
        if found := reader(tokens, index):
            return _Item(index, *found, ordinal=_ORDINAL.search(found[1]) is not None)
    word = tokens[index].word
    return (
        _Item(index, index + 1, written_ordinal(str(_LATE_ORDINALS[word])), ordinal=True)
        if word in _LATE_ORDINALS
        else None
    )


def _edit(text: str, tokens: list[_Token], item: _Item) -> Edit | None:
    start, end = tokens[item.first].start, tokens[item.after - 1].end
    sign = _sign(text, start)
    minus = "-" if sign else ""
    if percent := _PERCENT.match(text, end):
        return Edit(start - sign, percent.end(), f"{minus}{item.written}%")
    small = len(item.written) == 1 or (tokens[item.after - 1].word == "half" and len(item.written) == 3)
    if small and not sign and not _MEASURE.match(text, end):
        return None
    return Edit(start - sign, end, minus + item.written)


def _sign(text: str, start: int) -> int:
    """How many characters of a minus or a negative before a number are its sign."""
    before = text[max(0, start - 24) : start]
    found = _MINUS.search("." + before if start <= 24 else before)
    return len(found[1] or found[2]) if found else 0


def _clock(text: str, tokens: list[_Token], index: int) -> tuple[int, str] | None:
    """An hour and minutes before am, pm or a part of the day: three thirty pm."""
    hour = (DIGITS | TEENS).get(tokens[index].word, 0)
    words = [token.word for token in tokens[index + 1 : index + 3]]
    if not 1 <= hour <= 12 or not words:
        return None
    if words[0] in _OH and len(words) > 1:
        minute, after = DIGITS.get(words[1]), index + 3
    else:
        low = _below_hundred(tokens, index + 1)
        minute, after = (low[0], low[2]) if low and not low[1] and low[0] > 9 else (None, 0)
    if minute is None or minute > 59 or not _MERIDIEM.match(text, tokens[after - 1].end):
        return None
    return after, f"{hour}:{minute:02d}"


def _bare_point(text: str, tokens: list[_Token], index: int) -> tuple[int, str] | None:
    """A decimal without a whole: point oh five, and point five percent."""
    if tokens[index].word != "point":
        return None
    decimals, after = _digits_from(tokens, index + 1)
    if len(decimals) > 1 and decimals[0] == "0":
        return after, "0." + decimals
    return (after, "0." + decimals) if decimals and _PERCENT.match(text, tokens[after - 1].end) else None


def _digits_from(tokens: list[_Token], index: int) -> tuple[str, int]:
    """The digits that are said one by one from a token on, and the token after them."""
    figures = ""
    while index < len(tokens) and (tokens[index].word in DIGITS or tokens[index].word in _OH):
        figures += str(DIGITS.get(tokens[index].word, 0))
        index += 1
    return figures, index


def _fraction(tokens: list[_Token], index: int) -> tuple[int, str] | None:
    """Two thirds, but not one third, which may be a place, nor what follows another number and "and"."""
    above = DIGITS.get(tokens[index].word, 0)
    below = _PARTS.get(tokens[index + 1].word, 0) if index + 1 < len(tokens) else 0
    mixed = index > 1 and tokens[index - 1].word == "and"
    return (index + 2, f"{above}/{below}") if 1 < above < below and not mixed else None


def _digit_string(tokens: list[_Token], index: int) -> tuple[int, str] | None:
    """Three digits or more, or two with a zero or a double: one zero zero eight six."""
    written = ""
    position = index
    marked = tokens[index].word == "zero" or tokens[index].word in _REPEATED
    while position < len(tokens):
        word = tokens[position].word
        following = tokens[position + 1].word if position + 1 < len(tokens) else ""
        if word in _REPEATED and (following in DIGITS or following in _OH):
            written += _REPEATED[word] * str(DIGITS.get(following, 0))
            position += 2
        elif word in DIGITS or (word in _OH and written and _within(tokens, position)):
            written += str(DIGITS.get(word, 0))
            position += 1
        else:
            break
        marked = marked or word in _OH or word == "zero" or word in _REPEATED
    following = tokens[position].word if position < len(tokens) else ""
    if following == "hundred" or following in SCALES or following == "point":
        return None
    return (position, written) if len(written) >= 3 or (len(written) == 2 and marked) else None


def _within(tokens: list[_Token], position: int) -> bool:
    """Whether an oh is a zero: digits follow or another stands before, as in two oh one and eight oh oh."""
    following = tokens[position + 1].word if position + 1 < len(tokens) else ""
    return following in DIGITS or following in _OH or tokens[position - 1].word in _OH


def _year(tokens: list[_Token], index: int) -> tuple[int, str] | None:
    """Two pairs: nineteen eighty four, twenty twenty five, nineteen oh five."""
    words = [token.word for token in tokens[index : index + 3]]
    century = {"seventeen": 17, "eighteen": 18, "nineteen": 19, "twenty": 20}.get(words[0])
    if century is None or len(words) < 2:
        return None
    if words[1] == "hundred":
        return (index + 2, f"{century}00") if century < 20 and (len(words) < 3 or words[2] != "and") else None
    if words[1] == "oh" and len(words) == 3 and words[2] in DIGITS:
        return index + 3, f"{century}0{DIGITS[words[2]]}"
    if words[1] in _DECADES:
        return index + 2, f"{century}{_DECADES[words[1]]}s"
    if words[1] in TEENS:
        return index + 2, f"{century}{TEENS[words[1]]}"
    if words[1] not in TENS:
        return None
    if len(words) == 3 and DIGITS.get(words[2]):
        return index + 3, f"{century}{TENS[words[1]] + DIGITS[words[2]]}"
    return index + 2, f"{century}{TENS[words[1]]}"


def _cardinal(tokens: list[_Token], index: int) -> tuple[int, str] | None:
    """Groups below a thousand with falling scales, then decimals: two thousand and five, three point five million."""
    total, limit, position = 0, 10**15, index
    while True:
        group = _below_thousand(tokens, position)
        if group is None:
            break
        value, ordinal, after = group
        scale = SCALES.get(tokens[after].word, 0) if after < len(tokens) and not ordinal else 0
        if (scale or 1) >= limit:
            break
        total, limit, position = total + value * (scale or 1), scale or 1, after + (1 if scale else 0)
        if ordinal:
            return position, written_ordinal(str(total))
        if not scale:
            break
        if position + 1 < len(tokens) and tokens[position].word == "and" and _below_thousand(tokens, position + 1):
            position += 1
    if position == index:
        return None
    return _with_decimals(tokens, position, total)


def _with_decimals(tokens: list[_Token], position: int, total: int) -> tuple[int, str]:
    decimals, after = "", position
    if [token.word for token in tokens[position : position + 3]] == _HALF:
        decimals, after = "5", position + 3
    elif position < len(tokens) and tokens[position].word == "point":
        decimals, after = _digits_from(tokens, position + 1)
    if decimals:
        scale = tokens[after].word if after < len(tokens) and tokens[after].word in SCALES else ""
        return after + bool(scale), f"{total}.{decimals}" + (" " + scale if scale else "")
    for word in ("trillion", "billion", "million"):
        if total and total % SCALES[word] == 0:
            return position, f"{total // SCALES[word]} {word}"
    return position, str(total)


def _below_thousand(tokens: list[_Token], index: int) -> tuple[int, bool, int] | None:
    """A value below a thousand, whether it ends in an ordinal, and the token after it."""
    word = tokens[index].word if index < len(tokens) else ""
    following = tokens[index + 1].word if index + 1 < len(tokens) else ""
    if DIGITS.get(word) and following == "hundred":
        return _hundreds(tokens, DIGITS[word], index + 2)
    low = _below_hundred(tokens, index)
    # Eleven hundred; twenty hundred is not said.
    if low and not low[1] and low[0] > 10 and low[0] % 10 and low[2] < len(tokens) and tokens[low[2]].word == "hundred":
        return _hundreds(tokens, low[0], low[2] + 1)
    return low


def _hundreds(tokens: list[_Token], count: int, position: int) -> tuple[int, bool, int]:
    """Hundreds, and what follows them up to ninety nine."""
    after = position + 1 if position < len(tokens) and tokens[position].word == "and" else position
    word = tokens[after].word if after < len(tokens) else ""
    if word in ORDINALS or word in _LATE_ORDINALS:
        return 100 * count + (ORDINALS | _LATE_ORDINALS)[word], True, after + 1
    low = _below_hundred(tokens, after)
    return (100 * count + low[0], low[1], low[2]) if low else (100 * count, False, position)


def _below_hundred(tokens: list[_Token], index: int) -> tuple[int, bool, int] | None:
    word = tokens[index].word if index < len(tokens) else ""
    following = tokens[index + 1].word if index + 1 < len(tokens) else ""
    if word in DIGITS:
        return DIGITS[word], False, index + 1
    if word in TEENS:
        return TEENS[word], False, index + 1
    if word not in TENS:
        return None
    if following in ORDINALS:
        return TENS[word] + ORDINALS[following], True, index + 2
    if DIGITS.get(following):
        return TENS[word] + DIGITS[following], False, index + 2
    return TENS[word], False, index + 1
