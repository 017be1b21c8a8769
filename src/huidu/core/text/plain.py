"""Texts in one plain form, from which numbers, words and signs of bad health are read alike.

width       full-width and compatibility forms as their plain ones (width.py)
tags        <noise>, [laughter], <|zh|>, [00:01.5 --> 00:02.0] and the like become a blank (tags.py)
blanks      one between words and between numbers, none beside Chinese characters
characters  that nobody sees, such as the zero-width space, are dropped
"""

import re

from huidu.core.text.script import simplified
from huidu.core.text.tags import without_tags
from huidu.core.text.width import narrow

__all__ = ["HAN", "plain", "simplified"]

# What is written without blanks, for a character class. Marks that join the character before them (U+3099) are left
# out: a blank before them goes for no reason, for the two would become one character.
HAN = "\u2e80-\u3029\u3030-\u3098\u309b-\u9fff\uf900-\ufaff\U00020000-\U0003ffff○◯"
_BLANK_AT_HAN = re.compile(rf"(?<=[{HAN}]) (?=[\w{HAN}%‰])|(?<=\w) (?=[{HAN}])|(?<=[0-9]) (?=[%‰])")
_DEGREES = re.compile("[°˚] ?([CcFf])(?![A-Za-z])")
_SCALES = {"c": "摄氏度", "f": "华氏度"}
_DIGIT = "零〇一二三四五六七八九十百千廿卅"
# 二○二四年 is typed with a circle; ○○公司 is a name that is kept back.
_CIRCLE_ZERO = re.compile(f"(?<=[{_DIGIT}])[○◯]+|(?<![○◯])[○◯]+(?=[{_DIGIT}])")
# The line before the times of an SRT file counts its pieces; a VTT file begins with its name. Nobody has said them.
_FILE_LINES = re.compile(r"(?m)\A\s*WEBVTT[^\n]*|^[^\S\n]*\d{1,6}[^\S\n]*\n(?=[^\S\n]*\d[\d:.,]{2,15} *-->)")


def plain(text: str) -> str:
    """The text in its plain form, in a time that grows with its length only. A plain text is its own plain form."""
    text = narrow(text)
    if "-->" in text:
        text = _FILE_LINES.sub("", text)
    return without_tags(_spaced(text), _spaced)


def _spaced(text: str) -> str:
    text = " ".join(text.split())
    if "°" in text or "˚" in text:
        text = _DEGREES.sub(lambda match: _SCALES[match[1].lower()], text)
    if " " in text:
        text = _BLANK_AT_HAN.sub("", text)
    if "○" in text or "◯" in text:
        text = _CIRCLE_ZERO.sub(lambda match: "〇" * len(match[0]), text)
    return text
