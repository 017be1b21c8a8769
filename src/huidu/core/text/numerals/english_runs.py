"""What English numbers are built of: words that stand together, cardinals, and runs of digits and pairs.

Functions take the words of a text and a position, and give what begins there with the position after it, or None.
"""

import re
from enum import Enum
from typing import NamedTuple

from huidu.core.text.itn.english_words import DIGITS, ORDINALS, SCALES, TEEN_ORDINALS, TEENS, TENS, TENS_ORDINALS


def word_set(words: str) -> frozenset[str]:
    """Words parted by white space, as a set."""
    return frozenset(words.split())


_LARGE = "quadrillion quintillion sextillion septillion octillion nonillion decillion"
ALL_SCALES = SCALES | {word: 10 ** (15 + 3 * place) for place, word in enumerate(_LARGE.split())}
SCALE_ORDINALS = {word + "th": value for word, value in ALL_SCALES.items()}
SIMPLE_ORDINALS = {"zeroth": 0} | ORDINALS | TEEN_ORDINALS | TENS_ORDINALS
DECADES = {word[:-1] + "ies": value for word, value in TENS.items()} | {"tens": 10}
REPEATS = {"double": 2, "triple": 3, "treble": 3, "quadruple": 4}
OH = frozenset({"oh", "o"})
CLOCK = frozenset({"clock", "clocks"})
POINTS = frozenset({"point", "dot"})
# Whoever says several hundred has not said how many.
_VAGUE = word_set("several few couple many some of per the this that #")

_LETTER = "A-Za-z\u00c0-\u024f"
# A number in digits that stands alone, and any other digits, which stay with whoever reads digits.
_FIGURES = (
    f"(?<![{_LETTER}0-9_$€£¥₩.,:/+#@~^-])(?:[0-9]{{1,3}}(?:,[0-9]{{3}})+|[0-9]+)(?:\\.[0-9]+)?"
    f"(?![{_LETTER}0-9_%‰:/~^-]|[.,][0-9])"
)
_TOKEN = re.compile(f"(?P<word>[{_LETTER}]+(?:['’][{_LETTER}]+)*)|(?P<figures>{_FIGURES})|[0-9]+")
# Blanks, a hyphen, and the marks of o' clock and a.m.
_GAP = re.compile("['’]? +|-|(?<=[ap])\\. ?(?=m)", re.IGNORECASE)
_PADDING = 8


class Kind(Enum):
    """What a chunk of a number is: digits by themselves, 10 to 99, a larger cardinal, an ordinal, or years."""

    DIGITS = 1
    PAIR = 2
    WHOLE = 3
    ORDINAL = 4
    DECADE = 5


class Chunk(NamedTuple):
    """A piece of a number, as it is written."""

    digits: str
    after: int
    kind: Kind


class Cardinal(NamedTuple):
    """A value, the position after it, and whether it ends in an ordinal such as twenty first."""

    value: int
    after: int
    ordinal: bool = False


def tokens(text: str) -> tuple[list[str], list[tuple[int, int]]]:
    """The words in lower case and the offsets of each; numbers in digits are words, "#" for those not to be read here.

    An empty word stands between two that do not stand together, and a few at the end: positions a little outside of
    the words are empty, too.
    """
    words: list[str] = []
    spans: list[tuple[int, int]] = []
    for token in _TOKEN.finditer(text):
        if spans and not _GAP.fullmatch(text, spans[-1][1], token.start()):
            words.append("")
            spans.append((spans[-1][1], spans[-1][1]))
        if token["word"]:
            words.append(token[0].lower().replace("’", "'"))
        else:
            words.append(token[0].replace(",", "") if token["figures"] else "#")
        spans.append(token.span())
    return words + [""] * _PADDING, spans


def is_figures(word: str) -> bool:
    """Whether a word is a number in digits."""
    return word[:1].isdigit()


def pair(words: list[str], at: int) -> Cardinal | None:
    """One to ninety nine, or first to ninety ninth."""
    word, following = words[at], words[at + 1]
    if word in TENS:
        if following in ORDINALS:
            return Cardinal(TENS[word] + ORDINALS[following], at + 2, ordinal=True)
        unit = DIGITS.get(following, 0)
        return Cardinal(TENS[word] + unit, at + (2 if unit else 1))
    if word in SIMPLE_ORDINALS:
        return Cardinal(SIMPLE_ORDINALS[word], at + 1, ordinal=True)
    value = TEENS.get(word) or DIGITS.get(word)
    return Cardinal(value, at + 1) if value else None


def cardinal(words: list[str], at: int) -> Cardinal | None:
    """Groups with falling scales: two thousand and five, one million three hundredth."""
    total, limit, position = 0, 0, at
    while True:
        group = _group(words, position + (limit > 0 and words[position] == "and"))
        if group is None or (limit and group.value >= limit):
            break
        word = "" if group.ordinal else words[group.after]
        scale = ALL_SCALES.get(word) or SCALE_ORDINALS.get(word) or 1
        if limit and scale >= limit:
            break
        total, limit, position = total + group.value * scale, scale, group.after + (scale > 1)
        if group.ordinal or word in SCALE_ORDINALS:
            return Cardinal(total, position, ordinal=True)
        if scale == 1:
            break
    return Cardinal(total, position) if position > at else None


def _group(words: list[str], at: int) -> Cardinal | None:
    """What may stand before a scale: below a thousand, and eleven hundred to ninety nine hundred."""
    if words[at] == "a" and (words[at + 1] == "hundred" or words[at + 1] in ALL_SCALES):
        head: Cardinal | None = Cardinal(1, at + 1)
    elif words[at] == "hundred" and words[at - 1] not in _VAGUE:
        bare = _with_rest(words, 100, at + 1)
        return bare if bare.after > at + 1 or percent_after(words, at + 1) else None
    else:
        head = pair(words, at)
    if head is None or head.ordinal:
        return head
    if words[head.after] == "hundredth":
        return Cardinal(100 * head.value, head.after + 1, ordinal=True)
    if words[head.after] == "hundred":
        return _with_rest(words, 100 * head.value, head.after + 1)
    tail = pair(words, head.after) if head.value < 10 else None
    if tail and not tail.ordinal and tail.value >= 10 and words[tail.after] in ALL_SCALES:
        return Cardinal(100 * head.value + tail.value, tail.after)  # two fifty thousand
    return head


def _with_rest(words: list[str], hundreds: int, at: int) -> Cardinal:
    rest = pair(words, at + (words[at] == "and"))
    # In two hundred three hundred and in eight hundred five five five the rest is a number of its own.
    alone = Cardinal(hundreds, at)
    if rest is None or words[rest.after] == "hundred":
        return alone
    if rest.value < 10 and not rest.ordinal and _begins_digit(words, rest.after):
        return alone
    if words[at] == "and" and denominator(words, rest.after, plural=rest.value > 1):
        return alone
    return Cardinal(hundreds + rest.value, rest.after, rest.ordinal)


def _begins_digit(words: list[str], at: int) -> bool:
    return words[at] in DIGITS or _is_oh(words, at) or (words[at] in REPEATS and _digit(words, at + 1) != "")


def _is_oh(words: list[str], at: int) -> bool:
    return words[at] in OH and words[at + 1] not in CLOCK


def _digit(words: list[str], at: int) -> str:
    if _is_oh(words, at):
        return "0"
    return str(DIGITS[words[at]]) if words[at] in DIGITS else ""


def percent_after(words: list[str], at: int) -> int:
    """The position behind percent or per cent, 0 where it does not stand there."""
    if words[at] == "percent":
        return at + 1
    return at + 2 if words[at] == "per" and words[at + 1] == "cent" else 0


_PARTS = {"half": 2, "quarter": 4}
_PLURAL_PARTS = {"halves": 2, "quarters": 4}
_SINGULARS = {word: value for word, value in SIMPLE_ORDINALS.items() if value > 2} | {"hundredth": 100}
_ALL_SINGULARS = _SINGULARS | SCALE_ORDINALS | _PARTS
_ALL_PLURALS = {word + "s": value for word, value in (_SINGULARS | SCALE_ORDINALS).items()} | _PLURAL_PARTS
_UNIT_PLURALS = {word + "s": value for word, value in ORDINALS.items() if value > 2}


def denominator(words: list[str], at: int, *, plural: bool) -> tuple[int, int] | None:
    """The value of thirds, quarters or twenty fifths, and the position after it."""
    if plural and words[at] in TENS and words[at + 1] in _UNIT_PLURALS:
        return TENS[words[at]] + _UNIT_PLURALS[words[at + 1]], at + 2
    value = (_ALL_PLURALS if plural else _ALL_SINGULARS).get(words[at])
    return (value, at + 1) if value else None


def chunk(words: list[str], at: int) -> Chunk | None:
    """The longest piece of a number that begins at a word."""
    digits = _digits(words, at)
    # A digit by itself may begin a cardinal.
    if digits and words[at] not in DIGITS:
        return digits
    whole = cardinal(words, at)
    if whole is None:
        if words[at] in DECADES and words[at] != "tens":
            return Chunk(str(DECADES[words[at]]), at + 1, Kind.DECADE)
        return digits
    if whole.ordinal:
        return Chunk(str(whole.value), whole.after, Kind.ORDINAL)
    if words[whole.after] in ("hundreds", "thousands") and whole.value < 100:
        step = 100 if words[whole.after] == "hundreds" else 1000
        return Chunk(str(step * whole.value), whole.after + 1, Kind.DECADE)
    kind = Kind.DIGITS if whole.value < 10 else Kind.PAIR if whole.value < 100 else Kind.WHOLE
    return Chunk(str(whole.value), whole.after, kind)


def _digits(words: list[str], at: int) -> Chunk | None:
    if words[at] in REPEATS:
        digit = _digit(words, at + 1)
        return Chunk(digit * REPEATS[words[at]], at + 2, Kind.DIGITS) if digit else None
    digit = _digit(words, at)
    return Chunk(digit, at + 1, Kind.DIGITS) if digit else None


def decimals(words: list[str], at: int) -> Chunk | None:
    """What may stand behind a point, up to a scale: o five, one four one, fourteen."""
    found = ""
    while True:
        piece = _digits(words, at)
        low = None if piece else pair(words, at)
        if piece:
            found, at = found + piece.digits, piece.after
        elif low and not low.ordinal:
            found, at = found + str(low.value), low.after
        else:
            return Chunk(found, at, Kind.DIGITS) if found else None


def run(words: list[str], at: int) -> list[Chunk]:
    """Chunks that may be one number together: one sixty six, nineteen fifties, two oh one, one hundred and five."""
    if _is_oh(words, at) and not _oh_begins_number(words, at):
        return []
    chunks: list[Chunk] = []
    position = at
    while (piece := chunk(words, position)) and (not chunks or _may_follow(chunks, piece)):
        chunks.append(piece)
        position = piece.after
        if piece.kind not in (Kind.DIGITS, Kind.PAIR):
            return chunks
    if chunks and chunks[-1].kind is Kind.PAIR and words[position] == "tens":
        return [*chunks, Chunk("10", position + 1, Kind.DECADE)]
    return _without_last_oh(words, chunks)


def _may_follow(chunks: list[Chunk], piece: Chunk) -> bool:
    if piece.kind is Kind.ORDINAL:
        return len(chunks) == 1 and len(chunks[0].digits) == 1 and len(piece.digits) == 2
    if piece.kind is Kind.DECADE:
        return len(chunks) == 1 and chunks[0].kind is Kind.PAIR and len(piece.digits) == 2
    return piece.kind is not Kind.WHOLE


def _oh_begins_number(words: list[str], at: int) -> bool:
    """Oh two three and oh point five begin with a zero; in oh two people somebody is surprised."""
    if words[at + 1] in POINTS:
        return _digit(words, at + 2) != ""
    if words[at + 1] in OH:
        return words[at + 2] in DIGITS
    return _begins_digit(words, at + 1) and (_begins_digit(words, at + 2) or pair(words, at + 2) is not None)


def _without_last_oh(words: list[str], chunks: list[Chunk]) -> list[Chunk]:
    """Nineteen oh my god ends before oh; a string of single digits may end in one."""
    if len(chunks) > 2 and all(piece.kind is Kind.DIGITS for piece in chunks):
        return chunks
    while chunks and words[chunks[-1].after - 1] in OH and words[chunks[-1].after - 2] not in REPEATS:
        chunks.pop()
    return chunks
