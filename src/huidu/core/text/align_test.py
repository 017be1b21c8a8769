from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from huidu.core.text import align as module
from huidu.core.text.align import Alignments, Op, Weights, align, counts_of
from huidu.core.text.counts import Counts
from huidu.core.text.tokens import Unit, split

text = st.text(alphabet="abc", max_size=9)
pairs = st.lists(st.tuples(text, text), max_size=6)


def aligned(found: list[tuple[str, str]], weights: Weights) -> Alignments:
    references, hypotheses = zip(*found, strict=True) if found else ((), ())
    return align(references, hypotheses, Unit.CHARACTER, weights)


def by_recursion(said: str, heard: str, weights: Weights) -> list[Op]:
    """The definition, one cell at a time: read from the end, the diagonal goes first, then insertions."""
    substitution, deletion, insertion = weights.value

    @cache
    def cost(i: int, j: int) -> int:
        if i == 0 or j == 0:
            return deletion * i + insertion * j
        diagonal = cost(i - 1, j - 1) + (substitution if said[i - 1] != heard[j - 1] else 0)
        return min(diagonal, cost(i - 1, j) + deletion, cost(i, j - 1) + insertion)

    ops, i, j = [], len(said), len(heard)
    while i or j:
        differ = i and j and said[i - 1] != heard[j - 1]
        if i and j and cost(i, j) == cost(i - 1, j - 1) + (substitution if differ else 0):
            ops.append(Op.SUBSTITUTION if differ else Op.HIT)
            i, j = i - 1, j - 1
        elif j and cost(i, j) == cost(i, j - 1) + insertion:
            ops.append(Op.INSERTION)
            j -= 1
        else:
            ops.append(Op.DELETION)
            i -= 1
    return ops[::-1]


@pytest.mark.parametrize("weights", Weights)
@settings(deadline=None)
@given(found=pairs)
def test_alignments_are_those_of_the_definition(weights: Weights, found: list[tuple[str, str]]) -> None:
    alignments = aligned(found, weights)
    assert len(alignments) == len(found)
    for index, (said, heard) in enumerate(found):
        assert alignments.ops(index).tolist() == by_recursion(said, heard, weights)


@pytest.mark.parametrize("weights", Weights)
@settings(deadline=None)
@given(found=pairs)
def test_counts_are_those_of_the_operations_and_add_up(weights: Weights, found: list[tuple[str, str]]) -> None:
    alignments = aligned(found, weights)
    rows = alignments.counts()
    for index, (said, heard) in enumerate(found):
        counts = counts_of(rows[index])
        assert counts.reference == len(said)
        assert counts.hits + counts.substitutions + counts.insertions == len(heard)
        if weights is Weights.UNIT:
            assert counts.errors == Levenshtein.distance(said, heard)
    assert sum((counts_of(row) for row in rows), Counts()) == counts_of(rows.sum(axis=0))


@pytest.mark.parametrize("unit", Unit)
@settings(deadline=None)
@given(said=st.text(alphabet="你好 ab", max_size=12), heard=st.text(alphabet="你好 ab", max_size=12))
def test_each_unit_counts_its_own_tokens(unit: Unit, said: str, heard: str) -> None:
    counts = counts_of(align([said], [heard], unit).counts()[0])
    assert counts.errors == Levenshtein.distance(split(said, unit), split(heard, unit))
    assert counts.reference == len(split(said, unit))


@pytest.mark.parametrize("weights", Weights)
@settings(deadline=None, max_examples=30)
@given(said=st.text(alphabet="abc", min_size=1, max_size=60), heard=st.text(alphabet="abc", min_size=1, max_size=60))
def test_long_utterances_cost_the_same(weights: Weights, said: str, heard: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_LONG_CELLS", 0)
        # Few directions fit, so that they are computed again in several stretches.
        patch.setattr(module, "_LONG_KEPT_BYTES", 200)
        found = aligned([(said, heard)], weights)
    expected = aligned([(said, heard)], weights)
    if weights is Weights.SCLITE:
        assert found.codes.tolist() == expected.codes.tolist()
    else:
        assert found.counts()[0, 1:].sum() == expected.counts()[0, 1:].sum()
        assert replayed(found.codes, said, heard)


def replayed(codes: np.ndarray, said: str, heard: str) -> bool:
    """Whether the operations lead from one text to the other."""
    i = j = 0
    for op in codes:
        if op == Op.HIT and said[i] != heard[j]:
            return False
        i += op != Op.INSERTION
        j += op != Op.DELETION
    return (i, j) == (len(said), len(heard))


def test_batches_make_no_difference() -> None:
    rng = np.random.default_rng(1)
    texts = ["".join(rng.choice(list("abcd"), rng.integers(0, 40))) for _ in range(400)]
    found = list(pairwise(texts))
    whole = aligned(found, Weights.SCLITE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BATCH_CELLS", 500)
        assert aligned(found, Weights.SCLITE).codes.tolist() == whole.codes.tolist()


def test_what_is_too_long_for_a_batch_is_counted_alike() -> None:
    rng = np.random.default_rng(2)
    said = "".join(rng.choice(list("一二三四五六七八九十"), 30_000))
    heard = said[:10_000] + "错" + said[10_001:20_000] + said[20_002:]
    for weights in Weights:
        assert counts_of(aligned([(said, heard)], weights).counts()[0]) == Counts(29_997, 1, 2, 0)


def test_sides_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="accepted"):
        align(["a"], [], Unit.WORD)
