"""Whether a quantile of latencies grew by more than a ratio, from histograms by cluster.

Let t be stable's quantile. "The candidate is m times as slow" means that it exceeds m t as often as stable exceeds
t, so the shares of requests above m t and above t are compared as ratios over clusters. Stable's share
enters with its own spread, and that is where the uncertainty of t goes: to first order both arms' shares move
together with t. Whatever m t cuts through inside a cell is given to the side that proves less.

Long audio takes longer than short audio, so each band of length has its own t, and the shares are added up over the
bands. Stable's are weighted as the candidate's requests are spread over the bands (direct standardisation: Fleiss,
Levin and Paik 2003, Statistical Methods for Rates and Proportions, 19.2): a version is not slow because it got the
longer audio.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from math import exp, log

import numpy as np
from numpy.typing import NDArray

from huidu.core.stats.ratios import MeanDifference, difference, ratio

Counts = NDArray[np.int64]

_CELL_RANGE = 150  # ratios from 1/1500 to 1500 with cells 5 % apart


def quantile_cell(counts: Counts, q: float) -> int:
    """The cell that holds the q-quantile of a histogram of shape (cells,) that is not empty."""
    return int(np.searchsorted(np.cumsum(counts), q * counts.sum(), side="left"))


# A quantile of fewer than these says little, and would weigh much.
_LEAST_OF_STABLE = 20


@dataclass(frozen=True, slots=True)
class Slowness:
    """Histograms of both arms, candidate's and stable's, by band; each of shape (clusters, cells).

    `edges` are the cells' lower edges, rising; the last cell holds all that has no upper bound. Every band must
    have counts on both sides. So many of the candidate's requests are `doubtful`: to be proven slower it must be so
    without them, had they been its slowest.
    """

    bands: tuple[tuple[Counts, Counts], ...]
    edges: tuple[float, ...]
    q: float
    doubtful: float = 0.0

    def worse(self, margin: float, level: float) -> bool:
        """Whether the candidate's quantile is proven more than `margin` times stable's."""
        compared = self._above(lambda t: bisect_left(self.edges, margin * t), self.doubtful)
        return compared is not None and compared.worse(0.0, level)

    def within(self, margin: float, level: float) -> bool:
        """Whether the candidate's quantile is proven less than `margin` times stable's."""
        compared = self._above(lambda t: bisect_right(self.edges, margin * t) - 1)
        return compared is not None and compared.within(0.0, level)

    def _above(self, cell_of: Callable[[float], int], left_out: float = 0.0) -> MeanDifference | None:
        # Both arms may have clusters of their own: the users of each.
        mine, mine_all = (np.zeros(len(self.bands[0][0])) for _ in range(2))
        theirs, theirs_all = (np.zeros(len(self.bands[0][1])) for _ in range(2))
        for candidate, stable in self.bands:
            cell = quantile_cell(stable.sum(axis=0), self.q)
            there = max(0, cell_of(self.edges[cell]))
            mine += candidate[:, there:].sum(axis=1)
            mine_all += candidate.sum(axis=1)
            weight = candidate.sum() / stable.sum()
            theirs += weight * stable[:, cell:].sum(axis=1)
            theirs_all += weight * stable.sum(axis=1)
        if left_out:
            # Whose they are is not known: each cluster gives its part.
            mine, mine_all = _without(mine, left_out), _without(mine_all, left_out)
        return difference(ratio(mine, mine_all), ratio(theirs, theirs_all))

    @property
    def estimate(self) -> float:
        """The ratio of both quantiles, to the width of a cell: over bands the geometric mean by their requests."""
        total, weighted = 0, 0.0
        for candidate, stable in self.bands:
            count = int(candidate.sum())
            mine, theirs = (self.edges[quantile_cell(arm.sum(axis=0), self.q)] for arm in (candidate, stable))
            total, weighted = total + count, weighted + count * log(mine / theirs)
        return exp(weighted / total)

    def interval(self, level: float) -> tuple[float | None, float | None]:
        """Bounds on the ratio at level/2 each: the largest proven exceeded, the smallest proven kept, if any."""
        step = self.edges[1] / self.edges[0]
        kept = _first(lambda k: self.within(step**k, level / 2))
        not_exceeded = _first(lambda k: not self.worse(step**k, level / 2))
        lower = step ** (not_exceeded - 1) if not_exceeded is not None and not_exceeded > -_CELL_RANGE else None
        return lower, step**kept if kept is not None else None


def _without(counts: NDArray[np.float64], left_out: float) -> NDArray[np.float64]:
    """Counts by cluster less so many of their sum, in proportion; nothing where there are no more."""
    total = float(counts.sum())
    return counts * max(0.0, 1 - left_out / total) if total else counts


def comparable(candidate: Counts, stable: Counts) -> bool:
    """Whether a band has enough on both sides to be compared."""
    return bool(candidate.any()) and int(stable.sum()) >= _LEAST_OF_STABLE


def _first(holds: Callable[[int], bool]) -> int | None:
    """The first step in range from which on `holds` is true, by halving."""
    steps = range(-_CELL_RANGE, _CELL_RANGE + 1)
    index = bisect_left(steps, True, key=holds)
    return steps[index] if index < len(steps) else None
