"""Texts brought to one form before they are compared, so that what counts is what was said and not how it is written.

plain form   width, tags and blanks as in `plain.py`
case         lower case (Unicode case folding)
numerals     to one form each: 一零零八六 and 10086, 三点半 and 3:30, 百分之五十 and 50%
punctuation  dropped, but for apostrophes inside words, C++ and C#, and the ^ of powers; A.I. is AI
fillers      嗯, 啊, um and the like, where asked for
simplified   traditional characters as simplified ones, where asked for or where a reference is simplified
space        one blank between words, and around a numeral beside them; none beside Chinese characters
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace

from huidu.core.text.numerals import numerals
from huidu.core.text.plain import plain, simplified
from huidu.core.text.script import is_simplified

# Rises whenever any text comes out differently: rates of two versions of it are not comparable.
VERSION = "2"

_HAN = "\u2e80-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
# Chinese bounds a foreign word without a blank, which \b does not know.
_PART_OF_WORD = rf"[^\W{_HAN}]"
_FILLERS = re.compile(
    rf"[嗯呃唔噢喔哦啊诶欸]+|(?<!{_PART_OF_WORD})(?:um+|uh+|erm*|hmm+|mhm|mm+)(?!{_PART_OF_WORD})", re.IGNORECASE
)
_SPACE_AT_HAN = re.compile(rf"(?<=[{_HAN}]) | (?=[{_HAN}])")
_ABBREVIATION = re.compile(r"(?<![A-Za-z.])[A-Za-z](?:\.[A-Za-z])+(?!\.?[A-Za-z0-9])\.?")
# Of C++ and C++17, C#, A+ and not of a+b; of 10^5 and m^2; of it's.
_KEPT_SIGNS = re.compile(
    r"(?<=[A-Za-z])(?:\+\+(?![A-Za-z+])|[+#](?![A-Za-z0-9+#]))"
    r"|(?<=[^\W_])\^(?=[-+]?[^\W_])|(?<=\))\^(?=[-+]?[0-9])"
    r"|(?<=[^\W\d_])'(?=[^\W\d_])"
)
_DIGITS_AT_LETTERS = re.compile(r"(?<=[^\W\d_]|[+#])(?=[0-9])|(?<=[0-9])(?=[^\W\d_])")
_BLANKS_AT_POWER = re.compile(r" ?\^ ?")


@dataclass(frozen=True, slots=True)
class Normaliser:
    """What is made equal, beside what always is. A run names it with its version."""

    drop_fillers: bool = False
    simplified: bool = False

    @property
    def name(self) -> str:
        """Such as `2` or `2+fillers+simplified`: equal names make texts alike."""
        chosen = [("fillers", self.drop_fillers), ("simplified", self.simplified)]
        return "+".join([VERSION, *(name for name, wanted in chosen if wanted)])

    def beside(self, reference: str) -> "Normaliser":
        """The one for a text that is compared with this reference: in simplified script where the reference is.

        Traditional characters are then no errors. Of a traditional reference they are, unless both are simplified.
        """
        return replace(self, simplified=True) if not self.simplified and is_simplified(reference) else self

    def pair(self, reference: str, hypothesis: str) -> tuple[str, str]:
        """A reference and what was heard, both normalised to be compared."""
        chosen = self.beside(reference)
        return chosen.normalised(reference), chosen.normalised(hypothesis)

    def normalised(self, text: str) -> str:
        """The text in its one form. Without numbers it is its own: these are told by the punctuation around them."""
        text = plain(text)
        if self.simplified:
            text = plain(simplified(text))
        if self.drop_fillers:
            text = plain(_FILLERS.sub(" ", text))
        words = " ".join(" ".join(_parts(text)).split())
        words = _BLANKS_AT_POWER.sub("^", _SPACE_AT_HAN.sub("", words))
        return unicodedata.normalize("NFC", words.casefold())


def _parts(text: str) -> Iterator[str]:
    """Numerals in their one form, and of the rest letters, digits and the signs of words, with blanks for all else."""
    letters = _letters(text)
    position = 0
    for numeral in numerals(text):
        yield _word("".join(letters[position : numeral.start]))
        yield numeral.form
        position = numeral.end
    yield _word("".join(letters[position:]))


def _word(letters: str) -> str:
    return _DIGITS_AT_LETTERS.sub(" ", letters)


def _letters(text: str) -> list[str]:
    """What stands for each character of a plain text: itself, a blank, or nothing."""
    # Letters, marks that belong to them, and numbers.
    letters = [character if unicodedata.category(character)[0] in "LMN" else " " for character in text]
    for sign in _KEPT_SIGNS.finditer(text):
        letters[sign.start() : sign.end()] = sign[0]
    for abbreviation in _ABBREVIATION.finditer(text):
        letters[abbreviation.start() : abbreviation.end()] = [
            character if character.isalpha() else "" for character in abbreviation[0]
        ]
    return letters
