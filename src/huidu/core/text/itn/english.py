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
_JOINERS = ("oh", "and", "point", "hundred", "double")

_WORD = re.compile("[A-Za-z]+")
_ANY = "|".join(sorted([*DIGITS, *TEENS, *TENS, *ORDINALS, *_LATE_ORDINALS, *SCALES, *_JOINERS], key=len, reverse=True))
_RUN = re.compile(f"(?<![A-Za-z'’])(?:{_ANY})(?:[ -](?:{_ANY}))*(?![A-Za-z'’])", re.IGNORECASE | re.ASCII)
_PERCENT = re.compile(" per ?cent(?![A-Za-z])", re.IGNORECASE | re.ASCII)
_MEASURE = re.compile(
    f" (?:{'|'.join(MEASURES.split())}|percentage point)(?:s|es)?(?![A-Za-z])"
    "| (?:km|kg|cm|mm|am|pm|a\\.m\\.|p\\.m\\.|o'clock|o’clock)(?![A-Za-z])",
    re.IGNORECASE | re.ASCII,
)


class _Token(NamedTuple):
    word: str
    start: int
    end: int


def edits(text: str) -> Iterator[Edit]:
    """The replacements, in order."""
    for run in _RUN.finditer(text):
        tokens = [_Token(word[0].lower(), *word.span()) for word in _WORD.finditer(text, *run.span())]
        index = 0
        while index < len(tokens):
            index, edit = _number(text, tokens, index)
            if edit:
                yield edit


def _number(text: str, tokens: list[_Token], index: int) -> tuple[int, Edit | None]:
    """The number at a token, if there is one, and the token after it."""
    for read in (_digit_string, _year, _cardinal):
        found = read(tokens, index)
        if found:
            break
    else:
        token = tokens[index]
        if token.word in _LATE_ORDINALS:
            return index + 1, Edit(token.start, token.end, written_ordinal(str(_LATE_ORDINALS[token.word])))
        return index + 1, None
    after, written = found
    start, end = tokens[index].start, tokens[after - 1].end
    alone = after == index + 1 and len(written) == 1
    if percent := _PERCENT.match(text, end):
        return after, Edit(start, percent.end(), written + "%")
    if alone and not _MEASURE.match(text, end):
        return after, None
    return after, Edit(start, end, written)


def _digit_string(tokens: list[_Token], index: int) -> tuple[int, str] | None:
    """Three digits or more, or two with a zero or a double: one zero zero eight six."""
    written: list[str] = []
    position = index
    marked = tokens[index].word in ("zero", "double")
    while position < len(tokens):
        word = tokens[position].word
        if word == "double" and position + 1 < len(tokens) and tokens[position + 1].word in DIGITS:
            written.append(2 * str(DIGITS[tokens[position + 1].word]))
            position += 2
        elif word in DIGITS or (word == "oh" and written):
            written.append(str(DIGITS.get(word, 0)))
            position += 1
        else:
            break
        marked = marked or word in ("oh", "zero", "double")
    following = tokens[position].word if position < len(tokens) else ""
    if following == "hundred" or following in SCALES or following == "point":
        return None
    text = "".join(written)
    return (position, text) if len(text) >= 3 or (len(text) == 2 and marked) else None


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
    decimals = ""
    if position < len(tokens) and tokens[position].word == "point":
        after = position + 1
        while after < len(tokens) and (tokens[after].word in DIGITS or tokens[after].word == "oh"):
            decimals += str(DIGITS.get(tokens[after].word, 0))
            after += 1
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
        value, position = 100 * DIGITS[word], index + 2
        if position < len(tokens) and tokens[position].word == "and":
            position += 1
        low = _below_hundred(tokens, position)
        return (value + low[0], low[1], low[2]) if low else (value, False, index + 2)
    return _below_hundred(tokens, index)


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
