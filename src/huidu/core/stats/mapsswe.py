"""NIST's matched pairs sentence segment word error test (MAPSSWE) of two systems on one test set.

Gillick and Cox (1989), Some Statistical Issues in the Comparison of Speech Recognition Algorithms, ICASSP; as
`sc_stats` of NIST's SCTK counts it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import erfc, sqrt

import numpy as np
from numpy.typing import NDArray

from huidu.core.errors import InvalidError
from huidu.core.text.align import Codes, Op

BOUNDARY_WORDS = 2  # words both systems get right that make what lies on their two sides independent


@dataclass(frozen=True, slots=True)
class Mapsswe:
    """The errors of baseline less candidate by segment: their mean and standard deviation, z = mean / (sd/sqrt(n)).

    `p` is two-tailed. Below 0 the baseline made fewer errors. Where all segments show the same difference (or there
    is none) there is no spread to judge by: sd and z are 0 and p is 1, as in sc_stats.
    """

    segments: int
    mean: float
    standard_deviation: float
    z: float
    p: float


def mapsswe(baseline: Sequence[Codes], candidate: Sequence[Codes]) -> Mapsswe:
    """The test over the alignments of both systems with the same references, an array of op codes by utterance.

    What sc_stats does, found from its answers (SCTK 2.4.10) and held by tests/oracle/sc_stats_test.py:
    - A segment is a run of errors of either system. It ends where at least two reference words in a row are right in
      both, with nothing inserted between them; the next error begins another. One such word does not end it.
    - A segment lies in one utterance: its begin and end bound segments without any right words.
    - An insertion belongs to the gap between the words it stands between, and counts also before the first and after
      the last word.
    - Right words have no errors, so it does not matter that neighbouring segments share the words between them.
      Stretches without an error are no segments; segments with as many errors in both count, with difference 0.
    - The variance has the divisor n - 1.
    sc_stats looks p up in a table of z in steps of 0.01, rounding towards 0; here it is exact.

    Raises InvalidError where the systems have not as many utterances, or not the same reference words.
    """
    ours, theirs = _joined(baseline), _joined(candidate)
    lengths = [[int(np.count_nonzero(ops != Op.INSERTION)) for ops in system] for system in (baseline, candidate)]
    if lengths[0] != lengths[1]:
        raise InvalidError("alignments with different references; accepted: the same utterances for both systems")
    right = (ours[ours != Op.INSERTION] == Op.HIT) & (theirs[theirs != Op.INSERTION] == Op.HIT)
    right_before = np.concatenate(([0], np.cumsum(right)))
    places = [right_before[_error_words(ops)] for ops in (ours, theirs)]
    found = np.unique(np.concatenate(places))
    segment = np.cumsum(np.diff(found, prepend=-BOUNDARY_WORDS) >= BOUNDARY_WORDS) - 1
    segments = int(segment[-1]) + 1 if len(segment) else 0
    errors = [np.bincount(segment[np.searchsorted(found, place)], minlength=segments) for place in places]
    return _tested(errors[0] - errors[1])


def _joined(system: Sequence[Codes]) -> Codes:
    """All utterances in a row, parted by right words, so that no segment reaches from one into the next."""
    parting = np.full(BOUNDARY_WORDS, Op.HIT, dtype=np.uint8)
    return np.concatenate([part for ops in system for part in (np.asarray(ops, dtype=np.uint8), parting)] or [parting])


def _error_words(ops: Codes) -> NDArray[np.int64]:
    """For each error the number of reference words before it."""
    words = ops != Op.INSERTION
    before: NDArray[np.int64] = (np.cumsum(words) - words)[ops != Op.HIT]
    return before


def _tested(differences: NDArray[np.int64]) -> Mapsswe:
    segments = len(differences)
    mean = float(differences.mean()) if segments else 0.0
    if segments == 0 or np.all(differences == differences[0]):
        return Mapsswe(segments, mean, 0.0, 0.0, 1.0)
    deviation = float(differences.std(ddof=1))
    z = mean / (deviation / sqrt(segments))
    return Mapsswe(segments, mean, deviation, z, erfc(abs(z) / sqrt(2)))
