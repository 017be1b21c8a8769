"""The numbers of a text, spoken or written, Chinese or English, and which of them a hypothesis has missed."""

from huidu.core.text.numerals.matching import Missed, missed, numeral_errors
from huidu.core.text.numerals.numeral import Numeral, Reading
from huidu.core.text.numerals.reader import numerals

__all__ = ["Missed", "Numeral", "Reading", "missed", "numeral_errors", "numerals"]
