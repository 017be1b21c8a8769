"""What counts as one token: a character, a word, or in mixed text a Chinese character or a foreign word.

`split` gives the tokens of a text, `encode` those of many texts as numbers, at the speed of numpy.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

_LETTERS = "À-ÖØ-öø-\u0dff"
_MIXED = re.compile(rf"(?:[^\s\u0080-\U0010ffff]|[{_LETTERS}])+|[^\s\x00-\x7f]")

# What a character is to the tokens around it.
_SPACE, _PART, _WHOLE = 0, 1, 2
# Texts are encoded in pieces, for each character takes some 50 bytes while its turn is.
_PIECE_CHARACTERS = 500_000
# Any odd numbers will do: these are 2**64 over the golden ratio, and xxHash's second prime.
_BASE = 0x9E3779B97F4A7C15
_SPREAD = 0xC2B2AE3D27D4EB4F
_BITS_63 = np.uint64(2**63 - 1)


class Unit(StrEnum):
    """What is counted.

    CHARACTER: characters, white space left out: it stands between Chinese characters by accident only.
    WORD: what white space parts; a Chinese sentence is one word.
    MIXED: Chinese by the character, the rest by the word, as in `iPhone 15 Pro很好` -> `iPhone 15 Pro 很 好`. On
    ASCII and Chinese these are the tokens of NIST's `sclite -c NOASCII`. Letters from À on that write words apart
    belong to their words; what lies above (Han, kana, Thai, full-width forms) and every other sign stands alone.
    """

    CHARACTER = "character"
    WORD = "word"
    MIXED = "mixed"


def split(text: str, unit: Unit) -> list[str]:
    """The tokens of a text in order."""
    match unit:
        case Unit.CHARACTER:
            return list("".join(text.split()))
        case Unit.WORD:
            return text.split()
        case Unit.MIXED:
            return _MIXED.findall(text)


@dataclass(frozen=True, eq=False, slots=True)
class Encoded:
    """The tokens of texts behind each other as numbers of at least 0, and how many each text has: int64 both.

    Equal tokens are equal numbers. Words are 63-bit hashes: among a million different words the chance that any two
    share one is about one to ten million.
    """

    tokens: NDArray[np.int64]
    lengths: NDArray[np.int64]


def encode(texts: Sequence[str], unit: Unit) -> Encoded:
    """The tokens that `split` gives."""
    pieces = [_encode_piece(texts[first:last], unit) for first, last in _pieces(texts)]
    if not pieces:
        return Encoded(np.zeros(0, np.int64), np.zeros(0, np.int64))
    tokens, lengths = zip(*pieces, strict=True)
    return Encoded(np.concatenate(tokens), np.concatenate(lengths))


def _pieces(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    first, held = 0, 0
    for index, text in enumerate(texts):
        held += len(text) + 1
        if held >= _PIECE_CHARACTERS or index == len(texts) - 1:
            yield first, index + 1
            first, held = index + 1, 0


def _encode_piece(texts: Sequence[str], unit: Unit) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    # A line feed behind each text parts its words from the next one's.
    joined = "\n".join(texts) + "\n"
    points = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), np.uint32)
    kinds = _KINDS[unit][points]
    begins, ends = kinds == _WHOLE, kinds == _WHOLE
    part = kinds == _PART
    begins[0] |= part[0]
    begins[1:] |= part[1:] & ~part[:-1]
    ends[:-1] |= part[:-1] & ~part[1:]
    first, last = np.flatnonzero(begins), np.flatnonzero(ends)
    texts_end = np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)) + 1)
    lengths = np.diff(np.searchsorted(first, texts_end), prepend=0)
    if unit is Unit.CHARACTER:
        return points[first].astype(np.int64), lengths
    return _hashes(points, first, last), lengths


def _hashes(points: NDArray[np.uint32], first: NDArray[np.int64], last: NDArray[np.int64]) -> NDArray[np.int64]:
    """The polynomial hash of each stretch: sum of (character + 1) * spread * base^(position in the stretch), mod 2^64.

    From running sums over all characters; dividing by base^first is to multiply by its inverse, for base is odd.
    """
    with np.errstate(over="ignore"):
        powers = np.cumprod(np.full(len(points), _BASE, np.uint64))
        sums = np.zeros(len(points) + 1, np.uint64)
        np.cumsum((points.astype(np.uint64) + np.uint64(1)) * np.uint64(_SPREAD) * powers, out=sums[1:])
        inverses = np.cumprod(np.full(len(points), pow(_BASE, -1, 2**64), np.uint64))
        found = (sums[last + 1] - sums[first]) * inverses[first]
    # The upper bits are the well mixed ones.
    return ((found ^ (found >> np.uint64(32))) & _BITS_63).astype(np.int64)


def _kinds() -> dict[Unit, NDArray[np.uint8]]:
    """By unit, what each code point is to its neighbours."""
    space = [point for point in range(0x3001) if chr(point).isspace()]
    tables = {unit: np.full(0x110000, _PART, np.uint8) for unit in Unit}
    tables[Unit.CHARACTER][:] = _WHOLE
    tables[Unit.MIXED][0x80:] = _WHOLE
    letters = [point for point in range(0xC0, 0xE00) if _MIXED.fullmatch(chr(point) * 2)]
    tables[Unit.MIXED][letters] = _PART
    for table in tables.values():
        table[space] = _SPACE
    return tables


_KINDS = _kinds()
