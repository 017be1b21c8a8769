"""Our counts with unit weights beside jiwer's: the same errors in all, the same tokens.

How errors divide into substitutions, deletions and insertions may differ where several alignments cost the same.
jiwer splits at blanks where we split at any white space, so texts come to it with single blanks.
"""

from collections.abc import Sequence

import jiwer
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from huidu.core.text.align import align, counts_of
from huidu.core.text.tokens import Unit, split

WORDS = st.lists(st.sampled_from(["a", "b", "c", "你好", "ab", "，"]) | st.text(max_size=4), max_size=12)
TEXTS = WORDS.map(lambda words: " ".join(" ".join(words).split()))
# jiwer refuses an empty reference.
PAIRS = st.lists(st.tuples(TEXTS.filter(bool), TEXTS), min_size=1, max_size=6)

Pair = tuple[str, str]


@pytest.mark.parametrize("unit", [Unit.WORD, Unit.CHARACTER])
@settings(deadline=None, max_examples=300)
@given(found=PAIRS)
def test_errors_and_lengths_are_those_of_jiwer(unit: Unit, found: Sequence[Pair]) -> None:
    references, hypotheses = (
        [text if unit is Unit.WORD else "".join(text.split()) for text in texts] for texts in zip(*found, strict=True)
    )
    measure = jiwer.process_words if unit is Unit.WORD else jiwer.process_characters
    theirs = measure(list(references), list(hypotheses))
    rows = align(references, hypotheses, unit).counts()
    ours = counts_of(rows.sum(axis=0))
    assert ours.errors == theirs.substitutions + theirs.deletions + theirs.insertions
    assert ours.reference == theirs.hits + theirs.substitutions + theirs.deletions
    assert ours.hits + ours.substitutions + ours.insertions == theirs.hits + theirs.substitutions + theirs.insertions
    assert ours.rate == pytest.approx(theirs.wer if unit is Unit.WORD else theirs.cer)
    for reference, row in zip(references, rows, strict=True):
        assert counts_of(row).reference == len(split(reference, unit))
