"""Texts brought to one form before they are compared, so that what counts is what was said and not how it is written.

width        full-width and compatibility forms as their plain ones (Unicode NFKC)
tags         <noise>, [laughter] and the like are dropped
case         lower case (Unicode case folding)
numerals     to one form each: 一零零八六 and 10086, 三点半 and 3:30, 百分之五十 and 50%
punctuation  dropped, but for apostrophes inside words
fillers      嗯, 啊, um and the like, where asked for
simplified   traditional characters as simplified ones, where asked for (OpenCC)
space        one blank between words, none beside Chinese characters
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from typing import Any

from huidu.core.text.numerals import numerals

# Rises whenever any text comes out differently: rates of two versions of it are not comparable.
VERSION = "1"

# A word or a few, such as <noise>, </b>, [background noise], <噪音>; not what stands between two comparisons.
_TAG = re.compile(r"<[/|]?[^\W\d][\w |-]{0,40}>|\[[/|]?[^\W\d][\w |-]{0,40}\]")
_HAN = "\u2e80-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
# Chinese bounds a foreign word without a blank, which \b does not know.
_PART_OF_WORD = rf"[^\W{_HAN}]"
_FILLERS = re.compile(rf"[嗯呃唔噢喔哦啊诶欸]+|(?<!{_PART_OF_WORD})(?:um+|uh+|erm*|hmm+|mhm|mm+)(?!{_PART_OF_WORD})")
_SPACE_AT_HAN = re.compile(rf"(?<=[{_HAN}])\s+|\s+(?=[{_HAN}])")
# 三点 is said without minutes: they would be hits that nobody had to earn.
_ON_THE_HOUR = re.compile(r"^(\d+):00$")
# Apostrophes, and the slash that NFKC makes of ½.
_SIGNS = str.maketrans("’‘ʼ⁄", "'''/")


@dataclass(frozen=True, slots=True)
class Normaliser:
    """What is made equal, beside what always is. A run names it with its version."""

    drop_fillers: bool = False
    simplified: bool = False

    @property
    def name(self) -> str:
        """Such as `1` or `1+fillers+simplified`: equal names make texts alike."""
        chosen = [("fillers", self.drop_fillers), ("simplified", self.simplified)]
        return "+".join([VERSION, *(name for name, wanted in chosen if wanted)])

    def normalised(self, text: str) -> str:
        """The text in its one form. Without numbers it is its own: these are told by the punctuation around them."""
        text = unicodedata.normalize("NFKC", text).translate(_SIGNS)
        if self.simplified:
            text = _simplified(text)
        text = _TAG.sub(" ", text).casefold()
        if self.drop_fillers:
            text = _FILLERS.sub(" ", text)
        text = _without_punctuation(text)
        return _SPACE_AT_HAN.sub("", " ".join(text.split()))


def _without_punctuation(text: str) -> str:
    """Numerals in their one form, and of the rest letters, digits and apostrophes inside words."""
    kept, position = [], 0
    for numeral in numerals(text):
        kept += [_letters(text[position : numeral.start]), _ON_THE_HOUR.sub(r"\1点", numeral.form)]
        position = numeral.end
    return "".join([*kept, _letters(text[position:])])


def _letters(text: str) -> str:
    return "".join(character if _is_kept(text, index) else " " for index, character in enumerate(text))


def _is_kept(text: str, index: int) -> bool:
    character = text[index]
    if character == "'":
        return 0 < index < len(text) - 1 and text[index - 1].isalpha() and text[index + 1].isalpha()
    # Letters, marks that belong to them, and numbers.
    return unicodedata.category(character)[0] in "LMN"


def _simplified(text: str) -> str:
    # OpenCC takes UTF-8 only. Halves of surrogate pairs are no letters and would be dropped later on.
    converted: str = _to_simplified().convert(text.encode("utf-8", "replace").decode())
    return converted


@cache
def _to_simplified() -> Any:
    # Its tables take 30 ms and some megabytes to load, and few ask for them.
    from opencc import OpenCC

    return OpenCC("t2s")
