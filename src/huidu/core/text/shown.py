"""Texts as people see them: in columns of a terminal, and aligned with each other, reference over hypothesis.

A Chinese character takes two columns and a Latin letter one, in each of the three rows of an alignment: what stands
under a Chinese character is a mark or a blank of its width, so that the rows line up in any font that has both.

    我　的电话是 10086 吗    reference
    我们的电话是 10068 　    hypothesis
    Ｉ　　　　 S     Ｄ    marks
"""

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from huidu.core.text.align import Op

# Characters that would vanish, turn the line around or command a terminal are shown by a visible stand-in.
_TURNING = [0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
_VISIBLE = {
    **{code: chr(0x2400 + code) for code in range(0x20)},
    0x7F: "␡",
    **dict.fromkeys(range(0x80, 0xA0), "\ufffd"),
    **{code: f"⟨{code:04X}⟩" for code in _TURNING},
    **dict.fromkeys(range(0xD800, 0xE000), "\ufffd"),
}
# Marks that are drawn over the character before them, and characters that are not drawn at all.
_NO_WIDTH = {"Mn", "Me", "Cf"}
_WIDE = {"W", "F"}
_WIDE_BLANK = "\u3000"
_MARKS = {Op.HIT: "=", Op.SUBSTITUTION: "S", Op.DELETION: "D", Op.INSERTION: "I"}
# As they stand under what is one column wide, and under Chinese.
_NARROW = {"=": "", "S": "S", "D": "D", "I": "I"}
_WIDE_MARKS = {"=": "", "S": "Ｓ", "D": "Ｄ", "I": "Ｉ"}


def visible(text: str) -> str:
    """The text with control characters, turns of direction and halves of surrogates made visible."""
    return text.translate(_VISIBLE)


def width(text: str) -> int:
    """How many columns of a terminal the text takes, by Unicode's East Asian Width; ambiguous ones take one."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def mark(op: Op) -> str:
    """The letter of an error, S, D or I, and "=" for a hit."""
    return _MARKS[op]


@dataclass(frozen=True, slots=True)
class Rows:
    """A stretch of an alignment: three rows of equal width, with blanks where one side has nothing."""

    reference: str
    hypothesis: str
    marks: str


def aligned_rows(tokens: Iterable[tuple[str, str, str]], columns: int) -> Iterator[Rows]:
    """Rows of at most that many columns, from marks, each with its mixed token of the reference and of the hypothesis.

    Tokens stay whole, but for one that is longer than a row: it goes on in the next rows, marked at its beginning.
    """
    row: list[_Cell] = []
    used = 0
    for cell in _cells(tokens, max(columns, 2)):
        gap = len(_between(row[-1], cell)) if row else 0
        if row and used + gap + cell.columns > columns:
            yield _rows(row)
            row, used, gap = [], 0, 0
        row.append(cell)
        used += gap + cell.columns
    if row:
        yield _rows(row)


@dataclass(frozen=True, slots=True)
class _Cell:
    """A token of the reference over one of the hypothesis, and the mark below."""

    said: str
    heard: str
    mark: str
    wide: bool

    @property
    def columns(self) -> int:
        return max(width(self.said), width(self.heard))

    def filled(self, text: str) -> str:
        """A part of the cell with blanks behind it, as wide as the whole."""
        missing = self.columns - width(text)
        return text + (_WIDE_BLANK * (missing // 2) + " " * (missing % 2) if self.wide else " " * missing)


def _cells(tokens: Iterable[tuple[str, str, str]], columns: int) -> Iterator[_Cell]:
    for name, said, heard in tokens:
        wide = all(map(_is_wide, said + heard))
        letter = (_WIDE_MARKS if wide else _NARROW)[name]
        above, below = _pieces(said, columns), _pieces(heard, columns)
        for index in range(max(len(above), len(below))):
            upper, lower = above[index : index + 1], below[index : index + 1]
            yield _Cell("".join(upper), "".join(lower), "" if index else letter, wide)


def _pieces(token: str, columns: int) -> list[str]:
    """A token as it is shown, cut where it is longer than a row."""
    shown = visible(token)
    if shown and not width(shown):
        # A mark without a letter that it could stand over stands over a blank.
        shown = " " + shown
    if width(shown) <= columns:
        return [shown] if shown else []
    pieces, used = [""], 0
    for character in shown:
        if used + _columns(character) > columns:
            pieces.append("")
            used = 0
        pieces[-1] += character
        used += _columns(character)
    return pieces


def _rows(cells: list[_Cell]) -> Rows:
    reference, hypothesis, marks = "", "", ""
    for index, cell in enumerate(cells):
        gap = _between(cells[index - 1], cell) if index else ""
        reference += gap + cell.filled(cell.said)
        hypothesis += gap + cell.filled(cell.heard)
        marks += gap + cell.filled(cell.mark)
    return Rows(reference, hypothesis, marks)


def _between(before: _Cell, after: _Cell) -> str:
    """Words stand apart, and Chinese characters side by side."""
    return "" if before.wide and after.wide else " "


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in _WIDE


def _columns(character: str) -> int:
    # The vowels and final consonants of a Hangul syllable that is written in parts are drawn into its first part.
    if unicodedata.category(character) in _NO_WIDTH or "\u1160" <= character <= "\u11ff":
        return 0
    return 2 if _is_wide(character) else 1
