"""Words that must come out right, such as the hotwords of a version: how many of the spoken ones were reproduced."""

import re
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

from huidu.core.text.errors import ErrorCounts
from huidu.core.text.normalise import Normaliser


def entity_errors(reference: str, hypothesis: str, words: Iterable[str], normaliser: Normaliser) -> ErrorCounts:
    """Occurrences of the words in the reference that have no equal one in the hypothesis, matched as multisets.

    Texts and words are normalised first. Of words that overlap the one that begins first counts, of those the
    longest. A word that begins or ends in a letter of an alphabet is only found as a whole word.
    """
    pattern = _pattern(tuple(words), normaliser.beside(reference))
    said, heard = map(pattern.findall, normaliser.pair(reference, hypothesis))
    return ErrorCounts((Counter(said) - Counter(heard)).total(), len(said))


@lru_cache(maxsize=16)
def _pattern(words: tuple[str, ...], normaliser: Normaliser) -> re.Pattern[str]:
    plain = {normaliser.normalised(word) for word in words} - {""}
    if not plain:
        # Matches nothing, not even the empty text.
        return re.compile(r"(?!)")
    return re.compile("|".join(map(_bounded, sorted(plain, key=lambda word: (-len(word), word)))))


def _bounded(word: str) -> str:
    # Chinese is written without blanks: there a boundary is one between alphabets only.
    before = f"(?<!{_ALPHABETIC})" if re.match(_ALPHABETIC, word[0]) else ""
    # C is no part of C++ or C#.
    after = f"(?!{_ALPHABETIC}|[+#])" if re.match(_ALPHABETIC, word[-1]) else ""
    return f"{before}{re.escape(word)}{after}"


# Letters and digits below the wide scripts.
_ALPHABETIC = r"[^\W_\u2e80-\U0010ffff]"
