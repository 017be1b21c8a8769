import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from huidu.core.errors import InvalidError
from huidu.core.stats.mapsswe import Mapsswe, mapsswe
from huidu.core.text.align import Codes, Op

LETTERS = {"C": Op.HIT, "S": Op.SUBSTITUTION, "D": Op.DELETION, "I": Op.INSERTION}


def ops(*utterances: str) -> list[Codes]:
    return [np.array([LETTERS[letter] for letter in letters], dtype=np.uint8) for letters in utterances]


@st.composite
def systems(draw: st.DrawFn) -> tuple[list[Codes], list[Codes]]:
    """Both systems' alignments of the same random references: what each word met, and what was inserted after it."""
    met = st.sampled_from(["C", "C", "C", "S", "D", "CI", "CII", "DI"])
    first: list[str] = []
    second: list[str] = []
    for words in draw(st.lists(st.integers(0, 12), max_size=8)):
        for system in (first, second):
            begin = draw(st.sampled_from(["", "", "I"]))
            system.append(begin + "".join(draw(st.lists(met, min_size=words, max_size=words))))
    return ops(*first), ops(*second)


def segments_by_walking(first: Codes, second: Codes) -> list[int]:
    """Differences by segment, word by word: the gap before a word, then the word."""
    found: list[list[int]] = []
    right = 2

    def met(one: int, other: int) -> None:
        nonlocal right
        if one or other:
            if right >= 2:
                found.append([0, 0])
            found[-1][0] += one
            found[-1][1] += other
            right = 0

    slots = [slots_of(first), slots_of(second)]
    for (inserted, op), (inserted_there, op_there) in zip(*slots, strict=True):
        met(inserted, inserted_there)
        met(int(op != Op.HIT), int(op_there != Op.HIT))
        right += op == op_there == Op.HIT
    return [one - other for one, other in found]


def slots_of(codes: Codes) -> list[tuple[int, int]]:
    """(insertions before it, op) of each word, and of an end that everybody gets right."""
    slots, inserted = [], 0
    for op in [*codes.tolist(), int(Op.HIT)]:
        if op == Op.INSERTION:
            inserted += 1
        else:
            slots.append((inserted, op))
            inserted = 0
    return slots


@settings(deadline=None)
@given(systems())
def test_segments_are_those_of_a_walk_along_the_words(pair: tuple[list[Codes], list[Codes]]) -> None:
    differences = [d for first, second in zip(*pair, strict=True) for d in segments_by_walking(first, second)]
    found = mapsswe(*pair)
    assert found.segments == len(differences)
    if len(set(differences)) > 1:
        assert found.mean == pytest.approx(np.mean(differences))
        assert found.standard_deviation == pytest.approx(np.std(differences, ddof=1))
        assert found.z == pytest.approx(stats.ttest_1samp(differences, 0).statistic)
        assert found.p == pytest.approx(2 * stats.norm.sf(abs(found.z)))


@settings(deadline=None)
@given(systems())
def test_swapped_systems_have_the_opposite_z_and_the_same_p(pair: tuple[list[Codes], list[Codes]]) -> None:
    found, swapped = mapsswe(*pair), mapsswe(*reversed(pair))
    assert (swapped.segments, swapped.mean, swapped.z) == (found.segments, -found.mean, -found.z)
    assert swapped.p == found.p


@settings(deadline=None)
@given(systems())
def test_the_order_of_utterances_does_not_matter(pair: tuple[list[Codes], list[Codes]]) -> None:
    backwards = mapsswe(pair[0][::-1], pair[1][::-1])
    assert backwards.z == pytest.approx(mapsswe(*pair).z)


@settings(deadline=None)
@given(systems())
def test_segments_with_equal_errors_bring_z_nearer_to_0(pair: tuple[list[Codes], list[Codes]]) -> None:
    alike = ops("CCSCC")
    found, diluted = mapsswe(*pair), mapsswe(pair[0] + alike, pair[1] + alike)
    assert diluted.segments == found.segments + 1
    assert abs(diluted.mean) <= abs(found.mean)


@settings(deadline=None)
@given(systems())
def test_a_system_does_not_differ_from_itself(pair: tuple[list[Codes], list[Codes]]) -> None:
    found = mapsswe(pair[0], pair[0])
    assert (found.mean, found.z, found.p) == (0.0, 0.0, 1.0)


def test_without_errors_there_is_no_segment() -> None:
    assert mapsswe(ops("CCC", ""), ops("CCC", "")) == Mapsswe(0, 0.0, 0.0, 0.0, 1.0)
    assert mapsswe([], []) == Mapsswe(0, 0.0, 0.0, 0.0, 1.0)


def test_without_spread_nothing_is_significant() -> None:
    assert mapsswe(ops("CCSCC", "CCDCC"), ops("CCCCC", "CCCCC")) == Mapsswe(2, 1.0, 0.0, 0.0, 1.0)


@pytest.mark.parametrize("other", [["CC"], ["CC", "CCC"], ["CC", "C", "C"]])
def test_different_references_are_refused(other: list[str]) -> None:
    with pytest.raises(InvalidError, match="accepted: the same utterances"):
        mapsswe(ops("CC", "CI"), ops(*other))
