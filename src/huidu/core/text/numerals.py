"""Number expressions and whether they were reproduced exactly.

A number expression is a maximal run of digits or Chinese number characters. This is the simple version: it
compares characters, so 10086 and 一零零八六 differ, and it counts 一 in 一起 as a number on both sides alike.
Values, dates, amounts and reading styles come with the scoring of inverse text normalisation.
"""

import re
from collections import Counter

from huidu.core.text.errors import ErrorCounts, without_space

_EXPRESSION = re.compile("[0-9零〇一二两三四五六七八九十百千万亿幺]+")
_FULL_WIDTH = {ord("０") + digit: ord("0") + digit for digit in range(10)}


def number_expressions(text: str) -> list[str]:
    """The number expressions in order; full-width digits are folded, white space is left out."""
    return _EXPRESSION.findall(without_space(text).translate(_FULL_WIDTH))


def numeral_errors(reference: str, hypothesis: str) -> ErrorCounts:
    """Reference expressions that have no equal one in the hypothesis, matched as multisets.

    Expressions that only the hypothesis has are not counted: the rate is of what was said.
    """
    said = number_expressions(reference)
    missing = Counter(said) - Counter(number_expressions(hypothesis))
    return ErrorCounts(missing.total(), len(said))
